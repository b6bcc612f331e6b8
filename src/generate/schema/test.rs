//! The schema of a test in a destination file.

use serde_json::{Map, Value, json};

use super::{described, event, flag, with};
use crate::mapping::case::{ARRIVAL, MESSAGE_ID};

const NAME: &str = "What the test shows. No two alike.";
const SOURCE: &str = "The source the event comes from. Left out: one whose events the destination takes.";
const NEW_CONTACT: &str =
    "Whether the contact is not there yet. It matters for `requests` and `outcome` alone. Default: `false`.";
const ONLY: &str = "Whether a mapping that matches and is not named in `expect` fails the test. Default: `true`.";
const EXPECT: &str = "What becomes of the event: every mapping that matches it. `[]` says that none does. What is switched \
                      off is tested as if it were on.";
const MAPPING: &str =
    "The name of a mapping that matches. Unless `error` is expected as well, it has to give a payload.";
const MATCHED: &str = "`false`: the mapping must not match. Default: `true`.";
const PAYLOAD: &str = "A part of the payload: other members do not matter. Lists are compared item by item and have as many \
                       items. `1` is `1.0`, but not `\"1\"`. `null` is a member that is there and null; \
                       `{ $absent: true }` is one that is not there.";
const ERROR: &str = "Why there is no payload: its code, or parts of it.";
const WARNINGS: &str = "Warnings that are among those there are. `[]` says that there is none.";
const WARNING: &str = "A warning: its code, or parts of it.";
const OUTCOME: &str = "How the delivery ends (`delivered`, `skipped`, `too_early`, `rejected`, …), or parts of it.";
const REQUESTS: &str = "The requests that are sent: all of them, in order.";
const REQUEST: &str = "A request: `post: /contacts`, or `method` and `path`.";
const BODY: &str = "A part of the body, compared as `payload` is. `null`: it has none.";

/// One item of `tests`.
pub(super) fn schema() -> Value {
    let arrival = format!(
        "The call, as an SDK would send it. Without a `messageId` it has `{MESSAGE_ID}`. It arrives when its `receivedAt` or \
         `sentAt` says, else at {ARRIVAL}, or at its own `timestamp` where that is later; without a `timestamp` it happens \
         when it arrives. So a result never depends on when the test runs."
    );
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "event", "expect"],
        "properties": {
            "name": described(NAME, json!({ "type": "string", "minLength": 1 })),
            "event": described(&arrival, event::event()),
            "source": described(SOURCE, json!({ "type": "string" })),
            "new_contact": described(NEW_CONTACT, with(flag(), json!({ "default": false }))),
            "only": described(ONLY, with(flag(), json!({ "default": true }))),
            "expect": described(EXPECT, json!({ "type": ["array", "null"], "items": expected() })),
        },
    })
}

fn expected() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["mapping"],
        "properties": {
            "mapping": described(MAPPING, json!({ "type": "string" })),
            "matched": described(MATCHED, with(flag(), json!({ "default": true }))),
            "payload": described(PAYLOAD, json!({ "type": "object" })),
            "error": part(ERROR, &["code", "field", "message"]),
            "warnings": described(
                WARNINGS,
                json!({ "type": "array", "items": part(WARNING, &["code", "field", "message"]) }),
            ),
            "outcome": part(OUTCOME, &["status", "code", "message"]),
            "requests": described(REQUESTS, json!({ "type": "array", "items": request() })),
        },
    })
}

/// A text, or a map of some of these keys.
fn part(docs: &str, keys: &[&str]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), json!({ "type": "string" }))).collect();
    described(
        docs,
        json!({
            "type": ["string", "object"],
            "additionalProperties": false, "minProperties": 1, "properties": properties,
        }),
    )
}

fn request() -> Value {
    let path = |method: &str| {
        described(
            &format!("The path of a {method} request. `*` stands for any one part of it."),
            json!({ "type": "string" }),
        )
    };
    let method = json!({ "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"] });
    described(
        REQUEST,
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "get": path("GET"), "post": path("POST"), "put": path("PUT"), "patch": path("PATCH"),
                "delete": path("DELETE"), "method": described("The method.", method), "path": path("request"),
                "body": described(BODY, json!({})),
            },
        }),
    )
}
