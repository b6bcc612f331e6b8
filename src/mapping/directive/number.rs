//! `$number`: a number, from what stands for one.

use std::borrow::Cow;

use super::{Directive, Example, Kind, Sign, VALUE_LOST, any, made};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::number;
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$number`
pub const KIND: Kind = Kind {
    name: "number",
    docs: "The number that stands there: a number as it is, text such as `19.99` or `1e3`, `true` as 1 and `false` as 0. \
           Anything else is nothing, with a warning.",
    examples: &[
        Example {
            mapping: "{ $number: $.properties.total }",
            event: r#"{"properties":{"total":" 19.90 "}}"#,
            gives: "19.9",
        },
        Example { mapping: "{ $number: $.properties.total }", event: r#"{"properties":{"total":"free"}}"#, gives: "" },
    ],
    schema: any,
    parse,
};

#[derive(Debug)]
struct ToNumber(Expression);

impl Directive for ToNumber {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope);
        if is_empty(&found) {
            return None;
        }
        let found = found?;
        match number::read(&found) {
            Some(number) => Some(Cow::Owned(Json::Number(number))),
            None => {
                scope.note(VALUE_LOST, "`$number` finds no number", &found);
                None
            }
        }
    }

    fn gives(&self) -> Option<&'static str> {
        Some("number")
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    made(ToNumber(Expression::parse(node, reader)?))
}
