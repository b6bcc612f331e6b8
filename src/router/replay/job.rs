//! A replay as a job: what it is about, how far it has come, and how it ended.

use serde::{Deserialize, Serialize};

use super::wish::Wish;
use crate::delivery::Position;
use crate::instant::Timestamp;
use crate::store;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, or waits for one that was begun before.
    Running,
    /// Everything that is meant has been put into the log again.
    Done,
    /// Somebody ended it. What had been put into the log is delivered all the same.
    Cancelled,
}

/// A replay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub state: State,
    /// Which events, and how.
    pub wish: Wish,
    /// When it was begun.
    pub began_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The last event that was there when it was begun.
    pub last: Position,
    /// Events up to here have been looked at.
    pub at: Position,
    /// Events that were put into the log again.
    pub fed: u64,
    /// What it waits for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
}

/// What keeps a replay from putting more into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Much is to be routed, or could be delivered at once where it is meant.
    Queue,
    /// One of the destinations that are meant is not sent to now.
    Destinations,
}

impl Job {
    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    pub(super) fn end(&mut self, state: State, now: Timestamp) {
        (self.state, self.ended_at, self.waits_for) = (state, Some(now), None);
    }

    /// As the store keeps it.
    pub(super) fn record(&self) -> store::Job {
        let kept = Job { waits_for: None, ..self.clone() };
        store::Job { id: self.id, record: serde_json::to_string(&kept).expect("a job is plain data") }
    }
}

/// How many events may be put into the log now, so that no more than `rate` a second are. What is not used is saved up for a
/// second, so that nothing rushes in after a wait.
pub(super) struct Meter {
    rate: Option<f64>,
    at: Timestamp,
    saved: f64,
}

impl Meter {
    /// The first goes at once.
    pub(super) fn new(rate: Option<f64>, now: Timestamp) -> Meter {
        Meter { rate, at: now, saved: 1.0 }
    }

    /// How many may be now.
    pub(super) fn room(&mut self, now: Timestamp) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.at = now;
        self.saved = (self.saved + rate * passed).min(rate.max(1.0));
        self.saved as u64
    }

    /// So many were.
    pub(super) fn used(&mut self, events: usize) {
        self.saved -= events as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_from_the_first_on() {
        let at = |secs: f64| Timestamp::from_millisecond((secs * 1000.0) as i64).unwrap();
        let mut meter = Meter::new(Some(2.0), at(0.0));
        assert_eq!(meter.room(at(0.0)), 1);
        meter.used(1);
        assert_eq!([0.0, 0.4, 0.5, 0.9, 1.0].map(|secs| meter.room(at(secs))), [0, 0, 1, 1, 2]);
        meter.used(2);
        assert_eq!(meter.room(at(3600.0)), 2, "an hour in which nothing could go is not made up for");
        meter.used(2);
        assert_eq!(meter.room(at(-3600.0)), 0, "a clock that was set back");
        assert_eq!(meter.room(at(-3599.0)), 2, "which stops nothing");
        let mut slow = Meter::new(Some(0.1), at(0.0));
        slow.used(1);
        assert_eq!([9.9, 10.1, 60.0].map(|secs| slow.room(at(secs))), [0, 1, 1]);
        assert_eq!(Meter::new(None, at(0.0)).room(at(0.0)), u64::MAX);
    }
}
