//! Putting records aside whose checksum does not hold, so that everything else goes on.
//!
//! A delivery is more than its parts: when only its progress or its entry among the open ones is damaged, what is sound
//! is enough to attempt it again from the start, and it is not lost.

use rusqlite::{Connection, OptionalExtension, params};

use super::absent::Why;
use super::group::{Group, Work};
use super::record::{self, Bad, Kept, OpenRow, ProgressRow, Standing, bytes};
use super::{passed, settle};
use crate::delivery::{Delivery, Id, Progress};

/// Records that a reader found damaged. Answers how many it was that nobody had put aside before.
pub(super) struct Quarantine {
    pub(super) bad: Vec<Bad>,
}

impl Work for Quarantine {
    type Answer = usize;

    fn weight(&self) -> usize {
        2 * self.bad.len()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<usize> {
        let mut count = 0;
        for bad in &self.bad {
            count += usize::from(put_aside(group, *bad)?);
        }
        Ok(count)
    }
}

/// Puts one aside, unless it is sound or gone.
pub(super) fn put_aside(group: &mut Group<'_>, bad: Bad) -> rusqlite::Result<bool> {
    let is_new = match bad {
        Bad::Event(position) => put_event_aside(group, position)?,
        Bad::Delivery(id) => put_delivery_aside(group, id)?,
        Bad::Open(id) => put_open_aside(group, id)?,
        Bad::Unopened(id) => open_again(group, id)?,
        Bad::Passed(id) => passed::put_aside(group, id)?,
    };
    group.marks.quarantined += u64::from(is_new);
    Ok(is_new)
}

/// Keeps the bytes as they were found.
pub(super) fn keep(file: &Connection, kind: &str, id: i64, first: &[u8], second: &[u8]) -> rusqlite::Result<()> {
    let mut insert = file.prepare_cached("INSERT INTO quarantine (kind, id, first, second) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![kind, id, first, second])?;
    Ok(())
}

fn put_event_aside(group: &mut Group<'_>, position: i64) -> rusqlite::Result<bool> {
    let mut select =
        group.file.prepare_cached("SELECT position, envelope, body, checksum FROM events WHERE position = ?1")?;
    let found = select
        .query_row([position], |row| {
            Ok((record::event(row)?.is_ok(), bytes(row, 1)?.to_vec(), bytes(row, 2)?.to_vec()))
        })
        .optional()?;
    let Some((false, envelope, body)) = found else { return Ok(false) };
    tracing::error!(event.id = position, "Event {position} does not match its checksum and was put aside");
    keep(group.file, "event", position, &envelope, &body)?;
    group.file.execute("DELETE FROM events WHERE position = ?1", [position])?;
    group.absent((position, position), Why::Quarantined)?;
    group.lost(position);
    Ok(true)
}

/// A delivery as it was found: what can be read of it, and its bytes.
struct Found {
    kept: Kept,
    status: Vec<u8>,
    record: Vec<u8>,
    progress: Vec<u8>,
}

fn find(file: &Connection, id: i64) -> rusqlite::Result<Option<Found>> {
    let mut select = file.prepare_cached(&format!("SELECT {} FROM deliveries WHERE id = ?1", Kept::COLUMNS))?;
    let found = select.query_row([id], |row| {
        Ok(Found {
            kept: Kept::read(row)?,
            record: bytes(row, 2)?.to_vec(),
            status: bytes(row, 4)?.to_vec(),
            progress: bytes(row, 5)?.to_vec(),
        })
    });
    found.optional()
}

fn put_delivery_aside(group: &mut Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let Some(found) = find(group.file, id)? else { return Ok(false) };
    if found.kept.delivery.is_some() && found.kept.progress.is_some() {
        return Ok(false);
    }
    keep(group.file, "delivery", id, &found.record, &found.progress)?;
    match (&found.kept.delivery, is_open(group.file, id)?) {
        (Some(delivery), true) => {
            let name = Id::from_number(id as u64);
            tracing::error!(delivery.id = %name, "The progress of delivery {name} does not match its checksum and \
                was put aside; the delivery starts again");
            start_again(group.file, id, delivery)?;
        }
        _ => drop_delivery(group, id, &found)?,
    }
    Ok(true)
}

fn put_open_aside(group: &mut Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let select = format!("SELECT {} FROM open_deliveries WHERE id = ?1", Standing::COLUMNS);
    let found = group
        .file
        .prepare_cached(&select)?
        .query_row([id], |row| Ok((Standing::read(row)?.is_ok(), bytes(row, 1)?.to_vec(), bytes(row, 3)?.to_vec())))
        .optional()?;
    let Some((is_sound, source, keys)) = found else { return Ok(false) };
    let delivery = find(group.file, id)?;
    if is_sound && delivery.is_some() {
        return Ok(false);
    }
    keep(group.file, "open_delivery", id, &source, &keys)?;
    let name = Id::from_number(id as u64);
    match delivery {
        Some(Found { kept: Kept { delivery: Some(delivery), progress: Some(progress), .. }, .. }) => {
            tracing::error!(delivery.id = %name, "The entry of open delivery {name} did not match its checksum and \
                was written anew");
            write_anew(group, id, &delivery, &progress)?;
        }
        Some(Found { kept: Kept { delivery: Some(delivery), .. }, .. }) => {
            tracing::error!(delivery.id = %name, "Delivery {name} does not match its checksums and starts again");
            start_again(group.file, id, &delivery)?;
        }
        Some(found) => drop_delivery(group, id, &found)?,
        None => {
            tracing::error!(delivery.id = %name, "Delivery {name} is not in the store any more and nobody removed it: the \
                file was damaged");
            close(group, id)?;
        }
    }
    Ok(true)
}

/// A delivery that has not ended gets the entry among the open ones that it has lost.
fn open_again(group: &mut Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let Some(Found { kept, .. }) = find(group.file, id)? else { return Ok(false) };
    let (Some(delivery), Some(progress)) = (kept.delivery, kept.progress) else { return Ok(false) };
    let is_there = is_open(group.file, id)?;
    let open = OpenRow::of(id, &delivery, &progress.status);
    let Some(open) = open.filter(|_| !is_there) else { return Ok(false) };
    let name = Id::from_number(id as u64);
    tracing::error!(delivery.id = %name, "The entry of open delivery {name} was lost and was written anew; it is taken up \
        at the next start");
    keep(group.file, "open_delivery", id, &[], &[])?;
    settle::write_open(group.file, id, &delivery.source, &delivery.destination, &open)?;
    group.opened(delivery.source);
    Ok(true)
}

fn is_open(file: &Connection, id: i64) -> rusqlite::Result<bool> {
    file.prepare_cached("SELECT 1 FROM open_deliveries WHERE id = ?1")?.exists([id])
}

/// Writes the entry among the open ones from what the delivery says.
fn write_anew(group: &mut Group<'_>, id: i64, delivery: &Delivery, progress: &Progress) -> rusqlite::Result<()> {
    match OpenRow::of(id, delivery, &progress.status) {
        Some(open) => settle::write_open(group.file, id, &delivery.source, &delivery.destination, &open),
        None => close(group, id),
    }
}

/// Gives an open delivery the progress of one that was never attempted.
fn start_again(file: &Connection, id: i64, delivery: &Delivery) -> rusqlite::Result<()> {
    let progress = Progress::new();
    settle::write_progress(file, &ProgressRow::of(Id::from_number(id as u64), &progress))?;
    let open = OpenRow::of(id, delivery, &progress.status).expect("what starts again has not ended");
    settle::write_open(file, id, &delivery.source, &delivery.destination, &open)
}

fn drop_delivery(group: &mut Group<'_>, id: i64, found: &Found) -> rusqlite::Result<()> {
    let name = Id::from_number(id as u64);
    tracing::error!(delivery.id = %name, "Delivery {name} does not match its checksum and was put aside");
    group.file.execute("DELETE FROM deliveries WHERE id = ?1", [id])?;
    if found.status == b"dead_letter" {
        group.marks.dead_letters = group.marks.dead_letters.saturating_sub(1);
    }
    close(group, id)
}

fn close(group: &mut Group<'_>, id: i64) -> rusqlite::Result<()> {
    if let Some(source) = settle::remove_open(group.file, id)? {
        group.closed(source);
    }
    Ok(())
}
