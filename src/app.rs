//! Builds every room from the settings, runs them, and drains them.

use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::destination::{self, Destination};
use crate::http::admin::{self, Admin, Erase, Hand, Hands, Refused, Report, Standings};
use crate::http::ingest::{self, Ingest};
use crate::http::{self, Doors, Health};
use crate::instant::Timestamp;
use crate::mapping::Mappings;
use crate::metrics::Metrics;
use crate::router::erase::{Eraser, Wish};
use crate::router::{Board, Connection, Router, Surroundings, UnderWay};
use crate::settings::Settings;
use crate::store::{self, Store};

mod in_force;
pub mod memory;
mod pausing;
mod reload;
mod replays;
mod trimming;

use in_force::InForce;
pub use in_force::{Fingerprint, Found, refuse_namesake, refuse_namesakes};
use memory::Folder;
use pausing::Pausing;
pub use reload::{Read, Reloader};
use reload::{caught, tell};

/// How long attempts that are under way may take at the end.
const GRACE: Duration = Duration::from_secs(10);

/// Where time comes from.
pub type Clock = http::Clock;

/// The clock of this machine: the one place that reads it.
pub fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "everything else is given this clock")]
    let now = Timestamp::now;
    Arc::new(now)
}

/// A running service.
pub struct App {
    /// Where the tracking API listens.
    pub ingest: SocketAddr,
    /// Where metrics, health and deliveries are served.
    pub admin: SocketAddr,
    /// The queue.
    pub store: Arc<dyn Store>,
    /// Puts changed destination files in force.
    pub reloader: Reloader,
    router: Router,
    doors: http::Running,
    /// What works beside the doors and the engine, for as long as the service runs.
    beside: [JoinHandle<()>; 2],
    /// Which of these has ended although nobody stopped it.
    ended: watch::Sender<Option<&'static str>>,
}

impl App {
    /// Builds and starts everything. When this returns, events are accepted and deliveries are on their way. `found` are
    /// the destination files to start with, of which those in order are put in force; `read` reads them again. An error: there
    /// is none in order, or something cannot be opened.
    pub async fn start(settings: Settings, found: Vec<Found>, read: Read, clock: Clock) -> anyhow::Result<App> {
        let ingest = listen(settings.ingest.listen, "ingest.listen")?;
        let admin = listen(settings.admin.listen, "admin.listen")?;
        let metrics = Metrics::new();
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let opening = store::Opening {
            settings: &settings.queue.keep,
            directory: &settings.data_dir,
            metrics: &metrics,
            now: clock(),
        };
        let store = settings
            .queue
            .engine
            .open(&opening)
            .with_context(|| format!("cannot open the data directory {}", settings.data_dir.display()))?;
        let (in_force, start) = put_in_force(found, (&settings.data_dir, &metrics, &clock))?;
        let (connections, luck) = (in_force.connections(), Arc::new(fastrand::f64));
        let surroundings = Surroundings::new(clock.clone(), luck);
        let pausing = Pausing::take_up(&settings.data_dir, surroundings.pauses.clone(), clock())
            .with_context(|| format!("cannot read what is paused in {}", settings.data_dir.display()))?;
        let router = Router::start(store.clone(), connections, &settings.delivery, surroundings).await?;
        let health = Arc::new(Health::default());
        let surroundings = (settings.data_dir.clone(), metrics.clone(), health.clone(), clock.clone());
        let reloader = Reloader::new(read, in_force, router.replacer(), surroundings, &start);
        let (again, current) = (reloader.clone(), reloader.clone());
        let hands: Hands = Arc::new(move || current.connections().iter().filter_map(|one| hand(one)).collect());
        let letters = router.letters();
        let in_force_now = reloader.clone();
        let (desk, feeder) = router.replays(Arc::new(move || in_force_now.connections())).await?;
        let ended = watch::Sender::new(None);
        let trimming = beside("removing old records", trimming::trim(store.clone(), clock.clone()), &ended);
        let feeding = beside("feeding replays", feeder.run(), &ended);
        let parts = admin::Parts {
            live: router.live(),
            replays: replays::answerer(desk, reloader.clone()),
            letters: Arc::new(move |handling| {
                let letters = letters.clone();
                Box::pin(async move { letters.handle(handling).await })
            }),
            store: store.clone(),
            metrics,
            clock: clock.clone(),
            health,
            refresh: Arc::new(router.refresher()),
            reload: Arc::new(move || again.reload()),
            erase: eraser(store.clone(), hands.clone(), router.under_way(), clock.clone()),
            hands,
            sources: settings.sources.keys().cloned().collect(),
            standings: standings(router.board()),
            pause: Arc::new(move |name, to| match to {
                Some(now) => pausing.pause(name, now).map(Some),
                None => pausing.resume(name).map(|_| None),
            }),
        };
        let doors = open(&settings, Doors { ingest, admin }, parts)?;
        let (ingest, admin) = (doors.ingest_address, doors.admin_address);
        Ok(App { ingest, admin, store, reloader, router, doors, beside: [trimming, feeding], ended })
    }

    /// Resolves when storage or the engine failed for good: the process must end, and start again.
    pub async fn failed(&self) -> String {
        tokio::select! {
            reason = self.store.failure() => reason,
            reason = self.router.failed() => reason,
            reason = self.has_ended() => reason,
        }
    }

    async fn has_ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|what| *what) {
            Ok(Some(what)) => format!("{what} has ended unexpectedly"),
            // The sender is ours.
            _ => std::future::pending().await,
        }
    }

    /// Closes the doors, finishes what is under way, and lets go of the data.
    pub async fn stop(self) {
        if let Err(error) = self.doors.stop(true).await {
            tracing::warn!(%error, "A door did not close in order");
        }
        self.beside.iter().for_each(JoinHandle::abort);
        self.router.stop(GRACE).await;
        self.store.close().await;
    }
}

/// Sets something to work that never ends by itself; that it has is told, also after a panic, which is a bug of ours.
fn beside(
    what: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
    ended: &watch::Sender<Option<&'static str>>,
) -> JoinHandle<()> {
    let ended = ended.clone();
    tokio::spawn(async move {
        let _ = AssertUnwindSafe(work).catch_unwind().await;
        ended.send_replace(Some(what));
    })
}

fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}; {setting} names another address"))
}

fn open(settings: &Settings, doors: Doors, parts: admin::Parts) -> anyhow::Result<http::Running> {
    let (store, metrics, clock) = (parts.store.clone(), parts.metrics.clone(), parts.clock.clone());
    let ingest = ingest::Parts { store, metrics, clock, health: parts.health.clone() };
    let ingest = Ingest::new(settings.ingest.clone(), &settings.sources, ingest)
        .map_err(|problems| anyhow!("the settings are wrong: {}", problems.join("; ")))?;
    let admin = Admin::new(&settings.admin, parts).map_err(anyhow::Error::msg)?;
    Ok(http::start(&settings.ingest, doors, ingest, admin)?)
}

/// What the service starts with. A file that is refused is left out, so that events are taken in and the other
/// destinations served; when there is no other, the start ends.
fn put_in_force(found: Vec<Found>, around: (&Path, &Metrics, &Clock)) -> anyhow::Result<(InForce, Report)> {
    let mut in_force = InForce::default();
    let change = in_force.take(found, &|mappings, built| caught(|| connect(mappings, built, around)));
    match change.report.problems.first() {
        Some(first) if change.report.added.is_empty() => bail!("{}: {}", first.file, first.problem.message),
        _ => {
            tell(&change);
            Ok((in_force, change.report))
        }
    }
}

/// The connection of a destination file, around a destination that was `built` before, or a new one.
fn connect(
    mappings: Mappings,
    built: Option<Arc<dyn Destination>>,
    (data_dir, metrics, clock): (&Path, &Metrics, &Clock),
) -> Result<Connection, String> {
    let name: Arc<str> = mappings.name.as_str().into();
    let kind = destination::kind(&mappings.kind);
    let kind = kind.ok_or_else(|| format!("{name}: there is no destination `{}`", mappings.kind))?;
    let destination = match built {
        Some(built) => built,
        None => {
            let context = destination::Context {
                name: name.clone(),
                metrics: metrics.clone(),
                clock: clock.clone(),
                memory: Some(Arc::new(Folder::of(data_dir, &name))),
            };
            (kind.build)(&mappings.settings, context)?.into()
        }
    };
    Ok(Connection { name, mappings, destination, integrations: kind.integrations, metrics: metrics.clone() })
}

/// A connection as people use it by hand.
fn hand(connection: &Connection) -> Option<Hand> {
    let kind = destination::kind(&connection.mappings.kind)?;
    Some(Hand { name: connection.name.clone(), kind, destination: connection.destination.clone() })
}

/// How every connection stands, as the admin API shows it.
fn standings(board: Board) -> Standings {
    let shown = |standing| serde_json::to_value(standing).expect("a standing is plain data");
    Arc::new(move || board.all().into_iter().map(|(name, standing)| (name, shown(standing))).collect())
}

/// Deletes people at the destinations that are in force.
fn eraser(store: Arc<dyn Store>, hands: Hands, under_way: UnderWay, clock: Clock) -> Erase {
    Arc::new(move |wish| {
        let (store, hands, under_way, clock) = (store.clone(), hands(), under_way.clone(), clock.clone());
        Box::pin(async move {
            let wish: Wish = serde_json::from_value(wish).map_err(|error| Refused::Wish(error.to_string()))?;
            let subject = wish.subject().map_err(Refused::Wish)?;
            if let Some(name) = wish.destination.as_deref().filter(|name| hands.iter().all(|hand| *hand.name != **name))
            {
                return Err(Refused::Wish(format!("there is no destination `{name}`, or it is switched off")));
            }
            let destinations = hands.into_iter().map(|hand| (hand.name.to_string(), hand.destination)).collect();
            let receipt = Eraser { store, destinations, under_way, clock }.erase(&wish, subject).await;
            let receipt = receipt.map_err(Refused::Store)?;
            Ok(serde_json::to_value(receipt).expect("a receipt is plain data"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_ends_although_it_never_should_is_told() {
        let ended = watch::Sender::new(None);
        let stopped = beside("what was stopped", std::future::pending(), &ended);
        stopped.abort();
        assert!(stopped.await.unwrap_err().is_cancelled() && ended.borrow().is_none());
        beside("what panics", async { panic!("a bug") }, &ended).await.unwrap();
        assert_eq!(*ended.borrow(), Some("what panics"));
    }
}
