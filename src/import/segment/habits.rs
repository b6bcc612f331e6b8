//! Habits of Segment's evaluator that an expression can be freed of: what is nothing there is left out.

use std::sync::LazyLock;

use regex::Regex;

use super::expression::{directive, directive_of};
use crate::json::{Json, Object};

/// An expression that comes to the same here, where these habits are concerned.
pub(super) struct Plain {
    /// `None`: it comes to nothing at Segment.
    pub(super) value: Option<Json<'static>>,
    /// The deviations that were settled so, each with the part it is about.
    pub(super) settled: Vec<(&'static str, String)>,
}

/// Frees an expression of `@path: "$"`, holes that begin with `$` and an `else` that is ignored.
pub(super) fn plain(value: &Json<'_>) -> Plain {
    let mut settled = Vec::new();
    let value = free(value, &mut settled);
    Plain { value, settled }
}

type Settled = Vec<(&'static str, String)>;

fn free(value: &Json<'_>, settled: &mut Settled) -> Option<Json<'static>> {
    match value {
        Json::List(items) => {
            Some(Json::List(items.iter().map(|item| free(item, settled).unwrap_or(Json::Null)).collect()))
        }
        Json::Object(object) => match directive_of(object) {
            Some(("path", Json::String(text))) if text.replacen("$.", "", 1) == "$" => {
                settled.push(("root", text.to_string()));
                None
            }
            Some(("template", Json::String(text))) => {
                let text = without_rooted_holes(text, settled);
                Some(directive("@template", text.into()))
            }
            Some((name, argument)) => free_directive(name, argument, settled),
            None => Some(Json::Object(members(object, settled).collect())),
        },
        value => Some(value.clone().into_owned()),
    }
}

type Member = (std::borrow::Cow<'static, str>, Json<'static>);

fn members<'m>(object: &'m Object<'_>, settled: &'m mut Settled) -> impl Iterator<Item = Member> + 'm {
    object.iter().filter_map(|(key, value)| Some((key.to_owned().into(), free(value, settled)?)))
}

/// What a directive comes to when the value it works on is nothing.
fn free_directive(name: &str, argument: &Json<'_>, settled: &mut Settled) -> Option<Json<'static>> {
    let kept = |argument| Some(directive(&format!("@{name}"), argument));
    let Json::Object(object) = argument else {
        return match name {
            "excludeWhenNull" => kept(free(argument, settled)?),
            _ => kept(argument.clone().into_owned()),
        };
    };
    match name {
        "excludeWhenNull" => kept(free(argument, settled)?),
        "if" => kept(Json::Object(object.iter().filter_map(|member| branch(member, settled)).collect())),
        "merge" => kept(Json::Object(object.iter().map(|member| source(member, settled)).collect())),
        "case" | "json" | "flatten" | "replace" => {
            let freed: Vec<Option<Member>> = object
                .iter()
                .map(|(key, value)| match key {
                    "value" => Some((key.to_owned().into(), free(value, settled)?)),
                    _ => Some((key.to_owned().into(), value.clone().into_owned())),
                })
                .collect();
            match (freed.into_iter().collect::<Option<Object<'static>>>(), name) {
                (Some(object), _) => kept(Json::Object(object)),
                (None, "flatten") => Some(Json::Object(Object::new())),
                (None, "replace") => Some("".into()),
                (None, _) => None,
            }
        }
        _ => kept(argument.clone().into_owned()),
    }
}

/// A member of `@if`: `then` and `else` that are nothing are left out, and so is an `else` that JavaScript calls false.
fn branch((key, value): (&str, &Json<'_>), settled: &mut Settled) -> Option<Member> {
    let name = key.to_owned().into();
    match key {
        "else" if is_falsy(value) => {
            settled.push(("falsy_else", format!("else: {value}")));
            None
        }
        "then" | "else" => Some((name, free(value, settled)?)),
        "exists" | "blank" => Some((name, free(value, settled).unwrap_or(Json::Null))),
        _ => Some((name, value.clone().into_owned())),
    }
}

/// A member of `@merge`: objects that are nothing are passed over.
fn source((key, value): (&str, &Json<'_>), settled: &mut Settled) -> Member {
    let value = match (key, value) {
        ("objects", Json::List(items)) => Json::List(items.iter().filter_map(|item| free(item, settled)).collect()),
        _ => value.clone().into_owned(),
    };
    (key.to_owned().into(), value)
}

fn is_falsy(value: &Json<'_>) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::String(text) => text.is_empty(),
        Json::Number(_) => value.to_string().parse() == Ok(0.0),
        Json::List(_) | Json::Object(_) => false,
    }
}

/// A template without the holes that begin with `$`: they are empty there.
fn without_rooted_holes(text: &str, settled: &mut Settled) -> String {
    static HOLE: LazyLock<Regex> = LazyLock::new(|| {
        let inner = r"\s*\$(?:[.\[][^{}]*)?";
        Regex::new(&format!(r"\{{\{{\{{{inner}\}}\}}\}}|\{{\{{{inner}\}}\}}")).expect("it is a pattern")
    });
    settled.extend(HOLE.find_iter(text).map(|hole| ("template_dollar", hole.as_str().to_owned())));
    HOLE.replace_all(text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(there: &str, plain_there: Option<&str>) {
        let read = |text: &str| crate::json::parse(text.as_bytes()).unwrap().to_string();
        let value = crate::json::parse(there.as_bytes()).unwrap();
        let freed = plain(&value).value.map(|value| value.to_string());
        assert_eq!(freed, plain_there.map(read), "{there}");
    }

    #[test]
    fn what_is_nothing_there_is_left_out() {
        check(r#"{"@path":"$"}"#, None);
        check(r#"{"a":{"@path":"$"},"b":[{"@path":"$"},1]}"#, Some(r#"{"b":[null,1]}"#));
        check(r#"{"@case":{"operator":"lower","value":{"@path":"$"}}}"#, None);
        check(r#"{"@flatten":{"separator":".","value":{"@path":"$"}}}"#, Some("{}"));
        check(r#"{"@replace":{"pattern":"a","value":{"@path":"$"}}}"#, Some(r#""""#));
        check(
            r#"{"@merge":{"direction":"left","objects":[{"@path":"$"},{"a":1}]}}"#,
            Some(r#"{"@merge":{"direction":"left","objects":[{"a":1}]}}"#),
        );
    }

    #[test]
    fn an_else_that_is_ignored_there_is_left_out() {
        for falsy in ["false", "0", "-0.0", r#""""#, "null"] {
            check(
                &format!(r#"{{"@if":{{"exists":{{"@path":"$.a"}},"then":1,"else":{falsy}}}}}"#),
                Some(r#"{"@if":{"exists":{"@path":"$.a"},"then":1}}"#),
            );
        }
        let truthy = r#"{"@if":{"exists":{"@path":"$.a"},"then":1,"else":{"@literal":false}}}"#;
        check(truthy, Some(truthy));
    }

    #[test]
    fn holes_that_begin_with_a_dollar_are_empty_there() {
        check(
            r#"{"@template":"a{{$.userId}}{{{ $['x'] }}}{{$}}{{traits.a}}{{$a}}"}"#,
            Some(r#"{"@template":"a{{traits.a}}{{$a}}"}"#),
        );
    }
}
