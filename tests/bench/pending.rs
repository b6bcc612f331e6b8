//! What a million pending events take: how long a start lasts, and how much memory is resident while the destination is
//! down, while it is paused, and while what is pending is worked off.
//!
//! # Why
//! The events are made through the store, as the router would have made them, because routing a million of them first would
//! measure that. Every tenth is about one person, whose line is a hundred thousand long; the others are about some two
//! hundred thousand people. `PENDING` is another number of events.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interline::app;
use interline::delivery::key::keys;
use interline::delivery::{Delivery, Progress};
use interline::event::Event;
use interline::instant::Timestamp;
use interline::json::Json;
use interline::mapping::{Mapping, Mappings};
use interline::metrics::Metrics;
use interline::store::sqlite::Sqlite;
use interline::store::{Accepted, Opening, Routed, Settings, Store};

use crate::admin;
use crate::figure::{Amount, Figure, Target};
use crate::ingest::runtime;
use crate::load::{self, Connection};
use crate::mapping::compile;
use crate::process::{Home, KEY, Process, shipped};
use crate::standin::Mood;
use crate::trace;

/// Events that are pending, unless told otherwise.
const PENDING: usize = 1_000_000;
/// Of so many events one is about the person with the long line.
const BUSY: usize = 10;
/// Events that are stored at once.
const STEP: usize = 5_000;
/// How long each state is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// The same while they are worked off: until as many people are remembered as may be.
const WORKED_OFF: Duration = Duration::from_secs(60);
/// 150 MB.
const MEMORY_MAX: f64 = 150e6 / (1024.0 * 1024.0);
/// Seconds.
const START_MAX: f64 = 2.0;

/// Starts the real binary on a folder with a million pending events, with a destination that is down, then with one that
/// is paused, then lets it go on.
pub fn pending() -> Vec<Figure> {
    let count = std::env::var("PENDING").map_or(PENDING, |text| text.parse().expect("PENDING is a number"));
    runtime().block_on(async {
        let stand_in = Process::stand_in(None, Mood::Down).await;
        let home = Home::new(&shipped(stand_in.address));
        let began = Instant::now();
        let bytes = fill(&home.data(), count).await;
        eprintln!("{count} pending events made in {:.0} s", began.elapsed().as_secs_f64());
        let (down, [warm, cost, accepted]) = while_down(&home).await;
        let address = stand_in.address;
        drop(stand_in);
        let is_cold = match forget(&home.data()) {
            true => "as after a boot of the machine",
            false => "`dd` could not take it out of the system's memory, so this is the same",
        };
        let (paused, cold, resumed) = while_paused(&home, address).await;
        let behind = format!(
            "from exec until `/readyz` is 200, with {:.2} s of processor time; an event was accepted after {:.2} s; {count} \
             events, {:.0} MB of store",
            cost.as_secs_f64(),
            accepted.as_secs_f64(),
            bytes as f64 / 1e6
        );
        let ready = |what, after: Duration, behind| Figure {
            what,
            reached: Amount::Seconds(after.as_secs_f64()),
            target: Some(Target::AtMost(START_MAX)),
            behind,
        };
        let memory = |what, watched: Watched| Figure {
            what,
            reached: Amount::Mebibytes(watched.most),
            target: Some(Target::AtMost(MEMORY_MAX)),
            behind: format!(
                "the most at any time; {:.1} MiB at the end, {:.0} requests made, {:.0} pending",
                watched.last, watched.requests, watched.pending
            ),
        };
        vec![
            ready("pending start: ready", warm, behind),
            ready("  the same, with nothing of the store in memory", cold, is_cold.to_owned()),
            memory("pending memory: the destination answers 503", down),
            memory("pending memory: the destination is paused", paused),
            memory("pending memory: while they are worked off", resumed),
        ]
    })
}

/// What was seen of a process.
struct Watched {
    /// Mebibytes, at most.
    most: f64,
    /// Mebibytes at the end.
    last: f64,
    requests: f64,
    pending: f64,
}

impl Watched {
    /// Watches a router for a while.
    async fn over(home: &Home, process: &Process, time: Duration) -> Watched {
        tokio::time::sleep(time).await;
        let metrics = admin::Metrics::now(home.admin).await;
        Watched {
            most: process.resident_max(),
            last: process.resident(),
            requests: metrics.sum("requests_total", ""),
            pending: metrics.sum("deliveries_pending", ""),
        }
    }
}

/// How it is; how long it took until it was ready, what that cost, and how long until it had accepted an event. Ends with a
/// pause.
async fn while_down(home: &Home) -> (Watched, [Duration; 3]) {
    let process = home.start().await;
    let event = trace::texts(2, 1).remove(0);
    let call = load::post(&format!("/v1/{}", trace::kind(&event)), KEY, &event);
    Connection::open(process.address).await.expect("the door is open").send(&call).await;
    let accepted = process.age();
    let watched = Watched::over(home, &process, WATCHED).await;
    assert!(watched.requests > 0.0, "nothing was attempted: {}", home.log());
    admin::ask(home.admin, "POST", "/api/destinations/intercom/pause", "").await;
    (watched, [process.ready_after, process.start_cost, accepted])
}

/// How it is, how long it took until it was ready, and how it is when it goes on with a destination that works.
async fn while_paused(home: &Home, address: SocketAddr) -> (Watched, Duration, Watched) {
    let _stand_in = Process::stand_in(Some(address), Mood::Working).await;
    let process = home.start().await;
    let paused = Watched::over(home, &process, WATCHED).await;
    assert_eq!(paused.requests, 0.0, "nothing is sent to what is paused");
    admin::ask(home.admin, "POST", "/api/destinations/intercom/resume", "").await;
    let resumed = Watched::over(home, &process, WORKED_OFF).await;
    assert!(resumed.requests > 0.0, "nothing was attempted: {}", home.log());
    (paused, process.ready_after, resumed)
}

/// Takes the store out of the system's memory; whether that worked.
fn forget(data: &Path) -> bool {
    let file = format!("if={}", data.join("interline.db").display());
    let mut dd = Command::new("dd");
    dd.args([&file, "iflag=nocache", "count=0"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Makes a store with so many pending events, and tells its size in bytes.
async fn fill(data: &Path, count: usize) -> u64 {
    let metrics = Metrics::new();
    let settings = Settings::default();
    let now = app::clock()();
    let opening = Opening { settings: &settings, directory: data, metrics: &metrics, now };
    let store = Sqlite::open(&opening).expect("a new store");
    let mappings = compile(&shipped("127.0.0.1:1".parse().expect("an address")));
    let trace: Vec<Event> =
        trace::events().into_iter().filter(|event| deliveries(event, &mappings, now).len() == 1).collect();
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(STEP) {
        let events: Vec<Event> = numbers.iter().map(|number| another(&trace, *number, now)).collect();
        let accepted = store.accept(events.clone()).await.expect("there is room");
        let route = |(event, accepted): (&Event, Accepted)| match accepted {
            Accepted::New(position) => Routed { position, deliveries: deliveries(event, &mappings, now) },
            Accepted::Duplicate => panic!("no two events have one message id"),
        };
        let routed: Vec<Routed> = events.iter().zip(accepted).map(route).collect();
        store.route(&routed).await.expect("there is room");
    }
    store.close().await;
    std::fs::metadata(data.join("interline.db")).map_or(0, |facts| facts.len())
}

/// The event of that number: one of the trace, about somebody else in each round.
fn another(trace: &[Event], number: usize, now: Timestamp) -> Event {
    let (event, round) = (&trace[number % trace.len()], number / trace.len());
    let who = match number % BUSY {
        0 => "busy".to_owned(),
        _ => format!("{round}"),
    };
    let mut envelope = event.envelope.clone();
    envelope.message_id = format!("{round}-{}", envelope.message_id);
    (envelope.received_at, envelope.timestamp) = (now, now);
    Event { envelope, body: about(event, &who).into_bytes().into() }
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
fn deliveries(event: &Event, mappings: &Mappings, now: Timestamp) -> Vec<(Delivery, Progress)> {
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
        (delivery, Progress::new())
    };
    mappings.matching(&view).map(deliver).collect()
}
