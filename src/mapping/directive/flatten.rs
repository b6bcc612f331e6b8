//! `$flatten`: nested objects as one.

use std::borrow::Cow;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, invalid, made, object};
use crate::json::{Json, Object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$flatten`
pub const KIND: Kind = Kind {
    name: "flatten",
    docs: "`value` as an object without objects in it: each key is the way to its value, joined by `separator` (`.` when \
           left out). Lists are taken apart by index, or left whole with `omitArrays: true`; what is empty disappears.",
    examples: &[
        Example {
            mapping: "{ $flatten: { separator: _, value: $.traits.address } }",
            event: r#"{"traits":{"address":{"city":"Ghent","geo":{"lat":51.05},"lines":["a","b"]}}}"#,
            gives: r#"{"city":"Ghent","geo_lat":51.05,"lines_0":"a","lines_1":"b"}"#,
        },
        Example {
            mapping: "{ $flatten: { value: $.traits, omitArrays: true } }",
            event: r#"{"traits":{"a":{"b":[1,2]},"c":{}}}"#,
            gives: r#"{"a.b":[1,2]}"#,
        },
    ],
    schema: || {
        let separator = json!({ "type": "string", "minLength": 1, "default": "." });
        let omit = json!({ "type": "boolean", "default": false });
        object(json!({ "separator": separator, "value": any(), "omitArrays": omit }), &["value"])
    },
    parse,
};

#[derive(Debug)]
struct Flatten {
    separator: Box<str>,
    omit_arrays: bool,
    value: Expression,
}

impl Directive for Flatten {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let mut flat = Vec::new();
        if let Some(found) = self.value.resolve(scope) {
            self.push(String::new(), scope.keep(found)?, &mut flat, scope)?;
        }
        Some(Cow::Owned(Json::Object(flat.into_iter().collect::<Object<'e>>())))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("object")
    }
}

impl Flatten {
    /// Depth is bounded by the event's own.
    fn push<'e>(
        &self,
        way: String,
        json: Json<'e>,
        flat: &mut Vec<(Cow<'e, str>, Json<'e>)>,
        scope: &Scope<'e>,
    ) -> Option<()> {
        // A long key comes again with everything below it.
        scope.work(way.len())?;
        match json {
            Json::Object(object) => {
                object.into_iter().try_for_each(|(key, value)| self.push(self.further(&way, &key), value, flat, scope))
            }
            Json::List(items) if !self.omit_arrays => (items.into_iter().enumerate())
                .try_for_each(|(at, value)| self.push(self.further(&way, &at.to_string()), value, flat, scope)),
            other => {
                flat.push((way.into(), other));
                Some(())
            }
        }
    }

    fn further(&self, way: &str, key: &str) -> String {
        match way.is_empty() {
            true => key.to_owned(),
            false => format!("{way}{}{key}", self.separator),
        }
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["separator", "value", "omitArrays"], reader)?;
    if sign == Sign::At {
        given.require("separator", reader);
    }
    let separator = given.with("separator", reader, |node, reader| match node.as_text() {
        Some(text) if !text.is_empty() => Some(text),
        _ => {
            invalid(node, "`separator` is text of at least one character", reader);
            None
        }
    });
    let omit_arrays = given.flag("omitArrays", reader).unwrap_or(false);
    given.require("value", reader);
    let value = given.expression("value", reader);
    given.complete()?;
    made(Flatten { separator: separator.unwrap_or(".").into(), omit_arrays, value: value? })
}
