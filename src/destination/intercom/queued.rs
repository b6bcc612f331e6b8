//! Two updates that wait one behind the other, made one: it leaves what both, in order, would have left.
//!
//! # Why
//! Whoever cannot be surely the same contact, and whatever of the older one the newer one would not surely replace, keeps
//! them apart: two requests are always right.

use serde_json::{Map, Value};

use super::attribute::{FIELD, Model};
use super::identity::normal;

/// Members that say who is meant, and what they are to be.
const CONTACT: [&str; 4] = ["id", "external_id", "email", "role"];
/// Members that say which company is meant, and who belongs to it.
const COMPANY: [&str; 5] = ["company_id", "contact_id", "external_id", "email", "remove"];
/// Members that name a contact's company.
const LINK: [&str; 2] = ["company_id", "remove_company"];

/// Whether the workspace surely takes a value for an attribute.
pub type Takes<'a> = &'a dyn Fn(Model, &str, &Value) -> bool;

/// Whether there are payloads of an action that can be made one.
pub fn merges(action: &str) -> bool {
    matches!(action, "identify_contact" | "identify_company")
}

/// One payload of an action for two. `None`: they are better sent one after the other.
pub fn merged(
    action: &str,
    older: &Map<String, Value>,
    newer: &Map<String, Value>,
    takes: Takes<'_>,
) -> Option<Map<String, Value>> {
    match action {
        "identify_contact" => contacts(older, newer, takes),
        "identify_company" => companies(older, newer, takes),
        // An event is never part of another one.
        _ => None,
    }
}

fn contacts(older: &Map<String, Value>, newer: &Map<String, Value>, takes: Takes<'_>) -> Option<Map<String, Value>> {
    let is_somebody = ["id", "external_id", "email"].iter().any(|name| said(newer, name).is_some());
    if !is_somebody || !is_same(older, newer, &CONTACT) {
        return None;
    }
    // Of a link and its end the company may be left, so only the same once more is one.
    let links = |payload: &Map<String, Value>| said(payload, "company_id").is_some();
    if links(older) && links(newer) && !is_same(older, newer, &LINK) {
        return None;
    }
    let mut merged = overlaid(older, newer, Model::Contact, takes)?;
    if !links(newer) {
        LINK.iter().for_each(|name| keep(&mut merged, older, name));
    }
    match (said(older, "last_seen_at"), said(newer, "last_seen_at")) {
        (Some(older), Some(newer)) => {
            let latest = older.as_i64()?.max(newer.as_i64()?);
            merged.insert("last_seen_at".to_owned(), latest.into());
        }
        (Some(_), None) => keep(&mut merged, older, "last_seen_at"),
        (None, _) => {}
    }
    Some(merged)
}

fn companies(older: &Map<String, Value>, newer: &Map<String, Value>, takes: Takes<'_>) -> Option<Map<String, Value>> {
    let is_one = said(newer, "company_id").is_some() && said(newer, "remove").is_none();
    if !is_one || !is_same(older, newer, &COMPANY) {
        return None;
    }
    let mut merged = overlaid(older, newer, Model::Company, takes)?;
    // Only attributes of a company can be cleared: another `null` says nothing.
    let silent: Vec<&String> = newer.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
    silent.into_iter().for_each(|name| keep(&mut merged, older, name));
    Some(merged)
}

/// The newer payload over the older one: attributes one by one, and the tags of both.
fn overlaid(
    older: &Map<String, Value>,
    newer: &Map<String, Value>,
    model: Model,
    takes: Takes<'_>,
) -> Option<Map<String, Value>> {
    let mut merged = older.clone();
    merged.extend(newer.iter().map(|(name, value)| (name.clone(), value.clone())));
    if let (Some(Value::Object(older)), Some(Value::Object(newer))) = (older.get(FIELD), newer.get(FIELD)) {
        merged.insert(FIELD.to_owned(), attributes(older, newer, model, takes)?.into());
    } else if said(newer, FIELD).is_none() {
        keep(&mut merged, older, FIELD);
    }
    let tags = tags([older, newer].into_iter().filter_map(|payload| payload.get("tags")?.as_array()).flatten());
    if !tags.is_empty() {
        merged.insert("tags".to_owned(), tags.into());
    }
    Some(merged)
}

/// `None`: what is newer may not fit its attribute, and what is older would then stay.
fn attributes(
    older: &Map<String, Value>,
    newer: &Map<String, Value>,
    model: Model,
    takes: Takes<'_>,
) -> Option<Map<String, Value>> {
    let mut merged = older.clone();
    for (name, value) in newer {
        let replaced = merged.insert(name.clone(), value.clone());
        if replaced.is_some_and(|replaced| replaced != *value) && !takes(model, name, value) {
            return None;
        }
    }
    Some(merged)
}

fn tags<'a>(all: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let fold = |tag: &Value| tag.as_str().map(str::to_lowercase);
    let mut tags: Vec<Value> = Vec::new();
    for tag in all {
        if !tags.iter().any(|known| fold(known) == fold(tag)) {
            tags.push(tag.clone());
        }
    }
    tags
}

fn is_same(older: &Map<String, Value>, newer: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().all(|name| match (said(older, name), said(newer, name)) {
        (Some(Value::String(older)), Some(Value::String(newer))) if *name == "email" => normal(older) == normal(newer),
        (older, newer) => older == newer,
    })
}

/// What a payload says of a member; `null` and `false` are as good as silence here.
fn said<'p>(payload: &'p Map<String, Value>, name: &str) -> Option<&'p Value> {
    payload.get(name).filter(|value| !value.is_null() && **value != Value::Bool(false))
}

/// What the older payload says of a member stands.
fn keep(merged: &mut Map<String, Value>, older: &Map<String, Value>, name: &str) {
    match older.get(name) {
        Some(value) => drop(merged.insert(name.to_owned(), value.clone())),
        None => drop(merged.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(action: &str, older: &str, newer: &str, expected: Option<&str>) {
        let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let takes = |_: Model, name: &str, value: &Value| name == "seats" && (value.is_i64() || value.is_null());
        let came = merged(action, &read(older), &read(newer), &takes);
        assert_eq!(came, expected.map(read), "{older} and {newer}");
    }

    #[track_caller]
    fn check_contact(older: &str, newer: &str, expected: Option<&str>) {
        let user = |text: &str| format!(r#"{{"role":"user","external_id":"u","email":"a@b.co"{text}}}"#);
        check("identify_contact", &user(older), &user(newer), expected.map(user).as_deref());
    }

    #[test]
    fn the_last_word_counts_member_by_member() {
        check_contact(r#","name":"A","phone":"1""#, r#","name":"B""#, Some(r#","name":"B","phone":"1""#));
        check_contact(r#","name":"A""#, r#","name":null"#, Some(r#","name":null"#));
        check_contact(r#","name":null"#, r#","phone":"1""#, Some(r#","name":null,"phone":"1""#));
        check_contact(r#","last_seen_at":9"#, r#","last_seen_at":5"#, Some(r#","last_seen_at":9"#));
        check_contact(r#","last_seen_at":9"#, "", Some(r#","last_seen_at":9"#));
        check_contact(r#","last_seen_at":9"#, r#","last_seen_at":null"#, Some(r#","last_seen_at":9"#));
        check_contact(r#","tags":["A","b"]"#, r#","tags":["B","c"]"#, Some(r#","tags":["A","b","c"]"#));
    }

    #[test]
    fn attributes_are_replaced_where_the_newer_value_surely_fits() {
        let attributes = |text: &str| format!(r#","custom_attributes":{{{text}}}"#);
        let check = |older: &str, newer: &str, expected: Option<&str>| {
            check_contact(&attributes(older), &attributes(newer), expected.map(attributes).as_deref());
        };
        check(r#""a":1"#, r#""b":2"#, Some(r#""a":1,"b":2"#));
        check(r#""a":1"#, r#""a":1"#, Some(r#""a":1"#));
        check(r#""seats":1"#, r#""seats":2"#, Some(r#""seats":2"#));
        check(r#""seats":1"#, r#""seats":null"#, Some(r#""seats":null"#));
        check(r#""seats":1"#, r#""seats":"many""#, None);
        check(r#""a":1"#, r#""a":2"#, None);
        check_contact(&attributes(r#""a":1"#), "", Some(&attributes(r#""a":1"#)));
    }

    #[test]
    fn a_link_and_its_end_stay_two() {
        let link = r#","company_id":"c""#;
        let end = r#","company_id":"c","remove_company":true"#;
        check_contact(link, "", Some(link));
        check_contact("", end, Some(end));
        check_contact(end, "", Some(end));
        check_contact(end, end, Some(end));
        check_contact(
            link,
            r#","company_id":"c","remove_company":false"#,
            Some(r#","company_id":"c","remove_company":false"#),
        );
        check_contact(link, end, None);
        check_contact(end, link, None);
        check_contact(link, r#","company_id":"d""#, None);
    }

    #[test]
    fn only_who_is_surely_the_same_is_one() {
        let check =
            |older: &str, newer: &str, expected: Option<&str>| check("identify_contact", older, newer, expected);
        let user = r#"{"role":"user","external_id":"u"}"#;
        check(user, user, Some(user));
        check(user, r#"{"role":"user","external_id":"U"}"#, None);
        check(user, r#"{"role":"user","external_id":"u","email":"a@b.co"}"#, None);
        check(user, r#"{"role":"lead","external_id":"u"}"#, None);
        let lead = r#"{"role":"lead","email":"a@b.co"}"#;
        check(r#"{"role":"lead","email":"A@b.co"}"#, lead, Some(lead));
        check(lead, r#"{"role":"user","external_id":"u","email":"a@b.co"}"#, None);
        check(r#"{"role":"lead"}"#, r#"{"role":"lead"}"#, None);
    }

    #[test]
    fn companies_are_one_for_one_contact_and_events_never() {
        let check =
            |older: &str, newer: &str, expected: Option<&str>| check("identify_company", older, newer, expected);
        let older = r#"{"company_id":"c","external_id":"u","name":"A","plan":"pro"}"#;
        check(
            older,
            r#"{"company_id":"c","external_id":"u","name":"B","plan":null}"#,
            Some(r#"{"company_id":"c","external_id":"u","name":"B","plan":"pro"}"#),
        );
        check(older, r#"{"company_id":"c","external_id":"v","name":"B"}"#, None);
        check(older, r#"{"company_id":"d","external_id":"u","name":"B"}"#, None);
        check(older, r#"{"company_id":"c","external_id":"u","remove":true}"#, None);
        let event = r#"{"event_name":"e","created_at":1,"user_id":"u"}"#;
        self::check("track_event", event, event, None);
    }
}
