//! How many attempts may be under way at once, found by trying: up slowly, down at once.
//!
//! # Why
//! What a destination can bear is not known beforehand and changes. The rule is TCP's additive increase, multiplicative
//! decrease (RFC 5681 §3.1: doubled at first, until the first sign of too much; the start of ten is RFC 6928's), over rounds
//! as long as an attempt takes, with latency as a second sign as in Vector's adaptive request concurrency (a round that
//! took longer than the average by several deviations; decreased to nine tenths). A refusal for the *rate* of requests is
//! no sign here: the budget answers that.

use std::time::Duration;

use super::{Ended, Sign};
use crate::instant::Timestamp;

/// Attempts at once before anything is known.
const FIRST: usize = 10;
/// What is left of the limit after a failure.
const AFTER_FAILURE: f64 = 0.5;
/// What is left of the limit after a round that was too slow.
const AFTER_SLOWNESS: f64 = 0.9;
/// The part that the latest round has in the average.
const NEWS: f64 = 0.2;
/// A round is too slow when it took longer than the average by so many deviations.
const DEVIATIONS: f64 = 3.0;
/// And by this at least, in seconds: less than this is nobody's queue.
const SLOWNESS_MIN: f64 = 0.1;

/// The limit of one connection. Pure: time is given.
#[derive(Debug)]
pub struct Concurrency {
    max: usize,
    limit: f64,
    /// Whether nothing has been too much yet.
    is_starting: bool,
    usual: Option<Usual>,
    round: Round,
}

/// What requests took in the rounds before, in seconds.
#[derive(Debug, Clone, Copy)]
struct Usual {
    took: f64,
    deviation: f64,
}

/// What was seen since the limit was last thought about.
#[derive(Debug, Default)]
struct Round {
    ends_at: Option<Timestamp>,
    at_once_max: usize,
    has_failed: bool,
    answered: usize,
    took_secs: f64,
}

impl Concurrency {
    /// No more than `max` at once; at least one.
    pub fn new(max: usize) -> Concurrency {
        let max = max.max(1);
        let limit = FIRST.min(max) as f64;
        Concurrency { max, limit, is_starting: true, usual: None, round: Round::default() }
    }

    /// How many attempts may be under way now.
    pub fn limit(&self) -> usize {
        (self.limit as usize).clamp(1, self.max)
    }

    /// How many it can ever be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// An attempt began; with it so many are under way.
    pub fn begin(&mut self, at_once: usize) {
        self.round.at_once_max = self.round.at_once_max.max(at_once);
    }

    /// An attempt ended.
    pub fn end(&mut self, ended: &Ended, now: Timestamp) {
        let took = ended.took.as_secs_f64() / ended.requests.max(1) as f64;
        match ended.sign {
            Sign::Silent | Sign::Busy => return,
            Sign::Failing => self.round.has_failed = true,
            Sign::Well => {
                self.round.answered += 1;
                self.round.took_secs += took;
            }
        }
        let ends_at = *self
            .round
            .ends_at
            .get_or_insert(now + Duration::from_secs_f64(self.usual.map_or(took, |usual| usual.took)));
        // A clock that was set back must not make a round endless.
        if now >= ends_at || ends_at.duration_since(now).as_secs() > 60 {
            self.turn();
        }
    }

    /// The destination is another one.
    pub fn forget(&mut self) {
        *self = Concurrency::new(self.max);
    }

    /// A round is over: the limit is thought about.
    fn turn(&mut self) {
        let round = std::mem::take(&mut self.round);
        let mean = (round.answered > 0).then(|| round.took_secs / round.answered as f64);
        let is_slow = mean.zip(self.usual).is_some_and(|(mean, usual)| usual.is_exceeded_by(mean));
        if let Some(mean) = mean {
            self.usual = Some(self.usual.map_or(Usual { took: mean, deviation: 0.0 }, |usual| usual.with(mean)));
        }
        let was_full = round.at_once_max >= self.limit();
        let changed = match (round.has_failed, is_slow) {
            (true, _) => self.limit * AFTER_FAILURE,
            (false, true) => self.limit * AFTER_SLOWNESS,
            (false, false) if !was_full => self.limit,
            (false, false) if self.is_starting => self.limit * 2.0,
            (false, false) => self.limit + 1.0,
        };
        self.is_starting &= !round.has_failed && !is_slow;
        self.limit = changed.clamp(1.0, self.max as f64);
    }
}

impl Usual {
    fn is_exceeded_by(self, mean: f64) -> bool {
        mean > self.took + (DEVIATIONS * self.deviation).max(SLOWNESS_MIN)
    }

    fn with(self, mean: f64) -> Usual {
        let off = mean - self.took;
        Usual { took: self.took + NEWS * off, deviation: self.deviation + NEWS * (off.abs() - self.deviation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection at full load: rounds of attempts that all take so many ms.
    struct Load {
        concurrency: Concurrency,
        now: Timestamp,
    }

    impl Load {
        fn new(max: usize) -> Load {
            Load { concurrency: Concurrency::new(max), now: Timestamp::UNIX_EPOCH }
        }

        /// A round of as many attempts as may be; gives the limit after it.
        fn round(&mut self, sign: Sign, millis: u64) -> usize {
            let took = Duration::from_millis(millis);
            let at_once = self.concurrency.limit();
            self.concurrency.begin(at_once);
            self.now += took;
            // The first opens a round, and the last, a round later, ends it.
            for _ in 0..at_once {
                self.concurrency.end(&Ended { sign, took, requests: 1, allowance: None }, self.now);
            }
            self.now += took;
            self.concurrency.begin(at_once);
            self.concurrency.end(&Ended { sign, took, requests: 1, allowance: None }, self.now);
            self.concurrency.limit()
        }
    }

    #[test]
    fn it_doubles_until_the_first_failure_then_grows_by_one() {
        let mut load = Load::new(100);
        assert_eq!([load.round(Sign::Well, 50), load.round(Sign::Well, 50)], [20, 40]);
        assert_eq!(load.round(Sign::Failing, 50), 20);
        assert_eq!([load.round(Sign::Well, 50), load.round(Sign::Well, 50)], [21, 22]);
    }

    #[test]
    fn it_stays_between_one_and_the_most() {
        let mut load = Load::new(25);
        for _ in 0..10 {
            load.round(Sign::Well, 50);
        }
        assert_eq!(load.concurrency.limit(), 25);
        for _ in 0..10 {
            load.round(Sign::Failing, 50);
        }
        assert_eq!(load.concurrency.limit(), 1);
        assert_eq!(Concurrency::new(0).limit(), 1);
        assert_eq!(Concurrency::new(3).limit(), 3);
    }

    #[test]
    fn slowness_lowers_it_and_what_lasts_becomes_usual() {
        let mut load = Load::new(40);
        for _ in 0..10 {
            load.round(Sign::Well, 50);
        }
        assert_eq!(load.concurrency.limit(), 40);
        assert_eq!(load.round(Sign::Well, 500), 36);
        for _ in 0..60 {
            load.round(Sign::Well, 500);
        }
        assert_eq!(load.concurrency.limit(), 40, "that is how long it takes here");
    }

    #[test]
    fn a_few_milliseconds_are_no_slowness() {
        let mut load = Load::new(40);
        for millis in [1, 1, 1, 1, 60, 90, 1] {
            load.round(Sign::Well, millis);
        }
        assert_eq!(load.concurrency.limit(), 40);
    }

    #[test]
    fn a_limit_that_nobody_reaches_does_not_grow() {
        let mut concurrency = Concurrency::new(100);
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..100 {
            concurrency.begin(1);
            now += Duration::from_millis(50);
            let took = Duration::from_millis(50);
            concurrency.end(&Ended { sign: Sign::Well, took, requests: 1, allowance: None }, now);
        }
        assert_eq!(concurrency.limit(), FIRST);
    }

    #[test]
    fn a_refusal_of_the_rate_changes_nothing() {
        let mut load = Load::new(100);
        load.round(Sign::Well, 50);
        assert_eq!(load.round(Sign::Busy, 50), 20);
        assert_eq!(load.round(Sign::Silent, 50), 20);
    }

    #[test]
    fn the_time_is_that_of_one_request() {
        let mut load = Load::new(40);
        for _ in 0..10 {
            load.round(Sign::Well, 200);
        }
        load.concurrency.begin(40);
        for millis in [0, 5_000] {
            load.now += Duration::from_millis(millis);
            let ended = Ended { sign: Sign::Well, took: Duration::from_secs(1), requests: 5, allowance: None };
            load.concurrency.end(&ended, load.now);
        }
        assert_eq!(load.concurrency.limit(), 40);
    }
}
