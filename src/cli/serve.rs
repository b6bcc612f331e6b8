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
        let runtime = runtime()?;
        let verdict = runtime.block_on(serve(settings, found, reading));
        // A reading that hangs, on a network file system say, is not waited for.
        runtime.shutdown_background();
        verdict
    }
}

fn refuse(problems: &[Problems]) -> anyhow::Result<Verdict> {
    report::write(problems, Format::Human);
    bail!("not started, because of {}", report::counted(report::count(problems).0, "error"))
}

/// Reads every destination file, or gives the problems of all of them when none can be used.
fn load(reading: &Reading) -> Result<Vec<Found>, Vec<Problems>> {
    let found = app::refuse_namesakes(reading.read().map_err(|problems| vec![problems])?);
    match found.iter().any(|found| found.compiled.is_ok()) {
        true => Ok(found),
        false => Err(found.into_iter().filter_map(|found| found.compiled.err()).collect()),
    }
}

async fn serve(settings: Settings, found: Vec<Found>, reading: Arc<Reading>) -> anyhow::Result<Verdict> {
    let mut stop = Stop::listen()?;
    let mut hangup = signal(SignalKind::hangup())?;
    let again = reading.clone();
    let app =
        App::start(settings, found, Arc::new(move || again.read()), app::clock()).await.context("cannot start")?;
    tracing::info!(ingest = %app.ingest, admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "Ready");
    let mut watching = tokio::spawn(reload_on_change(reading, app.reloader.clone()));
    let mut is_watched = true;
    loop {
        tokio::select! {
            () = stop.asked() => break,
            ended = &mut watching, if is_watched => {
                is_watched = false;
                tracing::error!(?ended, "The destination files are not watched any more; SIGHUP and POST /api/reload read them");
            }
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
