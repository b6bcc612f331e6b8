//! Tests for an imported file: for each mapping an event that it is for, and what the engine makes of it.
//!
//! # Why
//! Segment exports no examples, so events are made of the triggers, and expectations by the engine. Such a test says
//! nothing of what was wanted; it shows what the mapping does, and fails when that is changed by accident. Each is run
//! before it is kept.

use std::sync::LazyLock;

use futures_util::FutureExt;
use regex::Regex;

use super::draft::Draft;
use super::page::escaped;
use super::{Door, lookup};
use crate::action::{Field, FieldKind};
use crate::destination::{self, Circumstances, Explained, Explanation};
use crate::event::Kind;
use crate::json::{Json, Object};
use crate::mapping::case::{ARRIVAL, Test};
use crate::mapping::compile::Compiled;
use crate::mapping::{Mapping, Mappings};
use crate::yaml::write::{comment, entry};

/// Fields of a payload that a test looks at, and members of one that is an object.
const FIELDS_MAX: usize = 4;
/// Texts that a test looks at, at most so long.
const TEXT_MAX: usize = 60;

/// A test expects at most so many mappings to match its event.
const MATCHES_MAX: usize = 10;

/// A test: its mapping's name, the event, and what is expected.
type Case = (String, Json<'static>, Vec<Json<'static>>);

/// What stands below the mappings of a file that compiles.
pub(super) fn write(text: &str, file: &str, drafts: &[Draft], door: Door<'_>) -> String {
    let Ok(Compiled { mappings, .. }) = destination::compile(text, file, None, lookup()) else { return String::new() };
    let mut missing = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    for draft in drafts {
        let Some(mapping) = mappings.get(&draft.name) else { continue };
        match event(mapping, &mappings, draft) {
            _ if !mapping.enabled => missing.push(format!("`{}`: it is switched off", draft.name)),
            Some(event) => cases.push((draft.name.clone(), event, Vec::new())),
            None => missing.push(format!("`{}`: no event was found that its trigger holds for", draft.name)),
        }
    }
    let expected = run(text, file, &cases, door, |name, _, explanation| expectations(name, explanation));
    for ((_, _, expect), expected) in cases.iter_mut().zip(expected) {
        *expect = expected.unwrap_or_default();
    }
    let passed = run(text, file, &cases, door, |_, test, explanation| {
        destination::judge(test, explanation).is_empty().then_some(())
    });
    let mut passed = passed.into_iter();
    cases.retain(|(name, _, expect)| {
        let keeps = passed.next().flatten().is_some() && !expect.is_empty();
        if !keeps {
            missing.push(format!("`{name}`: its event is not taken, or too many mappings take it"));
        }
        keeps
    });
    section(&cases, &missing)
}

/// Something of every case, by what the engine makes of its event; `None` where the event is not taken.
fn run<T>(
    text: &str,
    file: &str,
    cases: &[Case],
    door: Door<'_>,
    mut of: impl FnMut(&str, &Test, &Explanation) -> Option<T>,
) -> Vec<Option<T>> {
    let whole = format!("{text}{}", section(cases, &[]));
    let Ok(compiled) = destination::compile(&whole, file, None, lookup()) else { return Vec::new() };
    let circumstances = Circumstances { ignore_enabled: true, ..Circumstances::default() };
    let each = compiled.tests.iter().zip(cases).map(|(test, (name, ..))| {
        let event = door(test)?;
        // A rehearsal waits for nothing.
        let explanation = destination::explain(&compiled.mappings, &event, circumstances).now_or_never()?;
        of(name, test, &explanation)
    });
    each.collect()
}

fn section(cases: &[Case], missing: &[String]) -> String {
    let mut lines = Vec::new();
    if !cases.is_empty() {
        lines.push(String::new());
        lines.extend(comment(
            0,
            "Made from the triggers, with what the mappings above give: change what should be different.",
        ));
        lines.push("tests:".to_owned());
    }
    for (name, event, expect) in cases {
        let mut body = entry(4, "name", &escaped(&name.as_str().into()));
        body.extend(entry(4, "event", &escaped(event)));
        body.extend(entry(4, "expect", &escaped(&Json::List(expect.clone()))));
        let first = body[0].split_off(4);
        body[0] = format!("  - {first}");
        lines.extend(body);
    }
    if !missing.is_empty() {
        lines.push(String::new());
        lines.extend(comment(0, &format!("There is no test of\n  {}", missing.join("\n  "))));
    }
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

/// An event that a mapping is for: of the likeliest call that also fills its fields, where there is one.
fn event(mapping: &Mapping, mappings: &Mappings, draft: &Draft) -> Option<Json<'static>> {
    let filter: Vec<_> = mappings.filter.iter().collect();
    let mut kinds: Vec<Kind> = mapping.trigger.kinds().iter().collect();
    // A trigger that reads `event` means track calls, whether it says so or not.
    kinds.sort_by_key(|kind| !mapping.trigger.paths().iter().all(|path| kind.has(path.root())));
    let made = |kind: &Kind| mapping.trigger.example(&filter, &base(*kind, draft));
    let events: Vec<Json<'static>> = kinds.iter().filter_map(made).collect();
    let fills = |event: &&Json<'static>| mapping.payload(event).is_ok();
    events.iter().find(fills).or(events.first()).cloned()
}

/// What is expected of every mapping that matches, if the one it is about is among them. Where very many match, a test
/// would say more of the others than of its own, and there is none.
fn expectations(name: &str, explanation: &Explanation) -> Option<Vec<Json<'static>>> {
    let matches =
        explanation.mappings.iter().filter(|one| one.matched && one.enabled && explanation.kept_out.is_none());
    let matches: Vec<&Explained> = matches.collect();
    let is_telling = matches.len() <= MATCHES_MAX && matches.iter().any(|one| one.name == name);
    is_telling.then(|| matches.iter().map(|one| expectation(one)).collect())
}

fn expectation(one: &Explained) -> Json<'static> {
    let mut expected = Object::new();
    expected.push_new("mapping", Json::from(one.name.clone()));
    if let Some(error) = &one.error {
        let members = [("code", error.code.to_string()), ("field", error.field.to_string())];
        let members = members.into_iter().map(|(key, value)| (key.into(), value.into()));
        expected.push_new("error", Json::Object(members.collect()));
    }
    if let Some(part) = one.payload.as_ref().map(part).filter(|part| !part.is_empty()) {
        expected.push_new("payload", Json::Object(part));
    }
    Json::Object(expected)
}

/// A few telling fields of a payload.
fn part(payload: &Object<'static>) -> Object<'static> {
    let told = payload.iter().filter_map(|(key, value)| {
        let value = match value {
            Json::Object(members) => Json::Object(scalars(members)),
            value => value.clone(),
        };
        (is_telling(&value)).then(|| (key.to_owned().into(), value))
    });
    told.take(FIELDS_MAX).collect()
}

fn scalars(members: &Object<'static>) -> Object<'static> {
    let is_scalar = |value: &Json<'_>| !matches!(value, Json::Object(_)) && is_telling(value);
    let members = members.iter().filter(|(_, value)| is_scalar(value)).take(FIELDS_MAX);
    members.map(|(key, value)| (key.to_owned().into(), value.clone())).collect()
}

fn is_telling(value: &Json<'_>) -> bool {
    match value {
        Json::String(text) => text.chars().count() <= TEXT_MAX,
        Json::Number(_) | Json::Bool(_) => true,
        Json::Object(members) => !members.is_empty(),
        Json::List(_) | Json::Null => false,
    }
}

/// A call of a kind that the tracking API takes, with something at every plain path that the mapping reads.
fn base(kind: Kind, draft: &Draft) -> Json<'static> {
    let mut event = Object::new();
    event.push_new("type", kind.name().into());
    event.push_new("userId", "u1".into());
    match kind {
        Kind::Track => event.push_new("event", "Example".into()),
        Kind::Page | Kind::Screen => event.push_new("name", "Example".into()),
        Kind::Group => event.push_new("groupId", "c1".into()),
        Kind::Alias => event.push_new("previousId", "u0".into()),
        Kind::Identify => {}
    }
    event.push_new("timestamp", ARRIVAL.into());
    // A field of a kind of its own says more of what it reads than one that takes anything.
    let mut filled: Vec<_> = draft.fields.iter().collect();
    filled.sort_by_key(|filled| matches!(filled.field.kind, FieldKind::Any | FieldKind::Text | FieldKind::Object));
    for filled in filled {
        let text = filled.expression.to_string();
        let whole = filled.expression.as_str().map(|text| text.trim_start_matches("$."));
        for path in paths(&text) {
            let names: Vec<&str> = path.split('.').collect();
            if names.len() > 1 && ["properties", "traits", "context"].contains(&names[0]) && kind.has(names[0]) {
                let of_field = (whole == Some(path)).then_some(filled.field);
                fill(&mut event, &names, value(names[names.len() - 1], of_field));
            }
        }
    }
    Json::Object(event)
}

/// The plain paths in an expression: behind `$.`, and in templates.
fn paths(expression: &str) -> impl Iterator<Item = &str> {
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        let names = r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)";
        Regex::new(&format!(r"(?:\$\.|\{{\{{\s*){names}")).expect("it is a pattern")
    });
    PATH.captures_iter(expression).filter_map(|found| Some(found.get(1)?.as_str()))
}

/// Something that fits a field, or else what a member is called.
fn value(name: &str, of_field: Option<&Field>) -> Json<'static> {
    let number = || crate::json::parse(b"19.99").map_or(Json::Null, Json::into_owned);
    match of_field.map(|field| field.kind) {
        Some(FieldKind::Timestamp) => ARRIVAL.into(),
        Some(FieldKind::Boolean) => true.into(),
        Some(FieldKind::Integer) => Json::from(10_i64),
        Some(FieldKind::Number) => number(),
        Some(FieldKind::Email) => "ada@example.com".into(),
        Some(FieldKind::Url) => "https://example.com/ada".into(),
        Some(FieldKind::Texts) => Json::List(vec!["example".into()]),
        // What takes anything is known by its own name.
        Some(FieldKind::Any) if of_field.is_some_and(|field| field.name == "revenue") => number(),
        Some(FieldKind::Text) | Some(FieldKind::Object) | Some(FieldKind::Any) | None => by_name(name),
    }
}

/// Something that fits what a member is called.
fn by_name(name: &str) -> Json<'static> {
    let words = name.to_lowercase();
    let is = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let is_date = words.ends_with("_at") || words.ends_with("date") || name.ends_with("At");
    match () {
        () if is(&["email"]) => "ada@example.com".into(),
        () if is(&["phone"]) => "+353 1 234 5678".into(),
        () if is(&["url", "avatar", "website"]) => "https://example.com/ada".into(),
        () if is(&["currency"]) => "USD".into(),
        () if is_date => ARRIVAL.into(),
        () if ["revenue", "total", "subtotal", "price", "amount"].contains(&words.as_str()) => {
            crate::json::parse(b"19.99").map_or(Json::Null, Json::into_owned)
        }
        () => "example".into(),
    }
}

/// Puts a value where nothing stands yet.
fn fill(object: &mut Object<'static>, names: &[&str], value: Json<'static>) {
    let (name, rest) = (names[0], &names[1..]);
    if rest.is_empty() {
        if object.get(name).is_none() {
            object.push_new(name.to_owned(), value);
        }
        return;
    }
    if object.get(name).is_none() {
        object.push_new(name.to_owned(), Json::Object(Object::new()));
    }
    if let Some(Json::Object(inner)) = object.get_mut(name) {
        fill(inner, rest, value);
    }
}
