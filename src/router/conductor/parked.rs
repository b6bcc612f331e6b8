//! Deliveries that came too early: when they go, who waits behind them, and what wakes them.
//!
//! # Why
//! A call about a person and a company waits behind an older one that is parked, because a link and its end must not change
//! places. But its company is others' as well, and their newer calls do not wait. So it is attempted in its turn, told that it
//! follows, does what needs no contact, and leaves its line as one that came too early.

use std::sync::Arc;

use super::{Alarm, Begin, Conductor, DUE_SHARE};
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;
use crate::router::attempt::Next;

/// A delivery that came too early, or follows one that did. It has left its line, because the very event it waits for may
/// stand behind it there, and stands in a line of such deliveries, where its person's others wait behind it.
pub(super) struct Parked {
    pub(super) keys: Vec<u64>,
    pub(super) accepted_at: Timestamp,
    /// Not before then.
    pub(super) until: Option<Timestamp>,
    /// Whether it waits for its time, or is to be asked for since that has come; so it can be woken.
    pub(super) resting: bool,
    /// Whether something that wakes it was delivered while it was attempted or stood behind another: it need not rest.
    pub(super) missed: bool,
}

impl Parked {
    pub(super) fn new(keys: Vec<u64>, accepted_at: Timestamp, until: Option<Timestamp>) -> Parked {
        Parked { keys, accepted_at, until, resting: false, missed: false }
    }
}

impl Conductor {
    pub(super) fn park(&mut self, id: Id, source: &Arc<str>, parked: Parked) {
        self.outside.join(id, source, people(&parked.keys));
        self.parked.insert(id, parked);
    }

    /// `None`: it has to wait.
    pub(super) fn start_parked(&mut self, id: Id, now: Timestamp) -> Option<Begin> {
        if self.waits_for_newer(id) {
            return None;
        }
        let parked = self.parked.get_mut(&id).expect("who stands outside is parked");
        let is_woken = std::mem::take(&mut parked.missed);
        if let Some(until) = parked.until.filter(|until| *until > now && !is_woken) {
            parked.resting = true;
            self.alarms.set(until, Alarm::Parked(id));
            self.let_go(id);
            if self.parked.len() > self.window.bounds.parked {
                self.shelve_parked(false, now);
            }
            return None;
        }
        if parked.until.take_if(|_| !is_woken).is_some() {
            parked.resting = true;
            self.due.insert(id);
            self.let_go(id);
            return None;
        }
        parked.until = None;
        Some(self.begin_outside(id, now))
    }

    fn begin_outside(&mut self, id: Id, now: Timestamp) -> Begin {
        let is_last = |key: &u64| self.outside.line(*key).eq([id]) && !self.window.is_shelved(*key, true);
        // Of those that nobody has looked at yet it is not known who they are.
        let may_tell = self.window.is_at_head();
        let last_of = people(&self.parked[&id].keys).filter(|key| may_tell && is_last(key)).collect();
        Begin { last_of, ..self.begin((id, None), Vec::new(), now) }
    }

    /// Whether a newer event of the same person is being attempted in its line: what that one writes must be known first.
    /// Then it is called again when that attempt has ended.
    fn waits_for_newer(&mut self, id: Id) -> bool {
        let newer = |key| self.lanes.first(key).filter(|position| *position >= id.position);
        let newer = people(&self.parked[&id].keys).filter_map(newer).find(|position| self.is_under_way(*position));
        newer.inspect(|position| self.held_up.entry(*position).or_default().push(id)).is_some()
    }

    /// An attempt of this event has ended: those that it held up have their turn again.
    pub(super) fn let_up(&mut self, position: Position) {
        for id in self.held_up.remove(&position).into_iter().flatten() {
            self.outside.again(id);
        }
    }

    /// The keys of people of whom an older one stands outside.
    pub(super) fn goes_past(&self, position: Position) -> Vec<u64> {
        let own = self.own(position);
        // One that was opened again stands where it joined.
        let is_older =
            |key: &u64| self.outside.line(*key).any(|id| id < own) || self.window.is_parked_before(*key, own);
        people(&self.turns[&position].keys).filter(is_older).collect()
    }

    /// The oldest of those whose time has come, where few others went before or none has its turn.
    pub(super) fn next_due(&mut self) -> Option<Id> {
        let is_its_share = self.since_due >= DUE_SHARE - 1 || self.lanes.ready() == 0;
        is_its_share.then(|| self.due.pop_first()).flatten()
    }

    /// `None`: it has to wait.
    pub(super) fn start_due(&mut self, id: Id, now: Timestamp) -> Option<Begin> {
        let parked = self.parked.get_mut(&id).expect("whose time has come is parked");
        (parked.resting, parked.until) = (false, None);
        if self.waits_for_newer(id) {
            return None;
        }
        let begin = self.begin_outside(id, now);
        self.since_due = 0;
        Some(begin)
    }

    /// Those of the same person that are older and whose time has come go before it.
    pub(super) fn ask_for_older_ones(&mut self, position: Position) {
        let first = |key| self.outside.first(key).filter(|id| id.position < position && self.due.contains(id));
        let older: Vec<Id> = people(&self.turns[&position].keys).filter_map(first).collect();
        older.into_iter().for_each(|id| self.wake_one(id));
    }

    /// An older delivery of the same person that had left the line and is being attempted or about to be. One that stands
    /// behind another such is not: what both wait for may be this very event.
    /// One that `follows` such waits only while it is being attempted.
    pub(super) fn older_on_its_way(&self, position: Position, follows: bool) -> Option<Id> {
        let own = self.own(position);
        let first = |key| self.outside.first(key).filter(|id| *id < own);
        let is_called = |id: Id| self.outside.has_turn(id) && !self.parked[&id].resting;
        let on_its_way = |id: Id| if follows { self.under_way.contains(&id) } else { is_called(id) };
        people(&self.turns[&position].keys).filter_map(first).find(|id| on_its_way(*id))
    }

    /// The delivery of an event that has its turn.
    fn own(&self, position: Position) -> Id {
        self.turns[&position].deliveries.front().expect("a turn has deliveries").0
    }

    /// Whether an older call about the same person and the same company is parked: this one undoes or changes what that
    /// one will do, so what needs the contact waits behind it. Another delivery of the same event is no older call.
    pub(super) fn follows_a_parked_one(&self, position: Position) -> bool {
        let keys = &self.turns[&position].keys;
        let shares_company = |id: Id| companies(&self.parked[&id].keys).any(|key| keys.contains(&key));
        let older = |id: &Id| id.position < position;
        let in_memory = || people(keys).flat_map(|key| self.outside.line(key)).filter(older).any(shares_company);
        // Of those on the shelf it is not known who came with which company: then it waits, and perhaps in vain for a while.
        let first = Id { position, number: 0 };
        let is_on_shelf = |key| self.window.is_parked_before(key, first);
        companies(keys).next().is_some()
            && (in_memory() || companies(keys).any(is_on_shelf) && people(keys).any(is_on_shelf))
    }

    pub(super) fn finish_parked(&mut self, id: Id, next: Next, wakes: bool) {
        self.parked_under_way -= 1;
        self.let_go(id);
        match next {
            Next::Settled => self.leave_outside(id, wakes),
            Next::Again(until) | Next::Parked(until) => {
                let parked = self.parked.get_mut(&id).expect("it is parked");
                parked.until = Some(until);
                // A contact that came meanwhile is no reason to ask a destination in trouble sooner.
                parked.missed &= matches!(next, Next::Parked(_));
                self.outside.again(id);
            }
            Next::Quiet(_) | Next::Unauthorized => self.outside.again(id),
        }
    }

    /// It is not on its way any more: those that it held back have their turn again.
    fn let_go(&mut self, id: Id) {
        for position in self.held_back.remove(&id).into_iter().flatten() {
            self.lanes.again(position);
        }
    }

    fn leave_outside(&mut self, id: Id, wakes: bool) {
        self.ended(id);
        self.outside.leave(id);
        let Some(parked) = self.parked.remove(&id) else { return };
        if people(&parked.keys).any(|key| self.outside.first(key).is_none() && self.window.is_shelved(key, true)) {
            self.window.make_due();
        }
        match wakes {
            true => self.wake(&parked.keys),
            false => self.pass_on(&parked.keys),
        }
    }

    /// One that stood first has ended without being delivered: it may have been woken in the place of those behind it, and
    /// they have not been told. Each makes one attempt instead of resting.
    fn pass_on(&mut self, keys: &[u64]) {
        for key in people(keys) {
            if let Some(parked) = self.outside.first(key).and_then(|id| self.parked.get_mut(&id)) {
                parked.missed |= !parked.resting;
            }
        }
    }

    /// Something about a person was delivered: whoever waits for that person's contact has a reason to try.
    pub(super) fn wake(&mut self, keys: &[u64]) {
        for key in people(keys) {
            if let Some(id) = self.outside.first(key) {
                self.wake_one(id);
            }
        }
        self.window.stir(people(keys));
    }

    fn wake_one(&mut self, id: Id) {
        let Some(parked) = self.parked.get_mut(&id) else { return };
        parked.missed = !parked.resting;
        if std::mem::take(&mut parked.resting) {
            parked.until = None;
            self.due.remove(&id);
            self.outside.again(id);
        }
    }

    /// The time of one that rests has come. It may have been woken, or put on the shelf and taken again, since the alarm
    /// was set.
    pub(super) fn ring_parked(&mut self, id: Id, now: Timestamp) {
        let is_due = |parked: &Parked| parked.resting && parked.until.is_none_or(|until| until <= now);
        if self.parked.get(&id).is_some_and(is_due) {
            self.due.insert(id);
        }
    }
}

/// The keys of people, which are even.
pub(super) fn people(keys: &[u64]) -> impl Iterator<Item = u64> {
    keys.iter().copied().filter(|key| key % 2 == 0)
}

/// The keys of companies, which are odd.
pub(super) fn companies(keys: &[u64]) -> impl Iterator<Item = u64> {
    keys.iter().copied().filter(|key| key % 2 == 1)
}
