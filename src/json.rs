//! JSON as it came: members in the order of the source, text borrowed from the bytes that were read.
//!
//! # Why
//! Intercom keeps the first ten metadata keys in the order sent, so the order of the source matters; and an event is
//! read on every pass through the corridor, so reading must be cheap. `serde_json` does the reading; this tree only
//! differs from its `Value` in keeping order and in copying nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
pub use serde_json::Number;

mod read;

pub use read::{Malformed, parse};

/// One JSON value. Text is borrowed where the source had no escapes in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of 64 bits, else an IEEE double.
    Number(Number),
    /// Text.
    String(Cow<'a, str>),
    /// `[…]`
    List(Vec<Json<'a>>),
    /// `{…}`
    Object(Object<'a>),
}

/// The members of an object, in the order of the source; no key twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    /// The member `key`, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.as_object()?.get(key)
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The items, when this is a list.
    pub fn as_list(&self) -> Option<&[Json<'a>]> {
        match self {
            Json::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The JSON type's name, as messages use it.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::List(_) => "list",
            Json::Object(_) => "object",
        }
    }

    /// The bytes of text in it, and 8 for each value: what a copy of it costs, more or less.
    pub fn weight(&self) -> usize {
        match self {
            Json::Null | Json::Bool(_) | Json::Number(_) => 8,
            Json::String(text) => text.len() + 8,
            Json::List(items) => items.iter().map(Json::weight).sum::<usize>() + 8,
            Json::Object(members) => members.iter().map(|(key, value)| key.len() + value.weight()).sum::<usize>() + 8,
        }
    }

    /// The same value that borrows nothing.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Json::Null => Json::Null,
            Json::Bool(value) => Json::Bool(value),
            Json::Number(number) => Json::Number(number),
            Json::String(text) => Json::String(Cow::Owned(text.into_owned())),
            Json::List(items) => Json::List(items.into_iter().map(Json::into_owned).collect()),
            Json::Object(object) => Json::Object(object.into_owned()),
        }
    }

    /// The same value as `serde_json` holds it; member order is lost.
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(number) => serde_json::Value::Number(number.clone()),
            Json::String(text) => text.to_string().into(),
            Json::List(items) => items.iter().map(Json::to_value).collect(),
            Json::Object(object) => serde_json::Value::Object(
                object.iter().map(|(key, value)| (key.to_string(), value.to_value())).collect(),
            ),
        }
    }
}

impl<'a> Object<'a> {
    /// No members.
    pub const fn new() -> Self {
        Object(Vec::new())
    }

    /// The member `key`.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The member `key`, to change it in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json<'a>> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets `key`: in its old place when it was there, else last.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: Json<'a>) {
        let key = key.into();
        match self.get_mut(&key) {
            Some(old) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Appends a member whose key is known to be new.
    pub fn push_new(&mut self, key: impl Into<Cow<'a, str>>, value: Json<'a>) {
        self.0.push((key.into(), value));
    }

    /// Takes the member `key` out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Json<'a>> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// Appends the members of `other` whose keys are not here.
    pub fn append_missing(&mut self, other: Object<'a>) {
        let mut seen = HashSet::new();
        for (key, value) in other {
            if !is_repeated(&key, &self.0, &mut seen) {
                self.0.push((key, value));
            }
        }
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same members, borrowing nothing.
    pub fn into_owned(self) -> Object<'static> {
        Object(self.0.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect())
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Json<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Of members with the same key the last one's value stays, in the place of the first.
impl<'a> FromIterator<(Cow<'a, str>, Json<'a>)> for Object<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Json<'a>)>>(members: I) -> Self {
        let mut object = Object::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for (key, value) in members {
            if object.len() < SMALL {
                object.insert(key, value);
                continue;
            }
            if places.is_empty() {
                places.extend(object.0.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)));
            }
            match places.get(&key) {
                Some(at) => object.0[*at].1 = value,
                None => {
                    places.insert(key.clone(), object.len());
                    object.push_new(key, value);
                }
            }
        }
        object
    }
}

impl From<&serde_json::Value> for Json<'static> {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(*value),
            serde_json::Value::Number(number) => Json::Number(number.clone()),
            serde_json::Value::String(text) => Json::String(text.clone().into()),
            serde_json::Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            serde_json::Value::Object(members) => {
                Json::Object(members.iter().map(|(key, value)| (key.clone().into(), Json::from(value))).collect())
            }
        }
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Json::String(Cow::Borrowed(text))
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Json::String(Cow::Owned(text))
    }
}

impl From<i64> for Json<'_> {
    fn from(number: i64) -> Self {
        Json::Number(number.into())
    }
}

impl From<bool> for Json<'_> {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl<'a> From<Object<'a>> for Json<'a> {
    fn from(object: Object<'a>) -> Self {
        Json::Object(object)
    }
}

/// Writes compact JSON.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(number) => number.serialize(serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Json::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Up to this many members a search one by one is the quickest.
const SMALL: usize = 32;

/// Small objects are compared member by member; large ones through a set, so that ten thousand keys cost no more each.
#[expect(clippy::ptr_arg, reason = "a borrowed key goes into the set without a copy")]
fn is_repeated<'a>(key: &Cow<'a, str>, members: &[(Cow<'a, str>, Json<'a>)], seen: &mut HashSet<Cow<'a, str>>) -> bool {
    if members.len() < SMALL {
        return members.iter().any(|(name, _)| name == key);
    }
    if seen.is_empty() {
        seen.extend(members.iter().map(|(name, _)| name.clone()));
    }
    !seen.insert(key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_many_members_with_the_same_key_stays_in_the_first_place() {
        let members = (0..100).chain([50, 3]).enumerate();
        let object: Object<'_> =
            members.map(|(at, key)| (Cow::Owned(format!("k{key}")), Json::from(at as i64))).collect();
        assert_eq!(object.len(), 100);
        let at = |key: &str| object.iter().position(|(name, _)| name == key);
        assert_eq!((at("k50"), at("k3")), (Some(50), Some(3)));
        assert_eq!((object.get("k50"), object.get("k3")), (Some(&100.into()), Some(&101.into())));
    }
}
