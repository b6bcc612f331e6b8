//! A backlog of updates: those of one person that wait one behind the other are one request, and leave what each by itself
//! would have left.

use std::time::Duration;

use interline::destination::intercom::Economy;
use interline::router::Settings;
use interline::sandbox::{self, Close, Effect, Fault, Seed};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::state::{difference, lasting};
use crate::support::virtual_time::{DEFAULTS, Engine, Place};

const HOUR: Duration = Duration::from_secs(3600);
/// Everything is spared but this.
const APART: Economy = Economy { queued: false, ..Economy::DEFAULT };

/// What a backlog came to: the state, the requests that wrote, and how many deliveries went with another one.
struct Came {
    state: Value,
    writes: usize,
    carried: usize,
}

/// Accepts the calls in one step, so that all but the first of a person wait, and lets them be delivered.
async fn came(economy: Economy, calls: &[Value], faults: &[(u64, Effect)]) -> Came {
    let sandbox = sandbox::Settings { rate_limit_per_10s: 0, ..sandbox::Settings::default() };
    let place = Place::with("crm", sandbox, DEFAULTS, Duration::from_millis(50), economy);
    let attribute = |model: &str, name: &str| json!({ "model": model, "name": name, "data_type": "string" });
    let attributes = [attribute("contact", "plan"), attribute("company", "tier")];
    let seed: Seed = serde_json::from_value(json!({ "data_attributes": attributes })).unwrap();
    place.control.seed(seed).unwrap();
    for (nth, effect) in faults {
        place.control.fault(Fault { nth: *nth, ..Fault::new("*", effect.clone()) });
    }
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(calls.to_vec()).await;
    engine.idle(10 * HOUR).await;
    let deliveries = engine.deliveries().await;
    let wrong: Vec<_> = deliveries.iter().filter(|one| one.progress.status.name() == "dead_letter").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let carried = deliveries.iter().filter(|one| one.progress.carried_by.is_some()).count();
    engine.router.stop(HOUR).await;
    let is_write = |entry: &&Value| entry["method"] != "GET" && entry["path"] != "/contacts/search";
    let writes = place.control.journal().as_array().unwrap().iter().filter(is_write).count();
    Came { state: lasting(place.control.state()), writes, carried }
}

fn identify(person: usize, name: &str, plan: Option<&str>) -> Value {
    let email = format!("person{person}@example.com");
    let mut traits = json!({ "email": email, "name": name });
    if let Some(plan) = plan {
        traits["plan"] = plan.into();
    }
    json!({ "type": "identify", "userId": format!("u-{person}"), "traits": traits })
}

fn group(person: usize, company: usize, name: &str, tier: Option<&str>) -> Value {
    let traits = tier.map_or(json!({ "name": name }), |tier| json!({ "name": name, "tier": tier }));
    json!({ "type": "group", "userId": format!("u-{person}"), "groupId": format!("c-{company}"), "traits": traits })
}

#[tokio::test(start_paused = true)]
async fn thirty_updates_of_one_person_are_few_requests() {
    let calls: Vec<Value> = (0..30).map(|number| identify(1, &format!("Name {number}"), Some("pro"))).collect();
    let (one, apart) = (came(Economy::default(), &calls, &[]).await, came(APART, &calls, &[]).await);
    assert_eq!(difference(one.state.clone(), apart.state), None);
    assert_eq!(one.state["contacts"][0]["name"], "Name 29");
    assert_eq!((one.carried, apart.carried), (29, 0));
    assert_eq!((one.writes, apart.writes), (1, 30), "requests that write");
}

fn call() -> impl Strategy<Value = Value> {
    let names = || select(vec!["Ann", "Bo", "Cy"]);
    let plans = || prop::option::of(select(vec!["pro", "free"]));
    let track = |person| json!({ "type": "track", "userId": format!("u-{person}"), "event": "Seen" });
    prop_oneof![
        6 => (0..3_usize, names(), plans()).prop_map(|(person, name, plan)| identify(person, name, plan)),
        3 => (0..3_usize, 0..2_usize, names(), plans())
            .prop_map(|(person, company, name, tier)| group(person, company, name, tier)),
        1 => (0..3_usize).prop_map(track),
    ]
}

fn fault() -> impl Strategy<Value = (u64, Effect)> {
    let effects =
        vec![Effect::status(503), Effect::status_after(500), Effect::status(429), Effect::Close(Close::After)];
    (1..60_u64, select(effects))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backlog_leaves_the_same_whether_or_not_it_is_made_one(
        calls in prop::collection::vec(call(), 1..40),
        faults in prop::collection::vec(fault(), 0..4),
        is_late in any::<bool>(),
    ) {
        let everybody = (0..3).map(|person| identify(person, "Zoe", None));
        // Where people come late, companies are written before them, and what needs them waits.
        let calls: Vec<Value> = match is_late {
            true => calls.into_iter().chain(everybody).collect(),
            false => everybody.chain(calls).collect(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (one, apart) = runtime.block_on(async {
            (came(Economy::default(), &calls, &faults).await, came(APART, &calls, &faults).await)
        });
        prop_assert_eq!(difference(one.state, apart.state), None);
        prop_assert!(is_late || !faults.is_empty() || one.writes <= apart.writes, "{} and {}", one.writes, apart.writes);
    }
}
