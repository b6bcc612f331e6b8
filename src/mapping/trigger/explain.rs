//! Why a trigger holds for an event, or why not: every part with its truth and its values.

use std::io;

use serde::Serialize;

use crate::json::Json;

use super::tree::{Expr, Node};

/// How much of one value is shown, in bytes of JSON text.
const SHOWN_MAX: usize = 200;

/// A condition, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its text in the trigger.
    pub source: String,
    /// Whether it is fulfilled.
    pub holds: bool,
    /// The conditions that `and`, `or` or `!` makes it of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explained>,
    /// What it looks at, when it is not made of others: both sides of a comparison, the arguments of a function, a path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Operand>,
}

/// A value that a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operand {
    /// Its text in the trigger.
    pub source: String,
    /// The JSON type of the value, or `missing` for a path that leads nowhere, which is read as `null`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The value as JSON text. When it is long: its first 200 bytes or a little less, and `…`.
    pub value: String,
    /// What it was made from: the arguments of a function, the items of a list, the parts of a condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Operand>,
}

pub(super) fn explain(text: &str, node: &Node, event: &Json<'_>) -> Explained {
    let parts = |nodes: &[Node]| nodes.iter().map(|node| explain(text, node, event)).collect::<Vec<_>>();
    let values = |nodes: Vec<&Node>| nodes.into_iter().map(|node| operand(text, node, event)).collect();
    let source = text[node.span.clone()].to_owned();
    let of_parts = |holds, parts| Explained { source: source.clone(), holds, parts, values: Vec::new() };
    match &node.expr {
        Expr::And(nodes) => {
            let parts = parts(nodes);
            of_parts(parts.iter().all(|part| part.holds), parts)
        }
        Expr::Or(nodes) => {
            let parts = parts(nodes);
            of_parts(parts.iter().any(|part| part.holds), parts)
        }
        Expr::Not(node) => {
            let parts = parts(std::slice::from_ref(&**node));
            of_parts(!parts[0].holds, parts)
        }
        _ => {
            let values = values(if node.as_path().is_some() { vec![node] } else { node.children() });
            Explained { source, holds: node.holds(event), parts: Vec::new(), values }
        }
    }
}

fn operand(text: &str, node: &Node, event: &Json<'_>) -> Operand {
    let is_missing = node.as_path().is_some_and(|path| path.read(event).is_none());
    let value = node.value(event);
    Operand {
        source: text[node.span.clone()].to_owned(),
        kind: if is_missing { "missing" } else { value.kind() },
        value: shown(&value),
        from: node.children().into_iter().map(|child| operand(text, child, event)).collect(),
    }
}

/// The JSON text of a value, cut where it is long. A large value is not written out to be cut.
fn shown(value: &Json<'_>) -> String {
    let mut start = Start(Vec::new());
    let is_whole = serde_json::to_writer(&mut start, value).is_ok();
    let mut bytes = start.0;
    if let Err(cut) = std::str::from_utf8(&bytes) {
        bytes.truncate(cut.valid_up_to());
    }
    let text = String::from_utf8(bytes).expect("cut at a whole character");
    if is_whole { text } else { text + "…" }
}

/// Takes the first bytes and refuses the rest.
struct Start(Vec<u8>);

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = SHOWN_MAX - self.0.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let taken = room.min(bytes.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::trigger::Trigger;

    #[track_caller]
    fn check(trigger: &str, event: serde_json::Value, expected: serde_json::Value) {
        let trigger = Trigger::parse(trigger).unwrap().trigger;
        let explained = trigger.explain(&Json::from(&event));
        assert_eq!(serde_json::to_value(explained).unwrap(), expected, "{trigger}");
    }

    #[test]
    fn shows_every_part_with_its_truth_and_values() {
        check(
            "type = 'track' and !(properties.n > 1 or contains(lowercase(event), \"x\"))",
            json!({"type": "page", "event": "AX", "properties": {"n": "2"}}),
            json!({
                "source": "type = 'track' and !(properties.n > 1 or contains(lowercase(event), \"x\"))",
                "holds": false,
                "parts": [
                    {
                        "source": "type = 'track'",
                        "holds": false,
                        "values": [
                            {"source": "type", "type": "string", "value": "\"page\""},
                            {"source": "'track'", "type": "string", "value": "\"track\""},
                        ],
                    },
                    {
                        "source": "!(properties.n > 1 or contains(lowercase(event), \"x\"))",
                        "holds": false,
                        "parts": [{
                            "source": "(properties.n > 1 or contains(lowercase(event), \"x\"))",
                            "holds": true,
                            "parts": [
                                {
                                    "source": "properties.n > 1",
                                    "holds": false,
                                    "values": [
                                        {"source": "properties.n", "type": "string", "value": "\"2\""},
                                        {"source": "1", "type": "number", "value": "1"},
                                    ],
                                },
                                {
                                    "source": "contains(lowercase(event), \"x\")",
                                    "holds": true,
                                    "values": [
                                        {
                                            "source": "lowercase(event)",
                                            "type": "string",
                                            "value": "\"ax\"",
                                            "from": [{"source": "event", "type": "string", "value": "\"AX\""}],
                                        },
                                        {"source": "\"x\"", "type": "string", "value": "\"x\""},
                                    ],
                                },
                            ],
                        }],
                    },
                ],
            }),
        );
    }

    #[test]
    fn tells_missing_from_null() {
        let path = |kind: &str| json!([{"source": "properties.a", "type": kind, "value": "null"}]);
        let expected = |kind| json!({"source": "properties.a", "holds": false, "values": path(kind)});
        check("properties.a", json!({"properties": {}}), expected("missing"));
        check("properties.a", json!({"properties": {"a": null}}), expected("null"));
    }

    #[test]
    fn cuts_long_values_at_a_whole_character() {
        assert_eq!(shown(&"é".repeat(100).into()), format!("\"{}…", "é".repeat(99)));
        assert_eq!(shown(&"e".repeat(198).into()), format!("\"{}\"", "e".repeat(198)));
        assert_eq!(shown(&"e".repeat(199).into()), format!("\"{}…", "e".repeat(199)));
    }
}
