//! Reading the destination files again while everything runs: on a change, on a signal, on request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinError;

use super::in_force::{Change, Found, InForce};
use super::{Clock, connect};
use crate::http::Health;
use crate::http::admin::{FileProblem, Report};
use crate::metrics::Metrics;
use crate::router::{Connection, Replacer};
use crate::yaml::{Place, Problems, Severity};

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
        start: &Report,
    ) -> Reloader {
        let connections = RwLock::new(in_force.connections());
        let (in_force, runtime) = (Mutex::new(in_force), Handle::current());
        let parts = Parts { read, in_force, connections, replacer, data_dir, metrics, health, clock, runtime };
        let reloader = Reloader(Arc::new(parts));
        reloader.0.show(start);
        reloader
    }

    /// Reads all files and puts in force what is different and in order. Resolves when the next event is routed by it.
    /// Reloads follow one another. One that was begun is finished, also when nobody waits for it any more.
    pub fn reload(&self) -> BoxFuture<'static, Report> {
        let parts = self.0.clone();
        let reloading = self.0.runtime.spawn(async move { parts.reload().await });
        Box::pin(async move {
            reloading.await.unwrap_or_else(|error| {
                tracing::error!(%error, "A reload has ended unexpectedly; what was in force before stays in force");
                Report { refused: vec!["all".to_owned()], ..Report::default() }
            })
        })
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
        let found = self.runtime.spawn_blocking(move || read()).await.unwrap_or_else(|error| Err(unread(&error)));
        let around = (self.data_dir.as_path(), &self.metrics, &self.clock);
        let change = match found {
            Ok(found) => in_force.take(found, &|mappings, built| caught(|| connect(mappings, built, around))),
            Err(problems) => in_force.refuse(&problems),
        };
        if change.takes_effect() {
            let connections = in_force.connections();
            *self.connections.write().unwrap_or_else(PoisonError::into_inner) = connections.clone();
            tell(&change);
            self.show(&change.report);
            // This waits for the engine, and the engine may wait for a store that is out of order.
            self.replacer.replace(connections).await;
        } else {
            tell(&change);
            self.show(&change.report);
        }
        change.report
    }

    /// Brings metrics and health up to date.
    fn show(&self, report: &Report) {
        self.metrics.config_last_reload_successful.set(report.is_fine().into());
        if report.is_fine() {
            self.metrics.config_last_reload_success_timestamp_seconds.set((self.clock)().as_second());
        }
        let refused = (!report.is_fine()).then(|| {
            format!("refused: {}; what was in force of them before stays in force", report.refused.join(", "))
        });
        self.health.refuses(refused);
    }
}

/// Why nothing was read, when reading itself failed.
fn unread(error: &JoinError) -> Problems {
    let mut problems = Problems::new("destination files", "");
    let place = Place { line: 1, column: 1, ..Place::default() };
    problems.error("folder_unreadable", &place, "", format!("reading ended unexpectedly: {error}"));
    problems
}

/// A panic as a refusal: one file must not take the others along.
pub(super) fn caught<T>(build: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|_| {
        Err("these settings made building the destination fail unexpectedly; the log holds the reason".to_owned())
    })
}

/// Says once what is different.
pub(super) fn tell(Change { report, news, mended }: &Change) {
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
            tracing::error!(%file, line, column, code, "{file}:{line}:{column}: {message}{help}; the file is refused, and what was in force of it before stays");
        }
        Severity::Warning => tracing::warn!(%file, line, column, code, "{file}:{line}:{column}: {message}{help}"),
    }
}
