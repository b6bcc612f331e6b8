//! One connection's conductor: who goes now, what is under way, who waits until when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::parked::Parked;
use self::turns::Turn;
use super::attempt::Next;
use super::bring::{Finished, bring};
use super::lanes::Lanes;
use super::pace::{Ended, Hold, Pace, Waiting};
use super::{Connection, PaceSettings, Surroundings};
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;
use crate::store::{Open, Owed, Store};

mod parked;
mod standing;
mod turns;

/// Payloads that wait for their turn are held in memory up to this many bytes; beyond, they are read when needed.
const HELD_MAX: usize = 32 * 1024 * 1024;

/// What a conductor is told.
pub(super) enum Message {
    /// These join their lines.
    Join(Vec<Joining>),
    /// Attempts are made on this connection from now on.
    Use(Arc<Connection>),
    /// No attempt is begun until there is a connection again.
    Off,
}

/// A delivery on its way into its line.
pub(super) struct Joining {
    id: Id,
    source: Arc<str>,
    keys: Vec<u64>,
    accepted_at: Timestamp,
    until: Option<Timestamp>,
    parked: bool,
    owed: Option<Box<Owed>>,
}

impl Joining {
    /// One that was just routed.
    pub(super) fn new(owed: Owed) -> Joining {
        Joining {
            id: owed.id,
            source: owed.delivery.source.clone(),
            keys: owed.delivery.keys.clone(),
            accepted_at: owed.delivery.accepted_at,
            until: None,
            parked: false,
            owed: Some(Box::new(owed)),
        }
    }

    /// One that was open when the last process ended.
    pub(super) fn stored(open: &Open) -> Joining {
        Joining {
            id: open.id,
            source: open.source.clone(),
            keys: open.keys.clone(),
            accepted_at: open.accepted_at,
            until: open.until,
            parked: open.parked,
            owed: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// An event at the head of its lines may go on.
    Turn(Position),
    /// A parked delivery may be attempted.
    Parked(Id),
    /// The credentials of this generation are looked at.
    Probe(Generation),
}

/// What came back from a task.
enum Done {
    Attempt(Finished),
    Probe { works: bool },
}

/// Counts how often the destination behind a connection was built anew: what an older one says of its credentials and
/// its allowance is not about the present one.
type Generation = u64;

pub(super) struct Conductor {
    connection: Arc<Connection>,
    generation: Generation,
    store: Arc<dyn Store>,
    surroundings: Surroundings,
    probe_interval: Duration,
    lanes: Lanes<Position>,
    turns: BTreeMap<Position, Turn>,
    outside: Lanes<Id>,
    parked: BTreeMap<Id, Parked>,
    /// Parked ones are attempted on a part of the connection, so that many of them do not keep the others waiting.
    parked_at_once_max: usize,
    parked_under_way: usize,
    /// Whether the last attempt met a destination in trouble.
    in_trouble: bool,
    /// Events that have their turn, but one of their person's parked deliveries, which is older, is on its way.
    held_back: Vec<Position>,
    pace: Pace,
    alarms: BinaryHeap<Reverse<(Timestamp, Alarm)>>,
    running: JoinSet<(Generation, Done)>,
    held: usize,
    open: i64,
    /// Events that keep their turn and wait for their time.
    resting: i64,
    oldest: Arc<AtomicI64>,
}

impl Conductor {
    pub(super) fn new(
        connection: Arc<Connection>,
        store: Arc<dyn Store>,
        surroundings: Surroundings,
        settings: &PaceSettings,
        oldest: Arc<AtomicI64>,
    ) -> Conductor {
        Conductor {
            connection,
            generation: 0,
            store,
            surroundings,
            probe_interval: Duration::from_secs_f64(settings.probe_interval_secs.clamp(0.001, 86_400.0)),
            lanes: Lanes::default(),
            turns: BTreeMap::new(),
            outside: Lanes::default(),
            parked: BTreeMap::new(),
            parked_at_once_max: (settings.at_once_max / 4).max(1),
            parked_under_way: 0,
            in_trouble: false,
            held_back: Vec::new(),
            pace: Pace::new(settings),
            alarms: BinaryHeap::new(),
            running: JoinSet::new(),
            held: 0,
            open: 0,
            resting: 0,
            oldest,
        }
    }

    /// Conducts until it is stopped; then waits for what is under way.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>, mut stopped: watch::Receiver<bool>) {
        let mut pauses = self.surroundings.pauses.watch();
        loop {
            self.pace.pause(self.surroundings.pauses.since(&self.connection.name));
            self.start_what_may_start();
            self.show();
            let pause = self.until_next_alarm();
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(done) = self.running.join_next() => self.finish(done.expect("a task of the conductor does not panic")),
                Some(message) = inbox.recv() => self.hear(message),
                Ok(()) = pauses.changed() => {}
                () = tokio::time::sleep(pause) => self.ring(),
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    fn now(&self) -> Timestamp {
        (self.surroundings.clock)()
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Join(joining) => joining.into_iter().for_each(|one| self.join(one)),
            Message::Use(connection) => self.use_now(connection),
            Message::Off => {
                self.pace.switch(false);
                tracing::info!(destination.name = %self.connection.name, deliveries = self.open,
                    "The destination is off; what it is owed is kept until it is on again");
            }
        }
    }

    /// Later attempts are made on this connection; those under way finish where they began.
    fn use_now(&mut self, connection: Arc<Connection>) {
        let is_rebuilt = !Arc::ptr_eq(&self.connection.destination, &connection.destination);
        self.connection = connection;
        self.pace.switch(true);
        if is_rebuilt {
            self.generation += 1;
            self.pace.forget();
        }
        // Whoever changed the settings of a connection that stands still wants to know now whether they work.
        if is_rebuilt && self.pace.is_unauthorized() {
            self.probe();
        }
    }

    fn until_next_alarm(&mut self) -> Duration {
        const LONG: Duration = Duration::from_secs(3600);
        let now = self.now();
        let alarm = self.alarms.peek().map(|Reverse((at, _))| *at);
        let Some(at) = alarm.into_iter().chain(self.pace.hold(now).until()).min() else { return LONG };
        // A clock that was set back must not make anyone wait for longer than an hour before it is looked at again.
        at.duration_since(now).try_into().unwrap_or(Duration::ZERO).min(LONG)
    }

    fn set_alarm(&mut self, at: Timestamp, alarm: Alarm) {
        self.alarms.push(Reverse((at, alarm)));
    }

    fn join(&mut self, joining: Joining) {
        self.open += 1;
        let Joining { id, source, keys, accepted_at, until, parked, owed } = joining;
        // A time that was written by a clock that ran ahead must not hold anyone back for longer than a wait can be.
        let latest = self.now() + self.surroundings.retry.longest_wait();
        let until = until.map(|until| until.min(latest));
        if parked {
            self.park(id, &source, Parked::new(keys, accepted_at, until));
            return;
        }
        let owed = owed.filter(|owed| self.held + size(owed) <= HELD_MAX);
        self.held += owed.as_deref().map_or(0, size);
        match self.turns.get_mut(&id.position) {
            Some(turn) => turn.deliveries.push_back((id, owed)),
            None => {
                self.lanes.join(id.position, &source, keys.iter().copied());
                let deliveries = VecDeque::from([(id, owed)]);
                self.turns.insert(id.position, Turn { source, keys, accepted_at, deliveries, until });
            }
        }
    }

    fn start_what_may_start(&mut self) {
        while self.may_send() {
            let parked = if self.parked_under_way < self.parked_at_once_max { self.outside.next() } else { None };
            if let Some(id) = parked {
                self.start_parked(id);
            } else if let Some(position) = self.lanes.next() {
                self.start_turn(position);
            } else {
                break;
            }
        }
    }

    fn may_send(&mut self) -> bool {
        let now = self.now();
        self.pace.hold(now) == Hold::Free
    }

    fn begin(&mut self, id: Id, owed: Option<Box<Owed>>) {
        self.pace.begin(self.now());
        let (connection, store) = (self.connection.clone(), self.store.clone());
        let (surroundings, outside) = (self.surroundings.clone(), self.parked.contains_key(&id));
        self.parked_under_way += usize::from(outside);
        let generation = self.generation;
        self.running.spawn(async move {
            let finished = bring(&connection, &store, &surroundings, (id, owed), outside).await;
            (generation, Done::Attempt(finished))
        });
    }

    fn finish(&mut self, (generation, done): (Generation, Done)) {
        let is_current = generation == self.generation;
        match done {
            Done::Probe { .. } if !is_current => {}
            Done::Probe { works: true } => self.resume(),
            Done::Probe { works: false } => self.set_alarm(self.now() + self.probe_interval, Alarm::Probe(generation)),
            Done::Attempt(Finished { id, next, delivered, trouble, ended, held }) => {
                self.tell_of_trouble(trouble, delivered);
                // What was before says nothing about the present destination.
                self.end_attempt(id, if is_current { ended } else { Ended::default() });
                self.held -= held;
                match next {
                    Next::Quiet(until) if is_current => self.quiet(until),
                    Next::Unauthorized if is_current => self.unauthorized(),
                    _ => {}
                }
                match self.parked.contains_key(&id) {
                    true => self.finish_parked(id, next, delivered),
                    false => self.finish_turn(id, next, delivered),
                }
            }
        }
    }

    fn ring(&mut self) {
        let now = self.now();
        while let Some(Reverse((at, alarm))) = self.alarms.peek().copied() {
            if at > now {
                break;
            }
            self.alarms.pop();
            match alarm {
                Alarm::Turn(position) => {
                    self.resting -= 1;
                    self.lanes.again(position);
                }
                Alarm::Parked(id) => self.wake_one(id),
                Alarm::Probe(generation) if generation == self.generation => self.probe(),
                Alarm::Probe(_) => {}
            }
        }
    }

    /// Brings the gauges up to date.
    fn show(&mut self) {
        let now = self.now();
        let hold = self.pace.hold(now);
        let metrics = &self.connection.metrics;
        let name = &*self.connection.name;
        metrics.deliveries_pending.with_label_values(&[name]).set(self.open);
        metrics.deliveries_waiting.with_label_values(&[name, "too_early"]).set(self.parked.len() as i64);
        metrics.deliveries_waiting.with_label_values(&[name, "retry"]).set(self.resting);
        for reason in ["off", "operator", "unauthorized", "breaker", "throttled"] {
            let on = hold.reason() == Some(reason);
            metrics.destination_paused.with_label_values(&[name, reason]).set(on.into());
        }
        let at_once = self.pace.at_once();
        metrics.concurrency_limit.with_label_values(&[name]).set(at_once.limit as i64);
        let turn = self.turns.first_key_value().map(|(_, turn)| turn.accepted_at);
        let parked = self.parked.first_key_value().map(|(_, parked)| parked.accepted_at);
        let oldest = turn.into_iter().chain(parked).min();
        self.oldest.store(oldest.map_or(0, |at| at.as_millisecond()), Ordering::Relaxed);
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let waiting = Waiting { too_early: self.parked.len() as u64, retry: count(self.resting) };
        let standing = self.pace.standing(now, count(self.open), waiting, oldest);
        self.surroundings.board.put(&self.connection.name, standing);
    }
}

/// Roughly how much memory a delivery takes.
pub(super) fn size(owed: &Owed) -> usize {
    512 + owed.delivery.payload.as_ref().map_or(0, |payload| payload.get().len())
}
