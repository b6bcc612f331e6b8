//! How each connection stands, for whoever looks: what holds it, its budget, how much is owed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use super::Pace;
use crate::destination::Allowance;
use crate::instant::Timestamp;

/// How one connection stands. Times are shown as RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Why nothing is sent: `off`, `operator`, `unauthorized`, `throttled` or `breaker`; none: it is sent to.
    pub hold: Option<&'static str>,
    /// Whether that ends only when somebody does something: what is owed is paused.
    pub paused: bool,
    /// Since when nothing is sent, where that is known.
    pub since: Option<Timestamp>,
    /// When that ends by itself, where it does.
    pub until: Option<Timestamp>,
    /// What the destination takes in a window of time, as it last said or as is assumed since.
    pub budget: Option<Allowance>,
    /// Attempts under way, and how many may be.
    pub concurrency: AtOnce,
    /// Deliveries that have not ended, those that wait included.
    pub pending: u64,
    /// Of these, those that wait for a time, by why.
    pub waiting: Waiting,
    /// When the oldest that has not ended was accepted.
    pub oldest: Option<Timestamp>,
    /// Deliveries that could go now, were all of them allowed to at once; those that are not in memory are among them.
    #[serde(skip)]
    pub able: u64,
}

/// What is owed to one connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owing {
    /// See [`Standing::pending`].
    pub pending: u64,
    /// See [`Standing::able`].
    pub able: u64,
    /// See [`Standing::waiting`].
    pub waiting: Waiting,
    /// See [`Standing::oldest`].
    pub oldest: Option<Timestamp>,
}

/// Attempts at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AtOnce {
    /// Under way now.
    pub under_way: usize,
    /// How many may be now.
    pub limit: usize,
    /// How many may ever be.
    pub max: usize,
}

/// Deliveries that wait for a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// For a contact that is not there yet.
    pub too_early: u64,
    /// For another attempt.
    pub retry: u64,
}

impl Pace {
    /// How the connection stands at `now`, with what is owed to it.
    pub fn standing(&mut self, now: Timestamp, owing: Owing) -> Standing {
        let Owing { pending, able, waiting, oldest } = owing;
        let hold = self.hold(now);
        let reason = hold.reason();
        Standing {
            hold: reason,
            paused: hold.is_pause(),
            since: self.held_since().filter(|_| reason.is_some()),
            until: hold.until().filter(|_| reason.is_some()),
            budget: self.budget.allowance(now),
            concurrency: self.at_once(),
            pending,
            waiting,
            oldest,
            able,
        }
    }

    /// Attempts under way, and how many may be.
    pub fn at_once(&self) -> AtOnce {
        AtOnce { under_way: self.at_once, limit: self.concurrency.limit(), max: self.concurrency.max() }
    }
}

/// How all connections stand, the ones that are off included. Clones share it.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<Arc<str>, Standing>>>);

impl Board {
    /// Puts up how one stands now.
    pub(crate) fn put(&self, name: &Arc<str>, standing: Standing) {
        let mut all = self.all_locked();
        match all.get_mut(name) {
            Some(place) => *place = standing,
            None => drop(all.insert(name.clone(), standing)),
        }
    }

    /// How all stand that were ever connected since the start, by name.
    pub fn all(&self) -> Vec<(Arc<str>, Standing)> {
        self.all_locked().iter().map(|(name, standing)| (name.clone(), standing.clone())).collect()
    }

    fn all_locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Standing>> {
        self.0.lock().expect("no code panics with this lock")
    }
}
