//! Which part of what is owed is in memory, so that a million deliveries do not mean a million objects.
//!
//! ```text
//!   ids ─▶   ······ memory and shelf ······ frontier │ only in the store ······ told
//! ```
//!
//! Everything up to the frontier was looked at: it is in memory, or on the shelf (`shelf.rs`). Beyond it deliveries are
//! only in the store. A conductor with its frontier at the end takes what is routed as it comes; one that lags reads it
//! page by page when it has room.
//!
//! # Why
//! A person who cannot be served may have a long line. When there is no room and few can go, the newest of those who stand
//! behind another are put on the shelf (`shelve.rs`), and others of the same people are passed over (`admit.rs`), so that
//! everybody else goes on. Those who rest outside their lines have a bound of their own and are put on the shelf likewise;
//! an event of such a person fetches them. The shelf is looked through again when nobody in memory holds up one on it, or
//! one that rests is due; that takes a quarter of the time at most.

use std::collections::HashSet;
use std::time::Duration;

use super::shelf::{Keys, SecondLook, Shelf, Wants};
use super::{Alarm, Conductor, Joining};
use crate::delivery::Id;
use crate::instant::Timestamp;

/// How much of what is owed to one destination is in memory, in deliveries.
#[derive(Debug, Clone, Copy)]
pub(in crate::router) struct Bounds {
    /// In their lines.
    pub(in crate::router) lined: usize,
    /// Outside their lines, because they came too early.
    pub(in crate::router) parked: usize,
    /// Read at once.
    pub(in crate::router) page: usize,
}

impl Default for Bounds {
    /// Some 10 MB each for those in lines and those outside, besides payloads; more than a minute of work at the rates that
    /// destinations allow.
    fn default() -> Self {
        Bounds { lined: 16_384, parked: 16_384, page: 4_096 }
    }
}

/// A page to be read: open deliveries after an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) struct Read {
    pub(in crate::router) after: Option<Id>,
    pub(in crate::router) max: usize,
}

/// What is routed while a page is read is kept up to this many deliveries.
const ARRIVED_MAX: usize = 1024;
/// After a look through the shelf since which no attempt has ended; doubled by each further one.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longer than any look takes: one that seems to have taken more saw the clock set forward.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Where reading stands.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) bounds: Bounds,
    pub(super) frontier: Option<Id>,
    /// The last one that is known to be in the store.
    told: Option<Id>,
    pub(super) shelf: Shelf,
    /// Whom those on the shelf are about.
    pub(super) keys: Keys,
    pub(super) wants: Wants,
    pub(super) second_look: Option<SecondLook>,
    /// The next one begins no sooner.
    not_before: Timestamp,
    pause: Duration,
    /// A page is being read; and what was told when that began.
    reading: Option<(Read, Option<Id>)>,
    /// Routed since then.
    arrived: Vec<Joining>,
    /// Opened again since then, beyond the frontier.
    reopened: Vec<Joining>,
    has_missed: bool,
    /// Ended or put on the shelf since then: the page may show them as they were.
    ended: HashSet<Id>,
    /// Too few in lines could be put on the shelf; not tried again before then.
    pub(super) lines_tried_until: Timestamp,
    /// The same of those outside.
    pub(super) outside_tried_until: Timestamp,
}

impl Window {
    pub(super) fn new(bounds: Bounds, told: Option<Id>, now: Timestamp) -> Window {
        Window {
            bounds,
            frontier: None,
            told,
            shelf: Shelf::default(),
            keys: Keys::default(),
            wants: Wants::default(),
            second_look: None,
            not_before: now,
            pause: Duration::ZERO,
            reading: None,
            arrived: Vec::new(),
            reopened: Vec::new(),
            has_missed: false,
            ended: HashSet::new(),
            lines_tried_until: now,
            outside_tried_until: now,
        }
    }

    /// Whether everything that is owed was looked at.
    pub(super) fn is_at_head(&self) -> bool {
        self.frontier >= self.told
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.shelf.set_back(by);
        self.not_before -= by;
        self.lines_tried_until -= by;
        self.outside_tried_until -= by;
        if let Some(look) = &mut self.second_look {
            look.shelf.set_back(by);
            look.began_at -= by;
        }
    }

    /// An attempt has ended, so there may be somebody to take from the shelf.
    pub(super) fn something_moved(&mut self) {
        self.pause = Duration::ZERO;
    }

    pub(super) fn is_shelf_empty(&self) -> bool {
        self.shelf.is_empty() && self.second_look.as_ref().is_none_or(|look| look.shelf.is_empty())
    }

    /// Whether one with this key is on the shelf, as it was before or as it will be after a second look.
    pub(super) fn is_shelved(&self, key: u64, is_parked: bool) -> bool {
        let future = self.second_look.as_ref().map(|look| &look.shelf);
        let holds = |shelf: &Shelf| shelf.holds(&self.keys, key, is_parked);
        holds(&self.shelf) || future.is_some_and(holds)
    }

    /// Whether one with this key that came too early is on the shelf and older than this one.
    pub(super) fn is_parked_before(&self, key: u64, id: Id) -> bool {
        let holds = |shelf: &Shelf| shelf.holds_before(&self.keys, key, true, id);
        match &self.second_look {
            // What is older was looked at: it is in memory, or stays.
            Some(look) if look.after >= Some(id) => holds(&look.shelf),
            look => look.as_ref().is_some_and(|look| holds(&look.shelf)) || holds(&self.shelf),
        }
    }

    /// Those with these keys wait for one in memory.
    pub(super) fn wait(&mut self, keys: &[u64]) {
        self.shelf.wait(keys);
        self.second_look.iter_mut().for_each(|look| look.shelf.wait(keys));
    }

    /// Nobody in memory holds up those with these keys.
    pub(super) fn want(&mut self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            if self.is_shelved(key, false) || self.is_shelved(key, true) {
                self.wants.keys.insert(key);
                self.second_look.as_mut().map(|look| look.wants.keys.insert(key));
            }
        }
    }

    /// Something about these people was delivered.
    pub(super) fn stir(&mut self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            if self.is_shelved(key, true) {
                self.wants.stirred.insert(key);
            }
        }
    }

    /// One that rests on the shelf stands behind nobody in memory any more.
    pub(super) fn make_due(&mut self) {
        self.shelf.rests(Timestamp::MIN);
        self.second_look.iter_mut().for_each(|look| look.shelf.rests(Timestamp::MIN));
    }

    /// There is no room for one that may go.
    pub(super) fn want_room(&mut self) {
        self.wants.room = true;
        self.second_look.iter_mut().for_each(|look| look.wants.room = true);
    }

    /// Puts one on the shelf that no second look will come upon.
    pub(super) fn put(&mut self, id: Id, keys: &[u64], is_parked: bool, until: Option<Timestamp>) {
        self.ended(id);
        let future = self.second_look.as_mut().map(|look| &mut look.shelf);
        for shelf in std::iter::once(&mut self.shelf).chain(future) {
            shelf.put(&mut self.keys, id, keys, is_parked);
            until.into_iter().for_each(|until| shelf.rests(until));
        }
    }

    /// One has ended, or is on the shelf.
    pub(super) fn ended(&mut self, id: Id) {
        if self.reading.is_some() {
            self.ended.insert(id);
        }
    }
}

impl Conductor {
    /// These were routed just now, in order.
    pub(in crate::router) fn routed(&mut self, joining: Vec<Joining>, now: Timestamp) {
        self.look(now);
        self.open += joining.len() as i64;
        let was_at_head = self.window.is_at_head();
        let Window { told, reading, arrived, has_missed, .. } = &mut self.window;
        *told = (*told).max(joining.last().map(|one| one.id));
        if was_at_head {
            self.take_newest(joining, now);
            // For some there was no room. Those that come from here on are not the next ones.
            self.window.has_missed = self.window.reading.is_some() && !self.window.is_at_head();
        } else if reading.is_some() && !*has_missed {
            // What is owed may be long, and is read when its turn comes.
            arrived.extend(joining.into_iter().map(|one| Joining { owed: None, ..one }));
            *has_missed = arrived.len() > ARRIVED_MAX;
            if *has_missed {
                arrived.clear();
            }
        }
    }

    /// So many were routed just now, the last of them this one; they are read when there is room.
    pub(in crate::router) fn routed_unseen(&mut self, count: usize, last: Id) {
        self.open += count as i64;
        self.window.told = self.window.told.max(Some(last));
        self.window.has_missed = self.window.reading.is_some();
        self.window.arrived.clear();
    }

    /// Takes what is newer than all that was looked at, as far as there is room; the rest is read later.
    fn take_newest(&mut self, joining: Vec<Joining>, now: Timestamp) {
        for one in joining {
            if Some(one.id) > self.window.frontier && !self.look_at_newest(one, now) {
                return;
            }
        }
    }

    /// These had ended and are open again: each goes to the end of its lines.
    pub(in crate::router) fn reopened(&mut self, joining: Vec<Joining>, now: Timestamp) {
        self.look(now);
        for one in joining {
            self.open += 1;
            self.window.told = self.window.told.max(Some(one.id));
            match self.is_under_way(one.id.position) {
                true => self.reopened.push(one),
                false => self.admit_again(one, now),
            }
        }
    }

    /// One that nobody has looked at yet is read in its place; but a page that is being read may be from before.
    pub(super) fn admit_again(&mut self, one: Joining, now: Timestamp) {
        self.window.ended.remove(&one.id);
        if Some(one.id) > self.window.frontier {
            if self.window.reading.is_some() {
                self.window.reopened.push(one);
            }
        } else if !self.is_in_memory(one.id) {
            self.admit(one, false, now);
        }
    }

    /// The page that was asked for.
    pub(in crate::router) fn page(&mut self, page: Vec<Joining>, now: Timestamp) {
        self.look(now);
        let Some((read, told)) = self.window.reading else { return };
        let is_last = page.len() < read.max;
        // Who goes to the shelf meanwhile, to make room, may stand further on in the page as it was before.
        let is_through = page.into_iter().all(|one| self.look_at(one, now));
        self.window.reading = None;
        self.window.ended.clear();
        let arrived = std::mem::take(&mut self.window.arrived);
        let has_missed = std::mem::take(&mut self.window.has_missed);
        if is_last && is_through {
            self.end_second_look(now);
            self.window.frontier = self.window.frontier.max(told);
            if !has_missed {
                self.take_newest(arrived, now);
            }
        }
        let reopened = std::mem::take(&mut self.window.reopened);
        reopened.into_iter().for_each(|one| self.admit_again(one, now));
        if is_last && is_through {
            self.count_anew();
        }
    }

    /// Deliveries may have been removed from the store; when all are in memory, they can be counted.
    fn count_anew(&mut self) {
        if self.window.is_at_head() && self.window.is_shelf_empty() {
            self.open = (self.lined + self.parked.len()) as i64;
        }
    }

    /// Takes one of a page into memory or passes it over. False: there is no room to look further.
    fn look_at(&mut self, one: Joining, now: Timestamp) -> bool {
        let id = one.id;
        if Some(id) > self.window.frontier {
            self.end_second_look(now);
        }
        if self.window.second_look.is_none() {
            return self.look_at_newest(one, now);
        }
        if !self.is_known(id) {
            self.admit(one, true, now);
        }
        self.window.second_look.iter_mut().for_each(|look| look.after = Some(id));
        true
    }

    /// The same for one that nobody looked at before.
    fn look_at_newest(&mut self, one: Joining, now: Timestamp) -> bool {
        let id = one.id;
        if !self.is_known(id) && !self.admit_newest(one, now) {
            return false;
        }
        self.window.frontier = self.window.frontier.max(Some(id));
        true
    }

    /// Whether it is not to be taken from a page: it has ended since, is in memory, or comes by itself.
    fn is_known(&self, id: Id) -> bool {
        let is_to_come = || self.reopened.iter().any(|one| one.id == id);
        self.window.ended.contains(&id) || self.is_in_memory(id) || is_to_come()
    }

    /// What is to be read now, if anything.
    pub(super) fn read_next(&mut self, now: Timestamp) -> Option<Read> {
        if self.window.reading.is_some() {
            return None;
        }
        if self.window.second_look.is_none() && self.is_second_look_due(now) {
            let stirred = std::mem::take(&mut self.window.wants.stirred);
            self.window.second_look = Some(SecondLook::new(&self.window.shelf, stirred, now));
        }
        let Bounds { lined, page, .. } = self.window.bounds;
        let read = match &self.window.second_look {
            Some(look) => Read { after: look.after, max: page },
            None if self.window.is_at_head() => return None,
            None => Read { after: self.window.frontier, max: page.min(self.room_of(lined / 8, now)?) },
        };
        self.window.reading = Some((read, self.window.told));
        Some(read)
    }

    /// How many more may join their lines, if that is at least so many.
    fn room_of(&mut self, least: usize, now: Timestamp) -> Option<usize> {
        let room = |conductor: &Conductor| {
            let Bounds { lined, parked, .. } = conductor.window.bounds;
            let in_all = (lined + parked).saturating_sub(conductor.lined + conductor.parked.len());
            lined.saturating_sub(conductor.lined).min(in_all)
        };
        let least = least.max(1);
        // While nothing is sent nobody makes room, however often it is tried.
        if room(self) < least && self.pace.hold(now).reason().is_none() {
            self.shelve_lined(now);
            self.shelve_parked(false, now);
        }
        Some(room(self)).filter(|room| *room >= least)
    }

    fn is_second_look_due(&mut self, now: Timestamp) -> bool {
        let Window { shelf, wants, not_before, .. } = &self.window;
        let not_before = *not_before;
        // Whoever were taken could not go.
        if shelf.is_empty() || self.pace.hold(now).reason().is_some() {
            return false;
        }
        let is_stirred = !wants.stirred.is_empty() && self.few_can_go_outside();
        let is_due = is_stirred || shelf.due_at.is_some_and(|until| until <= now) && self.few_are_due_outside();
        let needs_room = wants.room || !wants.keys.is_empty();
        let least = self.window.bounds.lined / 4;
        not_before <= now && (is_due || needs_room && self.room_of(least, now).is_some())
    }

    fn end_second_look(&mut self, now: Timestamp) {
        let Some(look) = self.window.second_look.take() else { return };
        let took = Duration::try_from(now.duration_since(look.began_at)).unwrap_or_default().min(LOOK_MAX);
        let Window { shelf, keys, wants, not_before, pause, .. } = &mut self.window;
        *not_before = now + (took * 3).max(*pause);
        *pause = (*pause * 2).clamp(PAUSE, PAUSE_MAX);
        let stirred = std::mem::take(&mut wants.stirred);
        keys.forget(shelf);
        (*shelf, *wants) = (look.shelf, Wants { stirred, ..look.wants });
        if !shelf.is_empty() {
            self.alarms.set(*not_before, Alarm::Shelf);
        }
        if let Some(until) = shelf.due_at {
            self.alarms.set(until, Alarm::Shelf);
        }
    }
}
