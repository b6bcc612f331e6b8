//! What must hold of a conductor whatever happened, for tests: it looks at everything, so it is slow.

use std::collections::BTreeSet;

use super::parked::people;
use super::{Conductor, Joining};
use crate::delivery::Id;

impl Conductor {
    /// What is in memory, and why the shelf is looked through.
    pub(in crate::router) fn told(&self) -> String {
        let (window, turns) = (&self.window, self.turns.keys().map(|position| position.0));
        let look = window.second_look.as_ref().map(|look| &look.stirred);
        format!(
            "lines {:?} ({} ready), outside {:?} ({} ready), {:?}, due {:?}, look {look:?}",
            turns.collect::<Vec<_>>(),
            self.lanes.ready(),
            self.parked.iter().map(|(id, parked)| (id.to_string(), parked.resting)).collect::<Vec<_>>(),
            self.outside.ready(),
            window.wants,
            window.shelf.due_at.map(|at| at.to_string()),
        )
    }

    /// Whether it stands outside its line.
    pub(in crate::router) fn is_outside(&self, id: Id) -> bool {
        self.parked.contains_key(&id)
    }

    /// Checks it against what is open in the store, in order.
    pub(in crate::router) fn check(&self, open: &[Joining], is_reopened: impl Fn(Id) -> bool) -> Result<(), String> {
        let bounds = self.window.bounds;
        let lined: usize = self.turns.values().map(|turn| turn.deliveries.len()).sum();
        let parked = self.parked.len();
        if self.lined != lined || lined > bounds.lined || lined + parked > bounds.lined + bounds.parked {
            return Err(format!("{lined} in lines (counted {}) and {parked} outside, with {bounds:?}", self.lined));
        }
        let rests = |id: &&Id| self.parked.get(id).is_some_and(|parked| parked.resting) && self.outside.has_turn(**id);
        if let Some(id) = self.due.iter().find(|id| !rests(id)) {
            return Err(format!("{id} is to be asked for, and does not rest outside"));
        }
        let is_on_its_way =
            |id: &&Id| self.parked.get(id).is_some_and(|parked| !parked.resting) && self.outside.has_turn(**id);
        if let Some(id) = self.held_back.keys().find(|id| !is_on_its_way(id)) {
            return Err(format!("{id} holds others back, and is not on its way"));
        }
        if let Some(position) = self.held_up.keys().find(|position| !self.is_under_way(**position)) {
            return Err(format!("{position:?} holds others up, and is not under way"));
        }
        let (mut passed_lined, mut passed_parked) = (BTreeSet::new(), BTreeSet::new());
        let is_to_come = |one: &&Joining| self.reopened.iter().any(|again| again.id == one.id);
        for one in open.iter().filter(|one| Some(one.id) <= self.window.frontier && !is_to_come(one)) {
            let is_behind = match self.is_outside(one.id) {
                true => people(&one.keys).find(|key| passed_parked.contains(key)),
                false => one.keys.iter().copied().find(|key| passed_lined.contains(key)),
            };
            if self.is_in_memory(one.id) {
                if let Some(key) = is_behind.filter(|_| !is_reopened(one.id)) {
                    return Err(format!("{} is in memory, and an older one with key {key} is not", one.id));
                }
                continue;
            }
            // One that was brought with another may have gone to the shelf before both were known to have come too early.
            let is_on_shelf = one.keys.iter().all(|key| self.window.is_shelved(*key, false))
                || one.parked && people(&one.keys).all(|key| self.window.is_shelved(key, true));
            if !is_on_shelf || self.window.is_shelf_empty() {
                return Err(format!("{} is neither in memory nor on the shelf", one.id));
            }
            if !is_reopened(one.id) {
                match one.parked {
                    true => passed_parked.extend(people(&one.keys)),
                    false => passed_lined.extend(one.keys.iter().copied()),
                }
            }
        }
        Ok(())
    }
}
