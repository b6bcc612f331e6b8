//! The schema of one mapping: which keys it has, and what its action adds.

use serde_json::{Map, Value, json};

use super::{choice, described, field, flag, variable, with};
use crate::action::{Facts, Field};

const NAME: &str = "Names the mapping in logs, metrics, deliveries and tests. No two of a file may be alike.";
const ENABLED: &str = "Whether the mapping is used. Default: `true`.";
const TRIGGER: &str = "Which events run the action. Left out: the action's own trigger.";
const ACTION: &str = "What is done at the third party.";
const FIELDS: &str =
    "How each field of the action is filled. A field left out has its default; `null` switches the default off.";
const DEFAULTS: &str = "Whether fields left out have their defaults. Default: `true`.";
const CONDITION: &str = "Compares members of the event by `=` `!=` `<` `<=` `>` `>=` and `in`; joined by `and`, `or`, \
                         `!` and brackets. Functions: `contains(event, \"Order\")`, `match(event, \"Order *\")`, \
                         `lowercase(traits.plan) = \"pro\"` and more.";

/// Mappings to some actions.
pub(super) fn schema(actions: &[&'static Facts]) -> Value {
    let words: Vec<(&str, String)> = actions.iter().map(|facts| (facts.name, paragraphs(facts).remove(0))).collect();
    json!({
        "type": "object",
        "required": ["name", "action"],
        "additionalProperties": false,
        "properties": {
            "name": described(NAME, json!({ "type": "string", "minLength": 1 })),
            "enabled": described(ENABLED, with(flag(), json!({ "default": true }))),
            "trigger": condition(TRIGGER),
            "action": described(ACTION, choice(&words, ACTION, variable())),
            "fields": described(FIELDS, json!({ "type": ["object", "null"] })),
            "defaults": described(DEFAULTS, with(flag(), json!({ "default": true }))),
            "on_invalid": on_invalid("this mapping"),
        },
        "allOf": actions.iter().map(|facts| when(facts)).collect::<Vec<_>>(),
    })
}

/// What an action adds: its fields, and its own trigger.
fn when(facts: &Facts) -> Value {
    let fields: Map<String, Value> =
        facts.fields.iter().map(|field| (field.name.clone(), field::schema(facts, field))).collect();
    // One step further in, or an editor that inserts `fields` writes all of their defaults below it.
    let members = json!({ "additionalProperties": false, "properties": fields });
    let then = json!({ "properties": {
        "trigger": trigger(facts),
        "fields": described(&paragraphs(facts).join("\n\n"), json!({ "allOf": [members] })),
    } });
    let then = match facts.trigger {
        Some(_) => then,
        // Without one of its own, the mapping has to say.
        None => with(then, json!({ "required": ["trigger"] })),
    };
    json!({
        "if": { "required": ["action"], "properties": { "action": { "const": facts.name } } },
        "then": with(then, without_defaults(&facts.fields)),
    })
}

/// The trigger of an action, for an editor to offer.
fn trigger(facts: &Facts) -> Value {
    let snippets: Vec<Value> = facts.trigger.iter().map(|trigger| snippet(trigger, trigger)).collect();
    match snippets.is_empty() {
        true => json!({}),
        false => json!({ "defaultSnippets": snippets }),
    }
}

/// Fields that have to be there are filled by hand where there are no defaults.
fn without_defaults(fields: &[Field]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
    if required.is_empty() {
        return json!({});
    }
    json!({
        "if": { "required": ["defaults"], "properties": { "defaults": { "const": false } } },
        "then": { "required": ["fields"], "properties": { "fields": { "type": "object", "required": required } } },
    })
}

/// The paragraphs of a summary, without the line breaks of the code.
fn paragraphs(facts: &Facts) -> Vec<String> {
    facts.summary.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect()
}

/// A condition in the language of triggers, with beginnings of common ones.
pub(super) fn condition(docs: &str) -> Value {
    let snippets = [
        snippet(r#"type = "track" and event = "…""#, r#"type = "track" and event = "$1""#),
        snippet(r#"type = "track" and event in ["…", "…"]"#, r#"type = "track" and event in ["$1", "$2"]"#),
        snippet(r#"type = "track" and match(event, "… *")"#, r#"type = "track" and match(event, "$1 *")"#),
    ];
    described(&format!("{docs}\n\n{CONDITION}"), json!({ "type": "string", "defaultSnippets": snippets }))
}

fn snippet(label: &str, body: &str) -> Value {
    json!({ "label": label, "bodyText": body })
}

pub(super) fn on_invalid(whose: &str) -> Value {
    let docs = format!("What becomes of optional fields of {whose} whose value does not fit. Default: `drop`.");
    let words = [
        ("drop", "The field is left out, with a warning; the rest is delivered.".to_owned()),
        ("reject", "The whole delivery becomes a dead letter.".to_owned()),
    ];
    described(&docs, with(choice(&words, &docs, variable()), json!({ "default": "drop" })))
}
