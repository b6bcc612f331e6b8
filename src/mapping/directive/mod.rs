//! Directives: ways to compute a value from the event, one file each.
//!
//! A directive is written as a map of one key, `{$name: argument}`; Segment's `{"@name": argument}` means the same.
//! To add one: its file with a [`Kind`], and its line in [`ALL`].

use std::fmt;

use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Key, Node, cut, nearest};

mod first;
mod r#if;
mod literal;
mod path;
pub(super) mod template;

/// A directive, compiled. Pure: the same event always gives the same value.
pub trait Directive: fmt::Debug + Send + Sync {
    /// What it comes to for an event.
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
    /// What it does, in a sentence.
    pub docs: &'static str,
    /// How it is written.
    pub example: &'static str,
    /// Reads its argument. What is wrong is noted; it is then `None`.
    pub parse: fn(&Node, Sign, &mut Reader<'_>) -> Option<Expression>,
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
pub const ALL: [&Kind; 5] = [&first::KIND, &r#if::KIND, &literal::KIND, &path::KIND, &template::KIND];

/// The directive a key names, and how.
pub(super) fn named(key: &str) -> Option<(&'static Kind, Sign)> {
    let (sign, name) = match key.strip_prefix('$') {
        Some(name) => (Sign::Dollar, name),
        None => (Sign::At, key.strip_prefix('@')?),
    };
    let kind = ALL.into_iter().find(|kind| kind.name == name)?;
    Some((kind, sign))
}

/// Reads a directive whose key begins with a sign.
pub(super) fn parse(key: &Key, argument: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
    let Some((kind, sign)) = named(&key.name) else {
        unknown(key, reader);
        return None;
    };
    reader.within(&format!(".{}", key.name), |reader| (kind.parse)(argument, sign, reader))
}

fn unknown(key: &Key, reader: &mut Reader<'_>) {
    let names = || ALL.into_iter().map(|kind| kind.name);
    let all: Vec<String> = names().map(|name| format!("${name}")).collect();
    let help = match nearest(&key.name[1..], names()) {
        Some(near) => format!("did you mean `${near}`?"),
        None => format!("there are {}; write {{$literal: …}} for a key that begins so", all.join(", ")),
    };
    let message = format!("unknown directive `{}`", cut(&key.name));
    reader.problems.error("unknown_directive", &key.place, &reader.path, message).help(help);
}

/// Notes that an argument is not what a directive takes.
fn refuse(node: &Node, wanted: &str, reader: &mut Reader<'_>) {
    let message = format!("expected {wanted}, found {}", node.kind());
    reader.problems.error("directive_invalid", &node.place, &reader.path, message);
}

/// Reads an argument that is a map of expressions with known keys. What is wrong is noted.
fn arguments(node: &Node, known: &[&str], reader: &mut Reader<'_>) -> Option<Vec<(String, Expression)>> {
    let Some(members) = node.as_map() else {
        refuse(node, &format!("a map with {}", known.join(", ")), reader);
        return None;
    };
    let mut complete = true;
    let mut read = Vec::new();
    for (key, value) in members {
        let step = format!(".{}", key.name);
        if !known.contains(&key.name.as_str()) {
            let message = format!("unknown key `{}`", cut(&key.name));
            let help = crate::yaml::meant(&key.name, known.iter().copied());
            reader.within(&step, |reader| {
                reader.problems.error("unknown_key", &key.place, &reader.path, message).help(help);
            });
            complete = false;
            continue;
        }
        match reader.within(&step, |reader| Expression::parse(value, reader)) {
            Some(expression) => read.push((key.name.clone(), expression)),
            None => complete = false,
        }
    }
    complete.then_some(read)
}
