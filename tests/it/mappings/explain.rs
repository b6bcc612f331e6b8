//! What `interline explain` prints, by the real binary: for each event in `tests/cases/explain/` the page for people and the
//! document for scripts. `BLESS=1` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value};

/// Every event, the further arguments it is explained with, and the exit code.
const EVENTS: [(&str, &[&str], i32); 8] = [
    ("order", &[], 0),
    ("page", &[], 0),
    ("unfit", &[], 1),
    ("new_contact", &["--new-contact"], 0),
    ("company_waits", &["--new-contact"], 0),
    ("nobody", &[], 0),
    ("filtered", &[], 0),
    ("excluded", &[], 0),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/explain")
}

fn explained(event: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["explain", "intercom.yaml", "--event", &format!("{event}.event.json")])
        .args(arguments)
        .current_dir(folder())
        .env_clear()
        .output()
        .unwrap()
}

/// Compares with the file that holds what is expected, or writes it.
fn compare(wrong: &mut Vec<String>, file: &str, printed: &str) {
    let path = folder().join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, printed).unwrap();
    }
    if fs::read_to_string(&path).unwrap_or_default() != printed {
        wrong.push(format!("not as in {file}:\n{printed}"));
    }
}

/// The members that scripts rely on, and how each looks.
fn examine(document: &Value) {
    for mapping in document["mappings"].as_array().unwrap() {
        let is_object_or_null = |value: &Value| value.is_object() || value.is_null();
        assert!(mapping["name"].is_string() && mapping["matched"].is_boolean(), "{mapping}");
        assert!(mapping["trigger"]["holds"].is_boolean() && mapping["trigger"]["source"].is_string(), "{mapping}");
        assert!(is_object_or_null(&mapping["payload"]) && is_object_or_null(&mapping["error"]), "{mapping}");
        let texts = |value: &Value| ["code", "field", "message"].iter().all(|key| value[key].is_string());
        assert!(mapping["error"].is_null() || texts(&mapping["error"]), "{mapping}");
        assert!(mapping["warnings"].as_array().unwrap().iter().all(texts), "{mapping}");
        for request in mapping["requests"].as_array().unwrap() {
            let members: Vec<&String> = request.as_object().unwrap().keys().collect();
            assert!(members.len() == 3 && request["method"].is_string() && request["path"].is_string(), "{mapping}");
            assert!(is_object_or_null(&request["body"]), "{mapping}");
        }
    }
}

/// The document as it is compared: one line for each member of a mapping, in the order of the text.
fn spread(text: &str) -> String {
    text.replace("{\"name\":", "\n  {\"name\":")
        .replace(",\"trigger\":", ",\n    \"trigger\":")
        .replace(",\"fields\":", ",\n    \"fields\":")
        .replace(",\"payload\":", ",\n    \"payload\":")
        .replace(",\"requests\":", ",\n    \"requests\":")
}

#[test]
fn every_event_is_explained_for_people_and_for_scripts() {
    let mut wrong = Vec::new();
    for (event, arguments, code) in EVENTS {
        let page = explained(event, arguments);
        compare(&mut wrong, &format!("{event}.txt"), std::str::from_utf8(&page.stdout).unwrap());
        let document = explained(event, &[arguments, &["--format", "json"]].concat());
        let text = std::str::from_utf8(&document.stdout).unwrap();
        examine(&serde_json::from_str(text).unwrap());
        compare(&mut wrong, &format!("{event}.json"), &spread(text));
        assert_eq!((page.status.code(), document.status.code()), (Some(code), Some(code)), "{event}");
        assert!(page.stderr.is_empty() && document.stderr.is_empty(), "{event}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_door_refuses_is_not_explained() {
    let refused = Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["explain", "intercom.yaml", "--event", "intercom.yaml"])
        .current_dir(folder())
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.starts_with("error: the event would be refused: malformed_json: ") && refused.stdout.is_empty());
}

#[test]
fn requests_are_whole_however_long() {
    let attributes: Map<String, Value> = (0..200).map(|n| (format!("a{n}"), "x".repeat(40).into())).collect();
    let event = serde_json::json!({ "type": "identify", "userId": "u-1", "traits": attributes });
    let directory = tempfile::tempdir().unwrap();
    let (file, path) = (directory.path().join("long.yaml"), directory.path().join("event.json"));
    let mapping = "{ name: All, action: identify_contact, fields: { custom_attributes: $.traits } }";
    fs::write(
        &file,
        format!("destination: intercom\nsettings: {{ region: us, access_token: t }}\nmappings: [{mapping}]\n"),
    )
    .unwrap();
    fs::write(&path, event.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["explain", "--format", "json", "--event"])
        .args([&path, &file])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let body = &document["mappings"][0]["requests"][1]["body"];
    assert_eq!(body["custom_attributes"].as_object().map(Map::len), Some(200));
}

#[test]
fn several_events_are_explained_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    let calls = [r#"{"type":"identify","userId":"u1"}"#, r#"{"type":"identify"}"#, r#"{"type":"page","userId":"u2"}"#];
    fs::write(&path, calls.join("\n")).unwrap();
    let run = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(["explain", "intercom.yaml", "--format", format, "--event"]).arg(&path).current_dir(folder());
        command.output().unwrap()
    };
    let (page, documents) = (run("human"), run("json"));
    let (page_text, refusal) = (String::from_utf8(page.stdout).unwrap(), String::from_utf8(page.stderr).unwrap());
    assert!(page_text.contains("1 of 3: identify · u1") && page_text.contains("3 of 3: page · u2"), "{page_text}");
    assert!(refusal.starts_with("error: event 2 of 3 would be refused: id_required"), "{refusal}");
    let documents = String::from_utf8(documents.stdout).unwrap();
    let matched: Vec<bool> = documents
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["mappings"][0]["matched"] == true)
        .collect();
    assert_eq!((page.status.code(), matched), (Some(1), vec![true, false]));
}

#[test]
fn a_source_that_is_not_taken_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("intercom.yaml");
    let text = fs::read_to_string(folder().join("intercom.yaml")).unwrap();
    fs::write(&file, format!("sources: [website]\n{text}")).unwrap();
    let run = |source: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(["explain", "--format", "json", "--source", source, "--event"]);
        let output = command.arg(folder().join("order.event.json")).arg(&file).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["kept_out"].clone()
    };
    assert_eq!((run("website"), run("backend")), (Value::Null, "source".into()));
}
