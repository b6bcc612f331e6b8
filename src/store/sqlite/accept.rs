//! Writing accepted events.

use rusqlite::params;

use super::group::{Group, Work};
use super::record::{EventRow, seal};
use super::shared::Place;
use crate::delivery::Position;
use crate::store::Accepted;

/// Events in the order in which they are to be stored.
pub(super) struct Accept {
    pub(super) events: Vec<EventRow>,
    /// Held until the call is answered.
    pub(super) _place: Place,
}

impl Work for Accept {
    type Answer = Vec<Accepted>;

    const ADDS: bool = true;

    fn weight(&self) -> usize {
        self.events.len()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Vec<Accepted>> {
        let mut insert = group.file.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")?;
        let mut answers = Vec::with_capacity(self.events.len());
        for event in &self.events {
            if !group.remember(event.hour, event.hash) {
                answers.push(Accepted::Duplicate);
                continue;
            }
            let position = group.marks.last + 1;
            insert.execute(params![position, event.envelope, &event.event.body[..], seal(event.checksum, position)])?;
            group.marks.last = position;
            group.accepted(position, &event.event);
            answers.push(Accepted::New(Position(position as u64)));
        }
        Ok(answers)
    }
}
