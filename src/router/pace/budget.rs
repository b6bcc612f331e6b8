//! What a destination lets a connection send in a window of time, spread over the window.

use std::time::Duration;

use super::back;
use crate::destination::Allowance;
use crate::instant::Timestamp;

/// How far ahead of an even spread attempts may run: a few at once need not wait for each other.
const BURST: Duration = Duration::from_millis(500);

/// Ends of a window that lie no further apart are one window's: replies tell the time in whole seconds.
const SAME: Duration = Duration::from_secs(1);

/// One request in so many is left to people, who act by hand on the same connection.
const RESERVE: u32 = 40;

/// The part that the latest attempt has in how many requests one is thought to take.
const NEWS: f64 = 0.05;

/// The budget of one connection. Pure: time is given.
///
/// # Why
/// A window that is used up at once leaves a connection silent for the rest of it, and whatever else uses the same app runs
/// into refusals. What is under way is thought not to be counted yet: so the budget is never overdrawn.
#[derive(Debug, Default)]
pub struct Budget {
    window: Option<Window>,
    /// When the next attempt begins, on an even spread.
    next_at: Option<Timestamp>,
    /// Requests of an attempt, as they were of late.
    cost: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u32,
    remaining: u32,
    resets_at: Timestamp,
    /// As long as a window was seen to be.
    length: Duration,
    /// When the one before ended, as long as no reply has told of this one.
    assumed_since: Option<Timestamp>,
}

impl Budget {
    /// Takes what an attempt of so many requests was told.
    pub fn hear(&mut self, told: Allowance, requests: usize, now: Timestamp) {
        let requests = requests.max(1) as f64;
        self.cost = Some(self.cost.map_or(requests, |cost| cost + NEWS * (requests - cost)));
        let Ok(left) = Duration::try_from(told.resets_at.duration_since(now)) else { return };
        if left.is_zero() {
            return;
        }
        self.turn(now);
        let Allowance { limit, remaining, resets_at } = told;
        let length = self.window.map_or(left, |window| window.length.max(left));
        let fresh = Window { limit, remaining, resets_at, length, assumed_since: None };
        match &mut self.window {
            None => self.window = Some(fresh),
            Some(Window { assumed_since: Some(since), .. }) if resets_at <= *since + SAME => {}
            Some(window) if window.assumed_since.is_none() && resets_at + SAME <= window.resets_at => {}
            Some(window) if window.assumed_since.is_none() && resets_at < window.resets_at + SAME => {
                // Replies overtake each other, and each is late by less than a second: the least is nearest the truth.
                window.limit = limit;
                window.remaining = window.remaining.min(remaining);
                window.resets_at = window.resets_at.min(resets_at);
            }
            Some(window) => *window = fresh,
        }
    }

    /// When the next attempt may begin, where that is not now; `at_once` are under way.
    pub fn wait(&mut self, at_once: usize, now: Timestamp) -> Option<Timestamp> {
        self.turn(now);
        let window = self.window?;
        let is_spent = match at_once {
            0 => window.remaining <= window.reserve(),
            _ => self.attempts_left(&window, at_once) < 1.0,
        };
        if is_spent {
            return Some(window.resets_at);
        }
        self.next_at.map(|next_at| next_at - BURST).filter(|at| *at > now)
    }

    /// An attempt begins, besides `at_once` others.
    pub fn begin(&mut self, at_once: usize, now: Timestamp) {
        self.turn(now);
        let Some(window) = self.window else { return };
        let from = self.next_at.map_or(now, |next_at| next_at.max(now));
        let left = window.resets_at.duration_since(from).as_secs_f64().max(0.0);
        let gap = left / self.attempts_left(&window, at_once).max(1.0);
        self.next_at = Some(from + Duration::from_secs_f64(gap));
    }

    /// What the connection may still send at `now`, as it was told or as is assumed since.
    pub fn allowance(&mut self, now: Timestamp) -> Option<Allowance> {
        self.turn(now);
        let Window { limit, remaining, resets_at, .. } = self.window?;
        Some(Allowance { limit, remaining, resets_at })
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: Duration) {
        self.next_at = self.next_at.map(|at| back(at, by));
        if let Some(window) = &mut self.window {
            window.resets_at = back(window.resets_at, by);
            window.assumed_since = window.assumed_since.map(|at| back(at, by));
        }
    }

    /// Attempts that the window still has room for, besides those under way.
    fn attempts_left(&self, window: &Window, at_once: usize) -> f64 {
        f64::from(window.remaining.saturating_sub(window.reserve())) / self.cost.unwrap_or(1.0) - at_once as f64
    }

    /// When a window has ended, the next one is thought to be like it until a reply tells.
    fn turn(&mut self, now: Timestamp) {
        let Some(window) = self.window.as_mut().filter(|window| window.resets_at <= now) else { return };
        self.next_at = None;
        // Nothing is known of the next one where it was not said how much goes into one: the first reply will tell.
        if window.limit == 0 {
            self.window = None;
            return;
        }
        let next = window.resets_at + window.length;
        window.assumed_since = Some(window.resets_at);
        window.resets_at = if next > now { next } else { now + window.length };
        window.remaining = window.limit;
    }
}

impl Window {
    fn reserve(&self) -> u32 {
        match self.limit {
            0..10 => 0,
            limit => (limit / RESERVE).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn told(remaining: u32, resets_at: u64) -> Allowance {
        Allowance { limit: 100, remaining, resets_at: at(resets_at) }
    }

    /// How many attempts begin from `from` until `until`, in ms, when each ends at once and nothing more is told.
    fn begun(budget: &mut Budget, from: u64, until: u64) -> usize {
        let mut begun = 0;
        for now in from..until {
            while budget.wait(0, at(now)).is_none() {
                budget.begin(0, at(now));
                budget.window.as_mut().unwrap().remaining -= 1;
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn without_a_word_about_limits_nothing_waits() {
        let mut budget = Budget::default();
        budget.begin(0, at(0));
        assert_eq!(budget.wait(1_000, at(0)), None);
    }

    #[test]
    fn a_window_is_used_evenly_and_two_requests_are_left_in_it() {
        let mut budget = Budget::default();
        budget.hear(told(100, 10_000), 1, at(0));
        let quarters: Vec<usize> =
            (0..4).map(|quarter| begun(&mut budget, quarter * 2_500, (quarter + 1) * 2_500)).collect();
        assert_eq!(quarters.iter().sum::<usize>(), 98);
        // The first runs ahead by the burst, which the last one then lacks.
        assert_eq!(quarters, [30, 24, 25, 19]);
        assert_eq!(budget.window.unwrap().remaining, 2);
    }

    #[test]
    fn a_spent_window_waits_for_its_end_and_the_next_is_like_it() {
        let mut budget = Budget::default();
        budget.hear(told(2, 4_000), 1, at(0));
        assert_eq!(budget.wait(0, at(0)), Some(at(4_000)));
        assert_eq!(budget.wait(0, at(4_000)), None);
        assert_eq!(budget.window.unwrap().remaining, 100);
    }

    #[test]
    fn what_is_under_way_and_what_it_costs_is_counted() {
        let mut budget = Budget::default();
        budget.hear(told(12, 10_000), 5, at(0));
        assert_eq!(budget.wait(0, at(0)), None);
        assert_eq!(budget.wait(1, at(0)), None);
        assert_eq!(budget.wait(2, at(0)), Some(at(10_000)));
    }

    #[test]
    fn late_words_change_nothing_and_the_nearest_end_counts() {
        let mut budget = Budget::default();
        budget.hear(told(50, 10_900), 1, at(0));
        budget.hear(told(60, 10_100), 1, at(100));
        let window = budget.window.unwrap();
        assert_eq!((window.remaining, window.resets_at), (50, at(10_100)));
        assert_eq!(budget.wait(0, at(10_200)), None);
        budget.hear(told(0, 10_950), 1, at(10_300));
        assert_eq!(budget.window.unwrap().remaining, 100, "that was about the window before");
        budget.hear(told(90, 20_400), 1, at(10_400));
        assert_eq!((budget.window.unwrap().remaining, budget.window.unwrap().resets_at), (90, at(20_400)));
    }

    #[test]
    fn even_a_limit_of_one_goes_on() {
        let mut budget = Budget::default();
        budget.hear(Allowance { limit: 1, remaining: 0, resets_at: at(1_000) }, 3, at(0));
        assert_eq!(budget.wait(0, at(0)), Some(at(1_000)));
        assert_eq!(budget.wait(0, at(1_000)), None);
    }

    #[test]
    fn a_reply_that_says_nothing_of_a_limit_stops_one_window_and_not_all() {
        let mut budget = Budget::default();
        budget.hear(Allowance { limit: 0, remaining: 0, resets_at: at(1_000) }, 1, at(0));
        assert_eq!(budget.wait(0, at(0)), Some(at(1_000)));
        assert_eq!((budget.wait(0, at(1_000)), budget.allowance(at(1_000))), (None, None));
    }
}
