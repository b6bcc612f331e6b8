//! What an operator paused: read by the conductors, written by whoever steers the engine.

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
pub struct Pauses(Arc<watch::Sender<BTreeMap<Arc<str>, Timestamp>>>);

impl Default for Pauses {
    fn default() -> Self {
        Pauses(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Pauses {
    /// From now on nothing is attempted there; what is under way is finished. Paused already: since then.
    pub fn pause(&self, name: &str, now: Timestamp) {
        self.0.send_modify(|paused| {
            paused.entry(name.into()).or_insert(now);
        });
    }

    /// From now on it goes on.
    pub fn resume(&self, name: &str) {
        self.0.send_modify(|paused| {
            paused.remove(name);
        });
    }

    /// Since when it is paused, if it is.
    pub fn since(&self, name: &str) -> Option<Timestamp> {
        self.0.borrow().get(name).copied()
    }

    /// All that are paused.
    pub fn all(&self) -> Vec<(Arc<str>, Timestamp)> {
        self.0.borrow().iter().map(|(name, since)| (name.clone(), *since)).collect()
    }

    /// Sees every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<BTreeMap<Arc<str>, Timestamp>> {
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
    }
}
