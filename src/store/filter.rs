//! Which deliveries to list, and a page of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::Owed;
use crate::delivery::{Delivery, Id, Progress};
use crate::instant::Timestamp;

/// Which deliveries to list; every condition that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `pending`, `waiting`, `delivered`, `skipped` or `dead_letter`.
    pub status: Option<String>,
    /// The destination's name.
    pub destination: Option<String>,
    /// The mapping's name.
    pub mapping: Option<String>,
    /// The code of the failure, or the reason of a wait or a skip.
    pub code: Option<String>,
    /// Only of events that were accepted at that time or later.
    pub since: Option<Timestamp>,
    /// Only of events that were accepted before that time.
    pub until: Option<Timestamp>,
    /// Hashes of whom it is about, as [`crate::delivery::key`] makes them: it has all of these.
    pub keys: Vec<u64>,
    /// It has one of these.
    pub any_key: Option<Arc<HashSet<u64>>>,
    /// Only of these actions; none named: of all.
    pub actions: Vec<Arc<str>>,
    /// Only ids below this one: the next page, newest first.
    pub before: Option<Id>,
    /// Only ids above this one: the next page, oldest first.
    pub after: Option<Id>,
    /// The oldest ones first.
    pub oldest_first: bool,
}

impl Filter {
    /// Whether the delivery is meant, wherever it stands.
    pub fn wants(&self, delivery: &Delivery, progress: &Progress) -> bool {
        let is_or_any = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is_or_any(&self.status, progress.status.name())
            && is_or_any(&self.destination, &delivery.destination)
            && is_or_any(&self.mapping, &delivery.mapping)
            && self.code.as_deref().is_none_or(|code| progress.status.code() == Some(code))
            && self.concerns(&delivery.action, &delivery.keys, delivery.accepted_at)
    }

    /// The conditions on what a delivery is about.
    pub fn concerns(&self, action: &str, keys: &[u64], accepted_at: Timestamp) -> bool {
        self.since.is_none_or(|since| accepted_at >= since)
            && self.until.is_none_or(|until| accepted_at < until)
            && (self.actions.is_empty() || self.actions.iter().any(|wanted| **wanted == *action))
            && self.keys.iter().all(|key| keys.contains(key))
            && self.any_key.as_ref().is_none_or(|any| keys.iter().any(|key| any.contains(key)))
    }

    /// The same, from behind that delivery on.
    pub fn continued(mut self, last: Id) -> Filter {
        match self.oldest_first {
            true => self.after = Some(last),
            false => self.before = Some(last),
        }
        self
    }

    /// Whether anything but the order and the page is asked for.
    pub fn is_open(&self) -> bool {
        let words = [&self.status, &self.destination, &self.mapping, &self.code];
        words.iter().all(|word| word.is_none())
            && self.since.is_none()
            && self.until.is_none()
            && self.keys.is_empty()
            && self.any_key.is_none()
            && self.actions.is_empty()
    }
}

/// Some of the deliveries that a filter means.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Those that were found, in the order that was asked for.
    pub found: Vec<Owed>,
    /// Where it was looked last, if there may be more: see [`Filter::continued`]. A page may be short, even empty, while
    /// there is more.
    pub next: Option<Id>,
}
