//! The JSON Schemas (draft 2020-12) that editors use on the YAML files.

use serde_json::{Map, Value, json};

use crate::action::{Facts, Field, FieldKind};
use crate::destination;
use crate::event::Kind;
use crate::mapping::directive;
use crate::settings::Settings;

/// The schema of a destination file.
pub(super) fn destination() -> String {
    let kinds: Vec<Value> = destination::KINDS.iter().map(|kind| one_destination(kind)).collect();
    let mut schema = match kinds.len() {
        1 => kinds.into_iter().next().expect("one kind"),
        _ => json!({ "oneOf": kinds }),
    };
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Interline destination file",
        "description": "What of your events becomes what at one destination.",
        "$defs": { "expression": expression(), "directive": directives() },
    });
    let schema = schema.as_object_mut().expect("a schema is an object");
    let mut whole: Map<String, Value> = head.as_object().expect("an object").clone();
    whole.append(schema);
    text(&Value::Object(whole))
}

fn one_destination(kind: &destination::Kind) -> Value {
    let actions = (kind.actions)();
    let names: Vec<&str> = actions.iter().map(|facts| facts.name).collect();
    let per_action: Vec<Value> = actions.iter().map(|facts| when_action(facts)).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["destination", "mappings"],
        "properties": {
            "destination": { "const": kind.name, "description": kind.summary },
            "enabled": { "type": "boolean", "default": true, "description": "Whether anything is sent." },
            "sources": {
                "type": "array", "items": { "type": "string" },
                "description": "The sources this destination gets, by their names in interline.yaml. Left out: all of them."
            },
            "settings": stripped((kind.settings_schema)()),
            "filter": {
                "type": "string",
                "description": "A condition in the language of triggers. Events that do not satisfy it are not for this destination."
            },
            "on_invalid": on_invalid(),
            "mappings": {
                "type": "array", "maxItems": crate::mapping::file::MAPPINGS_MAX,
                "description": "What becomes what. At most 50.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name", "action"],
                    "properties": {
                        "name": { "type": "string", "description": "Names the mapping in logs, metrics and deliveries. No two alike." },
                        "enabled": { "type": "boolean", "default": true, "description": "Whether the mapping is used." },
                        "trigger": {
                            "type": "string",
                            "description": "Which events run the action, e.g. type = \"track\" and event = \"Order Completed\". Left out: the action's own trigger."
                        },
                        "action": { "enum": names, "description": "What is done at the destination." },
                        "fields": { "type": "object", "description": "How each field of the action is filled. A field left out has its default; null switches the default off." },
                        "defaults": { "type": "boolean", "default": true, "description": "Whether fields left out have their defaults." },
                        "on_invalid": on_invalid(),
                    },
                    "allOf": per_action,
                },
            },
            "tests": {
                "type": "array",
                "description": "Events, and what should become of them.",
                "items": super::case::test(),
            },
        },
    })
}

fn on_invalid() -> Value {
    json!({
        "enum": ["drop", "reject"], "default": "drop",
        "description": "What becomes of an optional field whose value does not fit: dropped with a warning, or the whole delivery a dead letter."
    })
}

fn when_action(facts: &Facts) -> Value {
    let fields: Map<String, Value> =
        facts.fields.iter().map(|field| (field.name.clone(), field_schema(field))).collect();
    json!({
        "if": { "properties": { "action": { "const": facts.name } }, "required": ["action"] },
        "then": { "properties": { "fields": {
            "description": facts.summary, "additionalProperties": false, "properties": fields,
        } } }
    })
}

fn field_schema(field: &Field) -> Value {
    let mut docs = field.docs.clone();
    if let Some(default) = &field.default {
        docs = format!("{docs} Default: {default}");
    }
    let plain = match field.kind {
        FieldKind::Number => json!({ "type": "number" }),
        FieldKind::Integer => json!({ "type": "integer" }),
        FieldKind::Timestamp => json!({ "type": ["integer", "string"] }),
        FieldKind::Boolean => json!({ "type": "boolean" }),
        FieldKind::Object => json!({ "type": "object" }),
        FieldKind::Texts => json!({ "type": "array" }),
        FieldKind::Any => json!(true),
        FieldKind::Text | FieldKind::Email | FieldKind::Url => match field.choices.is_empty() {
            true => json!({ "type": "string" }),
            false => json!({ "enum": field.choices }),
        },
    };
    json!({ "description": docs, "anyOf": [plain, { "$ref": "#/$defs/expression" }, { "type": "null" }] })
}

fn expression() -> Value {
    json!({
        "description": "A path ($.traits.email), a template ({{ traits.firstName }}) or a directive.",
        "anyOf": [
            { "type": "string", "pattern": r"^\$(\.|\[|$)" },
            { "type": "string", "pattern": r"\{\{.*\}\}" },
            { "$ref": "#/$defs/directive" },
        ]
    })
}

fn directives() -> Value {
    let named = directive::ALL
        .iter()
        .map(|directive| (format!("${}", directive.name), json!({ "description": directive.docs })));
    let properties: Map<String, Value> = named.collect();
    json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": properties,
        "patternProperties": { "^@": true } })
}

/// The schema of `interline.yaml`.
pub(super) fn settings() -> String {
    let mut schema = schemars::schema_for!(Settings).to_value();
    schema["title"] = json!("Interline settings");
    text(&schema)
}

/// The schema of an event, as triggers and mappings see it.
pub(super) fn event() -> String {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let id = json!({ "type": "string", "minLength": 1 });
    let object = json!({ "type": "object" });
    let at = json!({ "type": "string", "format": "date-time" });
    text(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Interline event",
        "description": "One call of the Segment spec, as triggers and mappings see it.",
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": { "enum": kinds, "description": "Which call it is." },
            "messageId": id, "userId": id, "anonymousId": id, "groupId": id, "previousId": id,
            "event": { "type": "string", "description": "What was done; track calls only." },
            "name": { "type": "string", "description": "Which page or screen it was." },
            "properties": object, "traits": object, "context": object, "integrations": object,
            "timestamp": at, "originalTimestamp": at, "sentAt": at, "receivedAt": at,
            "channel": { "type": "string" },
        }
    }))
}

/// A schema without what only a root may say.
fn stripped(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("title");
    }
    schema
}

fn text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).expect("a schema is JSON"))
}
