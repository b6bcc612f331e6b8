//! A store in one file on disk: SQLite with a write-ahead log, one thread that writes for everybody, readers beside it.
//!
//! ```text
//!   accept · route · settle · trim ─▶ rows (record) ─▶ queue ─▶ writer: one transaction for all that wait (group)
//!   events · open · list · … ─▶ readers (query) ─▶ what is damaged goes to the writer (quarantine)
//!   events that are not routed yet ─▶ as they were accepted (recent)
//! ```
//!
//! # Why
//! SQLite's file is one that everybody can trust, open and back up; it survives power cuts at any instant when every
//! commit is synced. It does not notice flipped bits, so every row carries a checksum of ours. An error of the disk is
//! final: after a failed sync nobody knows what the disk holds, so nothing more is tried until the process has started
//! again and read what is there.

mod absent;
mod accept;
mod audit;
mod ballast;
mod dedupe;
mod feed;
mod file;
mod group;
mod inspect;
mod limit;
mod list;
mod lock;
mod log;
mod marks;
mod note;
mod passed;
mod place;
mod quarantine;
mod query;
mod readers;
mod recent;
mod record;
mod remove;
mod room;
mod settle;
mod shared;
mod start;
mod trim;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::audit::Audit;
use self::ballast::Ballast;
use self::group::Work;
use self::lock::Lock;
use self::note::{Note, Notes};
use self::query::Found;
use self::readers::Readers;
use self::room::Room;
use self::shared::Shared;
use self::start::Start;
use self::writer::{Message, Writer};
use super::removal::Removal;
use super::{
    Accepted, Error, Filter, Job, Kind, Open, Opening, Owed, Page, Passing, Removed, Result, Routed, Settings, Stats,
    Store, Stored, Wrote, ago,
};
use crate::delivery::{Id, Position, Progress};
use crate::event::{Event, Person};
use crate::instant::Timestamp;

/// The kind, as data.
pub const KIND: Kind = Kind {
    name: "embedded",
    summary: "keeps everything in one file in the data directory",
    durable: true,
    open: |opening: &Opening<'_>| Ok(Arc::new(Sqlite::open(opening)?)),
};

/// A store in one file.
pub struct Sqlite {
    settings: Settings,
    key: dedupe::Key,
    shared: Arc<Shared>,
    writer: Sender<Message>,
    readers: Readers,
    removal: Arc<Removal>,
    audit: Audit,
}

impl Sqlite {
    /// Takes the directory for this process, and reads what an earlier one left in it.
    pub fn open(opening: &Opening<'_>) -> Result<Sqlite> {
        file::make_directory(opening.directory)?;
        place::check(opening.directory)?;
        let lock = Lock::hold(opening.directory, opening.now)?;
        let path = file::path(opening.directory);
        let ballast = Ballast::new(opening.directory, opening.settings.ballast_bytes);
        let file = match file::open_writer(&path) {
            // What is there is to be delivered also when it is too full to begin.
            Err(Error::Unavailable(_)) if ballast.release() => file::open_writer(&path)?,
            opened => opened?,
        };
        let Start { marks, backlog, absent, window, key, suppressed } =
            Start::read(&file, opening, Note::read(opening.directory).last).map_err(file::explain)?;
        let shared = Arc::new(Shared::new(marks, backlog, absent));
        let writer = Writer {
            file,
            path: path.clone(),
            window,
            shared: shared.clone(),
            metrics: opening.metrics.clone(),
            room: Room::new(ballast, shared.clone()),
            is_refusing: false,
            notes: Notes::open(opening.directory),
            lock,
        };
        let writer = writer.start().map_err(|error| Error::Unavailable(format!("no thread to write: {error}")))?;
        let removal = Arc::new(Removal::new(suppressed));
        let readers = Readers::new(path);
        Ok(Sqlite {
            settings: opening.settings.clone(),
            key,
            shared,
            writer,
            readers,
            removal,
            audit: Audit::default(),
        })
    }

    /// Hands work to the writer at once; the future only waits for the answer.
    fn write<W: Work>(&self, work: W) -> BoxFuture<'_, Result<W::Answer>> {
        if let Err(error) = self.shared.check() {
            return std::future::ready(Err(error)).boxed();
        }
        let (message, answer) = writer::call(work);
        // When the writer has gone it drops the message, and so the answer.
        let _ = self.writer.send(message);
        async move { answer.await.unwrap_or_else(|_| Err(self.shared.gone())) }.boxed()
    }

    /// Reads; puts aside what is damaged and then reads again, since some of that can be mended.
    fn read<T, Q>(&self, query: Q) -> BoxFuture<'_, Result<Vec<T>>>
    where
        T: Send + 'static,
        Q: Fn(&Connection) -> Found<T> + Clone + Send + 'static,
    {
        async move {
            loop {
                self.shared.check()?;
                let answer = self.readers.read(query.clone()).await.unwrap_or_else(|| Err(self.shared.gone()));
                let (found, bad) = answer.inspect_err(|error| self.note(error))?;
                if bad.is_empty() {
                    return Ok(found);
                }
                let put_aside = self.write(quarantine::Quarantine { bad }).await.unwrap_or_default();
                if put_aside == 0 {
                    return Ok(found);
                }
            }
        }
        .boxed()
    }

    /// A disk that cannot be read has failed as well.
    fn note(&self, error: &Error) {
        if let Error::Failed(why) = error {
            self.shared.fail(why);
        }
    }

    async fn trim_all(&self, now: Timestamp) -> Result<u64> {
        let Settings { retention_hours, retention_bytes: bytes_max, dedupe_hours, .. } = self.settings;
        let before = ago(now, retention_hours);
        let future = super::future(now);
        let mut removed = 0;
        loop {
            let step = self.write(trim::TrimEvents { before, future, bytes_max }).await?;
            removed += step.removed;
            if step.is_last {
                break;
            }
        }
        loop {
            let step = self.write(trim::TrimIds { before: ago(now, dedupe_hours) }).await?;
            removed += step.removed;
            if step.is_last {
                break;
            }
        }
        while !self.write(passed::TrimPassed).await?.is_last {}
        while !self.write(trim::Vacuum).await?.is_last {}
        self.look_through().await?;
        Ok(removed)
    }
}

impl Store for Sqlite {
    fn accept(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Accepted>>> {
        if let Err(error) = self.shared.check_room() {
            return std::future::ready(Err(error)).boxed();
        }
        let place = self.shared.queue(events.iter().map(|event| event.body.len() as u64).sum());
        let _place = match place {
            Ok(place) if !events.is_empty() => place,
            refused => return std::future::ready(refused.map(|_| Vec::new())).boxed(),
        };
        let events = events.into_iter().map(|event| record::EventRow::of(event, &self.key)).collect();
        self.write(accept::Accept { events, _place })
    }

    fn feed(&self, events: Vec<Event>, job: Job) -> BoxFuture<'_, Result<()>> {
        let events = events.into_iter().map(|event| record::EventRow::of(event, &self.key)).collect();
        self.write(feed::Feed { events, job, removal: self.removal.clone() })
    }

    fn jobs(&self) -> BoxFuture<'_, Result<Vec<Job>>> {
        self.read(|file| Ok((feed::jobs(file)?, Vec::new())))
    }

    fn events(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<Stored>>> {
        async move {
            if let Some(recent) = self.shared.recent(after, max) {
                self.shared.check()?;
                return Ok(recent.into_iter().map(recent::stored).collect());
            }
            let last = self.shared.marks().last;
            let found = self.read(move |file| query::events(file, after, max)).await?;
            let end = (found.len() < max).then_some(last);
            let holes = absent::holes(i64::try_from(after.0).unwrap_or(i64::MAX - 1), &found, end);
            let holes = self.shared.unexplained(&holes);
            if !holes.is_empty() {
                self.write(absent::Missing { holes }).await?;
            }
            Ok(found)
        }
        .boxed()
    }

    fn event(&self, position: Position) -> BoxFuture<'_, Result<Option<Stored>>> {
        let found = self.read(move |file| query::event(file, position));
        async move { Ok(found.await?.pop()) }.boxed()
    }

    fn route(&self, routed: &[Routed]) -> BoxFuture<'_, Result<()>> {
        let routed = routed.iter().map(route_rows).collect();
        self.write(settle::Route { routed, removal: self.removal.clone() })
    }

    fn settle_passing(&self, settlements: &[(Id, &Progress)], passing: Passing<'_>) -> BoxFuture<'_, Result<()>> {
        let settlements = settlements.iter().map(|(id, progress)| record::ProgressRow::of(*id, progress));
        let passing = passed::Passing::of(passing);
        self.write(settle::Settle { settlements: settlements.collect(), passing })
    }

    fn passed(&self, destination: &str, keys: &[u64]) -> BoxFuture<'_, Result<Vec<Wrote>>> {
        let (destination, keys) = (destination.to_owned(), keys.to_vec());
        self.read(move |file| passed::passed(file, &destination, &keys))
    }

    fn amend(&self, owed: Vec<Owed>) -> BoxFuture<'_, Result<()>> {
        let rows = owed.iter().map(|owed| record::DeliveryRow::of(owed.id, &owed.delivery, &owed.progress));
        self.write(settle::Amend { rows: rows.collect() })
    }

    fn open(&self, destination: Option<&str>, after: Option<Id>, max: usize) -> BoxFuture<'_, Result<Vec<Open>>> {
        let destination = destination.map(str::to_owned);
        self.read(move |file| query::open(file, destination.as_deref(), after, max))
    }

    fn open_counts(&self) -> BoxFuture<'_, Result<BTreeMap<Arc<str>, u64>>> {
        async move { Ok(self.read(query::open_counts).await?.into_iter().collect()) }.boxed()
    }

    fn deliveries(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<Vec<Owed>>> {
        self.read(move |file| query::deliveries(file, &ids))
    }

    fn list(&self, filter: Filter, max: usize) -> BoxFuture<'_, Result<Page>> {
        let page = self.read(move |file| list::list(file, &filter, max));
        async move { Ok(page.await?.pop().unwrap_or_default()) }.boxed()
    }

    fn trim(&self, now: Timestamp) -> BoxFuture<'_, Result<u64>> {
        self.trim_all(now).boxed()
    }

    fn remove(&self, positions: Vec<Position>) -> BoxFuture<'_, Result<Removed>> {
        async move {
            self.removal.add(&positions);
            let numbers = positions.iter().filter_map(|position| i64::try_from(position.0).ok()).collect();
            let removed = self.write(remove::Remove { positions: numbers }).await;
            removed.inspect_err(|_| self.removal.take_back(&positions))
        }
        .boxed()
    }

    fn is_removed(&self, position: Position) -> bool {
        self.removal.holds(position)
    }

    fn suppress(&self, person: Person, on: bool) -> BoxFuture<'_, Result<()>> {
        async move {
            let all = self.write(remove::Suppress { person, on, removal: self.removal.clone() }).await?;
            self.removal.suppress(all);
            Ok(())
        }
        .boxed()
    }

    fn suppressed(&self) -> Arc<Person> {
        self.removal.suppressed()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn grown(&self, after: Position) -> BoxFuture<'_, ()> {
        super::grown(self.shared.last(), after)
    }

    fn failure(&self) -> BoxFuture<'_, String> {
        self.shared.failure().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            if !self.shared.close() {
                return;
            }
            // Whoever closed them before has also done the rest.
            let _ = self.readers.close().await;
            let (closed, finished) = oneshot::channel();
            if self.writer.send(Message::Close(closed)).is_ok() {
                let _ = finished.await;
            }
        }
        .boxed()
    }
}

fn route_rows(routed: &Routed) -> (i64, Vec<record::DeliveryRow>) {
    let position = routed.position;
    assert!(position.0 < 1 << 47, "a store gives no position beyond 47 bits");
    assert!(routed.deliveries.len() <= 1 << 16, "an event has no more deliveries than their numbers have room for");
    let numbered = (0..=u16::MAX).zip(&routed.deliveries);
    let rows = numbered
        .map(|(number, (delivery, progress))| record::DeliveryRow::of(Id { position, number }, delivery, progress));
    (position.0 as i64, rows.collect())
}
