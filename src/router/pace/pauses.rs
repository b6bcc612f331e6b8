//! What an operator paused, or wants to be looked at: read by the conductors, written by whoever steers the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::instant::Timestamp;

/// The destinations that are paused, each with when that was. Clones share it.
///
/// # Why
/// It is kept by name and outside the connections: what is paused stays so when its file changes, is taken away and comes
/// back. Whoever pauses writes it down first; the engine itself remembers nothing between starts.
#[derive(Clone)]
pub struct Pauses(Arc<watch::Sender<Wishes>>);

/// What operators want of destinations, by name.
#[derive(Default)]
pub(crate) struct Wishes {
    paused: BTreeMap<Arc<str>, Timestamp>,
    /// How often it was to be looked whether the credentials work again.
    looks: BTreeMap<Arc<str>, u64>,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses(Arc::new(watch::Sender::new(Wishes::default())))
    }
}

impl Pauses {
    /// From now on nothing is attempted there; what is under way is finished. Paused already: since then.
    pub fn pause(&self, name: &str, now: Timestamp) {
        self.0.send_modify(|wishes| {
            wishes.paused.entry(name.into()).or_insert(now);
        });
    }

    /// From now on it goes on; where it refused the credentials, once they are seen to work, which is looked at now.
    pub fn resume(&self, name: &str) {
        self.0.send_modify(|wishes| {
            wishes.paused.remove(name);
            *wishes.looks.entry(name.into()).or_default() += 1;
        });
    }

    /// How often it was resumed since the start.
    pub(crate) fn looks(&self, name: &str) -> u64 {
        self.0.borrow().looks.get(name).copied().unwrap_or_default()
    }

    /// Since when it is paused, if it is.
    pub fn since(&self, name: &str) -> Option<Timestamp> {
        self.0.borrow().paused.get(name).copied()
    }

    /// All that are paused.
    pub fn all(&self) -> Vec<(Arc<str>, Timestamp)> {
        self.0.borrow().paused.iter().map(|(name, since)| (name.clone(), *since)).collect()
    }

    /// Sees every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Wishes> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_counts_from_the_first_time_until_it_is_over() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let pauses = Pauses::default();
        let mut watch = pauses.watch();
        pauses.pause("crm", at(1));
        pauses.pause("crm", at(2));
        assert!(watch.has_changed().unwrap());
        assert_eq!((pauses.since("crm"), pauses.since("other")), (Some(at(1)), None));
        watch.mark_unchanged();
        pauses.resume("crm");
        assert!(watch.has_changed().unwrap());
        assert_eq!(pauses.all(), []);
        assert_eq!((pauses.looks("crm"), pauses.looks("other")), (1, 0));
    }
}
