//! Putting retained events into the log again, together with how far the job has come that does it.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::group::{Group, Work};
use super::record::{EventRow, bytes, checksum, integer, seal};
use crate::store::Job;
use crate::store::removal::Removal;

/// Ended jobs are kept as long as this many newer ones were begun since.
const JOBS_MAX: i64 = 1000;

/// Events in the order in which they are to be stored, whatever their message ids; and the job as it is then.
pub(super) struct Feed {
    pub(super) events: Vec<EventRow>,
    pub(super) job: Job,
    /// What was taken out meanwhile is left out.
    pub(super) removal: Arc<Removal>,
}

impl Work for Feed {
    type Answer = ();

    const ADDS: bool = true;

    fn weight(&self) -> usize {
        self.events.len() + 1
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        let mut insert = group.file.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")?;
        for event in self.events.iter().filter(|event| !self.removal.holds_original(&event.event)) {
            let position = group.marks.last + 1;
            insert.execute(params![position, event.envelope, &event.event.body[..], seal(event.checksum, position)])?;
            group.marks.last = position;
            group.accepted(position, &event.event);
        }
        let id = i64::try_from(self.job.id).unwrap_or(i64::MAX);
        let record = &self.job.record;
        let mut upsert = group.file.prepare_cached("INSERT OR REPLACE INTO jobs VALUES (?1, ?2, ?3)")?;
        upsert.execute(params![id, record, seal(checksum(&[record.as_bytes()]), id)])?;
        group.file.prepare_cached("DELETE FROM jobs WHERE id <= ?1")?.execute([id - JOBS_MAX])?;
        Ok(())
    }
}

/// All jobs that are kept, the oldest first. A damaged one is left out, and said so.
pub(super) fn jobs(file: &Connection) -> rusqlite::Result<Vec<Job>> {
    let mut select = file.prepare_cached("SELECT id, record, checksum FROM jobs ORDER BY id")?;
    let mut rows = select.query(())?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, record) = (integer(row, 0)?, bytes(row, 1)?);
        let holds = i64::from(seal(checksum(&[record]), id)) == integer(row, 2)?;
        match std::str::from_utf8(record).ok().filter(|_| holds) {
            Some(record) => jobs.push(Job { id: id as u64, record: record.to_owned() }),
            None => tracing::error!("The record of job {id} does not match its checksum; the job is not gone on with"),
        }
    }
    Ok(jobs)
}
