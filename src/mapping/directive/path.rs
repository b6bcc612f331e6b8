//! `$path`: what stands at a place in the event.

use serde_json::json;

use super::{Directive, Example, Kind, Sign, made, refuse};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::{Path, Scope, Spelling};
use crate::yaml::{Node, Value};

/// `$path`
pub const KIND: Kind = Kind {
    name: "path",
    docs: "What stands at a place in the event; the same as the path alone. `$.` may be missing. An expression that \
           gives text is followed as a path of names and indexes.",
    examples: &[
        Example {
            mapping: "{ $path: $.properties.plan }",
            event: r#"{"properties":{"plan":"pro"}}"#,
            gives: r#""pro""#,
        },
        Example {
            mapping: "{ $path: { $template: \"traits.{{ properties.key }}\" } }",
            event: r#"{"properties":{"key":"seats"},"traits":{"seats":3}}"#,
            gives: "3",
        },
    ],
    schema: || json!({ "type": ["string", "object"] }),
    parse: read,
};

/// A path that the event itself spells.
#[derive(Debug)]
struct Computed(Expression);

impl Directive for Computed {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope)?;
        match found.as_ref() {
            Json::String(text) if !text.is_empty() => Path::parse_plain(text)?.resolve(scope),
            _ => None,
        }
    }
}

/// Reads a path, or an expression that gives one.
pub(super) fn read(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    match &node.value {
        Value::Text(text) if sign == Sign::Dollar && text.starts_with('$') => {
            reader.path(node, 0..text.len(), Spelling::Strict).map(Expression::Path)
        }
        Value::Text(text) => reader.path(node, 0..text.len(), Spelling::Loose).map(Expression::Path),
        Value::Map(_) => {
            let expression = Expression::parse(node, reader)?;
            made(Computed(expression))
        }
        _ => {
            refuse(node, "a path", reader);
            None
        }
    }
}
