//! What is read: never holds up the writer, never hands out a damaged record.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::record::{self, Bad, Kept, Standing};
use crate::delivery::{Id, Position};
use crate::store::{Open, Owed, Stored};

/// What was found, and what was damaged.
pub(super) type Found<T> = rusqlite::Result<(Vec<T>, Vec<Bad>)>;

pub(super) fn events(file: &Connection, after: Position, max: usize) -> Found<Stored> {
    let mut select = file.prepare_cached(
        "SELECT position, envelope, body, checksum FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    sort(select.query([signed(after.0), limit(max)])?, record::event)
}

pub(super) fn event(file: &Connection, position: Position) -> Found<Stored> {
    let mut select =
        file.prepare_cached("SELECT position, envelope, body, checksum FROM events WHERE position = ?1")?;
    sort(select.query([signed(position.0)])?, record::event)
}

pub(super) fn open(file: &Connection, destination: Option<&str>, after: Option<Id>, max: usize) -> Found<Open> {
    let mut select = file.prepare_cached(&open_query(destination))?;
    let mut names: Vec<Arc<str>> = Vec::new();
    let (after, max) = (after.map_or(-1, upper), limit(max));
    let rows = match destination {
        Some(destination) => select.query(params![after, max, destination])?,
        None => select.query(params![after, max])?,
    };
    sort(rows, |row| {
        Ok(Standing::read(row)?.map(|standing| {
            let mut shared = |name: &str| {
                let known = names.iter().find(|known| ***known == *name).cloned();
                known.unwrap_or_else(|| {
                    names.push(name.into());
                    name.into()
                })
            };
            standing.open(shared(standing.destination), shared(standing.source))
        }))
    })
}

fn open_query(destination: Option<&str>) -> String {
    let (columns, of_one) = (Standing::COLUMNS, if destination.is_some() { " AND destination = ?3" } else { "" });
    format!("SELECT {columns} FROM open_deliveries WHERE id > ?1{of_one} ORDER BY id LIMIT ?2")
}

pub(super) fn open_counts(file: &Connection) -> Found<(Arc<str>, u64)> {
    let mut select = file.prepare_cached("SELECT destination, count(*) FROM open_deliveries GROUP BY destination")?;
    sort(select.query(())?, |row| {
        let name = String::from_utf8_lossy(record::bytes(row, 0)?);
        Ok(Ok((name.into(), row.get::<_, i64>(1)? as u64)))
    })
}

pub(super) fn deliveries(file: &Connection, ids: &[Id]) -> Found<Owed> {
    let mut select = file.prepare_cached(&format!("SELECT {} FROM deliveries WHERE id = ?1", Kept::COLUMNS))?;
    let (mut found, mut bad) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        let number = record::number(*id);
        let (one, damaged) = sort(select.query([number])?, |row| Ok(Kept::read(row)?.whole()))?;
        if one.is_empty() && damaged.is_empty() && is_open(file, number)? {
            bad.push(Bad::Open(number));
        }
        found.extend(one);
        bad.extend(damaged);
    }
    Ok((found, bad))
}

fn is_open(file: &Connection, id: i64) -> rusqlite::Result<bool> {
    file.prepare_cached("SELECT 1 FROM open_deliveries WHERE id = ?1")?.exists([id])
}

/// Reads all rows and sorts the sound from the damaged.
fn sort<T>(
    mut rows: rusqlite::Rows<'_>,
    mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<Result<T, Bad>>,
) -> Found<T> {
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match read(row)? {
            Ok(record) => found.push(record),
            Err(damaged) => bad.push(damaged),
        }
    }
    Ok((found, bad))
}

/// The id as a bound: one that is too large for any delivery is above all.
pub(super) fn upper(id: Id) -> i64 {
    match record::number(id) {
        -1 => i64::MAX,
        number => number,
    }
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;
    use rusqlite::types::Value;

    use super::super::file;
    use super::*;

    fn with_tables() -> Connection {
        let file = Connection::open_in_memory().unwrap();
        file::STEPS.iter().for_each(|step| file.execute_batch(step).unwrap());
        file
    }

    fn plan(file: &Connection, sql: &str, values: &[Value]) -> String {
        let mut select = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = select.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn notes_that_nobody_asks_for_are_found_without_reading_the_others() {
        let values = [Value::Text("intercom".to_owned()), Value::Integer(5), Value::Integer(10)];
        let plan = plan(&with_tables(), super::super::passed::DELETE_OLD, &values);
        assert!(plan.contains("passed_by_id (id<?)") && !plan.contains("TEMP"), "{plan}");
    }

    #[test]
    fn what_is_owed_to_one_destination_is_found_without_reading_what_is_owed_to_others() {
        let file = with_tables();
        let values = [Value::Integer(5), Value::Integer(10), Value::Text("intercom".to_owned())];
        let plan = plan(&file, &open_query(Some("intercom")), &values);
        assert!(plan.contains("open_by_destination (destination=? AND rowid>?)") && !plan.contains("TEMP"), "{plan}");
    }
}
