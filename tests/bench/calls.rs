//! What a trace costs in calls of Intercom's API, with cold caches: into an empty workspace, and into one that holds
//! everybody. All of it within a moment, as a backlog is worked off: the hands of the clock stand still.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use interline::action::Outcome;
use interline::delivery::Steps;
use interline::destination::intercom::{self, Economy, Intercom, Settings};
use interline::destination::{Context, Destination};
use interline::event::Event;
use interline::json::Json;
use interline::mapping::Mappings;
use interline::metrics::Metrics;
use interline::sandbox::{self, Running, Sandbox};

use crate::figure::{Amount, Figure, Target};
use crate::mapping::{SHIPPED, compile};
use crate::trace;

/// Requests by method and pattern of their path.
type Calls = BTreeMap<String, usize>;

/// Against what Segment's destination would ask for the same events.
pub fn calls() -> Vec<Figure> {
    let (events, mappings) = (trace::events(), compile(SHIPPED));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let [empty, off, full] = runtime.block_on(async {
        let (empty, off, full) = (workspace(), workspace(), workspace());
        let counts = [
            run(&events, &mappings, &empty, Economy::default()).await,
            run(&events, &mappings, &off, Economy::OFF).await,
            {
                run(&yesterday(&events), &mappings, &full, Economy::OFF).await;
                full.control().converge();
                run(&events, &mappings, &full, Economy::default()).await
            },
        ];
        for running in [empty, off, full] {
            running.stop().await;
        }
        counts
    });
    let segment: usize = events.iter().map(|event| segment(event, &mappings)).sum();
    let tracked = others(&empty).0;
    let each = |calls: &Calls| calls.values().sum::<usize>() as f64 / events.len() as f64;
    let told = |calls: &Calls| {
        calls.iter().map(|(endpoint, count)| format!("{endpoint} {count}")).collect::<Vec<_>>().join(", ")
    };
    let figure = |what, reached, target, behind| Figure { what, reached, target, behind };
    let at_most = |most| Some(Target::AtMost(most));
    let (ours, theirs) = (others(&empty).1, segment - tracked);
    let against = format!("{ours} against {theirs}; Segment {:.3} an event", segment as f64 / events.len() as f64);
    vec![
        figure("calls: an event, empty workspace", Amount::Each(each(&empty)), at_most(0.85), told(&empty)),
        figure(
            "  other than events, against Segment's",
            Amount::Times(ours as f64 / theirs as f64),
            at_most(0.25),
            against,
        ),
        figure("  the same with every economy off", Amount::Each(each(&off)), None, told(&off)),
        figure("calls: an event, everybody is there", Amount::Each(each(&full)), at_most(0.95), told(&full)),
    ]
}

/// Calls that record events, and all others.
fn others(calls: &Calls) -> (usize, usize) {
    let tracked = calls.get("POST /events").copied().unwrap_or_default();
    (tracked, calls.values().sum::<usize>() - tracked)
}

fn workspace() -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let settings = sandbox::Settings { rate_limit_per_10s: 0, ..sandbox::Settings::default() };
    Sandbox::start(settings, listener, trace::start).expect("the sandbox starts")
}

/// The same a day before: so everybody is there, and was seen then.
fn yesterday(events: &[Event]) -> Vec<Event> {
    let earlier = |event: &Event| {
        let text = std::str::from_utf8(&event.body).expect("the sample is JSON");
        let body = text.replace("\"timestamp\":\"2026-01-01T", "\"timestamp\":\"2025-12-31T");
        let mut envelope = event.envelope.clone();
        envelope.timestamp = envelope.timestamp.saturating_sub(jiff::SignedDuration::from_hours(24)).expect("a date");
        Event { envelope, body: body.into_bytes().into() }
    };
    events.iter().map(earlier).collect()
}

/// Brings every event, in order, and counts what was asked for.
async fn run(events: &[Event], mappings: &Mappings, running: &Running, economy: Economy) -> Calls {
    let settings = Settings {
        base_url: Some(running.url().parse().expect("a URL")),
        access_token: "token".into(),
        economy,
        ..Settings::default()
    };
    let context =
        Context { name: "bench".into(), metrics: Metrics::new(), clock: Arc::new(trace::start), memory: None };
    let intercom = intercom::build(settings, context).expect("the settings are good");
    let mut calls = Calls::new();
    for event in events {
        bring(event, mappings, &intercom, &mut calls).await;
    }
    calls
}

async fn bring(event: &Event, mappings: &Mappings, intercom: &Intercom, calls: &mut Calls) {
    let view = event.view().expect("the sample is JSON");
    for mapping in mappings.matching(&view) {
        let payload = mapping.payload(&view).expect("the sample fits");
        let text = Json::Object(payload.object).to_string();
        let performed = intercom.perform(mapping.action.name, text.as_bytes(), &Steps::new()).await;
        assert!(matches!(performed.result, Ok(Outcome::Delivered(_) | Outcome::Skipped(..))), "{:?}", performed.result);
        for exchange in &performed.exchanges {
            *calls.entry(endpoint(&exchange.method, &exchange.path)).or_default() += 1;
        }
    }
}

/// The pattern of a path: ids are one thing.
fn endpoint(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let words = ["contacts", "companies", "search", "find_by_external_id", "events", "tags", "data_attributes", "me"];
    let segments = path.trim_matches('/').split('/').map(|part| if words.contains(&part) { part } else { "{id}" });
    format!("{method} /{}", segments.collect::<Vec<_>>().join("/"))
}

/// Calls that Segment's destination makes for an event: it searches before every write of a contact, writes every company,
/// attaches every time, and searches for whom it has but an address.
fn segment(event: &Event, mappings: &Mappings) -> usize {
    let view = event.view().expect("the sample is JSON");
    let is_known = view.get("userId").is_some();
    let of = |action: &str| match action {
        "identify_contact" => 2,
        "identify_company" => 3,
        "track_event" if !is_known => 2,
        _ => 1,
    };
    mappings.matching(&view).map(|mapping| of(mapping.action.name)).sum()
}
