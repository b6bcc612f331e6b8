//! SIGKILL at any moment: what was answered 200 reaches Intercom, and one person's events stay in order.
//!
//! The number of cycles is `CRASH_CYCLES` (50 unless given), the seed `CRASH_SEED`.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Served, eventually, http, quick_sandbox};

const PEOPLE: u64 = 12;
const SENDERS: u64 = 6;

fn parameter(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The events that were answered 200: (person, number).
type Acknowledged = Arc<Mutex<Vec<(u64, u64)>>>;

/// Sends events of its own people, in order, until it is stopped; an unanswered event is sent again with the same id,
/// as SDKs do.
struct Sender {
    people: Vec<u64>,
    next: BTreeMap<u64, u64>,
    acknowledged: Acknowledged,
    luck: fastrand::Rng,
    client: reqwest::Client,
}

impl Sender {
    async fn send_until(&mut self, url: &str, stopped: &AtomicBool) {
        while !stopped.load(Ordering::Relaxed) {
            let person = self.people[self.luck.usize(..self.people.len())];
            let first = *self.next.entry(person).or_insert(0);
            let count = if self.luck.bool() { 1 } else { self.luck.u64(2..8) };
            let batch: Vec<Value> = (first..first + count).map(|number| event(person, number)).collect();
            let reply = self.client.post(url).basic_auth("key", Some("")).json(&json!({ "batch": batch })).send().await;
            if reply.is_ok_and(|reply| reply.status() == 200) {
                self.next.insert(person, first + count);
                self.acknowledged.lock().unwrap().extend((first..first + count).map(|number| (person, number)));
            }
        }
    }
}

/// A person's first event is an identify; each later one a track call, one second after the last.
fn event(person: u64, number: u64) -> Value {
    let at = jiff::Timestamp::from_second(1_760_000_000 + number as i64).unwrap().to_string();
    let (user, message) = (format!("person-{person}"), format!("{person}-{number}"));
    match number {
        0 => json!({ "type": "identify", "userId": user, "messageId": message, "timestamp": at,
            "traits": { "email": format!("{user}@example.com") } }),
        _ => json!({ "type": "track", "userId": user, "messageId": message, "timestamp": at, "event": "Step",
            "properties": { "number": number } }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_out_of_order() {
    let cycles = parameter("CRASH_CYCLES", 50);
    let seed = parameter("CRASH_SEED", 1);
    println!("{cycles} cycles, CRASH_SEED={seed}");
    let intercom = quick_sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let addresses = Served::configure(directory.path(), intercom.url(), "");
    let url = format!("http://{}/v1/batch", addresses.0);
    let acknowledged = Acknowledged::default();
    let mut luck = fastrand::Rng::with_seed(seed);
    let mut senders: Vec<Sender> = (0..SENDERS)
        .map(|lane| Sender {
            people: (0..PEOPLE).filter(|person| person % SENDERS == lane).collect(),
            next: BTreeMap::new(),
            acknowledged: acknowledged.clone(),
            luck: luck.fork(),
            client: http(),
        })
        .collect();
    for _ in 0..cycles {
        let mut service = Served::start(directory.path(), addresses).await;
        let stopped = Arc::new(AtomicBool::new(false));
        let sending: Vec<_> = senders
            .drain(..)
            .map(|mut sender| {
                let (url, stopped) = (url.clone(), stopped.clone());
                tokio::spawn(async move {
                    sender.send_until(&url, &stopped).await;
                    sender
                })
            })
            .collect();
        // The moment of the kill is what this test is about; no outcome depends on its length.
        tokio::time::sleep(Duration::from_micros(luck.u64(500..250_000))).await;
        service.kill();
        stopped.store(true, Ordering::Relaxed);
        for sender in sending {
            senders.push(sender.await.unwrap());
        }
    }
    let wanted: HashSet<(u64, u64)> = acknowledged.lock().unwrap().iter().copied().collect();
    let service = Served::start(directory.path(), addresses).await;
    let mut missing = usize::MAX;
    eventually("every acknowledged event at Intercom", Duration::from_secs(60), async || {
        let there = arrived(&intercom.state());
        missing = wanted.iter().filter(|event| !there.contains(event)).count();
        missing == 0
    })
    .await;
    assert_eq!(service.terminate(), Some(0), "SIGTERM ends it in order");
    check_order(intercom.journal().as_array().expect("a journal is a list"));
    check_people(&intercom.state(), &wanted);
    println!("{} events acknowledged over {cycles} kills, none lost, none out of order", wanted.len());
    assert!(wanted.len() as u64 > cycles, "too few events to show anything: {}", wanted.len());
}

/// What Intercom holds, as (person, number).
fn arrived(state: &Value) -> HashSet<(u64, u64)> {
    let mut there = HashSet::new();
    let person =
        |contact: &Value| -> Option<u64> { contact["external_id"].as_str()?.strip_prefix("person-")?.parse().ok() };
    let contacts = list(&state["contacts"]);
    let by_id: BTreeMap<&str, u64> =
        contacts.iter().filter_map(|contact| Some((contact["id"].as_str()?, person(contact)?))).collect();
    there.extend(by_id.values().map(|person| (*person, 0)));
    for event in list(&state["events"]) {
        let contact = event["contact_id"].as_str().and_then(|id| by_id.get(id));
        if let (Some(person), Some(number)) = (contact, event["metadata"]["number"].as_u64()) {
            there.insert((*person, number));
        }
    }
    there
}

/// Items of a list, or values of an object.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

/// A number may come again after a crash, but only the last one, and never one that skips ahead.
fn check_order(journal: &[Value]) {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| entry["path"] == "/events") {
        let user = entry["body"]["user_id"].as_str().unwrap_or_default().to_owned();
        let number = entry["body"]["metadata"]["number"].as_u64().unwrap();
        let before = last.get(&user).copied().unwrap_or(0);
        assert!(number == before + 1 || number == before, "{user}: {number} came after {before}");
        last.insert(user, number);
    }
}

/// One person is one contact, however often the service died while making it.
fn check_people(state: &Value, wanted: &HashSet<(u64, u64)>) {
    let people: HashSet<u64> = wanted.iter().map(|(person, _)| *person).collect();
    assert!(list(&state["contacts"]).len() >= people.len());
    let emails: Vec<String> = list(&state["contacts"]).iter().map(|contact| contact["email"].to_string()).collect();
    let distinct: HashSet<&String> = emails.iter().collect();
    assert_eq!(emails.len(), distinct.len(), "a person became two contacts: {emails:?}");
}
