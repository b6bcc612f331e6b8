//! The schema of what is computed from an event: directives, wherever they may stand.

use serde_json::{Map, Value, json};

use super::{described, with};
use crate::mapping::directive::{self, Kind};

/// `expression`: anything that may be written, with directives in it. `directive`: where an object is one.
pub(super) fn definitions() -> Value {
    let snippets: Vec<Value> = directive::ALL.iter().map(|kind| snippet(kind)).collect();
    let names: Vec<String> = directive::ALL.iter().map(|kind| format!("${}", kind.name)).collect();
    let there_are = format!("unknown directive; there are {}", names.join(", "));
    let expression = json!({ "$ref": "#/$defs/expression" });
    json!({
        "expression": with(known(), json!({
            "additionalProperties": expression, "items": expression,
            "if": { "maxProperties": 1 },
            "then": { "patternProperties": { unknown(): false }, "errorMessage": there_are },
            "else": alone(),
        })),
        "directive": with(known(), json!({
            "additionalProperties": false, "minProperties": 1, "errorMessage": there_are, "defaultSnippets": snippets,
            "if": { "minProperties": 2 },
            "then": alone(),
        })),
    })
}

/// The directives by name.
fn known() -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for kind in directive::ALL {
        let argument = described(&docs(kind), argument(kind));
        properties.insert(format!("${}", kind.name), argument.clone());
        patterns.insert(format!("^@{}$", kind.name), argument);
    }
    // Segment's editor leaves its own notes beside a directive.
    patterns.insert("^_metadata$".to_owned(), json!(true));
    json!({ "properties": properties, "patternProperties": patterns })
}

/// Names that only a directive could have, and none has.
fn unknown() -> String {
    let names: Vec<&str> = directive::ALL.iter().map(|kind| kind.name).collect();
    format!("^[$@](?!({})$)", names.join("|"))
}

/// Refuses directives among other members.
fn alone() -> Value {
    let refused: Map<String, Value> =
        directive::ALL.iter().map(|kind| (format!("${}", kind.name), json!(false))).collect();
    json!({ "properties": refused, "errorMessage": "a directive stands alone in an object of its own" })
}

fn docs(kind: &Kind) -> String {
    format!("{}\n\n`{}`", kind.docs, example(kind))
}

fn example(kind: &Kind) -> &'static str {
    kind.examples.first().map(|example| example.mapping).unwrap_or_default()
}

/// The example, to be inserted where a value is wanted.
fn snippet(kind: &Kind) -> Value {
    let example = example(kind);
    let body = example.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}");
    with(
        json!({ "label": example, "bodyText": body, "sortText": format!("~{}", kind.name) }),
        json!({ "description": kind.docs, "markdownDescription": kind.docs }),
    )
}

/// What a directive takes.
fn argument(kind: &Kind) -> Value {
    match (kind.schema)() {
        schema @ Value::Object(_) => schema,
        _ => json!({}),
    }
}
