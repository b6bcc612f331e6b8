//! The threads that read, each with a connection of its own.
//!
//! # Why
//! The runtime's own pool for what blocks starts a thread whenever none is free at that moment: a dozen for four reads at
//! once, each with memory of its own. And what else waits there, as for a name server that is slow, must not hold up reading.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, oneshot};

use super::file;
use crate::store::{Error, Result};

/// Reads that may run at once.
const THREADS: u32 = 4;

/// A few threads that only read, started when they are first needed.
pub(super) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Reader>>,
}

/// A thread. It closes its connection and ends when nobody can ask it any more.
struct Reader {
    calls: Sender<Call>,
    thread: JoinHandle<()>,
}

type Call = Box<dyn FnOnce(&mut Reading) + Send>;

/// What was read, or the panic of who read it; with the leave to read, which ends with it.
type Answer<T> = (std::result::Result<rusqlite::Result<T>, Box<dyn Any + Send>>, OwnedSemaphorePermit);

/// A thread's belongings.
struct Reading {
    path: PathBuf,
    /// Not there before the first call, nor after one that failed.
    file: Option<Connection>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers { path, permits: Arc::new(Semaphore::new(THREADS as usize)), idle: Mutex::default() }
    }

    /// Runs a query. `None`: the readers are closed.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Option<Result<T>> {
        let permit = self.permits.clone().acquire_owned().await.ok()?;
        let idle = self.idle().pop();
        let reader = match idle.map_or_else(|| Reader::start(&self.path), Ok) {
            Ok(reader) => reader,
            Err(error) => return Some(Err(Error::Unavailable(format!("no thread to read: {error}")))),
        };
        let (caller, answer) = oneshot::channel::<Answer<T>>();
        let call = move |reading: &mut Reading| {
            let answer = catch_unwind(AssertUnwindSafe(|| reading.run(query)));
            // A caller who has left does not need it, nor this thread any more.
            if let Err((_, permit)) = caller.send((answer, permit)) {
                reading.file = None;
                drop(permit);
            }
        };
        reader.calls.send(Box::new(call)).ok()?;
        let (answer, permit) = answer.await.ok()?;
        self.idle().push(reader);
        drop(permit);
        Some(answer.unwrap_or_else(|panic| resume_unwind(panic)).map_err(file::explain))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().expect("nothing panics while it holds the readers")
    }

    /// Waits for the reads that run, refuses further ones, and closes the connections.
    pub(super) async fn close(&self) -> std::result::Result<(), AcquireError> {
        let all = self.permits.acquire_many(THREADS).await?;
        self.permits.close();
        let readers = std::mem::take(&mut *self.idle());
        readers.into_iter().for_each(Reader::end);
        drop(all);
        Ok(())
    }
}

impl Reader {
    fn start(path: &Path) -> std::io::Result<Reader> {
        let (sender, calls): (Sender<Call>, Receiver<Call>) = channel();
        let mut reading = Reading { path: path.to_owned(), file: None };
        let work = move || calls.into_iter().for_each(|call| call(&mut reading));
        let thread = std::thread::Builder::new().name("store-reader".to_owned()).spawn(work)?;
        Ok(Reader { calls: sender, thread })
    }

    fn end(self) {
        drop(self.calls);
        // What it read panicked where it was asked for, and not there.
        let _ = self.thread.join();
    }
}

impl Reading {
    fn run<T>(&mut self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let file = self.file.take().map_or_else(|| file::open_reader(&self.path), Ok)?;
        let answer = query(&file)?;
        self.file = Some(file);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use futures_util::FutureExt;

    use super::*;

    /// Readers of a store that is there, in a folder that goes with it.
    fn readers() -> (Readers, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = file::path(directory.path());
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE numbers (number INTEGER)").unwrap();
        (Readers::new(path), directory)
    }

    async fn thread(readers: &Readers) -> ThreadId {
        readers.read(|_| Ok(std::thread::current().id())).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn one_thread_does_for_one_read_after_the_other() {
        let (readers, _directory) = readers();
        let first = thread(&readers).await;
        assert_eq!(thread(&readers).await, first);
        assert_eq!(readers.idle().len(), 1);
    }

    #[tokio::test]
    async fn a_failure_and_a_panic_are_told_and_do_no_harm() {
        let (readers, _directory) = readers();
        let first = thread(&readers).await;
        assert!(readers.read(|file| file.execute("DELETE FROM numbers", ())).await.unwrap().is_err());
        let panic = AssertUnwindSafe(readers.read(|_| -> rusqlite::Result<()> { panic!("no") })).catch_unwind().await;
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"no"));
        assert_eq!(thread(&readers).await, first);
    }

    #[tokio::test]
    async fn closing_waits_for_a_read_whose_caller_has_left() {
        let (readers, _directory) = readers();
        let (release, released) = channel::<()>();
        let (done, was_done) = channel();
        let mut reading = Box::pin(readers.read(move |_| {
            let _ = released.recv();
            let _ = done.send(());
            Ok(())
        }));
        assert!(reading.as_mut().now_or_never().is_none());
        drop(reading);
        let mut closing = Box::pin(readers.close());
        assert!(closing.as_mut().now_or_never().is_none(), "it is still being read");
        drop(release);
        closing.await.unwrap();
        assert!(was_done.try_recv().is_ok());
        assert!(readers.read(|_| Ok(())).await.is_none());
    }
}
