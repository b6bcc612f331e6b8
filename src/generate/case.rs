//! The schema of a test in a destination file.

use serde_json::{Value, json};

use crate::mapping::case::{ARRIVAL, MESSAGE_ID};

/// One item of `tests`.
pub(super) fn test() -> Value {
    let event = format!(
        "The call, as an SDK would send it. Without a `messageId` it has `{MESSAGE_ID}`. It arrives when its `receivedAt` or \
         `sentAt` says, else at {ARRIVAL}, or at its own `timestamp` where that is later; without a `timestamp` it \
         happens when it arrives. So a result never depends on when the test runs."
    );
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "event", "expect"],
        "properties": {
            "name": { "type": "string", "description": "What the test shows. No two alike." },
            "event": { "type": "object", "required": ["type"], "description": event },
            "source": { "type": "string", "description": "The source the event comes from. Left out: one whose events the destination takes." },
            "new_contact": { "type": "boolean", "default": false, "description": "Whether the contact is not there yet. It matters for `requests` and `outcome` alone." },
            "only": { "type": "boolean", "default": true, "description": "Whether a mapping that matches and is not named in `expect` fails the test." },
            "expect": {
                "type": "array",
                "description": "What becomes of the event: every mapping that matches it. [] says that nothing does. What is switched off is tested as if it were on.",
                "items": expected(),
            },
        },
        "examples": [{
            "name": "revenue becomes exact cents",
            "event": { "type": "track", "userId": "u1", "event": "Order Completed", "properties": { "revenue": 19.99 } },
            "expect": [{ "mapping": "Order value", "payload": { "metadata": { "price": { "amount": 1999, "currency": "USD" } } } }]
        }],
    })
}

fn expected() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["mapping"],
        "properties": {
            "mapping": { "type": "string", "description": "The name of a mapping that matches. Unless `error` is expected as well, it has to give a payload." },
            "matched": { "type": "boolean", "default": true, "description": "false: the mapping must not match." },
            "payload": {
                "type": "object",
                "description": "A part of the payload: other members do not matter. Lists are compared item by item and have as many items. 1 is 1.0, but not \"1\". null is a member that is there and null; { $absent: true } is one that is not there."
            },
            "error": part("Why there is no payload: its code, or parts of it.", &["code", "field", "message"]),
            "warnings": {
                "type": "array",
                "items": part("A warning: its code, or parts of it.", &["code", "field", "message"]),
                "description": "Warnings that are among those there are. [] says that there is none."
            },
            "outcome": part("How the delivery ends: delivered, skipped, too_early, rejected; or parts of it.", &["status", "code", "message"]),
            "requests": {
                "type": "array",
                "items": request(),
                "description": "The requests that are sent: all of them, in order."
            },
        },
    })
}

/// A text, or a map of some of these keys.
fn part(description: &str, keys: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), json!({ "type": "string" }))).collect();
    json!({
        "description": description,
        "anyOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties },
        ],
    })
}

fn request() -> Value {
    let path = |method: &str| json!({ "type": "string", "description": format!("The path of a {method} request. `*` stands for any one part of it.") });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "A request: `post: /contacts`, or `method` and `path`.",
        "properties": {
            "get": path("GET"), "post": path("POST"), "put": path("PUT"), "patch": path("PATCH"), "delete": path("DELETE"),
            "method": { "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"] },
            "path": path("request"),
            "body": { "description": "A part of the body, compared as `payload` is. null: it has none." },
        },
    })
}
