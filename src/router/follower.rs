//! The follower: reads accepted events in order, routes them, and hands each delivery to its connection's conductor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::conductor::{Bounds, Conductor, Joining};
use super::replay::Written;
use super::stage::{Inbox, Message, Stage};
use super::{Connection, LastWords, PaceSettings, Surroundings, wait_for_store};
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;
use crate::store::{self, Open, Owed, Routed, Store};
pub(super) use letters::Order;

mod letters;

/// How many events are routed in one step.
const STEP: usize = 256;
/// How many deliveries that nobody seems to be owed are looked at.
const STRAYS: usize = 1000;

/// Follows the log.
pub(super) struct Follower {
    store: Arc<dyn Store>,
    surroundings: Surroundings,
    pace: PaceSettings,
    /// One for each name that was ever connected; a conductor keeps what is owed also while its destination is off.
    lines: Vec<Line>,
    stages: JoinSet<()>,
    /// Open deliveries by destinations that were not connected when they were counted.
    strays: BTreeMap<Arc<str>, u64>,
    gauges: Gauges,
    stopped: watch::Receiver<bool>,
    over: Arc<watch::Sender<bool>>,
    /// What newer calls have written than those that are replayed.
    written: Written,
    /// The same for dead letters that are attempted again.
    rewritten: Written,
}

/// A connection, and the way to its stage.
struct Line {
    connection: Arc<Connection>,
    inbox: Inbox,
    /// Whether events are routed to it.
    is_on: bool,
}

/// Connections to be used from the next step on.
pub(super) struct Replacement {
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) done: oneshot::Sender<()>,
}

/// What is done between two steps.
pub(super) enum Request {
    /// Use these connections.
    Replace(Replacement),
    /// Do something with dead letters.
    Letters(Order),
}

/// Where a step came to.
enum Step {
    /// There may be more.
    To(Position),
    /// There is nothing beyond it yet.
    End(Position),
}

impl Follower {
    pub(super) fn new(
        store: Arc<dyn Store>,
        surroundings: Surroundings,
        pace: PaceSettings,
        (stopped, over): (watch::Receiver<bool>, Arc<watch::Sender<bool>>),
        (written, rewritten): (Written, Written),
    ) -> Follower {
        Follower {
            store,
            surroundings,
            pace,
            lines: Vec::new(),
            stages: JoinSet::new(),
            strays: BTreeMap::new(),
            gauges: Gauges::default(),
            stopped,
            over,
            written,
            rewritten,
        }
    }

    pub(super) fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    /// Sets conductors to work on what was open when the last process ended.
    pub(super) async fn take_up(&mut self, connections: Vec<Arc<Connection>>) -> store::Result<()> {
        let is_known = |name: &Arc<str>| connections.iter().any(|connection| connection.name == *name);
        for destination in self.store.open_counts().await?.into_keys().filter(|name| !is_known(name)) {
            // A record whose destination is damaged is found, and mended, by being read.
            self.store.open(Some(&destination), None, STRAYS).await?;
        }
        self.strays = self.store.open_counts().await?;
        connections.into_iter().for_each(|connection| self.connect(connection));
        for (destination, deliveries) in &self.strays {
            tracing::warn!(
                destination.name = %destination,
                deliveries,
                "{deliveries} open deliveries are owed to {destination}, which is not configured or switched off; they are kept, and count in the backlog"
            );
        }
        Ok(())
    }

    /// Sets a conductor to work on a connection whose name is new.
    fn connect(&mut self, connection: Arc<Connection>) {
        let oldest = self.gauges.add(connection.clone());
        let open = self.strays.remove(&connection.name).unwrap_or_default();
        let told = Id { position: self.store.stats().routed, number: u16::MAX };
        let now = (self.surroundings.clock)();
        let settings = (&self.pace, &self.surroundings.retry);
        let conductor = Conductor::new(connection.name.clone(), settings, (Bounds::default(), open, told), now);
        let (store, surroundings) = (self.store.clone(), self.surroundings.clone());
        let (stage, inbox) = Stage::new(connection.clone(), store, surroundings, conductor, oldest);
        let (last_words, stopped) = (LastWords(self.over.clone()), self.stopped.clone());
        self.stages.spawn(async move {
            let _last_words = last_words;
            Box::pin(stage.run(stopped)).await;
        });
        self.lines.push(Line { connection, inbox, is_on: true });
    }

    /// Gives each stage what is open again of its own, and counts what nobody has: that is read when somebody comes for it.
    fn hand_over(&mut self, reopened: Vec<Open>) {
        let mut by_line: Vec<Vec<Joining>> = self.lines.iter().map(|_| Vec::new()).collect();
        for open in reopened {
            match self.lines.iter().position(|line| line.connection.name == open.destination) {
                Some(at) => by_line[at].push(Joining::stored(open)),
                None => *self.strays.entry(open.destination).or_default() += 1,
            }
        }
        for (line, joining) in self.lines.iter().zip(by_line) {
            line.inbox.tell(Message::Reopened(joining));
        }
    }

    /// Follows until everything stops; then waits for the stages.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = Box::pin(self.follow(&mut requests)) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        // Nobody is to wait for an answer that does not come any more.
        drop(requests);
        while self.stages.join_next().await.is_some() {}
    }

    /// What is asked for is done between two steps, never within one.
    async fn follow(&mut self, requests: &mut mpsc::Receiver<Request>) {
        let store = self.store.clone();
        let mut after = store.stats().routed;
        loop {
            while let Ok(request) = requests.try_recv() {
                self.answer(request).await;
            }
            after = match self.step(after).await {
                Step::To(position) => position,
                Step::End(position) => {
                    tokio::select! {
                        () = store.grown(position) => {}
                        Some(request) = requests.recv() => self.answer(request).await,
                    }
                    position
                }
            };
        }
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Replace(replacement) => self.replace(replacement),
            Request::Letters(order) => Box::pin(self.handle(order)).await,
        }
    }

    fn replace(&mut self, Replacement { connections, done }: Replacement) {
        for line in &mut self.lines {
            if line.is_on && !connections.iter().any(|connection| connection.name == line.connection.name) {
                line.is_on = false;
                line.inbox.tell(Message::Off);
            }
        }
        for connection in connections {
            match self.lines.iter_mut().find(|line| line.connection.name == connection.name) {
                Some(line) => line.use_now(connection),
                None => self.connect(connection),
            }
        }
        let _ = done.send(());
    }

    /// Routes the next events.
    async fn step(&self, after: Position) -> Step {
        let used = self.store.stats().last;
        if !self.lines.iter().any(|line| line.is_on) && used > after {
            return self.pass_by(after, used).await;
        }
        let events = match self.store.events(after, STEP).await {
            Ok(events) => events,
            Err(error) => {
                wait_for_store(&error).await;
                return Step::To(after);
            }
        };
        let Some(last) = events.last().map(|stored| stored.position) else {
            // What lies between is damaged and was put aside.
            return Step::End(after.max(used));
        };
        let now = (self.surroundings.clock)();
        let connections: Vec<_> =
            self.lines.iter().filter(|line| line.is_on).map(|line| line.connection.clone()).collect();
        if let Err(error) = self.written.cover_step(&events, &*self.store, &connections).await {
            wait_for_store(&error).await;
            return Step::To(after);
        }
        let mut routed = Vec::with_capacity(events.len());
        for stored in &events {
            let one = self.written.route(stored, &connections, now);
            self.note(&one, &connections);
            routed.push(one);
            // Events may be much work; others have their turn between two.
            tokio::task::yield_now().await;
        }
        if let Err(error) = self.store.route(&routed).await {
            wait_for_store(&error).await;
            // Back to where replacements are taken: these events are then routed by them.
            return Step::To(after);
        }
        // Again, for whoever began to listen in between and read the store before this was in it.
        routed.iter().for_each(|one| self.note(one, &connections));
        events.iter().for_each(|stored| self.surroundings.live.event(stored));
        self.distribute(routed);
        Step::To(last)
    }

    /// Tells those who repeat older calls what was routed.
    fn note(&self, routed: &Routed, connections: &[Arc<Connection>]) {
        self.written.note_routed(routed, connections);
        self.rewritten.note_routed(routed, connections);
    }

    /// Without a destination nothing becomes of events, so they need not be read.
    async fn pass_by(&self, after: Position, used: Position) -> Step {
        match self.store.route(&[Routed { position: used, deliveries: Vec::new() }]).await {
            Ok(()) => Step::To(used),
            Err(error) => {
                wait_for_store(&error).await;
                Step::To(after)
            }
        }
    }

    fn distribute(&self, routed: Vec<Routed>) {
        let mut joining: Vec<Vec<Joining>> = self.lines.iter().map(|_| Vec::new()).collect();
        for Routed { position, deliveries } in routed {
            for (number, (delivery, progress)) in deliveries.into_iter().enumerate() {
                let id = Id { position, number: number as u16 };
                let at = self.lines.iter().position(|line| line.connection.name == delivery.destination);
                let at = at.expect("deliveries are made for the connections that are there");
                self.lines[at].connection.count_created(&delivery);
                let owed = Owed { id, delivery, progress };
                self.surroundings.live.delivery(&owed);
                match owed.progress.status.is_settled() {
                    true => self.lines[at].connection.count_settled(&owed),
                    false => joining[at].push(Joining::new(owed)),
                }
            }
        }
        for (line, joining) in self.lines.iter().zip(joining) {
            line.inbox.routed(joining);
        }
    }
}

impl Line {
    fn use_now(&mut self, connection: Arc<Connection>) {
        if self.is_on && Arc::ptr_eq(&self.connection, &connection) {
            return;
        }
        (self.connection, self.is_on) = (connection.clone(), true);
        self.inbox.tell(Message::Use(connection));
    }
}

/// What conductors show of themselves: when the oldest open delivery was accepted, in Unix milliseconds; 0: none is open.
#[derive(Clone, Default)]
pub(super) struct Gauges(Arc<Mutex<Vec<Shown>>>);

type Shown = (Arc<Connection>, Arc<AtomicI64>);

impl Gauges {
    fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.0.lock().expect("no code panics with this lock")
    }

    fn add(&self, connection: Arc<Connection>) -> Arc<AtomicI64> {
        let oldest = Arc::new(AtomicI64::default());
        self.shown().push((connection, oldest.clone()));
        oldest
    }

    pub(super) fn refresh(&self, now: Timestamp) {
        let now = now.as_millisecond();
        for (connection, oldest) in self.shown().iter() {
            let age = match oldest.load(Ordering::Relaxed) {
                0 => 0,
                oldest => (now - oldest).max(0) / 1000,
            };
            connection.metrics.oldest_pending_seconds.with_label_values(&[&*connection.name]).set(age);
        }
    }
}
