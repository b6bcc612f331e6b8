//! The schema of `interline.yaml`, and how schemas that are read from types become helpful in an editor.

use serde_json::{Map, Value, json};

use super::{VARIABLE, choice, described, text, variable, with};
use crate::settings::Settings;

/// The schema of `interline.yaml`, as text.
pub(in crate::generate) fn schema() -> String {
    let generator =
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = helpful(generator.into_generator().into_root_schema_for::<Settings>().to_value());
    text(&with(schema, json!({ "$schema": super::DRAFT })))
}

/// The schema of a type as editors can use it: with headings, defaults in the text, words with their meaning, and room
/// for `${…}` wherever something else than text is taken.
pub(super) fn helpful(mut schema: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.retain(|key, _| key != "$schema" && key != "title");
    }
    inner(&mut schema);
    schema
}

fn inner(schema: &mut Value) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            *property = setting(property.take());
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(schema @ Value::Object(_)) = schema.get_mut(key) {
            *schema = value(schema.take(), "");
        }
    }
}

/// A named setting.
fn setting(schema: Value) -> Value {
    let default = schema.get("default").filter(|default| !default.is_null() && !default.is_object()).cloned();
    let mut docs = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    match &default {
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => docs.push_str(&format!(" Default: `{text}`.")),
        Some(other) => docs.push_str(&format!(" Default: `{other}`.")),
        None => {}
    }
    let mut schema = value(schema, &docs);
    let members = schema.as_object_mut().expect("the schema of a setting is an object");
    members.remove("default");
    members.extend(default.map(|default| ("default".to_owned(), default)));
    described(&docs, schema)
}

/// A value, of a setting or in a list. `docs` is what its setting is.
fn value(mut schema: Value, docs: &str) -> Value {
    inner(&mut schema);
    let members = schema.as_object_mut().expect("a schema is an object");
    if let Some(words) = words(members) {
        members.retain(|key, _| key != "oneOf" && key != "anyOf");
        return with(schema, choice(&words, docs, variable()));
    }
    let format = members.remove("format");
    let mut types = types(members);
    let (pattern, expected) = match types.iter().find(|name| *name != "null").map(String::as_str) {
        Some("boolean") => (VARIABLE.to_owned(), "true or false"),
        Some("integer") => (VARIABLE.to_owned(), "a whole number"),
        Some("number") => (VARIABLE.to_owned(), "a number"),
        Some("string") if format == Some("uri".into()) => {
            (format!("^[A-Za-z][A-Za-z0-9+.-]*:|{VARIABLE}"), "an absolute URL")
        }
        _ => return schema,
    };
    if !types.iter().any(|name| name == "string") {
        types.push("string".to_owned());
    }
    let expected = format!("expected {expected}");
    with(schema, json!({ "type": types, "pattern": pattern, "patternErrorMessage": expected }))
}

fn types(schema: &Map<String, Value>) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The words that are all a value may be, each with its meaning. That a word may be missing is not said: then the setting
/// is left out.
fn words(schema: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
        return alternatives.iter().filter_map(Value::as_object).find_map(words);
    }
    let alternatives = schema.get("oneOf")?.as_array()?;
    let word = |one: &Value| {
        let meaning = one["description"].as_str().unwrap_or_default().replace('\n', " ");
        Some((one["const"].as_str()?.to_owned(), meaning))
    };
    alternatives.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: Value, expected: Value) {
        assert_eq!(setting(schema), expected);
    }

    #[test]
    fn a_flag_may_be_a_variable_and_says_its_default() {
        check(
            json!({ "type": "boolean", "default": true, "description": "Whether\nit is on." }),
            json!({
                "type": ["boolean", "string"], "pattern": VARIABLE, "patternErrorMessage": "expected true or false", "default": true,
                "description": "Whether it is on. Default: true.", "markdownDescription": "Whether it is on. Default: `true`.",
            }),
        );
    }

    #[test]
    fn words_are_offered_with_their_meaning() {
        let words = json!([{ "const": "us", "description": "The United States." }]);
        let text = "Where.";
        check(
            json!({ "anyOf": [{ "oneOf": words }, { "type": "null" }], "default": null, "description": text }),
            json!({
                "description": text,
                "anyOf": [
                    { "enum": ["us"], "markdownEnumDescriptions": ["The United States."], "description": text },
                    variable(),
                ],
            }),
        );
    }

    #[test]
    fn an_address_may_be_a_variable() {
        let schema = setting(json!({ "type": ["string", "null"], "format": "uri", "description": "" }));
        assert_eq!((&schema["type"], schema.get("format")), (&json!(["string", "null"]), None));
    }
}
