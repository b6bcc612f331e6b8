//! What Intercom takes as a value or a name, and how things are made to fit.

use serde_json::{Map, Value};

use super::Settings;
use crate::action::Warning;
use crate::instant;
use crate::json::{Json, Object};

/// Characters of a text value, at most.
pub const TEXT_MAX: usize = 255;

/// Custom attributes of a workspace, at most.
const ATTRIBUTES_MAX: usize = 250;

/// Requests that a workspace takes in a minute, at most ("Rate limiting" of the API reference).
const REQUESTS_A_MINUTE: u64 = 25_000;

/// Contacts that are remembered because the search may not know them yet, at most, however long its lag is.
const UNSHOWN_MAX: u64 = 100_000;

/// How many contacts can have been written of which the search, which lags by so many seconds, need not know.
pub fn unshown_max(search_lag_secs: u64) -> u64 {
    search_lag_secs.div_ceil(60).saturating_mul(REQUESTS_A_MINUTE).min(UNSHOWN_MAX)
}

/// Cuts a text that is too long, with a warning about `field`.
pub fn cut<'a>(field: &str, text: Json<'a>, warnings: &mut Vec<Warning>) -> Json<'a> {
    let Some((end, _)) = text.as_str().and_then(|text| text.char_indices().nth(TEXT_MAX)) else {
        return text;
    };
    let whole = text.as_str().unwrap_or_default();
    let message = format!("cut from {} to {TEXT_MAX} characters", whole.chars().count());
    warnings.push(Warning::new(field, "text_cut", message));
    whole[..end].to_owned().into()
}

/// A name without `.` and `$`, which Intercom does not take: both become `_`.
pub fn name(name: &str) -> String {
    name.replace(['.', '$'], "_")
}

/// A date as Intercom keeps it: under a name that ends in `_at` or `_date`, a date in text, or a Unix time in ms or µs,
/// becomes Unix seconds. Anything else stays as it is.
pub fn dated<'a>(name: &str, value: Json<'a>) -> Json<'a> {
    if !name.ends_with("_at") && !name.ends_with("_date") {
        return value;
    }
    match instant::from_json(&value) {
        Some(at) => at.as_second().into(),
        None => value,
    }
}

/// Custom attributes: a value each, no nesting. `null` clears, so it stays.
pub fn attributes<'a>(given: Object<'a>, warnings: &mut Vec<Warning>) -> Object<'a> {
    let mut fitted = Object::new();
    let beyond = given.len().saturating_sub(ATTRIBUTES_MAX);
    if beyond > 0 {
        let message =
            format!("{beyond} attributes beyond the first {ATTRIBUTES_MAX} were dropped; no workspace has more");
        warnings.push(Warning::new("custom_attributes", "attributes_too_many", message).about(beyond));
    }
    for (key, value) in given.into_iter().take(ATTRIBUTES_MAX) {
        let field = format!("custom_attributes.{key}");
        if matches!(value, Json::Object(_) | Json::List(_)) {
            let message = format!("dropped: an attribute holds one value, and this is {}", article(value.kind()));
            warnings.push(Warning::new(field, "attribute_nested", message));
            continue;
        }
        let name = name(&key);
        if name != key {
            let message = format!("renamed to `{name}`: attribute names hold no `.` and no `$`");
            warnings.push(Warning::new(field.clone(), "attribute_renamed", message));
        }
        let value = cut(&field, dated(&name, value), warnings);
        fitted.insert(name, value);
    }
    fitted
}

fn article(kind: &str) -> String {
    match kind.starts_with('o') {
        true => format!("an {kind}"),
        false => format!("a {kind}"),
    }
}

/// Puts [`attributes`] to the field `custom_attributes`; an empty one is left out.
pub fn fit_attributes(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) {
    let Some(Json::Object(given)) = fields.remove("custom_attributes") else { return };
    let fitted = attributes(given, warnings);
    if !fitted.is_empty() {
        fields.push_new("custom_attributes", fitted.into());
    }
}

/// The greatest number Intercom keeps of a company.
const NUMBER_MAX: f64 = 2_147_483_647.0;

/// Fits the numbers and attributes of a company.
pub fn fit_company(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) {
    for field in ["size", "monthly_spend"] {
        whole(fields, field, warnings);
    }
    fit_attributes(fields, warnings);
}

/// Makes a number whole, or drops it when Intercom cannot keep it.
fn whole(fields: &mut Object<'_>, field: &str, warnings: &mut Vec<Warning>) {
    let Some(Json::Number(number)) = fields.get(field) else { return };
    let rounded = number.as_f64().unwrap_or(f64::INFINITY).round();
    if !(0.0..=NUMBER_MAX).contains(&rounded) {
        let message = format!("{number} was dropped: intercom keeps 0 to {NUMBER_MAX}");
        warnings.push(Warning::new(field, "number_out_of_range", message));
        fields.remove(field);
        return;
    }
    if number.as_f64() != Some(rounded) {
        let message = format!("{number} was rounded to {rounded}: intercom keeps whole numbers");
        warnings.push(Warning::new(field, "number_rounded", message));
    }
    fields.insert(field.to_owned(), (rounded as i64).into());
}

/// A teammate's id as the version wants it: up to 2.15 as a number.
pub fn fit_owner(body: &mut Map<String, Value>, settings: &Settings) {
    let Some(owner) = body.get("owner_id").and_then(Value::as_str) else { return };
    if let (Ok(number), true) = (owner.parse::<u64>(), settings.owner_is_number()) {
        body.insert("owner_id".to_owned(), number.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check(given: &str, expected: &str, codes: &[&str]) {
        let Json::Object(given) = json::parse(given.as_bytes()).unwrap() else { panic!("an object is given") };
        let mut warnings = Vec::new();
        assert_eq!(Json::Object(attributes(given, &mut warnings)).to_string(), expected);
        assert_eq!(warnings.iter().map(|warning| &*warning.code).collect::<Vec<_>>(), codes);
    }

    #[test]
    fn no_more_is_written_in_a_lag_than_a_workspace_takes() {
        assert_eq!([0, 1, 60, 61, 180].map(unshown_max), [0, 25_000, 25_000, 50_000, 75_000]);
        assert_eq!([86_400, u64::MAX].map(unshown_max), [UNSHOWN_MAX; 2]);
    }

    #[test]
    fn attributes_are_plain_values() {
        check(
            r#"{"plan":"pro","seats":3,"paid":true,"n":null,"e":""}"#,
            r#"{"plan":"pro","seats":3,"paid":true,"n":null,"e":""}"#,
            &[],
        );
        check(r#"{"a":{"b":1},"l":[1],"c":1}"#, r#"{"c":1}"#, &["attribute_nested", "attribute_nested"]);
        check(r#"{"a.b$c":1}"#, r#"{"a_b_c":1}"#, &["attribute_renamed"]);
        check(
            r#"{"trial_ends_at":"2026-01-01","ends":"2026-01-01"}"#,
            r#"{"trial_ends_at":1767225600,"ends":"2026-01-01"}"#,
            &[],
        );
        check(r#"{"seen_at":1767225600500,"left_at":"soon"}"#, r#"{"seen_at":1767225600,"left_at":"soon"}"#, &[]);
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        let long = "é".repeat(300);
        check(&format!(r#"{{"a":"{long}"}}"#), &format!(r#"{{"a":"{}"}}"#, "é".repeat(255)), &["text_cut"]);
        check(&format!(r#"{{"a":"{}"}}"#, "é".repeat(255)), &format!(r#"{{"a":"{}"}}"#, "é".repeat(255)), &[]);
    }
}
