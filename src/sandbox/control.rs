//! Steering a stand-in: its clock, faults, tokens and contents, from inside the program and over `/_sandbox/`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::desk::Desk;
use super::faults::{self, Fault};
use super::journal::Entry;
use super::reply::{Answer, Refusal, Reply};
use super::seed::{self, Seed};
use super::settings::{AccessToken, Settings};

/// The handle to a running stand-in. Clones steer the same one.
#[derive(Clone)]
pub struct Control(Arc<Office>);

/// The one place every worker of a stand-in shares.
struct Office {
    desk: Mutex<Desk>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    offset: Mutex<SignedDuration>,
    released: watch::Sender<u64>,
    held: AtomicUsize,
}

/// A request that waits; it counts as held until this is dropped.
pub(super) struct Held(Control);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.held.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Which journal entries to count.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// As in [`Fault::on`]; without it, every request.
    pub on: Option<String>,
    /// Status that was answered.
    pub status: Option<u16>,
    /// What the request's body holds at least.
    pub body: Option<Value>,
}

/// A change of the clock.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Turn {
    /// By so many seconds, from where it is.
    AdvanceSecs(i64),
    /// To so many seconds from the clock it was given.
    OffsetSecs(i64),
}

/// A change of what a token may do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum TokenChange {
    Revoke(AccessToken),
    Restore(AccessToken),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl Control {
    /// A handle to a desk that goes by this clock.
    pub fn new(desk: Desk, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Control {
        let offset = Mutex::new(SignedDuration::ZERO);
        Control(Arc::new(Office {
            desk: Mutex::new(desk),
            clock: Box::new(clock),
            offset,
            released: watch::Sender::new(0),
            held: AtomicUsize::new(0),
        }))
    }

    /// The stand-in's time: the clock it was given, and the offset that was set.
    pub fn now(&self) -> Timestamp {
        let given = (self.0.clock)();
        given.checked_add(*self.offset()).unwrap_or(given)
    }

    /// Lets so many seconds pass.
    pub fn advance(&self, secs: i64) {
        let mut offset = self.offset();
        *offset = offset.checked_add(SignedDuration::from_secs(secs)).unwrap_or(*offset);
    }

    /// Sets the clock to so many seconds from the one it was given.
    pub fn set_offset(&self, secs: i64) {
        *self.offset() = SignedDuration::from_secs(secs);
    }

    /// Sets a fault.
    pub fn fault(&self, fault: Fault) {
        self.desk().faults.set(fault);
    }

    /// Takes all faults back, and releases what they hold.
    pub fn clear_faults(&self) {
        self.desk().faults.clear();
        self.release();
    }

    /// Lets every request go on that is held now.
    pub fn release(&self) {
        self.0.released.send_modify(|times| *times += 1);
    }

    /// How many requests are held now.
    pub fn count_held(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }

    /// Ends at the next [`Control::release`] after this call.
    pub(super) fn released(&self) -> impl Future<Output = ()> + use<> {
        let mut receiver = self.0.released.subscribe();
        async move { drop(receiver.changed().await) }
    }

    /// Counts a request as held.
    pub(super) fn hold(&self) -> Held {
        self.0.held.fetch_add(1, Ordering::AcqRel);
        Held(self.clone())
    }

    /// From now on this token is refused.
    pub fn revoke(&self, token: &str) {
        self.desk().revoked.insert(AccessToken(token.to_owned()));
    }

    /// A revoked token is good again.
    pub fn restore(&self, token: &str) {
        self.desk().revoked.remove(&AccessToken(token.to_owned()));
    }

    /// Fills the workspace; gives `{"contacts": [ids], "companies": [ids]}`. The error says what would not be taken.
    pub fn seed(&self, seed: Seed) -> Result<Value, String> {
        self.plant(seed).map_err(|refusal| refusal.message)
    }

    /// Lets search see everything as it is now.
    pub fn converge(&self) {
        self.desk().state.converge();
    }

    /// Changes switches while it runs. Addresses, journal files and the seed of ids stay as they were at the start.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.desk().settings);
    }

    /// Forgets contents, journal in memory, faults, revocations and the clock's offset.
    pub fn reset(&self) {
        self.desk().reset();
        *self.offset() = SignedDuration::ZERO;
        self.release();
    }

    /// The workspace as JSON.
    pub fn state(&self) -> Value {
        let desk = self.desk();
        desk.state.snapshot(&desk.settings)
    }

    /// The journal as JSON, oldest first.
    pub fn journal(&self) -> Value {
        self.desk().journal.entries().map(|(number, entry)| entry.view(number)).collect()
    }

    /// How many requests of the journal are as expected.
    pub fn count(&self, expectation: &Expectation) -> usize {
        self.desk().journal.entries().filter(|(_, entry)| expectation.fits(entry)).count()
    }

    /// The desk, for the one who answers requests.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offset(&self) -> MutexGuard<'_, SignedDuration> {
        self.0.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plant(&self, seed: Seed) -> Result<Value, Refusal> {
        let now = self.now().as_second();
        seed::plant(&mut self.desk(), seed, now)
    }

    /// Answers `/_sandbox/…`; `what` is the rest of the path.
    pub(super) fn over_http(&self, method: &str, what: &str, query: &str, body: &[u8]) -> Answer {
        match (method, what) {
            ("POST", "reset") => self.reset(),
            ("POST", "release") => self.release(),
            ("POST", "converge") => self.converge(),
            ("POST", "seed") => return self.plant(read(body)?).map(Reply::ok),
            ("POST", "clock") => match read(body)? {
                Turn::AdvanceSecs(secs) => self.advance(secs),
                Turn::OffsetSecs(secs) => self.set_offset(secs),
            },
            ("GET", "clock") => return Ok(Reply::ok(json!({"now": self.now().to_string()}))),
            ("POST", "faults") => match read(body)? {
                OneOrMany::One(fault) => self.fault(fault),
                OneOrMany::Many(faults) => faults.into_iter().for_each(|fault| self.fault(fault)),
            },
            ("DELETE", "faults") => self.clear_faults(),
            ("GET", "faults") => {
                return Ok(Reply::ok(json!({"faults": self.desk().faults.all(), "held": self.count_held()})));
            }
            ("POST", "tokens") => match read(body)? {
                TokenChange::Revoke(token) => self.revoke(&token.0),
                TokenChange::Restore(token) => self.restore(&token.0),
            },
            ("GET", "settings") => return Ok(Reply::ok(json!(self.desk().settings))),
            ("POST", "settings") => self.merge_settings(body)?,
            ("GET", "state") => return Ok(Reply::ok(self.state())),
            ("GET", "journal") => return Ok(Reply::ok(self.journal_from(query))),
            ("POST", "expect") => return Ok(Reply::ok(json!({"count": self.count(&read(body)?)}))),
            _ => return Err(Refusal::new(404, "not_found", format!("there is no {method} /_sandbox/{what}"))),
        }
        Ok(Reply::ok(json!({"ok": true})))
    }

    /// Entries from number `from` on, `limit` of them at most; `next` is the number to ask for then.
    fn journal_from(&self, query: &str) -> Value {
        let number = |name: &str| {
            let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let (from, limit) = (number("from").unwrap_or(0), number("limit").unwrap_or(1000));
        let desk = self.desk();
        let shown = desk.journal.entries().filter(|(at, _)| *at >= from).take(usize::try_from(limit).unwrap_or(1000));
        let entries: Vec<Value> = shown.map(|(at, entry)| entry.view(at)).collect();
        let next = entries.last().and_then(|entry| entry["number"].as_u64()).map_or(from, |last| last + 1);
        json!({"entries": entries, "next": next})
    }

    fn merge_settings(&self, body: &[u8]) -> Result<(), Refusal> {
        let mut desk = self.desk();
        let changed = desk.settings.changed(read(body)?);
        desk.settings = changed.map_err(|error| Refusal::new(400, "bad_request", error.to_string()))?;
        Ok(())
    }
}

impl Expectation {
    fn fits(&self, entry: &Entry) -> bool {
        let path = entry.target.split('?').next().unwrap_or_default();
        let on = self.on.as_deref().is_none_or(|on| faults::is_on(on, &entry.method, path, entry.endpoint));
        let status = self.status.is_none_or(|status| entry.status == Some(status));
        on && status && self.body.as_ref().is_none_or(|wanted| holds_body(entry, wanted))
    }
}

fn holds_body(entry: &Entry, wanted: &Value) -> bool {
    let sent = entry.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    sent.is_some_and(|sent: Value| holds(&sent, wanted))
}

/// Whether every member of `wanted` is in `sent`; anything but an object must be equal.
fn holds(sent: &Value, wanted: &Value) -> bool {
    match (sent, wanted) {
        (Value::Object(sent), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| sent.get(key).is_some_and(|sent| holds(sent, wanted)))
        }
        _ => sent == wanted,
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, "bad_request", error.to_string()))
}
