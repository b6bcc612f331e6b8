//! What an operator pauses stays paused: a mark beside what a destination remembers, and the engine told of it.
//!
//! # Why
//! The mark is a file in the destination's own folder, as all that is kept about a destination between starts, and not a
//! record of the store: it says nothing about any event, must be readable when the store is not, and goes for whichever
//! store is used.

use std::io;
use std::path::{Path, PathBuf};

use super::memory::{self, Folder};
use crate::destination::Memory;
use crate::instant::{self, Timestamp};
use crate::router::Pauses;

/// The file that says since when.
const MARK: &str = "paused";

/// Pauses destinations and lets them go on, durably.
#[derive(Clone)]
pub(super) struct Pausing {
    data_dir: PathBuf,
    pauses: Pauses,
}

impl Pausing {
    /// Takes up what was paused before the last end. A mark that cannot be read counts as made `now`: who made it wanted
    /// nothing to be sent.
    pub(super) fn take_up(data_dir: &Path, pauses: Pauses, now: Timestamp) -> io::Result<Pausing> {
        for name in memory::names(data_dir)? {
            if let Some(text) = Folder::of(data_dir, &name).recall(MARK)? {
                let since = text.trim().parse().unwrap_or(now);
                pauses.pause(&name, since);
                tracing::warn!(destination.name = %name, since = %instant::to_text(since),
                    "{name} is paused since before the start; `interline destinations resume {name}` lets it go on");
            }
        }
        Ok(Pausing { data_dir: data_dir.to_owned(), pauses })
    }

    /// From now on nothing is sent to it, also after a restart. Says since when.
    pub(super) fn pause(&self, name: &str, now: Timestamp) -> io::Result<Timestamp> {
        if let Some(since) = self.pauses.since(name) {
            return Ok(since);
        }
        Folder::of(&self.data_dir, name).remember(MARK, &instant::to_text(now))?;
        self.pauses.pause(name, now);
        tracing::warn!(destination.name = %name, "{name} was paused by an operator; what it is owed is kept");
        Ok(now)
    }

    /// It goes on, and where it refused the credentials, they are looked at. Says whether it was paused.
    pub(super) fn resume(&self, name: &str) -> io::Result<bool> {
        if self.pauses.since(name).is_none() {
            self.pauses.resume(name);
            return Ok(false);
        }
        Folder::of(&self.data_dir, name).forget(MARK)?;
        self.pauses.resume(name);
        tracing::info!(destination.name = %name, "{name} goes on, as an operator wished");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_pause_outlives_the_process_and_counts_from_the_first_time() {
        let directory = tempfile::tempdir().unwrap();
        let pausing = Pausing::take_up(directory.path(), Pauses::default(), at(0)).unwrap();
        assert_eq!(pausing.pause("crm", at(5)).unwrap(), at(5));
        assert_eq!(pausing.pause("crm", at(9)).unwrap(), at(5));
        let pauses = Pauses::default();
        let again = Pausing::take_up(directory.path(), pauses.clone(), at(20)).unwrap();
        assert_eq!(pauses.since("crm"), Some(at(5)));
        assert!(again.resume("crm").unwrap());
        assert!(!again.resume("crm").unwrap());
        let pauses = Pauses::default();
        Pausing::take_up(directory.path(), pauses.clone(), at(30)).unwrap();
        assert_eq!(pauses.since("crm"), None);
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_a_mark() {
        let directory = tempfile::tempdir().unwrap();
        Folder::of(directory.path(), "crm").remember(MARK, "").unwrap();
        let pauses = Pauses::default();
        Pausing::take_up(directory.path(), pauses.clone(), at(7)).unwrap();
        assert_eq!(pauses.since("crm"), Some(at(7)));
    }
}
