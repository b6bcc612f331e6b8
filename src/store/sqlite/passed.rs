//! What deliveries have written past older ones that wait outside their lines, by destination and the keys of the people.

use rusqlite::{Connection, Row, params};

use super::group::{Group, Work};
use super::quarantine;
use super::query::Found;
use super::record::{self, Bad, bytes, checksum, integer, seal};
use super::trim::Step;
use crate::delivery::Id;
use crate::store::Wrote;

/// Entries that go in a step.
const ROWS: i64 = 5000;
/// What [`read`] reads.
const COLUMNS: &str = "destination, key, thing, value, whom, id, stands_at, checksum";

/// What is to be noted with settlements: see [`crate::store::Passing`].
pub(super) struct Passing {
    pub(super) destination: String,
    pub(super) wrote: Vec<Wrote>,
    pub(super) forget: Vec<i64>,
}

impl Passing {
    pub(super) fn of(passing: crate::store::Passing<'_>) -> Passing {
        let forget = passing.forget.iter().map(|key| *key as i64).collect();
        Passing { destination: passing.destination.to_owned(), wrote: passing.wrote.to_vec(), forget }
    }

    /// Notes what a delivery has written, where nothing newer is noted.
    pub(super) fn note(&self, file: &Connection, id: i64) -> rusqlite::Result<()> {
        for wrote in self.wrote.iter().filter(|wrote| record::number(wrote.by) == id) {
            let mut insert = file.prepare_cached(
                "INSERT INTO passed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET value = excluded.value,
                 whom = excluded.whom, id = excluded.id, stands_at = excluded.stands_at, checksum = excluded.checksum
                 WHERE excluded.stands_at >= stands_at",
            )?;
            let Wrote { key, thing, value, whom, stands_at, .. } = wrote;
            let (key, value, whom) = (*key as i64, *value as i64, *whom as i64);
            let entry = Entry { key, value, whom, id, stands_at: record::number(*stands_at) };
            let sum = entry.checksum(self.destination.as_bytes(), thing.as_bytes());
            insert.execute(params![self.destination, key, thing, value, whom, id, entry.stands_at, sum])?;
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

/// The numbers of an entry.
struct Entry {
    key: i64,
    value: i64,
    whom: i64,
    id: i64,
    stands_at: i64,
}

impl Entry {
    fn checksum(&self, destination: &[u8], thing: &[u8]) -> u32 {
        let Entry { key, value, whom, id, stands_at } = self;
        let numbers = [key, value, whom, stands_at].map(|number| number.to_le_bytes());
        let numbers = numbers.as_flattened();
        seal(checksum(&[destination, thing, numbers]), *id)
    }
}

/// Reads [`COLUMNS`]; the delivery's id, where its checksum does not hold.
fn read(row: &Row<'_>) -> rusqlite::Result<Result<Wrote, i64>> {
    let (destination, thing) = (bytes(row, 0)?, bytes(row, 2)?);
    let (key, value, whom) = (integer(row, 1)?, integer(row, 3)?, integer(row, 4)?);
    let entry = Entry { key, value, whom, id: integer(row, 5)?, stands_at: integer(row, 6)? };
    let holds = i64::from(entry.checksum(destination, thing)) == integer(row, 7)?;
    let Some(thing) = std::str::from_utf8(thing).ok().filter(|_| holds) else { return Ok(Err(entry.id)) };
    let (by, stands_at) = (Id::from_number(entry.id as u64), Id::from_number(entry.stands_at as u64));
    let (key, value, whom) = (key as u64, value as u64, whom as u64);
    Ok(Ok(Wrote { key, thing: thing.to_owned(), value, whom, by, stands_at }))
}

/// Forgets a removed event's.
pub(super) fn remove(file: &Connection, position: i64) -> rusqlite::Result<()> {
    let mut delete = file.prepare_cached("DELETE FROM passed WHERE id >= ?1 AND id < ?2")?;
    delete.execute([position << 16, (position + 1) << 16]).map(drop)
}

/// What is noted for a destination under these keys.
pub(super) fn passed(file: &Connection, destination: &str, keys: &[u64]) -> Found<Wrote> {
    let sql = format!("SELECT {COLUMNS} FROM passed WHERE destination = ?1 AND key = ?2");
    let mut select = file.prepare_cached(&sql)?;
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for key in keys {
        let mut rows = select.query(params![destination, *key as i64])?;
        while let Some(row) = rows.next()? {
            match read(row)? {
                Ok(wrote) => found.push(wrote),
                Err(id) => bad.push(Bad::Passed(id)),
            }
        }
    }
    Ok((found, bad))
}

/// Puts the damaged entries of a delivery aside. What they told is lost: an older one may write over what it has written.
pub(super) fn put_aside(group: &mut Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let mut select = group.file.prepare_cached(&format!("SELECT {COLUMNS} FROM passed WHERE id = ?1"))?;
    let entries = select.query_map([id], |row| {
        // As bytes: they may be no text any more.
        let slot = (bytes(row, 0)?.to_vec(), integer(row, 1)?, bytes(row, 2)?.to_vec());
        Ok((slot, read(row)?.is_ok()))
    })?;
    let entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut is_new = false;
    for ((destination, key, thing), _) in entries.into_iter().filter(|(_, holds)| !holds) {
        let name = Id::from_number(id as u64);
        tracing::error!(delivery.id = %name, "A note about delivery {name} does not match its checksum and was put aside: \
            an older one of the same person may write over what it has written");
        quarantine::keep(group.file, "passed", id, &destination, &thing)?;
        let sql = "DELETE FROM passed WHERE destination = CAST(?1 AS TEXT) AND key = ?2 AND thing = CAST(?3 AS TEXT)";
        group.file.prepare_cached(sql)?.execute(params![destination, key, thing])?;
        is_new = true;
    }
    Ok(is_new)
}

/// Found by their ids: those of a destination are many, and those to go few.
pub(super) const DELETE_OLD: &str =
    "DELETE FROM passed WHERE (destination, key, thing) IN (SELECT destination, key, thing FROM passed
    WHERE +destination = CAST(?1 AS TEXT) AND id < ?2 ORDER BY id LIMIT ?3)";

/// Forgets the next of those before which nothing is owed to their destination: nobody asks for them any more.
pub(super) struct TrimPassed;

impl Work for TrimPassed {
    type Answer = Step;

    fn weight(&self) -> usize {
        ROWS as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let mut next =
            group.file.prepare_cached("SELECT min(destination) FROM passed WHERE destination > CAST(?1 AS TEXT)")?;
        let mut first =
            group.file.prepare_cached("SELECT min(id) FROM open_deliveries WHERE destination = CAST(?1 AS TEXT)")?;
        let mut delete = group.file.prepare_cached(DELETE_OLD)?;
        let (mut destination, mut left) = (Vec::new(), ROWS);
        loop {
            let found = next.query_row([&destination], |row| Ok(bytes(row, 0)?.to_vec()))?;
            // No name is empty: that was the last.
            if found.is_empty() {
                return Ok(Step { removed: 0, is_last: true });
            }
            destination = found;
            let open = first.query_row([&destination], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(i64::MAX);
            left -= delete.execute(params![destination, open, left])? as i64;
            if left == 0 {
                return Ok(Step { removed: 0, is_last: false });
            }
        }
    }
}
