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
}

impl Job {
    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    pub(super) fn end(&mut self, state: State, now: Timestamp) {
        (self.state, self.ended_at) = (state, Some(now));
    }

    /// As the store keeps it.
    pub(super) fn record(&self) -> store::Job {
        store::Job { id: self.id, record: serde_json::to_string(self).expect("a job is plain data") }
    }
}

/// How many events may be put into the log now, so that no more than `rate` a second are.
pub(super) fn allowance(rate: Option<f64>, fed: u64, running_secs: f64) -> u64 {
    let Some(rate) = rate else { return u64::MAX };
    // The first goes at once.
    let allowed = (rate * running_secs.max(0.0)) as u64 + 1;
    allowed.saturating_sub(fed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_from_the_first_on() {
        assert_eq!(allowance(None, 1_000_000, 0.0), u64::MAX);
        assert_eq!((allowance(Some(2.0), 0, 0.0), allowance(Some(2.0), 1, 0.0)), (1, 0));
        assert_eq!((allowance(Some(2.0), 1, 0.6), allowance(Some(2.0), 1, 5.0)), (1, 10));
        assert_eq!(allowance(Some(0.1), 1, 9.9), 0);
        assert_eq!(allowance(Some(5.0), 0, -7.0), 1, "a clock that was set back");
    }
}
