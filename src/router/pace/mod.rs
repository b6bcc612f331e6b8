//! How fast one connection may go: what its budget allows, how many attempts at once, and whether it stands still.

use std::time::Duration;

use self::breaker::{Breaker, Turn};
use self::budget::Budget;
use self::concurrency::Concurrency;
use super::PaceSettings;
use crate::delivery::Id;
use crate::destination::Allowance;
use crate::instant::Timestamp;

pub mod breaker;
mod budget;
mod concurrency;
mod pauses;
mod standing;

pub use pauses::Pauses;
pub use standing::{Board, Owing, Standing, Waiting};

/// The state of one connection. Pure: time is given.
#[derive(Debug)]
pub struct Pace {
    at_once: usize,
    concurrency: Concurrency,
    budget: Budget,
    breaker: Breaker,
    throttled_until: Option<Timestamp>,
    unauthorized: Option<Timestamp>,
    paused: Option<Timestamp>,
    off: bool,
}

/// What keeps a connection from sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Free,
    /// As many attempts as may be are under way.
    Full,
    /// Its budget is spread over time; the next attempt begins then.
    Paced(Timestamp),
    /// The destination asked for quiet until then.
    Throttled(Timestamp),
    /// The destination fails whatever it is sent; one attempt is made then.
    Broken(Timestamp),
    /// The destination refuses the credentials.
    Unauthorized,
    /// An operator paused it.
    Paused,
    /// The destination is switched off, or its file is gone.
    Off,
}

impl Hold {
    /// When it ends by itself, where it does.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Hold::Paced(until) | Hold::Throttled(until) | Hold::Broken(until) => Some(until),
            Hold::Free | Hold::Full | Hold::Unauthorized | Hold::Paused | Hold::Off => None,
        }
    }

    /// Whether it ends only when somebody does something: what is owed is paused, not waiting for a time.
    pub fn is_pause(self) -> bool {
        matches!(self, Hold::Unauthorized | Hold::Paused | Hold::Off)
    }

    /// The words of all that [`Hold::reason`] may answer.
    pub const REASONS: [&str; 5] = ["off", "operator", "unauthorized", "breaker", "throttled"];

    /// Its word, as in the label `reason` of metrics; none while attempts are under way or about to be.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Hold::Free | Hold::Full | Hold::Paced(_) => None,
            Hold::Throttled(_) => Some("throttled"),
            Hold::Broken(_) => Some("breaker"),
            Hold::Unauthorized => Some("unauthorized"),
            Hold::Paused => Some("operator"),
            Hold::Off => Some("off"),
        }
    }
}

/// What an attempt that ended says about the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// Nothing: it was not asked.
    #[default]
    Silent,
    /// It answers, be it with a refusal.
    Well,
    /// It asks to be asked less.
    Busy,
    /// It did not answer, or only that it cannot.
    Failing,
}

/// What pacing has to know of an attempt that ended. The default is one that says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ended {
    /// What it says about the destination.
    pub sign: Sign,
    /// How long it took.
    pub took: Duration,
    /// Requests it made.
    pub requests: usize,
    /// What it was told last about how much the connection may still send.
    pub allowance: Option<Allowance>,
}

impl Pace {
    /// A connection that goes as these settings say.
    pub fn new(settings: &PaceSettings) -> Pace {
        Pace {
            at_once: 0,
            concurrency: Concurrency::new(settings.at_once_max),
            budget: Budget::default(),
            breaker: Breaker::new(settings.breaker.clone()),
            throttled_until: None,
            unauthorized: None,
            paused: None,
            off: false,
        }
    }

    /// What keeps the connection from sending at `now`: of several reasons, the one that somebody has to do something about
    /// first.
    pub fn hold(&mut self, now: Timestamp) -> Hold {
        if self.off {
            return Hold::Off;
        }
        if self.paused.is_some() {
            return Hold::Paused;
        }
        if self.unauthorized.is_some() {
            return Hold::Unauthorized;
        }
        self.throttled_until = self.throttled_until.filter(|until| *until > now);
        if let Some(until) = self.throttled_until {
            return Hold::Throttled(until);
        }
        if let Some(until) = self.breaker.open_until(now) {
            return Hold::Broken(until);
        }
        if self.breaker.is_being_probed() || self.at_once >= self.concurrency.limit() {
            return Hold::Full;
        }
        self.budget.wait(self.at_once, now).map_or(Hold::Free, Hold::Paced)
    }

    /// An attempt begins.
    pub fn begin(&mut self, now: Timestamp) {
        self.budget.begin(self.at_once, now);
        self.breaker.begin();
        self.at_once += 1;
        self.concurrency.begin(self.at_once);
    }

    /// An attempt of `id` ended. Tells when the breaker opened or closed by it.
    pub fn end(&mut self, id: Id, ended: &Ended, now: Timestamp) -> Option<Turn> {
        self.at_once -= 1;
        self.concurrency.end(ended, now);
        if let Some(told) = ended.allowance {
            self.budget.hear(told, ended.requests, now);
        }
        self.breaker.end(id, ended.sign, now)
    }

    /// The destination asked for quiet. A later request for a longer quiet wins, and one reply cannot ask for more
    /// than [`Pace::QUIET_MAX`].
    pub fn throttle(&mut self, until: Timestamp, now: Timestamp) {
        let until = until.min(now + Self::QUIET_MAX);
        self.throttled_until = Some(self.throttled_until.map_or(until, |already| already.max(until)));
    }

    /// The destination refuses the credentials.
    pub fn refuse(&mut self, now: Timestamp) {
        self.unauthorized.get_or_insert(now);
    }

    /// The credentials work again.
    pub fn authorize(&mut self) {
        self.unauthorized = None;
    }

    /// Whether the destination refused the credentials, and has not taken them since.
    pub fn is_unauthorized(&self) -> bool {
        self.unauthorized.is_some()
    }

    /// The destination is another one than the one that asked for quiet, told of its limits, failed or was slow.
    pub fn forget(&mut self) {
        self.throttled_until = None;
        self.budget = Budget::default();
        self.breaker.forget();
        self.concurrency.forget();
    }

    /// Switches the connection on or off.
    pub fn switch(&mut self, on: bool) {
        self.off = !on;
    }

    /// An operator paused it then, or did not, or let it go on.
    pub fn pause(&mut self, since: Option<Timestamp>) {
        self.paused = since;
    }

    /// The clock was set back by so much: what was to happen in a minute is still to happen in a minute.
    pub fn set_back(&mut self, by: Duration) {
        [&mut self.throttled_until, &mut self.unauthorized].into_iter().flatten().for_each(|at| *at = back(*at, by));
        self.breaker.set_back(by);
        self.budget.set_back(by);
    }

    /// Since when nothing is sent because of something that is no delivery's fault: an operator, the credentials, the breaker.
    pub fn held_since(&self) -> Option<Timestamp> {
        [self.paused, self.unauthorized, self.breaker.open_since()].into_iter().flatten().min()
    }

    /// Longest quiet that one reply can ask for: a wrong clock at the other end must not stop us for a day.
    pub const QUIET_MAX: Duration = Duration::from_secs(15 * 60);
}

fn back(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
