//! What an earlier process left: read once, when the file is opened.

use rusqlite::{Connection, params};

use super::absent::{self, Absent, Why};
use super::dedupe::{self, Key, Window};
use super::record::{Owner, bytes, checksum, integer, seal};
use super::shared::{Marks, Unrouted};
use super::{marks, quarantine};
use crate::delivery::Position;
use crate::event::Person;
use crate::instant::Timestamp;
use crate::store::backlog::{Backlog, Change};
use crate::store::{Opening, Settings, ago};

/// What the store knows in memory.
pub(super) struct Start {
    pub(super) marks: Marks,
    pub(super) backlog: Backlog,
    pub(super) absent: Absent,
    pub(super) window: Window,
    pub(super) key: Key,
    pub(super) suppressed: Person,
}

impl Start {
    /// Reads it. `noted` is the greatest position that the store is known to have had.
    pub(super) fn read(file: &Connection, opening: &Opening<'_>, noted: i64) -> rusqlite::Result<Start> {
        let (settings, now) = (opening.settings, opening.now);
        let key = key(file)?;
        let window = window(file, settings, now)?;
        let mut marks = where_it_stands(file, noted)?;
        let backlog = backlog(file, &mut marks)?;
        let absent = Absent::read(file)?;
        let suppressed = sound_mark(file, marks::SUPPRESSED)?;
        let suppressed = suppressed.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Start { marks, backlog, absent, window, key, suppressed })
    }
}

fn where_it_stands(file: &Connection, noted: i64) -> rusqlite::Result<Marks> {
    let number = |sql: &str| file.query_row(sql, (), |row| row.get::<_, i64>(0));
    let last_event = number("SELECT ifnull(max(position), 0) FROM events")?;
    // Deliveries are written together with the mark, so it stands at least where they are.
    let last_routed = number("SELECT ifnull(max(id) >> 16, 0) FROM deliveries")?;
    let routed = position(file, marks::ROUTED)?.unwrap_or(0).max(last_routed);
    let last = position(file, marks::LAST)?.unwrap_or(0).max(last_event).max(routed);
    let floor = floor(file, last)?;
    if noted > last {
        end_is_lost(file, last, noted)?;
    }
    let last = last.max(noted);
    Ok(Marks {
        last,
        routed,
        trimmed: 0,
        strange: 0,
        floor,
        counted: 0,
        noted: 0,
        dead_letters: number("SELECT count(*) FROM deliveries WHERE status = 'dead_letter'")? as u64,
        quarantined: number("SELECT count(*) FROM quarantine")? as u64,
        lost: absent::lost(file)?,
    })
}

/// Positions that were given are not given again, and whoever trusts in them is told.
fn end_is_lost(file: &Connection, last: i64, noted: i64) -> rusqlite::Result<()> {
    let first = last + 1;
    tracing::error!(
        events.first = first,
        events.last = noted,
        "{} events, {first} to {noted}, were accepted and are not in the store: its end was cut off, or an older file was \
         put in its place",
        noted - last
    );
    absent::write(file, (first, noted), Why::Lost)?;
    marks::write_position(file, marks::LAST, noted)
}

/// A file that does not say how far trimming has been has no holes that could be told from those.
fn floor(file: &Connection, last: i64) -> rusqlite::Result<i64> {
    if let Some(floor) = position(file, marks::FLOOR)? {
        return Ok(floor);
    }
    marks::write_position(file, marks::FLOOR, last)?;
    Ok(last)
}

fn position(file: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let value = sound_mark(file, name)?;
    Ok(value.and_then(|value| Some(i64::from_le_bytes(value.try_into().ok()?))))
}

/// A mark's value, unless it is missing or damaged; a damaged one is put aside.
fn sound_mark(file: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    match marks::read(file, name)? {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(damaged)) => {
            tracing::error!("The mark `{name}` does not match its checksum and was put aside");
            quarantine::keep(file, "mark", 0, name.as_bytes(), &damaged)?;
            file.execute("DELETE FROM marks WHERE name = ?1", [name])?;
            Ok(None)
        }
    }
}

/// The key of the hashes. Without the old one the old hashes say nothing any more.
fn key(file: &Connection) -> rusqlite::Result<Key> {
    if let Some(key) = sound_mark(file, marks::KEY)?.and_then(|bytes| Key::from_bytes(&bytes)) {
        return Ok(key);
    }
    let key = Key::random();
    file.execute("DELETE FROM message_ids", ())?;
    marks::write(file, marks::KEY, key.bytes())?;
    Ok(key)
}

fn window(file: &Connection, settings: &Settings, now: Timestamp) -> rusqlite::Result<Window> {
    let mut window = Window::new(settings.dedupe_hours);
    let first = window.floor(dedupe::hour(ago(now, settings.dedupe_hours)));
    let mut damaged = Vec::new();
    let mut select = file.prepare("SELECT id, hashes, checksum FROM message_ids WHERE id >= ?1 ORDER BY id")?;
    let mut rows = select.query([first << 32])?;
    while let Some(row) = rows.next()? {
        let (id, hashes) = (integer(row, 0)?, bytes(row, 1)?);
        match i64::from(seal(checksum(&[hashes]), id)) == integer(row, 2)? {
            true => window.load(id >> 32, hashes),
            false => damaged.push((id, hashes.to_vec())),
        }
    }
    for (id, hashes) in damaged {
        tracing::error!("Row {id} of the message ids does not match its checksum and was put aside");
        quarantine::keep(file, "message_ids", id, &[], &hashes)?;
        file.execute("DELETE FROM message_ids WHERE id = ?1", params![id])?;
    }
    Ok(window)
}

/// Events that were there when their number was last written are not read again.
fn backlog(file: &Connection, marks: &mut Marks) -> rusqlite::Result<Backlog> {
    let mut backlog = Backlog::default();
    let mut from = marks.routed;
    if let Some(unrouted) = unrouted(file)?.filter(|unrouted| unrouted.last > marks.routed) {
        (from, marks.counted, marks.noted) = (unrouted.last, unrouted.last, unrouted.last);
        for (source, count) in &unrouted.counts {
            backlog.add_old(Position(unrouted.last as u64), source, *count);
        }
        // The number was written at the beginning of the commit that routed these.
        let since = "SELECT position, envelope FROM events WHERE position > ?1 AND position <= ?2";
        by_source(file, since, [unrouted.routed, marks.routed], |_, source| {
            backlog.apply(Change::RoutedOld(source.into(), 1));
        })?;
    }
    let since = "SELECT position, envelope FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position";
    by_source(file, since, [from, i64::MAX], |position, source| {
        let source = match backlog.counts().get_key_value(source) {
            Some((source, _)) => source.clone(),
            None => source.into(),
        };
        backlog.apply(Change::Accepted(position, source));
    })?;
    for (source, count) in open_by_source(file)? {
        backlog.add(&source, count);
    }
    Ok(backlog)
}

fn unrouted(file: &Connection) -> rusqlite::Result<Option<Unrouted>> {
    let text = sound_mark(file, marks::UNROUTED)?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
}

/// Tells whose each event is. A damaged one is left out; whoever reads it puts it aside.
fn by_source(
    file: &Connection,
    select: &str,
    range: [i64; 2],
    mut tell: impl FnMut(Position, &str),
) -> rusqlite::Result<()> {
    let mut select = file.prepare(select)?;
    let mut rows = select.query(range)?;
    while let Some(row) = rows.next()? {
        if let Ok(owner) = serde_json::from_slice::<Owner<'_>>(bytes(row, 1)?) {
            tell(Position(integer(row, 0)? as u64), owner.source);
        }
    }
    Ok(())
}

fn open_by_source(file: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    let mut select = file.prepare("SELECT source FROM open_deliveries")?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let source = bytes(row, 0)?;
        match counts.iter_mut().find(|(name, _)| name.as_bytes() == source) {
            Some((_, count)) => *count += 1,
            None => counts.push((String::from_utf8_lossy(source).into_owned(), 1)),
        }
    }
    Ok(counts)
}
