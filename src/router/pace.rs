//! How fast one connection may go: how many attempts at once, and whether it stands still.

use std::time::Duration;

use crate::instant::Timestamp;

/// The state of one connection. Pure: time is given.
#[derive(Debug)]
pub struct Pace {
    at_once_max: usize,
    at_once: usize,
    throttled_until: Option<Timestamp>,
    unauthorized: bool,
    off: bool,
}

/// What keeps a connection from sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Free,
    /// As many attempts as may be are under way.
    Full,
    /// The destination asked for quiet until then.
    Throttled(Timestamp),
    /// The destination refuses the credentials.
    Unauthorized,
    /// The destination is switched off, or its file is gone.
    Off,
}

impl Pace {
    /// A connection on which `at_once_max` attempts may be under way at once; at least one.
    pub fn new(at_once_max: usize) -> Pace {
        Pace { at_once_max: at_once_max.max(1), at_once: 0, throttled_until: None, unauthorized: false, off: false }
    }

    /// What keeps the connection from sending at `now`.
    pub fn hold(&mut self, now: Timestamp) -> Hold {
        if self.off {
            return Hold::Off;
        }
        if self.unauthorized {
            return Hold::Unauthorized;
        }
        match self.throttled_until {
            Some(until) if until > now => return Hold::Throttled(until),
            _ => self.throttled_until = None,
        }
        if self.at_once >= self.at_once_max { Hold::Full } else { Hold::Free }
    }

    /// An attempt began.
    pub fn begin(&mut self) {
        self.at_once += 1;
    }

    /// An attempt ended.
    pub fn end(&mut self) {
        self.at_once -= 1;
    }

    /// The destination asked for quiet. A later request for a longer quiet wins, and one reply cannot ask for more
    /// than [`Pace::QUIET_MAX`].
    pub fn throttle(&mut self, until: Timestamp, now: Timestamp) {
        let until = until.min(now + Self::QUIET_MAX);
        self.throttled_until = Some(self.throttled_until.map_or(until, |already| already.max(until)));
    }

    /// The destination refuses the credentials.
    pub fn refuse(&mut self) {
        self.unauthorized = true;
    }

    /// The credentials work again.
    pub fn authorize(&mut self) {
        self.unauthorized = false;
    }

    /// Whether the destination refused the credentials, and has not taken them since.
    pub fn is_unauthorized(&self) -> bool {
        self.unauthorized
    }

    /// The destination is another one than the one that asked for quiet.
    pub fn forget_throttle(&mut self) {
        self.throttled_until = None;
    }

    /// Switches the connection on or off.
    pub fn switch(&mut self, on: bool) {
        self.off = !on;
    }

    /// Longest quiet that one reply can ask for: a wrong clock at the other end must not stop us for a day.
    pub const QUIET_MAX: Duration = Duration::from_secs(15 * 60);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn no_more_at_once_than_allowed() {
        let mut pace = Pace::new(2);
        pace.begin();
        assert_eq!(pace.hold(at(0)), Hold::Free);
        pace.begin();
        assert_eq!(pace.hold(at(0)), Hold::Full);
        pace.end();
        assert_eq!(pace.hold(at(0)), Hold::Free);
    }

    #[test]
    fn the_longest_quiet_wins_within_reason() {
        let mut pace = Pace::new(1);
        pace.throttle(at(20), at(0));
        pace.throttle(at(10), at(0));
        assert_eq!(pace.hold(at(19)), Hold::Throttled(at(20)));
        assert_eq!(pace.hold(at(20)), Hold::Free);
        pace.throttle(at(1_000_000), at(0));
        assert_eq!(pace.hold(at(0)), Hold::Throttled(at(900)));
    }

    #[test]
    fn refused_credentials_hold_everything_until_they_work() {
        let mut pace = Pace::new(1);
        pace.refuse();
        assert_eq!(pace.hold(at(1_000_000)), Hold::Unauthorized);
        pace.authorize();
        assert_eq!(pace.hold(at(0)), Hold::Free);
    }

    #[test]
    fn what_is_off_stays_off_whatever_else_changes() {
        let mut pace = Pace::new(1);
        pace.refuse();
        pace.throttle(at(20), at(0));
        pace.switch(false);
        pace.authorize();
        assert_eq!(pace.hold(at(100)), Hold::Off);
        pace.switch(true);
        assert_eq!(pace.hold(at(10)), Hold::Throttled(at(20)));
        assert_eq!(pace.hold(at(20)), Hold::Free);
    }

    #[test]
    fn another_destination_has_not_asked_for_quiet() {
        let mut pace = Pace::new(1);
        pace.throttle(at(20), at(0));
        pace.forget_throttle();
        assert_eq!(pace.hold(at(0)), Hold::Free);
    }
}
