//! Which deliveries were settled past older ones that wait outside their lines, by destination and the keys of the people.

use rusqlite::{Connection, OptionalExtension, params};

use super::group::{Group, Work};
use super::quarantine;
use super::query::{self, Found};
use super::record::{Bad, checksum, integer, seal};
use super::trim::Step;
use crate::delivery::Id;
use crate::store::Owed;

/// Entries that go in a step.
const ROWS: i64 = 5000;

/// What is to be noted with settlements: see [`crate::store::Passing`].
pub(super) struct Passing {
    pub(super) destination: String,
    pub(super) under: Vec<i64>,
    pub(super) forget: Vec<i64>,
}

impl Passing {
    pub(super) fn of(passing: crate::store::Passing<'_>) -> Passing {
        let numbers = |keys: &[u64]| keys.iter().map(|key| *key as i64).collect();
        let (under, forget) = (numbers(passing.under), numbers(passing.forget));
        Passing { destination: passing.destination.to_owned(), under, forget }
    }

    /// Notes a delivery.
    pub(super) fn note(&self, file: &Connection, id: i64) -> rusqlite::Result<()> {
        for key in &self.under {
            let mut insert = file.prepare_cached("INSERT OR REPLACE INTO passed VALUES (?1, ?2, ?3, ?4)")?;
            insert.execute(params![self.destination, key, id, entry_checksum(&self.destination, *key, id)])?;
        }
        Ok(())
    }

    /// Forgets what nobody asks for any more.
    pub(super) fn forget(&self, file: &Connection) -> rusqlite::Result<()> {
        for key in &self.forget {
            let mut delete = file.prepare_cached("DELETE FROM passed WHERE destination = ?1 AND key = ?2")?;
            delete.execute(params![self.destination, key])?;
        }
        Ok(())
    }
}

/// Forgets a removed event's.
pub(super) fn remove(file: &Connection, position: i64) -> rusqlite::Result<()> {
    let mut delete = file.prepare_cached("DELETE FROM passed WHERE id >= ?1 AND id < ?2")?;
    delete.execute([position << 16, (position + 1) << 16]).map(drop)
}

/// Deliveries to a destination above `after` that stand under one of these keys, in order.
pub(super) fn passed(file: &Connection, destination: &str, keys: &[u64], after: Id) -> Found<Owed> {
    let sql = "SELECT id, checksum FROM passed WHERE destination = ?1 AND key = ?2 AND id > ?3";
    let mut select = file.prepare_cached(sql)?;
    let (mut ids, mut damaged) = (Vec::new(), Vec::new());
    for key in keys.iter().map(|key| *key as i64) {
        let mut rows = select.query(params![destination, key, query::upper(after)])?;
        while let Some(row) = rows.next()? {
            let id = integer(row, 0)?;
            match i64::from(entry_checksum(destination, key, id)) == integer(row, 1)? {
                true => ids.push(Id::from_number(id as u64)),
                false => damaged.push(Bad::Passed(id)),
            }
        }
    }
    ids.sort();
    ids.dedup();
    let (found, mut bad) = query::deliveries(file, &ids)?;
    bad.append(&mut damaged);
    Ok((found, bad))
}

/// Puts the damaged entries of a delivery aside. What they told is lost: an older one may write over what it has written.
pub(super) fn put_aside(group: &mut Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let mut select = group.file.prepare_cached("SELECT destination, key, checksum FROM passed WHERE id = ?1")?;
    let entries = select.query_map([id], |row| {
        let (destination, key): (String, i64) = (row.get(0)?, row.get(1)?);
        let holds = i64::from(entry_checksum(&destination, key, id)) == integer(row, 2)?;
        Ok((destination, key, holds))
    })?;
    let entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut is_new = false;
    for (destination, key, _) in entries.into_iter().filter(|(.., holds)| !holds) {
        let name = Id::from_number(id as u64);
        tracing::error!(delivery.id = %name, "A note about delivery {name} does not match its checksum and was put aside: \
            an older one of the same person may write over what it has written");
        quarantine::keep(group.file, "passed", id, destination.as_bytes(), &key.to_le_bytes())?;
        let mut delete =
            group.file.prepare_cached("DELETE FROM passed WHERE destination = ?1 AND key = ?2 AND id = ?3")?;
        delete.execute(params![destination, key, id])?;
        is_new = true;
    }
    Ok(is_new)
}

fn entry_checksum(destination: &str, key: i64, id: i64) -> u32 {
    seal(checksum(&[destination.as_bytes(), &key.to_le_bytes()]), id)
}

/// Forgets the next of those before which nothing is open: nobody asks for them any more.
pub(super) struct TrimPassed;

impl Work for TrimPassed {
    type Answer = Step;

    fn weight(&self) -> usize {
        ROWS as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let mut select = group.file.prepare_cached("SELECT min(id) FROM open_deliveries")?;
        let open = select.query_row((), |row| row.get::<_, Option<i64>>(0))?.unwrap_or(i64::MAX);
        let mut select =
            group.file.prepare_cached("SELECT id FROM passed WHERE id < ?1 ORDER BY id LIMIT 1 OFFSET ?2")?;
        let next: Option<i64> = select.query_row([open, ROWS], |row| row.get(0)).optional()?;
        let mut delete = group.file.prepare_cached("DELETE FROM passed WHERE id < ?1")?;
        let removed = delete.execute([next.unwrap_or(open)])?;
        // Many entries of one delivery are looked at again.
        Ok(Step { removed: 0, is_last: next.is_none() || removed == 0 })
    }
}
