//! One connection's conductor: who goes now, who waits until when, and what is read from the store. Pure: it is told what
//! happened and what time it is, and answers what is to be done.
//!
//! ```text
//!   routed · reopened · page · finished · probed ─▶ Conductor ─▶ next(): begin an attempt · read a page · probe
//!   use_now · off · pause                                        wake_at(): nothing more to do until then
//! ```
//!
//! `stage.rs` does what it says. A person's events stand in `lanes` (`turns`); what came too early stands outside them
//! (`parked`); the destination may hold up everything (`standing`); of a long backlog only a part is in memory (`window`,
//! `admit`, `shelve`, `shelf`, `firsts`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::alarms::{Alarm, Alarms};
use self::parked::Parked;
use self::turns::Turn;
use self::window::Window;
use super::PaceSettings;
use super::attempt::Next;
use super::bring::Finished;
use super::lanes::Lanes;
use super::pace::{Ended, Hold, Owing, Pace, Standing, Waiting};
use super::standstill::Standstills;
use crate::delivery::retry;
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;

mod admit;
mod alarms;
#[cfg(test)]
mod check;
mod firsts;
mod parked;
mod shelf;
mod shelve;
mod standing;
mod step;
#[cfg(test)]
mod tests;
mod turns;
mod window;

pub(super) use step::{Begin, Behind, Generation, Joining, Step, size};
pub(super) use window::{Bounds, Read};

/// Payloads that wait for their turn are held in memory up to this many bytes; beyond, they are read when needed.
const HELD_MAX: usize = 32 * 1024 * 1024;
/// Of so many attempts one may be of a parked one that nothing woke, while events wait for their turn: most such attempts
/// find that the contact is still not there. A newer event of the person calls it as well.
const DUE_SHARE: usize = 8;

pub(super) struct Conductor {
    name: Arc<str>,
    generation: Generation,
    probe_interval: Duration,
    /// No wait is longer, whatever a clock that ran ahead has written.
    longest_wait: Duration,
    lanes: Lanes<Position>,
    turns: BTreeMap<Position, Turn>,
    /// Deliveries in `turns`.
    lined: usize,
    outside: Lanes<Id>,
    parked: BTreeMap<Id, Parked>,
    /// Parked ones are attempted on a part of the connection, so that many of them do not keep the others waiting.
    parked_at_once_max: usize,
    parked_under_way: usize,
    /// Of those outside that rest, whose time has come.
    due: BTreeSet<Id>,
    /// Attempts that began since one of them did.
    since_due: usize,
    /// Whether the last attempt met a destination in trouble.
    in_trouble: bool,
    /// Events that have their turn, by the one of their person's parked deliveries that is older and on its way.
    held_back: BTreeMap<Id, Vec<Position>>,
    /// The other way round: those outside that have their turn, by the newer event of their person that is being attempted.
    held_up: BTreeMap<Position, Vec<Id>>,
    pace: Pace,
    alarms: Alarms,
    standstills: Standstills,
    window: Window,
    is_probe_due: bool,
    under_way: BTreeSet<Id>,
    /// Opened again while something of the same event is under way, perhaps before it was heard that they had ended.
    reopened: Vec<Joining>,
    /// Bytes of payloads in memory.
    held: usize,
    open: i64,
    /// Events that keep their turn and wait for their time.
    resting: usize,
}

impl Conductor {
    /// One to which `open` deliveries are owed already, none of them beyond `told`.
    pub(super) fn new(
        name: Arc<str>,
        (pace, retry): (&PaceSettings, &retry::Settings),
        (bounds, open, told): (Bounds, u64, Id),
        now: Timestamp,
    ) -> Conductor {
        Conductor {
            name,
            generation: 0,
            probe_interval: Duration::from_secs_f64(pace.probe_interval_secs.clamp(0.001, 86_400.0)),
            longest_wait: retry.longest_wait(),
            lanes: Lanes::default(),
            turns: BTreeMap::new(),
            lined: 0,
            outside: Lanes::default(),
            parked: BTreeMap::new(),
            parked_at_once_max: (pace.at_once_max / 4).max(1),
            parked_under_way: 0,
            due: BTreeSet::new(),
            since_due: 0,
            in_trouble: false,
            held_back: BTreeMap::new(),
            held_up: BTreeMap::new(),
            pace: Pace::new(pace),
            alarms: Alarms::new(now),
            standstills: Standstills::before(now),
            window: Window::new(bounds, (open > 0).then_some(told), now),
            is_probe_due: false,
            under_way: BTreeSet::new(),
            reopened: Vec::new(),
            held: 0,
            open: open as i64,
            resting: 0,
        }
    }

    /// Later attempts are made on another connection of this name; those under way finish where they began.
    pub(super) fn use_now(&mut self, is_rebuilt: bool, now: Timestamp) {
        self.look(now);
        self.pace.switch(true);
        if is_rebuilt {
            self.generation += 1;
            self.pace.forget();
        }
        // Whoever changed the settings of a connection that stands still wants to know now whether they work.
        if is_rebuilt && self.pace.is_unauthorized() {
            self.probe(now);
        }
    }

    /// No attempt is begun until there is a connection again.
    pub(super) fn off(&mut self) {
        self.pace.switch(false);
        tracing::info!(destination.name = %self.name, deliveries = self.open,
            "The destination is off; what it is owed is kept until it is on again");
    }

    /// An operator paused it then, or did not, or let it go on.
    pub(super) fn pause(&mut self, since: Option<Timestamp>) {
        self.pace.pause(since);
    }

    /// What is to be done next; asked again until there is nothing.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Step> {
        self.look(now);
        if std::mem::take(&mut self.is_probe_due) {
            return Some(Step::Probe(self.generation));
        }
        if let Some(begin) = self.begin_next(now) {
            return Some(Step::Begin(begin));
        }
        self.read_next(now).map(Step::Read)
    }

    fn begin_next(&mut self, now: Timestamp) -> Option<Begin> {
        while self.pace.hold(now) == Hold::Free {
            let may_go_outside = self.parked_under_way < self.parked_at_once_max;
            let begin = if let Some(id) = may_go_outside.then(|| self.outside.next()).flatten() {
                self.start_parked(id, now)
            } else if may_go_outside && let Some(id) = self.next_due() {
                self.start_due(id, now)
            } else {
                let position = self.lanes.next()?;
                self.start_turn(position, now)
            };
            if begin.is_some() {
                return begin;
            }
        }
        None
    }

    fn begin(&mut self, (id, owed): Behind, behind: Vec<Behind>, now: Timestamp) -> Begin {
        self.pace.begin(now);
        self.under_way.insert(id);
        self.since_due += 1;
        let outside = self.parked.contains_key(&id);
        self.parked_under_way += usize::from(outside);
        let (generation, standstills) = (self.generation, self.standstills.clone());
        let (follows, past, last_of) = (false, Vec::new(), Vec::new());
        Begin { id, owed, behind, outside, follows, past, last_of, generation, standstills }
    }

    /// An attempt has ended, and what came of it is written down.
    pub(super) fn finished(&mut self, generation: Generation, finished: Finished, now: Timestamp) {
        self.look(now);
        let is_current = generation == self.generation;
        let Finished { id, at, next, delivered, wakes, carried, trouble, ended, held } = finished;
        // The clock may have been set back since the time was reckoned.
        let next = next.set_back(at, now);
        self.tell_of_trouble(trouble, delivered);
        // What was before says nothing about the present destination.
        self.end_attempt(id, if is_current { ended } else { Ended::default() }, now);
        self.held -= held;
        let (is_settled, is_parked) = (next == Next::Settled, matches!(next, Next::Parked(_)));
        match next {
            Next::Quiet(until) if is_current => self.quiet(until, now),
            Next::Unauthorized if is_current => self.unauthorized(now),
            _ => {}
        }
        let with_carried = self.turns.get(&id.position).filter(|_| !carried.is_empty());
        let keys = with_carried.map(|turn| turn.keys.clone()).unwrap_or_default();
        match self.parked.contains_key(&id) {
            true => self.finish_parked(id, next, wakes),
            false => self.finish_turn(id, next, wakes),
        }
        for id in carried {
            match is_parked {
                true => self.park_carried(id, &keys, now),
                false => self.finish_carried(id),
            }
        }
        self.under_way.remove(&id);
        self.let_up(id.position);
        self.admit_reopened(id, is_settled, now);
        self.window.something_moved();
    }

    /// Those of its event that were opened again meanwhile come in when nothing of it is under way; itself, where it has ended.
    fn admit_reopened(&mut self, id: Id, is_settled: bool, now: Timestamp) {
        if self.is_under_way(id.position) {
            return;
        }
        let again: Vec<Joining> = self.reopened.extract_if(.., |one| one.id.position == id.position).collect();
        for one in again.into_iter().filter(|one| one.id != id || is_settled) {
            self.admit_again(one, now);
        }
    }

    /// Whether a delivery of an event is being attempted.
    fn is_under_way(&self, position: Position) -> bool {
        let first = Id { position, number: 0 };
        self.under_way.range(first..).next().is_some_and(|id| id.position == position)
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, generation: Generation, works: bool, now: Timestamp) {
        self.look(now);
        match works {
            _ if generation != self.generation => {}
            true => self.resume(),
            false => self.probe_later(now),
        }
    }

    /// When there may be something to do although nothing happens.
    pub(super) fn wake_at(&mut self, now: Timestamp) -> Timestamp {
        let alarm = self.alarms.wake_at(self.open > 0);
        self.pace.hold(now).until().map_or(alarm, |until| until.min(alarm))
    }

    /// Takes note of the time: what is due, and whether the clock was set or nobody was here.
    fn look(&mut self, now: Timestamp) {
        if let Some(by) = self.alarms.set_back(now) {
            self.set_back(by);
        }
        if let Some(since) = self.alarms.missed(now, self.open > 0) {
            self.standstills.add(since, now);
        }
        self.alarms.seen(now);
        while let Some(alarm) = self.alarms.due(now) {
            self.ring(alarm, now);
        }
        let is_held = self.pace.hold(now).reason().is_some() || self.pace.held_since().is_some();
        self.standstills.note(is_held, now);
    }

    fn ring(&mut self, alarm: Alarm, now: Timestamp) {
        match alarm {
            Alarm::Turn(position) => {
                self.resting -= 1;
                self.lanes.again(position);
            }
            Alarm::Parked(id) => self.ring_parked(id, now),
            Alarm::Shelf => {}
            Alarm::Probe(generation) if generation == self.generation => self.probe(now),
            Alarm::Probe(_) => {}
        }
    }

    /// The clock was set back: what was to happen in an hour is still to happen in an hour.
    fn set_back(&mut self, by: Duration) {
        self.turns.values_mut().filter_map(|turn| turn.until.as_mut()).for_each(|until| *until -= by);
        self.parked.values_mut().filter_map(|parked| parked.until.as_mut()).for_each(|until| *until -= by);
        self.window.set_back(by);
        self.standstills.set_back(by);
        self.pace.set_back(by);
    }

    /// A delivery has ended.
    fn ended(&mut self, id: Id) {
        self.open -= 1;
        self.window.ended(id);
    }

    /// How it stands.
    pub(super) fn standing(&mut self, now: Timestamp) -> Standing {
        let turn = self.turns.first_key_value().map(|(_, turn)| turn.accepted_at);
        let parked = self.parked.first_key_value().map(|(_, parked)| parked.accepted_at);
        let oldest = turn.into_iter().chain(parked).min();
        let too_early = self.parked.len() + self.window.shelf.parked_count;
        let pending = self.open.max(0).unsigned_abs();
        let ready = self.lanes.ready() + self.outside.ready() + self.due.len() + self.under_way.len();
        let unread = pending.saturating_sub((self.lined + too_early) as u64);
        let able = ready as u64 + unread;
        let waiting = Waiting { too_early: too_early as u64, retry: self.resting as u64 };
        self.pace.standing(now, Owing { pending, able, waiting, oldest })
    }
}
