//! A session by hand: every kind of action, its answers and its mistakes.

use interline::sandbox::{Effect, Fault, SearchLag, Settings, Status};

use super::{Desk, compare};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_by_hand() {
    let mut desk = Desk::new(Settings::default());
    let intercom = |words: &'static str| -> Vec<&'static str> {
        std::iter::once("intercom").chain(words.split_whitespace()).collect()
    };
    let ann = [
        "intercom",
        "create_contact",
        "--email",
        "ann@example.com",
        "--name",
        "Ann Lee",
        "--custom_attributes",
        "plan=pro",
        "--custom_attributes",
        "seats=5",
    ];
    desk.types(&ann, 0);
    desk.types(&intercom("create_contact --external_id u-2 --email bob@example.com"), 0);
    desk.types(&intercom("list_contacts"), 0);
    desk.types(&intercom("list_contacts --per_page 1"), 0);
    desk.types(&intercom("search_contacts --field email --operator = --value bob@example.com"), 0);
    desk.types(&intercom("create_company --company_id acme --name Acme --dry-run"), 0);
    desk.types(&intercom("create_company --company_id acme --name Acme"), 0);
    desk.types(&intercom("attach_company --company_id acme --email ann@example.com"), 0);
    desk.types(&intercom("list_companies --all"), 0);
    desk.types(&intercom("create_tag --name Beta"), 0);
    desk.types(&intercom("attach_tag --name Beta --external-id u-2"), 0);
    desk.types(&intercom("list_tags --format jsonl"), 0);
    desk.types(&intercom("list_ticket_types"), 0);
    desk.types(&intercom("raw_request --path /tags --format jsonl"), 0);
    desk.types(&intercom("get_contact --email nobody@example.com"), 1);
    desk.types(&intercom("get_contact --emial ann@example.com"), 2);
    desk.types(&intercom("update_contact --external_id u-2 --last_seen_at yesterday"), 1);
    desk.types(&intercom("delete_contact --email ann@example.com"), 2);
    desk.types(&intercom("delete_contact --email ann@example.com --dry-run"), 0);
    desk.types(&intercom("delete_contact --email ann@example.com --yes"), 0);
    desk.types(&intercom("list_tags --destination crn"), 2);
    desk.types(&intercom("list_tags --url http://127.0.0.1:1 --destination crm"), 2);
    desk.compare("session.txt");
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_one_list_in_every_form() {
    let desk = Desk::new(Settings::default());
    for n in 0..7 {
        let id = format!("u-{n}");
        assert_eq!(desk.run(&["intercom", "create_contact", "--external_id", &id]).code, 0);
    }
    let list =
        |format: &str| desk.run(&["intercom", "list_contacts", "--all", "--per_page", "2", "--format", format]).out;
    assert_eq!(list("jsonl").lines().count(), 7);
    let whole: serde_json::Value = serde_json::from_str(&list("json")).unwrap();
    assert_eq!((whole["items"].as_array().map(Vec::len), &whole["next"]), (Some(7), &serde_json::Value::Null));
    assert_eq!(list("table").lines().count(), 8, "a line of heads");
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_says_what_to_do() {
    let mut desk = Desk::new(Settings::default());
    desk.intercom.control().revoke("t");
    let ended = desk.types(&["intercom", "list_tags"], 1);
    assert!(ended.err.contains("interline connect crm"), "{}", ended.err);
    desk.intercom.stop().await;
}

#[test]
fn help_shows_fields_and_an_example() {
    let mut text = String::new();
    for words in [
        &["intercom", "--help"][..],
        &["intercom", "get_contact", "--help"],
        &["intercom", "raw_request", "--help"],
        &["connect", "--help"],
        &["delete-user", "--help"],
        &["deliveries", "list", "--help"],
        &["dead-letters", "--help"],
        &["dead-letters", "retry", "--help"],
        &["dead-letters", "discard", "--help"],
        &["replay", "start", "--help"],
        &["sandbox", "--help"],
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_interline"));
        let output = command.args(words).env_clear().env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success());
        text.push_str(&format!("$ interline {}\n{}\n", words.join(" "), String::from_utf8(output.stdout).unwrap()));
    }
    compare("help.txt", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_whose_making_nobody_heard_of_is_not_made_again_by_hand() {
    let desk = Desk::new(Settings::default());
    desk.intercom.control().change_settings(|settings| settings.search_lag_secs = SearchLag::Secs(600));
    let status = Status { status: 500, commit: true, ..Status::default() };
    desk.intercom.control().fault(Fault::new("POST /contacts", Effect::Status(status)));
    let words = ["intercom", "create_contact", "--role", "lead", "--email", "zz@example.com"];
    let lost = desk.run(&words);
    assert!(lost.code == 1 && lost.err.contains("it may have been done"), "{}", lost.err);
    let again = desk.run(&words);
    assert!(again.code == 1 && again.err.contains("lead_unsettled"), "{}", again.err);
    assert_eq!(desk.intercom.state()["contacts"].as_array().map(Vec::len), Some(1));
    let noted = std::fs::read_to_string(desk.directory.path().join("data/destinations/crm/addresses")).unwrap();
    assert!(!noted.contains("zz@"), "{noted}");
    // Nor is one whose making was answered.
    let words = ["intercom", "create_contact", "--role", "lead", "--email", "yy@example.com"];
    assert_eq!(desk.run(&words).code, 0);
    let again = desk.run(&words);
    assert!(again.code == 1 && again.err.contains("contact_exists"), "{}", again.err);
    desk.intercom.stop().await;
}
