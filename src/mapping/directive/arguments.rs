//! The arguments of a directive that takes a map: each read once, everything wrong noted at its place.

use super::{Directive, Nothing, Sign, invalid, made, refuse};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::{Path, Scope, Spelling};
use crate::yaml::{Key, Node, Value, cut, meant, nearest};

/// A map of arguments with known keys.
pub(super) struct Arguments<'n> {
    node: &'n Node,
    members: &'n [(Key, Node)],
    /// Whether nothing was wrong so far.
    complete: bool,
}

impl<'n> Arguments<'n> {
    /// Takes a map; keys that are not known are noted.
    pub fn read(node: &'n Node, known: &[&str], reader: &mut Reader<'_>) -> Option<Self> {
        let Some(members) = node.as_map() else {
            refuse(node, &format!("a map with {}", known.join(", ")), reader);
            return None;
        };
        let mut complete = true;
        for (key, _) in members.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let message = format!("unknown key `{}`", cut(&key.name));
            let help = meant(&key.name, known.iter().copied());
            reader.within(&format!(".{}", key.name), |reader| {
                reader.problems.error("unknown_key", &key.place, &reader.path, message).help(help);
            });
            complete = false;
        }
        Some(Arguments { node, members, complete })
    }

    /// The node of an argument.
    pub fn node(&self, name: &str) -> Option<&'n Node> {
        self.members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// Whether an argument is given.
    pub fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    /// An argument that is an expression; `None` when it is not given or wrong.
    pub fn expression(&mut self, name: &str, reader: &mut Reader<'_>) -> Option<Expression> {
        self.with(name, reader, Expression::parse)
    }

    /// An argument read by `read`, which notes what is wrong.
    pub fn with<T>(
        &mut self,
        name: &str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&'n Node, &mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        let node = self.node(name)?;
        let read = reader.within(&format!(".{name}"), |reader| read(node, reader));
        self.complete &= read.is_some();
        read
    }

    /// An argument that is text, as it stands.
    pub fn text(&mut self, name: &str, reader: &mut Reader<'_>) -> Option<&'n str> {
        self.with(name, reader, |node, reader| {
            let text = node.as_text();
            if text.is_none() {
                refuse(node, "text", reader);
            }
            text
        })
    }

    /// An argument that is `true` or `false`.
    pub fn flag(&mut self, name: &str, reader: &mut Reader<'_>) -> Option<bool> {
        self.with(name, reader, |node, reader| match node.value {
            Value::Bool(flag) => Some(flag),
            _ => {
                refuse(node, "true or false", reader);
                None
            }
        })
    }

    /// An argument that is one of a few words: its place among them.
    pub fn choice(&mut self, name: &str, words: &[&str], reader: &mut Reader<'_>) -> Option<usize> {
        self.with(name, reader, |node, reader| {
            let at = words.iter().position(|word| node.as_text() == Some(word));
            if at.is_none() {
                let message = format!("expected {}, found `{}`", words.join(" or "), node.shown());
                let near = node.as_text().and_then(|text| nearest(&text.to_lowercase(), words.iter().copied()));
                let problem = reader.problems.error("directive_invalid", &node.place, &reader.path, message);
                problem.help = near.map(|near| format!("did you mean `{near}`?"));
            }
            at
        })
    }

    /// Notes that an argument is missing.
    pub fn require(&mut self, name: &str, reader: &mut Reader<'_>) {
        if !self.has(name) {
            invalid(self.node, format!("`{name}` is missing"), reader);
            self.complete = false;
        }
    }

    /// The value to work on. Segment's directives come to nothing without one, and with a constant that is empty.
    pub fn value(&mut self, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
        match (self.node("value"), sign) {
            (None, Sign::Dollar) => {
                self.require("value", reader);
                None
            }
            (Some(node), Sign::At) if is_falsy(&node.to_json()) => self.nothing(node, reader),
            (None, Sign::At) => self.nothing(self.node, reader),
            _ => self.expression("value", reader),
        }
    }

    fn nothing(&self, node: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
        let message = "this always comes to nothing: there is no `value` to work on";
        reader.problems.warning("unreachable", &node.place, &reader.path, message);
        made(Nothing)
    }

    /// Whether everything was there and right.
    pub fn complete(&self) -> Option<()> {
        self.complete.then_some(())
    }
}

/// What JavaScript takes for `false`.
pub(super) fn is_falsy(json: &Json<'_>) -> bool {
    match json {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::List(_) | Json::Object(_) => false,
    }
}

/// A path that the event itself spells.
#[derive(Debug)]
struct Computed(Expression);

impl Directive for Computed {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope)?;
        match found.as_ref() {
            Json::String(text) if !text.is_empty() => Path::parse_plain(text)?.resolve(scope),
            _ => None,
        }
    }
}

/// Reads a path, or an expression that gives one.
pub(super) fn path(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    match &node.value {
        Value::Text(text) if sign == Sign::Dollar && text.starts_with('$') => {
            reader.path(node, 0..text.len(), Spelling::Strict).map(Expression::Path)
        }
        Value::Text(text) => reader.path(node, 0..text.len(), Spelling::Loose).map(Expression::Path),
        Value::Map(_) => {
            let expression = Expression::parse(node, reader)?;
            made(Computed(expression))
        }
        _ => {
            refuse(node, "a path", reader);
            None
        }
    }
}
