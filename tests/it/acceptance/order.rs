//! Fifty people with forty calls each, in through the real doors, out while one answer in six is a 429, one a 500 and some break
//! off, and while the process ends now and then: Intercom sees what each did in the order they did it, also of those who
//! were anonymous at first.
//!
//! `ORDER_SEED` says which history it is. Time is paused once the calls are in.

use std::collections::BTreeMap;
use std::time::Duration;

use interline::event::Event;
use interline::router::Settings;
use interline::sandbox::{self, Close, Effect, Fault, SearchLag};
use interline::store::Store;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::crash::parameter;
use crate::ingest::service::Service;
use crate::support::virtual_time::{DEFAULTS, Engine, Place};

const PEOPLE: u64 = 50;
const CALLS: u64 = 40;
/// Requests for which is decided at once what goes wrong: more than are made between two looks.
const AHEAD: u64 = 150;
const DAY: Duration = Duration::from_secs(86_400);

/// When a person tells who they are: everything before is anonymous.
fn known_at(person: u64) -> u64 {
    5 + person % 23
}

fn call(person: u64, number: u64) -> Value {
    let (user, anonymous) = (format!("u-{person}"), format!("a-{person}"));
    let (email, tag) = (format!("p{person}@example.com"), format!("tag-{person}-{number}-"));
    let at = jiff::Timestamp::from_second(1_760_000_000 + number as i64).unwrap().to_string();
    let mut call = json!({ "messageId": format!("{person}-{number}"), "timestamp": at });
    let known = known_at(person);
    if number <= known || number.is_multiple_of(3) {
        call["anonymousId"] = anonymous.into();
    }
    if number >= known {
        call["userId"] = user.into();
    }
    let more = match number {
        _ if number == 0 || number == known || number % 11 == 10 => {
            json!({ "type": "identify", "traits": { "email": email, "name": tag } })
        }
        _ if number > known && number % 9 == 8 => {
            json!({ "type": "group", "groupId": format!("g-{person}"), "traits": { "name": tag } })
        }
        _ => json!({ "type": "track", "event": "Step", "properties": { "email": email, "tag": tag } }),
    };
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

/// All calls, each person's in their order, as the doors took them.
fn taken(luck: &mut fastrand::Rng) -> Vec<Event> {
    let service = Service::start();
    let mut next: Vec<u64> = vec![0; PEOPLE as usize];
    let mut whose: Vec<u64> = (0..PEOPLE * CALLS).map(|call| call % PEOPLE).collect();
    luck.shuffle(&mut whose);
    for batch in whose.chunks(37) {
        let calls: Vec<Value> = batch
            .iter()
            .map(|person| {
                let number = &mut next[*person as usize];
                *number += 1;
                call(*person, *number - 1)
            })
            .collect();
        let reply = service.post("/v1/batch", json!({ "batch": calls }).to_string());
        assert_eq!(reply.status, 200);
    }
    let events = service.store.inner().events.clone();
    assert_eq!(events.len() as u64, PEOPLE * CALLS);
    events
}

/// One answer in six is a 429, one a 500, and of the others some break off.
fn plant(place: &Place, luck: &mut fastrand::Rng) {
    place.control.clear_faults();
    for nth in 1..AHEAD {
        let effect = match luck.u32(..60) {
            0..10 => Effect::status(429),
            10..15 => Effect::status(500),
            15..20 => Effect::status_after(500),
            20 => Effect::Close(Close::Before),
            21 => Effect::Close(Close::During),
            22 => Effect::Close(Close::After),
            _ => continue,
        };
        place.control.fault(Fault { nth, ..Fault::new("*", effect) });
    }
}

/// Until nothing is open; the process ends now and then, and another begins.
async fn deliver(events: Vec<Event>, luck: &mut fastrand::Rng) -> (Place, usize) {
    let settings = sandbox::Settings {
        search_lag_secs: SearchLag::Secs(0),
        rate_limit_per_10s: 1_000_000,
        journal_entries_max: usize::MAX,
        ..sandbox::Settings::default()
    };
    let mut place = Place::new("crm", settings, DEFAULTS, Duration::from_millis(20));
    let mut engine = Engine::start(&[&place], &Settings::default()).await;
    engine.store.accept(events).await.unwrap();
    let (began, mut ends) = (Instant::now(), 0);
    loop {
        plant(&place, luck);
        tokio::time::sleep(Duration::from_millis(luck.u64(10..60_000))).await;
        let stats = engine.store.stats();
        if stats.routed == stats.last && engine.store.open(None, None, 1).await.unwrap().is_empty() {
            engine.router.stop(DAY).await;
            return (place, ends);
        }
        assert!(began.elapsed() < 7 * DAY, "{:?}", engine.store.open(None, None, 3).await);
        if luck.u32(..20) > 0 {
            continue;
        }
        let store = engine.store.clone();
        engine.router.stop(Duration::ZERO).await;
        ends += 1;
        tokio::task::yield_now().await;
        place = place.after_a_crash();
        engine = Engine::on(store, &[&place], &Settings::default()).await;
    }
}

/// The person and the number of the call that a request is of.
fn tagged(entry: &Value) -> Option<(u64, u64)> {
    let text = entry["body"].to_string();
    let mut parts = text.split_once("tag-")?.1.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[test]
fn everybody_keeps_their_order_also_when_they_become_known() {
    let seed = parameter("ORDER_SEED", 1);
    println!("ORDER_SEED={seed}");
    let mut luck = fastrand::Rng::with_seed(seed);
    let events = taken(&mut luck);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (place, ends) = runtime.block_on(deliver(events, &mut luck));
    let journal = place.control.journal();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (person, number) in journal.as_array().unwrap().iter().filter_map(tagged) {
        let before = last.insert(person, number).unwrap_or(0);
        assert!(before <= number, "call {number} of person {person} comes after their call {before}");
    }
    let state = place.control.state();
    let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let tracks = (0..PEOPLE).flat_map(|person| (0..CALLS).map(move |number| call(person, number)));
    let tracks = tracks.filter(|call| call["type"] == "track").count();
    assert_eq!(list("events").len(), tracks, "none lost, none twice");
    let contacts = list("contacts");
    let users: Vec<&Value> = contacts.iter().filter(|contact| contact["merged_into"].is_null()).collect();
    assert_eq!(users.len() as u64, PEOPLE);
    for user in users {
        let person: u64 = user["external_id"].as_str().unwrap()[2..].parse().unwrap();
        let newest = (0..CALLS).rev().find(|number| call(person, *number)["type"] == "identify").unwrap();
        assert_eq!(user["name"], format!("tag-{person}-{newest}-"), "the newest name stays");
    }
    let requests = journal.as_array().unwrap().len();
    println!("{requests} requests, the process ended {ends} times");
    assert!(place.answered(429) > 200 && place.answered(500) > 200 && ends > 3, "{ends} ends");
}
