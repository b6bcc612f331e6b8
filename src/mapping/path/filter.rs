//! A filter of a JSONPath query: `?…`. Compiling checks the types of RFC 9535 §2.4.3, which the parser does not.

use std::borrow::Cow;
use std::cmp::Ordering;

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter as Read, FilterAtom, FnArg, Literal, SingularQuery, SingularQuerySegment, Test,
    TestFunction,
};

use super::lint::Refused;
use super::pattern::{self, Pattern};
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
    is_absolute: bool,
    segments: Vec<Segment>,
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

type Compiled<T> = Result<T, Refused>;

/// Compiles a filter; why it may not be used.
pub(super) fn compile(filter: &Read) -> Compiled<Filter> {
    match filter {
        Read::Or(parts) => parts.iter().map(compile).collect::<Compiled<_>>().map(Filter::Any),
        Read::And(parts) => parts.iter().map(compile).collect::<Compiled<_>>().map(Filter::All),
        Read::Atom(FilterAtom::Filter { expr, not }) => Ok(negated(compile(expr)?, *not)),
        Read::Atom(FilterAtom::Test { expr, not }) => Ok(negated(test(expr)?, *not)),
        Read::Atom(FilterAtom::Comparison(one)) => comparison(one),
    }
}

fn negated(filter: Filter, not: bool) -> Filter {
    if not { Filter::Not(Box::new(filter)) } else { filter }
}

fn test(test: &Test) -> Compiled<Filter> {
    match test {
        Test::RelQuery(_) | Test::AbsQuery(_) => nodes(test).map(Filter::Exists),
        Test::Function(function) => match function.as_ref() {
            TestFunction::Match(text, pattern) => matches(text, pattern, true),
            TestFunction::Search(text, pattern) => matches(text, pattern, false),
            TestFunction::Custom(name, _) => Err(Refused::foreign(name)),
            TestFunction::Length(_) => Err(Refused::not_compared("length")),
            TestFunction::Count(_) => Err(Refused::not_compared("count")),
            TestFunction::Value(_) => Err(Refused::not_compared("value")),
        },
    }
}

fn matches(text: &FnArg, pattern: &FnArg, is_whole: bool) -> Compiled<Filter> {
    let name = if is_whole { "match" } else { "search" };
    let pattern = match argument(pattern, name)? {
        Value::Literal(Json::String(text)) => Pattern::Fixed(pattern::compile(&text, is_whole)),
        other => Pattern::Found { value: Box::new(other), is_whole },
    };
    Ok(Filter::Matches(argument(text, name)?, pattern))
}

fn comparison(comparison: &Comparison) -> Compiled<Filter> {
    let (left, right) = comparison.vals();
    let operator = match comparison {
        Comparison::Eq(..) => Operator::Equal,
        Comparison::Ne(..) => Operator::NotEqual,
        Comparison::Lt(..) => Operator::Less,
        Comparison::Lte(..) => Operator::LessOrEqual,
        Comparison::Gt(..) => Operator::Greater,
        Comparison::Gte(..) => Operator::GreaterOrEqual,
    };
    Ok(Filter::Compares(comparable(left)?, operator, comparable(right)?))
}

fn comparable(comparable: &Comparable) -> Compiled<Value> {
    match comparable {
        Comparable::Literal(one) => literal(one).map(Value::Literal),
        Comparable::Function(one) => function(one),
        Comparable::SingularQuery(SingularQuery::Current(segments)) => Ok(Value::Query(singular(segments, false)?)),
        Comparable::SingularQuery(SingularQuery::Root(segments)) => Ok(Value::Query(singular(segments, true)?)),
    }
}

fn singular(segments: &[SingularQuerySegment], is_absolute: bool) -> Compiled<Nodes> {
    use jsonpath_rust::parser::model::{Segment as ReadSegment, Selector};
    let segment = |segment: &SingularQuerySegment| match segment {
        SingularQuerySegment::Name(name) => ReadSegment::Selector(Selector::Name(name.clone())),
        SingularQuerySegment::Index(index) => ReadSegment::Selector(Selector::Index(*index)),
    };
    let segments: Vec<ReadSegment> = segments.iter().map(segment).collect();
    Ok(Nodes { is_absolute, segments: query::compile(&segments)? })
}

fn literal(literal: &Literal) -> Compiled<Json<'static>> {
    Ok(match literal {
        Literal::Int(number) => Json::from(*number),
        Literal::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Literal::String(text) => Json::from(text.clone()),
        Literal::Bool(value) => Json::from(*value),
        Literal::Null => Json::Null,
    })
}

/// A function that gives a value.
fn function(function: &TestFunction) -> Compiled<Value> {
    match function {
        TestFunction::Length(of) => Ok(Value::Length(Box::new(argument(of, "length")?))),
        TestFunction::Count(of) => query_argument(of, "count").map(Value::Count),
        TestFunction::Value(of) => query_argument(of, "value").map(Value::Query),
        TestFunction::Match(..) => Err(Refused::compared("match")),
        TestFunction::Search(..) => Err(Refused::compared("search")),
        TestFunction::Custom(name, _) => Err(Refused::foreign(name)),
    }
}

/// An argument that is a value.
fn argument(argument: &FnArg, of: &'static str) -> Compiled<Value> {
    match argument {
        FnArg::Literal(one) => literal(one).map(Value::Literal),
        FnArg::Test(one) => match one.as_ref() {
            Test::Function(one) => function(one),
            query => {
                let nodes = nodes(query)?;
                match nodes.segments.iter().all(Segment::is_singular) {
                    true => Ok(Value::Query(nodes)),
                    false => Err(Refused::many_values(of)),
                }
            }
        },
        FnArg::Filter(_) => Err(Refused::condition(of)),
    }
}

/// An argument that is a query.
fn query_argument(argument: &FnArg, of: &'static str) -> Compiled<Nodes> {
    match argument {
        FnArg::Test(one) if !matches!(one.as_ref(), Test::Function(_)) => nodes(one),
        _ => Err(Refused::not_query(of)),
    }
}

fn nodes(test: &Test) -> Compiled<Nodes> {
    match test {
        Test::RelQuery(segments) => Ok(Nodes { is_absolute: false, segments: query::compile(segments)? }),
        Test::AbsQuery(query) => Ok(Nodes { is_absolute: true, segments: query::compile(&query.segments)? }),
        Test::Function(_) => Err(Refused::condition("a query")),
    }
}

impl Nodes {
    fn find<'e>(&self, walk: &Walk<'e>, value: &'e Json<'e>) -> Vec<&'e Json<'e>> {
        walk.segments(&self.segments, if self.is_absolute { walk.root } else { value })
    }
}

impl Filter {
    /// Whether a value meets it.
    pub fn holds<'e>(&self, walk: &Walk<'e>, value: &'e Json<'e>) -> bool {
        match self {
            Filter::Any(parts) => parts.iter().any(|part| part.holds(walk, value)),
            Filter::All(parts) => parts.iter().all(|part| part.holds(walk, value)),
            Filter::Not(part) => !part.holds(walk, value),
            Filter::Exists(nodes) => !nodes.find(walk, value).is_empty(),
            Filter::Compares(left, operator, right) => {
                let (left, right) = (left.of(walk, value), right.of(walk, value));
                compares(left.as_deref(), *operator, right.as_deref())
            }
            Filter::Matches(text, pattern) => {
                let text = text.of(walk, value);
                text.as_deref().and_then(Json::as_str).is_some_and(|text| pattern.fits(text, walk, value))
            }
        }
    }
}

impl Filter {
    /// Whether it compiles a pattern again for every value.
    pub fn is_slow(&self) -> bool {
        match self {
            Filter::Any(parts) | Filter::All(parts) => parts.iter().any(Filter::is_slow),
            Filter::Not(part) => part.is_slow(),
            Filter::Exists(nodes) => query::is_slow(&nodes.segments),
            Filter::Compares(..) | Filter::Matches(_, Pattern::Fixed(_)) => false,
            Filter::Matches(_, Pattern::Found { .. }) => true,
        }
    }
}

impl Value {
    /// What it is for a value that is tried; `None` for nothing.
    pub fn of<'v, 'e: 'v>(&'v self, walk: &Walk<'e>, value: &'e Json<'e>) -> Option<Cow<'v, Json<'v>>> {
        match self {
            Value::Literal(json) => Some(Cow::Borrowed(json)),
            Value::Query(nodes) => match nodes.find(walk, value).as_slice() {
                [one] => Some(Cow::Borrowed(*one)),
                _ => None,
            },
            Value::Length(of) => {
                let length = match of.of(walk, value)?.as_ref() {
                    Json::String(text) => text.chars().count(),
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
fn compares(left: Option<&Json<'_>>, operator: Operator, right: Option<&Json<'_>>) -> bool {
    let equal = match (left, right) {
        (Some(left), Some(right)) => same(left, right),
        (left, right) => left.is_none() && right.is_none(),
    };
    let order = match (left, right) {
        (Some(Json::Number(left)), Some(Json::Number(right))) => number_order(left, right),
        (Some(Json::String(left)), Some(Json::String(right))) => Some(left.cmp(right)),
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

/// Equal by value; the order of members does not count.
fn same(left: &Json<'_>, right: &Json<'_>) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => number_order(left, right) == Some(Ordering::Equal),
        (Json::List(left), Json::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            let equal = |(key, value): (&str, &Json<'_>)| right.get(key).is_some_and(|other| same(value, other));
            left.len() == right.len() && left.iter().all(equal)
        }
        (left, right) => left == right,
    }
}
