//! The feeder: puts the events of replays back into the log, one job after the other, while little waits there.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::job::{Job, Meter, State, WaitsFor};
use super::wish::Wish;
use super::{Connections, Desk, STEP, Written};
use crate::delivery::{Position, key};
use crate::event::{Event, Replay};
use crate::instant::Timestamp;
use crate::router::pace::{Board, Hold};
use crate::router::wait_for_store;
use crate::store::{self, Store, Stored};

/// Nothing is put into the log while more than this could be delivered, so that a live event stands behind few repeated ones.
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
    board: Board,
    /// Which job it works on, and how fast.
    current: Option<(u64, Meter)>,
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
        (connections, board): (Connections, Board),
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
        Ok((desk.clone(), Feeder { desk, board, current: None, block: Block::default(), fed_to }))
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
            && self.current.as_ref().is_none_or(|(id, ..)| *id != job.id)
        {
            self.current = Some((job.id, Meter::new(job.wish.rate, (self.desk.clock)())));
            self.block = Block { end: job.at, ..Block::default() };
        }
        job
    }

    /// Puts the next events into the log. False: there is no room for any now.
    async fn step(&mut self, job: Job) -> store::Result<bool> {
        let Some((_, meter)) = &mut self.current else { return Ok(false) };
        let room = meter.room((self.desk.clock)()).min(CHUNK as u64) as usize;
        let waits_for = self.waits_for(&job.wish);
        if job.waits_for != waits_for
            && let Some(job) = self.desk.jobs.lock().await.get_mut(&job.id).filter(|job| job.is_running())
        {
            job.waits_for = waits_for;
        }
        if room == 0 || waits_for.is_some() {
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
        if let Some((_, meter)) = &mut self.current {
            meter.used(chunk.len());
        }
        Ok(true)
    }

    /// What keeps it from putting more into the log: what is still to be routed, or could go at once at the destinations that
    /// are meant; or one of them that is not sent to, where all that is repeated would pile up. One that is off gets nothing.
    fn waits_for(&self, wish: &Wish) -> Option<WaitsFor> {
        let stats = self.desk.store.stats();
        let all = self.board.all();
        let is_meant = |name: &Arc<str>| wish.destinations.is_empty() || wish.destinations.contains(name);
        let meant = all.iter().filter(|(name, standing)| is_meant(name) && standing.hold != Hold::Off.reason());
        let meant: Vec<_> = meant.map(|(_, standing)| standing).collect();
        if meant.iter().any(|standing| standing.hold.is_some()) {
            return Some(WaitsFor::Destinations);
        }
        let able: u64 = meant.iter().map(|standing| standing.able).sum();
        (stats.last.0.saturating_sub(stats.routed.0) + able > BACKLOG_MAX).then_some(WaitsFor::Queue)
    }

    /// Writes the entries and how far the job has come, unless it was cancelled meanwhile.
    async fn feed(&self, id: u64, at: Position, chunk: &[Stored]) -> store::Result<()> {
        let mut jobs = self.desk.jobs.lock().await;
        let Some(job) = jobs.get_mut(&id).filter(|job| job.is_running()) else { return Ok(()) };
        let now = (self.desk.clock)();
        let mut next = job.clone();
        // Somebody may have been deleted, or be refused, since the block was read.
        let (store, suppressed) = (&self.desk.store, self.desk.store.suppressed());
        let is_meant = |stored: &&Stored| !store.is_removed(stored.position) && next.wish.wants(stored, &suppressed);
        let chunk: Vec<&Stored> = chunk.iter().filter(is_meant).collect();
        (next.at, next.fed) = (at, next.fed + chunk.len() as u64);
        if next.at >= next.last {
            next.end(State::Done, now);
        }
        let events = chunk.into_iter().map(|stored| repeated(stored, &next, now)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::PaceSettings;
    use crate::router::pace::{Owing, Pace, Standing};
    use crate::store::Settings;
    use crate::store::memory::Memory;

    const T: Timestamp = Timestamp::UNIX_EPOCH;

    fn standing(able: u64) -> Standing {
        let owed = Owing { pending: 10_000, able, ..Owing::default() };
        Pace::new(&PaceSettings::default()).standing(T, owed)
    }

    fn paused() -> Standing {
        Standing { hold: Hold::Paused.reason(), ..standing(0) }
    }

    fn off() -> Standing {
        Standing { hold: Hold::Off.reason(), ..standing(0) }
    }

    #[track_caller]
    fn check(all: &[(&str, Standing)], expected: Option<WaitsFor>) {
        let board = Board::default();
        all.iter().for_each(|(name, standing)| board.put(&Arc::from(*name), standing.clone()));
        let store = Arc::new(Memory::new(Settings::default()));
        let feeder = Feeder::new(store, Arc::new(|| T), (Arc::new(Vec::new), board), Written::default());
        let (_, feeder) = futures_util::FutureExt::now_or_never(feeder).unwrap().unwrap();
        let wish = Wish { destinations: vec!["crm".into(), "desk".into()], ..Wish::default() };
        assert_eq!(feeder.waits_for(&wish), expected);
    }

    #[test]
    fn only_what_can_go_where_it_is_meant_keeps_a_replay_waiting() {
        check(&[], None);
        check(&[("crm", standing(400))], None);
        check(&[("crm", standing(401))], Some(WaitsFor::Queue));
        check(&[("crm", standing(0)), ("other", standing(10_000))], None);
        check(&[("crm", standing(0)), ("other", paused())], None);
        check(&[("crm", standing(0)), ("desk", paused())], Some(WaitsFor::Destinations));
        check(&[("crm", standing(0)), ("desk", off())], None);
    }
}
