//! An event as the JSONPath engine walks it. Every value remembers what it stands for, so that matches are borrowed
//! from the event and keep the order of the source.

use std::borrow::Cow;

use jsonpath_rust::query::queryable::Queryable;

use crate::json::{Json, Number};

/// One value of an event, or one the engine made itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree<'e> {
    /// The value of the event it stands for.
    pub source: Option<&'e Json<'e>>,
    shape: Shape<'e>,
}

#[derive(Debug, Clone, Default)]
enum Shape<'e> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'e, str>),
    List(Vec<Tree<'e>>),
    Object(Vec<(&'e str, Tree<'e>)>),
}

impl<'e> Tree<'e> {
    /// The tree of an event.
    pub fn of(json: &'e Json<'e>) -> Self {
        let shape = match json {
            Json::Null => Shape::Null,
            Json::Bool(value) => Shape::Bool(*value),
            Json::Number(number) => Shape::Number(number.clone()),
            Json::String(text) => Shape::Text(Cow::Borrowed(text)),
            Json::List(items) => Shape::List(items.iter().map(Tree::of).collect()),
            Json::Object(object) => Shape::Object(object.iter().map(|(key, value)| (key, Tree::of(value))).collect()),
        };
        Tree { source: Some(json), shape }
    }

    fn made(shape: Shape<'e>) -> Self {
        Tree { source: None, shape }
    }
}

/// Equal by value; the order of members does not count.
impl PartialEq for Tree<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.shape, &other.shape) {
            (Shape::Null, Shape::Null) => true,
            (Shape::Bool(a), Shape::Bool(b)) => a == b,
            (Shape::Number(a), Shape::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (Shape::Text(a), Shape::Text(b)) => a == b,
            (Shape::List(a), Shape::List(b)) => a == b,
            (Shape::Object(a), Shape::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| Queryable::get(other, key) == Some(value))
            }
            _ => false,
        }
    }
}

impl Queryable for Tree<'_> {
    fn get(&self, key: &str) -> Option<&Self> {
        match &self.shape {
            Shape::Object(members) => members.iter().find(|(name, _)| *name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&Vec<Self>> {
        match &self.shape {
            Shape::List(items) => Some(items),
            _ => None,
        }
    }

    fn as_object(&self) -> Option<Vec<(&str, &Self)>> {
        match &self.shape {
            Shape::Object(members) => Some(members.iter().map(|(key, value)| (*key, value)).collect()),
            _ => None,
        }
    }

    fn as_str(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match &self.shape {
            Shape::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match &self.shape {
            Shape::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match &self.shape {
            Shape::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn null() -> Self {
        Tree::default()
    }
}

impl From<&str> for Tree<'_> {
    fn from(text: &str) -> Self {
        Tree::made(Shape::Text(Cow::Owned(text.to_owned())))
    }
}

impl From<String> for Tree<'_> {
    fn from(text: String) -> Self {
        Tree::made(Shape::Text(Cow::Owned(text)))
    }
}

impl From<bool> for Tree<'_> {
    fn from(value: bool) -> Self {
        Tree::made(Shape::Bool(value))
    }
}

impl From<i64> for Tree<'_> {
    fn from(number: i64) -> Self {
        Tree::made(Shape::Number(number.into()))
    }
}

impl From<f64> for Tree<'_> {
    fn from(number: f64) -> Self {
        Tree::made(Number::from_f64(number).map_or(Shape::Null, Shape::Number))
    }
}

impl<'e> From<Vec<Tree<'e>>> for Tree<'e> {
    fn from(items: Vec<Tree<'e>>) -> Self {
        Tree::made(Shape::List(items))
    }
}
