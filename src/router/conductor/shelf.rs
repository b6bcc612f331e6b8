//! What of a long backlog is known without being in memory: whom those on the shelf are about, and when one may go.
//!
//! The shelf is the part of the store that was read and not taken, or put back. Whoever shares a key with one on the shelf
//! and came later is put on it as well, so nobody in memory ever stands before an older one that is not. Those that came
//! too early hold up only each other, as they do in memory.

use std::collections::HashSet;
use std::time::Duration;

use super::firsts::Firsts;
use crate::delivery::Id;
use crate::instant::Timestamp;

/// The deliveries that were read and not taken. Holds keys, not deliveries.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The first of them.
    pub(super) first: Option<Id>,
    /// Of those that stand in their lines, each with the number of the first of them.
    lined: Firsts,
    /// Of those of them that stand behind one in memory, or behind one on the shelf that does.
    waiting: HashSet<u64>,
    /// Of those that came too early, likewise. Only people have lines of such.
    parked: Firsts,
    /// How many of these there are.
    pub(super) parked_count: usize,
    /// The first time at which one of these may go.
    pub(super) due_at: Option<Timestamp>,
}

impl Shelf {
    /// Puts one on it.
    pub(super) fn put(&mut self, id: Id, keys: &[u64], is_parked: bool) {
        self.first = Some(self.first.map_or(id, |first| first.min(id)));
        let firsts = if is_parked { &mut self.parked } else { &mut self.lined };
        let number = id.to_number();
        keys.iter().for_each(|key| firsts.put(*key, number));
        self.parked_count += usize::from(is_parked);
    }

    /// What is known of these keys stands on another shelf as well, and need not be known twice.
    pub(super) fn move_on(&mut self, keys: &[u64], is_parked: bool) {
        let firsts = if is_parked { &mut self.parked } else { &mut self.lined };
        keys.iter().for_each(|key| firsts.remove(*key));
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
    pub(super) fn holds(&self, key: u64, is_parked: bool) -> bool {
        self.first_of(key, is_parked).is_some()
    }

    /// The same of those that are older than this one.
    pub(super) fn holds_before(&self, key: u64, is_parked: bool, id: Id) -> bool {
        self.first_of(key, is_parked).is_some_and(|first| first < id)
    }

    fn first_of(&self, key: u64, is_parked: bool) -> Option<Id> {
        let firsts = if is_parked { &self.parked } else { &self.lined };
        firsts.get(key).map(Id::from_number)
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
    pub(super) fn new(first: Option<Id>, stirred: HashSet<u64>, now: Timestamp) -> SecondLook {
        SecondLook {
            after: first.and_then(|first| first.to_number().checked_sub(1)).map(Id::from_number),
            shelf: Shelf::default(),
            wants: Wants::default(),
            stirred,
            began_at: now,
        }
    }
}
