//! The whole engine without network, disk or wall clock: events in, deliveries out to stand-ins, in tokio's paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use interline::action::{Failure, Kind};
use interline::destination::http::{Reply, Request, Transport};
use interline::destination::intercom::{self, Economy, Intercom};
use interline::destination::{self, Context, Destination};
use interline::event::{self, Channel, Envelope, Event};
use interline::instant::Timestamp;
use interline::metrics::Metrics;
use interline::router::{Connection, Router, Settings, Surroundings};
use interline::sandbox::{self, AccessToken, Control, Incoming, Outgoing, Sandbox, Sent};
use interline::store::memory::Memory;
use interline::store::{self, Filter, Owed, Store};
use interline::yaml::{Lookup, Missing};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, when every history begins; a rate window begins then too.
pub const START: i64 = 1_767_225_600;

/// How long a request may take, as by default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The three mappings of the defaults.
pub const DEFAULTS: &str = "\
\x20 - { name: Identify Contact, action: identify_contact }
  - { name: Identify Company, action: identify_company }
  - { name: Track Event, action: track_event }
";

/// A clock that goes with tokio's.
pub fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let began = Instant::now();
    Arc::new(move || Timestamp::from_second(START).unwrap() + began.elapsed())
}

/// The way to a stand-in: as the network is, with each request taking so long.
struct Wire {
    control: Control,
    takes: Duration,
}

impl Transport for Wire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let (control, takes, incoming) = (self.control.clone(), self.takes, incoming(&request));
        Box::pin(async move {
            // Who asks may go away; who answers does not notice.
            let answering = tokio::spawn(async move {
                tokio::time::sleep(takes / 2).await;
                let outgoing = Sandbox::ask(&control, &incoming).await;
                tokio::time::sleep(takes / 2).await;
                outgoing
            });
            let limit = Instant::now() + request.timeout.unwrap_or(TIMEOUT);
            match tokio::time::timeout_at(limit, answering).await {
                Ok(outgoing) => read(outgoing.unwrap(), limit).await,
                Err(_) => Err(Failure::new(Kind::Unknown, "timeout", "sent, and no reply in time")),
            }
        })
    }
}

/// The way to a stand-in to which every request takes so long.
pub fn wire(control: &Control, takes: Duration) -> Arc<dyn Transport> {
    Arc::new(Wire { control: control.clone(), takes })
}

fn incoming(request: &Request) -> Incoming {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let header = |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    Incoming {
        method: request.method.name().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        region: None,
        token: Some(AccessToken(request.bearer.expose_secret().to_owned())),
        version: header("intercom-version"),
        content_type: header("content-type"),
        accept: header("accept"),
        fault: None,
        body: Some(request.body.clone().unwrap_or_default().into_bytes()),
    }
}

/// What a client makes of what comes over the wire.
async fn read(outgoing: Outgoing, limit: Instant) -> Result<Reply, Failure> {
    let headers = outgoing.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    let reply = Reply { status: outgoing.status, headers, body: outgoing.body.into_bytes() };
    let whole = match outgoing.sent {
        Sent::Whole => Ok(()),
        Sent::Slowly(millis) => tokio::time::timeout_at(limit, tokio::time::sleep(Duration::from_millis(millis))).await,
        Sent::Half => return broken_off(reply),
        Sent::Nothing => return Err(Failure::new(Kind::Unknown, "connection_lost", "the connection broke")),
    };
    if whole.is_err() { broken_off(reply) } else { Ok(reply) }
}

fn broken_off(reply: Reply) -> Result<Reply, Failure> {
    match reply.status {
        300.. => Ok(reply),
        _ => Err(Failure::new(Kind::Unknown, "reply_unreadable", "the reply broke off")),
    }
}

/// A destination of an engine: its stand-in, and the instance that deliveries go to.
pub struct Place {
    pub control: Control,
    pub destination: Arc<dyn Destination>,
    pub connection: Arc<Connection>,
    /// Makes the destination anew, as a process does that begins.
    again: Arc<dyn Fn() -> Arc<dyn Destination> + Send + Sync>,
}

impl Place {
    /// A stand-in to which every request takes so long, with a destination file of these mappings.
    pub fn new(name: &'static str, sandbox: sandbox::Settings, mappings: &str, takes: Duration) -> Place {
        Place::set(name, sandbox, mappings, takes, json!({}))
    }

    /// The same, with these requests spared.
    pub fn with(
        name: &'static str,
        sandbox: sandbox::Settings,
        mappings: &str,
        takes: Duration,
        economy: Economy,
    ) -> Place {
        Place::set(name, sandbox, mappings, takes, json!({ "economy": economy }))
    }

    /// The same, with more settings of the destination.
    pub fn set(name: &'static str, sandbox: sandbox::Settings, mappings: &str, takes: Duration, more: Value) -> Place {
        let clock = clock();
        let control = Sandbox::without_network(sandbox, {
            let clock = clock.clone();
            move || clock()
        })
        .unwrap();
        let mut settings = json!({ "region": "us", "access_token": "token" });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let settings: intercom::Settings = serde_json::from_value(settings).unwrap();
        let metrics = Metrics::new();
        let context = Context { name: name.into(), metrics: metrics.clone(), clock, memory: None };
        let again: Arc<dyn Fn() -> Arc<dyn Destination> + Send + Sync> = Arc::new({
            let control = control.clone();
            move || Arc::new(Intercom::over(wire(&control, takes), settings.clone(), context.clone()))
        });
        let destination = again();
        let text =
            format!("destination: intercom\nsettings: {{ region: us, access_token: token }}\nmappings:\n{mappings}");
        let lookup = Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Refused };
        let mappings = destination::compile(&text, &format!("{name}.yaml"), None, lookup).unwrap().mappings;
        let connection =
            Connection { name: name.into(), mappings, destination: destination.clone(), integrations: &[], metrics };
        Place { control, destination, connection: Arc::new(connection), again }
    }

    /// The same stand-in, to which a process comes that remembers nothing.
    pub fn after_a_crash(self) -> Place {
        let destination = (self.again)();
        let Ok(connection) = Arc::try_unwrap(self.connection) else { panic!("the process before has ended") };
        let connection = Arc::new(Connection { destination: destination.clone(), ..connection });
        Place { destination, connection, ..self }
    }

    /// Has a look at the workspace, so that what takes a while there is done where its time has come.
    pub async fn look(&self) {
        let token = Some(AccessToken("token".to_owned()));
        let incoming = Incoming { method: "GET".to_owned(), path: "/me".to_owned(), token, ..Incoming::default() };
        Sandbox::ask(&self.control, &Incoming { body: Some(Vec::new()), ..incoming }).await;
    }

    /// How many requests were answered with this status.
    pub fn answered(&self, status: u16) -> usize {
        let expectation = sandbox::Expectation { status: Some(status), ..sandbox::Expectation::default() };
        self.control.count(&expectation)
    }

    /// One sample of its metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.connection.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

/// A running engine.
pub struct Engine {
    pub store: Arc<Memory>,
    pub router: Router,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    accepted: AtomicU64,
}

impl Engine {
    pub async fn start(places: &[&Place], settings: &Settings) -> Engine {
        Engine::on(Arc::new(Memory::new(store::Settings::default())), places, settings).await
    }

    /// An engine that takes up what another left.
    pub async fn on(store: Arc<Memory>, places: &[&Place], settings: &Settings) -> Engine {
        let (clock, connections) = (clock(), places.iter().map(|place| place.connection.clone()).collect());
        let surroundings = Surroundings::new(clock.clone(), Arc::new(|| 1.0));
        let router = Router::start(store.clone(), connections, settings, surroundings).await.unwrap();
        let accepted = AtomicU64::new(store.stats().last.0);
        Engine { store, router, clock, accepted }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Accepts calls, in one step.
    pub async fn accept(&self, calls: Vec<Value>) {
        let events = calls.into_iter().map(|call| self.event(call)).collect();
        self.store.accept(events).await.unwrap();
    }

    fn event(&self, mut call: Value) -> Event {
        let id = format!("m-{}", self.accepted.fetch_add(1, Ordering::Relaxed));
        call["messageId"] = json!(id);
        let now = self.now();
        let envelope = Envelope {
            source: "website".into(),
            kind: event::Kind::from_name(call["type"].as_str().unwrap()).unwrap(),
            message_id: id,
            received_at: now,
            timestamp: now,
            original_timestamp: None,
            sent_at: None,
            channel: Channel::Server,
            ip: None,
            shared: None,
            replay: None,
        };
        Event { envelope, body: call.to_string().into_bytes().into() }
    }

    /// Lets time pass until nothing is open, `limit` at most; says how long it took.
    pub async fn idle(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let stats = self.store.stats();
            if stats.routed == stats.last && self.store.open(None, None, 1).await.unwrap().is_empty() {
                return began.elapsed();
            }
            assert!(began.elapsed() < limit, "still open: {:#?}", self.store.open(None, None, 3).await.unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every delivery, oldest first.
    pub async fn deliveries(&self) -> Vec<Owed> {
        let mut all = self.store.list(Filter::default(), usize::MAX).await.unwrap().found;
        all.reverse();
        all
    }

    /// How many deliveries to a destination have this status.
    pub async fn count(&self, destination: &str, status: &str) -> usize {
        let filter =
            Filter { status: Some(status.to_owned()), destination: Some(destination.to_owned()), ..Filter::default() };
        self.store.list(filter, usize::MAX).await.unwrap().found.len()
    }
}
