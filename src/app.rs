//! Builds every room from the settings, runs them, and drains them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::task::JoinHandle;

use crate::destination;
use crate::http::admin::{self, Admin};
use crate::http::ingest::{self, Ingest};
use crate::http::{self, Doors, Health};
use crate::instant::Timestamp;
use crate::mapping::Mappings;
use crate::metrics::Metrics;
use crate::router::{Connection, Router};
use crate::settings::Settings;
use crate::store::{self, Store};

/// How often old records are looked for.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);
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
    router: Router,
    doors: http::Running,
    trimming: JoinHandle<()>,
}

impl App {
    /// Builds and starts everything. When this returns, events are accepted and deliveries are on their way.
    pub async fn start(settings: Settings, mappings: Vec<Mappings>, clock: Clock) -> anyhow::Result<App> {
        let ingest = listen(settings.ingest.listen, "ingest.listen")?;
        let admin = listen(settings.admin.listen, "admin.listen")?;
        let metrics = Metrics::new();
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.config_last_reload_successful.set(1);
        metrics.config_last_reload_success_timestamp_seconds.set(clock().as_second());
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
        let connections = mappings.into_iter().filter(|mappings| mappings.enabled);
        let connections =
            connections.map(|mappings| connect(mappings, &metrics, &clock)).collect::<anyhow::Result<_>>()?;
        let luck = Arc::new(fastrand::f64);
        let router = Router::start(store.clone(), connections, &settings.delivery, clock.clone(), luck).await?;
        let trimming = tokio::spawn(trim(store.clone(), clock.clone()));
        let doors = open(&settings, Doors { ingest, admin }, &store, &metrics, &clock, &router)?;
        Ok(App { ingest: doors.ingest_address, admin: doors.admin_address, store, router, doors, trimming })
    }

    /// Resolves when storage or the engine failed for good: the process must end, and start again.
    pub async fn failed(&self) -> String {
        tokio::select! {
            reason = self.store.failure() => reason,
            reason = self.router.failed() => reason,
        }
    }

    /// Closes the doors, finishes what is under way, and lets go of the data.
    pub async fn stop(self) {
        if let Err(error) = self.doors.stop(true).await {
            tracing::warn!(%error, "A door did not close in order");
        }
        self.trimming.abort();
        self.router.stop(GRACE).await;
        self.store.close().await;
    }
}

fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}; {setting} names another address"))
}

fn open(
    settings: &Settings,
    doors: Doors,
    store: &Arc<dyn Store>,
    metrics: &Metrics,
    clock: &Clock,
    router: &Router,
) -> anyhow::Result<http::Running> {
    let health = Arc::new(Health::default());
    let (store, metrics, clock) = (store.clone(), metrics.clone(), clock.clone());
    let parts =
        ingest::Parts { store: store.clone(), metrics: metrics.clone(), clock: clock.clone(), health: health.clone() };
    let ingest = Ingest::new(settings.ingest.clone(), &settings.sources, parts)
        .map_err(|problems| anyhow!("the settings are wrong: {}", problems.join("; ")))?;
    let parts = admin::Parts { store, metrics, clock, health, refresh: Arc::new(router.refresher()) };
    let admin = Admin::new(&settings.admin, parts).map_err(anyhow::Error::msg)?;
    Ok(http::start(&settings.ingest, doors, ingest, admin)?)
}

fn connect(mappings: Mappings, metrics: &Metrics, clock: &Clock) -> anyhow::Result<Connection> {
    let name: Arc<str> = mappings.name.as_str().into();
    let Some(kind) = destination::kind(&mappings.kind) else {
        bail!("{name}: there is no destination `{}`", mappings.kind);
    };
    let context = destination::Context { name: name.clone(), metrics: metrics.clone(), clock: clock.clone() };
    let built = (kind.build)(&mappings.settings, context).map_err(anyhow::Error::msg);
    let built = built.with_context(|| format!("destination {name}"))?;
    Ok(Connection { name, mappings, destination: built, integrations: kind.integrations, metrics: metrics.clone() })
}

async fn trim(store: Arc<dyn Store>, clock: Clock) {
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        match store.trim(clock()).await {
            Ok(0) => {}
            Ok(records) => tracing::debug!(records, "Old records went"),
            Err(error) => tracing::warn!(%error, "Old records could not be removed; tried again in a minute"),
        }
    }
}
