//! Positions at which no event stands: those that are accounted for, and those that nobody can explain.
//!
//! # Why
//! Positions are given without a gap, so a row that vanished with a damaged page leaves a hole. A hole below the mark
//! `floor` is no news, because trimming has been there; one above it is an event that was acknowledged and is gone,
//! unless somebody took it out.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::group::{Group, Work};
use super::record::integer;
use crate::store::Stored;

/// Why an event is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Removed,
    Quarantined,
    Lost,
}

impl Why {
    pub(super) fn word(self) -> &'static str {
        match self {
            Why::Removed => "removed",
            Why::Quarantined => "quarantined",
            Why::Lost => "lost",
        }
    }
}

/// Positions from one to another, both included.
pub(super) type Range = (i64, i64);

/// What is accounted for, in memory.
#[derive(Debug, Default)]
pub(super) struct Absent(BTreeMap<i64, i64>);

impl Absent {
    pub(super) fn read(file: &Connection) -> rusqlite::Result<Absent> {
        let mut select = file.prepare("SELECT first, last FROM absent")?;
        let ranges = select.query_map((), |row| Ok((integer(row, 0)?, integer(row, 1)?)))?;
        ranges.collect::<rusqlite::Result<_>>().map(Absent)
    }

    pub(super) fn add(&mut self, (first, last): Range) {
        self.0.insert(first, last);
    }

    /// What lies at or below the floor need not be remembered.
    pub(super) fn forget(&mut self, floor: i64) {
        while let Some(entry) = self.0.first_entry().filter(|entry| *entry.get() <= floor) {
            entry.remove();
        }
    }

    /// What of these holes is above the floor and not accounted for.
    pub(super) fn unexplained(&self, holes: &[Range], floor: i64) -> Vec<Range> {
        let clipped = holes.iter().map(|(first, last)| ((*first).max(floor + 1), *last));
        clipped.flat_map(|hole| without(hole, self.within(hole))).collect()
    }

    fn within(&self, (first, last): Range) -> impl Iterator<Item = Range> {
        let before = self.0.range(..first).next_back();
        before.into_iter().chain(self.0.range(first..=last.max(first))).map(|(first, last)| (*first, *last))
    }
}

/// A range without others, which ascend.
fn without((mut first, last): Range, others: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut left = Vec::new();
    for (from, to) in others {
        if from > first && first <= last {
            left.push((first, last.min(from - 1)));
        }
        first = first.max(to + 1);
    }
    if first <= last {
        left.push((first, last));
    }
    left
}

/// The holes between events that were read after a position, and up to `end` where nothing more was found.
pub(super) fn holes(after: i64, found: &[Stored], end: Option<i64>) -> Vec<Range> {
    let mut holes = Vec::new();
    let mut next = after + 1;
    for position in found.iter().map(|stored| stored.position.0 as i64) {
        if position > next {
            holes.push((next, position - 1));
        }
        next = position + 1;
    }
    holes.extend(end.filter(|end| *end >= next).map(|end| (next, end)));
    holes
}

/// Holes that a reader could not explain. Answers how many events are lost that were not known as lost before.
pub(super) struct Missing {
    pub(super) holes: Vec<Range>,
}

impl Work for Missing {
    type Answer = u64;

    fn weight(&self) -> usize {
        self.holes.len()
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<u64> {
        let mut count = 0;
        for (first, last) in &self.holes {
            let hole = ((*first).max(group.marks.floor + 1), (*last).min(group.marks.last));
            for (first, last) in unexplained(group.file, hole)? {
                report(group, first, last)?;
                count += (last - first + 1) as u64;
            }
        }
        Ok(count)
    }
}

fn report(group: &mut Group<'_>, first: i64, last: i64) -> rusqlite::Result<()> {
    tracing::error!(
        events.first = first,
        events.last = last,
        "{} events, {first} to {last}, are not in the store any more and nobody removed them: the file was damaged",
        last - first + 1
    );
    group.absent((first, last), Why::Lost)?;
    group.marks.lost += (last - first + 1) as u64;
    for position in first.max(group.marks.routed + 1)..=last {
        group.lost(position);
    }
    Ok(())
}

/// What the file itself cannot explain of a hole: a reader may have looked before something was written.
fn unexplained(file: &Connection, (first, last): Range) -> rusqlite::Result<Vec<Range>> {
    if first > last {
        return Ok(Vec::new());
    }
    let mut select = file.prepare_cached(
        "SELECT position, position FROM events WHERE position BETWEEN ?1 AND ?2
         UNION ALL SELECT first, last FROM absent
         WHERE first BETWEEN (SELECT ifnull(max(first), 0) FROM absent WHERE first <= ?1) AND ?2
         ORDER BY 1",
    )?;
    let ranges = select.query_map(params![first, last], |row| Ok((integer(row, 0)?, integer(row, 1)?)))?;
    let ranges: Vec<Range> = ranges.collect::<rusqlite::Result<_>>()?;
    Ok(without((first, last), ranges.into_iter()))
}

/// Writes down that no event stands there.
pub(super) fn write(file: &Connection, (first, last): Range, why: Why) -> rusqlite::Result<()> {
    let mut insert = file.prepare_cached("INSERT OR REPLACE INTO absent VALUES (?1, ?2, ?3)")?;
    insert.execute(params![first, last, why.word()])?;
    Ok(())
}

/// Forgets what trimming has passed; what was lost stays, to be told.
pub(super) fn forget(file: &Connection, floor: i64) -> rusqlite::Result<()> {
    file.prepare_cached("DELETE FROM absent WHERE first <= ?1 AND last <= ?1 AND why != 'lost'")?.execute([floor])?;
    Ok(())
}

/// How many events are known as lost.
pub(super) fn lost(file: &Connection) -> rusqlite::Result<u64> {
    let sum = "SELECT ifnull(sum(last - first + 1), 0) FROM absent WHERE why = 'lost'";
    file.query_row(sum, (), |row| row.get::<_, i64>(0)).map(|sum| sum.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(holes: &[Range], floor: i64, expected: &[Range]) {
        let absent = Absent(BTreeMap::from([(5, 5), (6, 8), (12, 20)]));
        assert_eq!(absent.unexplained(holes, floor), expected);
    }

    #[test]
    fn only_what_is_above_the_floor_and_not_accounted_for_is_unexplained() {
        check(&[], 0, &[]);
        check(&[(1, 4)], 0, &[(1, 4)]);
        check(&[(1, 4)], 2, &[(3, 4)]);
        check(&[(1, 4)], 4, &[]);
        check(&[(5, 8)], 0, &[]);
        check(&[(4, 9)], 0, &[(4, 4), (9, 9)]);
        check(&[(7, 13)], 0, &[(9, 11)]);
        check(&[(13, 14), (20, 22)], 0, &[(21, 22)]);
        check(&[(1, 30)], 7, &[(9, 11), (21, 30)]);
    }

    #[test]
    fn what_the_floor_has_passed_is_forgotten() {
        let mut absent = Absent(BTreeMap::from([(5, 5), (6, 8), (12, 20)]));
        absent.forget(8);
        assert_eq!(absent.0, BTreeMap::from([(12, 20)]));
    }
}
