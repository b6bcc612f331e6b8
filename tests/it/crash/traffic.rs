//! Who sends what while the service dies: a few people, each with a story of numbered events.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http;

const PEOPLE: u64 = 12;
const SENDERS: u64 = 6;
/// How much of one life is new: a service that is killed as soon as it has started must still be able to keep up.
const NEW_IN_A_LIFE: u32 = 2;
/// How long a sender rests that has nothing new.
const REST: Duration = Duration::from_millis(20);

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Identify,
    Group,
    Track,
}

/// The events that were answered 200, as (person, number), each with the moment.
#[derive(Clone)]
pub struct Acknowledged {
    events: Arc<Mutex<HashMap<(u64, u64), u64>>>,
    moment: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Acknowledged {
    /// Asks for the moment after each answer.
    pub fn new(moment: impl Fn() -> u64 + Send + Sync + 'static) -> Acknowledged {
        Acknowledged { events: Arc::default(), moment: Arc::new(moment) }
    }

    fn add(&self, person: u64, numbers: std::ops::Range<u64>) {
        let moment = (self.moment)();
        self.events.lock().unwrap().extend(numbers.map(|number| ((person, number), moment)));
    }

    #[cfg(target_os = "linux")]
    pub fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    pub fn take(&self) -> HashMap<(u64, u64), u64> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

/// Sends events of its own people, in order, until it is stopped; an unanswered event is sent again with the same id,
/// as SDKs do.
pub struct Sender {
    people: Vec<u64>,
    next: BTreeMap<u64, u64>,
    acknowledged: Acknowledged,
    luck: fastrand::Rng,
    client: reqwest::Client,
}

pub fn senders(acknowledged: &Acknowledged, luck: &mut fastrand::Rng) -> Vec<Sender> {
    let people = |sender| (0..PEOPLE).filter(|person| person % SENDERS == sender).collect();
    let sender = |sender| Sender {
        people: people(sender),
        next: BTreeMap::new(),
        acknowledged: acknowledged.clone(),
        luck: luck.fork(),
        client: http(),
    };
    (0..SENDERS).map(sender).collect()
}

impl Sender {
    /// New events first; then repeats, as of an SDK that missed the answer.
    pub async fn send_until(&mut self, url: &str, stopped: &AtomicBool) {
        let mut new = 0;
        while !stopped.load(Ordering::Relaxed) {
            if new < NEW_IN_A_LIFE {
                new += u32::from(self.send(url, 8).await);
            } else {
                self.repeat(url).await;
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// Sends the last events of one person once more.
    async fn repeat(&mut self, url: &str) {
        let person = self.people[self.luck.usize(..self.people.len())];
        let next = self.next.get(&person).copied().unwrap_or(0);
        let batch: Vec<Value> = (next.saturating_sub(3)..next).map(|number| event(person, number)).collect();
        if !batch.is_empty() {
            // Whatever becomes of it, it was taken before.
            let _ = self.client.post(url).basic_auth("key", Some("")).json(&json!({ "batch": batch })).send().await;
        }
    }

    /// Sends the next events of one person, fewer than `most`; whether they were answered 200.
    pub async fn send(&mut self, url: &str, most: u64) -> bool {
        let person = self.people[self.luck.usize(..self.people.len())];
        let first = *self.next.entry(person).or_insert(0);
        let count = if self.luck.bool() { 1 } else { self.luck.u64(2..most) };
        let batch: Vec<Value> = (first..first + count).map(|number| event(person, number)).collect();
        let reply = self.client.post(url).basic_auth("key", Some("")).json(&json!({ "batch": batch })).send().await;
        let is_taken = reply.is_ok_and(|reply| reply.status() == 200);
        if is_taken {
            self.next.insert(person, first + count);
            self.acknowledged.add(person, first..first + count);
        }
        is_taken
    }
}

/// When a person's contact is made: most begin with it; some have done something before, some were put into a company.
pub fn identified_at(person: u64) -> u64 {
    match person % 4 {
        2 => 2,
        3 => 1,
        _ => 0,
    }
}

pub fn step(person: u64, number: u64) -> Step {
    match (person % 4, number) {
        _ if number == identified_at(person) => Step::Identify,
        (3, 0) => Step::Group,
        _ if number % 16 == 9 => Step::Group,
        _ if number % 16 == 15 => Step::Identify,
        _ => Step::Track,
    }
}

/// What is in every request of an event that is one, and in no other's.
pub fn tag(person: u64, number: u64) -> String {
    format!("tag-{person}-{number}-")
}

pub fn user(person: u64) -> String {
    format!("person-{person}")
}

pub fn email(person: u64) -> String {
    format!("person-{person}@example.com")
}

/// Each later event is one second after the last.
pub fn event(person: u64, number: u64) -> Value {
    let at = jiff::Timestamp::from_second(1_760_000_000 + number as i64).unwrap().to_string();
    let (message, tag) = (format!("{person}-{number}"), tag(person, number));
    let mut event = json!({ "userId": user(person), "messageId": message, "timestamp": at });
    let more = match step(person, number) {
        Step::Identify => json!({ "type": "identify", "traits": { "email": email(person), "name": tag } }),
        Step::Group => json!({ "type": "group", "groupId": tag, "traits": { "name": tag } }),
        Step::Track => json!({ "type": "track", "event": "Step", "properties": { "number": number, "tag": tag } }),
    };
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// The (person, number) of a text that holds one [`tag`].
pub fn tagged(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split_once("tag-")?.1.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
