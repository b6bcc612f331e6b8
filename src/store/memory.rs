//! A store in memory, for tests and trials: the same behaviour, nothing on disk.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use tokio::sync::watch;

use super::backlog::{Backlog, Change};
use super::removal::{Removal, changed};
use super::{
    Accepted, Error, Filter, Job, Kind, Open, Opening, Owed, Page, Passing, Removed, Result, Routed, Settings, Stats,
    Store, Stored, Wrote,
};
use crate::delivery::{Delivery, Id, Position, Progress, Status};
use crate::event::{Event, Person};
use crate::instant::Timestamp;

/// The kind, as data.
pub const KIND: Kind = Kind {
    name: "memory",
    summary: "keeps everything in memory and loses it when the process ends",
    durable: false,
    open: |opening: &Opening<'_>| Ok(Arc::new(Memory::new(opening.settings.clone()))),
};

/// A store in memory.
pub struct Memory {
    settings: Settings,
    /// `None`: closed.
    shelf: Mutex<Option<Shelf>>,
    removal: Removal,
    last: watch::Sender<Position>,
}

#[derive(Default)]
struct Shelf {
    events: BTreeMap<Position, Event>,
    deliveries: BTreeMap<Id, (Delivery, Progress)>,
    /// When (source, message id) was accepted.
    known: HashMap<(Arc<str>, String), Timestamp>,
    backlog: Backlog,
    last: Position,
    routed: Position,
    dead_letters: u64,
    jobs: BTreeMap<u64, String>,
    /// By destination, key and thing, what was written past older ones.
    passed: BTreeMap<(Arc<str>, u64, String), Wrote>,
}

impl Memory {
    /// An empty store.
    pub fn new(settings: Settings) -> Memory {
        Memory {
            settings,
            shelf: Mutex::new(Some(Shelf::default())),
            removal: Removal::default(),
            last: watch::Sender::default(),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Option<Shelf>> {
        self.shelf.lock().expect("no call panics while it holds the shelf")
    }

    fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Shelf) -> T) -> BoxFuture<'_, Result<T>> {
        let closed = || Error::Unavailable("it is closed".to_owned());
        future::ready(self.shelf().as_mut().map(act).ok_or_else(closed)).boxed()
    }
}

impl Store for Memory {
    fn accept(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Accepted>>> {
        self.with(|shelf| {
            let accepted = events.into_iter().map(|event| shelf.accept(event)).collect();
            self.last.send_replace(shelf.last);
            accepted
        })
    }

    fn feed(&self, events: Vec<Event>, job: Job) -> BoxFuture<'_, Result<()>> {
        self.with(|shelf| {
            for event in events.into_iter().filter(|event| !self.removal.holds_original(event)) {
                shelf.append(event);
            }
            shelf.jobs.insert(job.id, job.record);
            self.last.send_replace(shelf.last);
        })
    }

    fn jobs(&self) -> BoxFuture<'_, Result<Vec<Job>>> {
        self.with(|shelf| shelf.jobs.iter().map(|(id, record)| Job { id: *id, record: record.clone() }).collect())
    }

    fn events(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<Stored>>> {
        self.with(|shelf| {
            let found = shelf.events.range((Bound::Excluded(after), Bound::Unbounded)).take(max);
            found.map(|(position, event)| Stored { position: *position, event: event.clone() }).collect()
        })
    }

    fn event(&self, position: Position) -> BoxFuture<'_, Result<Option<Stored>>> {
        self.with(|shelf| shelf.events.get(&position).map(|event| Stored { position, event: event.clone() }))
    }

    fn route(&self, routed: &[Routed]) -> BoxFuture<'_, Result<()>> {
        let routed: Vec<Routed> = routed
            .iter()
            .map(|Routed { position, deliveries }| match self.removal.holds(*position) {
                true => Routed { position: *position, deliveries: Vec::new() },
                false => Routed { position: *position, deliveries: deliveries.clone() },
            })
            .collect();
        self.with(|shelf| routed.into_iter().for_each(|routed| shelf.route(routed)))
    }

    fn settle_passing(&self, settlements: &[(Id, &Progress)], passing: Passing<'_>) -> BoxFuture<'_, Result<()>> {
        let settlements: Vec<_> = settlements.iter().map(|(id, progress)| (*id, (*progress).clone())).collect();
        self.with(|shelf| {
            for (id, progress) in settlements {
                if shelf.settle(id, progress) {
                    passing.wrote.iter().filter(|wrote| wrote.by == id).for_each(|wrote| shelf.note(&passing, wrote));
                }
            }
            if !passing.forget.is_empty() {
                let Passing { destination, forget, .. } = passing;
                shelf.passed.retain(|(to, key, _), _| **to != *destination || !forget.contains(key));
            }
        })
    }

    fn passed(&self, destination: &str, keys: &[u64]) -> BoxFuture<'_, Result<Vec<Wrote>>> {
        self.with(|shelf| {
            let is_meant = |(to, key, _): &(Arc<str>, u64, String)| **to == *destination && keys.contains(key);
            shelf.passed.iter().filter(|(slot, _)| is_meant(slot)).map(|(_, wrote)| wrote.clone()).collect()
        })
    }

    fn amend(&self, owed: Vec<Owed>) -> BoxFuture<'_, Result<()>> {
        self.with(|shelf| owed.into_iter().for_each(|owed| shelf.amend(owed)))
    }

    fn open(&self, destination: Option<&str>, after: Option<Id>, max: usize) -> BoxFuture<'_, Result<Vec<Open>>> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with(|shelf| {
            let all = shelf.deliveries.range((after, Bound::Unbounded));
            let open = all.filter(|(_, (delivery, progress))| {
                !progress.status.is_settled() && destination.is_none_or(|name| name == &*delivery.destination)
            });
            open.take(max).map(|(id, (delivery, progress))| stand(*id, delivery, progress)).collect()
        })
    }

    fn open_counts(&self) -> BoxFuture<'_, Result<BTreeMap<Arc<str>, u64>>> {
        self.with(|shelf| {
            let mut counts = BTreeMap::new();
            let open = shelf.deliveries.values().filter(|(_, progress)| !progress.status.is_settled());
            open.for_each(|(delivery, _)| *counts.entry(delivery.destination.clone()).or_default() += 1);
            counts
        })
    }

    fn deliveries(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<Vec<Owed>>> {
        self.with(|shelf| ids.into_iter().filter_map(|id| Some(owed(id, shelf.deliveries.get(&id)?))).collect())
    }

    fn list(&self, filter: Filter, max: usize) -> BoxFuture<'_, Result<Page>> {
        self.with(move |shelf| shelf.list(&filter, max))
    }

    fn trim(&self, now: Timestamp) -> BoxFuture<'_, Result<u64>> {
        let Settings { retention_hours, retention_bytes, dedupe_hours, .. } = self.settings;
        self.with(move |shelf| {
            let removed =
                shelf.trim(super::ago(now, retention_hours), super::future(now)) + shelf.trim_to(retention_bytes);
            shelf.trim_passed();
            removed + shelf.forget(super::ago(now, dedupe_hours))
        })
    }

    fn remove(&self, positions: Vec<Position>) -> BoxFuture<'_, Result<Removed>> {
        self.removal.add(&positions);
        self.with(move |shelf| {
            let mut removed = Removed::default();
            positions.into_iter().for_each(|position| shelf.remove(position, &mut removed));
            removed
        })
    }

    fn is_removed(&self, position: Position) -> bool {
        self.removal.holds(position)
    }

    fn suppress(&self, person: Person, on: bool) -> BoxFuture<'_, Result<()>> {
        self.with(|_| self.removal.suppress(changed(&self.removal.suppressed(), &person, on)))
    }

    fn suppressed(&self) -> Arc<Person> {
        self.removal.suppressed()
    }

    fn stats(&self) -> Stats {
        let shelf = self.shelf();
        let Some(shelf) = shelf.as_ref() else { return Stats::default() };
        Stats {
            backlog: shelf.backlog.counts().clone(),
            last: shelf.last,
            routed: shelf.routed,
            dead_letters: shelf.dead_letters,
            quarantined: 0,
            lost: 0,
            bytes: 0,
        }
    }

    fn grown(&self, after: Position) -> BoxFuture<'_, ()> {
        super::grown(self.last.subscribe(), after)
    }

    fn failure(&self) -> BoxFuture<'_, String> {
        future::pending().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.shelf().take();
        future::ready(()).boxed()
    }
}

impl Shelf {
    fn accept(&mut self, event: Event) -> Accepted {
        let key = (event.envelope.source.clone(), event.envelope.message_id.clone());
        if self.known.contains_key(&key) {
            return Accepted::Duplicate;
        }
        self.known.insert(key, event.envelope.received_at);
        Accepted::New(self.append(event))
    }

    fn append(&mut self, event: Event) -> Position {
        self.last = Position(self.last.0 + 1);
        self.backlog.apply(Change::Accepted(self.last, event.envelope.source.clone()));
        self.events.insert(self.last, event);
        self.last
    }

    fn route(&mut self, routed: Routed) {
        if routed.position <= self.routed {
            return;
        }
        self.routed = routed.position;
        self.last = self.last.max(routed.position);
        self.backlog.apply(Change::Routed(routed.position));
        for (number, (delivery, progress)) in (0..).zip(routed.deliveries) {
            if !progress.status.is_settled() {
                self.backlog.apply(Change::Opened(delivery.source.clone()));
            }
            self.dead_letters += u64::from(is_dead(&progress));
            self.deliveries.insert(Id { position: routed.position, number }, (delivery, progress));
        }
    }

    /// False: it is gone.
    fn settle(&mut self, id: Id, progress: Progress) -> bool {
        let Some((delivery, present)) = self.deliveries.get_mut(&id) else { return false };
        match (present.status.is_settled(), progress.status.is_settled()) {
            (false, true) => self.backlog.apply(Change::Closed(delivery.source.clone())),
            (true, false) => self.backlog.apply(Change::Opened(delivery.source.clone())),
            _ => {}
        }
        self.dead_letters += u64::from(is_dead(&progress));
        self.dead_letters -= u64::from(is_dead(present));
        *present = progress;
        true
    }

    fn amend(&mut self, Owed { id, delivery, progress }: Owed) {
        if let Some((present, _)) = self.deliveries.get_mut(&id) {
            *present = delivery;
            self.settle(id, progress);
        }
    }

    fn list(&self, filter: &Filter, max: usize) -> Page {
        let above = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let below = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        if let (Some(after), Some(before)) = (filter.after, filter.before)
            && after >= before
        {
            return Page::default();
        }
        let range = self.deliveries.range((above, below));
        let mut all: Box<dyn Iterator<Item = _>> =
            if filter.oldest_first { Box::new(range) } else { Box::new(range.rev()) };
        let mut wanted = all.by_ref().filter(|(_, (delivery, progress))| filter.wants(delivery, progress));
        let found: Vec<Owed> = wanted.by_ref().take(max).map(|(id, kept)| owed(*id, kept)).collect();
        let next = found.last().map(|owed| owed.id).filter(|_| found.len() == max && wanted.next().is_some());
        Page { found, next }
    }

    fn remove(&mut self, position: Position, removed: &mut Removed) {
        let all = Id { position, number: 0 }..=Id { position, number: u16::MAX };
        let ids: Vec<Id> = self.deliveries.range(all).map(|(id, _)| *id).collect();
        for (delivery, progress) in ids.iter().filter_map(|id| self.deliveries.remove(id)) {
            match (progress.status.is_settled(), is_dead(&progress)) {
                (false, _) => {
                    removed.open += 1;
                    self.backlog.apply(Change::Closed(delivery.source));
                }
                (true, true) => {
                    removed.dead_letters += 1;
                    self.dead_letters -= 1;
                }
                (true, false) => removed.ended += 1,
            }
        }
        self.passed.retain(|_, wrote| wrote.by.position != position);
        if self.events.remove(&position).is_some() {
            removed.events += 1;
            if position > self.routed {
                self.backlog.apply(Change::Lost(position));
            }
        }
    }

    /// The oldest events first, up to the first that is to be kept for its age.
    fn trim(&mut self, before: Timestamp, future: Timestamp) -> u64 {
        let had = self.events.len() + self.deliveries.len();
        let known = self.events.range(..=self.routed).filter(|(_, event)| event.envelope.received_at <= future);
        let old = known.take_while(|(_, event)| event.envelope.received_at < before);
        let Some(end) = old.last().map(|(position, _)| *position) else { return 0 };
        let stays = |progress: &Progress| !progress.status.is_settled() || is_dead(progress);
        self.deliveries.retain(|id, (_, progress)| id.position > end || stays(progress));
        let kept = &self.deliveries;
        let is_needed = |position| kept.range(Id { position, number: 0 }..=Id { position, number: u16::MAX }).next();
        self.events.retain(|position, _| *position > end || is_needed(*position).is_some());
        (had - self.events.len() - self.deliveries.len()) as u64
    }

    /// The oldest events while the bodies of all have more bytes than that.
    fn trim_to(&mut self, bytes_max: u64) -> u64 {
        let size = |event: &Event| event.body.len() as u64;
        let mut over = self.events.values().map(size).sum::<u64>().saturating_sub(bytes_max);
        let kept = &self.deliveries;
        let of = |position| Id { position, number: 0 }..=Id { position, number: u16::MAX };
        let may_go = |position: &Position| {
            kept.range(of(*position)).all(|(_, (_, progress))| progress.status.is_settled() && !is_dead(progress))
        };
        let mut going = Vec::new();
        for (position, event) in self.events.range(..=self.routed).filter(|(position, _)| may_go(position)) {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(size(event));
            going.push(*position);
        }
        let had = self.events.len() + self.deliveries.len();
        for position in going {
            self.events.remove(&position);
            self.deliveries.retain(|id, _| id.position != position);
        }
        (had - self.events.len() - self.deliveries.len()) as u64
    }

    fn note(&mut self, passing: &Passing<'_>, wrote: &Wrote) {
        let slot = (passing.destination.into(), wrote.key, wrote.thing.clone());
        let known = self.passed.entry(slot).or_insert_with(|| wrote.clone());
        if wrote.stands_at >= known.stands_at {
            *known = wrote.clone();
        }
    }

    fn trim_passed(&mut self) {
        let mut first: HashMap<Arc<str>, Id> = HashMap::new();
        for (id, (delivery, _)) in self.deliveries.iter().filter(|(_, (_, progress))| !progress.status.is_settled()) {
            first.entry(delivery.destination.clone()).or_insert(*id);
        }
        self.passed.retain(|(to, ..), wrote| first.get(to).is_some_and(|first| wrote.by >= *first));
    }

    fn forget(&mut self, before: Timestamp) -> u64 {
        let had = self.known.len();
        self.known.retain(|_, accepted_at| *accepted_at >= before);
        (had - self.known.len()) as u64
    }
}

fn is_dead(progress: &Progress) -> bool {
    matches!(progress.status, Status::DeadLetter { .. })
}

fn owed(id: Id, (delivery, progress): &(Delivery, Progress)) -> Owed {
    Owed { id, delivery: delivery.clone(), progress: progress.clone() }
}

fn stand(id: Id, delivery: &Delivery, progress: &Progress) -> Open {
    let (until, parked) = match progress.status {
        Status::Waiting { until, parked, .. } => (Some(until), parked),
        _ => (None, false),
    };
    let (destination, source) = (delivery.destination.clone(), delivery.source.clone());
    Open { id, destination, source, keys: delivery.keys.clone(), until, parked, accepted_at: delivery.accepted_at }
}
