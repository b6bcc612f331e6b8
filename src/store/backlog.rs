//! How much is waiting per source: accepted events that are not routed, and deliveries that have not ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::delivery::Position;

/// Counts per source. Remembers whose the events are that are not routed, as runs of neighbours with one source.
#[derive(Default)]
pub(super) struct Backlog {
    counts: BTreeMap<Arc<str>, u64>,
    /// The part of them that is not routed.
    unrouted: BTreeMap<Arc<str>, u64>,
    runs: VecDeque<Run>,
    old: Old,
}

/// Events that an earlier process accepted: how many of each source, but not which.
#[derive(Default)]
struct Old {
    until: u64,
    counts: BTreeMap<Arc<str>, u64>,
}

/// Something that was written, as far as the backlog is concerned.
pub(super) enum Change {
    /// An event of this source was accepted here. Positions ascend.
    Accepted(Position, Arc<str>),
    /// Every event up to here is routed.
    Routed(Position),
    /// So many events of this source, accepted by an earlier process, are routed.
    RoutedOld(Arc<str>, u64),
    /// The event here was put aside.
    Lost(Position),
    /// A delivery of this source is to be attempted.
    Opened(Arc<str>),
    /// A delivery of this source ended.
    Closed(Arc<str>),
}

/// Neighbouring events of one source.
struct Run {
    first: u64,
    last: u64,
    source: Arc<str>,
}

impl Backlog {
    /// Per source.
    pub(super) fn counts(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.counts
    }

    /// Takes note of what was written.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Accepted(position, source) => self.accepted(position.0, source),
            Change::Routed(position) => self.routed(position.0),
            Change::RoutedOld(source, count) => self.routed_old(&source, count),
            Change::Lost(position) => self.lost(position.0),
            Change::Opened(source) => self.add(&source, 1),
            Change::Closed(source) => self.subtract(&source, 1),
        }
    }

    /// Per source, without the deliveries.
    pub(super) fn unrouted(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.unrouted
    }

    /// Counts deliveries that have not ended, many at once.
    pub(super) fn add(&mut self, source: &str, count: u64) {
        more(&mut self.counts, source, count);
    }

    /// Counts events up to a position of which only the number is known.
    pub(super) fn add_old(&mut self, until: Position, source: &str, count: u64) {
        self.old.until = until.0;
        more(&mut self.old.counts, source, count);
        self.add_unrouted(source, count);
    }

    fn add_unrouted(&mut self, source: &str, count: u64) {
        more(&mut self.counts, source, count);
        more(&mut self.unrouted, source, count);
    }

    fn subtract(&mut self, source: &str, count: u64) {
        less(&mut self.counts, source, count);
    }

    fn subtract_unrouted(&mut self, source: &str, count: u64) {
        less(&mut self.counts, source, count);
        less(&mut self.unrouted, source, count);
    }

    fn accepted(&mut self, position: u64, source: Arc<str>) {
        self.add_unrouted(&source, 1);
        match self.runs.back_mut() {
            Some(run) if run.last + 1 == position && run.source == source => run.last = position,
            _ => self.runs.push_back(Run { first: position, last: position, source }),
        }
    }

    fn routed(&mut self, position: u64) {
        if position >= self.old.until {
            for (source, left) in std::mem::take(&mut self.old.counts) {
                self.subtract_unrouted(&source, left);
            }
        }
        while let Some(mut run) = self.runs.pop_front() {
            if run.first > position {
                return self.runs.push_front(run);
            }
            let last = run.last.min(position);
            self.subtract_unrouted(&run.source, last - run.first + 1);
            if last < run.last {
                run.first = last + 1;
                return self.runs.push_front(run);
            }
        }
    }

    fn routed_old(&mut self, source: &str, count: u64) {
        let known = self.old.counts.get(source).copied().unwrap_or_default();
        let count = count.min(known);
        less(&mut self.old.counts, source, count);
        self.subtract_unrouted(source, count);
    }

    fn lost(&mut self, position: u64) {
        let at = self.runs.partition_point(|run| run.last < position);
        let Some(run) = self.runs.get_mut(at).filter(|run| run.first <= position) else { return };
        let source = run.source.clone();
        let after = Run { first: position + 1, last: run.last, source: source.clone() };
        run.last = position.saturating_sub(1);
        if after.first <= after.last {
            self.runs.insert(at + 1, after);
        }
        if self.runs[at].first >= position {
            self.runs.remove(at);
        }
        self.subtract_unrouted(&source, 1);
    }
}

fn more(counts: &mut BTreeMap<Arc<str>, u64>, source: &str, count: u64) {
    match counts.get_mut(source) {
        Some(present) => *present += count,
        None => drop(counts.insert(source.into(), count)),
    }
}

fn less(counts: &mut BTreeMap<Arc<str>, u64>, source: &str, count: u64) {
    if let Some(present) = counts.get_mut(source) {
        *present = present.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five events of a, a, b, a, a; then the changes; then the counts of a and b.
    #[track_caller]
    fn check(changes: Vec<Change>, expected: (u64, u64)) {
        let mut backlog = Backlog::default();
        for (position, source) in [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "a")] {
            backlog.apply(Change::Accepted(Position(position), source.into()));
        }
        changes.into_iter().for_each(|change| backlog.apply(change));
        let count = |source: &str| backlog.counts().get(source).copied().unwrap_or_default();
        assert_eq!((count("a"), count("b")), expected);
    }

    fn routed(position: u64) -> Change {
        Change::Routed(Position(position))
    }

    fn lost(position: u64) -> Change {
        Change::Lost(Position(position))
    }

    #[test]
    fn routing_takes_away_what_lies_up_to_there() {
        check(vec![], (4, 1));
        check(vec![routed(1)], (3, 1));
        check(vec![routed(1), routed(1)], (3, 1));
        check(vec![routed(3)], (2, 0));
        check(vec![routed(9)], (0, 0));
    }

    #[test]
    fn a_lost_event_is_taken_away_once() {
        check(vec![lost(1), lost(1), routed(2)], (2, 1));
        check(vec![lost(2), routed(2)], (2, 1));
        check(vec![lost(3), routed(3)], (2, 0));
        check(vec![lost(4), routed(4)], (1, 0));
        check(vec![lost(5), routed(5)], (0, 0));
        check(vec![routed(5), lost(5), lost(9)], (0, 0));
    }

    #[test]
    fn events_of_an_earlier_process_go_by_number_and_leave_nothing_behind() {
        let mut backlog = Backlog::default();
        backlog.add_old(Position(9), "a", 4);
        backlog.add_old(Position(9), "b", 2);
        backlog.apply(Change::Accepted(Position(10), "a".into()));
        let counts = |backlog: &Backlog| [backlog.counts()["a"], backlog.counts()["b"], backlog.unrouted()["a"]];
        assert_eq!(counts(&backlog), [5, 2, 5]);
        backlog.apply(Change::RoutedOld("a".into(), 3));
        backlog.apply(routed(5));
        assert_eq!(counts(&backlog), [2, 2, 2]);
        backlog.apply(routed(9));
        assert_eq!(counts(&backlog), [1, 0, 1], "one was lost, and nobody knows of which source");
        backlog.apply(routed(10));
        assert_eq!(counts(&backlog), [0, 0, 0]);
    }

    #[test]
    fn deliveries_come_and_go() {
        check(vec![routed(5), Change::Opened("a".into()), Change::Opened("a".into())], (2, 0));
        check(
            vec![routed(5), Change::Opened("a".into()), Change::Closed("a".into()), Change::Closed("c".into())],
            (0, 0),
        );
    }
}
