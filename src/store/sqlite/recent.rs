//! The events that were accepted last and are not routed, as they were accepted.
//!
//! # Why
//! Who follows the log is mostly close behind those who write it. Reading from the disk, checking and taking apart again what
//! was in memory a moment ago took a sixth of the processor's time for an event.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::delivery::Position;
use crate::event::Event;
use crate::store::Stored;

/// Bytes they may take; who is further behind reads the disk.
const BYTES_MAX: usize = 4 << 20;

/// An event with its place. Shared, so that it is copied by who reads it, not by the one who writes for everybody.
pub(super) type Placed = (Position, Arc<Event>);

/// An event of one's own.
pub(super) fn stored((position, event): Placed) -> Stored {
    Stored { position, event: Arc::unwrap_or_clone(event) }
}

/// Neighbours in the order of acceptance, up to the last one.
#[derive(Default)]
pub(super) struct Recent {
    events: VecDeque<Placed>,
    bytes: usize,
}

impl Recent {
    /// Puts one behind the others.
    pub(super) fn add(&mut self, placed: Placed) {
        if self.events.back().is_some_and(|(last, _)| last.0 + 1 != placed.0.0) {
            self.clear();
        }
        self.bytes += size(&placed.1);
        self.events.push_back(placed);
        while self.bytes > BYTES_MAX {
            self.forget_first();
        }
    }

    /// Events up to there are routed.
    pub(super) fn routed(&mut self, position: Position) {
        while self.events.front().is_some_and(|(first, _)| *first <= position) {
            self.forget_first();
        }
    }

    /// Knows none any more.
    pub(super) fn clear(&mut self) {
        *self = Recent::default();
    }

    /// Those after `after`, at most `max`. `None`: the disk has to be asked.
    pub(super) fn after(&self, after: Position, max: usize) -> Option<Vec<Placed>> {
        let first = self.events.front()?.0.0;
        let skipped = after.0.checked_add(1)?.checked_sub(first)?;
        Some(self.events.iter().skip(skipped as usize).take(max).cloned().collect())
    }

    fn forget_first(&mut self) {
        self.bytes -= self.events.pop_front().map_or(0, |(_, event)| size(&event));
    }
}

/// Roughly how much memory one takes.
fn size(event: &Event) -> usize {
    const REST: usize = 512;
    let envelope = &event.envelope;
    let shared = envelope.shared.as_ref().map_or(0, |shared| shared.len());
    event.body.len() + shared + envelope.message_id.len() + REST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(position: u64, bytes: usize) -> Placed {
        let at = "2026-01-01T00:00:00Z";
        let envelope = serde_json::json!({
            "source": "website", "type": "track", "message_id": "m", "received_at": at, "timestamp": at, "channel": "server",
        });
        let envelope = serde_json::from_value(envelope).unwrap();
        (Position(position), Arc::new(Event { envelope, body: vec![b'x'; bytes].into() }))
    }

    fn positions(recent: &Recent, after: u64, max: usize) -> Option<Vec<u64>> {
        let found = recent.after(Position(after), max)?;
        Some(found.into_iter().map(|placed| stored(placed).position.0).collect())
    }

    #[test]
    fn what_is_known_is_what_the_disk_would_say() {
        let mut recent = Recent::default();
        assert_eq!(positions(&recent, 0, 9), None);
        (5..=8).for_each(|position| recent.add(placed(position, 1)));
        assert_eq!(positions(&recent, 3, 9), None, "4 may be there");
        assert_eq!(positions(&recent, 4, 2), Some(vec![5, 6]));
        assert_eq!(positions(&recent, 6, 9), Some(vec![7, 8]));
        assert_eq!(positions(&recent, 8, 9), Some(vec![]));
        recent.routed(Position(6));
        assert_eq!(positions(&recent, 5, 9), None, "6 may be there still");
        assert_eq!(positions(&recent, 6, 9), Some(vec![7, 8]));
        recent.add(placed(10, 1));
        assert_eq!((positions(&recent, 7, 9), positions(&recent, 9, 9)), (None, Some(vec![10])));
        recent.routed(Position(10));
        assert_eq!((positions(&recent, 10, 9), recent.bytes), (None, 0));
    }

    #[test]
    fn the_first_go_when_they_take_too_much() {
        let mut recent = Recent::default();
        (1..=100).for_each(|position| recent.add(placed(position, BYTES_MAX / 10)));
        assert!(recent.bytes <= BYTES_MAX);
        assert_eq!(positions(&recent, 97, 9), Some(vec![98, 99, 100]));
        assert_eq!(positions(&recent, 50, 9), None);
    }
}
