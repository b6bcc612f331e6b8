//! Segment's mapping expressions as an author here would write them, where that is exactly the same.
//!
//! # Why
//! Whether two spellings are the same is asked of the engine: both are compiled, and compared. So a directive whose
//! `@name` form keeps a habit of Segment's stays in that form, and one without becomes `$name`, without a list here of
//! which is which.

use std::sync::LazyLock;

use regex::Regex;

use crate::json::{Json, Object};
use crate::mapping::expression::{Expression, Reader};
use crate::mapping::path::{Path, Spelling};
use crate::mapping::trigger::KindSet;
use crate::yaml::{self, Problems, write};

/// The arguments of a directive that are expressions themselves; of all others nothing is touched.
const INNER: [(&str, &[&str]); 8] = [
    ("case", &["value"]),
    ("excludeWhenNull", ALL),
    ("flatten", &["value"]),
    ("if", &["exists", "blank", "then", "else"]),
    ("json", &["value"]),
    ("merge", &["objects"]),
    ("replace", &["value"]),
    ("transform", &["apply", "mapping"]),
];
/// The whole argument is one.
const ALL: &[&str] = &["*"];

/// An expression of Segment's, as it is written here.
pub(super) fn rewrite(value: &Json<'_>) -> Json<'static> {
    match value {
        Json::String(text) if looks_like_more(text) => directive("$literal", value.clone().into_owned()),
        Json::List(items) => Json::List(items.iter().map(rewrite).collect()),
        Json::Object(object) => match directive_of(object) {
            Some((name, argument)) => rewrite_directive(name, argument),
            // A key that would be a directive here is a key there.
            None if object.iter().any(|(key, _)| key.starts_with('$')) => {
                directive("@literal", value.clone().into_owned())
            }
            None => Json::Object(object.iter().map(|(key, value)| (key.to_owned().into(), rewrite(value))).collect()),
        },
        value => value.clone().into_owned(),
    }
}

/// Whether a text would be a path or a template here; there it is text.
fn looks_like_more(text: &str) -> bool {
    text == "$" || text.starts_with("$.") || text.starts_with("$[") || text.contains("{{")
}

/// The directive that an object is: its only key but for the editor's notes.
pub(super) fn directive_of<'o>(object: &'o Object<'_>) -> Option<(&'o str, &'o Json<'o>)> {
    let mut members = object.iter().filter(|(key, _)| *key != "_metadata");
    let (key, argument) = members.next()?;
    members.next().is_none().then_some((key.strip_prefix('@')?, argument))
}

fn rewrite_directive(name: &str, argument: &Json<'_>) -> Json<'static> {
    let as_there = || directive(&format!("@{name}"), argument.clone().into_owned());
    match (name, argument) {
        ("path", Json::String(text)) => path(text).unwrap_or_else(as_there),
        ("template", Json::String(text)) => {
            let spellings = [spaced(text).into(), text.to_string().into()];
            spellings.into_iter().find(|text| is_same(text, &as_there())).unwrap_or_else(as_there)
        }
        ("literal", Json::String(text)) if !looks_like_more(text) => text.to_string().into(),
        ("literal", Json::Null | Json::Bool(_) | Json::Number(_)) => argument.clone().into_owned(),
        _ => {
            let argument = rewrite_argument(name, argument);
            let (here, there) = (format!("${name}"), format!("@{name}"));
            let (here, there) = (directive(&here, argument.clone()), directive(&there, argument));
            if is_same(&here, &there) { here } else { there }
        }
    }
}

/// A template with room around what is put in.
fn spaced(text: &str) -> String {
    static HOLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\{\{\s*([^{}]*[^{}\s])\s*\}\}").expect("it is a pattern"));
    HOLE.replace_all(text, "{{ $1 }}").into_owned()
}

fn path(text: &str) -> Option<Json<'static>> {
    let standard: Json<'static> = Path::parse(text, Spelling::Loose).ok()?.path.standard_text()?.into();
    let Json::String(standard) = standard else { return None };
    let again = Path::parse(&standard, Spelling::Strict).ok()?;
    // Nothing is to be said of it, and it is written as it would be again.
    let is_stable = again.notes.is_empty() && again.path.standard_text().as_deref() == Some(&standard);
    is_stable.then_some(Json::String(standard))
}

fn rewrite_argument(name: &str, argument: &Json<'_>) -> Json<'static> {
    let inner = INNER.iter().find(|(known, _)| *known == name).map_or(&[] as &[&str], |(_, inner)| inner);
    match argument {
        _ if inner == ALL => rewrite(argument),
        Json::Object(object) => {
            let member = |(key, value): (&str, &Json<'_>)| {
                let value = if inner.contains(&key) { rewrite(value) } else { value.clone().into_owned() };
                (key.to_owned().into(), value)
            };
            Json::Object(object.iter().map(member).collect())
        }
        argument => argument.clone().into_owned(),
    }
}

pub(super) fn directive(key: &str, argument: Json<'static>) -> Json<'static> {
    Json::Object([(key.to_owned().into(), argument)].into_iter().collect())
}

/// Whether two expressions compile to the same.
fn is_same(one: &Json<'_>, other: &Json<'_>) -> bool {
    let compiled = |value: &Json<'_>| compile(value).map(|expression| format!("{expression:?}"));
    matches!((compiled(one), compiled(other)), (Some(one), Some(other)) if one == other)
}

/// Compiles an expression without a complaint.
fn compile(value: &Json<'_>) -> Option<Expression> {
    let text = write::entry(0, "value", value).join("\n");
    let mut problems = Problems::new("", text);
    let node = yaml::parse(&mut problems)?;
    let mut reader = Reader::new(&mut problems, "", KindSet::ALL).outside();
    let expression = Expression::parse(node.get("value")?, &mut reader)?;
    problems.is_empty().then_some(expression)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mapping::path::Scope;

    #[track_caller]
    fn check(there: &str, here: &str) {
        let there = crate::json::parse(there.as_bytes()).unwrap();
        assert_eq!(write::flow(&rewrite(&there)), here);
    }

    #[test]
    fn what_is_the_same_is_written_as_authors_here_do() {
        check(r#"{"@path":"$.properties.plan"}"#, "$.properties.plan");
        check(r#"{"@path":"properties.plan"}"#, "$.properties.plan");
        check(r#"{"@path":"$.properties.sp ace","_metadata":{"label":"x"}}"#, r#""$.properties['sp ace']""#);
        check(r#"{"@path":"$.properties['a b']"}"#, r#""$.properties['a b']""#);
        check(r#"{"@template":"no hole"}"#, "no hole");
        check(r#"{"@template":"{{traits.plan}}"}"#, r#""{{ traits.plan }}""#);
        check(r#"{"@literal":"pro"}"#, "pro");
        check(r#"{"@if":{"exists":{"@path":"$.a"},"then":"yes"}}"#, r#"{ $if: { exists: $.a, then: "yes" } }"#);
        check(r#"{"a":[{"@path":"$.b"},1],"c":null}"#, "{ a: [$.b, 1], c: null }");
    }

    #[test]
    fn a_template_has_room_around_what_is_put_in() {
        assert_eq!(spaced("{{userId}}-{{ traits.plan}} {{}} {{{a}}}"), "{{ userId }}-{{ traits.plan }} {{}} {{{ a }}}");
    }

    #[test]
    fn what_is_not_the_same_stays_as_it_is_there() {
        check(r#"{"@path":"$.products.0.id"}"#, r#"{ "@path": $.products.0.id }"#);
        check(r#"{"@template":"{{a}}{{b}}"}"#, r#"{ "@template": "{{a}}{{b}}" }"#);
        check(r#"{"@literal":{"a":{"@path":"$.b"}}}"#, r#"{ "@literal": { a: { "@path": $.b } } }"#);
        check(r#"{"@nonsense":{"a":{"@path":"$.b"}}}"#, r#"{ "@nonsense": { a: { "@path": $.b } } }"#);
    }

    #[test]
    fn text_that_only_looks_like_more_stays_text() {
        check(r#""$.a""#, "{ $literal: $.a }");
        check(r#""Hi {{ there }}""#, r#"{ $literal: "Hi {{ there }}" }"#);
        check(r#"{"$merge":1}"#, r#"{ "@literal": { $merge: 1 } }"#);
    }

    fn there() -> impl Strategy<Value = Json<'static>> {
        let name = prop_oneof![Just("a"), Just("b c"), Just("d-e"), Just("0"), Just("it's")];
        let path = prop::collection::vec(name, 1..3).prop_map(|names| format!("$.{}", names.join(".")));
        let one = |key: &'static str, argument: Json<'static>| directive(key, argument);
        let leaf = prop_oneof![
            path.clone().prop_map(move |path| one("@path", path.into())),
            (path, "[ -z]{0,4}")
                .prop_map(move |(path, text)| one("@template", format!("{{{{{}}}}}{text}", &path[2..]).into())),
            "[ -z]{0,6}".prop_map(move |text| one("@literal", text.into())),
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            "[a-z]{0,6}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 12, 3, move |inner| {
            let pair = (inner.clone(), inner.clone(), inner.clone());
            prop_oneof![
                pair.prop_map(move |(exists, then, other)| {
                    let members = [("exists", exists), ("then", then), ("else", other)];
                    one("@if", Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect()))
                }),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::List),
                inner.prop_map(|inner| Json::Object([("member".into(), inner)].into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Rewriting changes how an expression looks, and never what it comes to.
        #[test]
        fn a_rewritten_expression_comes_to_the_same(there in there()) {
            const EVENT: &str = r#"{"a":{"a":1,"b c":null,"0":"zero"},"b c":["x",{"a":""}],"d-e":"","it's":{"d-e":false}}"#;
            let event = crate::json::parse(EVENT.as_bytes()).unwrap();
            let found = |value: &Json<'_>| {
                let text = write::entry(0, "value", value).join("\n");
                let mut problems = Problems::new("", text);
                let node = yaml::parse(&mut problems).unwrap();
                let mut reader = Reader::new(&mut problems, "", KindSet::ALL).outside();
                let expression = Expression::parse(node.get("value").unwrap(), &mut reader);
                let expression = expression?;
                let scope = Scope::new(&event);
                expression.resolve(&scope).map(|found| found.to_string())
            };
            prop_assert_eq!(found(&rewrite(&there)), found(&there), "{}", write::flow(&rewrite(&there)));
        }
    }
}
