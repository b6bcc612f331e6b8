//! The schema of a destination file.

use serde_json::{Value, json};

use super::{DRAFT, choice, described, expression, flag, mapping, settings, test, text, variable, with};
use crate::action::Facts;
use crate::destination::{KINDS, Kind};
use crate::mapping::file::MAPPINGS_MAX;

const KIND: &str = "Which third party the file is for.";
const ENABLED: &str =
    "Whether anything is sent. While it is off, what its settings name in `${…}` need not be there. Default: `true`.";
const SOURCES: &str =
    "The sources whose events this destination gets, by their names in `interline.yaml`. Left out: all of them.";
const SETTINGS: &str = "How the third party is reached, and what to do where there is a choice.";
const FILTER: &str =
    "Events that do not satisfy this condition are not for this destination at all. Left out: all are.";
const MAPPINGS: &str =
    "What becomes what. An event may satisfy several; each is then a delivery of its own. At most 50.";
const TESTS: &str = "Events, and what must become of them: `interline test` runs these.";

/// The schema, as text.
pub(in crate::generate) fn schema() -> String {
    text(&value())
}

/// The schema.
pub(in crate::generate) fn value() -> Value {
    let kinds: Vec<(&str, String)> = KINDS.iter().map(|kind| (kind.name, kind.summary.to_owned())).collect();
    json!({
        "$schema": DRAFT,
        "description": "What of your events becomes what at one destination.",
        "type": "object",
        "required": ["destination", "mappings"],
        "additionalProperties": false,
        "properties": {
            "destination": described(KIND, choice(&kinds, KIND, variable())),
            "enabled": described(ENABLED, with(flag(), json!({ "default": true }))),
            "sources": described(SOURCES, json!({ "type": ["array", "null"], "items": { "type": "string" } })),
            "settings": described(SETTINGS, json!({})),
            "filter": mapping::condition(FILTER),
            "on_invalid": mapping::on_invalid("all mappings that do not say it themselves"),
            "mappings": described(MAPPINGS, json!({ "type": ["array", "null"], "maxItems": MAPPINGS_MAX })),
            "tests": described(TESTS, json!({ "type": ["array", "null"], "items": test::schema() })),
        },
        "allOf": KINDS.iter().map(|kind| when(kind)).collect::<Vec<_>>(),
        "$defs": expression::definitions(),
    })
}

/// The actions that a mapping may run.
fn in_mappings(kind: &Kind) -> Vec<&'static Facts> {
    (kind.actions)().into_iter().filter(|facts| facts.in_mappings()).collect()
}

/// What a kind of third party adds.
fn when(kind: &Kind) -> Value {
    json!({
        "if": { "properties": { "destination": { "const": kind.name } } },
        "then": { "properties": {
            "settings": settings::helpful((kind.settings_schema)()),
            "mappings": { "items": mapping::schema(&in_mappings(kind)) },
        } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_mappings_in_the_text_is_the_one_that_is_checked() {
        assert!(MAPPINGS.ends_with(&format!("At most {MAPPINGS_MAX}.")));
    }
}
