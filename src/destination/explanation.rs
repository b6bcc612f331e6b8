//! What would become of one event at one destination: one call for `explain`, `test`, the console and whoever asks next.
//!
//! # Why
//! The answer must be the router's own, so it is made of the same three questions (does the destination take the event,
//! which mappings match, what payload do they give), asked with their reasons. A test beside `router/route.rs` holds the
//! two against each other.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Kind, kind, wanted};
use crate::action::{Outcome, Unfit, Warning};
use crate::json::{Json, Object};
use crate::mapping::{ExplainedField, ExplainedMapping, Mappings, trigger};

/// What is taken to be so.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// The source of the event; `None` for one whose events the destination takes.
    pub source: Option<&'c str>,
    /// Whether the third party has the contact that the event is about.
    pub contact_exists: bool,
    /// Whether what is switched off is looked at as if it were on.
    pub ignore_enabled: bool,
}

impl Default for Circumstances<'_> {
    fn default() -> Self {
        Circumstances { source: None, contact_exists: true, ignore_enabled: false }
    }
}

/// What would become of an event: the document that scripts rely on.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// What keeps the event from this destination, whatever its mappings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_out: Option<KeptOut>,
    /// Which part of the filter is not fulfilled, where that keeps the event out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<trigger::Explained>,
    /// Every mapping, in the order of the file.
    pub mappings: Vec<Explained>,
}

/// What keeps an event from a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptOut {
    /// The destination is switched off.
    Disabled,
    /// The destination does not take events of this source.
    Source,
    /// The event's own `integrations` exclude the destination.
    Integrations,
    /// The destination's filter is not fulfilled.
    Filter,
}

impl KeptOut {
    /// Why, as a sentence goes on.
    pub fn reason(self) -> &'static str {
        match self {
            KeptOut::Disabled => "the destination is switched off",
            KeptOut::Source => "the destination does not take events of this source",
            KeptOut::Integrations => "its own `integrations` keep it from this destination",
            KeptOut::Filter => "the destination's filter keeps it out",
        }
    }
}

/// What one mapping would do, with the requests it would cause.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The mapping.
    pub name: String,
    /// Its action.
    pub action: &'static str,
    /// Whether it takes part.
    pub enabled: bool,
    /// Whether its trigger holds.
    pub matched: bool,
    /// Which part of the trigger holds.
    pub trigger: trigger::Explained,
    /// How each field is filled, when the trigger holds.
    pub fields: Vec<ExplainedField>,
    /// The payload, when there is one.
    pub payload: Option<Object<'static>>,
    /// Why there is none, when the trigger holds.
    pub error: Option<Unfit>,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
    /// The requests that would be sent, in order.
    pub requests: Vec<Sent>,
    /// How the delivery would end, if there would be one.
    pub outcome: Option<Ending>,
}

/// A request that would be sent.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// Its method, in capitals.
    pub method: String,
    /// Its path, with the query.
    pub path: String,
    /// Its body, whole.
    pub body: Option<Box<RawValue>>,
}

/// How a delivery would end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// `delivered`, `skipped`, or the kind of the failure: `too_early`, `rejected`.
    pub status: &'static str,
    /// The code of the reason; empty when it is delivered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The reason; empty when it is delivered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What would become of an event. Sends nothing, and remembers nothing.
pub async fn explain(mappings: &Mappings, event: &Json<'_>, circumstances: Circumstances<'_>) -> Explanation {
    let kind = kind(&mappings.kind).expect("a file for a kind of destination that is not there does not compile");
    let explained = mappings.explain(event);
    let filter = explained.filter.filter(|filter| !filter.holds);
    let is_on = mappings.enabled || circumstances.ignore_enabled;
    let kept_out = match &filter {
        _ if !is_on => Some(KeptOut::Disabled),
        _ if !circumstances.source.is_none_or(|source| mappings.names(source)) => Some(KeptOut::Source),
        _ if !wanted(event, kind.integrations) => Some(KeptOut::Integrations),
        Some(_) => Some(KeptOut::Filter),
        None => None,
    };
    let mut explanation = Explanation { kept_out, filter, mappings: Vec::with_capacity(explained.mappings.len()) };
    for mapping in explained.mappings {
        let is_owed = kept_out.is_none() && (mapping.enabled || circumstances.ignore_enabled);
        let mut one = Explained::new(mapping);
        if is_owed {
            one.rehearse(mappings, kind, circumstances.contact_exists).await;
        }
        explanation.mappings.push(one);
    }
    explanation
}

impl Explained {
    fn new(mapping: ExplainedMapping) -> Explained {
        let ExplainedMapping { name, action, enabled, matched, trigger, fields, payload, error, warnings } = mapping;
        let (requests, outcome) = (Vec::new(), None);
        Explained { name, action, enabled, matched, trigger, fields, payload, error, warnings, requests, outcome }
    }

    /// Adds the requests that would be sent, and how that would end.
    async fn rehearse(&mut self, mappings: &Mappings, kind: &Kind, contact_exists: bool) {
        let Some(payload) = &self.payload else { return };
        let payload = serde_json::to_vec(payload).expect("a payload is JSON");
        let performed = (kind.rehearse)(&mappings.settings, self.action, &payload, contact_exists).await;
        let sent = |exchange: crate::delivery::Exchange| Sent {
            method: exchange.method.into_owned(),
            path: exchange.path,
            body: exchange.body.map(|body| RawValue::from_string(body).expect("a request's body is JSON")),
        };
        self.requests = performed.exchanges.into_iter().map(sent).collect();
        let (status, code, message) = match performed.result {
            Ok(Outcome::Delivered(warnings)) => {
                self.warnings.extend(warnings);
                ("delivered", String::new(), String::new())
            }
            Ok(Outcome::Skipped(reason, message)) => ("skipped", reason.to_owned(), message),
            Err(failure) => (failure.kind.name(), failure.code.into_owned(), failure.message),
        };
        self.outcome = Some(Ending { status, code, message });
    }
}
