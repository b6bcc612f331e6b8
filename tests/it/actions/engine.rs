//! The way from a mapping and an event to requests, as the service goes it, on one destination.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use indexmap::IndexMap;
use interline::action::{Facts, Outcome, Warning};
use interline::delivery::{Exchange, Steps};
use interline::destination::http::Transport;
use interline::destination::intercom::{self, Intercom, Settings};
use interline::destination::{self, Before, Context, Destination, Performed};
use interline::instant::Timestamp;
use interline::json::Json;
use interline::mapping::{Mapping, Mappings};
use interline::metrics::Metrics;
use interline::yaml::{self, Lookup, Missing, Problems};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::NoNotes;

/// Any value, with members in the order of the text.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Tree {
    Object(IndexMap<String, Tree>),
    List(Vec<Tree>),
    Plain(Value),
}

/// A request as cases write it: `post: /events` and `body`.
pub type Written = IndexMap<String, Tree>;

/// 2026-01-01T00:00:00Z, when every case begins.
pub const START: i64 = 1_767_225_600;

/// What came of one attempt.
pub struct Came {
    pub requests: Vec<Exchange>,
    /// `delivered`, or kind and code: `skipped unchanged`, `too_early contact_not_found`, `unfit field_missing`.
    pub outcome: String,
    /// Codes of the warnings, in order.
    pub warnings: Vec<String>,
    /// What was finished, for a further attempt.
    pub steps: Steps,
    /// What a person who asked for it reads.
    pub document: Option<Value>,
}

impl Came {
    /// Nothing was sent.
    pub fn nothing(outcome: String) -> Came {
        Came { requests: Vec::new(), outcome, warnings: Vec::new(), steps: Steps::new(), document: None }
    }
}

/// A clock that is set by hand.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn new() -> Clock {
        Clock(Arc::new(AtomicI64::new(START)))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }

    pub fn advance(&self, secs: i64) {
        self.0.fetch_add(secs, Ordering::Relaxed);
    }
}

/// A destination file with one mapping, or the codes of its problems.
pub fn compile(action: &str, fields: &Value, settings: &Value) -> Result<Mappings, Vec<&'static str>> {
    let mut mapping = serde_json::json!({ "name": "case", "action": action, "fields": fields });
    if facts(action).is_some_and(|facts| facts.trigger.is_none()) {
        // Which events run it is the mapping's own affair: here, all.
        mapping["trigger"] = r#"typeof(type) = "string""#.into();
    }
    let file = serde_json::json!({ "destination": "intercom", "settings": settings, "mappings": [mapping] });
    let lookup = Lookup {
        environment: &|_| None,
        file: &|path| Err(format!("a case reads no file {path}")),
        missing: Missing::Refused,
    };
    let compiled = destination::compile(&file.to_string(), "case.yaml", None, lookup);
    compiled.map(|compiled| compiled.mappings).map_err(|problems| problems.iter().map(|problem| problem.code).collect())
}

/// The facts of an action.
pub fn facts(action: &str) -> Option<&'static Facts> {
    (intercom::KIND.actions)().into_iter().find(|facts| facts.name == action)
}

/// An Intercom that is reached through `transport`.
pub fn over(transport: Arc<dyn Transport>, mappings: &Mappings, clock: &Clock) -> Box<dyn Destination> {
    let mut problems = Problems::new("case.yaml", "");
    let settings: Settings = yaml::decode(&mappings.settings, "settings", &mut problems).expect("checked settings");
    Box::new(Intercom::over(transport, settings, context(clock)))
}

/// An Intercom that is reached over the network, by its settings.
pub fn build(mappings: &Mappings, clock: &Clock) -> Box<dyn Destination> {
    (intercom::KIND.build)(&mappings.settings, context(clock)).unwrap()
}

fn context(clock: &Clock) -> Context {
    let clock = clock.clone();
    Context { name: "case".into(), metrics: Metrics::new(), clock: Arc::new(move || clock.now()), memory: None }
}

/// A delivery that comes after nothing.
pub fn first(steps: &Steps) -> Before<'_> {
    Before { steps, notes: Arc::new(NoNotes), waited_out: false, follows: false }
}

/// Matches and maps an event, and attempts the delivery that comes of it.
pub async fn bring(mappings: &Mappings, destination: &dyn Destination, event: &Json<'_>, before: Before<'_>) -> Came {
    let Some(mapping) = mappings.matching(event).next() else { return Came::nothing("unmatched".to_owned()) };
    attempt(mapping, destination, event, before).await
}

async fn attempt(mapping: &Mapping, destination: &dyn Destination, event: &Json<'_>, before: Before<'_>) -> Came {
    let payload = match mapping.payload(event) {
        Ok(payload) => payload,
        Err(unfit) => return Came::nothing(format!("unfit {}", unfit.code)),
    };
    let warnings = payload.warnings;
    let text = Json::Object(payload.object).to_string();
    let performed = destination.perform_owed(mapping.action.name, text.as_bytes(), before).await;
    came(performed, warnings)
}

/// Runs an action as a person does.
pub async fn by_hand(action: &str, given: &Json<'_>, destination: &dyn Destination) -> Came {
    let (Some(facts), Json::Object(given)) = (facts(action), given) else { panic!("fields of a known action") };
    came(destination::by_hand(destination, facts, given).await, Vec::new())
}

fn came(performed: Performed, mut warnings: Vec<Warning>) -> Came {
    let outcome = match performed.result {
        Ok(Outcome::Delivered(more)) => {
            warnings.extend(more);
            "delivered".to_owned()
        }
        Ok(Outcome::Skipped(reason, _)) => format!("skipped {reason}"),
        Err(failure) => format!("{} {}", failure.kind.name(), failure.code),
    };
    let warnings = warnings.iter().map(|warning| warning.code.to_string()).collect();
    let document = performed.document.map(|document| serde_json::to_value(document).unwrap());
    Came { requests: performed.exchanges, outcome, warnings, steps: performed.steps, document }
}

/// A request as cases write it.
pub fn written(exchange: &Exchange) -> Written {
    let path = Tree::Plain(exchange.path.clone().into());
    let mut request = IndexMap::from([(exchange.method.to_lowercase(), path)]);
    if let Some(body) = &exchange.body {
        request.insert("body".to_owned(), serde_json::from_str(body).unwrap());
    }
    request
}
