//! Where Segment's evaluator makes something else of an expression, as far as its text shows it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::expression::directive_of;
use crate::action::{Field, FieldKind};
use crate::json::{Json, Object};
use crate::mapping::coerce::coerce;
use crate::mapping::directive::liquid::is_utc;
use crate::mapping::path::{Path, Spelling};
use crate::mapping::segment::{COERCION, Deviation, MAPPING};

/// A deviation's name, and the part of the expression it is about.
pub(super) type Difference = (&'static str, String);

/// Members of the event that are objects in every call, and those that are texts.
const OBJECTS: [&str; 14] = [
    "properties",
    "traits",
    "context",
    "integrations",
    "context.app",
    "context.campaign",
    "context.device",
    "context.library",
    "context.location",
    "context.network",
    "context.os",
    "context.page",
    "context.screen",
    "context.traits",
];
const TEXTS: [&str; 8] = ["type", "event", "userId", "anonymousId", "groupId", "messageId", "timestamp", "name"];

/// What every value has in JavaScript.
const INHERITED: [&str; 6] = ["constructor", "__proto__", "prototype", "toString", "valueOf", "hasOwnProperty"];

/// Segment refuses templates of Liquid beyond so many characters.
const LIQUID_MAX: usize = 1_000;

/// What is different, in the order of the expression.
pub(super) fn differences(value: &Json<'_>, field: &Field) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(value, &mut found);
    literal(value, field, &mut found);
    found
}

/// What a deviation is, in words.
pub(super) fn words(name: &str) -> (&'static str, &'static str) {
    let known: Option<&Deviation> = MAPPING.iter().chain(COERCION).find(|one| one.name == name);
    let known = known.expect("every difference that is looked for has a name in a table");
    (known.segment, known.here)
}

fn walk(value: &Json<'_>, found: &mut Vec<Difference>) {
    match value {
        Json::List(items) => items.iter().for_each(|item| walk(item, found)),
        Json::Object(object) => {
            if let Some((name, argument)) = directive_of(object) {
                look(name, argument, found);
            }
            object.iter().for_each(|(_, value)| walk(value, found));
        }
        _ => {}
    }
}

fn look(name: &str, argument: &Json<'_>, found: &mut Vec<Difference>) {
    match (name, argument) {
        ("path", Json::String(text)) => path(text, found),
        ("path", argument) => found.push(("computed_path", argument.to_string())),
        ("template", Json::String(text)) => template(text, found),
        ("arrayPath", Json::List(items)) => {
            items.first().and_then(Json::as_str).into_iter().for_each(|text| path(text, found))
        }
        ("merge", Json::Object(object)) => merge(object, found),
        ("liquid", Json::String(text)) => liquid(text, found),
        _ => {}
    }
}

fn path(text: &str, found: &mut Vec<Difference>) {
    static DOTTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\[(?:'[^'\]]*\.[^']*'|"[^"\]]*\.[^"]*")\]"#).expect("it is a pattern"));
    let own = text.replacen("$.", "", 1);
    let mut note = |name| found.push((name, text.to_owned()));
    if own == "$" {
        return note("root");
    }
    if DOTTED.is_match(text) {
        return note("dotted_name");
    }
    if Path::parse(text, Spelling::Loose).is_ok_and(|parsed| parsed.path.is_list()) || own.contains("[-") {
        return note("jsonpath");
    }
    let steps: Vec<&str> =
        own.split(['.', '[', ']']).map(|step| step.trim_matches(['\'', '"'])).filter(|step| !step.is_empty()).collect();
    let Some((last, before)) = steps.split_last() else { return };
    let of_object = || OBJECTS.contains(&before.join(".").as_str());
    let is_letter = || before.len() == 1 && TEXTS.contains(&before[0]) && last.parse::<usize>().is_ok();
    let is_length = *last == "length" && !before.is_empty() && !of_object();
    if is_length || is_letter() || steps.iter().any(|step| INHERITED.contains(step)) {
        note("javascript");
    }
}

fn template(text: &str, found: &mut Vec<Difference>) {
    static HOLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\{\{\s*([^{}]*[^{}\s])\s*\}\}").expect("it is a pattern"));
    for hole in HOLE.captures_iter(text).filter_map(|hole| hole.get(1)) {
        match OBJECTS.contains(&hole.as_str()) {
            true => found.push(("object_text", hole.as_str().to_owned())),
            false => path(hole.as_str(), found),
        }
    }
}

fn merge(given: &Object<'_>, found: &mut Vec<Difference>) {
    let Some(Json::List(objects)) = given.get("objects") else { return };
    for no_object in objects.iter().filter(|one| matches!(one, Json::String(_) | Json::List(_))) {
        found.push(("javascript", no_object.to_string()));
    }
    let left = given.get("direction").and_then(Json::as_str) == Some("left");
    for (at, object) in objects.iter().enumerate() {
        let weaker = if left { &objects[at + 1..] } else { &objects[..at] };
        let may_replace = |key: &&str| weaker.iter().any(|one| may_have(one, key));
        let missing = may_be_missing(object);
        if let Some(key) = missing.iter().find(|key| may_replace(key)) {
            found.push(("merge_missing", (*key).to_owned()));
        }
    }
}

/// The members of an object that may come to nothing.
fn may_be_missing<'o>(value: &'o Json<'_>) -> Vec<&'o str> {
    let Json::Object(object) = value else { return Vec::new() };
    match directive_of(object) {
        Some(("if", Json::Object(branches))) => {
            ["then", "else"].iter().filter_map(|key| branches.get(key)).flat_map(may_be_missing).collect()
        }
        Some(_) => Vec::new(),
        None => object.iter().filter(|(_, value)| may_be_nothing(value)).map(|(key, _)| key).collect(),
    }
}

fn may_be_nothing(value: &Json<'_>) -> bool {
    let Json::Object(object) = value else { return false };
    directive_of(object)
        .is_some_and(|(name, _)| !["template", "literal", "liquid", "replace", "merge", "flatten"].contains(&name))
}

fn may_have(value: &Json<'_>, key: &str) -> bool {
    match value {
        Json::Object(object) if directive_of(object).is_some() => true,
        value => value.get(key).is_some(),
    }
}

fn liquid(text: &str, found: &mut Vec<Difference>) {
    static EVENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:^|[^\w.'\x22-])event\.\w+").expect("it is a pattern"));
    static ZERO: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\|\s*(?:divided_by|modulo)\s*:\s*0(?:\.0*)?\s*(?:\||\}|-)").expect("it is a pattern")
    });
    static ZONE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\|\s*date\s*:[^|}]*,\s*['"]([^'"]*)['"]"#).expect("it is a pattern"));
    if let Some(part) = EVENT.find(text) {
        found.push(("liquid_event", part.as_str().trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned()));
    }
    if let Some(part) = ZERO.find(text) {
        found.push(("liquid_number", part.as_str().trim_matches(['|', ' ', '}', '-']).to_owned()));
    }
    if let Some(place) = ZONE.captures(text).and_then(|found| found.get(1)).filter(|place| !is_utc(place.as_str())) {
        found.push(("liquid_zone", place.as_str().to_owned()));
    }
    if text.encode_utf16().count() > LIQUID_MAX {
        found.push(("limits", format!("{} characters", text.encode_utf16().count())));
    }
}

/// What is different in fitting a constant to its field.
fn literal(value: &Json<'_>, field: &Field, found: &mut Vec<Difference>) {
    let value = match value {
        Json::Object(object) => match directive_of(object) {
            Some(("literal" | "template", argument)) => argument,
            _ => return,
        },
        value => value,
    };
    let text = value.as_str().unwrap_or_default();
    let based = |text: &str| ["0x", "0o", "0b"].iter().any(|sign| text.trim().to_lowercase().starts_with(sign));
    let name = match field.kind {
        FieldKind::Number | FieldKind::Integer if based(text) => "number_forms",
        FieldKind::Email | FieldKind::Url if text != text.trim() && !text.contains("{{") => "trimmed",
        FieldKind::Timestamp if is_odd_date(value, field) => "odd_date",
        _ => return,
    };
    found.push((name, value.to_string()));
}

/// Whether it is no date here; JavaScript makes one of nearly everything.
fn is_odd_date(value: &Json<'_>, field: &Field) -> bool {
    let is_template = value.as_str().is_some_and(|text| text.contains("{{"));
    !is_template && coerce(field, Some(Cow::Borrowed(value)), &mut Vec::new()).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::segment::import;

    /// How a deviation is told: by an expression that shows it and the code of its note, or not, and why.
    enum Told {
        By(&'static str, &'static str, &'static str),
        Never(&'static str),
    }
    use Told::{By, Never};

    const DIFFERS: &str = "expression_differs";
    const REFUSED: &str = "expression_refused";

    fn told(name: &str) -> Option<Told> {
        Some(match name {
            "root" => By("metadata", r#"{"all":{"@path":"$"}}"#, "expression_empty"),
            "through_empty" => Never("whether a path meets an empty value is known only with the event"),
            "jsonpath" => By("metadata", r#"{"x":{"@path":"$.properties.l[*].x"}}"#, DIFFERS),
            "javascript" => By("metadata", r#"{"x":{"@path":"$.properties.a.length"}}"#, DIFFERS),
            "dotted_name" => By("metadata", r#"{"x":{"@path":"$.properties['dot.key']"}}"#, DIFFERS),
            "quoted_name" => By("metadata", r##"{"x":{"@path": "$.properties.quo\"te"}}"##, REFUSED),
            "computed_path" => By("metadata", r#"{"x":{"@path":{"@path":"$.properties.p"}}}"#, DIFFERS),
            "template_dollar" => By("event_name", r#"{"@template":"{{event}} {{$.userId}}"}"#, "expression_empty"),
            "falsy_else" => Never("such an `else` is left out, which comes to the same"),
            "merge_missing" => By(
                "metadata",
                r#"{"@merge":{"direction":"right","objects":[{"@path":"$.properties"},{"a":{"@path":"$.context.a"}}]}}"#,
                DIFFERS,
            ),
            "misspelt_word" => {
                By("metadata", r#"{"x":{"@json":{"mode":"ENCODE","value":{"@path":"$.properties"}}}}"#, REFUSED)
            }
            "liquid_event" => By("event_name", r#"{"@liquid":"{{ event.properties.x }}"}"#, DIFFERS),
            "liquid_words" => By("event_name", r#"{"@liquid":"{% cycle 'a', 'b' %}"}"#, REFUSED),
            "liquid_number" => By("event_name", r#"{"@liquid":"{{ properties.x | divided_by: 0 }}"}"#, DIFFERS),
            "liquid_clock" => By("event_name", r#"{"@liquid":"{{ 'now' | date: '%Y' }}"}"#, REFUSED),
            "liquid_zone" => By("event_name", r#"{"@liquid":"{{ timestamp | date: '%H', 'Europe/Paris' }}"}"#, DIFFERS),
            "limits" => By("event_name", LONG, DIFFERS),
            "object_text" => By("event_name", r#"{"@template":"{{properties}}"}"#, DIFFERS),
            "number_forms" => Never("no action of Segment's has a number here but by `differences` (see below)"),
            "unix_date" => Never("Segment's own actions make Unix seconds of these fields too, after the mapping"),
            "odd_date" => By("created_at", r#""12.5x""#, DIFFERS),
            "trimmed" => By("email", r#"" ada@example.com""#, DIFFERS),
            _ => return None,
        })
    }

    /// Stands for a text of 1,001 characters.
    const LONG: &str = "LONG";

    fn notes(field: &str, expression: &str) -> Vec<(&'static str, String)> {
        let expression = match expression {
            LONG => format!(r#"{{"@liquid":"{}"}}"#, "x".repeat(LIQUID_MAX + 1)),
            expression => expression.to_owned(),
        };
        let text = format!(
            r#"[{{"name":"Track","actionSlug":"trackEvent","trigger":"type = \"track\"","settings":{{"event_name":{{"@path":"$.event"}},"created_at":{{"@path":"$.timestamp"}},"{field}":{expression}}}}}]"#
        );
        let text = match field {
            "event_name" => text.replacen(r#""event_name":{"@path":"$.event"},"#, "", 1),
            "created_at" => text.replacen(r#""created_at":{"@path":"$.timestamp"},"#, "", 1),
            _ => text,
        };
        let imported = import(&text, usize::MAX, &|_| None).unwrap_or_else(|why| panic!("{why}\n{text}"));
        imported.warnings.into_iter().map(|note| (note.code, note.message)).collect()
    }

    #[test]
    fn every_deviation_is_told_or_cannot_be_seen() {
        for one in MAPPING.iter().chain(COERCION) {
            match told(one.name) {
                Some(By(field, expression, code)) => {
                    let found = notes(field, expression);
                    let of_it = |(known, message): &&(&str, String)| {
                        *known == code && (code == REFUSED || message.contains(one.segment))
                    };
                    assert!(found.iter().find(of_it).is_some(), "{}: {expression}: {found:?}", one.name);
                }
                Some(Never(why)) => assert!(!why.is_empty()),
                None => panic!("`{}`: say by which expression an import shows it, or why none does", one.name),
            }
        }
    }

    #[track_caller]
    fn check(expression: &str, expected: &[&str]) {
        let found = notes("metadata", &format!(r#"{{"x":{expression}}}"#));
        let found: Vec<&str> =
            found.iter().map(|(code, _)| *code).filter(|code| code.starts_with("expression")).collect();
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn what_is_the_same_is_not_told_of() {
        for same in [
            r#"{"@path":"$.properties.length"}"#,
            r#"{"@path":"$.properties.products.0.id"}"#,
            r#"{"@path":"$.properties['sp ace']"}"#,
            r#"{"@if":{"exists":{"@path":"$.a"},"then":1,"else":false}}"#,
            r#"{"@merge":{"direction":"right","objects":[{"a":{"@path":"$.context.a"}},{"@path":"$.properties"}]}}"#,
            r#"{"@merge":{"direction":"right","objects":[{"a":1},{"b":{"@path":"$.properties.b"}}]}}"#,
            r#"{"@liquid":"{{ event }} {{ properties.event.x }}"}"#,
        ] {
            check(same, &[]);
        }
    }

    #[test]
    fn what_differs_is_told_of_wherever_it_stands() {
        for differs in [
            r#"{"@path":"$.properties['dot.key']"}"#,
            r#"{"@path":"$.properties.arr[-1]"}"#,
            r#"{"@path":"$..sku"}"#,
            r#"{"@path":"$.event[0]"}"#,
            r#"{"@path":"$.properties.constructor.name"}"#,
            r#"{"@arrayPath":["$.properties.l",{"i":{"@path":"$"}}]}"#,
            r#"[{"@if":{"exists":1,"then":{"@path":"$.properties.*.x"}}}]"#,
            r#"{"@merge":{"direction":"left","objects":[{"a":{"@path":"$.context.a"}},{"a":1}]}}"#,
        ] {
            check(differs, &[DIFFERS]);
        }
    }
}
