//! `$lookup`: a table of values.

use std::collections::HashMap;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, VALUE_LOST, any, invalid, made, object, refuse};
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::path::Scope;
use crate::mapping::text;
use crate::yaml::Node;

/// `$lookup`
pub const KIND: Kind = Kind {
    name: "lookup",
    docs: "What the `table` has for `value`, compared as text, capitals included. Where the table has nothing: `default`, or \
           nothing, with a warning. What the table gives may itself be an expression.",
    examples: &[
        Example {
            mapping: "{ $lookup: { value: $.traits.plan, table: { p1: Starter, p2: Business }, default: Free } }",
            event: r#"{"traits":{"plan":"p2"}}"#,
            gives: r#""Business""#,
        },
        Example {
            mapping: "{ $lookup: { value: $.traits.level, table: { '1': low, '2': high } } }",
            event: r#"{"traits":{"level":3}}"#,
            gives: "",
        },
    ],
    schema: || {
        let table = json!({ "type": "object", "minProperties": 1, "additionalProperties": any() });
        object(json!({ "value": any(), "table": table, "default": any() }), &["value", "table"])
    },
    parse,
};

#[derive(Debug)]
struct Lookup {
    value: Expression,
    table: HashMap<Box<str>, Expression>,
    default: Option<Expression>,
}

impl Directive for Lookup {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.value.resolve(scope);
        let entry = found.as_deref().and_then(text::scalar).and_then(|text| self.table.get(&*text));
        if let Some(chosen) = entry.or(self.default.as_ref()) {
            return chosen.resolve(scope);
        }
        if !is_empty(&found) {
            scope.note(VALUE_LOST, "`$lookup` has no such entry and no default", found?.as_ref());
        }
        None
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["value", "table", "default"], reader)?;
    given.require("value", reader);
    given.require("table", reader);
    let value = given.expression("value", reader);
    let table = given.with("table", reader, table);
    let default = given.expression("default", reader);
    given.complete()?;
    made(Lookup { value: value?, table: table?, default })
}

fn table(node: &Node, reader: &mut Reader<'_>) -> Option<HashMap<Box<str>, Expression>> {
    let Some(members) = node.as_map() else {
        refuse(node, "a map, the table of values", reader);
        return None;
    };
    if members.is_empty() {
        invalid(node, "the table is empty", reader);
        return None;
    }
    let read: Vec<Option<(Box<str>, Expression)>> = (members.iter())
        .map(|(key, node)| {
            let value = reader.within(&format!(".{}", key.name), |reader| Expression::parse(node, reader))?;
            Some((key.name.as_str().into(), value))
        })
        .collect();
    read.into_iter().collect()
}
