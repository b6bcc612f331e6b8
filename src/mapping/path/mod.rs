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
use self::query::Query;
use crate::json::Json;
use crate::mapping::directive::VALUE_LOST;
use crate::yaml::cut;

mod dialect;
mod filter;
mod lint;
mod pattern;
mod query;
mod scope;

pub use scope::{Note, Scope};

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
            Spelling::Loose if !text.starts_with('$') => text.replacen("$.", "", 1),
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
            Plan::Query(query) => match query.run(scope.event()) {
                Some(found) => Some(Cow::Owned(Json::List(found.into_iter().cloned().collect()))),
                None => {
                    let message = format!("`{}` has to look at more than a million values", cut(&self.text));
                    scope.note(VALUE_LOST, message, &Json::Null);
                    None
                }
            },
        }
    }
}

/// The item at an index, which counts from the end when negative.
fn item<'j, 'e>(items: &'j [Json<'e>], index: i64) -> Option<&'j Json<'e>> {
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
    if query.is_slow() {
        let text = format!("`{}` compiles a pattern of the event again for every value", cut(text));
        notes.push(("path_slow", text));
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
        refused("$.a[?@.b in [1,2]]", "in", "`in` is not an operator of JSONPath", "==");
        refused("$.a[?@.b subsetof $.c]", "subsetof", "`subsetof` is not an operator of JSONPath", "==");
        refused("$.a[?subset_of(@.b, @.c)]", "subset_of", "`subset_of` is not a function of JSONPath", "==");
        refused("$.a[?length(@.b)]", "length", "`length` gives a value, not a condition", "compare it");
        refused("$.a[?value(@.b)]", "value", "`value` gives a value, not a condition", "compare it");
        refused("$.a[?length(@.*) < 3]", "length", "`length` takes one value, and this path may give many", "count");
        refused("$.a[?@.b c == 1]", " ", "a blank has no place here in the path `$.a[?@.b c == 1]`", "['a b']");
        refused("$.a[?nin(@.b, @.c)]", "nin", "`nin` is not a function of JSONPath", "==");
    }

    #[test]
    fn what_takes_too_much_work_comes_to_nothing_and_is_said() {
        let list = |item: &str| format!("[{}]", vec![item; 60].join(","));
        let text = list(&list(&list("1")));
        let event = json::parse(text.as_bytes()).unwrap();
        let scope = Scope::new(&event);
        let path = Path::parse("$..[?count($..*) > 0]", Spelling::Strict).unwrap().path;
        assert!(path.resolve(&scope).is_none());
        assert_eq!(scope.take_notes()[0].message, "`$..[?count($..*) > 0]` has to look at more than a million values");
    }

    #[test]
    fn slow_filters_are_said() {
        let notes = |text: &str| Path::parse(text, Spelling::Strict).unwrap().notes;
        assert_eq!(notes("$.a[?match(@.b, $.pattern)]")[0].0, "path_slow");
        assert_eq!(notes("$.a[?@.c && @.d[?!search(@.b, @.c)]]")[0].0, "path_slow");
        assert!(notes("$.a[?match(@.b, 'x.*')]").is_empty(), "a pattern that is written there is compiled once");
        assert!(notes("$.a[?@.b == 1]").is_empty());
    }
}
