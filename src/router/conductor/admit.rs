//! Who comes into memory, and who is passed over.

use super::parked::{Parked, people};
use super::turns::Turn;
use super::window::Bounds;
use super::{Conductor, HELD_MAX, Joining, size};
use crate::delivery::Id;
use crate::instant::Timestamp;

/// What becomes of one that was read.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Take,
    /// It stands behind one on the shelf.
    Behind,
    /// There is no room, and it stands behind one in memory.
    Waits,
    /// There is no room outside the lines, where it rests.
    Rests,
    /// There is no room in the lines.
    Full,
}

impl Conductor {
    pub(super) fn is_in_memory(&self, id: Id) -> bool {
        let in_turn = |turn: &Turn| turn.deliveries.iter().any(|(one, _)| *one == id);
        self.parked.contains_key(&id) || self.turns.get(&id.position).is_some_and(in_turn)
    }

    /// Takes one, or passes it over. `is_second`: it comes up in a second look.
    pub(super) fn admit(&mut self, one: Joining, is_second: bool, now: Timestamp) {
        match self.verdict(&one, is_second, now) {
            Verdict::Take => self.take(one, now),
            verdict => self.pass(&one, verdict, is_second, now),
        }
    }

    /// The same for one that nobody looked at before; false: there is no room.
    pub(super) fn admit_newest(&mut self, one: Joining, now: Timestamp) -> bool {
        match self.verdict(&one, false, now) {
            Verdict::Take => self.take(one, now),
            Verdict::Full => return false,
            verdict => self.pass(&one, verdict, false, now),
        }
        true
    }

    fn verdict(&mut self, one: &Joining, is_second: bool, now: Timestamp) -> Verdict {
        if self.is_behind(one, is_second) {
            return Verdict::Behind;
        }
        if self.has_room(one) {
            return Verdict::Take;
        }
        let waits = self.waits_for_another(one);
        let is_wanted = one.parked && self.is_wanted(one);
        match one.parked {
            true if waits && !self.is_needed(one) => return Verdict::Waits,
            true if !is_wanted && one.until.is_some_and(|until| until > now) => return Verdict::Rests,
            true => {}
            false => self.shelve_lined(now),
        }
        let is_urgent = one.parked && people(&one.keys).any(|key| self.is_stirred(key));
        self.shelve_parked(is_urgent, now);
        // Those who went to the shelf may stand before this one.
        match self.has_room(one) {
            _ if self.is_behind(one, is_second) => Verdict::Behind,
            true => Verdict::Take,
            false if one.parked => Verdict::Rests,
            false if waits && self.few_can_go() => Verdict::Waits,
            false => Verdict::Full,
        }
    }

    /// Whether one in memory stands before it.
    fn waits_for_another(&self, one: &Joining) -> bool {
        match one.parked {
            true => people(&one.keys).any(|key| self.outside.first(key).is_some()),
            false => one.keys.iter().any(|key| self.lanes.first(*key).is_some()),
        }
    }

    /// Those outside that something waits for may take half the room of the lines as well.
    fn has_room(&self, one: &Joining) -> bool {
        let Bounds { lined, parked, .. } = self.window.bounds;
        let has_room = match one.parked {
            true => self.parked.len() < parked + if self.is_wanted(one) { lined / 2 } else { 0 },
            false => self.lined < lined,
        };
        has_room && self.lined + self.parked.len() < lined + parked
    }

    /// Whether one on the shelf stands before it; in a second look, an older one that stays there: somebody newer may have
    /// been put on it meanwhile.
    fn is_behind(&self, one: &Joining, is_second: bool) -> bool {
        let is_before = |key| match &self.window.second_look {
            Some(look) if is_second => look.shelf.holds_before(&self.window.keys, key, one.parked, one.id),
            _ => self.window.is_shelved(key, one.parked),
        };
        match one.parked {
            true => people(&one.keys).any(is_before),
            false => one.keys.iter().copied().any(is_before),
        }
    }

    fn is_shelved(&self, key: u64, is_parked: bool, is_second: bool) -> bool {
        match &self.window.second_look {
            Some(look) if is_second => look.shelf.holds(&self.window.keys, key, is_parked),
            _ => self.window.is_shelved(key, is_parked),
        }
    }

    /// Whether something waits for it, or something came for which it waits.
    fn is_wanted(&self, one: &Joining) -> bool {
        self.is_needed(one) || people(&one.keys).any(|key| self.is_stirred(key))
    }

    /// Whether something waits for it.
    fn is_needed(&self, one: &Joining) -> bool {
        people(&one.keys).any(|key| self.window.wants.keys.contains(&key))
    }

    fn is_stirred(&self, key: u64) -> bool {
        let before = self.window.second_look.as_ref().is_some_and(|look| look.stirred.contains(&key));
        before || self.window.wants.stirred.contains(&key)
    }

    fn take(&mut self, one: Joining, now: Timestamp) {
        let missed = people(&one.keys).any(|key| self.is_stirred(key));
        let Joining { id, source, keys, accepted_at, until, parked, owed } = one;
        // A time that was written by a clock that ran ahead must not hold anyone back for longer than a wait can be.
        let until = until.map(|until| until.min(now + self.longest_wait));
        if parked {
            self.park(id, &source, Parked { missed, ..Parked::new(keys, accepted_at, until) });
            return;
        }
        let owed = owed.filter(|owed| self.held + size(owed) <= HELD_MAX);
        self.held += owed.as_deref().map_or(0, size);
        self.lined += 1;
        match self.turns.get_mut(&id.position) {
            Some(turn) => turn.deliveries.push_back((id, owed)),
            None => {
                self.lanes.join(id.position, &source, keys.iter().copied());
                self.turns
                    .insert(id.position, Turn { source, keys, accepted_at, deliveries: [(id, owed)].into(), until });
            }
        }
    }

    fn pass(&mut self, one: &Joining, verdict: Verdict, is_second: bool, now: Timestamp) {
        let rests = verdict == Verdict::Rests;
        let until = rests.then(|| one.until.unwrap_or(now).min(now + self.longest_wait));
        let waits = !one.parked && one.keys.iter().any(|key| self.is_held_up(*key));
        let wanted = if waits { Vec::new() } else { self.wanted_for(one, verdict, is_second) };
        // One that stands behind another in memory is woken by that one.
        let is_asleep = one.parked && verdict != Verdict::Waits;
        let is_stirred = is_asleep && people(&one.keys).any(|key| self.is_stirred(key));
        match &mut self.window.second_look {
            Some(look) if is_second => {
                look.shelf.put_over(&mut self.window.keys, one.id, &one.keys, one.parked);
                until.into_iter().for_each(|until| look.shelf.rests(until));
            }
            _ => self.put_on_shelf(one.id, &one.keys, one.parked, until),
        }
        if waits {
            self.window.wait(&one.keys);
        }
        self.window.want(wanted.into_iter());
        if is_stirred {
            self.window.stir(people(&one.keys));
        }
        if verdict == Verdict::Full && one.keys.is_empty() {
            self.window.want_room();
        }
    }

    /// Whether one in memory stands first with this key, also for one on the shelf; during a second look, for one that stays
    /// there: for whom those waited that were not looked at yet may have gone.
    fn is_held_up(&self, key: u64) -> bool {
        let waits = match &self.window.second_look {
            Some(look) => look.shelf.waits(key),
            None => self.window.shelf.waits(key),
        };
        waits || self.lanes.first(key).is_some()
    }

    /// The keys for which the shelf must be looked through again, so that one on it does not wait for nobody. One that rests
    /// is fetched when its time comes, or something for which it waits; one that stands behind another, when that one goes.
    fn wanted_for(&self, one: &Joining, verdict: Verdict, is_second: bool) -> Vec<u64> {
        match verdict {
            Verdict::Full if !self.waits_for_another(one) => one.keys.clone(),
            Verdict::Behind if one.parked => {
                let held_up = people(&one.keys).filter(|key| self.is_shelved(*key, true, is_second));
                held_up.filter(|_| self.is_wanted(one)).collect()
            }
            Verdict::Behind => {
                let nobody = |key: &u64| self.is_shelved(*key, false, is_second) && self.lanes.first(*key).is_none();
                one.keys.iter().copied().filter(nobody).collect()
            }
            _ => Vec::new(),
        }
    }
}
