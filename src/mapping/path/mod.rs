//! JSONPath, compiled once; plain member paths are lowered to a list of keys.
//!
//! # Why
//! Nearly every path is a chain of members, and following keys through the event costs a tenth of what a general engine
//! needs for it. Only wildcards, slices, filters and descendants are queries.

use std::borrow::Cow;
use std::ops::Range;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;

use self::lint::Refused;
use self::pattern::Pattern;
use self::query::Query;
use crate::json::Json;
use crate::yaml::cut;

mod compile;
mod dialect;
mod filter;
mod lint;
mod pattern;
mod query;
mod scope;

pub(in crate::mapping) use pattern::why_refused;
pub(in crate::mapping) use scope::units;
pub use scope::{Note, Scope, TEXT_MAX, WORK_MAX};

/// A place in an event.
#[derive(Debug)]
pub struct Path {
    text: String,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    /// At most one value.
    Steps(Vec<Step>),
    /// Any number of values.
    Query(Query),
}

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(Box<str>),
    /// From the end when negative.
    Index(i64),
    /// A number between dots: a key of an object, an index of a list.
    Either(Box<str>, usize),
}

/// How strictly a path is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// RFC 9535; of Segment's dialect only what cannot be a typing error, and it is said.
    Strict,
    /// As Segment reads it inside its own directives: `$.` may be missing, names hold any character.
    Loose,
}

/// A path that was read.
#[derive(Debug)]
pub struct Parsed {
    /// The path.
    pub path: Path,
    /// What should be known about it: a code and a text.
    pub notes: Vec<(&'static str, String)>,
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where in the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// How to write it.
    pub help: Option<String>,
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str, spelling: Spelling) -> Result<Parsed, Fault> {
        let dotless = match spelling {
            // Segment takes the first `$.` away; in a quoted name or a filter it means something.
            Spelling::Loose if !text.starts_with('$') && !text.contains(['[', '\'', '"']) => text.replacen("$.", "", 1),
            _ => text.to_owned(),
        };
        let rooted = match spelling {
            Spelling::Loose if !text.starts_with('$') && text.starts_with('[') => format!("${dotless}"),
            Spelling::Loose if !text.starts_with('$') => format!("$.{dotless}"),
            _ => dotless.clone(),
        };
        let mut notes = Vec::new();
        let plan = match parse_json_path(&rooted) {
            Ok(query) if lint::blank(&rooted).is_none() => standard(query, text, &mut notes)?,
            Ok(_) => dotted(&dotless, spelling, || blank_fault(text), &mut notes)?,
            Err(error) => dotted(&dotless, spelling, || fault(text, &error), &mut notes)?,
        };
        if spelling == Spelling::Loose {
            notes.retain(|(code, _)| *code != "path_rewritten");
        }
        Ok(Parsed { path: Path { text: text.to_owned(), plan }, notes })
    }

    /// Reads a path made of names and indexes only, as loosely as can be. For paths that an event spells.
    pub fn parse_plain(text: &str) -> Option<Path> {
        let steps = dialect::read(text)?.steps;
        Some(Path { text: text.to_owned(), plan: Plan::Steps(steps) })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How RFC 9535 writes exactly this path. `None` for one with a number between dots, which is both a key and an
    /// index.
    pub fn standard_text(&self) -> Option<String> {
        match &self.plan {
            Plan::Steps(steps) if steps.iter().any(|step| matches!(step, Step::Either(..))) => None,
            Plan::Steps(steps) => Some(dialect::canonical(steps)),
            Plan::Query(_) if self.text.starts_with('$') => Some(self.text.clone()),
            Plan::Query(_) if self.text.starts_with('[') => Some(format!("${}", self.text)),
            Plan::Query(_) => Some(format!("$.{}", self.text)),
        }
    }

    /// The event's own member that the path begins with, when it names one.
    pub fn root(&self) -> Option<&str> {
        match &self.plan {
            Plan::Steps(steps) => match steps.first()? {
                Step::Key(name) => Some(name),
                _ => None,
            },
            Plan::Query(query) => query.root(),
        }
    }

    /// Whether it gives a list of matches rather than one value.
    pub fn is_list(&self) -> bool {
        matches!(self.plan, Plan::Query(_))
    }

    /// The value there; for a path with wildcards, slices or filters the list of values there.
    pub fn resolve<'e>(&self, scope: &Scope<'e>) -> Option<Cow<'e, Json<'e>>> {
        match &self.plan {
            Plan::Steps(steps) => follow(steps, scope.event()).map(Cow::Borrowed),
            Plan::Query(query) => {
                let found = query.run(scope.event(), scope.left());
                found.iter().try_for_each(|found| scope.work(found.weight()))?;
                Some(Cow::Owned(Json::List(found.into_iter().cloned().collect())))
            }
        }
    }
}

/// The item at an index, which counts from the end when negative.
pub(in crate::mapping) fn item<'j, 'e>(items: &'j [Json<'e>], index: i64) -> Option<&'j Json<'e>> {
    match usize::try_from(index) {
        Ok(index) => items.get(index),
        Err(_) => items.get(items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?),
    }
}

fn follow<'e>(steps: &[Step], event: &'e Json<'e>) -> Option<&'e Json<'e>> {
    steps.iter().try_fold(event, |json, step| match (step, json) {
        (Step::Key(name) | Step::Either(name, _), Json::Object(object)) => object.get(name),
        (Step::Either(_, index), Json::List(items)) => items.get(*index),
        (Step::Index(index), Json::List(items)) => item(items, *index),
        _ => None,
    })
}

/// Plans a path that is JSONPath.
fn standard(query: JpQuery, text: &str, notes: &mut Vec<(&'static str, String)>) -> Result<Plan, Fault> {
    if let Some(steps) = lower(&query) {
        return Ok(Plan::Steps(steps));
    }
    let query = Query::compile(&query).map_err(|refused| refused_fault(text, refused))?;
    let (mut is_slow, mut faults) = (false, Vec::new());
    query.patterns(&mut |pattern| match pattern {
        Pattern::Found { .. } => is_slow = true,
        Pattern::Fixed(Err(why)) => faults.push(why.clone()),
        Pattern::Fixed(Ok(_)) => {}
    });
    if is_slow {
        notes.push(("path_slow", format!("`{}` compiles patterns of the event, ten at most", cut(text))));
    }
    for why in faults {
        notes.push(("path_pattern", format!("a pattern in `{}` fits nothing: {why}", cut(text))));
    }
    Ok(Plan::Query(query))
}

fn refused_fault(text: &str, refused: Refused) -> Fault {
    let found = refused.word.as_deref().and_then(|word| Some((text.find(word)?, word.len() - 1)));
    let span = found.map_or(0..text.len(), |(start, length)| start..start + length);
    Fault { span, message: refused.message, help: refused.help.map(str::to_owned) }
}

fn operator_fault(text: &str) -> Option<Fault> {
    let span = lint::operator(text)?;
    let message = format!("`{}` is not an operator of JSONPath", &text[span.clone()]);
    Some(Fault { span, message, help: Some("compare with `==` and join with `||` or `&&`".to_owned()) })
}

fn blank_fault(text: &str) -> Fault {
    if let Some(fault) = operator_fault(text) {
        return fault;
    }
    let span = lint::blank(text).unwrap_or(0..text.len());
    let message = format!("a blank has no place here in the path `{}`", cut(text));
    Fault { span, message, help: Some("put a name with blanks in brackets and quotes: ['a b']".to_owned()) }
}

/// The steps of a query that gives at most one value.
fn lower(query: &JpQuery) -> Option<Vec<Step>> {
    let step = |segment: &Segment| match segment {
        Segment::Selector(Selector::Name(name)) => Some(Step::Key(name.as_str().into())),
        Segment::Selector(Selector::Index(index)) => Some(Step::Index(*index)),
        _ => None,
    };
    query.segments.iter().map(step).collect()
}

fn rewritten(text: &str, steps: &[Step]) -> (&'static str, String) {
    ("path_rewritten", format!("`{}` is read as `{}`", cut(text), cut(&dialect::canonical(steps))))
}

/// Plans a path that is not JSONPath but may be Segment's dialect.
fn dotted(
    text: &str,
    spelling: Spelling,
    fault: impl FnOnce() -> Fault,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<Plan, Fault> {
    let Some(dotted) = dialect::read(text) else { return Err(fault()) };
    match dotted.odd {
        Some(odd) if spelling == Spelling::Strict => {
            let message = format!("`{}` needs quotes and brackets in a path", &text[odd.clone()]);
            let help = Some(format!("write `{}`", dialect::canonical(&dotted.steps)));
            Err(Fault { span: odd, message, help })
        }
        _ => {
            notes.push(rewritten(text, &dotted.steps));
            Ok(Plan::Steps(dotted.steps))
        }
    }
}

fn fault(text: &str, error: &JsonPathError) -> Fault {
    if let Some(fault) = operator_fault(text) {
        return fault;
    }
    let open = text.matches('[').count() > text.matches(']').count();
    let start = position(&error.to_string(), text).unwrap_or(0);
    let form = match text[start..].chars().next() {
        _ if open => "a `[` is not closed: ['name'] or [0]",
        // A call, as in other languages and in older JSONPath.
        Some('(') => {
            "write `[0]` for the first item of a list; a path calls no functions, directives such as $join and $number do"
        }
        _ => "paths are JSONPath (RFC 9535)",
    };
    let help = Some(format!("{form}; write {{$literal: …}} for text that only looks like one"));
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    let message = match (start, &text[start..start + length]) {
        (_, "") => format!("the path `{}` ends too early", cut(text)),
        (0, _) => format!("`{}` is not a path", cut(text)),
        (_, found) => format!("unexpected `{found}` in the path `{}`", cut(text)),
    };
    let span = if start == 0 { 0..text.len() } else { start..start + length };
    Fault { span, message, help }
}

/// The engine tells the place of an error only in its text, as ` --> line:column`.
fn position(message: &str, text: &str) -> Option<usize> {
    let (_, place) = message.split_once("--> ")?;
    let column: usize = place.lines().next()?.split_once(':')?.1.trim().parse().ok()?;
    let at = text.char_indices().nth(column.checked_sub(1)?).map_or(text.len(), |(at, _)| at);
    Some(at)
}

#[cfg(test)]
mod tests;
