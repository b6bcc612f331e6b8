//! `$first`: the first that is not empty.

use std::borrow::Cow;

use serde_json::json;

use super::{Directive, Example, Kind, Sign, any, invalid, made, refuse};
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::path::Scope;
use crate::yaml::{Node, Value};

/// `$first`
pub const KIND: Kind = Kind {
    name: "first",
    docs: "The first of a list that is not missing, `null` or empty text.",
    examples: &[Example {
        mapping: "{ $first: [ $.traits.email, $.context.traits.email ] }",
        event: r#"{"traits":{"email":""},"context":{"traits":{"email":"a@b.co"}}}"#,
        gives: r#""a@b.co""#,
    }],
    schema: || json!({ "type": "array", "minItems": 1, "items": any() }),
    parse,
};

#[derive(Debug)]
struct First(Vec<Expression>);

impl Directive for First {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        self.0.iter().map(|choice| choice.resolve(scope)).find(|found| !is_empty(found)).flatten()
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) => {
            invalid(node, "there is nothing to choose from", reader);
            return None;
        }
        _ => {
            refuse(node, "a list to choose from", reader);
            return None;
        }
    };
    let parsed: Vec<Option<Expression>> = (items.iter().enumerate())
        .map(|(at, item)| reader.within(&format!("[{at}]"), |reader| Expression::parse(item, reader)))
        .collect();
    let choices = parsed.into_iter().collect::<Option<Vec<_>>>()?;
    let literal = choices
        .iter()
        .position(|choice| matches!(choice, Expression::Literal(value) if !is_empty(&Some(Cow::Borrowed(value)))));
    if let Some(never) = literal.and_then(|at| items.get(at + 1)) {
        let message = "never reached: what stands before it is always there";
        reader.problems.warning("unreachable", &never.place, &reader.path, message);
    }
    made(First(choices))
}
