//! `$literal`: itself, whatever it looks like.

use serde_json::json;

use super::{Example, Kind, Sign, named};
use crate::json::Object;
use crate::mapping::expression::{Expression, Reader};
use crate::yaml::{Node, Value};

/// `$literal`
pub const KIND: Kind = Kind {
    name: "literal",
    docs: "The value as it stands, also where it looks like a path, a template or a directive. Under Segment's \
           `@literal`, directives with `@` are still resolved, as there.",
    examples: &[
        Example { mapping: "{ $literal: \"$.not a path\" }", event: "{}", gives: r#""$.not a path""# },
        Example {
            mapping: "{ '@literal': { kind: { '@path': $.type }, text: $.type } }",
            event: r#"{"type":"track"}"#,
            gives: r#"{"kind":"track","text":"$.type"}"#,
        },
    ],
    schema: || json!(true),
    parse,
};

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    match sign {
        Sign::Dollar => Some(Expression::Literal(node.to_json())),
        Sign::At => raw(node, reader),
    }
}

/// Data in which only `@` directives mean something.
fn raw(node: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
    match &node.value {
        Value::Map(members) => {
            if members.iter().any(|(key, _)| matches!(named(&key.name), Some((_, Sign::At)))) {
                return Expression::parse(node, reader);
            }
            let mut object = Vec::with_capacity(members.len());
            for (key, value) in members {
                let member = reader.within(&format!(".{}", key.name), |reader| raw(value, reader))?;
                object.push((key.name.as_str().into(), member));
            }
            Some(match object.is_empty() {
                true => Expression::Literal(Object::new().into()),
                false => Expression::Object(object),
            })
        }
        Value::List(items) => {
            let items = items.iter().map(|item| raw(item, reader)).collect::<Option<Vec<_>>>()?;
            Some(Expression::List(items))
        }
        _ => Some(Expression::Literal(node.to_json())),
    }
}
