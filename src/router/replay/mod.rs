//! Replay: retained events are delivered again through the mappings as they are now.
//!
//! ```text
//!   log ─▶ which are meant (wish) ─▶ back into the log, as new entries (feeder) ─▶ routed as any other (follower),
//!   but for what newer calls have written since (written)
//! ```
//!
//! # Why
//! An event that is delivered again is a new entry at the end of the log. So it stands behind everything that came before
//! it, keeps the order of its person by construction, and survives a crash as all entries do. How far the job has come is
//! written with the entries, so after a restart it goes on without repeating any. Few of its entries are in the queue at a
//! time, so live events never wait long.

mod feeder;
mod job;
mod wish;
pub(super) mod written;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{Mutex, Notify};

use super::Connection;
use super::route::route;
use crate::delivery::{Position, Status};
use crate::event::Replay;
use crate::instant::Timestamp;
use crate::store::{self, Routed, Store, Stored};
pub use feeder::Feeder;
pub use job::{Job, State, WaitsFor};
pub use wish::Wish;
pub(super) use written::Written;

/// Events that are read at once.
const STEP: usize = 500;

/// Where replays are begun, looked at and cancelled. Clones are the same desk.
#[derive(Clone)]
pub struct Desk {
    jobs: Arc<Mutex<BTreeMap<u64, Job>>>,
    /// Told when there is something to do.
    begun: Arc<Notify>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    connections: Connections,
    written: Written,
}

/// The connections that are in force.
pub type Connections = Arc<dyn Fn() -> Vec<Arc<Connection>> + Send + Sync>;

/// What a replay would come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Events that are meant.
    pub events: u64,
    /// The deliveries they would become.
    pub deliveries: Vec<Counted>,
}

/// Deliveries of one mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The destination.
    pub destination: Arc<str>,
    /// The mapping.
    pub mapping: Arc<str>,
    /// How many.
    pub deliveries: u64,
    /// How many of them would be dead letters at once, because their events do not fit.
    pub unfit: u64,
}

impl Desk {
    /// Begins a replay. The wish was checked.
    pub async fn start(&self, wish: Wish) -> store::Result<Job> {
        let mut jobs = self.jobs.lock().await;
        let id = jobs.last_key_value().map_or(1, |(id, _)| id + 1);
        let (last, began_at) = (self.store.stats().last, (self.clock)());
        let (state, at) = (State::Running, Position(0));
        let job = Job { id, state, wish, began_at, ended_at: None, last, at, fed: 0, waits_for: None };
        self.store.feed(Vec::new(), job.record()).await?;
        jobs.insert(id, job.clone());
        self.begun.notify_one();
        tracing::info!(job.id = id, "Replay {id} has begun");
        Ok(job)
    }

    /// All that are kept, the newest first.
    pub async fn list(&self) -> Vec<Job> {
        self.jobs.lock().await.values().rev().cloned().collect()
    }

    /// One.
    pub async fn show(&self, id: u64) -> Option<Job> {
        self.jobs.lock().await.get(&id).cloned()
    }

    /// Ends one that has not ended: nothing more is put into the log. `None`: there is none.
    pub async fn cancel(&self, id: u64) -> store::Result<Option<Job>> {
        let mut jobs = self.jobs.lock().await;
        let Some(job) = jobs.get_mut(&id) else { return Ok(None) };
        if job.is_running() {
            let mut ended = job.clone();
            ended.end(State::Cancelled, (self.clock)());
            self.store.feed(Vec::new(), ended.record()).await?;
            *job = ended;
            tracing::info!(job.id = id, "Replay {id} was cancelled");
        }
        Ok(Some(job.clone()))
    }

    /// Counts what a replay would come to, without what newer calls have written since.
    pub async fn count(&self, wish: &Wish) -> store::Result<Count> {
        let connections = wanted(&(self.connections)(), &wish.destinations);
        let (suppressed, now) = (self.store.suppressed(), (self.clock)());
        let mut count = Count::default();
        let mut after = Position(0);
        loop {
            let step = self.store.events(after, STEP).await?;
            let Some(last) = step.last() else { return Ok(count) };
            after = last.position;
            for stored in step.iter().filter(|stored| wish.wants(stored, &suppressed)) {
                count.events += 1;
                count.add(route(stored, &connections, now));
                // Mapping may be much work; others have their turn between two.
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Count {
    fn add(&mut self, routed: Routed) {
        for (delivery, progress) in routed.deliveries {
            let same = |one: &&mut Counted| one.destination == delivery.destination && one.mapping == delivery.mapping;
            let unfit = u64::from(matches!(progress.status, Status::DeadLetter { .. }));
            match self.deliveries.iter_mut().find(same) {
                Some(one) => (one.deliveries, one.unfit) = (one.deliveries + 1, one.unfit + unfit),
                None => self.deliveries.push(Counted {
                    destination: delivery.destination,
                    mapping: delivery.mapping,
                    deliveries: 1,
                    unfit,
                }),
            }
        }
    }
}

/// The connections to these destinations; none named: all.
fn wanted(connections: &[Arc<Connection>], destinations: &[Arc<str>]) -> Vec<Arc<Connection>> {
    let is_wanted = |connection: &&Arc<Connection>| destinations.is_empty() || destinations.contains(&connection.name);
    connections.iter().filter(is_wanted).cloned().collect()
}

impl Written {
    /// Makes sure that for all repeated events in this step it is known what newer calls have written.
    pub(super) async fn cover_step(
        &self,
        events: &[Stored],
        store: &dyn Store,
        connections: &[Arc<Connection>],
    ) -> store::Result<()> {
        let (mut keys, mut since) = (HashSet::new(), u64::MAX);
        for stored in events {
            let Some(replay) = &stored.event.envelope.replay else { continue };
            let Ok(view) = stored.event.view() else { continue };
            let own = crate::delivery::key::keys(&view, stored.event.envelope.kind);
            if !self.covers(&own, Position(replay.of)) {
                keys.extend(own);
                since = since.min(replay.of);
            }
        }
        match keys.is_empty() {
            true => Ok(()),
            false => self.cover(keys, Position(since), store, connections).await,
        }
    }

    /// What an event becomes: a repeated one only for the destinations it is repeated for, without what newer calls have
    /// written since it was accepted.
    pub(super) fn route(&self, stored: &Stored, connections: &[Arc<Connection>], now: Timestamp) -> Routed {
        let Some(replay) = &stored.event.envelope.replay else { return route(stored, connections, now) };
        let Replay { of, at, destinations, .. } = &**replay;
        let mut routed = route(stored, &wanted(connections, destinations), now);
        for (delivery, progress) in &mut routed.deliveries {
            (delivery.accepted_at, delivery.replay_of) = (*at, Some(Position(*of)));
            self.fill(Position(*of), delivery, progress, connections, now);
        }
        routed
    }

    /// Takes note of what was routed.
    pub(super) fn note_routed(&self, routed: &Routed, connections: &[Arc<Connection>]) {
        for (delivery, progress) in &routed.deliveries {
            self.note(routed.position, delivery, progress, connections);
        }
    }
}

#[cfg(test)]
mod tests;
