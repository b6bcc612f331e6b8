//! What the writer tells everybody: what is in the store, whether it failed, whether it is closed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::absent::{Absent, Range};
use super::recent::{Placed, Recent};
use crate::delivery::Position;
use crate::store::backlog::{Backlog, Change};
use crate::store::{Error, Result, Stats};

/// Events that wait for the disk may take this many bytes, and a call counts as [`CALL`] more.
const WAITING_MAX: u64 = 64 << 20;
const CALL: u64 = 16 << 10;

/// Where the store stands. Changes only with a commit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// The greatest position ever used.
    pub(super) last: i64,
    /// Events up to here are routed.
    pub(super) routed: i64,
    /// Up to here trimming found nothing more to remove. Not kept: after a start it looks again.
    pub(super) trimmed: i64,
    /// Between there and here all events are from the future. Not kept either.
    pub(super) strange: i64,
    /// Up to here events may be missing, because trimming has been there.
    pub(super) floor: i64,
    /// Up to here only the number of events of each source is known, not whose each is.
    pub(super) counted: i64,
    /// The greatest position when the number of unrouted events was last written.
    pub(super) noted: i64,
    pub(super) dead_letters: u64,
    pub(super) quarantined: u64,
    /// Events that are missing and nobody knows why.
    pub(super) lost: u64,
}

/// See the file's first line.
pub(super) struct Shared {
    board: Mutex<Board>,
    failure: watch::Sender<Option<String>>,
    last: watch::Sender<Position>,
    closed: AtomicBool,
    full: AtomicBool,
    waiting: AtomicU64,
}

struct Board {
    marks: Marks,
    backlog: Backlog,
    absent: Absent,
    recent: Recent,
    bytes: u64,
}

/// What a commit changed.
pub(super) struct Committed {
    pub(super) marks: Marks,
    /// Whether events were taken out or put aside.
    pub(super) are_events_gone: bool,
    pub(super) accepted: Vec<Placed>,
    pub(super) changes: Vec<Change>,
    pub(super) absent: Vec<Range>,
}

impl Shared {
    pub(super) fn new(marks: Marks, backlog: Backlog, absent: Absent) -> Shared {
        Shared {
            last: watch::Sender::new(Position(marks.last as u64)),
            board: Mutex::new(Board { marks, backlog, absent, recent: Recent::default(), bytes: 0 }),
            failure: watch::Sender::new(None),
            closed: AtomicBool::new(false),
            full: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nothing panics while it holds the board")
    }

    pub(super) fn marks(&self) -> Marks {
        self.board().marks
    }

    /// Takes note of a commit.
    pub(super) fn publish(&self, committed: Committed) {
        let Committed { marks, are_events_gone, accepted, changes, absent } = committed;
        let mut board = self.board();
        if are_events_gone {
            board.recent.clear();
        }
        accepted.into_iter().for_each(|placed| board.recent.add(placed));
        board.recent.routed(Position(marks.routed as u64));
        if board.marks.floor != marks.floor {
            board.absent.forget(marks.floor);
        }
        board.marks = marks;
        changes.into_iter().for_each(|change| board.backlog.apply(change));
        absent.into_iter().for_each(|range| board.absent.add(range));
        drop(board);
        let last = Position(marks.last as u64);
        self.last.send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    /// Events after `after` that were accepted a moment ago, at most `max`. `None`: the disk has to be asked.
    pub(super) fn recent(&self, after: Position, max: usize) -> Option<Vec<Placed>> {
        self.board().recent.after(after, max)
    }

    /// Follows the greatest position that was used.
    pub(super) fn last(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
    }

    /// How many events are not routed, by source, and where the store stands.
    pub(super) fn unrouted(&self) -> Unrouted {
        let board = self.board();
        let Marks { last, routed, .. } = board.marks;
        Unrouted { last, routed, counts: board.backlog.unrouted().clone() }
    }

    /// What of these holes is not accounted for.
    pub(super) fn unexplained(&self, holes: &[Range]) -> Vec<Range> {
        let board = self.board();
        board.absent.unexplained(holes, board.marks.floor)
    }

    pub(super) fn publish_bytes(&self, bytes: u64) {
        self.board().bytes = bytes;
    }

    pub(super) fn stats(&self) -> Stats {
        let board = self.board();
        Stats {
            backlog: board.backlog.counts().clone(),
            last: Position(board.marks.last as u64),
            routed: Position(board.marks.routed as u64),
            dead_letters: board.marks.dead_letters,
            quarantined: board.marks.quarantined,
            lost: board.marks.lost,
            bytes: board.bytes,
        }
    }

    /// Whether calls can be taken at all.
    pub(super) fn check(&self) -> Result<()> {
        match self.closed.load(Ordering::Acquire) || self.failure.borrow().is_some() {
            true => Err(self.gone()),
            false => Ok(()),
        }
    }

    /// Whether the disk is full, so that nothing is accepted.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.full.store(is_full, Ordering::Release);
    }

    /// Refuses to accept anything while the disk is full.
    pub(super) fn check_room(&self) -> Result<()> {
        match self.is_full() {
            true => Err(full()),
            false => Ok(()),
        }
    }

    /// Why there is no answer.
    pub(super) fn gone(&self) -> Error {
        match self.failure.borrow().clone() {
            Some(why) => Error::Failed(why),
            None => Error::Unavailable("it is closed".to_owned()),
        }
    }

    /// Storage failed for good. The first reason stays.
    pub(super) fn fail(&self, why: &str) {
        let is_first = self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert_with(|| why.to_owned());
            is_first
        });
        if is_first {
            tracing::error!(error = why, "Storage failed; nothing more is written until the process starts again");
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Waits until storage failed for good.
    pub(super) async fn failure(&self) -> String {
        let mut failure = self.failure.subscribe();
        match failure.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            _ => std::future::pending().await,
        }
    }

    /// True for the first who closes.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    /// A place in the queue for the disk, for that many bytes; refused when too much waits already.
    pub(super) fn queue(self: &Arc<Self>, bytes: u64) -> Result<Place> {
        let size = bytes + CALL;
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        let place = Place { shared: self.clone(), size };
        match before > 0 && before + size > WAITING_MAX {
            true => Err(Error::Unavailable("too much waits for the disk already".to_owned())),
            false => Ok(place),
        }
    }
}

/// The answer while the disk is full.
pub(super) fn full() -> Error {
    Error::Unavailable("the disk is full".to_owned())
}

/// What is written about events that are not routed, so that a start need not read them all.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unrouted {
    /// The greatest position then.
    pub(super) last: i64,
    /// Events up to there were routed then.
    pub(super) routed: i64,
    /// How many of those between were of which source.
    pub(super) counts: BTreeMap<Arc<str>, u64>,
}

/// Given back when it is dropped.
pub(super) struct Place {
    shared: Arc<Shared>,
    size: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(self.size, Ordering::Relaxed);
    }
}
