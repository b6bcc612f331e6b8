//! `interline explain`: what events would become. Sends nothing.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::terminal::Look;
use super::{Format, Verdict, events, files, print, report, runtime};
use crate::app;
use crate::destination::{self, Circumstances, Explanation};
use crate::http::ingest;
use crate::mapping::Mappings;
use crate::yaml::Missing;

mod page;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline explain mappings/intercom.yaml --event event.json\n  \
    echo '{\"type\":\"track\",\"userId\":\"u1\",\"event\":\"Signed Up\"}' | interline explain mappings/intercom.yaml\n\n\
    Several events, as a JSON list, one per line or the body of a batch, are explained one after the other; with\n\
    --format json each is a document on a line of its own.")]
pub(super) struct Explain {
    /// The destination file.
    destination_file: PathBuf,
    /// A file with one event as JSON, or several; `-` reads it from stdin.
    #[arg(long, default_value = "-")]
    event: String,
    /// The source the event comes from. Without it: one whose events the destination takes.
    #[arg(long)]
    source: Option<String>,
    /// Show the requests for a contact that Intercom does not have yet. Without this it is taken to have it.
    #[arg(long)]
    new_contact: bool,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let mappings = match files::compile(&self.destination_file, None, Missing::Ignored) {
            Ok(compiled) => compiled.mappings,
            Err(problems) => {
                report::write(&[problems], self.format);
                return Ok(Verdict::Problems);
            }
        };
        let bytes = self.read()?;
        let calls = events::split(&bytes);
        let mut verdict = Verdict::Fine;
        for (at, call) in calls.iter().enumerate() {
            let number = (calls.len() > 1).then_some((at + 1, calls.len()));
            if self.one(&mappings, call, number)? == Verdict::Problems {
                verdict = Verdict::Problems;
            }
        }
        Ok(verdict)
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &*self.event {
            "-" => {
                std::io::stdin().read_to_end(&mut bytes).context("cannot read the event from stdin")?;
            }
            path => bytes = std::fs::read(path).with_context(|| format!("cannot read the event {path}"))?,
        }
        Ok(bytes)
    }

    /// Explains one event; `number` says which of how many it is.
    fn one(&self, mappings: &Mappings, call: &[u8], number: Option<(usize, usize)>) -> anyhow::Result<Verdict> {
        let named = number.map_or("the event".to_owned(), |(at, of)| format!("event {at} of {of}"));
        let read = ingest::read(self.source.as_deref().unwrap_or("explain"), call, app::clock()());
        let event = match read {
            Ok(event) => event,
            Err(problem) => {
                super::complain(format!(
                    "error: {named} would be refused: {}: {}",
                    problem.code.word(),
                    problem.message
                ));
                return Ok(Verdict::Problems);
            }
        };
        let view = event.view().with_context(|| format!("{named} would be refused"))?;
        let circumstances = Circumstances {
            source: self.source.as_deref(),
            contact_exists: !self.new_contact,
            ..Circumstances::default()
        };
        let explanation = runtime()?.block_on(destination::explain(mappings, &view, circumstances));
        match self.format {
            Format::Human => {
                let page = page::page(&explanation, &view, self.new_contact, number, Look::of_stdout());
                print(page.trim_end());
            }
            Format::Json => print(serde_json::to_string(&explanation)?),
        }
        Ok(verdict(&explanation))
    }
}

fn verdict(explanation: &Explanation) -> Verdict {
    match explanation.mappings.iter().all(|one| !one.enabled || one.error.is_none()) {
        true => Verdict::Fine,
        false => Verdict::Problems,
    }
}
