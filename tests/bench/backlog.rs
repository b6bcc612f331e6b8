//! Stores that are full of pending events.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interline::app;
use interline::delivery::key::keys;
use interline::delivery::{Delivery, Failing, Progress, Status};
use interline::event::{Event, Kind};
use interline::instant::Timestamp;
use interline::json::Json;
use interline::mapping::{Mapping, Mappings};
use interline::metrics::Metrics;
use interline::store::sqlite::Sqlite;
use interline::store::{Accepted, Opening, Routed, Settings, Store};

use crate::mapping::compile;
use crate::process::shipped;
use crate::trace;

/// Of so many events one is about the person with the long line.
const BUSY: usize = 10;
/// Events that are stored at once.
const STEP: usize = 5_000;
const HOUR: Duration = Duration::from_secs(3600);

/// What a store is filled with.
pub struct Stream {
    pub trace: Vec<Event>,
    /// The event of a number.
    event: fn(&[Event], usize, Timestamp) -> Event,
    /// How the deliveries stand.
    progress: Progress,
}

/// Makes a store with so many pending events, and tells its size in bytes.
pub async fn fill(data: &Path, count: usize, stream: &Stream) -> u64 {
    let began = Instant::now();
    let metrics = Metrics::new();
    let settings = Settings::default();
    let now = app::clock()();
    let opening = Opening { settings: &settings, directory: data, metrics: &metrics, now };
    let store = Sqlite::open(&opening).expect("a new store");
    let mappings = mappings();
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(STEP) {
        let event = |number: &usize| (stream.event)(&stream.trace, *number, now);
        let events: Vec<Event> = numbers.iter().map(event).collect();
        let accepted = store.accept(events.clone()).await.expect("there is room");
        let route = |(event, accepted): (&Event, Accepted)| match accepted {
            Accepted::New(position) => {
                Routed { position, deliveries: deliveries(event, &mappings, &stream.progress, now) }
            }
            Accepted::Duplicate => panic!("no two events have one message id"),
        };
        let routed: Vec<Routed> = events.iter().zip(accepted).map(route).collect();
        store.route(&routed).await.expect("there is room");
    }
    store.close().await;
    eprintln!("{count} pending events made in {:.0} s", began.elapsed().as_secs_f64());
    std::fs::metadata(data.join("interline.db")).map_or(0, |facts| facts.len())
}

fn mappings() -> Mappings {
    compile(&shipped("127.0.0.1:1".parse().expect("an address")))
}

/// Events of the trace that become one delivery.
fn single() -> Vec<Event> {
    let (mappings, progress, now) = (mappings(), Progress::new(), trace::start());
    let is_single = |event: &Event| deliveries(event, &mappings, &progress, now).len() == 1;
    trace::events().into_iter().filter(is_single).collect()
}

/// Calls of every kind, of few people and many.
pub fn everybody() -> Stream {
    Stream { trace: single(), event: another, progress: Progress::new() }
}

/// Tracking calls, each of somebody whose contact was not there a moment ago.
pub fn strangers() -> Stream {
    let is_meant = |event: &Event| {
        let user = event.view().ok().and_then(|view| view.get("userId").map(drop));
        event.envelope.kind == Kind::Track && user.is_some()
    };
    let now = app::clock()();
    let status = Status::Waiting { until: now + HOUR, reason: "contact_not_found".into(), parked: true };
    let failing = Some(Failing { since: now, too_early: true });
    let progress = Progress { status, failing, attempts: 1, tries: 1, ..Progress::new() };
    Stream { trace: single().into_iter().filter(is_meant).collect(), event: stranger, progress }
}

/// The event of that number: one of the trace, about somebody else in each round.
fn another(trace: &[Event], number: usize, now: Timestamp) -> Event {
    let (event, round) = (&trace[number % trace.len()], number / trace.len());
    let who = match number % BUSY {
        0 => "busy".to_owned(),
        _ => format!("{round}"),
    };
    renamed(event, round, &who, now)
}

/// The same about somebody of whom no other event is.
pub fn stranger(trace: &[Event], number: usize, now: Timestamp) -> Event {
    renamed(&trace[number % trace.len()], number, &number.to_string(), now)
}

fn renamed(event: &Event, round: usize, who: &str, now: Timestamp) -> Event {
    let mut envelope = event.envelope.clone();
    envelope.message_id = format!("{round}-{}", envelope.message_id);
    (envelope.received_at, envelope.timestamp) = (now, now);
    Event { envelope, body: about(event, who).into_bytes().into() }
}

/// The body with other names: `busy` is one person, everything else a person for each that there was.
fn about(event: &Event, who: &str) -> String {
    let view = event.view().expect("the sample is JSON");
    let context = view.get("context").and_then(|context| context.get("traits"));
    let names = [view.get("userId"), view.get("anonymousId"), context.and_then(|traits| traits.get("email"))];
    let text = std::str::from_utf8(&event.body).expect("the sample is JSON").to_owned();
    let names = names.into_iter().flatten().filter_map(Json::as_str);
    names.fold(text, |text, name| {
        let other = match (who, name.contains('@')) {
            ("busy", true) => "busy@example.com".to_owned(),
            ("busy", false) => "busy".to_owned(),
            _ => format!("{who}-{name}"),
        };
        text.replace(&format!("\"{name}\""), &format!("\"{other}\""))
    })
}

/// What the router makes of an event.
fn deliveries(event: &Event, mappings: &Mappings, progress: &Progress, now: Timestamp) -> Vec<(Delivery, Progress)> {
    let view = event.view().expect("the sample is JSON");
    let keys = keys(&view, event.envelope.kind);
    let deliver = |mapping: &Mapping| {
        let payload = mapping.payload(&view).expect("the sample fits");
        let text = serde_json::value::to_raw_value(&Json::Object(payload.object)).expect("JSON can be written");
        let delivery = Delivery {
            source: event.envelope.source.clone(),
            destination: Arc::from("intercom"),
            mapping: mapping.name.as_str().into(),
            action: mapping.action.name.into(),
            accepted_at: now,
            replay_of: None,
            keys: keys.clone(),
            payload: Ok(text),
            warnings: payload.warnings,
        };
        (delivery, progress.clone())
    };
    mappings.matching(&view).map(deliver).collect()
}
