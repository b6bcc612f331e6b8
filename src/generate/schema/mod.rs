//! The JSON Schemas (draft 2020-12) that editors use on the YAML files.
//!
//! # Why
//! A schema is written to be of help while typing, not only to be right: what is wrong is said in words that say what
//! to do, and what may stand somewhere is offered. So constraints stand flat beside each other (each keyword of JSON
//! Schema speaks of one type of value alone) instead of in `anyOf`, whose alternatives blur messages and documentation.
//! `markdownDescription`, `markdownEnumDescriptions`, `defaultSnippets` and `patternErrorMessage` are words of editors;
//! everything else that reads a schema passes over them. There are no titles: editors put that of the nearest outer schema
//! above everything they show.

use serde_json::{Value, json};

mod destination;
mod event;
mod expression;
mod field;
mod mapping;
mod settings;
mod test;

pub(super) use destination::{schema as destination, value as destination_value};
pub(super) use event::schema as event;
pub(super) use settings::schema as settings;

/// The draft the schemas are written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// What is read from the environment or from a file, and so only known when it is there.
const VARIABLE: &str = r"\$\{";

/// A schema with its text in Markdown, which editors show.
fn described(text: &str, schema: Value) -> Value {
    let mut head = json!({ "description": plain(text) });
    if head["description"] != text {
        head["markdownDescription"] = text.into();
    }
    with(schema, head)
}

/// Both schemas in one; what the second says wins.
fn with(mut schema: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (schema.as_object_mut(), more) {
        members.extend(more);
    }
    schema
}

/// Markdown as editors without it show it.
fn plain(markdown: &str) -> String {
    markdown.replace(['`', '*'], "")
}

/// `true` or `false`, or a variable that holds one.
fn flag() -> Value {
    json!({
        "type": ["boolean", "string"], "pattern": VARIABLE, "patternErrorMessage": "expected true or false",
    })
}

/// A variable alone.
fn variable() -> Value {
    json!({
        "type": "string", "pattern": VARIABLE,
        "description": "Read from the environment, or with ${file:…} from a file.",
    })
}

/// One of some words, each with its meaning in Markdown, or something else. `text` says what it is for.
fn choice<W: AsRef<str>>(words: &[(W, String)], text: &str, other: Value) -> Value {
    let names: Vec<&str> = words.iter().map(|(word, _)| word.as_ref()).collect();
    let mut schema = json!({ "enum": names, "description": plain(text) });
    if words.iter().any(|(_, meaning)| !meaning.is_empty()) {
        schema["markdownEnumDescriptions"] = words.iter().map(|(_, meaning)| meaning.as_str()).collect();
    }
    json!({ "anyOf": [schema, other] })
}

fn text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).expect("a schema is JSON"))
}
