//! `$case`: text in small letters or capitals.

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, made, object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$case`
pub const KIND: Kind = Kind {
    name: "case",
    docs: "`value` in small letters (`operator: lower`) or capitals (`operator: upper`). What is not text stays as it is.",
    examples: &[
        Example {
            mapping: "{ $case: { operator: lower, value: $.traits.email } }",
            event: r#"{"traits":{"email":"Ann@Example.com"}}"#,
            gives: r#""ann@example.com""#,
        },
        Example { mapping: "{ $case: { operator: upper, value: $.traits.plan } }", event: "{}", gives: "" },
    ],
    schema: || object(json!({ "operator": { "enum": OPERATORS }, "value": any() }), &["operator", "value"]),
    parse,
};

const OPERATORS: [&str; 2] = ["lower", "upper"];

#[derive(Debug)]
struct Case {
    is_upper: bool,
    value: Expression,
}

impl Directive for Case {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.value.resolve(scope)?;
        let Some(text) = found.as_str() else { return Some(found) };
        scope.work(text.len())?;
        let text = if self.is_upper { text.to_uppercase() } else { text.to_lowercase() };
        scope.text("$case", text)
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["operator", "value"], reader)?;
    given.require("operator", reader);
    let operator = given.choice("operator", &OPERATORS, reader);
    let value = given.value(sign, reader);
    given.complete()?;
    made(Case { is_upper: operator? == 1, value: value? })
}
