//! Every shape of document, and what is said where there is nothing to import.

use super::*;

const SUBSCRIPTION: &str = r#"{"id":"s","name":"Track","actionId":"a","actionSlug":"trackEvent","enabled":true,"trigger":"type = \"track\"","settings":{"event_name":{"@path":"$.event"},"created_at":{"@path":"$.timestamp"}}}"#;
const TERRAFORM: &str = r#"{"id":"s","name":"Track","action_id":"a","destination_id":"d","enabled":true,"trigger":"type = \"track\"","settings":"{\"event_name\":{\"@path\":\"$.event\"},\"created_at\":{\"@path\":\"$.timestamp\"}}"}"#;

/// The files of a document, each with the number of its mappings.
#[track_caller]
fn check(document: &str, files: &[(&str, usize)]) -> Imported {
    let text = document.replace("SUBSCRIPTION", SUBSCRIPTION).replace("TERRAFORM", TERRAFORM);
    let imported = import(&text, usize::MAX, &|_| None).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let found: Vec<_> = imported.files.iter().map(|file| (file.name.as_str(), file.mappings)).collect();
    assert_eq!(found, files, "{document}");
    imported
}

fn codes(imported: &Imported) -> Vec<&str> {
    imported.warnings.iter().map(|note| note.code).collect()
}

#[test]
fn subscriptions_are_found_in_every_shape_of_the_public_api() {
    let one = [("intercom", 1)];
    check(r#"{"data":{"subscriptions":[SUBSCRIPTION]}}"#, &one);
    check(r#"{"data":{"subscription":SUBSCRIPTION}}"#, &one);
    check(r#"{"subscriptions":[SUBSCRIPTION]}"#, &one);
    check("[SUBSCRIPTION]", &one);
    check("SUBSCRIPTION", &one);
    check(
        r#"{"data":{"destination":{"id":"d","name":"My Intercom","subscriptions":[SUBSCRIPTION]}}}"#,
        &[("my_intercom", 1)],
    );
    check(
        r#"[{"id":"1","name":"Intercom","subscriptions":[SUBSCRIPTION]},{"id":"2","name":"Intercom","subscriptions":[SUBSCRIPTION]}]"#,
        &[("intercom", 1), ("intercom_2", 1)],
    );
}

#[test]
fn subscriptions_are_found_in_every_shape_of_terraform_and_only_once() {
    let resource = r#"{"type":"segment_destination_subscription","name":"x","values":TERRAFORM}"#;
    let module = format!(r#"{{"root_module":{{"child_modules":[{{"resources":[{resource}]}}]}}}}"#);
    let one = [("intercom", 1)];
    check(&format!(r#"{{"values":{module}}}"#), &one);
    let copies = r#""resource_changes":[{"type":"segment_destination_subscription","change":{"after":TERRAFORM}}]"#;
    check(&format!(r#"{{"planned_values":{module},{copies},"prior_state":{{"values":{module}}}}}"#), &one);
    let raw = r#"{"version":4,"resources":[{"type":"segment_destination_subscription","instances":[{"attributes":TERRAFORM}]}]}"#;
    check(raw, &one);
    check(r#"{"resource":{"segment_destination_subscription":{"x":[TERRAFORM]}}}"#, &one);
}

#[test]
fn an_action_is_known_by_its_name_by_the_catalogue_or_by_its_fields() {
    let known = r#"{"destination":{"id":"d","name":"Intercom","metadata":{"slug":"intercom","actions":[{"id":"a","slug":"trackEvent"}],"presets":[{"actionId":"a","trigger":"x"}]}},"subscriptions":[TERRAFORM]}"#;
    assert_eq!(codes(&check(known, &[("intercom", 1)])), [""; 0]);
    assert_eq!(codes(&check("[TERRAFORM]", &[("intercom", 1)])), ["action_inferred"]);
    let unknown = r#"[SUBSCRIPTION,{"name":"x","actionId":"b","trigger":"type = \"track\"","settings":{}}]"#;
    assert_eq!(codes(&check(unknown, &[("intercom", 1)])), ["action_unknown"]);
}

#[test]
fn more_mappings_than_a_file_holds_make_a_second_file() {
    let many = vec!["SUBSCRIPTION"; MAPPINGS_MAX + 1].join(",");
    let imported = check(&format!("[{many}]"), &[("intercom", MAPPINGS_MAX), ("intercom_2", 1)]);
    let renamed = codes(&imported).into_iter().filter(|code| *code == "name_changed").count();
    assert_eq!(renamed, MAPPINGS_MAX);
}

#[test]
fn a_further_page_is_asked_for() {
    let page = r#"{"data":{"subscriptions":[SUBSCRIPTION],"pagination":{"current":"a","next":"b"}}}"#;
    assert_eq!(codes(&check(page, &[("intercom", 1)])), ["more_pages"]);
}

#[test]
fn settings_that_are_no_json_switch_the_mapping_off() {
    let text =
        r#"[{"name":"Track","actionSlug":"trackEvent","trigger":"type = \"track\"","settings":"jsonencode({})"}]"#;
    let imported = check(text, &[("intercom", 1)]);
    assert!(codes(&imported).contains(&"settings_unreadable"), "{:?}", codes(&imported));
    assert!(imported.files[0].text.contains("    enabled: false\n"));
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let why = import(text, usize::MAX, &|_| None).unwrap_err();
    assert!(why.contains(part), "{why}");
}

#[test]
fn where_there_is_nothing_to_import_the_way_to_it_is_told() {
    refused("resource \"segment_destination_subscription\" \"x\" {\n}", "terraform show -json");
    refused("{", "this is not JSON");
    refused(r#"[{"name":"a\u0000"}]"#, "this JSON is not taken: text contains the character U+0000");
    refused(r#"[{"name":1,"name":2}]"#, "this JSON is not taken");
    refused(r#"{"data":{"sources":[]}}"#, "this document of `data`");
    refused("[]", "GET /destinations/{id}/subscriptions");
}

#[test]
fn a_mapping_that_never_runs_at_segment_is_switched_off() {
    for (trigger, why) in [
        (r#","trigger":"""#, "its trigger is empty"),
        (r#","trigger":"  ""#, "its trigger is empty"),
        (r#","trigger":null"#, "its trigger is null"),
        (r#","trigger":5"#, "its trigger is no text but 5"),
        ("", "it has no trigger"),
    ] {
        let text = format!(r#"[{{"name":"Track","actionSlug":"trackEvent","settings":{{}}{trigger}}}]"#);
        let imported = check(&text, &[("intercom", 1)]);
        let note = imported.warnings.iter().find(|note| note.code == "trigger_missing").expect("it is said");
        assert!(note.message.starts_with(why), "{}", note.message);
        assert!(imported.files[0].text.contains("    enabled: false\n"), "{}", imported.files[0].text);
    }
}

#[test]
fn names_that_cannot_be_seen_are_made_up() {
    for name in [" ", r"\u0085", r"\u2028", r"\u200b"] {
        let text = format!(r#"[{}]"#, SUBSCRIPTION.replace(r#""name":"Track""#, &format!(r#""name":"{name}""#)));
        let imported = check(&text, &[("intercom", 1)]);
        assert_eq!(codes(&imported), ["name_made"], "{name}");
        assert!(imported.files[0].text.contains("  - name: track_event\n"), "{}", imported.files[0].text);
    }
}

/// What the engine refuses without a place: the part that is to blame is found, and the rest is written.
#[test]
fn what_is_too_deep_or_too_large_stands_as_a_comment() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60));
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000_000));
    for value in [deep, large] {
        let one = SUBSCRIPTION.replace(r#""settings":{"#, &format!(r#""settings":{{"metadata":{value},"#));
        let imported = check(&format!("[SUBSCRIPTION,{one}]"), &[("intercom", 2)]);
        assert!(codes(&imported).contains(&"expression_refused"), "{:?}", codes(&imported));
        assert!(imported.files[0].text.len() < 20_000);
    }
}

#[test]
fn several_files_are_refused_before_they_are_made() {
    let two = r#"[{"id":"1","name":"Intercom","subscriptions":[SUBSCRIPTION]},{"id":"2","name":"Intercom","subscriptions":[SUBSCRIPTION]}]"#;
    let why = import(&two.replace("SUBSCRIPTION", SUBSCRIPTION), 1, &|_| panic!("nothing is made")).unwrap_err();
    assert!(why.contains("makes 2 destination files (intercom, intercom_2)"), "{why}");
}
