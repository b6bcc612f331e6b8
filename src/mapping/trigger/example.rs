//! An event that fulfils conditions, made from the conditions themselves.
//!
//! # Why
//! As in `possible.rs`, conditions are taken apart and each path is looked at alone. For each, what stands there already
//! is tried, then what its conditions name, then a value of every sort. Whether the event that comes of it fulfils
//! everything is asked in the end, so an example is never wrong; conditions that tie paths together may have none.

use crate::json::{Json, Number, Object};

use super::Trigger;
use super::path::{Key, Path};
use super::possible::{INDEX_MAX, Reads, Wanted, event_with, only_path};
use super::tree::{Expr, Node};

/// Ways to fulfil conditions that are tried, at most.
const WAYS_MAX: usize = 200;
/// Texts and lists that are made to have a length, at most so long.
const LENGTH_MAX: usize = 64;

/// An event like `base` that fulfils all of these. Its `type` stays as it is.
pub(super) fn example(triggers: &[&Trigger], base: &Json<'static>) -> Option<Json<'static>> {
    let conditions = triggers.iter().map(|trigger| (&trigger.root, true)).collect();
    let mut ways = WAYS_MAX;
    search(conditions, Vec::new(), Vec::new(), &mut |atoms| {
        ways = ways.checked_sub(1)?;
        let event = fulfilled(atoms, base)?;
        triggers.iter().all(|trigger| trigger.holds(&event)).then_some(event)
    })
}

/// Takes conditions apart, and gives the first thing made of one way to fulfil them.
fn search<'n, T>(
    mut conditions: Vec<Wanted<'n>>,
    mut atoms: Vec<Wanted<'n>>,
    mut choices: Vec<Vec<Wanted<'n>>>,
    make: &mut impl FnMut(&[Wanted<'n>]) -> Option<T>,
) -> Option<T> {
    while let Some((node, wanted)) = conditions.pop() {
        let all = |parts: &'n [Node]| parts.iter().map(move |part| (part, wanted));
        match &node.expr {
            Expr::And(parts) if wanted => conditions.extend(all(parts)),
            Expr::Or(parts) if !wanted => conditions.extend(all(parts)),
            Expr::And(parts) | Expr::Or(parts) => choices.push(all(parts).collect()),
            Expr::Not(part) => conditions.push((part, !wanted)),
            _ => atoms.push((node, wanted)),
        }
    }
    match choices.pop() {
        None => make(&atoms),
        Some(choice) => choice.into_iter().find_map(|one| search(vec![one], atoms.clone(), choices.clone(), make)),
    }
}

/// The event with a value at each path that is read, so that what reads only that path is as it is wanted.
fn fulfilled(atoms: &[Wanted<'_>], base: &Json<'static>) -> Option<Json<'static>> {
    let mut event = base.clone();
    let mut seen: Vec<&Path> = Vec::new();
    for (node, _) in atoms {
        let Reads::One(path) = only_path(node) else { continue };
        if seen.contains(&path) {
            continue;
        }
        seen.push(path);
        let own: Vec<&Wanted<'_>> =
            atoms.iter().filter(|(node, _)| matches!(only_path(node), Reads::One(one) if one == path)).collect();
        let fits = |value: &Json<'static>| {
            event_with(path, value).is_some_and(|event| own.iter().all(|(node, wanted)| node.holds(&event) == *wanted))
        };
        let there = path.read(&event).map(|value| value.clone().into_owned());
        if there.as_ref().is_some_and(fits) {
            continue;
        }
        let values = if path.is("type") { Vec::new() } else { candidates(&own) };
        let value = values.into_iter().find(fits)?;
        put(&mut event, path.keys(), value)?;
    }
    Some(event)
}

/// What may do, the likeliest first.
fn candidates(atoms: &[&Wanted<'_>]) -> Vec<Json<'static>> {
    let mut values = Vec::new();
    for (node, _) in atoms {
        node.visit(&mut |part| match &part.expr {
            Expr::Literal(Json::List(items)) => values.extend(items.iter().cloned()),
            Expr::Literal(literal) => values.push(literal.clone()),
            Expr::Call(call) => values.extend(call.glob.as_ref().map(|glob| Json::from(glob.sample()))),
            _ => {}
        });
    }
    let numbers: Vec<f64> = values.iter().filter_map(number).collect();
    values.extend(numbers.iter().flat_map(|number| [number + 1.0, number - 1.0]).filter_map(as_json));
    values.push("example".into());
    values.extend([true.into(), Json::from(1_i64), false.into()]);
    for length in numbers.iter().flat_map(|number| [*number, number + 1.0]).chain([0.0]) {
        if (0.0..=LENGTH_MAX as f64).contains(&length) {
            values.push("x".repeat(length as usize).into());
            values.push(Json::List(vec!["x".into(); length as usize]));
        }
    }
    values.extend([Json::Object(Object::new()), Json::Null]);
    values
}

/// The number that a literal is, or is the text of.
fn number(value: &Json<'_>) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A number, without a fraction where it has none.
fn as_json(number: f64) -> Option<Json<'static>> {
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => Some(Json::from(number as i64)),
        false => Number::from_f64(number).map(Json::Number),
    }
}

/// Puts a value at a path; what is no object or list on the way gives way to one.
fn put(at: &mut Json<'static>, keys: &[Key], value: Json<'static>) -> Option<()> {
    let Some((key, rest)) = keys.split_first() else {
        *at = value;
        return Some(());
    };
    match (&mut *at, key) {
        (Json::List(items), Key::Index(index) | Key::Name { index: Some(index), .. }) if *index <= INDEX_MAX => {
            if items.len() <= *index {
                items.resize(*index + 1, Json::Null);
            }
            put(&mut items[*index], rest, value)
        }
        (Json::Object(object), Key::Name { name, .. }) => {
            let mut inner = object.get(name).cloned().unwrap_or(Json::Null);
            put(&mut inner, rest, value)?;
            object.insert(name.to_string(), inner);
            Some(())
        }
        (_, Key::Name { .. }) => {
            *at = Json::Object(Object::new());
            put(at, keys, value)
        }
        (Json::List(_), Key::Index(_)) => None,
        (_, Key::Index(_)) => {
            *at = Json::List(Vec::new());
            put(at, keys, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(trigger: &str) -> Option<String> {
        let trigger = Trigger::parse(trigger).unwrap().trigger;
        let base = crate::json::parse(br#"{"type":"track","event":"E","properties":{"a":1}}"#).unwrap().into_owned();
        trigger.example(&[], &base).map(|event| event.to_string())
    }

    #[track_caller]
    fn check(trigger: &str, expected: &str) {
        assert_eq!(found(trigger).as_deref(), Some(expected), "{trigger}");
    }

    #[test]
    fn what_stands_there_stays_where_it_will_do() {
        check(r#"type = "track""#, r#"{"type":"track","event":"E","properties":{"a":1}}"#);
        check("properties.a < 5", r#"{"type":"track","event":"E","properties":{"a":1}}"#);
        check(r#"event != "Other" or event = "X""#, r#"{"type":"track","event":"E","properties":{"a":1}}"#);
    }

    #[test]
    fn conditions_say_themselves_what_fulfils_them() {
        check(r#"event in ["A", "B"] and event != "A""#, r#"{"type":"track","event":"B","properties":{"a":1}}"#);
        check("properties.a > 5", r#"{"type":"track","event":"E","properties":{"a":6}}"#);
        check(r#"match(event, "Order ?o*[x-z]")"#, r#"{"type":"track","event":"Order aox","properties":{"a":1}}"#);
        check(r#"!contains(event, "E")"#, r#"{"type":"track","event":"example","properties":{"a":1}}"#);
        check(r#"lowercase(properties.b) = "pro""#, r#"{"type":"track","event":"E","properties":{"a":1,"b":"pro"}}"#);
        check("length(properties.b) > 2", r#"{"type":"track","event":"E","properties":{"a":1,"b":"example"}}"#);
        check("properties.b != null", r#"{"type":"track","event":"E","properties":{"a":1,"b":"example"}}"#);
        check("traits.x.y = true", r#"{"type":"track","event":"E","properties":{"a":1},"traits":{"x":{"y":true}}}"#);
        check("properties.l[1] = 2", r#"{"type":"track","event":"E","properties":{"a":1,"l":[null,2]}}"#);
    }

    #[test]
    fn where_none_is_found_there_is_none() {
        assert_eq!(found(r#"type = "page""#), None);
        assert_eq!(found(r#"event = "A" and event = "B""#), None);
        assert_eq!(found("properties.x = properties.y and properties.x > 3"), None);
    }
}
