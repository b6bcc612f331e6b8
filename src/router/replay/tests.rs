//! What replays leave at a destination: nothing that newer calls have not left there already.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::*;
use crate::action::{Failure, Outcome};
use crate::delivery::Steps;
use crate::destination::{self, Destination, Performed};
use crate::event::{Channel, Envelope, Event, Kind, Person};
use crate::metrics::Metrics;
use crate::router::{Router, Settings, Surroundings};
use crate::store::memory::Memory;
use crate::store::{Accepted, Filter};
use crate::yaml::{Lookup, Missing};

/// A destination that takes calls: people, companies and who belongs where, as Intercom would hold them. It refuses those of
/// the first ones for which it is said so.
#[derive(Default)]
struct World(Mutex<BTreeMap<String, Value>>, Mutex<VecDeque<bool>>);

impl World {
    fn write(&self, whose: &str, payload: &serde_json::Map<String, Value>, without: &[&str]) {
        let mut state = self.0.lock().unwrap();
        for (name, value) in payload.iter().filter(|(name, _)| !without.contains(&name.as_str())) {
            match value {
                Value::Object(members) => members.iter().for_each(|(member, value)| {
                    state.insert(format!("{whose}.{name}.{member}"), value.clone());
                }),
                _ => drop(state.insert(format!("{whose}.{name}"), value.clone())),
            }
        }
    }

    fn take(&self, action: &str, payload: &serde_json::Map<String, Value>) {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        if matches!(action, "identify_contact" | "update_contact") {
            return self.write(text("external_id"), payload, &["external_id", "role"]);
        }
        if action.ends_with("_tag") {
            let tag = format!("{} tagged {}", text("external_id"), text("name"));
            return drop(self.0.lock().unwrap().insert(tag, json!(action == "attach_tag")));
        }
        let removes = payload.get("remove") == Some(&json!(true)) || action == "detach_company";
        if action == "identify_company" && !removes {
            self.write(text("company_id"), payload, &["company_id", "external_id", "email", "contact_id", "remove"]);
        }
        if !text("external_id").is_empty() {
            let link = format!("{} in {}", text("external_id"), text("company_id"));
            self.0.lock().unwrap().insert(link, json!(!removes));
        }
    }
}

impl Destination for World {
    fn perform<'a>(&'a self, action: &'a str, payload: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        let mut performed = Performed::failed(Failure::rejected("payload_rejected", "no"));
        if !self.1.lock().unwrap().pop_front().unwrap_or(false) {
            self.take(action, &serde_json::from_slice(payload).unwrap());
            performed.result = Ok(Outcome::Delivered(Vec::new()));
        }
        Box::pin(async { performed })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

mod letters;

const MAPPINGS: &str = r#"destination: intercom
settings: { region: us, access_token: t }
mappings:
  - { name: contact, action: identify_contact, fields: { custom_attributes: $.traits.custom } }
  - { name: company, action: identify_company, fields: { custom_attributes: $.traits.custom, remove: $.traits.remove } }
  - { name: update, action: update_contact, trigger: 'event = "update"', fields: { name: $.properties.what, email: null } }
  - { name: tag, action: attach_tag, trigger: 'event = "tag"', fields: { name: $.properties.what, email: null } }
  - { name: untag, action: detach_tag, trigger: 'event = "untag"', fields: { name: $.properties.what, email: null } }
  - { name: join, action: attach_company, trigger: 'event = "join"', fields: { company_id: $.properties.group } }
  - { name: leave, action: detach_company, trigger: 'event = "leave"', fields: { company_id: $.properties.group } }"#;

fn connection(world: &Arc<World>) -> Arc<Connection> {
    let lookup = Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Refused };
    let mappings = destination::compile(MAPPINGS, "crm.yaml", None, lookup).unwrap().mappings;
    let destination = world.clone();
    Arc::new(Connection { name: "crm".into(), mappings, destination, integrations: &[], metrics: Metrics::new() })
}

struct Engine {
    /// What its clock shows, in Unix seconds.
    now: Arc<AtomicI64>,
    world: Arc<World>,
    store: Arc<Memory>,
    router: Router,
    desk: Desk,
    feeding: tokio::task::JoinHandle<()>,
}

impl Engine {
    async fn start(store: Arc<Memory>, world: Arc<World>) -> Engine {
        let all = vec![connection(&world)];
        let now = Arc::<AtomicI64>::default();
        let clock = now.clone();
        let clock = move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let around = Surroundings::new(Arc::new(clock), Arc::new(|| 1.0));
        let router = Router::start(store.clone(), all.clone(), &Settings::default(), around).await.unwrap();
        let (desk, feeder) = router.replays(Arc::new(move || all.clone())).await.unwrap();
        Engine { now, world, store, router, desk, feeding: tokio::spawn(feeder.run()) }
    }

    async fn new() -> Engine {
        Engine::start(Arc::new(Memory::new(store::Settings::default())), Arc::default()).await
    }

    /// Waits until nothing is left to do.
    async fn settle(&self) {
        let settled = async {
            loop {
                let jobs = self.desk.list().await;
                let stats = self.store.stats();
                if jobs.iter().all(|job| !job.is_running())
                    && stats.routed == stats.last
                    && stats.backlog.values().all(|count| *count == 0)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("it settles");
    }

    fn state(&self) -> BTreeMap<String, Value> {
        self.world.0.lock().unwrap().clone()
    }
}

fn event(number: usize, kind: Kind, body: Value) -> Event {
    let at = Timestamp::from_second(number as i64).unwrap();
    let envelope = Envelope {
        source: "website".into(),
        kind,
        message_id: format!("m{number}"),
        received_at: at,
        timestamp: at,
        original_timestamp: None,
        sent_at: None,
        channel: Channel::Server,
        ip: None,
        shared: None,
        replay: None,
    };
    Event { envelope, body: body.to_string().into_bytes().into() }
}

fn any_call() -> impl Strategy<Value = (Kind, Value)> {
    prop_oneof![3 => any_state(), 2 => any_deed()]
}

fn any_deed() -> impl Strategy<Value = (Kind, Value)> {
    let events = vec!["update", "tag", "untag", "join", "leave"];
    (select(events), select(vec!["u1", "u2"]), select(vec!["g1", "g2"]), select(vec!["a", "b"])).prop_map(
        |(event, user, group, what)| {
            let properties = json!({ "group": group, "what": what });
            (Kind::Track, json!({ "userId": user, "event": event, "properties": properties }))
        },
    )
}

fn any_state() -> impl Strategy<Value = (Kind, Value)> {
    let word = || select(vec![json!("a"), json!("b"), json!("c")]);
    let custom = prop::collection::btree_map(select(vec!["x", "y", "z"]), word(), 0..3);
    let traits = (prop::collection::btree_map(select(vec!["name", "phone", "plan", "website"]), word(), 0..3), custom);
    (prop::bool::ANY, select(vec!["u1", "u2"]), select(vec!["g1", "g2"]), traits, prop::bool::weighted(0.3)).prop_map(
        |(is_group, user, group, (traits, custom), remove)| {
            let mut traits = json!(traits);
            traits["custom"] = json!(custom);
            if is_group && remove {
                traits["remove"] = json!(true);
            }
            let body = json!({ "userId": user, "groupId": group, "traits": traits });
            (if is_group { Kind::Group } else { Kind::Identify }, body)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever was called, delivering any of it again changes nothing, whatever is replayed.
    #[test]
    fn a_replay_of_what_was_delivered_changes_nothing(
        calls in prop::collection::vec(any_call(), 1..14),
        kinds in subsequence(vec![Kind::Identify, Kind::Group, Kind::Track], 1..=3),
        (from, to) in (0usize..14, 1usize..15),
        user in prop::option::of(select(vec!["u1", "u2"])),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let engine = Engine::new().await;
            let events = calls.into_iter().enumerate().map(|(at, (kind, body))| event(at, kind, body)).collect();
            engine.store.accept(events).await.unwrap();
            engine.settle().await;
            let before = engine.state();
            let wish = Wish {
                types: kinds,
                since: Timestamp::from_second(from as i64).ok(),
                until: Timestamp::from_second((from + to) as i64).ok(),
                user_id: user.map(str::to_owned),
                ..Wish::default()
            };
            engine.desk.start(wish).await.unwrap();
            engine.settle().await;
            assert_eq!(engine.state(), before);
            engine.desk.start(Wish { all: true, ..Wish::default() }).await.unwrap();
            engine.settle().await;
            assert_eq!(engine.state(), before);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_replayed_call_fills_in_what_was_lost_and_no_newer_call_has_written() {
    let engine = Engine::new().await;
    let identify = |number, traits: Value| event(number, Kind::Identify, json!({ "userId": "u1", "traits": traits }));
    let old = identify(1, json!({ "name": "Old", "phone": "1", "custom": { "x": "1", "y": "1" } }));
    let new = identify(2, json!({ "name": "New", "custom": { "y": "2" } }));
    engine.store.accept(vec![old, new]).await.unwrap();
    engine.settle().await;
    // Somebody has emptied the destination.
    engine.world.0.lock().unwrap().clear();
    engine.desk.start(Wish { until: Timestamp::from_second(2).ok(), ..Wish::default() }).await.unwrap();
    engine.settle().await;
    let state = json!(engine.state());
    assert_eq!(state, json!({ "u1.phone": "1", "u1.custom_attributes.x": "1" }));
    let page = engine.store.list(Filter::default(), 1).await.unwrap();
    let delivery = &page.found[0].delivery;
    assert_eq!(delivery.replay_of, Some(Position(1)));
    let warned: Vec<&str> = delivery.warnings.iter().map(|warning| &*warning.field).collect();
    assert_eq!(warned, ["custom_attributes.y", "last_seen_at", "name"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_goes_on_after_a_restart_and_puts_nothing_in_twice() {
    let engine = Engine::new().await;
    let calls = (0..700).map(|at| event(at, Kind::Identify, json!({ "userId": format!("u{at}"), "traits": {} })));
    let accepted = engine.store.accept(calls.collect()).await.unwrap();
    assert!(matches!(accepted.last(), Some(Accepted::New(Position(700)))));
    engine.settle().await;
    engine.desk.start(Wish { all: true, ..Wish::default() }).await.unwrap();
    while engine.desk.show(1).await.unwrap().fed < 300 {
        tokio::task::yield_now().await;
    }
    let Engine { world, store, router, feeding, .. } = engine;
    feeding.abort();
    router.stop(Duration::ZERO).await;
    let engine = Engine::start(store, world).await;
    engine.settle().await;
    let job = engine.desk.show(1).await.unwrap();
    assert_eq!((job.state, job.fed, job.at), (State::Done, 700, Position(700)));
    assert_eq!(engine.store.stats().last, Position(1400));
    let entries = engine.store.events(Position(700), 1000).await.unwrap();
    let originals: Vec<u64> = entries.iter().map(|one| one.event.envelope.replay.as_ref().unwrap().of).collect();
    assert_eq!(originals, (1..=700).collect::<Vec<_>>(), "each once, in their order");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_replay_puts_nothing_more_in() {
    let engine = Engine::new().await;
    let calls = (0..50).map(|at| event(at, Kind::Identify, json!({ "userId": format!("u{at}"), "traits": {} })));
    engine.store.accept(calls.collect()).await.unwrap();
    engine.settle().await;
    // The clock stands still, so only the first is allowed.
    engine.desk.start(Wish { all: true, rate: Some(1.0), ..Wish::default() }).await.unwrap();
    while engine.desk.show(1).await.unwrap().fed < 1 {
        tokio::task::yield_now().await;
    }
    let job = engine.desk.cancel(1).await.unwrap().unwrap();
    assert_eq!((job.state, job.fed), (State::Cancelled, 1));
    assert!(engine.desk.cancel(2).await.unwrap().is_none());
    engine.settle().await;
    assert_eq!(engine.store.stats().last, Position(51));
    assert_eq!(engine.desk.count(&Wish { all: true, ..Wish::default() }).await.unwrap().events, 50, "no repeats");
}

#[tokio::test(start_paused = true)]
async fn nobody_who_was_deleted_meanwhile_comes_back_with_a_replay() {
    let engine = Engine::new().await;
    let calls = (0..50).map(|at| event(at, Kind::Identify, json!({ "userId": format!("u{at}"), "traits": {} })));
    engine.store.accept(calls.collect()).await.unwrap();
    engine.settle().await;
    // The clock stands still, so only the first is allowed; the others were read with it.
    engine.desk.start(Wish { all: true, rate: Some(100.0), ..Wish::default() }).await.unwrap();
    while engine.desk.show(1).await.unwrap().fed < 1 {
        tokio::task::yield_now().await;
    }
    engine.store.remove(vec![Position(20)]).await.unwrap();
    let refused = Person { user_ids: ["u30".to_owned()].into(), ..Person::default() };
    engine.store.suppress(refused, true).await.unwrap();
    engine.now.store(1, Ordering::Relaxed);
    engine.settle().await;
    assert_eq!(engine.desk.show(1).await.unwrap().fed, 48);
    let entries = engine.store.events(Position(50), 100).await.unwrap();
    let originals: Vec<u64> = entries.iter().map(|one| one.event.envelope.replay.as_ref().unwrap().of).collect();
    assert_eq!(originals, (1..=50).filter(|of| ![20, 31].contains(of)).collect::<Vec<_>>());
}
