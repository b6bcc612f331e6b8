//! What was taken out of a store on request, and who is not taken any more: the part of it that is kept in memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::delivery::Position;
use crate::event::{Event, Person};

/// Shared by everybody who reads or writes one store.
#[derive(Debug, Default)]
pub(super) struct Removal {
    positions: Mutex<HashSet<Position>>,
    is_any: AtomicBool,
    suppressed: Mutex<Arc<Person>>,
}

impl Removal {
    /// Starts with those who were suppressed before.
    pub(super) fn new(suppressed: Person) -> Removal {
        Removal { suppressed: Mutex::new(Arc::new(suppressed)), ..Removal::default() }
    }

    /// From here on these events are gone for everybody, also for who has read them already.
    pub(super) fn add(&self, positions: &[Position]) {
        self.positions().extend(positions);
        self.is_any.store(true, Ordering::Release);
    }

    /// They could not be removed.
    pub(super) fn take_back(&self, positions: &[Position]) {
        let mut known = self.positions();
        positions.iter().for_each(|position| {
            known.remove(position);
        });
    }

    /// Whether the event was removed since the process started.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.is_any.load(Ordering::Acquire) && self.positions().contains(&position)
    }

    /// Whether the event repeats one that was removed since the process started.
    pub(super) fn holds_original(&self, event: &Event) -> bool {
        event.envelope.replay.as_ref().is_some_and(|replay| self.holds(Position(replay.of)))
    }

    /// Who is suppressed.
    pub(super) fn suppressed(&self) -> Arc<Person> {
        self.suppressed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces who is suppressed.
    pub(super) fn suppress(&self, all: Person) {
        *self.suppressed.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
    }

    fn positions(&self) -> MutexGuard<'_, HashSet<Position>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who are suppressed once this is done.
pub(super) fn changed(before: &Person, change: &Person, on: bool) -> Person {
    let mut after = before.clone();
    if on {
        after.add(change);
    } else {
        after.user_ids.retain(|id| !change.user_ids.contains(id));
        after.emails.retain(|email| !change.emails.contains(email));
    }
    after
}
