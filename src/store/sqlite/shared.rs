//! What the writer tells everybody: what is in the store, whether it failed, whether it is closed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

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
    pub(super) dead_letters: u64,
    pub(super) quarantined: u64,
}

/// See the file's first line.
pub(super) struct Shared {
    board: Mutex<Board>,
    failure: watch::Sender<Option<String>>,
    last: watch::Sender<Position>,
    closed: AtomicBool,
    waiting: AtomicU64,
}

struct Board {
    marks: Marks,
    backlog: Backlog,
    bytes: u64,
}

impl Shared {
    pub(super) fn new(marks: Marks, backlog: Backlog) -> Shared {
        Shared {
            last: watch::Sender::new(Position(marks.last as u64)),
            board: Mutex::new(Board { marks, backlog, bytes: 0 }),
            failure: watch::Sender::new(None),
            closed: AtomicBool::new(false),
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
    pub(super) fn publish(&self, marks: Marks, changes: Vec<Change>) {
        let mut board = self.board();
        board.marks = marks;
        changes.into_iter().for_each(|change| board.backlog.apply(change));
        drop(board);
        let last = Position(marks.last as u64);
        self.last.send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    /// Follows the greatest position that was used.
    pub(super) fn last(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
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
