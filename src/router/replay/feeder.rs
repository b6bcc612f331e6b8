//! The feeder: puts the events of replays back into the log, one job after the other, while little waits there.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::job::{Job, State, allowance};
use super::{Connections, Desk, STEP, Written};
use crate::delivery::{Position, key};
use crate::event::{Event, Replay};
use crate::instant::Timestamp;
use crate::router::wait_for_store;
use crate::store::{self, Store, Stored};

/// Nothing is put into the log while more than this waits, so that a live event stands behind few repeated ones.
const BACKLOG_MAX: u64 = 400;
/// Events that are put into the log together.
const CHUNK: usize = 100;
/// Events for which it is learned at once what newer calls have written.
const BLOCK: usize = 2_000;
/// How often it is looked whether there is room.
const LOOK: Duration = Duration::from_millis(20);

/// Works on the jobs of a desk.
pub struct Feeder {
    desk: Desk,
    /// Which job it works on, since when, and how many of its events it has put into the log in this process.
    current: Option<(u64, Timestamp, u64)>,
    block: Block,
    /// The entries it has put into the log end here, at the latest.
    fed_to: Position,
}

/// Events that were read and are meant, the next one first.
#[derive(Default)]
struct Block {
    events: VecDeque<Stored>,
    /// Up to here everything has been looked at, once the block is used up.
    end: Position,
}

impl Feeder {
    /// Reads which jobs an earlier process left, and answers the desk with the one who works for it.
    pub(in crate::router) async fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        connections: Connections,
        written: Written,
    ) -> store::Result<(Desk, Feeder)> {
        let mut jobs = BTreeMap::new();
        for kept in store.jobs().await? {
            match serde_json::from_str::<Job>(&kept.record) {
                Ok(job) => drop(jobs.insert(kept.id, job)),
                Err(error) => {
                    tracing::error!(job.id = kept.id, %error, "The record of job {} is not understood", kept.id)
                }
            }
        }
        let begun = Arc::new(Notify::new());
        let fed_to = store.stats().last;
        let desk = Desk { jobs: Arc::new(Mutex::new(jobs)), begun, store, clock, connections, written };
        Ok((desk.clone(), Feeder { desk, current: None, block: Block::default(), fed_to }))
    }

    /// Works for ever.
    pub async fn run(mut self) {
        loop {
            let Some(job) = self.next_job().await else {
                self.desk.begun.notified().await;
                continue;
            };
            match self.step(job).await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(LOOK).await,
                Err(error) => wait_for_store(&error).await,
            }
        }
    }

    async fn next_job(&mut self) -> Option<Job> {
        let job = self.desk.jobs.lock().await.values().find(|job| job.is_running()).cloned();
        if let Some(job) = &job
            && self.current.is_none_or(|(id, ..)| id != job.id)
        {
            self.current = Some((job.id, (self.desk.clock)(), 0));
            self.block = Block { end: job.at, ..Block::default() };
        }
        job
    }

    /// Puts the next events into the log. False: there is no room for any now.
    async fn step(&mut self, job: Job) -> store::Result<bool> {
        let Some((_, since, fed)) = self.current else { return Ok(false) };
        let running = (self.desk.clock)().duration_since(since).as_secs_f64();
        let room = allowance(job.wish.rate, fed, running).min(CHUNK as u64) as usize;
        let waiting: u64 = self.desk.store.stats().backlog.values().sum();
        if room == 0 || waiting > BACKLOG_MAX {
            return Ok(false);
        }
        if self.block.events.is_empty() && self.block.end < job.last {
            return self.read_block(&job).await;
        }
        let chunk: Vec<Stored> = self.block.events.iter().take(room).cloned().collect();
        let is_last_chunk = chunk.len() == self.block.events.len();
        let at = if is_last_chunk { self.block.end } else { chunk.last().map_or(job.at, |last| last.position) };
        self.feed(job.id, at, &chunk).await?;
        self.fed_to = self.desk.store.stats().last;
        self.block.events.drain(..chunk.len());
        if let Some((.., fed)) = &mut self.current {
            *fed += chunk.len() as u64;
        }
        Ok(true)
    }

    /// Writes the entries and how far the job has come, unless it was cancelled meanwhile.
    async fn feed(&self, id: u64, at: Position, chunk: &[Stored]) -> store::Result<()> {
        let mut jobs = self.desk.jobs.lock().await;
        let Some(job) = jobs.get_mut(&id).filter(|job| job.is_running()) else { return Ok(()) };
        let now = (self.desk.clock)();
        let mut next = job.clone();
        (next.at, next.fed) = (at, next.fed + chunk.len() as u64);
        if next.at >= next.last {
            next.end(State::Done, now);
        }
        let events = chunk.iter().map(|stored| repeated(stored, &next, now)).collect();
        self.desk.store.feed(events, next.record()).await?;
        if !next.is_running() {
            tracing::info!(
                job.id = id,
                events = next.fed,
                "Replay {id} is done: {} events were put into the log again",
                next.fed
            );
        }
        *job = next;
        Ok(())
    }

    /// Reads the next events that are meant, and learns what newer calls of their people have written.
    async fn read_block(&mut self, job: &Job) -> store::Result<bool> {
        let stats = self.desk.store.stats();
        if stats.routed < self.fed_to {
            // What was learned for the last block is needed until all of that is routed.
            return Ok(false);
        }
        let suppressed = self.desk.store.suppressed();
        let (mut events, mut end) = (VecDeque::new(), self.block.end);
        while end < job.last && events.len() < BLOCK {
            let step = self.desk.store.events(end, STEP).await?;
            let Some(last) = step.last() else {
                end = job.last;
                break;
            };
            end = last.position.min(job.last);
            let meant =
                step.into_iter().filter(|stored| stored.position <= job.last && job.wish.wants(stored, &suppressed));
            events.extend(meant);
            tokio::task::yield_now().await;
        }
        self.learn(&events).await?;
        self.block = Block { events, end };
        Ok(true)
    }

    async fn learn(&self, events: &VecDeque<Stored>) -> store::Result<()> {
        self.desk.written.clear();
        let mut keys = HashSet::new();
        for stored in events {
            if let Ok(view) = stored.event.view() {
                keys.extend(key::keys(&view, stored.event.envelope.kind));
            }
        }
        let Some(first) = events.front().filter(|_| !keys.is_empty()) else { return Ok(()) };
        let connections = (self.desk.connections)();
        self.desk.written.cover(keys, first.position, &*self.desk.store, &connections).await
    }
}

/// The event as a new entry: the same in all that mappings see.
fn repeated(stored: &Stored, job: &Job, now: Timestamp) -> Event {
    let mut event = stored.event.clone();
    let destinations = job.wish.destinations.clone();
    event.envelope.replay = Some(Box::new(Replay { job: job.id, of: stored.position.0, at: now, destinations }));
    event
}
