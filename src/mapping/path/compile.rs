//! Filters, from what the parser read. Compiling checks the types of RFC 9535 §2.4.3, which the parser does not.

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter as Read, FilterAtom, FnArg, Literal, Segment as ReadSegment, Selector,
    SingularQuery, SingularQuerySegment, Test, TestFunction,
};

use super::filter::{Filter, Nodes, Operator, Value};
use super::lint::Refused;
use super::pattern::{self, Pattern};
use super::query::{self, Segment};
use crate::json::{Json, Number};

type Compiled<T> = Result<T, Refused>;

/// Compiles a filter; why it may not be used.
pub(super) fn filter(read: &Read) -> Compiled<Filter> {
    match read {
        Read::Or(parts) => parts.iter().map(filter).collect::<Compiled<_>>().map(Filter::Any),
        Read::And(parts) => parts.iter().map(filter).collect::<Compiled<_>>().map(Filter::All),
        Read::Atom(FilterAtom::Filter { expr, not }) => Ok(negated(filter(expr)?, *not)),
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
        Value::Literal(Json::String(text)) => Pattern::Fixed(pattern::compile(&text, is_whole, pattern::COMPILED_MAX)),
        Value::Literal(_) => Pattern::Fixed(Err("it is not text".to_owned())),
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
    let segment = |segment: &SingularQuerySegment| match segment {
        SingularQuerySegment::Name(name) => ReadSegment::Selector(Selector::Name(name.clone())),
        SingularQuerySegment::Index(index) => ReadSegment::Selector(Selector::Index(*index)),
    };
    let segments: Vec<ReadSegment> = segments.iter().map(segment).collect();
    Ok(Nodes { is_absolute, segments: query::segments(&segments)? })
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
        Test::RelQuery(segments) => Ok(Nodes { is_absolute: false, segments: query::segments(segments)? }),
        Test::AbsQuery(query) => Ok(Nodes { is_absolute: true, segments: query::segments(&query.segments)? }),
        Test::Function(_) => Err(Refused::condition("a query")),
    }
}
