//! Taking events out with everything they became, and remembering who is suppressed.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::absent::Why;
use super::group::{Group, Work};
use super::record::bytes;
use super::{marks, passed};
use crate::event::Person;
use crate::store::Removed;
use crate::store::removal::{Removal, changed};

/// Events in any order.
pub(super) struct Remove {
    pub(super) positions: Vec<i64>,
}

impl Work for Remove {
    type Answer = Removed;

    fn weight(&self) -> usize {
        4 * self.positions.len()
    }

    /// What is removed is written over with zeros, so that it cannot be read in the file later.
    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Removed> {
        group.file.pragma_update(None, "secure_delete", true)?;
        let mut removed = Removed::default();
        let done = self.positions.iter().try_for_each(|position| remove(group, *position, &mut removed));
        group.file.pragma_update(None, "secure_delete", false)?;
        done.map(|()| removed)
    }
}

fn remove(group: &mut Group<'_>, position: i64, removed: &mut Removed) -> rusqlite::Result<()> {
    let range = params![position << 16, (position + 1) << 16];
    let open = texts(group.file, "DELETE FROM open_deliveries WHERE id >= ?1 AND id < ?2 RETURNING source", range)?;
    let range = params![position << 16, (position + 1) << 16];
    let ended = texts(group.file, "DELETE FROM deliveries WHERE id >= ?1 AND id < ?2 RETURNING status", range)?;
    let dead = ended.iter().filter(|status| *status == "dead_letter").count() as u64;
    group.marks.dead_letters = group.marks.dead_letters.saturating_sub(dead);
    removed.open += open.len() as u64;
    removed.dead_letters += dead;
    removed.ended += (ended.len() as u64).saturating_sub(open.len() as u64 + dead);
    for source in open {
        group.closed(source.into());
    }
    passed::remove(group.file, position)?;
    let events = group.file.prepare_cached("DELETE FROM events WHERE position = ?1")?.execute([position])?;
    removed.events += events as u64;
    if events > 0 {
        group.absent((position, position), Why::Removed)?;
    }
    match position > group.marks.routed {
        true if events > 0 => group.lost(position),
        _ => group.removed_events(),
    }
    Ok(())
}

fn texts(file: &Connection, sql: &str, range: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Vec<String>> {
    let mut statement = file.prepare_cached(sql)?;
    let rows = statement.query_map(range, |row| Ok(String::from_utf8_lossy(bytes(row, 0)?).into_owned()))?;
    rows.collect()
}

/// People to suppress, or not any more.
pub(super) struct Suppress {
    pub(super) person: Person,
    pub(super) on: bool,
    pub(super) removal: Arc<Removal>,
}

impl Work for Suppress {
    type Answer = Person;

    fn weight(&self) -> usize {
        1
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Person> {
        let all = changed(&self.removal.suppressed(), &self.person, self.on);
        let text = serde_json::to_vec(&all).expect("names are plain data");
        marks::write(group.file, marks::SUPPRESSED, &text)?;
        Ok(all)
    }
}
