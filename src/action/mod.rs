//! What an action is made with: its facts as data, its fields, its failures and the values that check themselves.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

mod failure;
mod field;
mod fills;
mod types;

pub use failure::{Failure, Kind};
pub use field::{Field, FieldKind};
pub use fills::{About, Does, Fills, Tie};
pub use types::{Email, Patch, Timestamp, WebUrl};

use crate::json::{Json, Object};

/// One thing a destination can do. The type's fields are the action's inputs: their doc comments, types and
/// `x-default` expressions are the field table, the schema and the validation.
pub trait Action: DeserializeOwned + JsonSchema + Send + Sized + 'static {
    /// What the action talks through.
    type Client: ?Sized + Send + Sync;
    /// The action's one name: in YAML, metrics, docs and files.
    const NAME: &'static str;
    /// The trigger a mapping has that names none. `None`: there every mapping names its own.
    const TRIGGER: Option<&'static str> = None;
    /// What it does to the destination.
    const MANNER: Manner = Manner::Writes;
    /// Whether doing it twice leaves two things at the destination, rather than one brought up to date.
    const ADDS: bool = false;

    /// For an action that writes the state of somebody or something: how an old call is repeated without putting back what
    /// newer ones have written.
    const FILLS: Option<&'static Fills> = None;

    /// Rules between fields, applied to the coerced fields before they are a payload. Pure: the same fields always give
    /// the same payload. What it changes or cuts it says in `warnings`.
    fn fit(_fields: &mut Object<'_>, _warnings: &mut Vec<Warning>) -> std::result::Result<(), Unfit> {
        Ok(())
    }

    /// Does it. May run twice for one delivery, so it must come to the same end.
    fn perform(self, client: &Self::Client) -> impl Future<Output = Result> + Send;
}

/// What an action does to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// It changes something there. Only such an action can stand in a mapping.
    Writes,
    /// It reads one thing, for a person who asks.
    Reads,
    /// It reads a list, page by page, for a person who asks.
    Lists,
}

/// What a person who performs an action by hand is answered.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Document {
    /// One thing, as the destination wrote it.
    One(serde_json::Value),
    /// A page of a list.
    Page(Page),
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Page {
    /// What is on it, as the destination wrote it.
    pub items: Vec<serde_json::Value>,
    /// How many there are in all, where the destination says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The fields that, put over those of this page, get the next one. `None`: this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What one attempt came to.
pub type Result = std::result::Result<Outcome, Failure>;

/// How an attempt ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has it; with what should be known about how.
    Delivered(Vec<Warning>),
    /// Nothing needed to be sent; why, as a stable word and as text.
    Skipped(&'static str, String),
}

/// Something was changed or dropped on the way, and the rest was delivered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// The field it is about, with a path into it where needed (`metadata.color`).
    pub field: String,
    /// A stable word from a closed set.
    pub code: std::borrow::Cow<'static, str>,
    /// What was changed, and why.
    pub message: String,
    /// What it was: the first characters of a value as JSON, where the warning is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it became, likewise; none when it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many things it is about.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

impl Warning {
    /// Code of the warning that metadata was trimmed; counted by a metric of its own.
    pub const METADATA_TRIMMED: &'static str = "metadata_trimmed";

    /// A warning about a field.
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Warning { field: field.into(), code: code.into(), message: message.into(), from: None, to: None, count: 1 }
    }

    /// The same about a value that became another, or was left out. Both are cut to a length that is good to read.
    pub fn changing(self, from: &Json<'_>, to: Option<&Json<'_>>) -> Self {
        Warning { from: Some(shown(from)), to: to.map(shown), ..self }
    }

    /// The same about several things at once.
    pub fn about(self, count: usize) -> Self {
        Warning { count: count.try_into().unwrap_or(u32::MAX), ..self }
    }
}

/// The first characters of a value, as JSON.
pub fn shown(value: &Json<'_>) -> String {
    match value {
        Json::String(text) => format!("{:?}", cut(text)),
        other => cut(&other.to_string()).into_owned(),
    }
}

/// The first sixty characters.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

/// Why fields are not a payload. The event will not change, so this is final.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Unfit {
    /// A stable word from a closed set (`field_missing`, `field_invalid`, …).
    pub code: std::borrow::Cow<'static, str>,
    /// The field it is about.
    pub field: String,
    /// Why.
    pub message: String,
}

impl Unfit {
    /// A refusal about a field.
    pub fn new(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Unfit { code: code.into(), field: field.into(), message: message.into() }
    }
}

/// An action's facts, as data: what mapping, docs, schema and forms are made from.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The action's one name.
    pub name: &'static str,
    /// What it does, in a sentence or two.
    pub summary: String,
    /// The trigger a mapping has that names none; without one, every mapping names its own.
    pub trigger: Option<&'static str>,
    /// What it does to the destination.
    pub manner: Manner,
    /// [`Action::ADDS`].
    pub adds: bool,
    /// [`Action::FILLS`].
    pub fills: Option<&'static Fills>,
    /// Its inputs, in the order of the docs.
    pub fields: Vec<Field>,
    /// The JSON Schema of its inputs.
    pub schema: serde_json::Value,
    /// [`Action::fit`].
    pub fit: fn(&mut Object<'_>, &mut Vec<Warning>) -> std::result::Result<(), Unfit>,
}

impl Facts {
    /// Whether a mapping may run it: what only reads is for people, by hand.
    pub fn in_mappings(&self) -> bool {
        self.manner == Manner::Writes
    }

    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

type Performing<'a> = Pin<Box<dyn Future<Output = Result> + Send + 'a>>;

/// An action on a shelf: its facts, and how it is performed.
pub struct Definition<C: ?Sized + 'static> {
    /// Its facts.
    pub facts: Facts,
    perform: for<'a> fn(&'a [u8], &'a C) -> Performing<'a>,
}

impl<C: ?Sized + Send + Sync + 'static> Definition<C> {
    /// The definition of `A`, read from its type.
    pub fn of<A: Action<Client = C>>() -> Self {
        let schema = schemars::generate::SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<A>()
            .to_value();
        Definition {
            facts: Facts {
                name: A::NAME,
                summary: schema["description"].as_str().unwrap_or_default().to_owned(),
                trigger: A::TRIGGER,
                manner: A::MANNER,
                adds: A::ADDS,
                fills: A::FILLS,
                fields: field::read::<A>(&schema),
                schema,
                fit: A::fit,
            },
            perform: |payload, client| Box::pin(perform::<A>(payload, client)),
        }
    }

    /// Performs the action with a payload: the JSON object that mapping made.
    pub async fn perform(&self, payload: &[u8], client: &C) -> Result {
        (self.perform)(payload, client).await
    }
}

async fn perform<A: Action>(payload: &[u8], client: &A::Client) -> Result {
    // What does not fit is read once more to know where: keeping track of that all the time costs half as much again.
    let action: A = serde_json::from_slice(payload).or_else(|_| located(payload))?;
    action.perform(client).await
}

/// Reads a payload, or answers what is wrong with it and where.
fn located<A: Action>(payload: &[u8]) -> std::result::Result<A, Failure> {
    let mut source = serde_json::Deserializer::from_slice(payload);
    serde_path_to_error::deserialize(&mut source)
        .map_err(|error| Failure::rejected("payload_invalid", format!("field `{}`: {}", error.path(), error.inner())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_shows_little_of_a_value_and_is_read_from_old_records() {
        let long = Json::from("x".repeat(1_000));
        let warning =
            Warning::new("name", "field_dropped", "left out").changing(&long, Some(&Json::List(vec![long.clone()])));
        assert_eq!(warning.from, Some(format!("\"{}…\"", "x".repeat(60))));
        assert_eq!(warning.to, Some(format!("[\"{}…", "x".repeat(58))));
        let plain = Warning::new("name", "field_dropped", "left out");
        let old = r#"{"field":"name","code":"field_dropped","message":"left out"}"#;
        assert_eq!(serde_json::to_string(&plain).unwrap(), old);
        assert_eq!(serde_json::from_str::<Warning>(old).unwrap(), plain);
        let kept = serde_json::to_string(&warning).unwrap();
        assert_eq!(serde_json::from_str::<Warning>(&kept).unwrap(), warning);
    }
}
