//! `interline serve`: the router.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::reading::Reading;
use super::watch::reload_on_change;
use super::{Format, Stop, Verdict, files, report, runtime};
use crate::app::{self, App, Found};
use crate::settings::Settings;
use crate::telemetry;
use crate::yaml::Problems;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  INTERCOM_ACCESS_TOKEN=… interline serve --config interline.yaml\n\n\
    Every setting can also be given as INTERLINE_…: INTERLINE_INGEST__LISTEN=0.0.0.0:9000 sets ingest.listen.\n\n\
    Destination files are read again when they change, on SIGHUP, and on POST /api/reload of the admin API.")]
pub(super) struct Serve {
    /// The settings file.
    #[arg(long, env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let settings = match files::settings(self.config.as_deref())? {
            Ok(settings) => settings,
            Err(problems) => return refuse(&[problems]),
        };
        telemetry::start(&settings.log)?;
        let reading = Arc::new(Reading::new(&settings.mappings_dir, settings.sources.keys().cloned().collect()));
        let found = match load(&reading) {
            Ok(found) => found,
            Err(problems) => return refuse(&problems),
        };
        if settings.sources.is_empty() {
            bail!(
                "no source may send anything: name one under `sources`, e.g. sources: {{ website: {{ write_key: … }} }}"
            );
        }
        runtime()?.block_on(serve(settings, found, reading))
    }
}

fn refuse(problems: &[Problems]) -> anyhow::Result<Verdict> {
    report::write(problems, Format::Human);
    bail!("not started, because of {}", report::counted(report::count(problems).0, "error"))
}

/// Reads every destination file, or gives the problems of all of them.
fn load(reading: &Reading) -> Result<Vec<Found>, Vec<Problems>> {
    let found = reading.read().map_err(|problems| vec![problems])?;
    let (mut fine, mut refused) = (Vec::new(), Vec::new());
    for found in app::refuse_namesakes(found) {
        match found.compiled {
            Ok(compiled) => {
                for warning in compiled.problems.iter() {
                    tracing::warn!(file = %found.file, line = warning.place.line, code = warning.code, "{}", warning.message);
                }
                fine.push(Found { compiled: Ok(compiled), ..found });
            }
            Err(problems) => refused.push(problems),
        }
    }
    if refused.is_empty() { Ok(fine) } else { Err(refused) }
}

async fn serve(settings: Settings, found: Vec<Found>, reading: Arc<Reading>) -> anyhow::Result<Verdict> {
    let mut stop = Stop::listen()?;
    let mut hangup = signal(SignalKind::hangup())?;
    let again = reading.clone();
    let app =
        App::start(settings, found, Arc::new(move || again.read()), app::clock()).await.context("cannot start")?;
    tracing::info!(ingest = %app.ingest, admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "Ready");
    let watching = tokio::spawn(reload_on_change(reading, app.reloader.clone()));
    loop {
        tokio::select! {
            () = stop.asked() => break,
            Some(()) = hangup.recv() => {
                tracing::info!("SIGHUP: reading the destination files");
                // It runs by itself, so that a signal to stop need not wait for it.
                drop(app.reloader.reload());
            }
            reason = app.failed() => bail!("{reason}; the service ends so that it starts again from what is on disk"),
        }
    }
    watching.abort();
    tracing::info!("Stopping: finishing what is under way");
    tokio::select! {
        () = app.stop() => {}
        // A second signal does not wait.
        () = stop.asked() => {}
    }
    Ok(Verdict::Fine)
}
