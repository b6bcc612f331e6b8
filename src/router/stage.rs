//! One connection's stage: does what its conductor says, and tells it what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::bring::{Finished, bring};
use super::conductor::{Conductor, Generation, Joining, Read, Step};
use super::pace::{Hold, Standing};
use super::{Connection, Surroundings, wait_for_store};
use crate::delivery::Id;
use crate::instant::Timestamp;
use crate::metrics::IntGauge;
use crate::store::Store;

/// What a stage is told.
pub(super) enum Message {
    /// These were routed.
    Routed(Vec<Joining>),
    /// These had ended and are open again.
    Reopened(Vec<Joining>),
    /// So many were routed, the last of them this one.
    Unseen(usize, Id),
    /// Attempts are made on this connection from now on.
    Use(Arc<Connection>),
    /// No attempt is begun until there is a connection again.
    Off,
}

/// Bytes of deliveries on their way to a stage that has not looked, at most; what is beyond, it reads.
const UNHEARD_MAX: usize = 8 * 1024 * 1024;
/// What joining a task relies on.
const NO_PANIC: &str = "a task of the stage does not panic";

/// The way to a stage. Telling it something never waits.
pub(super) struct Inbox {
    messages: mpsc::UnboundedSender<Message>,
    unheard: Arc<AtomicUsize>,
}

impl Inbox {
    /// What was routed, in order. Nothing is lost when nobody hears it: it is in the store.
    pub(super) fn routed(&self, joining: Vec<Joining>) {
        let Some(last) = joining.last().map(|one| one.id) else { return };
        let bytes = held(&joining);
        let unheard = self.unheard.fetch_add(bytes, Ordering::Relaxed);
        if unheard > UNHEARD_MAX {
            self.unheard.fetch_sub(bytes, Ordering::Relaxed);
            return self.tell(Message::Unseen(joining.len(), last));
        }
        self.tell(Message::Routed(joining));
    }

    pub(super) fn tell(&self, message: Message) {
        // A stage ends only when everything stops.
        let _ = self.messages.send(message);
    }
}

fn held(joining: &[Joining]) -> usize {
    joining.iter().map(Joining::held).sum()
}

/// What came back from a task.
enum Done {
    Attempt(Generation, Finished),
    Probe(Generation, bool),
    Page(Vec<Joining>),
}

pub(super) struct Stage {
    connection: Arc<Connection>,
    store: Arc<dyn Store>,
    surroundings: Surroundings,
    conductor: Conductor,
    running: JoinSet<Done>,
    messages: mpsc::UnboundedReceiver<Message>,
    unheard: Arc<AtomicUsize>,
    gauges: ConnectionGauges,
    oldest: Arc<AtomicI64>,
}

impl Stage {
    /// A stage and the way to it.
    pub(super) fn new(
        connection: Arc<Connection>,
        store: Arc<dyn Store>,
        surroundings: Surroundings,
        conductor: Conductor,
        oldest: Arc<AtomicI64>,
    ) -> (Stage, Inbox) {
        let (sender, messages) = mpsc::unbounded_channel();
        let unheard = Arc::<AtomicUsize>::default();
        let inbox = Inbox { messages: sender, unheard: unheard.clone() };
        let (running, gauges) = (JoinSet::new(), ConnectionGauges::of(&connection));
        (Stage { connection, store, surroundings, conductor, running, messages, unheard, gauges, oldest }, inbox)
    }

    /// Works until it is stopped; then waits for what is under way.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut pauses = self.surroundings.pauses.watch();
        let mut looks = self.surroundings.pauses.looks(&self.connection.name);
        loop {
            let now = self.now();
            self.conductor.pause(self.surroundings.pauses.since(&self.connection.name));
            let wished = self.surroundings.pauses.looks(&self.connection.name);
            if std::mem::replace(&mut looks, wished) != wished {
                self.conductor.look_again(now);
            }
            while let Some(step) = self.conductor.next(now) {
                self.start(step);
            }
            self.show(now);
            let pause = Duration::try_from(self.conductor.wake_at(now).duration_since(now)).unwrap_or_default();
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(done) = self.running.join_next() => self.finish(done.expect(NO_PANIC)),
                Some(message) = self.messages.recv() => self.hear(message),
                Ok(()) = pauses.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
            self.take_the_rest();
        }
        while self.running.join_next().await.is_some() {}
    }

    /// What else has come by now, so that much that comes at once is shown once.
    fn take_the_rest(&mut self) {
        while let Some(done) = self.running.try_join_next() {
            self.finish(done.expect(NO_PANIC));
        }
        for _ in 0..self.messages.len() {
            let Ok(message) = self.messages.try_recv() else { break };
            self.hear(message);
        }
    }

    fn now(&self) -> Timestamp {
        (self.surroundings.clock)()
    }

    fn hear(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Routed(joining) => {
                self.unheard.fetch_sub(held(&joining), Ordering::Relaxed);
                self.conductor.routed(joining, now);
            }
            Message::Reopened(joining) => self.conductor.reopened(joining, now),
            Message::Unseen(count, last) => self.conductor.routed_unseen(count, last),
            Message::Use(connection) => {
                let is_rebuilt = !Arc::ptr_eq(&self.connection.destination, &connection.destination);
                self.gauges = ConnectionGauges::of(&connection);
                self.connection = connection;
                self.conductor.use_now(is_rebuilt, now);
            }
            Message::Off => self.conductor.off(),
        }
    }

    fn start(&mut self, step: Step) {
        let (connection, store) = (self.connection.clone(), self.store.clone());
        match step {
            Step::Begin(begin) => {
                let surroundings = self.surroundings.clone();
                self.running.spawn(async move {
                    Done::Attempt(begin.generation, bring(&connection, &store, &surroundings, begin).await)
                });
            }
            Step::Read(page) => {
                self.running.spawn(async move { Done::Page(read(&*store, &connection.name, page).await) });
            }
            Step::Probe(generation) => {
                self.running
                    .spawn(async move { Done::Probe(generation, connection.destination.probe().await.is_ok()) });
            }
        }
    }

    fn finish(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Attempt(generation, finished) => self.conductor.finished(generation, finished, now),
            Done::Probe(generation, works) => self.conductor.probed(generation, works, now),
            Done::Page(page) => self.conductor.page(page, now),
        }
    }

    /// Brings the gauges and the board up to date.
    fn show(&mut self, now: Timestamp) {
        let standing = self.conductor.standing(now);
        self.gauges.show(&standing);
        self.oldest.store(standing.oldest.map_or(0, |at| at.as_millisecond()), Ordering::Relaxed);
        self.surroundings.board.put(&self.connection.name, standing);
    }
}

/// The gauges of one connection, found once: they are set whenever something happens.
struct ConnectionGauges {
    pending: IntGauge,
    too_early: IntGauge,
    retry: IntGauge,
    paused: [IntGauge; Hold::REASONS.len()],
    concurrency: IntGauge,
}

impl ConnectionGauges {
    fn of(connection: &Connection) -> ConnectionGauges {
        let (name, metrics) = (&*connection.name, &connection.metrics);
        let waiting = |why: &str| metrics.deliveries_waiting.with_label_values(&[name, why]);
        ConnectionGauges {
            pending: metrics.deliveries_pending.with_label_values(&[name]),
            too_early: waiting("too_early"),
            retry: waiting("retry"),
            paused: Hold::REASONS.map(|reason| metrics.destination_paused.with_label_values(&[name, reason])),
            concurrency: metrics.concurrency_limit.with_label_values(&[name]),
        }
    }

    fn show(&self, standing: &Standing) {
        self.pending.set(standing.pending as i64);
        self.too_early.set(standing.waiting.too_early as i64);
        self.retry.set(standing.waiting.retry as i64);
        for (gauge, reason) in self.paused.iter().zip(Hold::REASONS) {
            gauge.set((standing.hold == Some(reason)).into());
        }
        self.concurrency.set(standing.concurrency.limit as i64);
    }
}

async fn read(store: &dyn Store, name: &str, page: Read) -> Vec<Joining> {
    loop {
        match store.open(Some(name), page.after, page.max).await {
            Ok(page) => return page.into_iter().map(Joining::stored).collect(),
            Err(error) => wait_for_store(&error).await,
        }
    }
}
