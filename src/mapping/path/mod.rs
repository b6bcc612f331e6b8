//! JSONPath, compiled once; plain member paths are lowered to a list of keys.
//!
//! # Why
//! Nearly every path is a chain of members, and following keys through the event costs a tenth of what a general engine
//! needs for it. The engine runs only for wildcards, slices and filters.

use std::borrow::Cow;
use std::ops::Range;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;

use crate::json::Json;
use crate::yaml::cut;

mod dialect;
mod lint;
mod scope;
mod tree;

pub use scope::{Note, Scope};

/// A place in an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    plan: Plan,
}

#[derive(Debug, Clone, PartialEq)]
enum Plan {
    /// At most one value.
    Steps(Vec<Step>),
    /// Any number of values.
    Query(Box<JpQuery>),
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
        let rooted = match spelling {
            Spelling::Loose if !text.starts_with('$') && text.starts_with('[') => Cow::Owned(format!("${text}")),
            Spelling::Loose if !text.starts_with('$') => Cow::Owned(format!("$.{text}")),
            _ => Cow::Borrowed(text),
        };
        let mut notes = Vec::new();
        let plan = match parse_json_path(&rooted) {
            Ok(query) => standard(query, text, &mut notes)?,
            Err(error) => dotted(text, spelling, &error, &mut notes)?,
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

    /// The event's own member that the path begins with, when it names one.
    pub fn root(&self) -> Option<&str> {
        match &self.plan {
            Plan::Steps(steps) => match steps.first()? {
                Step::Key(name) => Some(name),
                _ => None,
            },
            Plan::Query(query) => match query.segments.first()? {
                Segment::Selector(Selector::Name(name)) => Some(name),
                _ => None,
            },
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
                let tree = scope.tree();
                let found = js_path_process(query, tree).unwrap_or_default();
                let sources = found.into_iter().filter_map(|found| found.val().source);
                Some(Cow::Owned(Json::List(sources.cloned().collect())))
            }
        }
    }
}

fn follow<'e>(steps: &[Step], event: &'e Json<'e>) -> Option<&'e Json<'e>> {
    steps.iter().try_fold(event, |json, step| match (step, json) {
        (Step::Key(name) | Step::Either(name, _), Json::Object(object)) => object.get(name),
        (Step::Either(_, index), Json::List(items)) => items.get(*index),
        (Step::Index(index), Json::List(items)) => match usize::try_from(*index) {
            Ok(index) => items.get(index),
            Err(_) => items.len().checked_sub(index.unsigned_abs() as usize).and_then(|index| items.get(index)),
        },
        _ => None,
    })
}

/// Plans a path that is JSONPath.
fn standard(query: JpQuery, text: &str, notes: &mut Vec<(&'static str, String)>) -> Result<Plan, Fault> {
    let functions = lint::functions(&query);
    if let Some(name) = functions.foreign {
        let start = text.find(&format!("{name}(")).unwrap_or(0);
        return Err(Fault {
            span: start..start + name.len(),
            message: format!("`{name}` is not a function of JSONPath"),
            help: Some("compare with `==` and join with `||`".to_owned()),
        });
    }
    if functions.patterns {
        let text = format!("`{}` compiles its pattern again for every element of every event", cut(text));
        notes.push(("path_slow", text));
    }
    let Some(steps) = lower(&query) else { return Ok(Plan::Query(Box::new(query))) };
    // The parser also takes blanks inside a name that is not quoted.
    if !text.contains(['\'', '"']) && steps.iter().any(|step| matches!(step, Step::Key(name) if name.contains(' '))) {
        notes.push(rewritten(text, &steps));
    }
    Ok(Plan::Steps(steps))
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
    error: &JsonPathError,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<Plan, Fault> {
    let Some(dotted) = dialect::read(text) else { return Err(fault(text, error)) };
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
    let open = text.matches('[').count() > text.matches(']').count();
    let form = if open { "a `[` is not closed: ['name'] or [0]" } else { "paths are JSONPath (RFC 9535)" };
    let help = Some(format!("{form}; write {{$literal: …}} for text that only looks like one"));
    let start = position(&error.to_string(), text).unwrap_or(0);
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
mod tests {
    use super::*;
    use crate::json;

    const EVENT: &str =
        r#"{"a":{"b":[{"z":1,"c":"x"},{"c":null},3],"0":"zero"},"sp ace":"sp","foo-bar":1,"dot.key":2,"it's":3}"#;

    #[track_caller]
    fn check_as(spelling: Spelling, text: &str, expected: Option<&str>) {
        let event = json::parse(EVENT.as_bytes()).unwrap();
        let path = Path::parse(text, spelling).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).path;
        let found = path.resolve(&Scope::new(&event)).map(|json| json.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        check_as(Spelling::Strict, text, expected);
    }

    #[test]
    fn a_singular_path_gives_its_value_or_nothing() {
        check("$.a.b[0].c", Some(r#""x""#));
        check("$['a']['b'][-1]", Some("3"));
        check("$.a.b[-4]", None);
        check("$.a.b[9]", None);
        check("$.a.b[1].c", Some("null"));
        check("$.a.b[1].c.d", None);
        check("$.nope.deep", None);
        check("$.a.b.length", None);
        check("$['dot.key']", Some("2"));
        check(r"$['it\'s']", Some("3"));
        check("$", Some(EVENT));
    }

    #[test]
    fn other_paths_give_the_list_of_matches_in_the_order_of_the_source() {
        check("$.a.b[*].c", Some(r#"["x",null]"#));
        check("$.a.b[:1]", Some(r#"[{"z":1,"c":"x"}]"#));
        check("$.a.b[?@.c == 'x'].z", Some("[1]"));
        check("$.a.b[?@.c == null]", Some(r#"[{"c":null}]"#));
        check("$..c", Some(r#"["x",null]"#));
        check("$.a.b[0,2]", Some(r#"[{"z":1,"c":"x"},3]"#));
        check("$.nope[*]", Some("[]"));
    }

    #[test]
    fn segments_dialect_is_accepted_and_said() {
        check("$.a.b.0.c", Some(r#""x""#));
        check("$.a.0", Some(r#""zero""#));
        check("$.sp ace", Some(r#""sp""#));
        for (text, canonical) in [("$.a.b.0.c", "$.a.b[0].c"), ("$.sp ace", "$['sp ace']"), ("$.", "$")] {
            let notes = Path::parse(text, Spelling::Strict).unwrap().notes;
            assert_eq!(notes, [("path_rewritten", format!("`{text}` is read as `{canonical}`"))]);
        }
    }

    #[test]
    fn in_segments_own_directives_names_hold_anything_and_the_root_may_be_missing() {
        check_as(Spelling::Loose, "foo-bar", Some("1"));
        check_as(Spelling::Loose, "$.foo-bar", Some("1"));
        check_as(Spelling::Loose, "a.b[0].c", Some(r#""x""#));
        check_as(Spelling::Loose, "['sp ace']", Some(r#""sp""#));
        check_as(Spelling::Loose, "a.b[*].c", Some(r#"["x",null]"#));
        assert!(Path::parse("foo-bar", Spelling::Loose).unwrap().notes.is_empty());
    }

    #[track_caller]
    fn refused(text: &str, at: &str, message: &str, help: &str) {
        let fault = Path::parse(text, Spelling::Strict).unwrap_err();
        assert_eq!((&text[fault.span.clone()], fault.message.as_str()), (at, message), "{text}");
        assert!(fault.help.as_deref().unwrap_or_default().contains(help), "{fault:?}");
    }

    #[test]
    fn what_is_not_a_path_is_refused_with_the_way_to_write_it() {
        let quotes = "`-` needs quotes and brackets in a path";
        refused("$.properties.foo-bar", "-", quotes, "write `$.properties['foo-bar']`");
        refused("$.properties.foo-bar[0]", "-", quotes, "write `$.properties['foo-bar'][0]`");
        refused("$.a.$b", "$", "`$` needs quotes and brackets in a path", "write `$.a['$b']`");
        refused("$.a[", "", "the path `$.a[` ends too early", "$literal");
        refused("$.a[?]", "]", "unexpected `]` in the path `$.a[?]`", "$literal");
        refused("$.a[?in(@.b, @.c)]", "in", "`in` is not a function of JSONPath", "==");
        refused("$.a[?nin(@.b, @.c)]", "nin", "`nin` is not a function of JSONPath", "==");
    }

    #[test]
    fn slow_filters_are_said() {
        let notes = Path::parse("$.a[?match(@.b, 'x.*')]", Spelling::Strict).unwrap().notes;
        assert_eq!(notes[0].0, "path_slow");
        assert!(Path::parse("$.a[?@.b == 1]", Spelling::Strict).unwrap().notes.is_empty());
    }
}
