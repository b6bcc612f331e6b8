//! What an earlier process left: read once, when the file is opened.

use rusqlite::{Connection, params};
use serde::Deserialize;

use super::dedupe::{self, Key, Window};
use super::record::{bytes, checksum, integer, seal};
use super::shared::Marks;
use super::{marks, quarantine};
use crate::delivery::Position;
use crate::event::Person;
use crate::instant::Timestamp;
use crate::store::backlog::{Backlog, Change};
use crate::store::{Settings, ago};

/// What the store knows in memory.
pub(super) struct Start {
    pub(super) marks: Marks,
    pub(super) backlog: Backlog,
    pub(super) window: Window,
    pub(super) key: Key,
    pub(super) suppressed: Person,
}

impl Start {
    pub(super) fn read(file: &Connection, settings: &Settings, now: Timestamp) -> rusqlite::Result<Start> {
        let key = key(file)?;
        let window = window(file, settings, now)?;
        let marks = where_it_stands(file)?;
        let backlog = backlog(file, marks.routed)?;
        let suppressed = sound_mark(file, marks::SUPPRESSED)?;
        let suppressed = suppressed.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Start { marks, backlog, window, key, suppressed })
    }
}

fn where_it_stands(file: &Connection) -> rusqlite::Result<Marks> {
    let number = |sql: &str| file.query_row(sql, (), |row| row.get::<_, i64>(0));
    let last_event = number("SELECT ifnull(max(position), 0) FROM events")?;
    // Deliveries are written together with the mark, so it stands at least where they are.
    let last_routed = number("SELECT ifnull(max(id) >> 16, 0) FROM deliveries")?;
    let routed = position(file, marks::ROUTED)?.unwrap_or(0).max(last_routed);
    Ok(Marks {
        last: position(file, marks::LAST)?.unwrap_or(0).max(last_event).max(routed),
        routed,
        trimmed: 0,
        dead_letters: number("SELECT count(*) FROM deliveries WHERE status = 'dead_letter'")? as u64,
        quarantined: number("SELECT count(*) FROM quarantine")? as u64,
    })
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

/// Whose an event is: the only part of the envelope that is needed here.
#[derive(Deserialize)]
struct Owner<'a> {
    source: &'a str,
}

fn backlog(file: &Connection, routed: i64) -> rusqlite::Result<Backlog> {
    let mut backlog = Backlog::default();
    let mut select = file.prepare("SELECT position, envelope FROM events WHERE position > ?1 ORDER BY position")?;
    let mut rows = select.query([routed])?;
    while let Some(row) = rows.next()? {
        // A damaged one is not counted; whoever reads it puts it aside.
        if let Ok(owner) = serde_json::from_slice::<Owner<'_>>(bytes(row, 1)?) {
            let source = match backlog.counts().get_key_value(owner.source) {
                Some((source, _)) => source.clone(),
                None => owner.source.into(),
            };
            backlog.apply(Change::Accepted(Position(integer(row, 0)? as u64), source));
        }
    }
    for (source, count) in open_by_source(file)? {
        backlog.add(&source, count);
    }
    Ok(backlog)
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
