//! `$date`: a moment in the form that is wanted.

use std::borrow::Cow;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, VALUE_LOST, any, made, object};
use crate::instant::{self, Timestamp};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$date`
pub const KIND: Kind = Kind {
    name: "date",
    docs: "The moment that stands there: RFC 3339, a date or date-time without offset (UTC), or a Unix time in s, ms or µs, \
           told apart by size; a number or its text. Anything else is nothing, with a warning. In the long form, `as` says \
           how it is written: `rfc3339` (when left out), `date` (2026-01-31), `seconds`, `milliseconds` or `microseconds`.",
    examples: &[
        Example {
            mapping: "{ $date: $.properties.at }",
            event: r#"{"properties":{"at":1767225600}}"#,
            gives: r#""2026-01-01T00:00:00.000Z""#,
        },
        Example {
            mapping: "{ $date: { value: $.properties.at, as: seconds } }",
            event: r#"{"properties":{"at":"2026-01-01T01:00:00+01:00"}}"#,
            gives: "1767225600",
        },
        Example { mapping: "{ $date: $.properties.at }", event: r#"{"properties":{"at":"soon"}}"#, gives: "" },
    ],
    schema: || {
        let long = object(json!({ "value": any(), "as": { "enum": FORMS, "default": "rfc3339" } }), &["value"]);
        json!({ "anyOf": [long, { "$ref": "#/$defs/expression" }] })
    },
    parse,
};

const FORMS: [&str; 5] = ["rfc3339", "date", "seconds", "milliseconds", "microseconds"];

#[derive(Debug)]
struct Date {
    value: Expression,
    /// The place of its form in [`FORMS`].
    form: usize,
}

impl Directive for Date {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.value.resolve(scope);
        if is_empty(&found) {
            return None;
        }
        let found = found?;
        match instant::from_json(&found) {
            Some(at) => Some(Cow::Owned(written(at, FORMS[self.form]))),
            None => {
                scope.note(VALUE_LOST, "`$date` finds no date", &found);
                None
            }
        }
    }

    fn gives(&self) -> Option<&'static str> {
        Some(if self.form < 2 { "string" } else { "number" })
    }
}

fn written(at: Timestamp, form: &str) -> Json<'static> {
    match form {
        "date" => instant::to_text(at).chars().take_while(|c| *c != 'T').collect::<String>().into(),
        "seconds" => at.as_second().into(),
        "milliseconds" => at.as_millisecond().into(),
        "microseconds" => at.as_microsecond().into(),
        _ => instant::to_text(at).into(),
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let is_expression =
        node.as_map().is_none_or(|members| matches!(members, [(key, _)] if key.name.starts_with(['$', '@'])));
    if is_expression {
        return made(Date { value: Expression::parse(node, reader)?, form: 0 });
    }
    let mut given = Arguments::read(node, &["value", "as"], reader)?;
    given.require("value", reader);
    let value = given.expression("value", reader);
    let form = given.choice("as", &FORMS, reader).unwrap_or(0);
    given.complete()?;
    made(Date { value: value?, form })
}
