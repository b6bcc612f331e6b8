//! Writing what events became, and how their deliveries fare.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::group::{Group, Work};
use super::passed::Passing;
use super::record::{DeliveryRow, Kept, OpenRow, Owner, ProgressRow, bytes};
use crate::delivery::{Position, Status};
use crate::store::removal::Removal;

/// Events, ascending, and their deliveries.
pub(super) struct Route {
    pub(super) routed: Vec<(i64, Vec<DeliveryRow>)>,
    /// Nothing becomes of what was taken out meanwhile.
    pub(super) removal: Arc<Removal>,
}

impl Work for Route {
    type Answer = ();

    const IS_PATIENT: bool = true;

    fn weight(&self) -> usize {
        self.routed.iter().map(|(_, deliveries)| 2 * deliveries.len()).sum()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        for (position, deliveries) in &self.routed {
            if *position <= group.marks.routed {
                continue;
            }
            route_old(group, *position)?;
            let is_removed = self.removal.holds(Position(*position as u64));
            for delivery in deliveries.iter().filter(|_| !is_removed) {
                insert(group, delivery)?;
            }
            group.routed(*position);
        }
        Ok(())
    }
}

/// Whose events an earlier process accepted is looked up now that they go.
fn route_old(group: &mut Group<'_>, position: i64) -> rusqlite::Result<()> {
    if group.marks.routed >= group.marks.counted {
        return Ok(());
    }
    let mut select = group.file.prepare_cached("SELECT envelope FROM events WHERE position > ?1 AND position <= ?2")?;
    let mut rows = select.query(params![group.marks.routed, position.min(group.marks.counted)])?;
    while let Some(row) = rows.next()? {
        if let Ok(owner) = serde_json::from_slice::<Owner<'_>>(bytes(row, 0)?) {
            group.routed_old(owner.source.into());
        }
    }
    Ok(())
}

fn insert(group: &mut Group<'_>, row: &DeliveryRow) -> rusqlite::Result<()> {
    let mut insert = group.file.prepare_cached("INSERT INTO deliveries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let ProgressRow { status, text, checksum, .. } = &row.progress;
    insert.execute(params![row.id, row.destination, status.name(), row.record, row.checksum, text, checksum])?;
    group.marks.dead_letters += u64::from(is_dead(status.name()));
    if let Some(open) = &row.open {
        write_open(group.file, row.id, &row.source, &row.destination, open)?;
        group.opened(row.source.clone());
    }
    Ok(())
}

/// New progress of deliveries.
pub(super) struct Settle {
    pub(super) settlements: Vec<ProgressRow>,
    pub(super) passing: Passing,
}

impl Work for Settle {
    type Answer = ();

    fn weight(&self) -> usize {
        2 * self.settlements.len() + self.passing.wrote.len() + self.passing.forget.len()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        for progress in &self.settlements {
            if settle(group, progress)? {
                self.passing.note(group.file, progress.id)?;
            }
        }
        self.passing.forget(group.file)
    }
}

/// Deliveries with what is owed anew.
pub(super) struct Amend {
    pub(super) rows: Vec<DeliveryRow>,
}

impl Work for Amend {
    type Answer = ();

    fn weight(&self) -> usize {
        3 * self.rows.len()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        for row in &self.rows {
            let mut update = group.file.prepare_cached(
                "UPDATE deliveries SET destination = ?2, record = ?3, record_checksum = ?4 WHERE id = ?1",
            )?;
            update.execute(params![row.id, row.destination, row.record, row.checksum])?;
            // Its entry among the open ones has what it was about before.
            if let Some(source) = remove_open(group.file, row.id)? {
                group.closed(source);
            }
            settle(group, &row.progress)?;
        }
        Ok(())
    }
}

/// Writes a delivery's progress, and where it stands; false: it is gone.
fn settle(group: &mut Group<'_>, new: &ProgressRow) -> rusqlite::Result<bool> {
    if new.status.is_settled() && end(group, new)? {
        group.marks.dead_letters += u64::from(is_dead(new.status.name()));
        return write_progress(group.file, new).map(|()| true);
    }
    let mut select = group.file.prepare_cached("SELECT status FROM deliveries WHERE id = ?1")?;
    let was_dead = select.query_row([new.id], |row| Ok(bytes(row, 0)? == b"dead_letter")).optional()?;
    let Some(was_dead) = was_dead else { return Ok(false) };
    if !new.status.is_settled() {
        let is_whole = reopen(group, new)?;
        if !is_whole {
            return Ok(false);
        }
    }
    write_progress(group.file, new)?;
    group.marks.dead_letters += u64::from(is_dead(new.status.name()));
    group.marks.dead_letters = group.marks.dead_letters.saturating_sub(u64::from(was_dead));
    Ok(true)
}

/// Takes it from the open ones; false: it was not one of them.
fn end(group: &mut Group<'_>, new: &ProgressRow) -> rusqlite::Result<bool> {
    let source = remove_open(group.file, new.id)?;
    let was_open = source.is_some();
    source.into_iter().for_each(|source| group.closed(source));
    if !matches!(new.status, Status::DeadLetter { .. }) {
        // Trimming may have passed it while it could not go.
        group.marks.trimmed = group.marks.trimmed.min((new.id >> 16) - 1);
    }
    Ok(was_open)
}

/// Writes the entry among the open ones. False: the delivery's record is damaged, so it cannot be opened.
fn reopen(group: &mut Group<'_>, new: &ProgressRow) -> rusqlite::Result<bool> {
    let mut select = group.file.prepare_cached(
        "SELECT source, destination, keys, accepted_at, until, parked FROM open_deliveries WHERE id = ?1",
    )?;
    let open = select
        .query_row([new.id], |row| {
            let name = |column| bytes(row, column).map(|name| String::from_utf8_lossy(name).into_owned());
            let stands = (row.get::<_, Option<i64>>(4)?, row.get::<_, bool>(5)?);
            Ok((name(0)?, name(1)?, bytes(row, 2)?.to_vec(), row.get::<_, i64>(3)?, stands))
        })
        .optional()?;
    if let Some((source, destination, keys, accepted_at, stood)) = open {
        let open = OpenRow::with_keys(new.id, &source, &destination, keys, accepted_at, &new.status);
        // A step that was noted moves nobody.
        let Some(open) = open.filter(|open| (open.until, open.parked) != stood) else { return Ok(true) };
        write_open(group.file, new.id, &source, &destination, &open)?;
        return Ok(true);
    }
    let select = format!("SELECT {} FROM deliveries WHERE id = ?1", Kept::COLUMNS);
    let kept = group.file.prepare_cached(&select)?.query_row([new.id], Kept::read)?;
    let Some(delivery) = kept.delivery else { return Ok(false) };
    if let Some(open) = OpenRow::of(new.id, &delivery, &new.status) {
        write_open(group.file, new.id, &delivery.source, &delivery.destination, &open)?;
        group.opened(delivery.source);
    }
    Ok(true)
}

/// Replaces a delivery's progress.
pub(super) fn write_progress(file: &Connection, progress: &ProgressRow) -> rusqlite::Result<()> {
    let mut update =
        file.prepare_cached("UPDATE deliveries SET status = ?2, progress = ?3, progress_checksum = ?4 WHERE id = ?1")?;
    update.execute(params![progress.id, progress.status.name(), progress.text, progress.checksum])?;
    Ok(())
}

/// Writes or replaces an entry among the open deliveries.
pub(super) fn write_open(
    file: &Connection,
    id: i64,
    source: &str,
    destination: &str,
    open: &OpenRow,
) -> rusqlite::Result<()> {
    let mut insert =
        file.prepare_cached("INSERT OR REPLACE INTO open_deliveries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let (until, accepted_at) = (open.until, open.accepted_at);
    insert.execute(params![id, source, destination, open.keys, until, open.parked, accepted_at, open.checksum])?;
    Ok(())
}

/// Removes an entry from the open deliveries and says whose it was, if it was there.
pub(super) fn remove_open(file: &Connection, id: i64) -> rusqlite::Result<Option<Arc<str>>> {
    let mut delete = file.prepare_cached("DELETE FROM open_deliveries WHERE id = ?1 RETURNING source")?;
    delete.query_row([id], |row| Ok(String::from_utf8_lossy(bytes(row, 0)?).into())).optional()
}

fn is_dead(status: &str) -> bool {
    status == "dead_letter"
}
