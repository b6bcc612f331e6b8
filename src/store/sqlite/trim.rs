//! Removing what is old, a step at a time so that others can write in between.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::file::PAGE_BYTES;
use super::group::{Group, Work};
use super::record::{Bad, bytes, integer};
use super::{dedupe, quarantine};
use crate::instant::Timestamp;

/// A step looks at this many events, and at this many deliveries.
const ROWS: i64 = 1000;
/// Of events that seem to be from the future, whose age nobody knows, so many more; the next step goes on after those.
const STRANGE_ROWS: usize = 50_000;
/// Rows of message ids in a step.
const ID_ROWS: i64 = 500;
/// Pages given back to the system in a step.
const PAGES: i64 = 256;
/// This part of the file stays free for what comes next, so that it does not shrink and grow all the time.
const SPARE_PART: i64 = 8;

/// What a step came to.
pub(super) struct Step {
    /// Records that went.
    pub(super) removed: u64,
    /// Nothing is left to do.
    pub(super) is_last: bool,
}

/// Removes the next routed events from before a time, or any while the store holds more than so many bytes, with their
/// ended deliveries; those that still have a delivery stay.
pub(super) struct TrimEvents {
    pub(super) before: Timestamp,
    /// See [`crate::store::future`].
    pub(super) future: Timestamp,
    pub(super) bytes_max: u64,
}

impl Work for TrimEvents {
    type Answer = Step;

    fn weight(&self) -> usize {
        2 * ROWS as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let from = group.marks.trimmed;
        let is_over = bytes_in_use(group.file)? > self.bytes_max;
        // Those that seem to be from the future go with the others then.
        if is_over {
            group.marks.strange = 0;
        }
        let before = if is_over { Timestamp::MAX } else { self.before };
        let (old, damaged) = old_events(group, before, self.future)?;
        for position in damaged {
            quarantine::put_aside(group, Bad::Event(position))?;
        }
        let Some(old) = old else { return Ok(Step { removed: 0, is_last: true }) };
        let end = fewer_deliveries(group.file, from, old)?;
        let removed = remove(group.file, from, end)?;
        group.marks.trimmed = end;
        group.marks.floor = group.marks.floor.max(end);
        group.removed_events();
        Ok(Step { removed, is_last: false })
    }
}

/// Bytes of the file without what is free in it.
fn bytes_in_use(file: &Connection) -> rusqlite::Result<u64> {
    let number = |sql: &str| file.prepare_cached(sql)?.query_row((), |row| row.get::<_, i64>(0));
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    Ok(pages.max(0) as u64 * PAGE_BYTES as u64)
}

/// Only the age is needed here.
#[derive(Deserialize)]
struct Age {
    received_at: Timestamp,
}

/// The last of the next events that are all old enough, and those among them whose age cannot be read.
fn old_events(
    group: &mut Group<'_>,
    before: Timestamp,
    future: Timestamp,
) -> rusqlite::Result<(Option<i64>, Vec<i64>)> {
    let mut select = group.file.prepare_cached(
        "SELECT position, envelope FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position",
    )?;
    let from = group.marks.trimmed.max(group.marks.strange);
    let mut rows = select.query(params![from, group.marks.routed])?;
    let (mut old, mut damaged) = (None, Vec::new());
    let (mut left, mut strange_left) = (ROWS, STRANGE_ROWS);
    while let Some(row) = rows.next()?
        && left > 0
        && strange_left > 0
    {
        let position = integer(row, 0)?;
        match serde_json::from_slice::<Age>(bytes(row, 1)?) {
            Ok(Age { received_at }) if received_at >= before && received_at > future => {
                strange_left -= 1;
                if old.is_none() {
                    group.marks.strange = position;
                }
                continue;
            }
            Ok(Age { received_at }) if received_at >= before => break,
            Ok(_) => {}
            Err(_) => damaged.push(position),
        }
        old = Some(position);
        left -= 1;
    }
    // All were looked at, and by the next time they may be old themselves.
    if old.is_none() && strange_left > 0 {
        group.marks.strange = 0;
    }
    Ok((old, damaged))
}

/// How far to go so that not too many deliveries are concerned, but at least one event.
fn fewer_deliveries(file: &Connection, from: i64, end: i64) -> rusqlite::Result<i64> {
    let mut select = file
        .prepare_cached("SELECT id >> 16 FROM deliveries WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1 OFFSET ?3")?;
    let too_far: Option<i64> =
        select.query_row(params![(from + 1) << 16, (end + 1) << 16, ROWS], |row| row.get(0)).optional()?;
    Ok(too_far.map_or(end, |position| (position - 1).max(from + 1)))
}

fn remove(file: &Connection, from: i64, end: i64) -> rusqlite::Result<u64> {
    let mut deliveries = file
        .prepare_cached("DELETE FROM deliveries WHERE id >= ?1 AND id < ?2 AND status IN ('delivered', 'skipped')")?;
    let mut events = file.prepare_cached(
        "DELETE FROM events WHERE position > ?1 AND position <= ?2 AND NOT EXISTS
         (SELECT 1 FROM deliveries WHERE id >= position << 16 AND id < (position + 1) << 16)",
    )?;
    let removed = deliveries.execute(params![(from + 1) << 16, (end + 1) << 16])? + events.execute([from, end])?;
    Ok(removed as u64)
}

/// Forgets the next message ids from before a time.
pub(super) struct TrimIds {
    pub(super) before: Timestamp,
}

impl Work for TrimIds {
    type Answer = Step;

    fn weight(&self) -> usize {
        ID_ROWS as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let hour = group.forget(dedupe::hour(self.before));
        let mut delete = group.file.prepare_cached(
            "DELETE FROM message_ids WHERE id IN (SELECT id FROM message_ids WHERE id < ?1 ORDER BY id LIMIT ?2)
             RETURNING length(hashes) / 16",
        )?;
        let counts = delete.query_map([hour << 32, ID_ROWS], |row| row.get(0))?;
        let counts = counts.collect::<rusqlite::Result<Vec<i64>>>()?;
        Ok(Step { removed: counts.iter().sum::<i64>() as u64, is_last: (counts.len() as i64) < ID_ROWS })
    }
}

/// Gives free pages back to the system while there are more than are soon used again.
pub(super) struct Vacuum;

impl Work for Vacuum {
    type Answer = Step;

    fn weight(&self) -> usize {
        PAGES as usize
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Step> {
        let number = |sql: &str| group.file.prepare_cached(sql)?.query_row((), |row| row.get::<_, i64>(0));
        let spare = (number("PRAGMA page_count")? / SPARE_PART).max(PAGES);
        let surplus = number("PRAGMA freelist_count")? - spare;
        if surplus <= 0 {
            return Ok(Step { removed: 0, is_last: true });
        }
        group.file.execute_batch(&format!("PRAGMA incremental_vacuum({})", surplus.min(PAGES)))?;
        Ok(Step { removed: 0, is_last: surplus <= PAGES })
    }
}
