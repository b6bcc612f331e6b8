//! `$arrayPath`: a list of the event, each item in a shape of one's own.

use std::borrow::Cow;

use serde_json::json;

use super::{Directive, Example, Kind, Sign, any, arguments, made, refuse};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Node, Value};

/// `$arrayPath`
pub const KIND: Kind = Kind {
    name: "arrayPath",
    docs: "`[path, shape]`: each item of the list there in the shape, an object whose paths start at the item. An object \
           there is a list of one; anything else, or a path without a shape, is given as it stands. `$map` does more.",
    examples: &[
        Example {
            mapping: "{ $arrayPath: [ $.properties.products, { id: $.sku, price: $.price } ] }",
            event: r#"{"properties":{"products":[{"sku":"a","price":1},{"sku":"b"}]}}"#,
            gives: r#"[{"id":"a","price":1},{"id":"b"}]"#,
        },
        Example {
            mapping: "{ $arrayPath: [ $.properties.tags ] }",
            event: r#"{"properties":{"tags":["x"]}}"#,
            gives: r#"["x"]"#,
        },
    ],
    schema: || {
        let path = json!({ "type": ["string", "object"] });
        let shape = json!({ "type": "object", "additionalProperties": any() });
        json!({ "type": "array", "prefixItems": [path, shape], "minItems": 1, "maxItems": 2 })
    },
    parse,
};

#[derive(Debug)]
struct ArrayPath {
    of: Expression,
    shape: Expression,
}

impl Directive for ArrayPath {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.of.resolve(scope)?;
        let one = |item| {
            let shaped = scope.inside(item, &self.shape);
            scope.is_within()?;
            shaped.map_or(Some(Json::Null), |shaped| scope.keep(shaped))
        };
        let shaped = match found {
            Cow::Borrowed(Json::List(items)) => {
                items.iter().map(|item| one(Cow::Borrowed(item))).collect::<Option<_>>()?
            }
            Cow::Owned(Json::List(items)) => {
                items.into_iter().map(|item| one(Cow::Owned(item))).collect::<Option<_>>()?
            }
            object if object.as_object().is_some() => vec![one(object)?],
            other => return Some(other),
        };
        Some(Cow::Owned(Json::List(shaped)))
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let (path, shape) = match node.as_list() {
        Some([path]) => (path, None),
        Some([path, shape]) => (path, Some(shape)),
        _ => {
            refuse(node, "a list of a path and a shape", reader);
            return None;
        }
    };
    let of = reader.within("[0]", |reader| arguments::path(path, sign, reader));
    let shape = match shape {
        Some(shape) => reader.within("[1]", |reader| read_shape(shape, sign, reader))?,
        None => None,
    };
    match (of?, shape) {
        (of, None) => Some(of),
        (of, Some(shape)) => made(ArrayPath { of, shape }),
    }
}

/// The shape; none when it has no members. `None` when it is wrong.
fn read_shape(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Option<Expression>> {
    match &node.value {
        Value::Map(members) if members.is_empty() => Some(None),
        Value::Map(_) => reader.elsewhere(|reader| Expression::parse(node, reader)).map(Some),
        _ if sign == Sign::At => {
            let message = "not looked at: a shape is a map";
            reader.problems.warning("unreachable", &node.place, &reader.path, message);
            Some(None)
        }
        _ => {
            refuse(node, "a map, the shape of each item", reader);
            None
        }
    }
}
