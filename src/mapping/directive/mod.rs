//! Directives: ways to compute a value from the event, one file each.
//!
//! A directive is written as a map of one key, `{$name: argument}`; Segment's `{"@name": argument}` means the same.
//! To add one: its file with a [`Kind`], and its line in [`ALL`].

use std::fmt;

use serde_json::{Value, json};

use crate::action::shown;
use crate::json::{Json, Object};
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Key, Node, Problem, cut, nearest};

use self::arguments::Arguments;

mod arguments;
mod array_path;
mod case;
mod date;
mod exclude_when_null;
mod first;
mod flatten;
mod hash;
mod r#if;
mod join;
mod json;
pub mod liquid;
mod literal;
mod lookup;
mod map;
mod merge;
mod number;
mod path;
mod replace;
pub(super) mod template;
mod transform;

/// A directive, compiled. Pure: the same event always gives the same value.
pub trait Directive: fmt::Debug + Send + Sync {
    /// What it comes to for an event. What is lost on the way is told to the scope.
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e>;

    /// The JSON type it always gives, when there is only one (see [`crate::json::Json::kind`]).
    fn gives(&self) -> Option<&'static str> {
        None
    }
}

/// A directive on the shelf.
pub struct Kind {
    /// Its one name, without `$`.
    pub name: &'static str,
    /// What it does, in a few sentences.
    pub docs: &'static str,
    /// How it is used, with what comes of it; a test runs each. The first stands in the docs.
    pub examples: &'static [Example],
    /// The JSON Schema (draft 2020-12) of its argument under `$name`. It may refer to `#/$defs/expression`: anything
    /// that may be written at a field, with directives in it.
    pub schema: fn() -> Value,
    /// Reads its argument. What is wrong is noted; it is then `None`.
    pub parse: fn(&Node, Sign, &mut Reader<'_>) -> Option<Expression>,
}

/// One use of a directive.
pub struct Example {
    /// The expression, in YAML.
    pub mapping: &'static str,
    /// The event, as JSON.
    pub event: &'static str,
    /// What it comes to, as JSON; empty when it comes to nothing.
    pub gives: &'static str,
}

/// How a directive's name was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `$name`
    Dollar,
    /// `@name`, as Segment writes it.
    At,
}

/// Every directive there is.
pub const ALL: &[&Kind] = &[
    &array_path::KIND,
    &case::KIND,
    &date::KIND,
    &exclude_when_null::KIND,
    &first::KIND,
    &flatten::KIND,
    &hash::KIND,
    &r#if::KIND,
    &join::KIND,
    &json::KIND,
    &liquid::KIND,
    &literal::KIND,
    &lookup::KIND,
    &map::KIND,
    &merge::KIND,
    &number::KIND,
    &path::KIND,
    &replace::KIND,
    &template::KIND,
    &transform::KIND,
];

/// The code of a warning that a directive could not use a value.
pub const VALUE_LOST: &str = "value_lost";

/// The code of a warning that a directive can use no value it is given, whatever the event.
const CONSTANT_LOST: &str = "constant_lost";

/// Words of other languages, and what is written here instead.
const ELSEWHERE: [(&str, &str); 9] = [
    ("coalesce", "that is `$first`"),
    ("concat", "that is a template: \"{{ traits.firstName }} {{ traits.lastName }}\", or `$join`"),
    ("concatenate", "that is a template: \"{{ traits.firstName }} {{ traits.lastName }}\", or `$join`"),
    ("exists", "that is a part of `$if`: {$if: {exists: …, then: …}}"),
    ("lower", "that is `$case`: {$case: {operator: lower, value: …}}"),
    ("now", NOW),
    ("sha256", "that is `$hash`"),
    ("today", NOW),
    ("upper", "that is `$case`: {$case: {operator: upper, value: …}}"),
];

/// Why there is no clock.
const NOW: &str = "a mapping has no clock: the same event gives the same result whenever it is delivered. `$.timestamp` \
                   is when it happened, `$.receivedAt` when it came in";

/// The directive a key names, and how.
pub(super) fn named(key: &str) -> Option<(&'static Kind, Sign)> {
    let (sign, name) = match key.strip_prefix('$') {
        Some(name) => (Sign::Dollar, name),
        None => (Sign::At, key.strip_prefix('@')?),
    };
    let kind = ALL.iter().copied().find(|kind| kind.name == name)?;
    Some((kind, sign))
}

/// Reads a directive whose key begins with a sign.
pub(super) fn parse(key: &Key, argument: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
    let Some((kind, sign)) = named(&key.name) else {
        unknown(key, reader);
        return None;
    };
    reader.within(&format!(".{}", key.name), |reader| {
        let reads = reader.reads();
        let expression = (kind.parse)(argument, sign, reader)?;
        if reader.reads() == reads {
            check_constant(&expression, key, reader);
        }
        Some(expression)
    })
}

/// What does not depend on the event is looked at now: a value that is lost would be lost for every event.
fn check_constant(expression: &Expression, key: &Key, reader: &mut Reader<'_>) {
    let Expression::Directive(directive) = expression else { return };
    let none = Json::Object(Object::new());
    let scope = Scope::new(&none);
    directive.resolve(&scope);
    for note in scope.take_notes() {
        let message = format!("{}: {}, for every event", note.message, shown(&note.from));
        reader.problems.warning(CONSTANT_LOST, &key.place, &reader.path, message);
        // What holds this directive need not be looked at as well.
        reader.depends_on_event();
    }
}

fn unknown(key: &Key, reader: &mut Reader<'_>) {
    let (sign, name) = key.name.split_at(1);
    let names = || ALL.iter().map(|kind| kind.name);
    let elsewhere = ELSEWHERE.iter().find(|(word, _)| *word == name.to_lowercase());
    let help = match (elsewhere, nearest(name, names())) {
        (Some((_, instead)), _) => (*instead).to_owned(),
        (None, Some(near)) => format!("did you mean `{sign}{near}`?"),
        (None, None) => {
            let all: Vec<String> = names().map(|name| format!("${name}")).collect();
            format!("there are {}; write {{$literal: …}} for a key that begins so", all.join(", "))
        }
    };
    let message = format!("unknown directive `{}`", cut(&key.name));
    reader.problems.error("unknown_directive", &key.place, &reader.path, message).help(help);
}

/// Notes that an argument is not what a directive takes.
fn refuse(node: &Node, wanted: &str, reader: &mut Reader<'_>) {
    invalid(node, format!("expected {wanted}, found {}", node.kind()), reader);
}

/// Notes what is wrong with an argument.
fn invalid<'r>(node: &Node, message: impl Into<String>, reader: &'r mut Reader<'_>) -> &'r mut Problem {
    reader.problems.error("directive_invalid", &node.place, &reader.path, message)
}

/// Boxes a directive.
fn made(directive: impl Directive + 'static) -> Option<Expression> {
    Some(Expression::Directive(Box::new(directive)))
}

/// The schema of an argument that is any expression: also a number, an object or a list of one's own.
fn any() -> Value {
    json!({ "$ref": "#/$defs/expression" })
}

/// The schema of a map of arguments.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

/// What comes to nothing, as Segment's directives do without their value.
#[derive(Debug)]
struct Nothing;

impl Directive for Nothing {
    fn resolve<'e>(&'e self, _: &Scope<'e>) -> Found<'e> {
        None
    }
}

#[cfg(test)]
mod tests;
