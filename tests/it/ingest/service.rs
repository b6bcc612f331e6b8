//! A running pair of doors on free ports, in front of a store that remembers and obeys.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::BoxFuture;
use interline::delivery::by_hand::Answered;
use interline::delivery::{Id, Position};
use interline::event::{Event, Person};
use interline::http::ingest::SourceSettings;
use interline::http::{Doors, Health, Running, Settings, admin, ingest};
use interline::instant::{self, Timestamp};
use interline::metrics::Metrics;
use interline::store::{self, Accepted, Filter, Open, Owed, Page, Routed, Stats, Store, Stored};
use serde_json::Value;
use tokio::runtime::Runtime;

/// When everything arrives.
pub const NOW: &str = "2026-06-01T12:00:00.000Z";

/// What the store answers to accept.
#[derive(Clone, Default)]
pub enum Mode {
    #[default]
    Works,
    Refuses(store::Error),
    Silent,
}

/// A store that remembers what it accepted and obeys the test.
#[derive(Default)]
pub struct Recorder(Mutex<Inner>);

#[derive(Default)]
pub struct Inner {
    pub events: Vec<Event>,
    pub mode: Mode,
    pub backlog: BTreeMap<Arc<str>, u64>,
    pub owed: Vec<Owed>,
    pub report: admin::Report,
    pub suppressed: Arc<Person>,
    seen: HashSet<(Arc<str>, String)>,
}

impl Recorder {
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    fn accept(&mut self, event: Event) -> Accepted {
        let id = (Arc::clone(&event.envelope.source), event.envelope.message_id.clone());
        if !self.seen.insert(id) {
            return Accepted::Duplicate;
        }
        self.events.push(event);
        Accepted::New(Position(self.events.len() as u64))
    }
}

impl Store for Recorder {
    fn accept(&self, events: Vec<Event>) -> BoxFuture<'_, store::Result<Vec<Accepted>>> {
        Box::pin(async move {
            let mode = self.inner().mode.clone();
            match mode {
                Mode::Works => {}
                Mode::Refuses(error) => return Err(error),
                Mode::Silent => std::future::pending().await,
            }
            let mut inner = self.inner();
            Ok(events.into_iter().map(|event| inner.accept(event)).collect())
        })
    }

    fn feed(&self, _: Vec<Event>, _: store::Job) -> BoxFuture<'_, store::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn jobs(&self) -> BoxFuture<'_, store::Result<Vec<store::Job>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn events(&self, _: Position, _: usize) -> BoxFuture<'_, store::Result<Vec<Stored>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn event(&self, position: Position) -> BoxFuture<'_, store::Result<Option<Stored>>> {
        let event = self.inner().events.get(position.0 as usize - 1).cloned();
        Box::pin(async move { Ok(event.map(|event| Stored { position, event })) })
    }

    fn route(&self, _: &[Routed]) -> BoxFuture<'_, store::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn settle_passing(
        &self,
        _: &[(Id, &interline::delivery::Progress)],
        _: store::Passing<'_>,
    ) -> BoxFuture<'_, store::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn passed(&self, _: &str, _: &[u64]) -> BoxFuture<'_, store::Result<Vec<store::Wrote>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn open(&self, _: Option<&str>, _: Option<Id>, _: usize) -> BoxFuture<'_, store::Result<Vec<Open>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn open_counts(&self) -> BoxFuture<'_, store::Result<BTreeMap<Arc<str>, u64>>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }

    fn deliveries(&self, ids: Vec<Id>) -> BoxFuture<'_, store::Result<Vec<Owed>>> {
        let found = self.inner().owed.iter().filter(|owed| ids.contains(&owed.id)).cloned().collect();
        Box::pin(async move { Ok(found) })
    }

    fn list(&self, filter: Filter, max: usize) -> BoxFuture<'_, store::Result<Page>> {
        let is_wanted = |owed: &&Owed| {
            filter.wants(&owed.delivery, &owed.progress) && filter.before.is_none_or(|before| owed.id < before)
        };
        let mut found: Vec<Owed> = self.inner().owed.iter().rev().filter(is_wanted).take(max + 1).cloned().collect();
        let more = found.len() > max;
        found.truncate(max);
        let next = found.last().map(|owed| owed.id).filter(|_| more);
        Box::pin(async move { Ok(Page { found, next }) })
    }

    fn amend(&self, _: Vec<Owed>) -> BoxFuture<'_, store::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn trim(&self, _: Timestamp) -> BoxFuture<'_, store::Result<u64>> {
        Box::pin(async { Ok(0) })
    }

    fn remove(&self, _: Vec<Position>) -> BoxFuture<'_, store::Result<store::Removed>> {
        Box::pin(async { Ok(store::Removed::default()) })
    }

    fn is_removed(&self, _: Position) -> bool {
        false
    }

    fn suppress(&self, person: Person, on: bool) -> BoxFuture<'_, store::Result<()>> {
        let mut inner = self.inner();
        inner.suppressed = if on { Arc::new(person) } else { Arc::default() };
        Box::pin(async { Ok(()) })
    }

    fn suppressed(&self) -> Arc<Person> {
        self.inner().suppressed.clone()
    }

    fn stats(&self) -> Stats {
        Stats { backlog: self.inner().backlog.clone(), ..Stats::default() }
    }

    fn grown(&self, _: Position) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    fn failure(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Both doors, running. Sources: `website` (keys `web-key`, `web-key-2`), `backend` (`back-key`), `old` (`old-key`,
/// switched off).
pub struct Service {
    pub store: Arc<Recorder>,
    pub running: Option<Running>,
    pub ingest: SocketAddr,
    pub admin: SocketAddr,
    runtime: Runtime,
}

impl Service {
    pub fn start() -> Service {
        Service::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Service {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut settings = Settings::default();
        settings.ingest.workers = 1;
        change(&mut settings);
        let store = Arc::new(Recorder::default());
        let health = Arc::new(Health::default());
        let metrics = Metrics::new();
        let clock: interline::http::Clock = Arc::new(|| instant::parse(NOW).unwrap());
        let ingest = ingest::Ingest::new(
            settings.ingest.clone(),
            &sources(),
            ingest::Parts {
                store: store.clone(),
                metrics: metrics.clone(),
                clock: clock.clone(),
                health: health.clone(),
            },
        );
        let reloads = store.clone();
        let admin_parts = admin::Parts {
            store: store.clone(),
            metrics,
            clock,
            health,
            refresh: Arc::new(|| ()),
            hands: Arc::new(Vec::new),
            sources: Vec::new(),
            erase: Arc::new(|_| Box::pin(async { Ok(Value::Null) })),
            live: interline::store::live::Live::new(std::sync::Arc::new(crate::support::now)),
            replays: Arc::new(|_| Box::pin(async { Ok(Value::Null) })),
            letters: Arc::new(|_| Box::pin(async { Ok(Answered::default()) })),
            standings: Arc::new(Vec::new),
            pause: Arc::new(|_, to| Ok(to)),
            reload: Arc::new(move || Box::pin(std::future::ready(reloads.inner().report.clone()))),
        };
        let admin = admin::Admin::new(&settings.admin, admin_parts).unwrap();
        let port = || TcpListener::bind("127.0.0.1:0").unwrap();
        let doors = Doors { ingest: port(), admin: port() };
        let running = {
            let _inside = runtime.enter();
            interline::http::start(&settings.ingest, doors, ingest.unwrap(), admin).unwrap()
        };
        let (ingest, admin) = (running.ingest_address, running.admin_address);
        Service { store, running: Some(running), ingest, admin, runtime }
    }

    /// Posts to the tracking API as `website`.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.call("POST", path, &[("Authorization", &basic("web-key"))], body)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], "")
    }

    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        exchange(self.ingest, method, path, headers, body.as_ref())
    }

    pub fn ask_admin(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        exchange(self.admin, "GET", path, headers, b"")
    }

    pub fn tell_admin(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        exchange(self.admin, "POST", path, headers, b"")
    }

    /// The value of a metric, as the admin listener renders it; 0 when it has not been counted.
    pub fn metric(&self, name_and_labels: &str) -> f64 {
        let text = String::from_utf8(self.ask_admin("/metrics", &[]).body).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("interline_{name_and_labels} ")));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// The events that were accepted, as mappings see them.
    pub fn views(&self) -> Vec<Value> {
        self.store.inner().events.iter().map(|event| event.view().unwrap().to_value()).collect()
    }

    /// The one event that was accepted since the last look.
    #[track_caller]
    pub fn taken(&self) -> Event {
        let mut events = std::mem::take(&mut self.store.inner().events);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    pub fn stop(&mut self, graceful: bool) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop(graceful)).unwrap();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop(false);
    }
}

fn sources() -> BTreeMap<String, SourceSettings> {
    let source = |key: &str| SourceSettings { write_key: Some(key.into()), ..SourceSettings::default() };
    BTreeMap::from([
        ("website".to_owned(), SourceSettings { write_keys: vec!["web-key-2".into()], ..source("web-key") }),
        ("backend".to_owned(), source("back-key")),
        ("old".to_owned(), SourceSettings { enabled: false, ..source("old-key") }),
    ])
}

pub fn basic(user: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:")))
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(": "));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub fn is_success(&self) {
        assert_eq!((self.status, &*String::from_utf8_lossy(&self.body)), (200, r#"{"success":true}"#));
        assert_eq!(self.header("content-type"), Some("application/json"));
    }

    /// Refused with exactly this status and code, in the shape that every refusal has; its message.
    #[track_caller]
    pub fn is_refused(&self, status: u16, code: &str) -> String {
        let json = self.json();
        assert_eq!((self.status, &json["code"], &json["success"]), (status, &code.into(), &false.into()), "{json}");
        assert_eq!(json["message"], json["error"]);
        json["message"].as_str().unwrap().to_owned()
    }
}

/// One request on a connection of its own.
pub fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(to).unwrap();
    let own: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = if own.contains("Host: ") { String::new() } else { format!("Host: {to}\r\n") };
    let length =
        if own.contains("Transfer-Encoding") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\n{host}{length}Connection: close\r\n{own}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    read_reply(stream)
}

/// Reads to the end of a connection that the server closes.
pub fn read_reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: bytes[end + 4..].to_vec() }
}
