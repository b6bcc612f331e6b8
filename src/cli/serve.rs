//! `interline serve`: the router.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::{Format, Stop, Verdict, files, report, runtime};
use crate::app::{self, App};
use crate::mapping::Mappings;
use crate::settings::Settings;
use crate::telemetry;
use crate::yaml::Problems;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  INTERCOM_ACCESS_TOKEN=… interline serve --config interline.yaml\n\n\
    Every setting can also be given as INTERLINE_…: INTERLINE_INGEST__LISTEN=0.0.0.0:9000 sets ingest.listen.")]
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
        let mappings = match load(&settings)? {
            Ok(mappings) => mappings,
            Err(problems) => return refuse(&problems),
        };
        if settings.sources.is_empty() {
            bail!(
                "no source may send anything: name one under `sources`, e.g. sources: {{ website: {{ write_key: … }} }}"
            );
        }
        runtime()?.block_on(serve(settings, mappings))
    }
}

fn refuse(problems: &[Problems]) -> anyhow::Result<Verdict> {
    report::write(problems, Format::Human);
    bail!("not started, because of {} errors", report::count(problems).0)
}

/// Compiles every destination file, or gives the problems of all of them.
fn load(settings: &Settings) -> anyhow::Result<Result<Vec<Mappings>, Vec<Problems>>> {
    let sources: Vec<String> = settings.sources.keys().cloned().collect();
    let (mut mappings, mut refused) = (Vec::new(), Vec::new());
    for path in files::in_folder(&settings.mappings_dir)? {
        match files::compile(&path, Some(&sources), files::Unset::Refused)? {
            Ok(compiled) => {
                for warning in compiled.problems.iter() {
                    tracing::warn!(file = %path.display(), line = warning.place.line, code = warning.code, "{}", warning.message);
                }
                mappings.push(compiled.mappings);
            }
            Err(problems) => refused.push(problems),
        }
    }
    if mappings.is_empty() && refused.is_empty() {
        bail!(
            "there is no destination file (*.yaml) in {}, so events would go nowhere; mappings/intercom.yaml is one to start from",
            settings.mappings_dir.display()
        );
    }
    Ok(if refused.is_empty() { Ok(mappings) } else { Err(refused) })
}

async fn serve(settings: Settings, mappings: Vec<Mappings>) -> anyhow::Result<Verdict> {
    let mut stop = Stop::listen()?;
    let app = App::start(settings, mappings, app::clock()).await.context("cannot start")?;
    tracing::info!(ingest = %app.ingest, admin = %app.admin, version = env!("CARGO_PKG_VERSION"), "Ready");
    tokio::select! {
        () = stop.asked() => {}
        reason = app.failed() => bail!("{reason}; the service ends so that it starts again from what is on disk"),
    }
    tracing::info!("Stopping: finishing what is under way");
    tokio::select! {
        () = app.stop() => {}
        // A second signal does not wait.
        () = stop.asked() => {}
    }
    Ok(Verdict::Fine)
}
