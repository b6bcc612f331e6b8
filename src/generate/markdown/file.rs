//! The part of the docs about a destination file as a whole: which are shipped, what one looks like, its keys.

use std::fmt::Write;

use serde_json::Value;

use super::table;
use crate::destination;
use crate::generate::schema;

/// The files in `mappings/`, and what each is.
const SHIPPED: [(&str, &str); 4] = [
    ("intercom.yaml", "The defaults, commented line by line: the one to start from, and the one that is on."),
    ("rudderstack.yaml", "For people who come from RudderStack: finds everything where RudderStack looked for it."),
    (
        "clearview.yaml",
        "Company visits that ClearView reports: each becomes a company, and who left an address a lead in it.",
    ),
    ("example-saas.yaml", "A worked example: ten mappings of a product that companies subscribe to."),
];

/// The keys of a file and of a mapping, in the order they are usually written.
const KEYS: [&str; 8] = ["destination", "enabled", "sources", "settings", "filter", "on_invalid", "mappings", "tests"];
const MAPPING_KEYS: [&str; 7] = ["name", "enabled", "trigger", "action", "fields", "defaults", "on_invalid"];

/// A whole file, small.
const EXAMPLE: &str = r#"# yaml-language-server: $schema=../schemas/destination.schema.json
destination: intercom
settings:
  region: eu
  access_token: ${INTERCOM_ACCESS_TOKEN}
mappings:
  - name: Users                                  # names it in logs, metrics and deliveries
    trigger: type = "identify" and userId != null
    action: identify_contact                     # fields left out have their defaults
    fields:
      name: "{{ traits.firstName }} {{ traits.lastName }}"
      custom_attributes: { plan: $.traits.plan }
  - name: Orders
    trigger: type = "track" and match(event, "Order *")
    action: track_event
    fields:
      keep: [order_id]
tests:
  - name: an order in exact cents
    event: { type: track, userId: u1, event: Order Completed, properties: { order_id: o-7, revenue: 19.99 } }
    expect:
      - mapping: Orders
        payload: { metadata: { price: { amount: 1999, currency: USD }, order_id: o-7 } }
"#;

const BEFORE: &str = "\
One file is one destination: which of your events become what at one third party. Its name is the destination's name in
metrics and logs. `interline serve` reads every `*.yaml` in the folder that `mappings_dir` names, and each of them is a
destination of its own: two that are on and do the same do it twice. So all but one of those shipped here say
`enabled: false`; they are checked and tested like the others, and send nothing.

";

const COMMANDS: &str = "
Before anything is sent:

```
interline check mappings/                                      # every mistake at once, with its place
interline test mappings/                                       # the tests that stand in the files
interline explain mappings/intercom.yaml --event event.json    # one event: triggers, values, requests
```

The first line of the example lets an editor with YAML support (yaml-language-server: VS Code, Neovim, Helix, Zed, …) offer
keys, actions, fields and directives, show what they mean, and underline mistakes.
";

const VARIABLES: &str = "
`${NAME}` is read from the environment, `${NAME:-else}` with something in its place when it is not set, and
`${file:/run/secrets/x}` from a file; anywhere in the file. Tokens belong there.
";

/// Appends it.
pub(super) fn write(page: &mut String) {
    page.push_str(BEFORE);
    table(
        page,
        &["file", "what it is"],
        SHIPPED.iter().map(|(name, what)| vec![format!("[`{name}`]({name})"), (*what).to_owned()]),
    );
    let _ = write!(page, "\n## A file\n\n```yaml\n{EXAMPLE}```\n{COMMANDS}");
    let file = schema::destination_value();
    page.push_str("\n## Keys of a file\n\n");
    keys(page, &file, &KEYS);
    page.push_str(VARIABLES);
    for (at, kind) in destination::KINDS.iter().enumerate() {
        let _ = write!(page, "\n### Settings of `{}`\n\n{}\n\n", kind.name, kind.summary);
        let mut rows = Vec::new();
        settings(&mut rows, "", &file["allOf"][at]["then"]["properties"]["settings"]);
        table(page, &["setting", "what it is"], rows.into_iter());
    }
    page.push_str("\n## Keys of a mapping\n\n");
    keys(page, &file["allOf"][0]["then"]["properties"]["mappings"]["items"], &MAPPING_KEYS);
}

/// The rows of some keys of a schema.
pub(super) fn keys(page: &mut String, schema: &Value, names: &[&str]) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    table(
        page,
        &["key", "what it is"],
        names.iter().map(|name| {
            let mark = if required.iter().any(|one| one == name) { " (required)" } else { "" };
            vec![format!("`{name}`{mark}"), docs(&schema["properties"][*name])]
        }),
    );
}

/// The rows of settings, those of a group with its name before theirs.
fn settings(rows: &mut Vec<Vec<String>>, group: &str, schema: &Value) {
    for (name, setting) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{group}{name}");
        match setting["properties"].is_object() {
            true => settings(rows, &format!("{name}."), setting),
            false => rows.push(vec![format!("`{name}`"), format!("{}{}", docs(setting), words(setting))]),
        }
    }
}

/// The words a setting takes, each with its meaning.
fn words(schema: &Value) -> String {
    let choice = &schema["anyOf"][0];
    let words = choice["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let meanings = choice["markdownEnumDescriptions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    words.zip(meanings).map(|(word, meaning)| format!(" `{word}`: {meaning}")).collect()
}

/// What a schema says of itself, in Markdown.
pub(super) fn docs(schema: &Value) -> String {
    let text = [&schema["markdownDescription"], &schema["description"]].into_iter().find_map(Value::as_str);
    text.unwrap_or_default().split("\n\n").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Lookup, Missing};

    #[test]
    fn the_file_of_the_docs_can_be_used() {
        let lookup = Lookup {
            environment: &|_| Some("token".to_owned()),
            file: &|_| Err(String::new()),
            missing: Missing::Refused,
        };
        let compiled = destination::compile(EXAMPLE, "mappings/example.yaml", None, lookup);
        let compiled = compiled.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(compiled.problems.is_empty(), "{}", compiled.problems);
    }

    #[test]
    fn every_key_of_the_schema_has_a_row() {
        let file = schema::destination_value();
        let mapping = &file["allOf"][0]["then"]["properties"]["mappings"]["items"];
        for (schema, keys) in [(&file, KEYS.as_slice()), (mapping, &MAPPING_KEYS)] {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
            assert_eq!(known, keys);
        }
    }
}
