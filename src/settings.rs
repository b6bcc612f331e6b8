//! The rooms' own settings in one: the file, then the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http;
use crate::router;
use crate::store;
use crate::telemetry;
use crate::yaml::{self, Key, Lookup, Missing, Node, Place, Problems, Value};

/// Environment variables that start with this set settings: `INTERLINE_INGEST__LISTEN` sets `ingest.listen`.
pub const PREFIX: &str = "INTERLINE_";
/// Settings that stand in no group. Other variables without `__` are not ours to read: options of commands have the
/// prefix too, and so has what Kubernetes sets for a service of this name.
const UNGROUPED: &[&str] = &["DATA_DIR", "MAPPINGS_DIR"];

/// Everything an operator sets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the queue lies. Local disk, not a network file system.
    pub data_dir: PathBuf,
    /// Where the destination files lie.
    pub mappings_dir: PathBuf,
    /// Who may send, by name.
    pub sources: BTreeMap<String, http::ingest::SourceSettings>,
    /// The public listener: the tracking API.
    pub ingest: http::ingest::Settings,
    /// The private listener: metrics, health, deliveries.
    pub admin: http::admin::Settings,
    /// The durable queue.
    pub queue: Queue,
    /// How deliveries are brought.
    pub delivery: router::Settings,
    /// What is logged, and how.
    pub log: telemetry::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            data_dir: "./data".into(),
            mappings_dir: "./mappings".into(),
            sources: BTreeMap::new(),
            ingest: http::ingest::Settings::default(),
            admin: http::admin::Settings::default(),
            queue: Queue::default(),
            delivery: router::Settings::default(),
            log: telemetry::Settings::default(),
        }
    }
}

/// The durable queue.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Which engine holds it.
    pub engine: store::Engine,
    /// How long things are kept.
    pub keep: store::Settings,
}

/// Reads settings from the text of a file and the environment, or finds every problem in them. `environment` gives all
/// variables.
pub fn read(
    file: &str,
    text: &str,
    environment: &[(String, String)],
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Settings, Problems> {
    let mut problems = Problems::new(file, text);
    let parsed = yaml::parse(&mut problems);
    let Some(mut node) = parsed else { return Err(problems) };
    if node.is_null() {
        node.value = Value::Map(Vec::new());
    }
    let lookup = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    yaml::interpolate(
        &mut node,
        Lookup { environment: &lookup, file: read_file, missing: Missing::Refused },
        &mut problems,
    );
    problems.hide_secrets(&node);
    for (name, value) in environment {
        override_one(&mut node, name, value, &mut problems);
    }
    let settings = yaml::decode::<Settings>(&node, "", &mut problems);
    if let Some(settings) = settings.as_ref().filter(|_| !problems.has_errors()) {
        examine(settings, &node, &mut problems);
    }
    problems.finish();
    match settings.filter(|_| !problems.has_errors()) {
        Some(settings) => Ok(settings),
        None => Err(problems),
    }
}

/// Notes what types let through, at the place of the setting or of what it stands in.
fn examine(settings: &Settings, node: &Node, problems: &mut Problems) {
    let mut found = http::ingest::check(&settings.ingest, &settings.sources);
    found.extend(http::admin::check(&settings.admin).map(|message| ("admin.listen".to_owned(), message)));
    found.extend(telemetry::examine(&settings.log).err().map(|error| ("log.level".to_owned(), error.to_string())));
    for (path, message) in found {
        problems.error("value_invalid", &place(node, &path), &path, message);
    }
}

/// Where a setting is named; where it is not, the nearest part of the way to it.
fn place(node: &Node, path: &str) -> Place {
    let (mut at, mut place) = (node, Place { line: 1, column: 1, ..Place::default() });
    for step in path.split('.') {
        let member = at.as_map().and_then(|members| members.iter().find(|(key, _)| key.name == step));
        let Some((key, value)) = member else { break };
        (at, place) = (value, key.place.clone());
    }
    place
}

/// Puts the value of `INTERLINE_A__B` at `a.b`. It is read as YAML, so that numbers, booleans and lists can be given.
fn override_one(node: &mut Node, name: &str, value: &str, problems: &mut Problems) {
    let is_setting = |path: &&str| path.contains("__") || UNGROUPED.contains(path);
    let Some(path) = name.strip_prefix(PREFIX).filter(is_setting) else { return };
    problems.hide(value, &format!("${name}"));
    let mut inner = Problems::new(name, value);
    let value = match yaml::parse(&mut inner) {
        Some(parsed) if !inner.has_errors() => parsed.value,
        _ => Value::Text(value.to_owned()),
    };
    let mut at = node;
    for key in path.to_lowercase().split("__") {
        let Value::Map(members) = &mut at.value else {
            let message =
                format!("the environment variable {name} sets part of something that is not a group of settings");
            problems.error("environment_invalid", &Place::default(), "", message);
            return;
        };
        let found = members.iter().position(|(known, _)| known.name == key).unwrap_or_else(|| {
            let place = Place { span: 0..0, line: 1, column: 1 };
            let empty = Node { value: Value::Map(Vec::new()), place: place.clone(), written: None };
            members.push((Key { name: key.to_owned(), place }, empty));
            members.len() - 1
        });
        at = &mut members[found].1;
        at.written = Some(format!("${name}").into());
    }
    at.value = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let environment: Vec<_> = environment.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let file = |path: &str| Err(format!("no file {path}"));
        read("interline.yaml", text, &environment, &file)
            .map_err(|problems| problems.iter().map(|problem| problem.message.clone()).collect())
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        let settings = read_text("", &[]).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("./data"));
        assert_eq!(settings.ingest.listen.to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = read_text(
            "ingest: { listen: 127.0.0.1:1 }",
            &[
                ("INTERLINE_INGEST__LISTEN", "127.0.0.1:2"),
                ("INTERLINE_DELIVERY__PACE__AT_ONCE_MAX", "3"),
                ("HOME", "/"),
            ],
        )
        .unwrap();
        assert_eq!(settings.ingest.listen.to_string(), "127.0.0.1:2");
        assert_eq!(settings.delivery.pace.at_once_max, 3);
    }

    #[test]
    fn every_mistake_is_named() {
        let problems = read_text("ingst: {}\nadmin: { listn: x }\nsources: { web: { write_key: \"${UNSET}\" } }", &[]);
        let text = problems.err().unwrap().join("\n");
        for part in ["ingst", "listn", "UNSET"] {
            assert!(text.contains(part), "{part} is not named in:\n{text}");
        }
        assert!(read_text("", &[("INTERLINE_INGST__LISTEN", "1")]).is_err());
        assert!(read_text("", &[("INTERLINE_PORT", "tcp://10.0.0.1:80"), ("INTERLINE_DATA_DIR", "/d")]).is_ok());
    }

    #[test]
    fn numbers_out_of_range_are_all_named_once() {
        let text = "delivery: { pace: { at_once_max: 0 }, retry: { give_up_after_secs: 18446744073709551615 } }\ningest: { batch_events_max: 0, retry_after_secs: -1 }";
        let problems = read_text(text, &[("INTERLINE_INGEST__KEEP_ALIVE_SECS", "99999999999")]).err().unwrap();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains(" from ")), "{problems:?}");
    }

    #[test]
    fn what_a_room_would_refuse_is_found_when_reading() {
        let text = "sources: { a: { write_key: k }, b: { write_key: k } }\nadmin: { listen: 0.0.0.0:1 }\nlog: { level: loud=x=y }";
        let problems = read_text(text, &[]).err().unwrap().join("\n");
        for part in ["same write key", "admin.token", "log level"] {
            assert!(problems.contains(part), "{part} is not named in:\n{problems}");
        }
    }
}
