//! `$merge`: several objects as one.

use std::borrow::Cow;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, VALUE_LOST, any, made, object, refuse};
use crate::json::{Json, Object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Node, Value};

/// `$merge`
pub const KIND: Kind = Kind {
    name: "merge",
    docs: "A list of objects as one object; of members with the same key the later wins. In the long form, `objects` and \
           `direction`: with `left` the earlier wins. What is not there is passed over; what is not an object as well, \
           with a warning. Members are not merged into each other.",
    examples: &[
        Example {
            mapping: "{ $merge: [ { order: $.properties.order_id }, $.properties ] }",
            event: r#"{"properties":{"order_id":"o1","total":9}}"#,
            gives: r#"{"order":"o1","order_id":"o1","total":9}"#,
        },
        Example {
            mapping: "{ $merge: { direction: left, objects: [ { plan: pro }, $.traits ] } }",
            event: r#"{"traits":{"plan":"free","seats":3}}"#,
            gives: r#"{"plan":"pro","seats":3}"#,
        },
    ],
    schema: || {
        let objects = json!({ "type": "array", "items": any() });
        let direction = json!({ "enum": DIRECTIONS, "default": "right" });
        json!({ "anyOf": [objects, object(json!({ "direction": direction, "objects": objects }), &["objects"])] })
    },
    parse,
};

const DIRECTIONS: [&str; 2] = ["left", "right"];

/// The weakest first.
#[derive(Debug)]
struct Merge(Vec<Expression>);

impl Directive for Merge {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let mut members = Vec::new();
        for expression in &self.0 {
            match expression.resolve(scope) {
                None => {}
                Some(found) if found.is_null() => {}
                Some(found) => match scope.keep(found)? {
                    Json::Object(object) => members.extend(object),
                    other => scope.note(VALUE_LOST, "`$merge` passes over what is not an object", &other),
                },
            }
        }
        Some(Cow::Owned(Json::Object(members.into_iter().collect::<Object<'e>>())))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("object")
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    if let (Value::List(_), Sign::Dollar) = (&node.value, sign) {
        return made(Merge(objects(node, reader)?));
    }
    let mut given = Arguments::read(node, &["direction", "objects"], reader)?;
    if sign == Sign::At {
        given.require("direction", reader);
    }
    given.require("objects", reader);
    let direction = given.choice("direction", &DIRECTIONS, reader).unwrap_or(1);
    let objects = given.with("objects", reader, objects);
    given.complete()?;
    let mut objects = objects?;
    if direction == 0 {
        objects.reverse();
    }
    made(Merge(objects))
}

fn objects(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Expression>> {
    let Value::List(items) = &node.value else {
        refuse(node, "a list of objects", reader);
        return None;
    };
    let object = |(at, item): (usize, &Node), reader: &mut Reader<'_>| {
        reader.within(&format!("[{at}]"), |reader| {
            let expression = Expression::parse(item, reader)?;
            let is_object = expression.gives().is_none_or(|kind| kind == "object" || kind == "null");
            if !is_object {
                refuse(item, "an object", reader);
            }
            is_object.then_some(expression)
        })
    };
    let read: Vec<Option<Expression>> = items.iter().enumerate().map(|item| object(item, reader)).collect();
    read.into_iter().collect()
}
