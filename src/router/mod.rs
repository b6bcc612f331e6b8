//! The engine: follows the log of accepted events, turns each into deliveries, and brings every delivery to its end.
//!
//! One task ([`Router`]) reads events in order and routes them. One task for each connection (`conductor.rs`) decides
//! whose turn it is, and has each delivery brought (`bring.rs`). What they decide with is pure and lies beside: `lanes`, `pace` and
//! `delivery::retry`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

mod attempt;
mod bring;
mod conductor;
mod lanes;
mod pace;
mod route;

use crate::delivery::{Id, Position, retry};
use crate::destination::Destination;
use crate::instant::Timestamp;
use crate::mapping::Mappings;
use crate::metrics::Metrics;
use crate::store::{self, Open, Owed, Routed, Store};
use conductor::{Conductor, Joining};
pub use route::wanted;

/// How deliveries are brought.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// When to try again and when to give up.
    pub retry: retry::Settings,
    /// How fast one connection may go.
    pub pace: PaceSettings,
}

/// How fast one connection may go.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaceSettings {
    /// Attempts under way at once for each destination.
    pub at_once_max: usize,
    /// Seconds between looks at whether refused credentials work again.
    pub probe_interval_secs: f64,
}

impl Default for PaceSettings {
    fn default() -> Self {
        PaceSettings { at_once_max: 32, probe_interval_secs: 60.0 }
    }
}

/// One destination instance: what its author wants, and how to reach it.
pub struct Connection {
    /// The destination file's name.
    pub name: Arc<str>,
    /// What becomes what.
    pub mappings: Mappings,
    /// How to reach it.
    pub destination: Box<dyn Destination>,
    /// The names by which an event's `integrations` object may mean it.
    pub integrations: &'static [&'static str],
    /// Where to count.
    pub metrics: Metrics,
}

/// Time and luck, as values that tests control.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Draws from 0..1.
    pub luck: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// When to try again and when to give up.
    pub retry: retry::Settings,
}

/// The running engine.
pub struct Router {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    ended: watch::Receiver<bool>,
    gauges: Vec<Gauges>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What a conductor shows of itself.
#[derive(Clone)]
struct Gauges {
    connection: Arc<Connection>,
    /// When the oldest open delivery was accepted, in Unix milliseconds; 0: none is open.
    oldest: Arc<AtomicI64>,
}

/// How many events are routed in one step.
const STEP: usize = 256;
/// How many open deliveries are read in one step at the start.
const PAGE: usize = 10_000;
/// How long to wait before asking a store again that could not take something.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

impl Router {
    /// Takes up what is open in the store, then follows the log. Returns when everything open stands in its line.
    pub async fn start(
        store: Arc<dyn Store>,
        connections: Vec<Connection>,
        settings: &Settings,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        luck: Arc<dyn Fn() -> f64 + Send + Sync>,
    ) -> store::Result<Router> {
        let (stop, stopped) = watch::channel(false);
        let (over, ended) = watch::channel(false);
        let over = Arc::new(over);
        let watched = |task: futures_util::future::BoxFuture<'static, ()>| {
            let last_words = LastWords(over.clone());
            tokio::spawn(async move {
                let _last_words = last_words;
                task.await;
            })
        };
        let surroundings = Surroundings { clock: clock.clone(), luck, retry: settings.retry.clone() };
        let mut follower =
            Follower { store: store.clone(), lines: Vec::new(), stopped: stopped.clone(), clock: clock.clone() };
        let (mut tasks, mut gauges) = (Vec::new(), Vec::new());
        for connection in connections.into_iter().map(Arc::new) {
            let (line, inbox) = mpsc::channel(64);
            let shown = Gauges { connection: connection.clone(), oldest: Arc::default() };
            let conductor = Conductor::new(
                connection.clone(),
                store.clone(),
                surroundings.clone(),
                &settings.pace,
                shown.oldest.clone(),
            );
            tasks.push(watched(Box::pin(conductor.run(inbox, stopped.clone()))));
            follower.lines.push(Line { connection, inbox: line });
            gauges.push(shown);
        }
        follower.take_up().await?;
        tasks.push(watched(Box::pin(follower.run())));
        Ok(Router { stop, tasks, ended, gauges, clock })
    }

    /// Stops starting attempts, and waits for those under way, `grace` at most. What is not finished then is attempted
    /// again after the next start.
    pub async fn stop(self, grace: Duration) {
        self.stop.send_replace(true);
        let abort: Vec<_> = self.tasks.iter().map(JoinHandle::abort_handle).collect();
        if tokio::time::timeout(grace, futures_util::future::join_all(self.tasks)).await.is_err() {
            tracing::warn!(
                "Attempts were still under way at the end of the grace period and are made again after the next start"
            );
            abort.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    /// Resolves when a part of the engine has ended although nobody stopped it: a bug, after which the process must end and
    /// start again.
    pub async fn failed(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(|ended| *ended).await {
            Ok(_) => "a part of the delivery engine has ended unexpectedly".to_owned(),
            Err(_) => std::future::pending().await,
        }
    }

    /// A function that brings the gauges that depend on the time up to date.
    pub fn refresher(&self) -> impl Fn() + Send + Sync + Clone + 'static {
        let (gauges, clock) = (self.gauges.clone(), self.clock.clone());
        move || {
            let now = clock().as_millisecond();
            for Gauges { connection, oldest } in &gauges {
                let age = match oldest.load(Ordering::Relaxed) {
                    0 => 0,
                    oldest => (now - oldest).max(0) / 1000,
                };
                connection.metrics.oldest_pending_seconds.with_label_values(&[&*connection.name]).set(age);
            }
        }
    }
}

/// Tells that a task has ended, however it did.
struct LastWords(Arc<watch::Sender<bool>>);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Follows the log.
struct Follower {
    store: Arc<dyn Store>,
    lines: Vec<Line>,
    stopped: watch::Receiver<bool>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// The way to a conductor.
struct Line {
    connection: Arc<Connection>,
    inbox: mpsc::Sender<Vec<Joining>>,
}

impl Follower {
    /// Puts what was open when the last process ended into its lines.
    async fn take_up(&self) -> store::Result<()> {
        let mut after = None;
        let mut strays: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        loop {
            let page = self.store.open(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for open in self.hand_over(page).await {
                *strays.entry(open.destination).or_default() += 1;
            }
        }
        for (destination, deliveries) in strays {
            tracing::warn!(
                destination.name = %destination,
                deliveries,
                "{deliveries} open deliveries are owed to {destination}, which is not configured or switched off; they are kept, and count in the backlog"
            );
        }
        Ok(())
    }

    /// Gives each conductor its own, and back what nobody has.
    async fn hand_over(&self, mut page: Vec<Open>) -> Vec<Open> {
        for line in &self.lines {
            let mine: Vec<Joining> =
                page.iter().filter(|open| open.destination == line.connection.name).map(Joining::stored).collect();
            page.retain(|open| open.destination != line.connection.name);
            // A conductor ends only when everything stops.
            let _ = line.inbox.send(mine).await;
        }
        page
    }

    async fn run(self) {
        let mut after = self.store.stats().routed;
        let mut stopped = self.stopped.clone();
        loop {
            after = tokio::select! {
                after = self.step(after) => after,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
        }
    }

    /// Routes the next events, or waits for some.
    async fn step(&self, after: Position) -> Position {
        let used = self.store.stats().last;
        if self.lines.is_empty() && used > after {
            return self.pass_by(after, used).await;
        }
        let events = match self.store.events(after, STEP).await {
            Ok(events) => events,
            Err(error) => return self.wait_for_store(&error, after).await,
        };
        let Some(last) = events.last().map(|stored| stored.position) else {
            self.store.grown(after.max(used)).await;
            // What lies between is damaged and was put aside.
            return after.max(used);
        };
        let now = (self.clock)();
        let connections: Vec<_> = self.lines.iter().map(|line| line.connection.clone()).collect();
        let routed: Vec<Routed> = events.iter().map(|stored| route::route(stored, &connections, now)).collect();
        while let Err(error) = self.store.route(routed.clone()).await {
            self.wait_for_store(&error, after).await;
        }
        self.distribute(routed).await;
        last
    }

    /// Without a destination nothing becomes of events, so they need not be read.
    async fn pass_by(&self, after: Position, used: Position) -> Position {
        match self.store.route(vec![Routed { position: used, deliveries: Vec::new() }]).await {
            Ok(()) => used,
            Err(error) => self.wait_for_store(&error, after).await,
        }
    }

    async fn distribute(&self, routed: Vec<Routed>) {
        let mut joining: Vec<Vec<Joining>> = self.lines.iter().map(|_| Vec::new()).collect();
        for Routed { position, deliveries } in routed {
            for (number, (delivery, progress)) in deliveries.into_iter().enumerate() {
                let id = Id { position, number: number as u16 };
                let at = self.lines.iter().position(|line| line.connection.name == delivery.destination);
                let at = at.expect("deliveries are made for the connections that are there");
                self.lines[at].connection.count_created(&delivery);
                let owed = Owed { id, delivery, progress };
                match owed.progress.status.is_settled() {
                    true => self.lines[at].connection.count_settled(&owed),
                    false => joining[at].push(Joining::new(owed)),
                }
            }
        }
        for (line, joining) in self.lines.iter().zip(joining) {
            if !joining.is_empty() {
                let _ = line.inbox.send(joining).await;
            }
        }
    }

    async fn wait_for_store(&self, error: &store::Error, after: Position) -> Position {
        // The store itself says once what is wrong.
        tracing::debug!(%error, "The store is asked again in a second");
        tokio::time::sleep(STORE_PATIENCE).await;
        after
    }
}
