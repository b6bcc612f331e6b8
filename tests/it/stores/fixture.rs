//! What the tests of stores put into them.

use std::sync::Arc;

use interline::action::{Failure, Unfit, Warning};
use interline::delivery::{Attempt, Delivery, Exchange, Id, Position, Progress, Status};
use interline::event::{Channel, Envelope, Event, Kind};
use interline::instant::Timestamp;
use interline::metrics::Metrics;
use interline::store::{self, Accepted, Opening, Routed, STORES, Settings, Store, Wrote};
use tempfile::TempDir;

/// Where one test keeps one kind of store.
pub struct Place {
    kind: &'static store::Kind,
    settings: Settings,
    pub directory: TempDir,
}

/// Runs a test on every kind of store, each in a place of its own.
pub async fn each(test: impl AsyncFn(Place)) {
    each_with(usual(), test).await;
}

/// The same with other settings.
pub async fn each_with(settings: Settings, test: impl AsyncFn(Place)) {
    for kind in STORES {
        eprintln!("store: {}", kind.name);
        test(Place { kind, settings: settings.clone(), directory: TempDir::new().unwrap() }).await;
    }
}

/// The defaults, but for room on the disk that these tests do not need.
fn usual() -> Settings {
    Settings { ballast_bytes: 0, ..Settings::default() }
}

impl Place {
    pub fn open(&self) -> Arc<dyn Store> {
        let open = |opening: &Opening<'_>| (self.kind.open)(opening).unwrap();
        opening_with(self.settings.clone(), self.directory.path(), open)
    }

    /// The same data after a clean end and a new start; a store that does not outlive its process stays as it is.
    pub async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        if !self.kind.durable {
            return store;
        }
        store.close().await;
        self.open()
    }
}

/// Opens something in a directory at hour 0.
pub fn opening<T>(directory: &std::path::Path, open: impl FnOnce(&Opening<'_>) -> T) -> T {
    opening_with(usual(), directory, open)
}

/// The same with other settings.
pub fn opening_with<T>(settings: Settings, directory: &std::path::Path, open: impl FnOnce(&Opening<'_>) -> T) -> T {
    open(&Opening { settings: &settings, directory, metrics: &Metrics::new(), now: now(0) })
}

/// The moment these tests live in, so many hours later.
pub fn now(hours: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + hours * 3600).unwrap()
}

pub fn event(source: &str, message_id: &str) -> Event {
    event_at(source, message_id, now(0))
}

pub fn event_at(source: &str, message_id: &str, received_at: Timestamp) -> Event {
    let envelope = Envelope {
        source: source.into(),
        kind: Kind::Track,
        message_id: message_id.to_owned(),
        received_at,
        timestamp: received_at,
        original_timestamp: None,
        sent_at: None,
        channel: Channel::Server,
        ip: Some("10.0.0.1".to_owned()),
        shared: Some(r#"{"context":{"ä":1}}"#.into()),
        replay: None,
    };
    let body = format!(r#"{{"type":"track","event":"Signed Up","userId":"u-1","messageId":"{message_id}"}}"#);
    Event { envelope, body: body.into_bytes().into() }
}

/// Accepts events one after the other in one call.
pub async fn accept(store: &dyn Store, source: &str, message_ids: &[&str]) {
    store.accept(message_ids.iter().map(|id| event(source, id)).collect()).await.unwrap();
}

/// The message ids of the events after a position.
pub async fn messages(store: &dyn Store, after: u64, max: usize) -> Vec<String> {
    let found = store.events(Position(after), max).await.unwrap();
    found.into_iter().map(|stored| stored.event.envelope.message_id).collect()
}

pub fn at(position: u64) -> Accepted {
    Accepted::New(Position(position))
}

#[track_caller]
pub fn position(accepted: &Accepted) -> u64 {
    match accepted {
        Accepted::New(position) => position.0,
        Accepted::Duplicate => panic!("a repeat where none was expected"),
    }
}

pub fn id(position: u64, number: u16) -> Id {
    Id { position: Position(position), number }
}

pub fn route(position: u64, deliveries: Vec<(Delivery, Progress)>) -> Routed {
    Routed { position: Position(position), deliveries }
}

pub fn delivery(source: &str, destination: &str) -> Delivery {
    Delivery {
        source: source.into(),
        destination: destination.into(),
        mapping: "Track Event".into(),
        action: "track_event".into(),
        accepted_at: now(0),
        replay_of: None,
        keys: vec![17, u64::MAX],
        payload: Ok(serde_json::value::RawValue::from_string(r#"{"z":1, "a":"ö"}"#.to_owned()).unwrap()),
        warnings: vec![Warning::new("metadata.x", "field_dropped", "too many")],
    }
}

/// A delivery whose payload could not be made.
pub fn unfit(source: &str, destination: &str) -> Delivery {
    Delivery { payload: Err(Unfit::new("field_missing", "user_id", "no user")), ..delivery(source, destination) }
}

pub fn pending() -> Progress {
    Progress::new()
}

pub fn waiting(hours: i64, parked: bool) -> Progress {
    let status = Status::Waiting { until: now(hours), reason: "too_early".into(), parked };
    Progress { attempts: 1, ..Progress::ended(status) }
}

/// Progress that ended in the way the word says.
pub fn settled(word: &str) -> Progress {
    let at = now(0);
    let status = match word {
        "delivered" => Status::Delivered { at },
        "skipped" => Status::Skipped { at, reason: "unchanged".into() },
        "dead_letter" => Status::DeadLetter { at, code: "payload_invalid".into(), message: "no".to_owned() },
        other => panic!("`{other}` is no status that ends"),
    };
    Progress { attempts: 1, ..Progress::ended(status) }
}

/// Progress with an attempt that failed after a request.
pub fn story() -> Progress {
    let mut progress = settled("dead_letter");
    progress.record(Attempt {
        carried: Vec::new(),
        number: 1,
        at: now(0),
        took_ms: 12,
        outcome: "rejected".into(),
        failure: Some(Failure::rejected("payload_invalid", "no such field")),
        warnings: Vec::new(),
        exchanges: vec![Exchange {
            method: "POST".into(),
            path: "/events".to_owned(),
            body: Some("{}".to_owned()),
            status: Some(422),
            reply: "{\"type\":\"error.list\"}".to_owned(),
        }],
    });
    progress
}

/// A record as text, to compare.
pub fn text(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).unwrap()
}

/// What the first delivery of an event has written, which stands at another.
pub fn wrote(key: u64, thing: &str, by: u64, stands_at: u64) -> Wrote {
    Wrote { key, thing: thing.to_owned(), value: u64::MAX - by, whom: key, by: id(by, 0), stands_at: id(stands_at, 0) }
}
