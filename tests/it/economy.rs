//! Requests that are spared: what Intercom holds in the end is the same with every economy on and with all of them off.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use interline::action::{Kind, Outcome};
use interline::delivery::Steps;
use interline::destination::intercom::{self, Economy, Intercom, Settings};
use interline::destination::{self, Context, Destination};
use interline::http::ingest;
use interline::instant::Timestamp;
use interline::json::Json;
use interline::mapping::Mapping;
use interline::metrics::Metrics;
use interline::sample::Sample;
use interline::sandbox::{self, Close, Effect, Fault, Running, Sandbox, SearchLag, Seed};
use interline::yaml::{Lookup, Missing};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::support::state::{difference, lasting};

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600;
/// An action with its payload.
#[derive(Debug, Clone)]
struct Call {
    action: &'static str,
    payload: Value,
}

/// A history and what goes wrong on the way.
#[derive(Debug, Clone)]
struct History {
    calls: Vec<Call>,
    /// Numbers of requests that go wrong, and how.
    faults: Vec<(u64, Effect)>,
}

/// What came of a history.
struct Came {
    state: Value,
    requests: usize,
}

/// Leaves out what is absent.
fn object(members: &[(&str, Option<Value>)]) -> Map<String, Value> {
    members.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?))).collect()
}

/// A value, `null` or nothing at all.
fn patch(values: &'static [&'static str]) -> impl Strategy<Value = Option<Value>> {
    of(of(select(values)).prop_map(|value| value.map_or(Value::Null, Value::from)))
}

/// By which names a person is meant: the id, the address, or both.
fn names() -> impl Strategy<Value = (Option<Value>, Option<Value>)> {
    (0..3, select(vec![(true, false), (false, true), (true, true), (true, true)])).prop_map(
        |(person, (by_id, by_email))| {
            let id = by_id.then(|| json!(format!("u-{person}")));
            (id, by_email.then(|| json!(format!("person{person}@example.com"))))
        },
    )
}

fn tags() -> impl Strategy<Value = Option<Value>> {
    of(subsequence(vec!["Beta", "vip"], 0..=2).prop_map(|tags| json!(tags)))
}

/// A moment, not always after the one before.
fn seconds() -> impl Strategy<Value = Option<Value>> {
    of((0..3_000_i64).prop_map(|after| json!(START + after)))
}

fn identify() -> impl Strategy<Value = Call> {
    let company = (of(select(vec!["c-1", "c-2"])), any::<bool>());
    (names(), patch(&["Ann", "Bo"]), patch(&["pro", "free"]), seconds(), tags(), company).prop_map(
        |((id, email), name, plan, seen, tags, (company, remove))| {
            let role = if id.is_some() { "user" } else { "lead" };
            let payload = object(&[
                ("role", Some(json!(role))),
                ("external_id", id),
                ("email", email),
                ("name", name),
                ("last_seen_at", seen),
                ("custom_attributes", plan.map(|plan| json!({ "plan": plan }))),
                ("tags", tags),
                ("company_id", company.map(Value::from)),
                ("remove_company", company.map(|_| json!(remove))),
            ]);
            Call { action: "identify_contact", payload: payload.into() }
        },
    )
}

fn group() -> impl Strategy<Value = Call> {
    let size = of((1..4).prop_map(Value::from));
    let plan = patch(&["gold", "tin"]);
    (names(), select(vec!["c-1", "c-2"]), of(select(vec!["Acme", "Bolt"])), size, plan, tags(), any::<bool>()).prop_map(
        |((id, email), company, name, size, tier, tags, remove)| {
            let payload = object(&[
                ("company_id", Some(json!(company))),
                ("external_id", id),
                ("email", email),
                ("name", name.map(Value::from)),
                ("size", size),
                ("custom_attributes", tier.map(|tier| json!({ "tier": tier }))),
                ("tags", tags),
                ("remove", Some(json!(remove))),
            ]);
            Call { action: "identify_company", payload: payload.into() }
        },
    )
}

fn track() -> impl Strategy<Value = Call> {
    (names(), 0..3_000_i64).prop_map(|((id, email), after)| {
        let email = if id.is_some() { None } else { email };
        let payload = object(&[
            ("event_name", Some(json!("Order Completed"))),
            ("created_at", Some(json!(START + after))),
            ("user_id", id),
            ("email", email),
        ]);
        Call { action: "track_event", payload: payload.into() }
    })
}

/// Two updates of one contact, or of one company and contact.
fn pair() -> impl Strategy<Value = [Call; 2]> {
    let update = || prop_oneof![2 => identify(), 1 => group()];
    (update(), update()).prop_filter_map("of one kind", |(older, mut newer)| {
        for name in ["role", "external_id", "email"] {
            newer.payload.as_object_mut().unwrap().remove(name);
            if let Some(value) = older.payload.get(name) {
                newer.payload[name] = value.clone();
            }
        }
        (older.action == newer.action).then_some([older, newer])
    })
}

fn history() -> impl Strategy<Value = History> {
    let call = prop_oneof![6 => identify(), 3 => group(), 1 => track()];
    let effect = select(vec![
        Effect::status(500),
        Effect::status_after(500),
        Effect::status(429),
        Effect::Close(Close::Before),
        Effect::Close(Close::After),
    ]);
    // Often the same call again: that is what is spared.
    let calls = prop::collection::vec((call, 1..3_usize), 1..9);
    let calls = calls.prop_map(|calls| {
        calls.into_iter().flat_map(|(call, times)| std::iter::repeat_n(call, times)).collect::<Vec<_>>()
    });
    (calls, prop::collection::vec((1..40_u64, effect), 0..4)).prop_map(|(calls, faults)| History { calls, faults })
}

/// A workspace, and a destination that reaches it.
struct World {
    running: Running,
    intercom: Intercom,
    now: Arc<AtomicI64>,
}

impl World {
    fn new(economy: Economy, faults: &[(u64, Effect)]) -> World {
        let now = Arc::new(AtomicI64::new(START));
        let clock = {
            let now = now.clone();
            move || Timestamp::from_second(now.load(Ordering::Relaxed)).unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = sandbox::Settings {
            rate_limit_per_10s: 0,
            search_lag_secs: SearchLag::Secs(0),
            ..sandbox::Settings::default()
        };
        let running = Sandbox::start(settings, listener, clock.clone()).unwrap();
        let attribute = |model: &str, name: &str| {
            object(&[("model", Some(json!(model))), ("name", Some(json!(name))), ("data_type", Some(json!("string")))])
        };
        let data_attributes = vec![attribute("contact", "plan"), attribute("company", "tier")];
        running.control().seed(Seed { data_attributes, ..Seed::default() }).unwrap();
        for (nth, effect) in faults {
            running.control().fault(Fault { nth: *nth, ..Fault::new("*", effect.clone()) });
        }
        let settings = Settings {
            base_url: Some(running.url().parse().unwrap()),
            access_token: "token".into(),
            search_lag_secs: 0,
            economy,
            ..Settings::default()
        };
        let context = Context { name: "crm".into(), metrics: Metrics::new(), clock: Arc::new(clock), memory: None };
        World { intercom: intercom::build(settings, context).unwrap(), running, now }
    }

    /// What a whole history comes to.
    async fn came(economy: Economy, history: &History) -> Came {
        let world = World::new(economy, &history.faults);
        world.play(&history.calls).await;
        world.end().await
    }

    /// Brings a call to its end, as the router does. `false`: its contact is not there yet.
    async fn bring(&self, call: &Call, steps: &mut Steps) -> bool {
        for _ in 0..10 {
            let performed = self.intercom.perform(call.action, call.payload.to_string().as_bytes(), steps).await;
            steps.extend(performed.steps);
            // Long enough for whatever a failure makes wait.
            self.now.fetch_add(61, Ordering::Relaxed);
            match performed.result {
                Ok(Outcome::Delivered(_) | Outcome::Skipped(..)) => return true,
                Err(failure) if failure.kind == Kind::TooEarly => return false,
                Err(failure) if failure.kind == Kind::Rejected => panic!("{call:?}: {failure:?}"),
                Err(_) => {}
            }
        }
        panic!("{call:?} does not come to an end");
    }

    /// Everything in order; what waits for its contact is tried again after each.
    async fn play(&self, calls: &[Call]) {
        let mut parked: Vec<(Call, Steps)> = Vec::new();
        for call in calls {
            let mut steps = Steps::new();
            if !self.bring(call, &mut steps).await {
                parked.push((call.clone(), steps));
                continue;
            }
            for (call, mut steps) in std::mem::take(&mut parked) {
                if !self.bring(&call, &mut steps).await {
                    parked.push((call, steps));
                }
            }
        }
    }

    /// What all of it came to.
    async fn end(self) -> Came {
        let state = lasting(self.running.state());
        let requests = self.running.journal().as_array().map_or(0, Vec::len);
        self.running.stop().await;
        Came { state, requests }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_economy_changes_what_intercom_holds_in_the_end(history in history()) {
        let [on, off] = runtime().block_on(async {
            let on = World::came(Economy::default(), &history).await;
            [on, World::came(Economy::OFF, &history).await]
        });
        let difference = difference(on.state, off.state);
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }

    #[test]
    fn two_updates_made_one_leave_what_both_leave((history, pair) in (history(), pair())) {
        let History { calls, faults } = history;
        let came = runtime().block_on(async {
            let (one, both) = (World::new(Economy::default(), &faults), World::new(Economy::default(), &faults));
            one.play(&calls).await;
            let [older, newer] = pair.each_ref().map(|call| call.payload.to_string());
            let merged = one.intercom.merged(pair[0].action, older.as_bytes(), newer.as_bytes())?;
            one.play(&[Call { action: pair[0].action, payload: serde_json::from_str(&merged).unwrap() }]).await;
            both.play(&calls).await;
            both.play(&pair).await;
            Some([both.end().await, one.end().await])
        });
        // The two that are kept apart are none of this.
        if let Some([both, one]) = came {
            let difference = difference(both.state, one.state);
            prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
        }
    }
}

#[test]
fn what_is_said_twice_is_asked_for_once() {
    let identify = json!({ "role": "user", "external_id": "u-1", "name": "Ann", "last_seen_at": START });
    let group = json!({ "company_id": "c-1", "name": "Acme", "external_id": "u-1", "tags": ["Key"] });
    let calls = [("identify_contact", identify), ("identify_company", group)];
    let calls: Vec<Call> = calls.into_iter().map(|(action, payload)| Call { action, payload }).collect();
    let twice = [calls.clone(), calls.clone()].concat();
    let count = |economy: Economy, calls: &[Call]| {
        let history = History { calls: calls.to_vec(), faults: Vec::new() };
        runtime().block_on(World::came(economy, &history)).requests
    };
    assert_eq!(count(Economy::default(), &calls), 5, "a look, a contact, a company, a tag, a link");
    assert_eq!(count(Economy::default(), &twice), 5);
    assert_eq!(count(Economy::OFF, &twice), 9);
    for (economy, expected) in [
        (Economy { unchanged: false, ..Economy::default() }, 7),
        (Economy { belongings: false, ..Economy::default() }, 7),
    ] {
        assert_eq!(count(economy.clone(), &twice), expected, "{economy:?}");
    }
}

#[test]
fn many_new_people_are_not_looked_up_one_by_one() {
    let new = |n: usize| Call {
        action: "identify_contact",
        payload: json!({ "role": "user", "external_id": format!("u-{n}"), "email": format!("p{n}@example.com") }),
    };
    let calls: Vec<Call> = (0..20).map(new).collect();
    let count = |economy: Economy| {
        runtime().block_on(async {
            let world = World::new(economy, &[]);
            // Their calls come within a moment: the hands of the clock stand still.
            for call in &calls {
                world.bring(call, &mut Steps::new()).await;
                world.now.store(START, Ordering::Relaxed);
            }
            world.end().await.requests
        })
    };
    assert_eq!(count(Economy::OFF), 60, "a look by id, a look by address, a new contact");
    // Three are looked up by id and address; then nobody by id, and a list of all leads answers for the addresses.
    assert_eq!(count(Economy::default()), 20 + 3 + 3 + 1);
}

#[test]
fn a_company_that_was_spared_is_not_written_when_its_contact_comes() {
    let group = |tier: Value| {
        let payload = json!({ "company_id": "c-1", "external_id": "u-1", "custom_attributes": { "tier": tier } });
        Call { action: "identify_company", payload }
    };
    let calls = vec![group(Value::Null), group(Value::Null), group(json!("gold")), named("Ann")];
    let state = runtime().block_on(World::came(Economy::default(), &History { calls, faults: Vec::new() })).state;
    assert_eq!(state["companies"][0]["custom_attributes"], json!({ "tier": "gold" }));
}

#[test]
fn a_known_user_among_new_people_gains_the_address_of_a_lead_all_the_same() {
    let user = |id: &str, email: &str| Call {
        action: "identify_contact",
        payload: json!({ "role": "user", "external_id": id, "email": email }),
    };
    let calls = ["a", "b", "c"].map(|name| user(name, &format!("{name}@example.com"))).to_vec();
    let calls = [calls, vec![user("known", "new@example.com")]].concat();
    let leaves = |economy: Economy| {
        runtime().block_on(async {
            let world = World::new(economy, &[]);
            let contacts = json!([
                { "external_id": "known", "email": "old@example.com" },
                { "role": "lead", "email": "new@example.com", "name": "Ann" },
            ]);
            let seed = serde_json::from_value(json!({ "contacts": contacts })).unwrap();
            world.running.control().seed(seed).unwrap();
            world.play(&calls).await;
            world.end().await.state
        })
    };
    let state = leaves(Economy::default());
    let active = state["contacts"].as_array().unwrap().iter().filter(|contact| contact["merged_into"].is_null());
    assert_eq!(active.count(), 4, "the lead is merged: {state:#}");
    assert_eq!(difference(state, leaves(Economy::OFF)), None);
}

/// What the shipped mappings make of a stream of events.
fn stream(length: usize) -> Vec<Call> {
    let lookup = Lookup {
        environment: &|_| Some("token".to_owned()),
        file: &|path| Err(format!("no file {path}")),
        missing: Missing::Refused,
    };
    let text = include_str!("../../mappings/intercom.yaml");
    let mappings = destination::compile(text, "intercom.yaml", None, lookup).ok().unwrap().mappings;
    let (start, later) = [START, START + 86_400].map(|at| Timestamp::from_second(at).unwrap()).into();
    let calls = Sample::new(1, start).take(length).flat_map(|text| {
        let event = ingest::read("website", text.as_bytes(), later).ok().unwrap();
        let view = event.view().unwrap();
        let call = |mapping: &Mapping| {
            let payload = Json::Object(mapping.payload(&view).unwrap().object).to_string();
            Call { action: mapping.action.name, payload: serde_json::from_str(&payload).unwrap() }
        };
        mappings.matching(&view).map(call).collect::<Vec<_>>()
    });
    calls.collect()
}

#[test]
fn a_stream_of_events_leaves_the_same_for_fewer_requests() {
    let history = History { calls: stream(400), faults: Vec::new() };
    let tracked = history.calls.iter().filter(|call| call.action == "track_event").count();
    let came = |economy: Economy| runtime().block_on(World::came(economy, &history));
    let (on, off) = (came(Economy::default()), came(Economy::OFF));
    let difference = difference(on.state, off.state);
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    let (on, off) = (on.requests - tracked, off.requests - tracked);
    assert!(on * 10 < off * 7, "{on} requests that are no events, and {off} with every economy off");
}

/// An identify call about one person, with a name.
fn named(name: &str) -> Call {
    let payload = json!({ "role": "user", "external_id": "u-1", "name": name, "last_seen_at": START });
    Call { action: "identify_contact", payload }
}

#[test]
fn what_is_known_is_believed_for_an_hour() {
    runtime().block_on(async {
        let world = World::new(Economy::default(), &[]);
        world.play(&[named("Ann")]).await;
        let asked = || world.running.journal().as_array().unwrap().len();
        let mut before = asked();
        for (later, requests) in [(0, 0), (3_300, 0), (3_600, 1), (3_601, 0)] {
            world.now.store(START + later, Ordering::Relaxed);
            world.play(&[named("Ann")]).await;
            assert_eq!(asked() - before, requests, "{later} s later");
            before = asked();
        }
        world.end().await;
    });
}

#[test]
fn what_another_action_changed_is_not_known_any_more() {
    let id = "5a4db0c50000000000000001";
    for (action, payload) in [
        ("update_contact", json!({ "external_id": "u-1", "name": "Bo" })),
        ("update_contact", json!({ "id": id, "name": "Bo" })),
        ("raw_request", json!({ "method": "PUT", "path": format!("/contacts/{id}"), "body": { "name": "Bo" } })),
        ("delete_contact", json!({ "id": id })),
        ("archive_contact", json!({ "external_id": "u-1" })),
    ] {
        let calls = [named("Ann"), Call { action, payload }, named("Ann")].to_vec();
        let state = runtime().block_on(World::came(Economy::default(), &History { calls, faults: Vec::new() })).state;
        let contacts = state["contacts"].as_array().unwrap();
        assert_eq!(contacts.len(), 1, "{action}");
        assert_eq!((&contacts[0]["name"], &contacts[0]["archived"]), (&json!("Ann"), &json!(false)), "{action}");
    }
}
