//! `interline explain`: what one event would become. Sends nothing.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Format, Verdict, files, print, report, runtime};
use crate::action::{Outcome, Unfit, Warning};
use crate::app;
use crate::destination::{self, Kind};
use crate::http::ingest;
use crate::json::{Json, Object};
use crate::mapping::{ExplainedField, ExplainedMapping, Mappings, trigger};
use crate::router;

mod page;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline explain mappings/intercom.yaml --event event.json\n  \
    echo '{\"type\":\"track\",\"userId\":\"u1\",\"event\":\"Signed Up\"}' | interline explain mappings/intercom.yaml")]
pub(super) struct Explain {
    /// The destination file.
    destination_file: PathBuf,
    /// A file with one event as JSON; `-` reads it from stdin.
    #[arg(long, default_value = "-")]
    event: String,
    /// Show the requests for a contact that Intercom does not have yet. Without this it is taken to have it.
    #[arg(long)]
    new_contact: bool,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What would become of an event: the document that scripts rely on.
#[derive(Serialize)]
struct Document {
    /// What keeps the event from this destination, whatever its mappings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_out: Option<KeptOut>,
    /// Which part of the filter is not fulfilled, where that keeps the event out.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<trigger::Explained>,
    mappings: Vec<Explained>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum KeptOut {
    /// The destination is switched off.
    Disabled,
    /// The event's own `integrations` exclude the destination.
    Integrations,
    /// The destination's filter is not fulfilled.
    Filter,
}

/// A mapping, explained, with the requests it would cause.
#[derive(Serialize)]
struct Explained {
    name: String,
    action: &'static str,
    enabled: bool,
    matched: bool,
    trigger: trigger::Explained,
    fields: Vec<ExplainedField>,
    payload: Option<Object<'static>>,
    error: Option<Unfit>,
    warnings: Vec<Warning>,
    requests: Vec<Sent>,
    /// How the delivery would end, if there would be one.
    outcome: Option<Ending>,
}

/// A request that would be sent.
#[derive(Serialize)]
struct Sent {
    method: String,
    path: String,
    body: Option<Box<RawValue>>,
}

/// How a delivery would end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Ending {
    /// `delivered`, `skipped`, or the kind of the failure: `too_early`, `rejected`.
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    code: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let mappings = match files::compile(&self.destination_file, None, files::Unset::Ignored)? {
            Ok(compiled) => compiled.mappings,
            Err(problems) => {
                report::write(&[problems], self.format);
                return Ok(Verdict::Problems);
            }
        };
        let bytes = self.read_event()?;
        let event = match ingest::read("explain", &bytes, app::clock()()) {
            Ok(event) => event,
            Err(problem) => {
                eprintln!("error: the event would be refused: {}: {}", problem.code.word(), problem.message);
                return Ok(Verdict::Problems);
            }
        };
        let view = event.view().map_err(|error| anyhow!("the event would be refused: {error}"))?;
        let document = self.explain(&mappings, &view)?;
        match self.format {
            Format::Human => print(page::page(&document, &view, self.new_contact).trim_end()),
            Format::Json => print(serde_json::to_string(&document)?),
        }
        let fine = document.mappings.iter().all(|one| !one.enabled || one.error.is_none());
        Ok(if fine { Verdict::Fine } else { Verdict::Problems })
    }

    fn read_event(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &*self.event {
            "-" => {
                std::io::stdin().read_to_end(&mut bytes).context("cannot read the event from stdin")?;
            }
            path => bytes = std::fs::read(path).with_context(|| format!("cannot read the event {path}"))?,
        }
        Ok(bytes)
    }

    fn explain(&self, mappings: &Mappings, event: &Json<'_>) -> anyhow::Result<Document> {
        let kind = destination::kind(&mappings.kind);
        let kind = kind.ok_or_else(|| anyhow!("there is no destination `{}`", mappings.kind))?;
        let explained = mappings.explain(event);
        let filter = explained.filter.filter(|filter| !filter.holds);
        let kept_out = match (mappings.enabled, router::wanted(event, kind.integrations), &filter) {
            (false, ..) => Some(KeptOut::Disabled),
            (_, false, _) => Some(KeptOut::Integrations),
            (.., Some(_)) => Some(KeptOut::Filter),
            _ => None,
        };
        let mut document = Document { kept_out, filter, mappings: Vec::new() };
        for mapping in explained.mappings {
            let explained = match &mapping.payload {
                Some(payload) if mapping.enabled && kept_out.is_none() => {
                    let payload = serde_json::to_vec(payload)?;
                    Explained::new(mapping).rehearse(self, mappings, kind, &payload)?
                }
                _ => Explained::new(mapping),
            };
            document.mappings.push(explained);
        }
        Ok(document)
    }
}

impl Explained {
    fn new(mapping: ExplainedMapping) -> Explained {
        let ExplainedMapping { name, action, enabled, matched, trigger, fields, payload, error, warnings } = mapping;
        let (requests, outcome) = (Vec::new(), None);
        Explained { name, action, enabled, matched, trigger, fields, payload, error, warnings, requests, outcome }
    }

    /// Adds the requests that would be sent, and how that would end.
    fn rehearse(
        mut self,
        how: &Explain,
        mappings: &Mappings,
        kind: &Kind,
        payload: &[u8],
    ) -> anyhow::Result<Explained> {
        let rehearsal = (kind.rehearse)(&mappings.settings, self.action, payload, !how.new_contact);
        let performed = runtime()?.block_on(rehearsal);
        for exchange in performed.exchanges {
            let body = exchange.body.map(RawValue::from_string).transpose()?;
            self.requests.push(Sent { method: exchange.method.into_owned(), path: exchange.path, body });
        }
        let (status, code, message) = match performed.result {
            Ok(Outcome::Delivered(warnings)) => {
                self.warnings.extend(warnings);
                ("delivered", String::new(), String::new())
            }
            Ok(Outcome::Skipped(reason, message)) => ("skipped", reason.to_owned(), message),
            Err(failure) => (failure.kind.name(), failure.code.into_owned(), failure.message),
        };
        self.outcome = Some(Ending { status, code, message });
        Ok(self)
    }
}
