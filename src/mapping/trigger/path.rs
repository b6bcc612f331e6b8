//! A path into an event, as a list of keys.

use std::fmt::{self, Display};

use crate::event::MEMBERS;
use crate::json::Json;

/// Where in an event a value stands; the first key is always a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    keys: Box<[Key]>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A member of an object; written as a plain number it is an item of a list as well.
    Name {
        /// The member's name, never empty.
        name: Box<str>,
        /// The number the name is, when it is one.
        index: Option<usize>,
    },
    /// An item of a list, from 0.
    Index(usize),
}

/// Of [`MEMBERS`] those that hold an object; the others hold text.
pub(super) const CONTAINERS: [&str; 4] = ["properties", "traits", "context", "integrations"];

/// Words that mean something else when they stand alone, in any case.
const RESERVED: [&str; 7] = ["and", "or", "in", "not", "true", "false", "null"];

/// Whether `word` alone is a word of the language or one that is taken for it.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

impl Key {
    /// The key written as `name`.
    pub fn name(name: &str) -> Key {
        let plain = name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
        Key::Name { index: if plain { name.parse().ok() } else { None }, name: name.into() }
    }
}

impl Path {
    /// A path of these keys.
    pub(super) fn new(keys: Vec<Key>) -> Path {
        debug_assert!(matches!(keys.first(), Some(Key::Name { .. })));
        Path { keys: keys.into() }
    }

    /// The keys from the top of the event down.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The name of the event's own member that this path goes into.
    pub fn root(&self) -> &str {
        match &self.keys[0] {
            Key::Name { name, .. } => name,
            Key::Index(_) => "",
        }
    }

    /// Whether this is the event's own member `name`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.keys.len() == 1 && self.root() == name
    }

    /// Whether this is one word that names no member of the spec, as a text without its quotes would be.
    pub(super) fn is_bare_word(&self) -> bool {
        self.keys.len() == 1 && !MEMBERS.contains(&self.root())
    }

    /// The value at this path, when there is one.
    pub fn read<'v>(&self, event: &'v Json<'v>) -> Option<&'v Json<'v>> {
        self.keys.iter().try_fold(event, |json, key| match (json, key) {
            (Json::Object(object), Key::Name { name, .. }) => object.get(name),
            (Json::List(items), Key::Name { index: Some(index), .. } | Key::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// Writes the path so that it is read as one even where a bare word would be taken for a forgotten quote.
    pub(super) fn write_as_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_bare_word() && !self.is_escaped() {
            f.write_str("\\")?;
        }
        self.fmt(f)
    }

    fn is_escaped(&self) -> bool {
        let root = self.root();
        let starts_plain = root.starts_with(is_start);
        !starts_plain || is_reserved(root) || !root.chars().all(is_plain)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root();
        if is_reserved(root) || root.starts_with(|first| is_plain(first) && !is_start(first)) {
            f.write_str("\\")?;
        }
        for (at, key) in self.keys.iter().enumerate() {
            match key {
                Key::Index(index) => write!(f, "[{index}]")?,
                Key::Name { name, .. } => {
                    f.write_str(if at == 0 { "" } else { "." })?;
                    write_name(name, f)?;
                }
            }
        }
        Ok(())
    }
}

fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in name.chars() {
        if !is_plain(character) {
            f.write_str("\\")?;
        }
        write!(f, "{character}")?;
    }
    Ok(())
}

/// Whether a path may begin with this character.
pub(super) fn is_start(character: char) -> bool {
    is_plain(character) && !character.is_ascii_digit() && character != '-'
}

/// Whether this character may stand in a segment without a backslash: what is documented, and letters of any script.
pub(super) fn is_plain(character: char) -> bool {
    let combining = ('\u{300}'..='\u{36f}').contains(&character);
    matches!(character, '_' | '-') || character.is_alphanumeric() || combining
}
