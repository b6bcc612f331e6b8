//! Who goes back to the shelf when there is no room: the newest of those who wait anyway.

use std::time::Duration;

use super::parked::people;
use super::window::Bounds;
use super::{Alarm, Conductor, size};
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;

/// After looking at everybody in vain.
const PATIENCE: Duration = Duration::from_secs(2);

impl Conductor {
    /// Where few can go although there is no room: puts the newest of those who stand behind another on the shelf.
    pub(super) fn shelve_lined(&mut self, now: Timestamp) {
        let Bounds { lined, .. } = self.window.bounds;
        let is_full = self.lined + (lined / 4).max(1) > lined;
        if self.window.lines_tried_until > now || !is_full || !self.few_can_go() {
            return;
        }
        let target = lined - (lined / 4).max(1);
        let newest_first: Vec<Position> = self.turns.keys().rev().copied().collect();
        for position in newest_first {
            if self.lined <= target {
                return;
            }
            if self.may_be_shelved(position) {
                self.shelve_turn(position);
            }
        }
        self.window.lines_tried_until = now + PATIENCE;
        self.alarms.set(now + PATIENCE, Alarm::Shelf);
    }

    /// Whether it stands behind another, and nobody behind it.
    fn may_be_shelved(&self, position: Position) -> bool {
        let is_before = |key| self.outside.line(key).any(|id| id.position >= position);
        let stands_behind = !self.lanes.has_turn(position) && self.lanes.is_last(position);
        stands_behind && !people(&self.turns[&position].keys).any(is_before)
    }

    fn shelve_turn(&mut self, position: Position) {
        let Some(turn) = self.turns.remove(&position) else { return };
        self.lanes.withdraw(position);
        self.lined -= turn.deliveries.len();
        for (id, owed) in &turn.deliveries {
            self.held -= owed.as_deref().map_or(0, size);
            self.window.put(*id, &turn.keys, false, None);
        }
        self.window.wait(&turn.keys);
    }

    /// Whether those in memory whose turn it is are few.
    pub(super) fn few_can_go(&self) -> bool {
        self.lanes.ready() < (self.window.bounds.lined / 8).max(1)
    }

    /// Whether those outside that are in memory and were woken are few.
    pub(super) fn few_can_go_outside(&self) -> bool {
        self.outside.ready() < self.few_outside()
    }

    /// The same of those whose time has come as well.
    pub(super) fn few_are_due_outside(&self) -> bool {
        self.outside.ready() + self.due.len() < self.few_outside()
    }

    fn few_outside(&self) -> usize {
        (self.window.bounds.parked / 8).max(1)
    }

    /// Where as many rest outside as may, and few can go: puts the newest of them on the shelf, and those whose time has come
    /// last.
    /// `is_urgent`: for one whose contact may have come, also those that something waits for.
    pub(super) fn shelve_parked(&mut self, is_urgent: bool, now: Timestamp) {
        let Bounds { parked: most, .. } = self.window.bounds;
        if self.window.outside_tried_until > now || self.parked.len() < most || !self.few_can_go_outside() {
            return;
        }
        let target = most - (most / 8).max(1);
        let newest_first = self.parked.keys().rev().copied();
        let (due, resting): (Vec<Id>, Vec<Id>) = newest_first.partition(|id| self.due.contains(id));
        for id in resting.into_iter().chain(due) {
            if self.parked.len() <= target {
                return;
            }
            if self.may_leave_memory(id, is_urgent) {
                self.shelve_one_parked(id, now);
            }
        }
        self.window.outside_tried_until = now + PATIENCE;
        self.alarms.set(now + PATIENCE, Alarm::Shelf);
    }

    /// Whether it rests, or stands behind one that does; and nobody stands behind it, here or in the lines.
    fn may_leave_memory(&self, id: Id, is_urgent: bool) -> bool {
        let parked = &self.parked[&id];
        let is_before = |key| self.lanes.line(key).any(|position| position >= id.position);
        let rests = parked.resting || !self.outside.has_turn(id);
        let is_last = self.outside.is_last(id) && !people(&parked.keys).any(is_before);
        let is_needed = people(&parked.keys).any(|key| self.window.wants.keys.contains(&key));
        let Bounds { lined, parked: most, .. } = self.window.bounds;
        let may_stay = is_needed && !is_urgent && self.parked.len() <= most + lined / 2;
        rests && is_last && !may_stay
    }

    fn shelve_one_parked(&mut self, id: Id, now: Timestamp) {
        let Some(parked) = self.parked.remove(&id) else { return };
        let due_since = self.due.remove(&id).then_some(now);
        // One that stands behind another is fetched when that one goes.
        let until = parked.until.filter(|_| self.outside.has_turn(id)).or(due_since);
        self.outside.withdraw(id);
        self.put_on_shelf(id, &parked.keys, true, until);
    }

    /// Puts one on the shelf that no second look will come upon. Where it is the first that may go from there, somebody looks
    /// then; of those after it the end of that look tells.
    pub(super) fn put_on_shelf(&mut self, id: Id, keys: &[u64], is_parked: bool, until: Option<Timestamp>) {
        let due_at = self.window.shelf.due_at;
        self.window.put(id, keys, is_parked, until);
        if let Some(until) = until.filter(|until| due_at.is_none_or(|due_at| *until < due_at)) {
            self.alarms.set(until, Alarm::Shelf);
        }
    }
}
