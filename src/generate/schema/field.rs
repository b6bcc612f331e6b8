//! The schema of one field of an action: a value of its type, a path, a template or a directive.

use serde_json::{Value, json};

use super::{choice, described};
use crate::action::{Facts, Field, FieldKind};

/// Text that only an event gives a value: a path, a template or a variable.
const COMPUTED: &str = r"^\$($|[.\[])|\{\{|\$\{";

/// What may stand at a field of an action.
pub(super) fn schema(facts: &Facts, field: &Field) -> Value {
    let docs = docs(field);
    let mut schema = match field.choices.is_empty() {
        true => literal(field),
        false => choices(facts, field, &docs),
    };
    schema["allOf"] = json!([{ "$ref": nested(field.kind) }]);
    if let Some(default) = &field.default {
        schema["default"] = default.clone();
    }
    described(&docs, schema)
}

/// What the field is, and what it takes.
fn docs(field: &Field) -> String {
    let words: Vec<String> = field.choices.iter().map(|word| format!("`{word}`")).collect();
    let mut facts = vec![match words.is_empty() {
        true => format!("Takes: {}", field.kind.name()),
        false => format!("Takes: {}", words.join(", ")),
    }];
    match &field.default {
        Some(Value::String(path)) => facts.push(format!("Left out: `{path}`")),
        Some(other) => facts.push(format!("Left out: `{other}`")),
        None if field.required => facts.push("Required".to_owned()),
        None => {}
    }
    if field.clears {
        facts.push("A `null` in the event clears it".to_owned());
    }
    format!("{}\n\n{}", field.docs, facts.join(" · "))
}

/// What objects and lists at a field have to be.
fn nested(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Object | FieldKind::Texts | FieldKind::Any => "#/$defs/expression",
        _ => "#/$defs/directive",
    }
}

/// The types that may stand at a field: some of its own, those of expressions, and `null` where a default may be unset.
fn types<'t>(field: &Field, own: &[&'t str]) -> Vec<&'t str> {
    let unset = if field.required { None } else { Some("null") };
    let all = own.iter().copied().chain(["string", "object"]).chain(unset);
    let mut types = Vec::new();
    all.for_each(|name| {
        if !types.contains(&name) {
            types.push(name);
        }
    });
    types
}

/// A field that takes only some words.
fn choices(facts: &Facts, field: &Field, docs: &str) -> Value {
    let meanings: Vec<(&str, String)> = field
        .choices
        .iter()
        .map(|word| (word.as_str(), meaning(&facts.schema["properties"][&field.name], word)))
        .collect();
    choice(&meanings, docs, json!({ "type": types(field, &[]), "pattern": COMPUTED }))
}

/// What the type of a field says of one of its words.
fn meaning(schema: &Value, word: &str) -> String {
    let alternatives = ["oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    alternatives
        .filter_map(|one| match one["const"] == word {
            true => one["description"].as_str().map(|text| text.replace('\n', " ")),
            false => Some(meaning(one, word)).filter(|text| !text.is_empty()),
        })
        .next()
        .unwrap_or_default()
}

/// A field that takes any value of its kind, or text that is computed.
fn literal(field: &Field) -> Value {
    let (own, literal, expected): (&[&str], _, _) = match field.kind {
        FieldKind::Any => return json!({}),
        FieldKind::Text => return json!({ "type": types(field, &["string", "number"]) }),
        FieldKind::Texts => return json!({ "type": types(field, &["array", "string", "number"]) }),
        FieldKind::Object => (&["object"], "", "an object"),
        FieldKind::Email => (&[], r"^\s*[^@\s]+@[^@\s]+\.[^@\s.]+\s*$", "an e-mail address"),
        FieldKind::Url => (&[], r"^\s*[A-Za-z][A-Za-z0-9+.-]*:", "an absolute URL"),
        FieldKind::Number => (&["number"], r"^\s*[+-]?[.0-9][-+.0-9eE]*\s*$", "a number"),
        FieldKind::Integer => (&["integer"], r"^\s*[+-]?[0-9]+\s*$", "a whole number"),
        FieldKind::Boolean => (&["boolean"], "^(true|false)$", "true or false"),
        FieldKind::Timestamp => (&["number"], r"^\s*[0-9]", "a date (2026-01-31, 2026-01-31T12:00:00Z or a Unix time)"),
    };
    let bar = if literal.is_empty() { "" } else { "|" };
    json!({
        "type": types(field, own),
        "pattern": format!("{COMPUTED}{bar}{literal}"),
        "patternErrorMessage": format!("expected {expected}, a path ($.…), a template ({{{{ … }}}}) or a directive"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::KINDS;

    fn field(action: &str, name: &str) -> Value {
        let actions = (KINDS[0].actions)();
        let facts = actions.into_iter().find(|facts| facts.name == action).unwrap();
        schema(facts, facts.field(name).unwrap())
    }

    #[test]
    fn the_text_of_a_field_says_what_it_takes_and_what_fills_it() {
        let email = field("identify_contact", "email");
        let text = email["markdownDescription"].as_str().unwrap();
        assert!(text.ends_with("\n\nTakes: e-mail address · Left out: `$.traits.email`"), "{text}");
        assert!(!email["description"].as_str().unwrap().contains('`'));
    }

    #[test]
    fn only_fields_that_need_not_be_there_can_be_unset() {
        let has_null = |schema: Value| schema["type"].as_array().unwrap().contains(&json!("null"));
        assert!(has_null(field("identify_contact", "email")));
        assert!(!has_null(field("track_event", "event_name")));
    }

    #[test]
    fn each_word_of_a_choice_has_its_meaning() {
        let nested = field("track_event", "nested");
        let meanings = nested["anyOf"][0]["markdownEnumDescriptions"].as_array().unwrap();
        assert!(meanings.iter().all(|meaning| !meaning.as_str().unwrap().is_empty()), "{meanings:?}");
    }
}
