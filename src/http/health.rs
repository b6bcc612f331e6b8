//! Whether this service can take events: what the last accept came to, and whether it is on its way out; and whether its
//! destination files are in force.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;

use crate::instant::Timestamp;

/// After a failure the store counts as out of order for this long, then the next call may show that it is not.
const DOUBT: SignedDuration = SignedDuration::from_secs(10);

/// Shared by both listeners.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
    is_failing: AtomicBool,
    failure: Mutex<Option<Failure>>,
    refusal: Mutex<Option<String>>,
}

#[derive(Debug, Clone)]
struct Failure {
    at: Timestamp,
    error: String,
}

impl Health {
    /// From here on the service is not ready, so that load balancers stop sending before it stops listening.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether it is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The store took events.
    pub fn works(&self) {
        if self.is_failing.swap(false, Ordering::AcqRel) {
            *self.failure.lock().expect("no code panics with this lock") = None;
        }
    }

    /// The store did not take events; whether that is news.
    pub fn fails(&self, at: Timestamp, error: String) -> bool {
        *self.failure.lock().expect("no code panics with this lock") = Some(Failure { at, error });
        !self.is_failing.swap(true, Ordering::AcqRel)
    }

    /// Why the store counts as out of order, if it does.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        let failure = self.failure.lock().expect("no code panics with this lock").clone()?;
        (now.duration_since(failure.at) < DOUBT).then_some(failure.error)
    }

    /// Which destination files are refused, or `None`. That is no reason to take no events: what was in force before is.
    pub fn refuses(&self, files: Option<String>) {
        *self.refusal.lock().expect("no code panics with this lock") = files;
    }

    /// Which destination files are refused.
    pub fn refusal(&self) -> Option<String> {
        self.refusal.lock().expect("no code panics with this lock").clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_news_once_and_forgotten_by_success_or_time() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let health = Health::default();
        assert_eq!(health.trouble(at(0)), None);
        assert!(health.fails(at(0), "disk full".to_owned()));
        assert!(!health.fails(at(1), "disk still full".to_owned()));
        assert_eq!(health.trouble(at(10)).as_deref(), Some("disk still full"));
        assert_eq!(health.trouble(at(11)), None);
        health.works();
        assert_eq!(health.trouble(at(1)), None);
        assert!(health.fails(at(2), "again".to_owned()));
    }
}
