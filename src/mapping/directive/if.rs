//! `$if`: one value or another, by whether something is there.

use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, any, arguments, invalid, made, object};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$if`
pub const KIND: Kind = Kind {
    name: "if",
    docs: "`then` when `exists` is neither missing nor `null`, else `else`. With `blank` in place of `exists`: `then` \
           when the value is there and not blank; missing, `null`, empty text, 0, `false` and an empty list are blank.",
    examples: &[
        Example {
            mapping: "{ $if: { exists: $.userId, then: user, else: lead } }",
            event: r#"{"userId":"u1"}"#,
            gives: r#""user""#,
        },
        Example {
            mapping: "{ $if: { blank: $.traits.name, then: $.traits.name, else: Unknown } }",
            event: r#"{"traits":{"name":""}}"#,
            gives: r#""Unknown""#,
        },
    ],
    schema: || {
        let schema = object(json!({ "exists": any(), "blank": any(), "then": any(), "else": any() }), &[]);
        json!({ "allOf": [schema, { "anyOf": [{ "required": ["exists"] }, { "required": ["blank"] }] }] })
    },
    parse,
};

#[derive(Debug)]
struct If {
    test: Test,
    of: Expression,
    then: Option<Expression>,
    otherwise: Option<Expression>,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Exists,
    NotBlank,
}

impl Test {
    fn holds(self, found: &Found<'_>) -> bool {
        match (self, found.as_deref()) {
            (_, None | Some(Json::Null)) => false,
            (Test::Exists, Some(_)) => true,
            (Test::NotBlank, Some(json)) => !is_blank(json),
        }
    }
}

/// What Segment's loose comparison with empty text comes to.
fn is_blank(json: &Json<'_>) -> bool {
    match json {
        Json::String(text) => text.is_empty(),
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::List(items) => items.is_empty(),
        Json::Null => true,
        Json::Object(_) => false,
    }
}

impl Directive for If {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let chosen = match self.test.holds(&self.of.resolve(scope)) {
            true => &self.then,
            false => &self.otherwise,
        };
        chosen.as_ref()?.resolve(scope)
    }
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &["exists", "blank", "then", "else"], reader)?;
    if !given.has("exists") && !given.has("blank") {
        invalid(node, "`exists` or `blank` is missing", reader)
            .help("say what to look at: { $if: { exists: $.userId, then: user, else: lead } }");
        return None;
    }
    if !given.has("then") && !given.has("else") {
        invalid(node, "`then` and `else` are both missing", reader).help(
            "say what to give: `then` where it is there, `else` where it is not; one that is left out gives nothing",
        );
        return None;
    }
    let exists = given.with("exists", reader, question);
    let blank = given.with("blank", reader, question);
    let (then, otherwise) = (given.expression("then", reader), given.expression("else", reader));
    given.complete()?;
    if given.has("exists") && given.has("blank") {
        let message = "`blank` is not looked at beside `exists`";
        reader.problems.warning("unreachable", &node.place, &reader.path, message);
    }
    let (test, of) = match (exists, blank) {
        (Some(of), _) => (Test::Exists, of),
        (None, of) => (Test::NotBlank, of?),
    };
    made(If { test, of, then, otherwise })
}

/// What is asked about. A constant has only one answer.
fn question(node: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
    let expression = Expression::parse(node, reader)?;
    let Expression::Literal(value) = &expression else { return Some(expression) };
    if arguments::is_falsy(value) {
        invalid(node, format!("`{}` is a constant: write a path of the event", node.shown()), reader);
        return None;
    }
    let message = "`else` is never reached: this is a constant and always there";
    reader.problems.warning("unreachable", &node.place, &reader.path, message);
    Some(expression)
}
