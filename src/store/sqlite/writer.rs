//! The one thread that writes: it takes all calls that wait, writes them in one transaction, and answers them.
//!
//! # Why
//! A sync of the disk costs as much for one event as for a thousand. While one group is being synced the next one
//! gathers by itself: a lone caller waits for one sync, many share one. Only what events became waits a moment for more to
//! come, for nobody outside waits for it: written by itself, it would make the next caller wait for two syncs. How a delivery
//! ended does not wait, since the person's next event waits for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;

use super::dedupe::Window;
use super::file;
use super::group::{Group, Work};
use super::lock::Lock;
use super::note::Notes;
use super::room::Room;
use super::shared::{self, Shared};
use crate::metrics::Metrics;
use crate::store::{Error, Result};

/// Calls in one group.
const CALLS_MAX: usize = 1024;
/// Rows after which a group takes no further call.
const ROWS_MAX: usize = 8192;
/// Pages in the write-ahead log from which on they are brought home: 8 MiB, which holds up callers for a few hundredths of
/// a second, and needs no more room than the ballast gives back when the disk is full.
const CHECKPOINT_PAGES: i64 = 1000;
/// After a checkpoint that readers cut short, try again when the log has grown by this many pages.
const CHECKPOINT_STEP: i64 = 500;
/// Pages in the log from which on a checkpoint waits for the readers: 256 MiB.
const CHECKPOINT_FORCE: i64 = 32_768;
/// The same while the disk is full, when the log had better not grow.
const CHECKPOINT_PAGES_FULL: i64 = 64;
/// How long those that are patient wait for others.
const PATIENCE: Duration = Duration::from_millis(2);
/// How often the size on disk is looked up.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// What the writer hears.
pub(super) enum Message {
    /// Write this.
    Write(Box<dyn Call>),
    /// Finish, let go, and say so.
    Close(oneshot::Sender<()>),
}

/// A piece of work with somebody who waits for it.
pub(super) trait Call: Send {
    fn weight(&self) -> usize;
    /// Whether it may not be written while the disk is full.
    fn adds(&self) -> bool;
    /// Whether it waits a moment for others.
    fn is_patient(&self) -> bool;
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()>;
    /// Tells the caller: what it came to, or why it was not written.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Waiting<W: Work> {
    work: W,
    answer: Option<W::Answer>,
    caller: oneshot::Sender<Result<W::Answer>>,
}

/// A call, and where its answer will come.
pub(super) fn call<W: Work>(work: W) -> (Message, oneshot::Receiver<Result<W::Answer>>) {
    let (caller, answer) = oneshot::channel();
    (Message::Write(Box::new(Waiting { work, answer: None, caller })), answer)
}

impl<W: Work> Call for Waiting<W> {
    fn weight(&self) -> usize {
        self.work.weight()
    }

    fn adds(&self) -> bool {
        W::ADDS
    }

    fn is_patient(&self) -> bool {
        W::IS_PATIENT
    }

    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        self.answer = Some(self.work.run(group)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Waiting { answer, caller, .. } = *self;
        // A caller who has left does not need it.
        let _ = caller.send(outcome.map(|()| answer.expect("only what has run is answered with success")));
    }
}

/// The thread's belongings.
pub(super) struct Writer {
    pub(super) file: Connection,
    pub(super) path: PathBuf,
    pub(super) window: Window,
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: Metrics,
    pub(super) room: Room,
    pub(super) notes: Notes,
    /// Whether the last group could not be written: said once, not for every call while a disk is full.
    pub(super) is_refusing: bool,
    /// Let go last, when the file is closed.
    pub(super) lock: Lock,
}

impl Writer {
    /// Starts the thread and answers how to reach it.
    pub(super) fn start(mut self) -> std::io::Result<Sender<Message>> {
        let (sender, calls) = channel();
        self.measure();
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let _watch = Watch(self.shared.clone());
            self.work(&calls);
        })?;
        Ok(sender)
    }

    /// Works until it is told to close, nobody can call any more, or storage has failed.
    fn work(mut self, calls: &Receiver<Message>) {
        let mut checkpoint = Checkpoint::default();
        let mut measured_at = Instant::now();
        while let Some(first) = self.hear(calls) {
            let (group, closing) = match first {
                Ok(first) => gather(first, calls),
                Err(Nobody) => (Vec::new(), None),
            };
            self.room.look();
            self.write(group);
            self.window.pack();
            if !self.shared.has_failed() {
                checkpoint.run(&self.file, &self.shared);
            }
            if self.shared.has_failed() {
                return;
            }
            if measured_at.elapsed() >= MEASURE_EVERY {
                self.measure();
                measured_at = Instant::now();
            }
            if let Some(closed) = closing {
                self.finish();
                let _ = closed.send(());
                return;
            }
        }
        self.finish();
    }

    /// Waits for a call. `None`: nobody can call any more.
    fn hear(&self, calls: &Receiver<Message>) -> Option<std::result::Result<Message, Nobody>> {
        let Some(patience) = self.room.patience() else { return calls.recv().ok().map(Ok) };
        match calls.recv_timeout(patience) {
            Ok(message) => Some(Ok(message)),
            Err(RecvTimeoutError::Timeout) => Some(Err(Nobody)),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Writes calls together. One that fails by its own fault is found by writing each alone.
    fn write(&mut self, mut calls: Vec<Box<dyn Call>>) {
        if self.shared.is_full() {
            let (adding, others) = calls.into_iter().partition(|call| call.adds());
            answer_all(adding, &shared::full());
            calls = others;
        }
        if calls.is_empty() {
            return;
        }
        if self.shared.has_failed() {
            return calls.into_iter().for_each(|call| call.answer(Err(self.shared.gone())));
        }
        match self.commit(&mut calls) {
            Ok(()) => self.confirm(calls),
            Err(error) if calls.len() > 1 && file::is_own_fault(&error) => {
                calls.into_iter().for_each(|call| self.write(vec![call]));
            }
            // With what was kept back those are written that add nothing.
            Err(error) if file::is_full(&error) && self.room.run_out() => self.write(calls),
            Err(error) => self.refuse(calls, file::explain(error)),
        }
    }

    fn commit(&mut self, calls: &mut [Box<dyn Call>]) -> rusqlite::Result<()> {
        let begun = Instant::now();
        let mut group = Group::begin(&self.file, self.shared.marks(), &mut self.window)?;
        calls.iter_mut().try_for_each(|call| call.run(&mut group))?;
        let committed = group.commit(|| self.shared.unrouted())?;
        self.metrics.store_commit_duration_seconds.observe(begun.elapsed().as_secs_f64());
        self.shared.publish(committed);
        Ok(())
    }

    fn confirm(&mut self, calls: Vec<Box<dyn Call>>) {
        if std::mem::take(&mut self.is_refusing) {
            tracing::info!("The store can be written again");
        }
        calls.into_iter().for_each(|call| call.answer(Ok(())));
    }

    fn refuse(&mut self, calls: Vec<Box<dyn Call>>, error: Error) {
        match &error {
            Error::Failed(why) => self.shared.fail(why),
            _ if self.is_refusing => {}
            _ => tracing::warn!(%error, "The store cannot be written now; callers are told to come again"),
        }
        self.is_refusing = true;
        answer_all(calls, &error);
    }

    fn measure(&mut self) {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |facts| facts.len());
        let log = file::log_path(&self.path);
        self.shared.publish_bytes(length(&self.path) + length(&log));
        // When this cannot be told now, it can a second later.
        if let Ok(pages) = checkpoint_now(&self.file, "NOOP") {
            self.notes.write(self.shared.marks().last, &log, u64::try_from(pages).unwrap_or_default());
        }
    }

    /// Leaves one file behind, without a log beside it.
    fn finish(self) {
        let Writer { file, lock, mut notes, path, shared, .. } = self;
        // Said before it is so: a log that goes while this process is killed is not missed.
        notes.write(shared.marks().last, &file::log_path(&path), 0);
        let brought_home = checkpoint_now(&file, "TRUNCATE")
            .and_then(|_| file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false));
        if let Err(error) = brought_home {
            tracing::warn!(%error, "The write-ahead log stays until the next start");
        }
        drop(file);
        drop(lock);
    }
}

/// Nobody has called within the time.
struct Nobody;

fn answer_all(calls: Vec<Box<dyn Call>>, error: &Error) {
    calls.into_iter().for_each(|call| call.answer(Err(error.clone())));
}

/// All calls that wait now, or come while all of them are patient, up to a bound; and whether the last of them was to close.
fn gather(first: Message, calls: &Receiver<Message>) -> (Vec<Box<dyn Call>>, Option<oneshot::Sender<()>>) {
    let mut group: Vec<Box<dyn Call>> = Vec::new();
    let (mut rows, mut are_patient) = (0, true);
    let until = Instant::now() + PATIENCE;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Close(closed) => return (group, Some(closed)),
            Message::Write(call) => {
                rows += call.weight();
                are_patient &= call.is_patient();
                group.push(call);
            }
        }
        if group.len() >= CALLS_MAX || rows >= ROWS_MAX {
            break;
        }
        let patience = if are_patient { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        next = match calls.try_recv() {
            Err(_) if !patience.is_zero() => calls.recv_timeout(patience).ok(),
            waiting => waiting.ok(),
        };
    }
    (group, None)
}

/// When the log is brought home into the file.
#[derive(Default)]
struct Checkpoint {
    /// Pages in the log after the last checkpoint.
    last: i64,
    /// Whether the last one could not be made: said once.
    is_stuck: bool,
}

impl Checkpoint {
    /// Done between groups, when the callers have their answers.
    fn run(&mut self, file: &Connection, shared: &Shared) {
        match self.attempt(file, shared.is_full()).map_err(file::explain) {
            Ok(()) => self.is_stuck = false,
            Err(Error::Failed(why)) => shared.fail(&why),
            Err(error) if !std::mem::replace(&mut self.is_stuck, true) => {
                tracing::warn!(%error, "The write-ahead log could not be brought home yet");
            }
            Err(_) => {}
        }
    }

    fn attempt(&mut self, file: &Connection, is_full: bool) -> rusqlite::Result<()> {
        let pages = checkpoint_now(file, "NOOP")?;
        if pages < self.last {
            self.last = 0;
        }
        let (least, step) = if is_full { (CHECKPOINT_PAGES_FULL, 0) } else { (CHECKPOINT_PAGES, CHECKPOINT_STEP) };
        if pages < least || pages < self.last + step {
            return Ok(());
        }
        self.last = pages;
        checkpoint_now(file, if pages < CHECKPOINT_FORCE { "PASSIVE" } else { "RESTART" })?;
        Ok(())
    }
}

/// Runs a checkpoint and answers how many pages are in the log.
fn checkpoint_now(file: &Connection, mode: &str) -> rusqlite::Result<i64> {
    file.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?.query_row((), |row| row.get(1))
}

/// Says so when the thread dies of a panic: nobody would answer any more.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the writer ended by a bug");
        }
    }
}
