//! `$if`: one value or another, by whether something is there.

use super::{Directive, Kind, Sign, arguments};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$if`
pub const KIND: Kind = Kind {
    name: "if",
    docs: "`then` when `exists` is neither missing nor `null`, else `else`. With `blank` in place of `exists`: `then` \
           when the value is there and not blank; missing, `null`, empty text, 0, `false` and an empty list are blank.",
    example: "{ $if: { exists: $.userId, then: user, else: lead } }",
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
    let mut given = arguments(node, &["exists", "blank", "then", "else"], reader)?;
    let mut take = |name: &str| {
        let at = given.iter().position(|(key, _)| key == name)?;
        Some(given.swap_remove(at).1)
    };
    let (test, of) = match (take("exists"), take("blank")) {
        (Some(of), blank) => {
            if blank.is_some() {
                let message = "`blank` is not looked at beside `exists`";
                reader.problems.warning("unreachable", &node.place, &reader.path, message);
            }
            (Test::Exists, of)
        }
        (None, Some(of)) => (Test::NotBlank, of),
        (None, None) => {
            reader.problems.error("directive_invalid", &node.place, &reader.path, "`exists` or `blank` is missing");
            return None;
        }
    };
    let (then, otherwise) = (take("then"), take("else"));
    if then.is_none() && otherwise.is_none() {
        reader.problems.error("directive_invalid", &node.place, &reader.path, "`then` and `else` are both missing");
        return None;
    }
    Some(Expression::Directive(Box::new(If { test, of, then, otherwise })))
}
