//! `interline test`: the tests that stand in destination files. Sends nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::terminal::Look;
use super::watch::Interest;
use super::{Format, Verdict, cases, files, print, report, runtime};
use crate::destination::Difference;
use crate::mapping::compile::Compiled;
use crate::yaml::{Missing, Problems};

mod junit;
mod page;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  interline test\n  interline test mappings/intercom.yaml --filter revenue --watch\n  \
    interline test --junit report.xml\n\n\
    A test stands in a destination file, under `tests`:\n\n  \
    tests:\n    - name: revenue becomes exact cents\n      \
    event: { type: track, userId: u1, event: Order Completed, properties: { revenue: 19.99 } }\n      \
    expect:\n        - mapping: Order value\n          payload: { metadata: { price: { amount: 1999, currency: USD } } }"
)]
pub(super) struct Test {
    /// Destination files, or folders of them. Without any: the folder that the settings name.
    paths: Vec<PathBuf>,
    /// The settings file.
    #[arg(long, env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Run only the tests whose name contains this, whatever its capitals.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Run again whenever one of the files changes, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Also write the results to a file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of all files.
#[derive(Debug, Serialize)]
struct Run {
    files: Vec<Tested>,
    passed: usize,
    failed: usize,
    seconds: f64,
}

/// What became of one file.
#[derive(Debug, Serialize)]
struct Tested {
    file: String,
    /// What makes the file unusable; its tests are not run then.
    errors: usize,
    tests: Vec<Ran>,
}

/// What became of one test.
#[derive(Debug, Serialize)]
struct Ran {
    name: String,
    line: usize,
    passed: bool,
    differences: Vec<Difference>,
    seconds: f64,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let paths = match self.paths.is_empty() {
            true => vec![files::mappings_dir(self.config.as_deref())?],
            false => self.paths.clone(),
        };
        runtime()?.block_on(async {
            match self.watch {
                true => self.whenever_changed(&paths).await,
                false => self.once(&paths).await,
            }
        })
    }

    /// Runs the tests now and whenever a file has changed. Never ends by itself, except when nothing can be watched.
    async fn whenever_changed(&self, paths: &[PathBuf]) -> anyhow::Result<Verdict> {
        let (folders, named): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(|path| files::is_folder(path));
        loop {
            // Files in folders may be links: where these lead matters too.
            let found = files::destination_files(paths).unwrap_or_default();
            let interest = Interest::new(&folders, named.iter().cloned().chain(found));
            let mut watching = interest.watch().context("cannot watch the files")?;
            // A file that is being replaced may be gone for a moment; that is no reason to stop watching.
            if let Err(error) = self.once(paths).await {
                super::complain(format!("error: {error:#}"));
            }
            eprintln!("Waiting for changes; Ctrl-C ends.");
            watching.changed().await;
        }
    }

    async fn once(&self, paths: &[PathBuf]) -> anyhow::Result<Verdict> {
        let started = Instant::now();
        let (mut run, mut refused) = (Run { files: Vec::new(), passed: 0, failed: 0, seconds: 0.0 }, Vec::new());
        let mut below = Vec::new();
        for path in paths {
            match files::destination_files(std::slice::from_ref(path))? {
                // Nothing tested must not look like all is well: a folder may be misnamed.
                found if found.is_empty() => {
                    let message = "no destination file is in this folder, so nothing is tested";
                    refused.push(files::unreadable(path, "no_files", message.to_owned()));
                }
                found => below.extend(found),
            }
        }
        for path in below {
            let file = path.display().to_string();
            let (tests, errors) = match files::compile(&path, None, Missing::Ignored) {
                Ok(compiled) => (self.tests(&compiled).await?, 0),
                Err(problems) => {
                    let errors = report::count(std::slice::from_ref(&problems)).0;
                    refused.push(problems);
                    (Vec::new(), errors)
                }
            };
            run.files.push(Tested { file, errors, tests });
        }
        run.conclude(started.elapsed());
        self.show(&run, &refused)?;
        Ok(if run.failed > 0 || !refused.is_empty() { Verdict::Problems } else { Verdict::Fine })
    }

    /// Runs the tests of one file.
    async fn tests(&self, compiled: &Compiled) -> anyhow::Result<Vec<Ran>> {
        let filter = self.filter.as_deref().map(str::to_lowercase);
        let mut ran = Vec::new();
        for test in &compiled.tests {
            if filter.as_ref().is_some_and(|filter| !test.name.to_lowercase().contains(filter)) {
                continue;
            }
            let started = Instant::now();
            let differences = match cases::event(test) {
                Ok(event) => cases::run(&compiled.mappings, test, &event).await?,
                Err(problem) => vec![Difference {
                    mapping: String::new(),
                    path: "event".to_owned(),
                    expected: "an event".to_owned(),
                    found: format!("it would be refused: {}: {}", problem.code.word(), problem.message),
                }],
            };
            ran.push(Ran {
                name: test.name.clone(),
                line: test.place.line,
                passed: differences.is_empty(),
                differences,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
        Ok(ran)
    }

    fn show(&self, run: &Run, refused: &[Problems]) -> anyhow::Result<()> {
        if let Some(path) = &self.junit {
            let text = junit::document(run, refused);
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        match self.format {
            Format::Human => {
                report::write(refused, Format::Human);
                print(page::page(run, self.filter.as_deref(), Look::of_stdout()).trim_end());
            }
            Format::Json => {
                let mut document = serde_json::to_value(run)?;
                document["problems"] = report::json(refused)["problems"].take();
                print(document);
            }
        }
        Ok(())
    }
}

impl Run {
    fn conclude(&mut self, elapsed: Duration) {
        let all = || self.files.iter().flat_map(|file| &file.tests);
        self.passed = all().filter(|test| test.passed).count();
        self.failed = all().count() - self.passed;
        self.seconds = elapsed.as_secs_f64();
    }
}
