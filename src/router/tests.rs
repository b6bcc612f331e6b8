//! Connections that are replaced while deliveries wait and are under way: with a store in memory, and destinations that
//! do what the test says when it says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::action::{Failure, Kind, Outcome};
use crate::delivery::Steps;
use crate::destination::{self, Destination, Performed};
use crate::event::{Channel, Envelope, Event};
use crate::store::memory::Memory;
use crate::yaml::{Lookup, Missing};

mod carried;
mod last_resort;
mod letters;
mod parked;

/// Ends a test that waits in vain.
const LIMIT: Duration = Duration::from_secs(30);

/// What began: on which destination, and the payload.
type Began = (&'static str, String);

struct Scripted {
    name: &'static str,
    began: mpsc::UnboundedSender<Began>,
    /// Each attempt takes one to come to its end.
    gate: Arc<Semaphore>,
    /// How attempts end; delivered, when the script is over.
    script: Mutex<VecDeque<Failure>>,
}

impl Destination for Scripted {
    fn perform<'a>(&'a self, _: &'a str, payload: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        Box::pin(async move {
            let payload = String::from_utf8(payload.to_vec()).unwrap();
            self.began.send((self.name, payload)).unwrap();
            self.gate.acquire().await.unwrap().forget();
            let failure = self.script.lock().unwrap().pop_front();
            let mut performed = Performed::failed(Failure::rejected("", ""));
            performed.result = failure.map_or(Ok(Outcome::Delivered(Vec::new())), Err);
            performed
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        self.began.send((self.name, "probe".to_owned())).unwrap();
        Box::pin(async { Ok(()) })
    }
}

struct Engine {
    store: Arc<Memory>,
    router: Router,
    began: mpsc::UnboundedReceiver<Began>,
    tell: mpsc::UnboundedSender<Began>,
}

impl Engine {
    async fn start(connect: impl FnOnce(&mpsc::UnboundedSender<Began>) -> Vec<Arc<Connection>>) -> Engine {
        let (tell, began) = mpsc::unbounded_channel();
        let store = Arc::new(Memory::new(store::Settings::default()));
        // Nobody waits so long: what happens does so because a connection was replaced.
        let pace = PaceSettings { probe_interval_secs: 80_000.0, ..PaceSettings::default() };
        let settings = Settings { pace, ..Settings::default() };
        let clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let router =
            Router::start(store.clone(), connect(&tell), &settings, Surroundings::new(clock, Arc::new(|| 1.0)))
                .await
                .unwrap();
        Engine { store, router, began, tell }
    }

    /// The same store, with an engine that has no connection yet.
    async fn restart(self) -> Engine {
        let Engine { store, router, .. } = self;
        router.stop(Duration::ZERO).await;
        let (tell, began) = mpsc::unbounded_channel();
        let around = Surroundings::new(Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(|| 1.0));
        let router = Router::start(store.clone(), Vec::new(), &Settings::default(), around).await.unwrap();
        Engine { store, router, began, tell }
    }

    /// Accepts track calls of one person, in one call.
    async fn accept(&self, names: &[&str]) {
        let events = names.iter().map(|name| event(name)).collect();
        self.store.accept(events).await.unwrap();
    }

    async fn next(&mut self) -> (&'static str, String) {
        tokio::time::timeout(LIMIT, self.began.recv()).await.expect("something begins").unwrap()
    }

    /// Waits until a delivery has this status; something that ends it is under way.
    async fn ends(&self, position: u64, status: &str) -> store::Owed {
        let wait = async {
            loop {
                let owed = self.store.deliveries(vec![id(position)]).await.unwrap().pop();
                match owed.filter(|owed| owed.progress.status.name() == status) {
                    Some(owed) => return owed,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(LIMIT, wait).await.expect("it ends")
    }

    async fn replace(&self, connections: Vec<Arc<Connection>>) {
        tokio::time::timeout(LIMIT, self.router.replacer().replace(connections)).await.expect("it is replaced");
    }
}

fn event(name: &str) -> Event {
    let envelope = Envelope {
        source: "website".into(),
        kind: crate::event::Kind::Track,
        message_id: name.to_owned(),
        received_at: Timestamp::UNIX_EPOCH,
        timestamp: Timestamp::UNIX_EPOCH,
        original_timestamp: None,
        sent_at: None,
        channel: Channel::Server,
        ip: None,
        shared: None,
        replay: None,
    };
    let body = format!(r#"{{"type":"track","event":"{name}","userId":"u","messageId":"{name}"}}"#);
    Event { envelope, body: body.into_bytes().into() }
}

/// A connection called `name` to a destination called `to`, whose mapping puts `mark` behind each event's name.
fn connection(
    name: &str,
    mark: &str,
    (to, gate, script): (&'static str, &Arc<Semaphore>, Vec<Failure>),
    began: &mpsc::UnboundedSender<Began>,
) -> Arc<Connection> {
    let scripted = Scripted { name: to, began: began.clone(), gate: gate.clone(), script: Mutex::new(script.into()) };
    around(Arc::new(scripted), name, mark)
}

fn around(destination: Arc<dyn Destination>, name: &str, mark: &str) -> Arc<Connection> {
    mapped(destination, name, mark, &["m"])
}

/// The same with several mappings, which do the same.
fn mapped(destination: Arc<dyn Destination>, name: &str, mark: &str, mappings: &[&str]) -> Arc<Connection> {
    let fields = format!("{{ event_name: \"{{{{ event }}}}{mark}\", created_at: 0 }}");
    let mapping = |name: &&str| format!("{{ name: {name}, action: track_event, defaults: false, fields: {fields} }}");
    let mappings: Vec<String> = mappings.iter().map(mapping).collect();
    let text = format!(
        "destination: intercom\nsettings: {{ region: us, access_token: t }}\nmappings: [{}]",
        mappings.join(", ")
    );
    let lookup = Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Refused };
    let mappings = destination::compile(&text, &format!("{name}.yaml"), None, lookup).unwrap().mappings;
    Arc::new(Connection { name: name.into(), mappings, destination, integrations: &[], metrics: Metrics::new() })
}

fn open() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1000))
}

fn shut() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

fn is(began: (&str, String), to: &str, name: &str) {
    assert!(began.0 == to && began.1.contains(&format!("\"{name}\"")), "{began:?} is not {name} to {to}");
}

#[tokio::test]
async fn what_is_under_way_finishes_where_it_began_and_what_waits_goes_on_as_it_was_mapped() {
    let gate = shut();
    let mut engine = Engine::start(|began| vec![connection("intercom", " 1", ("old", &gate, vec![]), began)]).await;
    engine.accept(&["A", "B"]).await;
    is(engine.next().await, "old", "A 1");
    engine.replace(vec![connection("intercom", " 2", ("new", &open(), vec![]), &engine.tell)]).await;
    engine.accept(&["C"]).await;
    gate.add_permits(1);
    is(engine.next().await, "new", "B 1");
    is(engine.next().await, "new", "C 2");
}

#[tokio::test]
async fn old_credentials_that_are_refused_do_not_pause_the_new_ones() {
    let gate = shut();
    let refusal = Failure::new(Kind::Unauthorized, "unauthorized", "no");
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("old", &gate, vec![refusal]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "old", "A");
    engine.replace(vec![connection("intercom", "", ("new", &open(), vec![]), &engine.tell)]).await;
    gate.add_permits(1);
    is(engine.next().await, "new", "A");
}

#[tokio::test]
async fn new_credentials_of_a_paused_connection_are_looked_at_at_once() {
    let refusal = Failure::new(Kind::Unauthorized, "unauthorized", "no");
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("old", &open(), vec![refusal]), began)]).await;
    engine.accept(&["A", "B"]).await;
    is(engine.next().await, "old", "A");
    // The attempt has been written down, so the conductor knows of the refusal before it hears of anything else.
    while engine.store.deliveries(vec![id(1)]).await.unwrap()[0].progress.story.is_empty() {
        tokio::task::yield_now().await;
    }
    engine.replace(vec![connection("intercom", "", ("new", &open(), vec![]), &engine.tell)]).await;
    let first = engine.next().await;
    // A refusal that the conductor heard of only after the replacement is the old one's, and there is no need to look.
    let second = if first.1 == "probe" { engine.next().await } else { first };
    is(second, "new", "A");
    is(engine.next().await, "new", "B");
}

fn id(position: u64) -> crate::delivery::Id {
    crate::delivery::Id { position: crate::delivery::Position(position), number: 0 }
}

#[tokio::test]
async fn what_is_owed_waits_in_order_while_its_destination_is_off() {
    let gate = shut();
    let mut engine = Engine::start(|began| vec![connection("intercom", " 1", ("old", &gate, vec![]), began)]).await;
    engine.accept(&["A", "B"]).await;
    is(engine.next().await, "old", "A 1");
    engine.replace(vec![connection("other", " x", ("other", &open(), vec![]), &engine.tell)]).await;
    gate.add_permits(1);
    engine.accept(&["C"]).await;
    is(engine.next().await, "other", "C x");
    engine.replace(vec![connection("intercom", " 2", ("new", &open(), vec![]), &engine.tell)]).await;
    engine.accept(&["D"]).await;
    is(engine.next().await, "new", "B 1");
    is(engine.next().await, "new", "D 2");
}

#[tokio::test]
async fn what_was_owed_before_the_start_is_taken_up_when_its_destination_comes() {
    let mut engine = Engine::start(|began| vec![connection("other", " x", ("other", &shut(), vec![]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "other", "A x");
    let mut engine = engine.restart().await;
    engine.replace(vec![connection("other", " y", ("back", &open(), vec![]), &engine.tell)]).await;
    engine.accept(&["B"]).await;
    is(engine.next().await, "back", "A x");
    is(engine.next().await, "back", "B y");
}
