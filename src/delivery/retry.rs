//! When a failed delivery is attempted again, or that it is not. Pure: attempts, failure, age, now and luck are given.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{Failure, Kind};
use crate::instant::Timestamp;

/// When to try again and when to give up.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds of the first wait; doubled by each attempt. The actual wait is random between nothing and that (full jitter).
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub first_wait_secs: f64,
    /// Seconds that this wait never exceeds.
    #[schemars(range(min = 0.0, max = 604800.0))]
    pub wait_max_secs: f64,
    /// Seconds after which a destination that does not answer is given up on for one delivery, counted from the first
    /// failed attempt. 72 hours.
    #[schemars(range(min = 0, max = 31536000))]
    pub give_up_after_secs: u64,
    /// Seconds of the first wait of a delivery whose contact is not there yet, at most. Later ones are about as long as it has
    /// waited, and at most a quarter of `too_early_max_secs`. It need not be short, because whatever is delivered about the
    /// same person wakes it.
    #[schemars(range(min = 0.0, max = 86400.0))]
    pub too_early_first_wait_secs: f64,
    /// Seconds a delivery waits for a contact that is not there yet. Then it is attempted once more, and the destination's
    /// `too_early` says what becomes of it: by default, it is given up on.
    #[schemars(range(min = 0, max = 31536000))]
    pub too_early_max_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            first_wait_secs: 1.0,
            wait_max_secs: 300.0,
            give_up_after_secs: 72 * 3600,
            too_early_first_wait_secs: 10.0,
            too_early_max_secs: 3600,
        }
    }
}

/// No single wait is longer, whatever settings or a destination say.
pub const TOLD_MAX: Duration = Duration::from_secs(24 * 3600);

impl Settings {
    /// The longest that one wait can be.
    pub fn longest_wait(&self) -> Duration {
        let of_failed = Duration::try_from_secs_f64(self.wait_max_secs).unwrap_or(TOLD_MAX);
        of_failed.max(Duration::from_secs(self.too_early_max_secs)).min(TOLD_MAX)
    }
}

/// What is to be done with a delivery whose attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Attempt it again then, in its turn.
    Again(Timestamp),
    /// Let those behind it pass, and attempt it again then.
    Park(Timestamp),
    /// The whole destination waits until then; the delivery keeps its turn and nothing is counted.
    PauseUntil(Timestamp),
    /// The whole destination waits until its credentials work; the delivery keeps its turn and nothing is counted.
    PauseUntilAuthorized,
    /// Stop attempting it.
    GiveUp(Cow<'static, str>, String),
}

/// What has been tried so far.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// Attempts that counted, this one included.
    pub attempts: u32,
    /// When the first attempt that failed was made.
    pub first_failed_at: Timestamp,
    /// Whether the last attempt was made as a last resort, after the longest wait for a contact.
    pub waited_out: bool,
}

/// Decides. `luck` is in 0..1, drawn by the caller.
pub fn decide(settings: &Settings, failure: &Failure, tried: Tried, now: Timestamp, luck: f64) -> Verdict {
    let waited = now.duration_since(tried.first_failed_at);
    let given_up = |limit: u64| waited >= limited(limit);
    let told = failure.retry_after.map(|wait| wait.min(TOLD_MAX));
    match failure.kind {
        Kind::Rejected => Verdict::GiveUp(failure.code.clone(), failure.message.clone()),
        Kind::Unauthorized => Verdict::PauseUntilAuthorized,
        Kind::Throttled => Verdict::PauseUntil(now + told.unwrap_or(Duration::from_secs(10))),
        Kind::TooEarly if tried.waited_out => Verdict::GiveUp(
            failure.code.clone(),
            format!("{}, and it did not come within {} s", failure.message, settings.too_early_max_secs),
        ),
        // What is done as a last resort is still to be tried.
        Kind::TooEarly if given_up(settings.too_early_max_secs) => Verdict::Park(now),
        Kind::TooEarly => {
            let left = limited(settings.too_early_max_secs).saturating_sub(waited);
            let left = Duration::try_from(left).unwrap_or_default();
            // What woke it, and outages before, say nothing about when the contact will come. And a crash may forget to wake it.
            let quarter = settings.too_early_max_secs as f64 / 4.0;
            let most = settings.too_early_first_wait_secs.max((2.0 * waited.as_secs_f64()).min(quarter));
            let guess = || jittered(most, luck).min(left);
            Verdict::Park(now + told.unwrap_or_else(guess))
        }
        Kind::Unavailable | Kind::Unknown if given_up(settings.give_up_after_secs) => Verdict::GiveUp(
            failure.code.clone(),
            format!("{}; given up after {} attempts", failure.message, tried.attempts),
        ),
        Kind::Unavailable | Kind::Unknown => {
            Verdict::Again(now + told.unwrap_or_else(|| wait(settings, tried.attempts, luck)))
        }
    }
}

/// Whether something that came too early first at `since` has waited as long as it may.
pub fn has_waited_out(settings: &Settings, since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= limited(settings.too_early_max_secs)
}

fn limited(secs: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX))
}

/// Exponential backoff: anything from nothing to first × 2^(attempts−1), capped.
fn wait(settings: &Settings, attempts: u32, luck: f64) -> Duration {
    let doubled = settings.first_wait_secs * 2f64.powi(attempts.saturating_sub(1).min(60) as i32);
    jittered(doubled.min(settings.wait_max_secs), luck)
}

/// Full jitter: anything from nothing to `most_secs`.
fn jittered(most_secs: f64, luck: f64) -> Duration {
    let wait = most_secs.min(TOLD_MAX.as_secs_f64()) * luck.clamp(0.0, 1.0);
    // Settings may hold anything, also what is no number.
    Duration::try_from_secs_f64(wait).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[track_caller]
    fn check(kind: Kind, attempts: u32, waited_secs: u64, expected: Verdict) {
        let failure = Failure::new(kind, "code", "message");
        let now = START + Duration::from_secs(waited_secs);
        let tried = Tried { attempts, first_failed_at: START, waited_out: false };
        assert_eq!(decide(&Settings::default(), &failure, tried, now, 0.5), expected);
    }

    fn at(secs: f64) -> Timestamp {
        START + Duration::from_secs_f64(secs)
    }

    #[test]
    fn each_kind_has_its_own_end() {
        check(Kind::Rejected, 1, 0, Verdict::GiveUp("code".into(), "message".into()));
        check(Kind::Unauthorized, 1, 0, Verdict::PauseUntilAuthorized);
        check(Kind::Throttled, 1, 5, Verdict::PauseUntil(at(15.0)));
        check(Kind::TooEarly, 1, 5, Verdict::Park(at(10.0)));
        check(Kind::Unknown, 1, 5, Verdict::Again(at(5.5)));
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        check(Kind::Unavailable, 1, 0, Verdict::Again(at(0.5)));
        check(Kind::Unavailable, 4, 0, Verdict::Again(at(4.0)));
        check(Kind::Unavailable, 400, 0, Verdict::Again(at(150.0)));
    }

    #[test]
    fn absurd_settings_and_replies_do_no_harm() {
        let settings = Settings {
            first_wait_secs: f64::NAN,
            wait_max_secs: 1e300,
            give_up_after_secs: u64::MAX,
            ..Settings::default()
        };
        let tried = Tried { attempts: u32::MAX, first_failed_at: START, waited_out: false };
        let mut failure = Failure::new(Kind::Unavailable, "code", "message");
        assert_eq!(
            decide(&Settings { first_wait_secs: 1e300, ..settings.clone() }, &failure, tried, START, 1.0),
            Verdict::Again(at(86_400.0))
        );
        decide(&settings, &failure, tried, START, f64::NAN);
        failure.retry_after = Some(Duration::MAX);
        assert_eq!(decide(&settings, &failure, tried, START, 1.0), Verdict::Again(at(86_400.0)));
    }

    #[test]
    fn age_decides_when_to_give_up_and_attempts_do_not() {
        let day = 24 * 3600;
        check(Kind::Unavailable, 1_000_000, 3 * day - 1, Verdict::Again(at(259_199.0 + 150.0)));
        check(
            Kind::Unavailable,
            7,
            3 * day,
            Verdict::GiveUp("code".into(), "message; given up after 7 attempts".into()),
        );
        check(Kind::TooEarly, 9, 3, Verdict::Park(at(3.0 + 5.0)));
        check(Kind::TooEarly, 1, 100, Verdict::Park(at(100.0 + 100.0)));
        check(Kind::TooEarly, 1, 1000, Verdict::Park(at(1000.0 + 450.0)));
        check(Kind::TooEarly, 9, 3599, Verdict::Park(at(3600.0)));
        check(Kind::TooEarly, 9, 3600, Verdict::Park(at(3600.0)));
    }

    #[test]
    fn who_never_comes_is_asked_for_sixteen_times_in_an_hour() {
        let (settings, failure) =
            (Settings::default(), Failure::new(Kind::TooEarly, "contact_not_found", "no contact u1"));
        let (mut now, mut attempts) = (START, 1);
        while now < at(3600.0) {
            let tried = Tried { attempts, first_failed_at: START, waited_out: false };
            let Verdict::Park(until) = decide(&settings, &failure, tried, now, 0.5) else { panic!("it may wait") };
            (now, attempts) = (until, attempts + 1);
        }
        assert_eq!((now, attempts), (at(3600.0), 16));
    }

    #[test]
    fn who_has_waited_out_is_given_up_on_when_the_last_resort_fails() {
        let verdict = |kind| {
            let failure = Failure::new(kind, "contact_not_found", "no contact u1");
            // An outage meanwhile does not begin the waiting anew.
            let tried = Tried { attempts: 3, first_failed_at: at(3600.0), waited_out: true };
            decide(&Settings::default(), &failure, tried, at(3600.0), 0.5)
        };
        let message = "no contact u1, and it did not come within 3600 s".to_owned();
        assert_eq!(verdict(Kind::TooEarly), Verdict::GiveUp("contact_not_found".into(), message));
        assert_eq!(verdict(Kind::Unavailable), Verdict::Again(at(3602.0)));
    }
}
