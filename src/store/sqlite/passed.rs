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
const COLUMNS: &str = "destination, key, thing, value, id, stands_at, checksum";

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
                "INSERT INTO passed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET value = excluded.value,
                 id = excluded.id, stands_at = excluded.stands_at, checksum = excluded.checksum
                 WHERE excluded.stands_at >= stands_at",
            )?;
            let Wrote { key, thing, value, stands_at, .. } = wrote;
            let entry = Entry { key: *key as i64, value: *value as i64, id, stands_at: record::number(*stands_at) };
            let sum = entry.checksum(self.destination.as_bytes(), thing.as_bytes());
            insert.execute(params![self.destination, entry.key, thing, entry.value, id, entry.stands_at, sum])?;
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
    id: i64,
    stands_at: i64,
}

impl Entry {
    fn checksum(&self, destination: &[u8], thing: &[u8]) -> u32 {
        let Entry { key, value, id, stands_at } = self;
        seal(checksum(&[destination, &key.to_le_bytes(), thing, &value.to_le_bytes(), &stands_at.to_le_bytes()]), *id)
    }
}

/// Reads [`COLUMNS`]; the delivery's id, where its checksum does not hold.
fn read(row: &Row<'_>) -> rusqlite::Result<Result<Wrote, i64>> {
    let (destination, thing) = (bytes(row, 0)?, bytes(row, 2)?);
    let entry =
        Entry { key: integer(row, 1)?, value: integer(row, 3)?, id: integer(row, 4)?, stands_at: integer(row, 5)? };
    let holds = i64::from(entry.checksum(destination, thing)) == integer(row, 6)?;
    let Some(thing) = std::str::from_utf8(thing).ok().filter(|_| holds) else { return Ok(Err(entry.id)) };
    let (by, stands_at) = (Id::from_number(entry.id as u64), Id::from_number(entry.stands_at as u64));
    Ok(Ok(Wrote { key: entry.key as u64, thing: thing.to_owned(), value: entry.value as u64, by, stands_at }))
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
        let slot: (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((slot, read(row)?.is_ok()))
    })?;
    let entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut is_new = false;
    for ((destination, key, thing), _) in entries.into_iter().filter(|(_, holds)| !holds) {
        let name = Id::from_number(id as u64);
        tracing::error!(delivery.id = %name, "A note about delivery {name} does not match its checksum and was put aside: \
            an older one of the same person may write over what it has written");
        quarantine::keep(group.file, "passed", id, destination.as_bytes(), thing.as_bytes())?;
        let mut delete =
            group.file.prepare_cached("DELETE FROM passed WHERE destination = ?1 AND key = ?2 AND thing = ?3")?;
        delete.execute(params![destination, key, thing])?;
        is_new = true;
    }
    Ok(is_new)
}

/// Forgets the next of those before which nothing is owed to their destination: nobody asks for them any more.
pub(super) struct TrimPassed;

impl Work for TrimPassed {
    type Answer = Step;

    fn weight(&self) -> usize {
        ROWS as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let mut next = group.file.prepare_cached("SELECT min(destination) FROM passed WHERE destination > ?1")?;
        let mut first = group.file.prepare_cached("SELECT min(id) FROM open_deliveries WHERE destination = ?1")?;
        let mut delete = group.file.prepare_cached(
            "DELETE FROM passed WHERE (destination, key, thing) IN (SELECT destination, key, thing FROM passed
             WHERE destination = ?1 AND id < ?2 ORDER BY id LIMIT ?3)",
        )?;
        let (mut destination, mut left) = (String::new(), ROWS);
        while let Some(found) = next.query_row([&destination], |row| row.get::<_, Option<String>>(0))? {
            destination = found;
            let open = first.query_row([&destination], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(i64::MAX);
            left -= delete.execute(params![destination, open, left])? as i64;
            if left == 0 {
                return Ok(Step { removed: 0, is_last: false });
            }
        }
        Ok(Step { removed: 0, is_last: true })
    }
}
