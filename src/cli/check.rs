//! `interline check`: every mistake in settings and destination files, at once.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Verdict, cases, files, report};
use crate::yaml::Problems;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline check\n  interline check mappings/intercom.yaml --deny-warnings")]
pub(super) struct Check {
    /// Destination files, folders of them, or a settings file (interline.yaml). Without any: the settings, and the
    /// folder they name.
    paths: Vec<PathBuf>,
    /// The settings file.
    #[arg(long, env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Treat warnings as errors.
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
        let (mut sources, mut paths) = (None, Vec::new());
        if self.paths.is_empty() {
            checked += 1;
            match files::settings(self.config.as_deref())? {
                Ok(settings) => {
                    paths = files::in_folder(&settings.mappings_dir)?;
                    sources = Some(settings.sources.into_keys().collect::<Vec<_>>());
                }
                Err(problems) => found.push(problems),
            }
        }
        for path in &self.paths {
            match path.is_dir() {
                true => paths.extend(files::in_folder(path)?),
                false => paths.push(path.clone()),
            }
        }
        for path in paths {
            checked += 1;
            found.extend(check(&path, sources.as_deref())?);
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
        match errors > 0 || (warnings > 0 && self.deny_warnings) {
            true => Verdict::Problems,
            false => Verdict::Fine,
        }
    }
}

fn check(path: &std::path::Path, sources: Option<&[String]>) -> anyhow::Result<Option<Problems>> {
    if path.file_stem().is_some_and(|stem| stem == "interline") {
        return Ok(files::settings(Some(path))?.err());
    }
    Ok(match files::compile(path, sources, files::Unset::Refused)? {
        Ok(mut compiled) => {
            cases::check_events(&compiled.tests, &mut compiled.problems);
            Some(compiled.problems).filter(|problems| !problems.is_empty())
        }
        Err(problems) => Some(problems),
    })
}
