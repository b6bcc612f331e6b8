//! A JSONPath query, compiled: what runs for wildcards, slices, filters and descendants.
//!
//! # Why
//! `jsonpath-rust` reads the text. Its own engine wants a copy of the event, writes down the way to every value it meets
//! and compiles a filter's pattern again for each of them; and it answers some queries in another order than RFC 9535.
//! This walks the event itself, in the order of the RFC, and its work has a bound.

use std::cell::{Cell, RefCell};

use jsonpath_rust::parser::model::{JpQuery, Segment as Read, Selector as ReadSelector};

use super::compile;
use super::filter::Filter;
use super::lint::Refused;
use super::pattern::{Latest, Pattern};
use super::scope::units;
use crate::json::{Json, Object};

/// A query that gives any number of values.
#[derive(Debug)]
pub(super) struct Query(Vec<Segment>);

#[derive(Debug)]
pub(super) struct Segment {
    /// Whether it selects at every depth.
    is_descendant: bool,
    selectors: Vec<Selector>,
}

#[derive(Debug)]
enum Selector {
    Name(Box<str>),
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Filter),
}

#[derive(Debug, Clone, Copy)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
}

impl Query {
    /// Compiles a query; why it may not be used.
    pub fn compile(query: &JpQuery) -> Result<Query, Refused> {
        segments(&query.segments).map(Query)
    }

    /// The member that the query begins with, when it names one.
    pub fn root(&self) -> Option<&str> {
        match self.0.first() {
            Some(Segment { is_descendant: false, selectors }) => match selectors.as_slice() {
                [Selector::Name(name)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Shows every pattern in its filters.
    pub fn patterns<'q>(&'q self, see: &mut dyn FnMut(&'q Pattern)) {
        patterns(&self.0, see);
    }

    /// The values it finds; not all of them when nothing is left of the work that may be done.
    pub fn run<'e>(&self, event: &'e Json<'e>, left: &Cell<u32>) -> Vec<&'e Json<'e>> {
        Walk { root: event, left, pattern: RefCell::default() }.segments(&self.0, event)
    }
}

/// Shows every pattern in the filters of segments.
pub(super) fn patterns<'q>(segments: &'q [Segment], see: &mut dyn FnMut(&'q Pattern)) {
    for selector in segments.iter().flat_map(|segment| &segment.selectors) {
        if let Selector::Filter(filter) = selector {
            filter.patterns(see);
        }
    }
}

impl Segment {
    /// Whether it finds one value at most.
    pub fn is_singular(&self) -> bool {
        !self.is_descendant && matches!(self.selectors.as_slice(), [Selector::Name(_) | Selector::Index(_)])
    }
}

/// Compiles segments.
pub(super) fn segments(segments: &[Read]) -> Result<Vec<Segment>, Refused> {
    segments.iter().map(segment).collect()
}

fn segment(segment: &Read) -> Result<Segment, Refused> {
    match segment {
        Read::Descendant(inner) => Ok(Segment { is_descendant: true, ..self::segment(inner)? }),
        Read::Selector(one) => Ok(Segment { is_descendant: false, selectors: vec![selector(one)?] }),
        Read::Selectors(all) => {
            Ok(Segment { is_descendant: false, selectors: all.iter().map(selector).collect::<Result<_, _>>()? })
        }
    }
}

fn selector(selector: &ReadSelector) -> Result<Selector, Refused> {
    Ok(match selector {
        ReadSelector::Name(name) => Selector::Name(name.as_str().into()),
        ReadSelector::Index(index) => Selector::Index(*index),
        ReadSelector::Wildcard => Selector::Wildcard,
        ReadSelector::Slice(start, end, step) => {
            Selector::Slice(Slice { start: *start, end: *end, step: step.unwrap_or(1) })
        }
        ReadSelector::Filter(filter) => Selector::Filter(compile::filter(filter)?),
    })
}

/// One run over an event.
pub(super) struct Walk<'e, 'w> {
    /// What `$` in a filter is.
    pub root: &'e Json<'e>,
    /// How many more values may be looked at; 0 when it is given up.
    left: &'w Cell<u32>,
    /// The pattern of the event that was compiled last.
    pub pattern: RefCell<Option<Latest>>,
}

impl<'e> Walk<'e, '_> {
    /// What segments find, from a value.
    pub fn segments(&self, segments: &[Segment], from: &'e Json<'e>) -> Vec<&'e Json<'e>> {
        let mut found = vec![from];
        for segment in segments {
            let mut next = Vec::new();
            for value in found {
                match segment.is_descendant {
                    true => self.descend(segment, value, &mut next),
                    false => self.select(segment, value, &mut next),
                }
            }
            found = next;
        }
        found
    }

    /// Counts a value that is looked at; whether there is work left.
    fn step(&self) -> bool {
        self.count(1)
    }

    /// Counts so many bytes that are looked at; whether there is work left.
    pub fn work(&self, bytes: usize) -> bool {
        self.count(units(bytes))
    }

    /// Counts so much work; whether there is any left.
    pub fn count(&self, units: u32) -> bool {
        self.left.set(self.left.get().saturating_sub(units));
        self.left.get() > 0
    }

    /// A value before what is in it, one child after the other. Depth is bounded by the event's own.
    fn descend(&self, segment: &Segment, value: &'e Json<'e>, found: &mut Vec<&'e Json<'e>>) {
        if !self.step() {
            return;
        }
        self.select(segment, value, found);
        children(value, |child| self.descend(segment, child, found));
    }

    fn select(&self, segment: &Segment, value: &'e Json<'e>, found: &mut Vec<&'e Json<'e>>) {
        for selector in &segment.selectors {
            // A member is found by looking at those before it.
            let members = value.as_object().map_or(0, Object::len);
            if !self.work(members) {
                return;
            }
            match selector {
                Selector::Name(name) => found.extend(value.get(name)),
                Selector::Index(index) => found.extend(value.as_list().and_then(|items| super::item(items, *index))),
                Selector::Wildcard => children(value, |child| {
                    if self.step() {
                        found.push(child);
                    }
                }),
                Selector::Slice(slice) => slice.of(value.as_list().unwrap_or_default(), |item| {
                    if self.step() {
                        found.push(item);
                    }
                }),
                Selector::Filter(filter) => children(value, |child| {
                    if self.step() && filter.holds(self, child) {
                        found.push(child);
                    }
                }),
            }
        }
    }
}

fn children<'e>(value: &'e Json<'e>, mut visit: impl FnMut(&'e Json<'e>)) {
    match value {
        Json::List(items) => items.iter().for_each(visit),
        Json::Object(members) => members.iter().for_each(|(_, value)| visit(value)),
        _ => {}
    }
}

impl Slice {
    /// The items of the slice (RFC 9535 §2.3.4.2.2).
    fn of<'e>(self, items: &'e [Json<'e>], mut visit: impl FnMut(&'e Json<'e>)) {
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let from_end = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
        let (mut at, end) = match self.step {
            0 => return,
            1.. => {
                let start = from_end(self.start.unwrap_or(0)).clamp(0, length);
                (start, from_end(self.end.unwrap_or(length)).clamp(0, length))
            }
            _ => {
                let start = self.start.map_or(length - 1, from_end).clamp(-1, length - 1);
                (start, self.end.map_or(-1, |end| from_end(end).clamp(-1, length - 1)))
            }
        };
        while (self.step > 0 && at < end) || (self.step < 0 && at > end) {
            if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
                visit(item);
            }
            at = at.saturating_add(self.step);
        }
    }
}
