//! A filter of a JSONPath query: `?…`.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::pattern::Pattern;
use super::query::{self, Segment, Walk};
use crate::json::{Json, Number};

/// A condition on a value.
#[derive(Debug)]
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    /// Whether a query finds anything.
    Exists(Nodes),
    Compares(Value, Operator, Value),
    Matches(Value, Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A query within a filter.
#[derive(Debug)]
pub(super) struct Nodes {
    /// Whether it starts at the event, rather than at the value that is tried.
    pub is_absolute: bool,
    /// Where from there.
    pub segments: Vec<Segment>,
}

/// What is compared: a value or nothing.
#[derive(Debug)]
pub(super) enum Value {
    Literal(Json<'static>),
    /// The value of a query that finds one at most.
    Query(Nodes),
    Length(Box<Value>),
    Count(Nodes),
}

impl Nodes {
    fn find<'e>(&self, walk: &Walk<'e, '_>, value: &'e Json<'e>) -> Vec<&'e Json<'e>> {
        walk.segments(&self.segments, if self.is_absolute { walk.root } else { value })
    }
}

impl Filter {
    /// Whether a value meets it.
    pub fn holds<'e>(&self, walk: &Walk<'e, '_>, value: &'e Json<'e>) -> bool {
        match self {
            Filter::Any(parts) => parts.iter().any(|part| part.holds(walk, value)),
            Filter::All(parts) => parts.iter().all(|part| part.holds(walk, value)),
            Filter::Not(part) => !part.holds(walk, value),
            Filter::Exists(nodes) => !nodes.find(walk, value).is_empty(),
            Filter::Compares(left, operator, right) => {
                let (left, right) = (left.of(walk, value), right.of(walk, value));
                compares(walk, left.as_deref(), *operator, right.as_deref())
            }
            Filter::Matches(text, pattern) => {
                let text = text.of(walk, value);
                text.as_deref().and_then(Json::as_str).is_some_and(|text| pattern.fits(text, walk, value))
            }
        }
    }
}

impl Filter {
    /// Shows every pattern in it.
    pub fn patterns<'f>(&'f self, see: &mut dyn FnMut(&'f Pattern)) {
        match self {
            Filter::Any(parts) | Filter::All(parts) => parts.iter().for_each(|part| part.patterns(see)),
            Filter::Not(part) => part.patterns(see),
            Filter::Exists(nodes) => query::patterns(&nodes.segments, see),
            Filter::Compares(left, _, right) => {
                left.patterns(see);
                right.patterns(see);
            }
            Filter::Matches(of, pattern) => {
                of.patterns(see);
                see(pattern);
            }
        }
    }
}

impl Value {
    /// Shows every pattern in it.
    fn patterns<'f>(&'f self, see: &mut dyn FnMut(&'f Pattern)) {
        match self {
            Value::Literal(_) => {}
            Value::Query(nodes) | Value::Count(nodes) => query::patterns(&nodes.segments, see),
            Value::Length(of) => of.patterns(see),
        }
    }

    /// What it is for a value that is tried; `None` for nothing.
    pub fn of<'v, 'e: 'v>(&'v self, walk: &Walk<'e, '_>, value: &'e Json<'e>) -> Option<Cow<'v, Json<'v>>> {
        match self {
            Value::Literal(json) => Some(Cow::Borrowed(json)),
            Value::Query(nodes) => match nodes.find(walk, value).as_slice() {
                [one] => Some(Cow::Borrowed(*one)),
                _ => None,
            },
            Value::Length(of) => {
                let length = match of.of(walk, value)?.as_ref() {
                    Json::String(text) => {
                        walk.work(text.len());
                        text.chars().count()
                    }
                    Json::List(items) => items.len(),
                    Json::Object(members) => members.len(),
                    _ => return None,
                };
                Some(Cow::Owned(Json::from(length as i64)))
            }
            Value::Count(nodes) => Some(Cow::Owned(Json::from(nodes.find(walk, value).len() as i64))),
        }
    }
}

/// RFC 9535 §2.3.5.2.2: nothing equals nothing; only numbers and texts have an order.
fn compares(walk: &Walk<'_, '_>, left: Option<&Json<'_>>, operator: Operator, right: Option<&Json<'_>>) -> bool {
    let equal = match (left, right) {
        (Some(left), Some(right)) => same(walk, left, right),
        (left, right) => left.is_none() && right.is_none(),
    };
    let order = match (left, right) {
        (Some(Json::Number(left)), Some(Json::Number(right))) => number_order(left, right),
        (Some(Json::String(left)), Some(Json::String(right))) => {
            walk.work(left.len().min(right.len())).then(|| left.cmp(right))
        }
        _ => None,
    };
    match operator {
        Operator::Equal => equal,
        Operator::NotEqual => !equal,
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => equal || order == Some(Ordering::Less),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => equal || order == Some(Ordering::Greater),
    }
}

fn number_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// Equal by value; the order of members does not count. What is looked at is counted, also the members before the one
/// that is looked for; not equal when that is too much.
fn same(walk: &Walk<'_, '_>, left: &Json<'_>, right: &Json<'_>) -> bool {
    let looked_at = match (left, right) {
        (Json::String(left), Json::String(right)) if left.len() == right.len() => left.len(),
        (Json::Object(left), Json::Object(right)) if left.len() == right.len() => left.len() * left.len(),
        _ => 0,
    };
    if !walk.work(looked_at) {
        return false;
    }
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => number_order(left, right) == Some(Ordering::Equal),
        (Json::List(left), Json::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(walk, left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            let equal = |(key, value): (&str, &Json<'_>)| right.get(key).is_some_and(|other| same(walk, value, other));
            left.len() == right.len() && left.iter().all(equal)
        }
        (left, right) => left == right,
    }
}
