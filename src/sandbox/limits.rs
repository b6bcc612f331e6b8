//! The rate limit: fixed windows of ten seconds.

use std::collections::HashMap;

use super::reply::Refusal;
use super::settings::{AccessToken, Settings};

/// Length of a window.
const WINDOW_SECS: i64 = 10;

/// The open windows: one of each token, which stands for an app, and one of the workspace.
#[derive(Debug, Default)]
pub struct Windows {
    of_token: HashMap<AccessToken, Window>,
    of_workspace: Window,
}

impl Windows {
    /// Counts one request at `now` (Unix seconds); refused when the token's window or the workspace's is full.
    pub fn take(&mut self, token: &AccessToken, settings: &Settings, now: i64) -> Result<(), Refusal> {
        // Tokens that are not in use any more are forgotten when a window ends.
        self.of_token.retain(|_, window| window.number == now.div_euclid(WINDOW_SECS));
        self.of_workspace.take(settings.workspace_rate_limit_per_10s, now)?;
        self.of_token.entry(token.clone()).or_default().take(settings.rate_limit_per_10s, now)
    }

    /// The budget of a token at `now`.
    pub fn budget(&mut self, token: &AccessToken, settings: &Settings, now: i64) -> Budget {
        self.of_token.entry(token.clone()).or_default().budget(settings.rate_limit_per_10s, now)
    }
}

/// The window that is open.
#[derive(Debug, Clone, Default)]
pub struct Window {
    number: i64,
    used: u32,
}

/// What the three headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests a window takes.
    pub limit: u32,
    /// Requests it still takes.
    pub remaining: u32,
    /// When it ends, in Unix seconds.
    pub reset: i64,
}

impl Window {
    /// Counts one request at `now` (Unix seconds); refused when the window is full. A limit of 0 is none.
    pub fn take(&mut self, limit: u32, now: i64) -> Result<(), Refusal> {
        self.turn(now);
        if limit != 0 && self.used >= limit {
            let message = format!("Exceeded rate limit of {limit} in {WINDOW_SECS}_seconds");
            return Err(Refusal::new(429, "rate_limit_exceeded", message));
        }
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// The budget at `now`.
    pub fn budget(&mut self, limit: u32, now: i64) -> Budget {
        self.turn(now);
        Budget { limit, remaining: limit.saturating_sub(self.used), reset: (self.number + 1) * WINDOW_SECS }
    }

    fn turn(&mut self, now: i64) {
        let number = now.div_euclid(WINDOW_SECS);
        if number != self.number {
            *self = Window { number, used: 0 };
        }
    }
}

impl Budget {
    /// The headers of a reply; none without a limit.
    pub fn headers(self) -> Vec<(&'static str, String)> {
        if self.limit == 0 {
            return Vec::new();
        }
        vec![
            ("X-RateLimit-Limit", self.limit.to_string()),
            ("X-RateLimit-Remaining", self.remaining.to_string()),
            ("X-RateLimit-Reset", self.reset.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_its_limit_and_the_next_one_is_fresh() {
        let mut window = Window::default();
        assert!(window.take(2, 1003).is_ok());
        assert!(window.take(2, 1004).is_ok());
        assert_eq!(window.take(2, 1009).map_err(|refusal| refusal.status), Err(429));
        assert_eq!(window.budget(2, 1009), Budget { limit: 2, remaining: 0, reset: 1010 });
        assert!(window.take(2, 1010).is_ok());
        assert_eq!(window.budget(2, 1010), Budget { limit: 2, remaining: 1, reset: 1020 });
    }

    #[test]
    fn each_app_has_its_own_window_and_all_share_the_workspaces() {
        let settings = Settings { rate_limit_per_10s: 2, workspace_rate_limit_per_10s: 3, ..Settings::default() };
        let (one, two) = (AccessToken("one".to_owned()), AccessToken("two".to_owned()));
        let mut windows = Windows::default();
        let mut take = |token| windows.take(token, &settings, 1000).is_ok();
        assert_eq!([take(&one), take(&one), take(&two), take(&two)], [true, true, true, false]);
        assert_eq!(windows.budget(&one, &settings, 1000).remaining, 0);
        assert!(windows.take(&one, &settings, 1010).is_ok());
    }

    #[test]
    fn without_a_limit_there_are_no_headers() {
        let mut window = Window::default();
        for _ in 0..10_000 {
            assert!(window.take(0, 5).is_ok());
        }
        assert!(window.budget(0, 5).headers().is_empty());
    }
}
