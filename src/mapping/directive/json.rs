//! `$json`: a value as JSON text, or JSON text as a value.

use std::borrow::Cow;

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, VALUE_LOST, any, made, object};
use crate::json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$json`
pub const KIND: Kind = Kind {
    name: "json",
    docs: "`mode: encode` gives `value` as JSON text; `mode: decode` reads JSON text. Text that is no JSON stays as it is, \
           with a warning; what is not text stays as it is.",
    examples: &[
        Example {
            mapping: "{ $json: { mode: encode, value: $.properties.cart } }",
            event: r#"{"properties":{"cart":{"sku":"a","n":2}}}"#,
            gives: r#""{\"sku\":\"a\",\"n\":2}""#,
        },
        Example {
            mapping: "{ $json: { mode: decode, value: $.properties.cart } }",
            event: r#"{"properties":{"cart":"[1,2]"}}"#,
            gives: "[1,2]",
        },
    ],
    schema: || object(json!({ "mode": { "enum": MODES }, "value": any() }), &["mode", "value"]),
    parse,
};

const MODES: [&str; 2] = ["encode", "decode"];

#[derive(Debug)]
struct Encode(Expression);

impl Directive for Encode {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope)?;
        scope.work(found.weight())?;
        scope.text("$json", found.to_string())
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

#[derive(Debug)]
struct Decode(Expression);

impl Directive for Decode {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope)?;
        let Some(text) = found.as_str() else { return Some(found) };
        // A text of brackets is as many values.
        scope.work(text.len().saturating_mul(4))?;
        match json::parse(text.as_bytes()) {
            Ok(json) => Some(Cow::Owned(json.into_owned())),
            Err(error) => {
                scope.note(VALUE_LOST, format!("`$json` leaves it as text: {error}"), &found);
                Some(found)
            }
        }
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["mode", "value"], reader)?;
    given.require("mode", reader);
    let mode = given.choice("mode", &MODES, reader);
    let value = given.value(sign, reader);
    given.complete()?;
    match mode? {
        0 => made(Encode(value?)),
        _ => made(Decode(value?)),
    }
}
