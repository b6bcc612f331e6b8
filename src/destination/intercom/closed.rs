//! Endpoints that the token may not use, so that each is asked again once in a while and not by every delivery.
//!
//! # Why
//! A permission or a plan that is missing concerns the deliveries that need it, and no others: those wait as for a service
//! that is down, and everything else goes on. `GET /me` answers all the while, so it cannot tell when the permission is
//! there; only the endpoint itself can.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::action::Failure;
use crate::instant::Timestamp;

/// How long an endpoint stays closed before somebody asks again.
const ASKED_EVERY: Duration = Duration::from_secs(60);

/// The endpoints that are closed to us.
#[derive(Default)]
pub struct Closed(Mutex<HashMap<&'static str, Door>>);

struct Door {
    failure: Failure,
    asked_again_at: Timestamp,
}

impl Closed {
    /// What the endpoint would surely answer. `None`: it is open, or the caller is the one who asks again.
    pub fn answer(&self, endpoint: &'static str, now: Timestamp) -> Option<Failure> {
        let mut doors = self.doors();
        let door = doors.get_mut(endpoint)?;
        if now < door.asked_again_at {
            return Some(door.failure.clone());
        }
        door.asked_again_at = now + ASKED_EVERY;
        None
    }

    /// The endpoint refused us. True: it had not before.
    pub fn close(&self, endpoint: &'static str, failure: &Failure, now: Timestamp) -> bool {
        let door = Door { failure: failure.clone(), asked_again_at: now + ASKED_EVERY };
        self.doors().insert(endpoint, door).is_none()
    }

    /// The endpoint let us in. True: it had not before.
    pub fn open(&self, endpoint: &'static str) -> bool {
        self.doors().remove(endpoint).is_some()
    }

    fn doors(&self) -> MutexGuard<'_, HashMap<&'static str, Door>> {
        self.0.lock().expect("noting a refusal does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Kind;

    #[test]
    fn a_closed_endpoint_is_asked_once_a_minute_until_it_opens() {
        let closed = Closed::default();
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let failure = Failure::new(Kind::Unavailable, "permission_missing", "no");
        assert_eq!(closed.answer("POST /contacts", at(0)), None);
        assert!(closed.close("POST /contacts", &failure, at(0)));
        assert_eq!(closed.answer("POST /contacts", at(59)), Some(failure.clone()));
        assert_eq!(closed.answer("POST /events", at(59)), None);
        assert_eq!(closed.answer("POST /contacts", at(60)), None, "one asks");
        assert_eq!(closed.answer("POST /contacts", at(60)), Some(failure.clone()), "the others wait for the answer");
        assert!(!closed.close("POST /contacts", &failure, at(61)));
        assert!(closed.open("POST /contacts"));
        assert!(!closed.open("POST /contacts"));
        assert_eq!(closed.answer("POST /contacts", at(62)), None);
    }
}
