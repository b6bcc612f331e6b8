//! Rows as they are written and read: what stands in them, and the checksum over it.
//!
//! Everything is put into its row's form by the caller's task, so that the one writer only hands it to SQLite.

use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Deserialize;

use super::dedupe::{self, Key};
use crate::delivery::{Delivery, Id, Position, Progress, Status};
use crate::event::Event;
use crate::instant::Timestamp;
use crate::store::{Open, Owed, Stored};

/// A record whose checksum does not hold, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// An event's position.
    Event(i64),
    /// The id of a delivery whose record or progress is bad.
    Delivery(i64),
    /// The id of a delivery whose entry among the open ones is bad, or stands there alone.
    Open(i64),
    /// The id of a delivery that has not ended and is not among the open ones.
    Unopened(i64),
    /// The id of a delivery that went past older ones, of which a note is bad.
    Passed(i64),
}

/// CRC-32C over parts, each led by its length so that no byte can pass for one of the neighbouring part.
pub(super) fn checksum(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |sum, part| crc32c::crc32c_append(seal(sum, part.len() as i64), part))
}

/// Adds the row's number to a checksum.
pub(super) fn seal(checksum: u32, number: i64) -> u32 {
    crc32c::crc32c_append(checksum, &number.to_le_bytes())
}

/// An event on its way to `events`.
pub(super) struct EventRow {
    pub(super) event: Arc<Event>,
    pub(super) envelope: String,
    /// To be sealed with the position, which only the writer knows.
    pub(super) checksum: u32,
    pub(super) hash: u128,
    pub(super) hour: i64,
}

impl EventRow {
    pub(super) fn of(event: Event, key: &Key) -> EventRow {
        let envelope = serde_json::to_string(&event.envelope).expect("an envelope is plain data");
        EventRow {
            checksum: checksum(&[envelope.as_bytes(), &event.body]),
            hash: key.hash(&event.envelope.source, &event.envelope.message_id),
            hour: dedupe::hour(event.envelope.received_at),
            envelope,
            event: Arc::new(event),
        }
    }
}

/// Whose an event is, of its envelope.
#[derive(Deserialize)]
pub(super) struct Owner<'e> {
    pub(super) source: &'e str,
}

/// Reads `position, envelope, body, checksum`.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Result<Stored, Bad>> {
    let (position, envelope, body) = (integer(row, 0)?, bytes(row, 1)?, bytes(row, 2)?);
    let holds = i64::from(seal(checksum(&[envelope, body]), position)) == integer(row, 3)?;
    let envelope = holds.then(|| serde_json::from_slice(envelope).ok()).flatten();
    let Some(envelope) = envelope else { return Ok(Err(Bad::Event(position))) };
    Ok(Ok(Stored { position: Position(position as u64), event: Event { envelope, body: body.into() } }))
}

/// A delivery's immutable part on its way to `deliveries`.
pub(super) struct DeliveryRow {
    pub(super) id: i64,
    pub(super) source: Arc<str>,
    pub(super) destination: Arc<str>,
    pub(super) record: String,
    pub(super) checksum: u32,
    pub(super) progress: ProgressRow,
    /// Its entry in `open_deliveries`, unless it has ended.
    pub(super) open: Option<OpenRow>,
}

impl DeliveryRow {
    pub(super) fn of(id: Id, delivery: &Delivery, progress: &Progress) -> DeliveryRow {
        let number = number(id);
        let record = serde_json::to_string(delivery).expect("a delivery is plain data");
        let checksum = seal(checksum(&[delivery.destination.as_bytes(), record.as_bytes()]), number);
        DeliveryRow {
            id: number,
            source: delivery.source.clone(),
            destination: delivery.destination.clone(),
            record,
            checksum,
            progress: ProgressRow::of(id, progress),
            open: OpenRow::of(number, delivery, &progress.status),
        }
    }
}

/// A delivery's progress on its way to `deliveries`.
pub(super) struct ProgressRow {
    pub(super) id: i64,
    pub(super) status: Status,
    pub(super) text: String,
    pub(super) checksum: u32,
}

impl ProgressRow {
    pub(super) fn of(id: Id, progress: &Progress) -> ProgressRow {
        let text = serde_json::to_string(progress).expect("progress is plain data");
        let checksum = checksum(&[progress.status.name().as_bytes(), text.as_bytes()]);
        ProgressRow { id: number(id), status: progress.status.clone(), checksum: seal(checksum, number(id)), text }
    }
}

/// What can be read of a row of `deliveries`, part by part.
pub(super) struct Kept {
    pub(super) id: i64,
    pub(super) delivery: Option<Delivery>,
    pub(super) progress: Option<Progress>,
}

impl Kept {
    /// The columns of [`Kept::read`].
    pub(super) const COLUMNS: &'static str =
        "deliveries.id, deliveries.destination, record, record_checksum, status, progress, progress_checksum";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
        let id = integer(row, 0)?;
        Ok(Kept {
            id,
            delivery: part(row, 1, id)?.and_then(|record| serde_json::from_slice(record).ok()),
            progress: part(row, 4, id)?.and_then(|progress| serde_json::from_slice(progress).ok()),
        })
    }

    pub(super) fn whole(self) -> Result<Owed, Bad> {
        match (self.delivery, self.progress) {
            (Some(delivery), Some(progress)) => Ok(Owed { id: Id::from_number(self.id as u64), delivery, progress }),
            _ => Err(Bad::Delivery(self.id)),
        }
    }
}

/// The text at `at + 1`, if the checksum at `at + 2` holds for it and for the word at `at`.
fn part<'r>(row: &'r Row<'_>, at: usize, id: i64) -> rusqlite::Result<Option<&'r [u8]>> {
    let (word, text) = (bytes(row, at)?, bytes(row, at + 1)?);
    let holds = i64::from(seal(checksum(&[word, text]), id)) == integer(row, at + 2)?;
    Ok(holds.then_some(text))
}

/// A delivery's entry in `open_deliveries`.
pub(super) struct OpenRow {
    pub(super) keys: Vec<u8>,
    pub(super) until: Option<i64>,
    pub(super) parked: bool,
    pub(super) accepted_at: i64,
    pub(super) checksum: u32,
}

impl OpenRow {
    /// `None`: it has ended.
    pub(super) fn of(id: i64, delivery: &Delivery, status: &Status) -> Option<OpenRow> {
        let keys = delivery.keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let accepted_at = delivery.accepted_at.as_microsecond();
        OpenRow::with_keys(id, &delivery.source, &delivery.destination, keys, accepted_at, status)
    }

    /// The same, with the keys as they stand in the row.
    pub(super) fn with_keys(
        id: i64,
        source: &str,
        destination: &str,
        keys: Vec<u8>,
        accepted_at: i64,
        status: &Status,
    ) -> Option<OpenRow> {
        let (until, parked) = match status {
            Status::Waiting { until, parked, .. } => (Some(until.as_microsecond()), *parked),
            _ if status.is_settled() => return None,
            _ => (None, false),
        };
        let seen = Seen { keys: &keys, until, parked, accepted_at };
        let checksum = open_checksum(id, source.as_bytes(), destination.as_bytes(), &seen);
        Some(OpenRow { keys, until, parked, accepted_at, checksum })
    }
}

/// What `open_deliveries` says of one.
pub(super) struct Standing<'r> {
    pub(super) id: i64,
    pub(super) source: &'r str,
    pub(super) destination: &'r str,
    pub(super) keys: &'r [u8],
    pub(super) until: Option<i64>,
    pub(super) parked: bool,
    pub(super) accepted_at: i64,
}

impl<'r> Standing<'r> {
    /// The columns of [`Standing::read`].
    pub(super) const COLUMNS: &'static str = "id, source, destination, keys, until, parked, accepted_at, checksum";

    pub(super) fn read(row: &'r Row<'_>) -> rusqlite::Result<Result<Standing<'r>, Bad>> {
        let (id, source, destination, keys) = (integer(row, 0)?, bytes(row, 1)?, bytes(row, 2)?, bytes(row, 3)?);
        let until = match row.get_ref(4)? {
            ValueRef::Integer(until) => Some(until),
            _ => None,
        };
        let parked = integer(row, 5)? != 0;
        let accepted_at = integer(row, 6)?;
        let seen = Seen { keys, until, parked, accepted_at };
        let holds = i64::from(open_checksum(id, source, destination, &seen)) == integer(row, 7)?;
        Ok(match (std::str::from_utf8(source), std::str::from_utf8(destination)) {
            (Ok(source), Ok(destination)) if holds => {
                Ok(Standing { id, source, destination, keys, until, parked, accepted_at })
            }
            _ => Err(Bad::Open(id)),
        })
    }

    /// The entry as the router wants it.
    pub(super) fn open(&self, destination: Arc<str>, source: Arc<str>) -> Open {
        let (keys, _) = self.keys.as_chunks();
        Open {
            id: Id::from_number(self.id as u64),
            destination,
            source,
            keys: keys.iter().map(|key| u64::from_le_bytes(*key)).collect(),
            until: self.until.map(|until| Timestamp::from_microsecond(until).unwrap_or(Timestamp::MAX)),
            parked: self.parked,
            accepted_at: Timestamp::from_microsecond(self.accepted_at).unwrap_or(Timestamp::MAX),
        }
    }
}

/// What an entry says besides whose it is.
struct Seen<'s> {
    keys: &'s [u8],
    until: Option<i64>,
    parked: bool,
    accepted_at: i64,
}

fn open_checksum(id: i64, source: &[u8], destination: &[u8], seen: &Seen<'_>) -> u32 {
    let until = seen.until.map(i64::to_le_bytes);
    let until = until.as_ref().map_or(&[][..], |until| until);
    let accepted_at = seen.accepted_at.to_le_bytes();
    seal(checksum(&[source, destination, seen.keys, until, &[u8::from(seen.parked)], &accepted_at]), id)
}

/// The id as SQLite holds it. One that does not fit names no delivery, and neither does -1.
pub(super) fn number(id: Id) -> i64 {
    match id.position.0 >> 47 {
        0 => id.to_number() as i64,
        _ => -1,
    }
}

/// A column that should hold text or bytes; a row that was damaged may hold anything.
pub(super) fn bytes<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    })
}

/// A column that should hold an integer; -1, which no column holds, where it does not.
pub(super) fn integer(row: &Row<'_>, column: usize) -> rusqlite::Result<i64> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number,
        _ => -1,
    })
}
