//! `$map`: an expression over each item of a list.

use std::borrow::Cow;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, made, object, refuse};
use crate::json::{Json, Object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Node, Value};

/// `$map`
pub const KIND: Kind = Kind {
    name: "map",
    docs: "`to`, once for each item of the list `over`, with the item in the event's place: paths in `to` start at the \
           item (`$` is the item itself). Items that come to nothing are left out. `with` gives every item values of the \
           event beside its own, by name; an item that is no object then stands under `item`. A value that is not a \
           list is a list of one.",
    examples: &[
        Example {
            mapping: "{ $map: { over: $.properties.products, to: $.sku } }",
            event: r#"{"properties":{"products":[{"sku":"a"},{"sku":"b"},{}]}}"#,
            gives: r#"["a","b"]"#,
        },
        Example {
            mapping: "{ $map: { over: $.properties.tags, with: { user: $.userId }, to: \"{{ user }}/{{ item }}\" } }",
            event: r#"{"userId":"u1","properties":{"tags":["x","y"]}}"#,
            gives: r#"["u1/x","u1/y"]"#,
        },
    ],
    schema: || {
        let with = json!({ "type": "object", "additionalProperties": any() });
        object(json!({ "over": any(), "to": any(), "with": with }), &["over", "to"])
    },
    parse,
};

#[derive(Debug)]
struct Map {
    over: Expression,
    with: Vec<(Box<str>, Expression)>,
    to: Expression,
}

impl Directive for Map {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let items = self.over.resolve(scope).filter(|found| !found.is_null())?;
        let with: Vec<(&'e str, Found<'e>)> =
            self.with.iter().map(|(name, value)| (&**name, value.resolve(scope))).collect();
        let mut mapped = Vec::new();
        let mut one = |item| {
            if let Some(found) = scope.inside(beside(item, &with, scope)?, &self.to) {
                mapped.push(scope.keep(found)?);
            }
            scope.is_within()
        };
        match items {
            Cow::Borrowed(Json::List(items)) => items.iter().try_for_each(|item| one(Cow::Borrowed(item)))?,
            Cow::Owned(Json::List(items)) => items.into_iter().try_for_each(|item| one(Cow::Owned(item)))?,
            single => one(single)?,
        }
        Some(Cow::Owned(Json::List(mapped)))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("list")
    }
}

/// An item with values of the event beside its own: copies, each counted before it is made.
fn beside<'e>(item: Cow<'e, Json<'e>>, with: &[(&'e str, Found<'e>)], scope: &Scope<'e>) -> Option<Cow<'e, Json<'e>>> {
    if with.is_empty() {
        return Some(item);
    }
    let mut members = match scope.keep(item)? {
        Json::Object(members) => members,
        other => [(Cow::Borrowed("item"), other)].into_iter().collect::<Object<'e>>(),
    };
    for (name, value) in with {
        if let Some(value) = value {
            scope.work(value.weight())?;
            members.insert(*name, value.as_ref().clone());
        }
    }
    Some(Cow::Owned(Json::Object(members)))
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["over", "to", "with"], reader)?;
    given.require("over", reader);
    given.require("to", reader);
    let over = given.expression("over", reader);
    let with = given.with("with", reader, with);
    let to = given.with("to", reader, |node, reader| reader.elsewhere(|reader| Expression::parse(node, reader)));
    given.complete()?;
    made(Map { over: over?, with: with.unwrap_or_default(), to: to? })
}

fn with(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<(Box<str>, Expression)>> {
    let Value::Map(members) = &node.value else {
        refuse(node, "a map of names and values", reader);
        return None;
    };
    let read: Vec<Option<(Box<str>, Expression)>> = (members.iter())
        .map(|(key, node)| {
            let value = reader.within(&format!(".{}", key.name), |reader| Expression::parse(node, reader))?;
            Some((key.name.as_str().into(), value))
        })
        .collect();
    read.into_iter().collect()
}
