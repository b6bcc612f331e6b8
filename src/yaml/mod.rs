//! YAML text as a tree that knows its places, and problems that point at them.
//!
//! # Why
//! A file is checked by people before it is used, so reading must find everything wrong at once and say where. A tree
//! with places allows that; decoding straight into types stops at the first error and forgets where values stood.

use serde_json::Number;

use crate::json::{Json, Object};

mod decode;
mod flow;
mod interpolate;
mod misfit;
mod offsets;
mod problem;
mod read;
mod secrets;
pub mod write;

pub use decode::decode;
pub use interpolate::{Lookup, Missing, interpolate};
pub use problem::{Place, Problem, Problems, Severity, meant, nearest};
pub use read::{BYTES_MAX, parse};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
    /// The text as it was written, when `${…}` in it was replaced: what messages may show of it.
    pub written: Option<Box<str>>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`, and no other word.
    Bool(bool),
    /// A number as JSON writes it; anything else that looks like a number (`007`, `0x10`, `1_000`) is text.
    Number(Number),
    /// Text, plain or quoted.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map; no key twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// A value that was not written in any file, as if it stood at `place`.
    pub fn from_json(value: &serde_json::Value, place: &Place) -> Node {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Node::from_json(item, place)).collect())
            }
            serde_json::Value::Object(members) => {
                let key = |name: &String| Key { name: name.clone(), place: place.clone() };
                Value::Map(members.iter().map(|(name, value)| (key(name), Node::from_json(value, place))).collect())
            }
        };
        Node { value, place: place.clone(), written: None }
    }

    /// The member `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(name, _)| name.name == key).map(|(_, value)| value)
    }

    /// The text, when this is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members, when this is a map.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The items, when this is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value as JSON, in the order of the file.
    pub fn to_json(&self) -> Json<'static> {
        self.json(|text, _| text.to_owned())
    }

    /// The value as JSON, as an author would recognise it: with `${…}` in place of what it stood for.
    pub fn as_written(&self) -> Json<'static> {
        self.json(|text, written| written.unwrap_or(text).to_owned())
    }

    fn json(&self, text_of: fn(&str, Option<&str>) -> String) -> Json<'static> {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Text(text) => text_of(text, self.written.as_deref()).into(),
            Value::List(items) => Json::List(items.iter().map(|item| item.json(text_of)).collect()),
            Value::Map(members) => {
                let mut object = Object::new();
                for (key, value) in members {
                    object.push_new(key.name.clone(), value.json(text_of));
                }
                Json::Object(object)
            }
        }
    }

    /// The first characters of the value as it was written, for messages.
    pub fn shown(&self) -> String {
        match self.as_written() {
            Json::String(text) => cut(&text),
            other => cut(&other.to_string()),
        }
    }
}

/// The first sixty characters, for messages.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
