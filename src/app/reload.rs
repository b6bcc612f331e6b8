//! Reading the destination files again while everything runs: on a change, on a signal, on request.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::in_force::{Change, Found, InForce};
use super::{Clock, connect};
use crate::http::Health;
use crate::http::admin::{FileProblem, Report};
use crate::metrics::Metrics;
use crate::router::{Connection, Replacer};
use crate::yaml::{Problems, Severity};

/// Reads every destination file. An error: they could not be listed. Blocks.
pub type Read = Arc<dyn Fn() -> Result<Vec<Found>, Problems> + Send + Sync>;

/// Puts changed destination files in force.
#[derive(Clone)]
pub struct Reloader(Arc<Parts>);

struct Parts {
    read: Read,
    in_force: Mutex<InForce>,
    /// The connections of what is in force.
    connections: RwLock<Vec<Arc<Connection>>>,
    replacer: Replacer,
    data_dir: PathBuf,
    metrics: Metrics,
    health: Arc<Health>,
    clock: Clock,
    runtime: Handle,
}

impl Reloader {
    pub(super) fn new(
        read: Read,
        in_force: InForce,
        replacer: Replacer,
        (data_dir, metrics, health, clock): (PathBuf, Metrics, Arc<Health>, Clock),
    ) -> Reloader {
        let connections = RwLock::new(in_force.connections());
        let (in_force, runtime) = (Mutex::new(in_force), Handle::current());
        let parts = Parts { read, in_force, connections, replacer, data_dir, metrics, health, clock, runtime };
        let reloader = Reloader(Arc::new(parts));
        reloader.0.show(&Report::default());
        reloader
    }

    /// Reads all files and puts in force what is different and in order. Resolves when the next event is routed by it.
    /// Reloads follow one another. One that was begun is finished, also when nobody waits for it any more.
    pub fn reload(&self) -> BoxFuture<'static, Report> {
        let parts = self.0.clone();
        let reloading = self.0.runtime.spawn(async move { parts.reload().await });
        Box::pin(async move { reloading.await.expect("a reload does not panic and is not aborted") })
    }

    /// The connections that are in force.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        self.0.connections.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Parts {
    async fn reload(&self) -> Report {
        let mut in_force = self.in_force.lock().await;
        let read = self.read.clone();
        let found = self.runtime.spawn_blocking(move || read()).await.expect("reading does not panic");
        let around = (self.data_dir.as_path(), &self.metrics, &self.clock);
        let change = match found {
            Ok(found) => in_force.take(found, &|mappings, built| connect(mappings, built, around)),
            Err(problems) => in_force.refuse(&problems),
        };
        if change.takes_effect() {
            let connections = in_force.connections();
            *self.connections.write().unwrap_or_else(PoisonError::into_inner) = connections.clone();
            self.replacer.replace(connections).await;
        }
        tell(&change);
        self.show(&change.report);
        change.report
    }

    /// Brings metrics and health up to date.
    fn show(&self, report: &Report) {
        self.metrics.config_last_reload_successful.set(report.is_fine().into());
        if report.is_fine() {
            self.metrics.config_last_reload_success_timestamp_seconds.set((self.clock)().as_second());
        }
        let refused = (!report.is_fine())
            .then(|| format!("refused: {}; what was in force before stays in force", report.refused.join(", ")));
        self.health.refuses(refused);
    }
}

/// Says once what is different.
fn tell(Change { report, news, mended }: &Change) {
    for name in &report.added {
        tracing::info!(destination.name = %name, "The destination {name} is in force");
    }
    for name in &report.changed {
        tracing::info!(destination.name = %name, "The changed file of the destination {name} is in force");
    }
    for name in &report.removed {
        tracing::info!(destination.name = %name, "The file of the destination {name} is gone, and so is the destination");
    }
    for file in mended {
        tracing::info!(%file, "{file} is not refused any more");
    }
    news.iter().for_each(tell_problem);
}

fn tell_problem(FileProblem { file, problem }: &FileProblem) {
    let (line, column, code) = (problem.place.line, problem.place.column, problem.code);
    let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let message = &problem.message;
    match problem.severity {
        Severity::Error => {
            tracing::error!(%file, line, column, code, "{file}:{line}:{column}: {message}{help}; the file is refused, what was in force before stays");
        }
        Severity::Warning => tracing::warn!(%file, line, column, code, "{file}:{line}:{column}: {message}{help}"),
    }
}
