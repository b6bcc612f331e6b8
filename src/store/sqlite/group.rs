//! One transaction, shared by many callers: all of it is written, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::absent::{self, Range, Why};
use super::dedupe::{self, Window};
use super::marks;
use super::recent::Placed;
use super::record::{checksum, seal};
use super::shared::{Committed, Marks, Unrouted};
use crate::delivery::Position;
use crate::event::Event;
use crate::store::backlog::Change;

/// How many events a start reads at most to know whose they are: the number of all is written this often.
const NOTE_EVERY: i64 = 4096;

/// One thing the writer can be asked to write.
pub(super) trait Work: Send + 'static {
    /// What the caller gets once it is on stable storage.
    type Answer: Send + 'static;

    /// Whether it may not be written while the disk is full.
    const ADDS: bool = false;

    /// Whether it waits a moment for others to share a sync with: nobody outside waits for it.
    const IS_PATIENT: bool = false;

    /// How many rows it touches, roughly.
    fn weight(&self) -> usize;

    /// Writes it. May run again after everything was rolled back.
    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<Self::Answer>;
}

/// A transaction that was begun. Dropped without a commit, it is as if it had not been.
pub(super) struct Group<'g> {
    pub(super) file: &'g Connection,
    /// Where the store stands once this is committed.
    pub(super) marks: Marks,
    before: Marks,
    are_events_gone: bool,
    accepted: Vec<Placed>,
    changes: Vec<Change>,
    absent: Vec<Range>,
    window: &'g mut Window,
    /// Hashes that went into the window ahead of their commit, by hour.
    hashes: BTreeMap<i64, Vec<u128>>,
    forget: Option<i64>,
    is_committed: bool,
}

impl<'g> Group<'g> {
    pub(super) fn begin(file: &'g Connection, marks: Marks, window: &'g mut Window) -> rusqlite::Result<Group<'g>> {
        roll_back(file)?;
        file.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        Ok(Group {
            file,
            marks,
            before: marks,
            are_events_gone: false,
            accepted: Vec::new(),
            changes: Vec::new(),
            absent: Vec::new(),
            window,
            hashes: BTreeMap::new(),
            forget: None,
            is_committed: false,
        })
    }

    /// Remembers a message id; false: it was known.
    pub(super) fn remember(&mut self, hour: i64, hash: u128) -> bool {
        let is_new = self.window.insert(hour, hash);
        if is_new {
            self.hashes.entry(hour).or_default().push(hash);
        }
        is_new
    }

    /// Forgets message ids of before that hour.
    pub(super) fn forget(&mut self, hour: i64) -> i64 {
        let floor = self.window.floor(hour);
        self.forget = Some(floor);
        floor
    }

    pub(super) fn accepted(&mut self, position: i64, event: &Arc<Event>) {
        let position = Position(position as u64);
        self.changes.push(Change::Accepted(position, event.envelope.source.clone()));
        self.accepted.push((position, event.clone()));
    }

    pub(super) fn routed(&mut self, position: i64) {
        self.marks.routed = position;
        self.marks.last = self.marks.last.max(position);
        self.changes.push(Change::Routed(Position(position as u64)));
    }

    pub(super) fn routed_old(&mut self, source: Arc<str>) {
        self.changes.push(Change::RoutedOld(source, 1));
    }

    pub(super) fn opened(&mut self, source: Arc<str>) {
        self.changes.push(Change::Opened(source));
    }

    pub(super) fn closed(&mut self, source: Arc<str>) {
        self.changes.push(Change::Closed(source));
    }

    /// An event was put aside.
    pub(super) fn lost(&mut self, position: i64) {
        self.are_events_gone = true;
        self.changes.push(Change::Lost(Position(position as u64)));
    }

    /// No event stands there any more, and that is accounted for.
    pub(super) fn absent(&mut self, range: Range, why: Why) -> rusqlite::Result<()> {
        if range.1 > self.marks.floor {
            absent::write(self.file, range, why)?;
            self.absent.push(range);
        }
        Ok(())
    }

    /// Events were removed, so they no longer tell which position was the last.
    pub(super) fn removed_events(&mut self) {
        self.are_events_gone = true;
    }

    /// Makes it durable. `unrouted` tells how many events were not routed when it began. When this fails nothing of it was
    /// written, or the disk has failed.
    pub(super) fn commit(mut self, unrouted: impl FnOnce() -> Unrouted) -> rusqlite::Result<Committed> {
        self.write_hashes()?;
        let is_routed = self.marks.routed != self.before.routed;
        if is_routed {
            marks::write_position(self.file, marks::ROUTED, self.marks.routed)?;
        }
        if is_routed || self.marks.last >= self.marks.noted + NOTE_EVERY {
            self.marks.noted = self.before.last;
            let text = serde_json::to_vec(&unrouted()).expect("counts are plain data");
            marks::write(self.file, marks::UNROUTED, &text)?;
        }
        if self.marks.floor != self.before.floor {
            marks::write_position(self.file, marks::FLOOR, self.marks.floor)?;
            absent::forget(self.file, self.marks.floor)?;
        }
        if self.are_events_gone {
            marks::write_position(self.file, marks::LAST, self.marks.last)?;
        }
        self.file.prepare_cached("COMMIT")?.execute(())?;
        self.is_committed = true;
        if let Some(hour) = self.forget {
            self.window.forget(hour);
        }
        Ok(Committed {
            marks: self.marks,
            are_events_gone: self.are_events_gone,
            accepted: std::mem::take(&mut self.accepted),
            changes: std::mem::take(&mut self.changes),
            absent: std::mem::take(&mut self.absent),
        })
    }

    fn write_hashes(&self) -> rusqlite::Result<()> {
        for (hour, hashes) in &self.hashes {
            let mut text = Vec::with_capacity(hashes.len() * 16);
            hashes.iter().for_each(|hash| dedupe::append(&mut text, *hash));
            let next = "SELECT ifnull(max(id) + 1, ?1) FROM message_ids WHERE id >= ?1 AND id < ?2";
            let range = params![hour << 32, (hour + 1) << 32];
            let id: i64 = self.file.prepare_cached(next)?.query_row(range, |row| row.get(0))?;
            let mut insert = self.file.prepare_cached("INSERT INTO message_ids VALUES (?1, ?2, ?3)")?;
            insert.execute(params![id, text, seal(checksum(&[&text]), id)])?;
        }
        Ok(())
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        for (hour, hashes) in &self.hashes {
            hashes.iter().for_each(|hash| self.window.remove(*hour, *hash));
        }
        // Should this fail, the next group tries it again before it begins.
        let _ = roll_back(self.file);
    }
}

/// Ends a transaction that is still open; some errors have ended it already.
fn roll_back(file: &Connection) -> rusqlite::Result<()> {
    match file.is_autocommit() {
        true => Ok(()),
        false => file.execute_batch("ROLLBACK"),
    }
}
