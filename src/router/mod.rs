//! The engine: follows the log of accepted events, turns each into deliveries, and brings every delivery to its end.
//!
//! ```text
//!   follower ─ reads the log, routes each event (route), tells the stages ─┐
//!   stage ─ one task for each connection ◀──────────────────────────────────┘
//!     ├─ asks its conductor what to do now: begin an attempt · read a page of what is open · probe
//!     └─ has each delivery brought (bring → passed → load → attempt), and tells the conductor what came of it
//! ```
//!
//! What decides is pure and lies beside: `conductor` (with `lanes`, `pace`, `standstill`), `known` (what older calls must not
//! write over) and `delivery::retry`; time and what happened are told to it. `simulation` runs it through made-up histories.
//!
//! # Why
//! Connections are replaced while everything runs ([`Router::replace`]). The follower does it between two steps of
//! events, so each event is routed by one set of mappings; a delivery is mapped before it is owed, so what is under way or
//! waits stays as it was; and a conductor keeps its lines whatever happens to its connection, so order needs no care.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

mod attempt;
mod bring;
mod conductor;
pub mod erase;
mod follower;
mod known;
mod lanes;
mod letters;
mod load;
mod pace;
mod passed;
pub mod replay;
mod route;
mod stage;
mod standstill;
mod under_way;

use crate::delivery::retry;
use crate::destination::Destination;
use crate::instant::Timestamp;
use crate::mapping::Mappings;
use crate::metrics::Metrics;
use crate::store::live::Live;
use crate::store::{self, Store};
use follower::{Follower, Gauges, Replacement, Request};
pub use letters::Letters;
pub use pace::breaker::Settings as BreakerSettings;
pub use pace::{Board, Pauses, Standing};
pub use under_way::UnderWay;

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
    /// Attempts under way at once for each destination, at most. It is fewer as long as the destination fails or is slow.
    #[schemars(range(min = 1, max = 10000))]
    pub at_once_max: usize,
    /// Seconds between looks at whether refused credentials work again.
    #[schemars(range(min = 0.001, max = 86400.0))]
    pub probe_interval_secs: f64,
    /// When a destination that fails whatever it is sent is left alone.
    pub breaker: pace::breaker::Settings,
}

impl Default for PaceSettings {
    fn default() -> Self {
        PaceSettings { at_once_max: 32, probe_interval_secs: 60.0, breaker: Default::default() }
    }
}

/// One destination instance: what its author wants, and how to reach it.
pub struct Connection {
    /// The destination file's name.
    pub name: Arc<str>,
    /// What becomes what.
    pub mappings: Mappings,
    /// How to reach it.
    pub destination: Arc<dyn Destination>,
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
    /// What is being attempted.
    pub under_way: UnderWay,
    /// What an operator paused.
    pub pauses: Pauses,
    /// Where conductors show how they stand.
    pub board: Board,
    /// Who watches.
    pub live: Live,
}

impl Surroundings {
    /// This clock and this luck, and nothing paused yet.
    pub fn new(
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        luck: Arc<dyn Fn() -> f64 + Send + Sync>,
    ) -> Surroundings {
        Surroundings {
            live: Live::new(clock.clone()),
            clock,
            luck,
            retry: retry::Settings::default(),
            under_way: UnderWay::default(),
            pauses: Pauses::default(),
            board: Board::default(),
        }
    }
}

/// The running engine.
pub struct Router {
    stop: watch::Sender<bool>,
    follower: JoinHandle<()>,
    requests: mpsc::Sender<Request>,
    ended: watch::Receiver<bool>,
    gauges: Gauges,
    around: Surroundings,
    written: replay::Written,
    letters: Letters,
    store: Arc<dyn Store>,
}

/// Waits before a store is asked again that could not do something.
async fn wait_for_store(error: &store::Error) {
    const PATIENCE: Duration = Duration::from_secs(1);
    // The store itself says once what is wrong.
    tracing::debug!(%error, "The store is asked again in a second");
    tokio::time::sleep(PATIENCE).await;
}

impl Router {
    /// Takes up what is open in the store, then follows the log. Returns when both have begun; nobody waits for how much is
    /// open.
    pub async fn start(
        store: Arc<dyn Store>,
        connections: Vec<Arc<Connection>>,
        settings: &Settings,
        surroundings: Surroundings,
    ) -> store::Result<Router> {
        let (stop, stopped) = watch::channel(false);
        let (over, ended) = watch::channel(false);
        let (requests, requested) = mpsc::channel(1);
        let surroundings = Surroundings { retry: settings.retry.clone(), ..surroundings };
        let around = surroundings.clone();
        let over = Arc::new(over);
        let last_words = LastWords(over.clone());
        let (written, rewritten) = (replay::Written::default(), replay::Written::default());
        let letters = Letters {
            requests: requests.clone(),
            store: store.clone(),
            clock: surroundings.clock.clone(),
            written: rewritten.clone(),
            used: Arc::default(),
        };
        let known = (written.clone(), rewritten);
        let mut follower = Follower::new(store.clone(), surroundings, settings.pace.clone(), (stopped, over), known);
        let gauges = follower.gauges();
        follower.take_up(connections).await?;
        let follower = tokio::spawn(async move {
            let _last_words = last_words;
            follower.run(requested).await;
        });
        Ok(Router { stop, follower, requests, ended, gauges, around, written, letters, store })
    }

    /// A handle to replace connections with.
    pub fn replacer(&self) -> Replacer {
        Replacer(self.requests.clone())
    }

    /// A handle to do something with dead letters.
    pub fn letters(&self) -> Letters {
        self.letters.clone()
    }

    /// Where replays are begun, and the one who works on them; `connections` are those that are in force.
    pub async fn replays(&self, connections: replay::Connections) -> store::Result<(replay::Desk, replay::Feeder)> {
        let (clock, board) = (self.around.clock.clone(), self.around.board.clone());
        replay::Feeder::new(self.store.clone(), clock, (connections, board), self.written.clone()).await
    }

    /// Where it can be watched what happens.
    pub fn live(&self) -> Live {
        self.around.live.clone()
    }

    /// What is being attempted.
    pub fn under_way(&self) -> UnderWay {
        self.around.under_way.clone()
    }

    /// What an operator paused, and the way to pause and to resume.
    pub fn pauses(&self) -> Pauses {
        self.around.pauses.clone()
    }

    /// How each connection stands.
    pub fn board(&self) -> Board {
        self.around.board.clone()
    }

    /// Stops starting attempts, and waits for those under way, `grace` at most. What is not finished then is attempted
    /// again after the next start.
    pub async fn stop(self, grace: Duration) {
        self.stop.send_replace(true);
        let abort = self.follower.abort_handle();
        if tokio::time::timeout(grace, self.follower).await.is_err() {
            tracing::warn!(
                "Attempts were still under way at the end of the grace period and are made again after the next start"
            );
            abort.abort();
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
        let (gauges, clock) = (self.gauges.clone(), self.around.clock.clone());
        move || gauges.refresh(clock())
    }
}

/// Replaces the connections of a running engine.
#[derive(Clone)]
pub struct Replacer(mpsc::Sender<Request>);

impl Replacer {
    /// From now on these are the connections. Events are routed wholly by the ones before or wholly by these, in order;
    /// attempts under way finish on the connection they began on, later ones are made on the new connection of that name.
    /// What is owed to a name that is not among them is kept, in order, until it is again. Resolves when it is so; when
    /// the engine is being stopped, at once.
    pub async fn replace(&self, connections: Vec<Arc<Connection>>) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(Request::Replace(Replacement { connections, done })).await.is_ok() {
            let _ = is_done.await;
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

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
