//! The durable queue: events that were accepted, the deliveries they became, and how each ended.
//!
//! The trait promises behaviour, not SQL. One process holds a store. Its one log of events is ordered by [`Position`];
//! a reader follows it with a position of its own. Nothing here knows about people, lanes, waiting or pace: order and
//! retry live in `router/`, so that a replicated log can stand behind the same trait.
//!
//! - **accept** returns only when the events are on stable storage; a call's events are stored together or not at all.
//! - **route** and **settle** are atomic per call and keep the order in which they were called; they return when they
//!   are on stable storage. A crash before that means that they are done again, to the same end.
//! - Reads see everything that an earlier finished write wrote, never block a writer, and never hand out a record whose
//!   checksum does not hold: such a record is put aside and counted.

mod backlog;
mod filter;
pub mod live;
pub mod memory;
mod removal;
pub mod sqlite;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;

use crate::delivery::{Delivery, Id, Position, Progress};
use crate::event::{Event, Person};
use crate::instant::Timestamp;
use crate::metrics::Metrics;
pub use filter::{Filter, Page};

/// Every kind of store; the first is the default.
pub const STORES: &[Kind] = &[sqlite::KIND, memory::KIND];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    STORES.iter().find(|kind| kind.name == name)
}

/// A kind of store, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine(&'static str);

impl Engine {
    /// Opens a store of this kind.
    pub fn open(self, opening: &Opening<'_>) -> Result<Arc<dyn Store>> {
        (kind(self.0).expect("an engine is one of the list").open)(opening)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Engine(STORES[0].name)
    }
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let names = || STORES.iter().map(|kind| format!("`{}`", kind.name)).collect::<Vec<_>>().join(" or ");
        let refuse = || serde::de::Error::custom(format!("`{name}` is not a queue engine; write {}", names()));
        kind(&name).map(|kind| Engine(kind.name)).ok_or_else(refuse)
    }
}

impl JsonSchema for Engine {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Engine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one_of: Vec<_> =
            STORES.iter().map(|kind| serde_json::json!({ "const": kind.name, "description": kind.summary })).collect();
        json_schema!({ "oneOf": one_of })
    }
}

/// A kind of store, as data.
pub struct Kind {
    /// Its one name, as in `engine: embedded`.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// Whether what was accepted outlives the process and the machine's power.
    pub durable: bool,
    /// Opens one. Blocks while it reads what an earlier process left.
    pub open: fn(&Opening<'_>) -> Result<Arc<dyn Store>>,
}

/// What a store is opened with.
#[derive(Clone, Copy)]
pub struct Opening<'o> {
    /// How long things are kept.
    pub settings: &'o Settings,
    /// The folder that is the store's alone; made when it is missing.
    pub directory: &'o Path,
    /// Where it counts what it does.
    pub metrics: &'o Metrics,
    /// The time.
    pub now: Timestamp,
}

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was written now; the same call may work later (disk full, busy).
    #[error("the store cannot take this now: {0}")]
    Unavailable(String),
    /// Storage failed in a way after which nothing is known; the process must end and start again.
    #[error("storage failed: {0}")]
    Failed(String),
    /// Another process holds the data directory.
    #[error("{0}")]
    Locked(String),
    /// The data was written by a version that this one does not understand, or is not a store at all.
    #[error("{0}")]
    Incompatible(String),
}

/// What became of an event that was to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored, here.
    New(Position),
    /// An event of that source with that message id was accepted before, within the window.
    Duplicate,
}

/// A long piece of work that goes on after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Names it; later ones have greater numbers.
    pub id: u64,
    /// How far it has come, as its owner writes it.
    pub record: String,
}

/// An event with its place.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the order of acceptance.
    pub position: Position,
    /// The event.
    pub event: Event,
}

/// What one event became.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The event's place.
    pub position: Position,
    /// Its deliveries, numbered by their index, each with how far it has come (a payload that does not fit is a dead
    /// letter at once). None: no mapping wanted it.
    pub deliveries: Vec<(Delivery, Progress)>,
}

/// A delivery, whole.
#[derive(Debug, Clone)]
pub struct Owed {
    /// Its id.
    pub id: Id,
    /// What is owed.
    pub delivery: Delivery,
    /// How far it has come.
    pub progress: Progress,
}

/// A delivery that has not ended, without its payload: what the router needs to put it in its place.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its id.
    pub id: Id,
    /// The destination it is owed to.
    pub destination: Arc<str>,
    /// The source its event came from.
    pub source: Arc<str>,
    /// See [`Delivery::keys`].
    pub keys: Vec<u64>,
    /// When it may be attempted; `None`: now.
    pub until: Option<Timestamp>,
    /// Whether it stands outside its line.
    pub parked: bool,
    /// When its event was accepted.
    pub accepted_at: Timestamp,
}

/// One thing of a person that a delivery has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// By which key of the person.
    pub key: u64,
    /// What, in the words of whoever noted it.
    pub thing: String,
    /// A hash of the value.
    pub value: u64,
    /// A hash of the sender's own id for the person; 0: it is not told.
    pub whom: u64,
    /// The delivery.
    pub by: Id,
    /// Where it stands in the order of calls: see [`Delivery::place`].
    pub stands_at: Id,
}

/// What settlements leave to be known by older deliveries of the same people that wait outside their lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passing<'p> {
    /// Where all of it goes.
    pub destination: &'p str,
    /// What has been written past them. Of one thing only the newest is kept.
    pub wrote: &'p [Wrote],
    /// Keys under which nothing waits any more, so that nobody asks.
    pub forget: &'p [u64],
}

/// What is in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Per source: accepted events that are not routed, and deliveries that have not ended. A source that has neither
    /// is 0 or not there.
    pub backlog: BTreeMap<Arc<str>, u64>,
    /// The greatest position in use; 0: none yet.
    pub last: Position,
    /// Events up to here are routed.
    pub routed: Position,
    /// Dead letters that are kept.
    pub dead_letters: u64,
    /// Records put aside because their checksum did not hold.
    pub quarantined: u64,
    /// Events that are missing from the store although nobody removed them.
    pub lost: u64,
    /// Bytes on disk, the write-ahead log included.
    pub bytes: u64,
}

/// What was taken out on request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Events.
    pub events: u64,
    /// Deliveries that had not ended.
    pub open: u64,
    /// Deliveries that had ended, dead letters apart.
    pub ended: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// How long things are kept.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Hours an event and its ended deliveries are kept. 7 days. Dead letters stay until someone handles them.
    #[schemars(range(min = 0, max = 876000))]
    pub retention_hours: u32,
    /// Bytes the store may hold. Over that the oldest events that have ended go before their time; what is still to be
    /// delivered and dead letters stay. 10 GiB, which is some 4 million events with one delivery each. The file may be
    /// somewhat larger: an eighth is kept free for what comes next, and the write-ahead log lies beside it.
    pub retention_bytes: u64,
    /// Bytes of a file that keeps room on the disk. When the disk is full it is removed and nothing is accepted, so that
    /// what was accepted can still be delivered; it is made again, and events are accepted, when twice as much is free.
    /// 16 MiB; 0 keeps no room.
    pub ballast_bytes: u64,
    /// Hours a message id is remembered, at least.
    #[schemars(range(min = 0, max = 876000))]
    pub dedupe_hours: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { retention_hours: 7 * 24, retention_bytes: 10 << 30, ballast_bytes: 16 << 20, dedupe_hours: 24 }
    }
}

/// A durable queue.
pub trait Store: Send + Sync + 'static {
    /// Stores events in order, durably; repeats of (source, message id) within the window are left out and said so.
    /// The answers stand in the order of the events.
    fn accept(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Accepted>>>;

    /// Puts events into the log, whether or not their message ids are known, together with the record of the job that does
    /// it: both are written, durably, or neither. Those that repeat an event that was removed are left out.
    fn feed(&self, events: Vec<Event>, job: Job) -> BoxFuture<'_, Result<()>>;

    /// The jobs that are kept, in the order of their numbers.
    fn jobs(&self) -> BoxFuture<'_, Result<Vec<Job>>>;

    /// Events after `after` in order, at most `max` of them, also those routed already while they are retained. A record
    /// put aside is left out.
    fn events(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<Stored>>>;

    /// One event, if it is still kept.
    fn event(&self, position: Position) -> BoxFuture<'_, Result<Option<Stored>>>;

    /// Records what events became. Positions must come in ascending order, call after call; [`Stats::routed`] moves to the
    /// last of them, past whatever lies between. Positions at or below it are ignored: they were recorded before.
    fn route(&self, routed: &[Routed]) -> BoxFuture<'_, Result<()>>;

    /// Replaces the progress of deliveries; those that are gone are ignored. A delivery that had ended may be opened
    /// again.
    fn settle(&self, settlements: &[(Id, &Progress)]) -> BoxFuture<'_, Result<()>> {
        self.settle_passing(settlements, Passing::default())
    }

    /// The same, together with what older deliveries of the same people have to know of it.
    fn settle_passing(&self, settlements: &[(Id, &Progress)], passing: Passing<'_>) -> BoxFuture<'_, Result<()>>;

    /// What deliveries to a destination have written past older ones of people with one of these keys. Known while anything
    /// older is owed to that destination, and nobody has said that it be forgotten.
    fn passed(&self, destination: &str, keys: &[u64]) -> BoxFuture<'_, Result<Vec<Wrote>>>;

    /// Replaces what is owed, and its progress; those that are gone are ignored.
    fn amend(&self, owed: Vec<Owed>) -> BoxFuture<'_, Result<()>>;

    /// Deliveries that have not ended, of one destination or of all, with ids above `after`, in order, at most `max`.
    /// Those of one destination cost nothing for what is owed to others.
    fn open(&self, destination: Option<&str>, after: Option<Id>, max: usize) -> BoxFuture<'_, Result<Vec<Open>>>;

    /// How many deliveries have not ended, by destination; those that are owed nothing are not there.
    fn open_counts(&self) -> BoxFuture<'_, Result<BTreeMap<Arc<str>, u64>>>;

    /// Deliveries by id; those that are gone are left out.
    fn deliveries(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<Vec<Owed>>>;

    /// Deliveries that the filter means, at most `max`. Looks at a bounded number of them, so that a page may be short.
    /// A range of time is looked for by position, so a clock that was set back by more than an hour in between may hide
    /// some.
    fn list(&self, filter: Filter, max: usize) -> BoxFuture<'_, Result<Page>>;

    /// Removes, in small steps that do not hold up other calls, what is older than the settings keep as of `now`:
    /// routed events without open deliveries or dead letters, ended deliveries, remembered message ids; and the oldest of
    /// the same while it holds more bytes than they allow. Answers how many records went: events, deliveries and message
    /// ids. Called now and then, it also looks through what is kept for damage, a part at a time.
    fn trim(&self, now: Timestamp) -> BoxFuture<'_, Result<u64>>;

    /// Takes events out, with everything they became, whether or not they are routed. Nothing becomes of them any more,
    /// also when somebody has read them already.
    fn remove(&self, positions: Vec<Position>) -> BoxFuture<'_, Result<Removed>>;

    /// Whether this process took that event out. Cheap: does not read the disk.
    fn is_removed(&self, position: Position) -> bool;

    /// Remembers durably that events with one of these names are not wanted any more, or (`on` false) that they are again.
    /// Events are not looked at here: who accepts them asks [`Store::suppressed`].
    fn suppress(&self, person: Person, on: bool) -> BoxFuture<'_, Result<()>>;

    /// Everybody whose events are not wanted. Cheap: does not read the disk.
    fn suppressed(&self) -> Arc<Person>;

    /// What is in the store. Cheap: does not read the disk.
    fn stats(&self) -> Stats;

    /// Resolves when a position beyond `after` is in use: there may be something to read.
    fn grown(&self, after: Position) -> BoxFuture<'_, ()>;

    /// Resolves, with why, when storage failed for good ([`Error::Failed`]); never before.
    fn failure(&self) -> BoxFuture<'_, String>;

    /// Finishes what was begun and lets go of the data. Later calls answer [`Error::Unavailable`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What was accepted after then was accepted while the clock ran ahead, so it is as old as what came next. It keeps nothing
/// behind it from going.
fn future(now: Timestamp) -> Timestamp {
    now.saturating_add(jiff::SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
}

/// The moment `hours` before `now`.
fn ago(now: Timestamp, hours: u32) -> Timestamp {
    now.checked_sub(jiff::SignedDuration::from_hours(hours.into())).unwrap_or(Timestamp::MIN)
}

/// Waits until the greatest position in use lies beyond `after`; for ever, when the store has gone.
fn grown(mut last: watch::Receiver<Position>, after: Position) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if last.wait_for(|last| *last > after).await.is_err() {
            std::future::pending().await
        }
    })
}
