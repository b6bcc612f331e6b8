//! `$hash`: a fingerprint of a text.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Directive, Example, Kind, Sign, VALUE_LOST, any, made};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::path::Scope;
use crate::mapping::text;
use crate::yaml::Node;

/// `$hash`
pub const KIND: Kind = Kind {
    name: "hash",
    docs: "The SHA-256 of the text there, in small hexadecimal; a number or truth value counts as its text. Nothing gives \
           nothing; a list or an object as well, with a warning. Put `$case` inside where capitals must not matter.",
    examples: &[Example {
        mapping: "{ $hash: { $case: { operator: lower, value: $.traits.email } } }",
        event: r#"{"traits":{"email":"Test@example.com"}}"#,
        gives: r#""973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b""#,
    }],
    schema: any,
    parse,
};

#[derive(Debug)]
struct Hash(Expression);

impl Directive for Hash {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope);
        if is_empty(&found) {
            return None;
        }
        let found = found?;
        let Some(text) = text::scalar(&found) else {
            scope.note(VALUE_LOST, "`$hash` takes text", &found);
            return None;
        };
        // The sum of a byte is some ten times the work of its copy.
        scope.work(text.len().saturating_mul(8))?;
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(text.as_bytes()) {
            // Writing into a `String` cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Some(Cow::Owned(Json::from(hex)))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    made(Hash(Expression::parse(node, reader)?))
}
