//! How much is waiting per source: accepted events that are not routed, and deliveries that have not ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::delivery::Position;

/// Counts per source. Remembers whose the events are that are not routed, as runs of neighbours with one source.
#[derive(Default)]
pub(super) struct Backlog {
    counts: BTreeMap<Arc<str>, u64>,
    unrouted: VecDeque<Run>,
}

/// Something that was written, as far as the backlog is concerned.
pub(super) enum Change {
    /// An event of this source was accepted here. Positions ascend.
    Accepted(Position, Arc<str>),
    /// Every event up to here is routed.
    Routed(Position),
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
            Change::Lost(position) => self.lost(position.0),
            Change::Opened(source) => self.add(&source, 1),
            Change::Closed(source) => self.subtract(&source, 1),
        }
    }

    /// Counts deliveries that have not ended, many at once.
    pub(super) fn add(&mut self, source: &str, count: u64) {
        match self.counts.get_mut(source) {
            Some(present) => *present += count,
            None => {
                self.counts.insert(source.into(), count);
            }
        }
    }

    fn subtract(&mut self, source: &str, count: u64) {
        if let Some(present) = self.counts.get_mut(source) {
            *present = present.saturating_sub(count);
        }
    }

    fn accepted(&mut self, position: u64, source: Arc<str>) {
        self.add(&source, 1);
        match self.unrouted.back_mut() {
            Some(run) if run.last + 1 == position && run.source == source => run.last = position,
            _ => self.unrouted.push_back(Run { first: position, last: position, source }),
        }
    }

    fn routed(&mut self, position: u64) {
        while let Some(mut run) = self.unrouted.pop_front() {
            if run.first > position {
                return self.unrouted.push_front(run);
            }
            let last = run.last.min(position);
            self.subtract(&run.source, last - run.first + 1);
            if last < run.last {
                run.first = last + 1;
                return self.unrouted.push_front(run);
            }
        }
    }

    fn lost(&mut self, position: u64) {
        let at = self.unrouted.partition_point(|run| run.last < position);
        let Some(run) = self.unrouted.get_mut(at).filter(|run| run.first <= position) else { return };
        let source = run.source.clone();
        let after = Run { first: position + 1, last: run.last, source: source.clone() };
        run.last = position.saturating_sub(1);
        if after.first <= after.last {
            self.unrouted.insert(at + 1, after);
        }
        if self.unrouted[at].first >= position {
            self.unrouted.remove(at);
        }
        self.subtract(&source, 1);
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
    fn deliveries_come_and_go() {
        check(vec![routed(5), Change::Opened("a".into()), Change::Opened("a".into())], (2, 0));
        check(
            vec![routed(5), Change::Opened("a".into()), Change::Closed("a".into()), Change::Closed("c".into())],
            (0, 0),
        );
    }
}
