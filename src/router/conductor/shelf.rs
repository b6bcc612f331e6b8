//! What of a long backlog is known without being in memory: whom those on the shelf are about, and when one may go.
//!
//! The shelf is the part of the store that was read and not taken, or put back. Whoever shares a key with one on the shelf
//! and came later is put on it as well, so nobody in memory ever stands before an older one that is not. Those that came
//! too early hold up only each other, as they do in memory.

use std::collections::HashSet;
use std::time::Duration;

use super::firsts::{Firsts, Side};
use crate::delivery::Id;
use crate::instant::Timestamp;

/// Whom those on the shelf are about, and which is the first about each: on one side as it is, and during a second look on the
/// other as it will be after it. Both stand in one place, so that a look takes no more memory than the shelf.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Of those that stand in their lines.
    lined: Firsts,
    /// Of those that came too early. Only people have lines of such.
    parked: Firsts,
}

impl Keys {
    fn of(&self, is_parked: bool) -> &Firsts {
        if is_parked { &self.parked } else { &self.lined }
    }

    fn of_mut(&mut self, is_parked: bool) -> &mut Firsts {
        if is_parked { &mut self.parked } else { &mut self.lined }
    }

    /// Forgets those of a shelf that is no more.
    pub(super) fn forget(&mut self, shelf: &Shelf) {
        self.lined.forget(shelf.side);
        self.parked.forget(shelf.side);
    }
}

/// The deliveries that were read and not taken; whom they are about stands in `Keys`.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The first of them.
    pub(super) first: Option<Id>,
    /// Where its keys are.
    side: Side,
    /// The keys of those in lines that stand behind one in memory, or behind one on the shelf that does.
    waiting: HashSet<u64>,
    /// How many of them came too early.
    pub(super) parked_count: usize,
    /// The first time at which one of these may go.
    pub(super) due_at: Option<Timestamp>,
}

impl Shelf {
    /// Puts one on it.
    pub(super) fn put(&mut self, known: &mut Keys, id: Id, keys: &[u64], is_parked: bool) {
        let firsts = known.of_mut(is_parked);
        keys.iter().for_each(|key| firsts.put(self.side, *key, id.to_number()));
        self.count_in(id, is_parked);
    }

    /// Puts one on it that was on the other: what is known there of its keys is known here from now on.
    pub(super) fn put_over(&mut self, known: &mut Keys, id: Id, keys: &[u64], is_parked: bool) {
        let firsts = known.of_mut(is_parked);
        keys.iter().for_each(|key| firsts.put_over(self.side, *key, id.to_number()));
        self.count_in(id, is_parked);
    }

    /// One more is on it.
    fn count_in(&mut self, id: Id, is_parked: bool) {
        self.first = Some(self.first.map_or(id, |first| first.min(id)));
        self.parked_count += usize::from(is_parked);
    }

    /// One on it rests, until then.
    pub(super) fn rests(&mut self, until: Timestamp) {
        self.due_at = Some(self.due_at.map_or(until, |earlier| earlier.min(until)));
    }

    /// Those with these keys wait for one in memory: it is of no use to look for them before that one goes.
    pub(super) fn wait(&mut self, keys: &[u64]) {
        self.waiting.extend(keys);
    }

    /// Whether one with this key waits so.
    pub(super) fn waits(&self, key: u64) -> bool {
        self.waiting.contains(&key)
    }

    /// Whether one with this key is on it, of those that stand in their lines or of those that came too early.
    pub(super) fn holds(&self, known: &Keys, key: u64, is_parked: bool) -> bool {
        self.first_of(known, key, is_parked).is_some()
    }

    /// The same of those that are older than this one.
    pub(super) fn holds_before(&self, known: &Keys, key: u64, is_parked: bool, id: Id) -> bool {
        self.first_of(known, key, is_parked).is_some_and(|first| first < id)
    }

    fn first_of(&self, known: &Keys, key: u64, is_parked: bool) -> Option<Id> {
        known.of(is_parked).get(self.side, key).map(Id::from_number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.due_at.iter_mut().for_each(|until| *until = until.checked_sub(by).unwrap_or(Timestamp::MIN));
    }
}

/// Why the shelf is to be looked through once more.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Nobody in memory holds up those with these keys.
    pub(super) keys: HashSet<u64>,
    /// Something about these people was delivered, for which one that rests may wait.
    pub(super) stirred: HashSet<u64>,
    /// There was no room for one that may go.
    pub(super) room: bool,
}

/// The shelf is being looked through, from its first on: what may go now is taken, the others stay. Of whom one stays, what is
/// known moves over: whoever is further on is newer than that one.
#[derive(Debug)]
pub(super) struct SecondLook {
    /// Everything up to here was looked at again.
    pub(super) after: Option<Id>,
    /// What stays.
    pub(super) shelf: Shelf,
    pub(super) wants: Wants,
    /// What was stirred before it began.
    pub(super) stirred: HashSet<u64>,
    pub(super) began_at: Timestamp,
}

impl SecondLook {
    pub(super) fn new(before: &Shelf, stirred: HashSet<u64>, now: Timestamp) -> SecondLook {
        SecondLook {
            after: before.first.and_then(|first| first.to_number().checked_sub(1)).map(Id::from_number),
            shelf: Shelf { side: before.side.other(), ..Shelf::default() },
            wants: Wants::default(),
            stirred,
            began_at: now,
        }
    }
}
