//! `interline import`: another product's configuration as destination files.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Format, Verdict, cases, print, report};
use crate::import::segment::{self, File, Imported, Note};
use crate::json::Json;
use crate::mapping::case::Test;
use crate::yaml::write;

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    product: Product,
}

#[derive(Debug, Subcommand)]
enum Product {
    /// Segment's destination subscriptions, from its Public API or from Terraform.
    Segment(Segment),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    curl -H \"Authorization: Bearer $TOKEN\" https://api.segmentapis.com/destinations/$ID/subscriptions |\n    \
    interline import segment - > mappings/intercom.yaml\n  \
    terraform show -json > segment.json && interline import segment segment.json --output mappings")]
struct Segment {
    /// The JSON document; `-` reads it from stdin.
    file: PathBuf,
    /// Write one file for each destination into this folder, instead of one to stdout.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Overwrite files that are there.
    #[arg(long, requires = "output")]
    force: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        match self.product {
            Product::Segment(command) => command.run(),
        }
    }
}

impl Segment {
    fn run(self) -> anyhow::Result<Verdict> {
        let is_one = self.output.is_none() && self.format == Format::Human;
        let files_max = if is_one { 1 } else { usize::MAX };
        let imported = segment::import(&read(&self.file)?, files_max, &door).map_err(anyhow::Error::msg)?;
        if let Some(folder) = &self.output {
            write_all(folder, &imported.files, self.force)?;
        }
        match self.format {
            Format::Json => self.print_json(&imported),
            Format::Human => {
                imported.warnings.iter().for_each(|note| super::complain(line(note)));
                self.print_human(&imported);
            }
        }
        Ok(if imported.files.is_empty() { Verdict::Problems } else { Verdict::Fine })
    }

    fn print_json(&self, imported: &Imported) {
        let file = |file: &File| match &self.output {
            Some(folder) => json!({ "name": file.name, "mappings": file.mappings, "path": path(folder, file) }),
            None => json!(file),
        };
        let files: Vec<_> = imported.files.iter().map(file).collect();
        print(json!({ "files": files, "warnings": imported.warnings }));
    }

    fn print_human(&self, imported: &Imported) {
        match (&self.output, imported.files.as_slice()) {
            (Some(folder), files) => {
                for file in files {
                    let count = report::counted(file.mappings, "mapping");
                    super::complain(format!("{}: {count}", path(folder, file).display()));
                }
            }
            (None, [file]) => print(file.text.trim_end()),
            // More than one was refused before they were made.
            (None, _) => {}
        }
    }
}

/// What the tracking API makes of a test's event.
fn door(test: &Test) -> Option<Json<'static>> {
    let event = cases::event(test).ok()?;
    event.view().ok().map(Json::into_owned)
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read stdin")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn path(folder: &Path, file: &File) -> PathBuf {
    folder.join(format!("{}.yaml", file.name))
}

/// Writes all files, or none where one would overwrite another.
fn write_all(folder: &Path, files: &[File], force: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for file in files {
        let path = path(folder, file);
        if path.exists() && !force {
            bail!("{} is there already; nothing was written; --force overwrites it", path.display());
        }
    }
    for file in files {
        let path = path(folder, file);
        std::fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A note as one line: `warning[code]: destination, mapping, field: message`.
fn line(note: &Note) -> String {
    let mapping = if note.mapping.is_empty() { String::new() } else { format!("`{}`", note.mapping) };
    let about: Vec<&str> = [&note.destination, &mapping, &note.field]
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let about = if about.is_empty() { String::new() } else { format!("{}: ", about.join(", ")) };
    write::visible(&format!("warning[{}]: {about}{}", note.code, note.message))
}
