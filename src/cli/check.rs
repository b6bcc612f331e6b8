//! `interline check`: every mistake in settings and destination files, at once.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Format, Verdict, cases, files, report};
use crate::app;
use crate::mapping::compile::SEGMENT_DIFFERS;
use crate::yaml::{Missing, Place, Problem, Problems};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline check\n  interline check mappings/intercom.yaml --deny-warnings")]
pub(super) struct Check {
    /// Destination files, folders of them, or a settings file (interline.yaml). Without any: the settings, and the
    /// folder they name.
    paths: Vec<PathBuf>,
    /// The settings file.
    #[arg(long, env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Treat warnings as errors, except those about what Segment would make of a trigger (`segment_differs`).
    #[arg(long)]
    deny_warnings: bool,
    /// How problems are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let mut found = Vec::new();
        let mut checked = 0;
        let (mut sources, mut folder, mut paths) = (None, Vec::new(), Vec::new());
        if self.paths.is_empty() {
            checked += 1;
            match files::settings(self.config.as_deref())? {
                Ok(settings) => {
                    folder.push(settings.mappings_dir);
                    sources = Some(settings.sources.into_keys().collect::<Vec<_>>());
                }
                Err(problems) => {
                    found.push(problems);
                    // What can be checked of the destination files without the settings is checked as well.
                    folder.extend(Some(files::mappings_dir(self.config.as_deref())?).filter(|path| path.is_dir()));
                }
            }
        }
        let folders = if self.paths.is_empty() { folder.as_slice() } else { &self.paths };
        for path in folders {
            match files::destination_files(std::slice::from_ref(path))? {
                below if below.is_empty() => found.push(empty(path)),
                below => paths.extend(below),
            }
        }
        for (at, path) in paths.iter().enumerate() {
            checked += 1;
            let twin = paths[..at].iter().find(|other| files::is_same_destination(other, path));
            found.extend(check(path, sources.as_deref(), twin)?);
        }
        Ok(self.conclude(&found, checked))
    }

    fn conclude(&self, found: &[Problems], checked: usize) -> Verdict {
        report::write(found, self.format);
        let (errors, warnings) = report::count(found);
        if self.format == Format::Human {
            let (files, errors) = (report::counted(checked, "file"), report::counted(errors, "error"));
            eprintln!("{files} checked: {errors}, {}", report::counted(warnings, "warning"));
        }
        let is_denied = |problem: &Problem| self.deny_warnings && problem.code != SEGMENT_DIFFERS;
        match errors > 0 || found.iter().flat_map(Problems::iter).any(is_denied) {
            true => Verdict::Problems,
            false => Verdict::Fine,
        }
    }
}

/// A folder in which there is nothing to check.
fn empty(folder: &Path) -> Problems {
    let mut problems = Problems::new(folder.display().to_string(), "");
    let place = Place { line: 1, column: 1, ..Place::default() };
    problems
        .warning("no_files", &place, "", "no destination file is in this folder, so events would go nowhere")
        .help("their names end in .yaml or .yml; mappings/intercom.yaml is one to start from");
    problems
}

/// The problems of a file, if there are any. `twin` is another file of the same destination's name.
fn check(path: &Path, sources: Option<&[String]>, twin: Option<&PathBuf>) -> anyhow::Result<Option<Problems>> {
    if path.file_stem().is_some_and(|stem| stem == "interline") {
        return Ok(files::settings(Some(path))?.err());
    }
    let mut problems = match files::compile(path, sources, Missing::RefusedWhenOn) {
        Ok(mut compiled) => {
            cases::check_events(&compiled.tests, &mut compiled.problems);
            compiled.problems
        }
        Err(problems) => problems,
    };
    if let Some(twin) = twin {
        app::refuse_namesake(&mut problems, &twin.display().to_string());
        problems.finish();
    }
    Ok(Some(problems).filter(|problems| !problems.is_empty()))
}
