//! Listing deliveries: walks an order that exists, looks at a bounded number of rows, and says where it stopped.
//!
//! # Why
//! There is no index of people: its rows would cost every delivery another write, for a question that is asked now and
//! then. Who looks for a person looks through a range of time instead; a row is passed over by its own few words, before
//! the whole of it is read, and a range of time is found by halving.

use std::borrow::Cow;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::Deserialize;

use super::query::{Found, upper};
use super::record::{Kept, bytes, integer};
use crate::delivery::{Id, Status};
use crate::instant::Timestamp;
use crate::store::{Filter, Page};

/// Rows that are looked at for one page.
const ROWS: usize = 20_000;
/// A clock may have been set back by so much, in seconds, between two events.
const SLACK_SECS: i64 = 3600;

/// A page, as the one thing that is found.
pub(super) fn list(file: &Connection, filter: &Filter, max: usize) -> Found<Page> {
    let Some((sql, values)) = query(file, filter)? else { return Ok((vec![Page::default()], Vec::new())) };
    let mut select = file.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let (mut page, mut bad, mut last, mut looked_at) = (Page::default(), Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        if page.found.len() == max || looked_at == ROWS {
            page.next = last;
            break;
        }
        looked_at += 1;
        last = Some(Id::from_number(integer(row, 0)? as u64));
        if !may_be_wanted(filter, row)? {
            continue;
        }
        match Kept::read(row)?.whole() {
            Ok(owed) if filter.wants(&owed.delivery, &owed.progress) => page.found.push(owed),
            Ok(_) => {}
            Err(damaged) => bad.push(damaged),
        }
    }
    Ok((vec![page], bad))
}

/// What is asked of a record, without the payload.
#[derive(Deserialize)]
struct Record<'r> {
    #[serde(borrow)]
    mapping: Cow<'r, str>,
    #[serde(borrow)]
    action: Cow<'r, str>,
    accepted_at: Timestamp,
    keys: Vec<u64>,
}

/// What is asked of a progress, without the story.
#[derive(Deserialize)]
struct Standing {
    status: Status,
}

/// Whether the row is worth being read whole: one that is damaged is.
fn may_be_wanted(filter: &Filter, row: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
    let asks_record = filter.mapping.is_some()
        || filter.since.is_some()
        || filter.until.is_some()
        || !filter.keys.is_empty()
        || filter.any_key.is_some()
        || !filter.actions.is_empty();
    if asks_record && let Ok(record) = serde_json::from_slice::<Record<'_>>(bytes(row, 2)?) {
        let is_mapping = filter.mapping.as_deref().is_none_or(|name| name == record.mapping);
        if !is_mapping || !filter.concerns(&record.action, &record.keys, record.accepted_at) {
            return Ok(false);
        }
    }
    let Some(code) = filter.code.as_deref() else { return Ok(true) };
    let standing = serde_json::from_slice::<Standing>(bytes(row, 5)?);
    Ok(standing.map_or(true, |standing| standing.status.code() == Some(code)))
}

/// Walks along the smallest table or index that holds what is wanted. `None`: no delivery can be meant.
fn query(file: &Connection, filter: &Filter) -> rusqlite::Result<Option<(String, Vec<Value>)>> {
    const OPEN: &str = "open_deliveries CROSS JOIN deliveries USING (id)";
    let (from, led_by, condition) = match filter.status.as_deref() {
        None => ("deliveries", "deliveries", ""),
        Some("delivered") => ("deliveries", "deliveries", " AND status = 'delivered'"),
        Some("skipped") => ("deliveries INDEXED BY deliveries_skipped", "deliveries", " AND status = 'skipped'"),
        Some("dead_letter") => ("deliveries INDEXED BY deliveries_dead", "deliveries", " AND status = 'dead_letter'"),
        Some("pending") => (OPEN, "open_deliveries", " AND until IS NULL"),
        Some("waiting") => (OPEN, "open_deliveries", " AND until IS NOT NULL"),
        Some(_) => return Ok(None),
    };
    let mut sql = format!("SELECT {} FROM {from} WHERE {led_by}.id > ? AND {led_by}.id < ?{condition}", Kept::COLUMNS);
    let (above, below) = bounds(file, filter)?;
    let mut values = vec![Value::Integer(above), Value::Integer(below)];
    if let Some(destination) = &filter.destination {
        sql += &format!(" AND {led_by}.destination = ?");
        values.push(Value::Text(destination.clone()));
    }
    sql += &format!(" ORDER BY {led_by}.id {}", if filter.oldest_first { "ASC" } else { "DESC" });
    Ok(Some((sql, values)))
}

/// The ids between which to look.
fn bounds(file: &Connection, filter: &Filter) -> rusqlite::Result<(i64, i64)> {
    let slack = jiff::SignedDuration::from_secs(SLACK_SECS);
    let mut above = filter.after.map_or(-1, upper);
    let mut below = filter.before.map_or(i64::MAX, upper);
    if let Some(since) = filter.since {
        above = above.max(first_since(file, since.checked_sub(slack).unwrap_or(Timestamp::MIN))? - 1);
    }
    if let Some(until) = filter.until {
        below = below.min(first_since(file, until.checked_add(slack).unwrap_or(Timestamp::MAX))?);
    }
    Ok((above, below))
}

/// The first id whose event was accepted at that time or later, as far as ids follow time; beyond all ids, when none was.
fn first_since(file: &Connection, at: Timestamp) -> rusqlite::Result<i64> {
    let mut select = file.prepare_cached("SELECT id, record FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    let last: Option<i64> = file.query_row("SELECT max(id) FROM deliveries", (), |row| row.get(0))?;
    let (mut low, mut high) = (0, last.map_or(0, |last| last + 1));
    while low < high {
        let middle = low + (high - low) / 2;
        let found = select
            .query_row(params![middle], |row| {
                let record = serde_json::from_slice::<Record<'_>>(bytes(row, 1)?);
                // One that is damaged says nothing; it counts as too early, so that no other is passed over.
                Ok((integer(row, 0)?, record.is_ok_and(|record| record.accepted_at >= at)))
            })
            .optional()?;
        match found {
            Some((id, false)) => low = id + 1,
            Some((_, true)) | None => high = middle,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::file::STEPS;

    /// No list may read everything or sort it.
    #[test]
    fn lists_walk_an_order_that_exists() {
        let file = Connection::open_in_memory().unwrap();
        STEPS.iter().for_each(|step| file.execute_batch(step).unwrap());
        for status in [None, Some("pending"), Some("waiting"), Some("delivered"), Some("skipped"), Some("dead_letter")]
        {
            for destination in [None, Some("intercom".to_owned())] {
                for oldest_first in [false, true] {
                    let status = status.map(str::to_owned);
                    let filter = Filter { status, destination: destination.clone(), oldest_first, ..Filter::default() };
                    let (sql, values) = query(&file, &filter).unwrap().unwrap();
                    let mut select = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                    let steps = select.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
                    let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
                    assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP"), "{filter:?}: {plan}");
                }
            }
        }
    }
}
