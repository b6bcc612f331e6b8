//! `$join`: a list as one text.

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, made, object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::{Scope, TEXT_MAX};
use crate::mapping::text::push;
use crate::yaml::Node;

/// `$join`
pub const KIND: Kind = Kind {
    name: "join",
    docs: "The items of the list `value` as one text, with `separator` (`, ` when left out) between them. Items that are \
           missing, `null` or empty text are left out; with none left it is nothing. Items become text as in a template.",
    examples: &[
        Example {
            mapping: r#"{ $join: { value: "$.properties.products[*].name" } }"#,
            event: r#"{"properties":{"products":[{"name":"Pen"},{"name":null},{"name":"Ink"}]}}"#,
            gives: r#""Pen, Ink""#,
        },
        Example {
            mapping: "{ $join: { separator: ' ', value: [ $.traits.firstName, $.traits.lastName ] } }",
            event: r#"{"traits":{"lastName":"Lee"}}"#,
            gives: r#""Lee""#,
        },
    ],
    schema: || {
        let separator = json!({ "type": "string", "default": ", " });
        object(json!({ "value": any(), "separator": separator }), &["value"])
    },
    parse,
};

#[derive(Debug)]
struct Join {
    value: Expression,
    separator: Box<str>,
}

impl Directive for Join {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.value.resolve(scope)?;
        let items = found.as_list().unwrap_or_else(|| std::slice::from_ref(&*found));
        let mut text = String::new();
        for item in items.iter().filter(|item| !item.is_null() && item.as_str() != Some("")) {
            if !text.is_empty() {
                text.push_str(&self.separator);
            }
            scope.work(item.weight())?;
            push(&mut text, item);
            if text.len() > TEXT_MAX {
                scope.too_long("$join");
                return None;
            }
        }
        if text.is_empty() { None } else { scope.text("$join", text) }
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["value", "separator"], reader)?;
    given.require("value", reader);
    let value = given.expression("value", reader);
    let separator = given.text("separator", reader);
    given.complete()?;
    made(Join { value: value?, separator: separator.unwrap_or(", ").into() })
}
