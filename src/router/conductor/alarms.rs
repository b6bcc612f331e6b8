//! What is to happen when, and what to make of a clock that does not simply go on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::Generation;
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// An event at the head of its lines may go on.
    Turn(Position),
    /// A parked delivery may be attempted.
    Parked(Id),
    /// The credentials of this generation are looked at.
    Probe(Generation),
    /// Something on the shelf may be due.
    Shelf,
}

/// Alarms, and when the clock was last looked at.
#[derive(Debug)]
pub(super) struct Alarms {
    set: BinaryHeap<Reverse<(Timestamp, Alarm)>>,
    seen: Timestamp,
}

/// How long nobody looks at the clock while something is open: a clock that is set is noticed within that.
const LOOK: Duration = Duration::from_secs(60);
/// The same, while nothing is open.
const IDLE: Duration = Duration::from_secs(3600);
/// A step of the clock up to this is its ordinary correction.
const SLACK: Duration = Duration::from_secs(1);

impl Alarms {
    pub(super) fn new(now: Timestamp) -> Alarms {
        Alarms { set: BinaryHeap::new(), seen: now }
    }

    /// Rings at `at`.
    pub(super) fn set(&mut self, at: Timestamp, alarm: Alarm) {
        self.set.push(Reverse((at, alarm)));
    }

    /// How many are set.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.set.len()
    }

    /// No probe is made at its time any more.
    pub(super) fn drop_probes(&mut self) {
        self.set.retain(|Reverse((_, alarm))| !matches!(alarm, Alarm::Probe(_)));
    }

    /// The next one that is due, taken out.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Alarm> {
        let Reverse((at, _)) = self.set.peek()?;
        if *at > now {
            return None;
        }
        self.set.pop().map(|Reverse((_, alarm))| alarm)
    }

    /// When somebody must look at the clock again.
    pub(super) fn wake_at(&self, is_any_open: bool) -> Timestamp {
        let look = self.seen + if is_any_open { LOOK } else { IDLE };
        self.set.peek().map_or(look, |Reverse((at, _))| look.min(*at))
    }

    /// The clock was looked at.
    pub(super) fn seen(&mut self, now: Timestamp) {
        self.seen = now;
    }

    /// By how much the clock was set back since it was last looked at; the alarms are set back with it.
    pub(super) fn set_back(&mut self, now: Timestamp) -> Option<Duration> {
        let by = Duration::try_from(self.seen.duration_since(now)).ok().filter(|by| *by > SLACK)?;
        let set = std::mem::take(&mut self.set);
        self.set = set.into_iter().map(|Reverse((at, alarm))| Reverse((at - by, alarm))).collect();
        self.seen = now;
        Some(by)
    }

    /// Since when nobody was here, although somebody should have been: the machine slept, or its clock was set forward.
    pub(super) fn missed(&self, now: Timestamp, is_any_open: bool) -> Option<Timestamp> {
        let wake_at = self.wake_at(is_any_open).max(self.seen);
        (now > wake_at + LOOK).then_some(wake_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + secs).unwrap()
    }

    #[test]
    fn they_ring_in_order_and_not_too_early() {
        let mut alarms = Alarms::new(at(0));
        alarms.set(at(20), Alarm::Shelf);
        alarms.set(at(10), Alarm::Probe(1));
        assert_eq!(alarms.wake_at(true), at(10));
        assert_eq!(alarms.due(at(9)), None);
        assert_eq!((alarms.due(at(20)), alarms.due(at(20))), (Some(Alarm::Probe(1)), Some(Alarm::Shelf)));
        assert_eq!((alarms.wake_at(true), alarms.wake_at(false)), (at(60), at(3600)));
    }

    #[test]
    fn a_clock_that_is_set_back_takes_the_alarms_with_it() {
        let mut alarms = Alarms::new(at(0));
        alarms.set(at(10), Alarm::Shelf);
        assert_eq!(alarms.set_back(at(-1)), None, "an ordinary correction");
        assert_eq!(alarms.set_back(at(-86_400)), Some(Duration::from_secs(86_400)));
        assert_eq!(alarms.wake_at(true), at(-86_390));
        assert_eq!(alarms.set_back(at(-86_400)), None);
    }

    #[test]
    fn a_clock_that_is_set_forward_is_noticed() {
        let mut alarms = Alarms::new(at(0));
        alarms.set(at(10), Alarm::Shelf);
        assert_eq!(alarms.missed(at(70), true), None);
        assert_eq!(alarms.missed(at(3 * 86_400), true), Some(at(10)));
    }
}
