//! The circuit breaker: a destination that fails whatever it is sent is left alone for a while, then asked once.
//!
//! # Why
//! Without it an outage is met by every delivery's own schedule: a thousand deliveries make thousands of attempts that
//! cannot succeed. The pattern is M. Nygard's ("Release It!", 2007): closed, open, half-open. What counts is how many
//! *different* deliveries failed one after the other, because one that always fails says nothing about the others, and is
//! paced well enough by its own schedule. The question when it is half-open is a delivery, not a harmless read: a service may
//! well say who we are while it cannot write.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Sign, back};
use crate::delivery::Id;
use crate::instant::Timestamp;

/// When a destination that fails is left alone, and for how long.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many different deliveries must fail one after the other (no answer, or status 5xx) before nothing more is sent.
    /// A refusal (4xx) is an answer. 0: never.
    #[schemars(range(min = 0, max = 10000))]
    pub failures: usize,
    /// Seconds until one delivery is attempted, to see whether the destination is well again; doubled each time it is not.
    #[schemars(range(min = 0.001, max = 86400.0))]
    pub open_secs: f64,
    /// Seconds that this never exceeds.
    #[schemars(range(min = 0.001, max = 86400.0))]
    pub open_secs_max: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { failures: 5, open_secs: 5.0, open_secs_max: 60.0 }
    }
}

/// The breaker of one connection. Pure: time is given.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Attempts are made; these deliveries failed since the last one that did not.
    Closed { failed: BTreeSet<Id> },
    /// None is made until then; it is so since the first time, and was so so many times in a row.
    Open { until: Timestamp, since: Timestamp, times: u32 },
    /// One may be made, or is under way.
    HalfOpen { is_under_way: bool, since: Timestamp, times: u32 },
}

/// What an attempt did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// From now on nothing is sent.
    Opened,
    /// The destination is well again.
    Closed,
}

impl Breaker {
    /// A closed one.
    pub fn new(settings: Settings) -> Breaker {
        Breaker { settings, state: State::Closed { failed: BTreeSet::new() } }
    }

    /// Until when nothing is sent, where that is not over at `now`.
    pub fn open_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        let State::Open { until, since, times } = self.state else { return None };
        // A clock that was set back must not keep it open for longer than it was to be.
        if until > now && now >= since {
            return Some(until);
        }
        self.state = State::HalfOpen { is_under_way: false, since, times };
        None
    }

    /// Whether the one attempt is under way that tells how the destination is.
    pub fn is_being_probed(&self) -> bool {
        matches!(self.state, State::HalfOpen { is_under_way: true, .. })
    }

    /// Since when it is not closed.
    pub fn open_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { since, .. } | State::HalfOpen { since, .. } => Some(since),
        }
    }

    /// An attempt begins.
    pub fn begin(&mut self) {
        if let State::HalfOpen { is_under_way, .. } = &mut self.state {
            *is_under_way = true;
        }
    }

    /// An attempt of `id` ended.
    pub fn end(&mut self, id: Id, sign: Sign, now: Timestamp) -> Option<Turn> {
        match (&mut self.state, sign) {
            (State::Closed { .. }, Sign::Silent) | (State::Open { .. }, Sign::Silent | Sign::Failing) => None,
            (State::Closed { failed }, Sign::Failing) => {
                failed.insert(id);
                let opens = self.settings.failures > 0 && failed.len() >= self.settings.failures;
                opens.then(|| self.open(now, now, 1))
            }
            (State::HalfOpen { is_under_way, .. }, Sign::Silent) => {
                *is_under_way = false;
                None
            }
            (State::HalfOpen { since, times, .. }, Sign::Failing) => {
                let (since, times) = (*since, times.saturating_add(1));
                self.open(now, since, times);
                None
            }
            (State::Closed { failed }, Sign::Well | Sign::Busy) => {
                failed.clear();
                None
            }
            (State::Open { .. } | State::HalfOpen { .. }, Sign::Well | Sign::Busy) => {
                self.forget();
                Some(Turn::Closed)
            }
        }
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: Duration) {
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { until, since, .. } => (*until, *since) = (back(*until, by), back(*since, by)),
            State::HalfOpen { since, .. } => *since = back(*since, by),
        }
    }

    /// The destination is another one.
    pub fn forget(&mut self) {
        self.state = State::Closed { failed: BTreeSet::new() };
    }

    fn open(&mut self, now: Timestamp, since: Timestamp, times: u32) -> Turn {
        let doubled = self.settings.open_secs * 2f64.powi(times.saturating_sub(1).min(30) as i32);
        let wait =
            Duration::try_from_secs_f64(doubled.min(self.settings.open_secs_max)).unwrap_or(Duration::from_secs(1));
        self.state = State::Open { until: now + wait, since, times };
        Turn::Opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Position;

    fn at(secs: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn breaker(failures: usize) -> Breaker {
        Breaker::new(Settings { failures, ..Settings::default() })
    }

    fn end(breaker: &mut Breaker, position: u64, sign: Sign, now: u64) -> Option<Turn> {
        breaker.end(Id { position: Position(position), number: 0 }, sign, at(now))
    }

    #[test]
    fn so_many_different_deliveries_in_a_row_open_it() {
        let mut breaker = breaker(3);
        for sign in [Sign::Failing, Sign::Failing, Sign::Failing, Sign::Failing] {
            assert_eq!(end(&mut breaker, 1, sign, 0), None, "one delivery alone says nothing");
        }
        assert_eq!(end(&mut breaker, 2, Sign::Failing, 0), None);
        assert_eq!(end(&mut breaker, 3, Sign::Silent, 0), None);
        assert_eq!(end(&mut breaker, 4, Sign::Failing, 0), Some(Turn::Opened));
        assert_eq!(breaker.open_until(at(0)), Some(at(5)));
    }

    #[test]
    fn an_answer_between_keeps_it_closed_also_when_it_is_a_refusal() {
        let mut breaker = breaker(2);
        for position in 0..10 {
            assert_eq!(end(&mut breaker, position, Sign::Failing, 0), None);
            assert_eq!(end(&mut breaker, position + 100, Sign::Well, 0), None);
        }
        assert_eq!(breaker.open_until(at(0)), None);
    }

    #[test]
    fn it_opens_for_longer_each_time_up_to_a_most_and_starts_anew_once_well() {
        let mut breaker = breaker(1);
        let mut now = 0;
        let mut waits = Vec::new();
        end(&mut breaker, 1, Sign::Failing, now);
        for _ in 0..6 {
            let until = breaker.open_until(at(now)).unwrap();
            waits.push(until.as_second() as u64 - now);
            now = until.as_second() as u64;
            assert_eq!(breaker.open_until(at(now)), None);
            breaker.begin();
            assert!(breaker.is_being_probed());
            assert_eq!(end(&mut breaker, 1, Sign::Failing, now), None, "that it is still open is no news");
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
        assert_eq!(breaker.open_since(), Some(at(0)));
        assert_eq!(end(&mut breaker, 2, Sign::Well, now), Some(Turn::Closed), "one that began before it opened");
        end(&mut breaker, 1, Sign::Failing, now);
        assert_eq!(breaker.open_until(at(now)), Some(at(now + 5)));
    }

    #[test]
    fn a_question_that_was_never_put_is_put_again() {
        let mut breaker = breaker(1);
        end(&mut breaker, 1, Sign::Failing, 0);
        assert_eq!(breaker.open_until(at(5)), None);
        breaker.begin();
        end(&mut breaker, 2, Sign::Silent, 5);
        assert!(!breaker.is_being_probed());
        breaker.begin();
        assert_eq!(end(&mut breaker, 3, Sign::Busy, 6), Some(Turn::Closed), "who asks for quiet is there");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let mut breaker = breaker(1);
        end(&mut breaker, 1, Sign::Failing, 1_000_000);
        assert_eq!(breaker.open_until(at(0)), None);
    }

    #[test]
    fn it_can_be_turned_off() {
        let mut breaker = breaker(0);
        for position in 0..1_000 {
            assert_eq!(end(&mut breaker, position, Sign::Failing, 0), None);
        }
        assert_eq!(breaker.open_until(at(0)), None);
    }
}
