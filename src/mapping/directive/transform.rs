//! `$transform`: an expression over something made from the event.

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, made, object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$transform`
pub const KIND: Kind = Kind {
    name: "transform",
    docs: "`mapping`, with what `apply` comes to in the event's place: paths in it start there. Nothing when `apply` comes \
           to nothing.",
    examples: &[Example {
        mapping: "{ $transform: { apply: { $json: { mode: decode, value: $.properties.cart } }, mapping: $.total } }",
        event: r#"{"properties":{"cart":"{\"total\":9}"}}"#,
        gives: "9",
    }],
    schema: || object(json!({ "apply": any(), "mapping": any() }), &["apply", "mapping"]),
    parse,
};

#[derive(Debug)]
struct Transform {
    apply: Expression,
    mapping: Expression,
}

impl Directive for Transform {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        scope.inside(self.apply.resolve(scope)?, &self.mapping)
    }

    fn gives(&self) -> Option<&'static str> {
        self.mapping.gives()
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["apply", "mapping"], reader)?;
    given.require("apply", reader);
    given.require("mapping", reader);
    let apply = given.expression("apply", reader);
    let mapping =
        given.with("mapping", reader, |node, reader| reader.elsewhere(|reader| Expression::parse(node, reader)));
    given.complete()?;
    made(Transform { apply: apply?, mapping: mapping? })
}
