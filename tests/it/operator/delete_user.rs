//! Deleting a person, from the command line and with everything that waits.

use interline::sandbox::{Effect, Fault, Seed, Settings};
use serde_json::{Value, json};

use super::Desk;

fn seed(desk: &Desk) {
    let contacts = json!([
        {"external_id": "u-1", "email": "Ann@example.com", "name": "Ann"},
        {"role": "lead", "email": "ann@example.com"},
        {"external_id": "u-2", "email": "bob@example.com"},
    ]);
    let contacts = serde_json::from_value(contacts).unwrap();
    desk.intercom.control().seed(Seed { contacts, ..Seed::default() }).unwrap();
}

fn left(desk: &Desk) -> Vec<String> {
    let state = desk.intercom.state();
    let contacts = state["contacts"].as_array().unwrap().iter();
    contacts.map(|contact| contact["email"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_deleted_by_every_name_and_a_receipt_is_printed() {
    let mut desk = Desk::new(Settings::default());
    seed(&desk);
    desk.types(&["delete-user"], 2);
    desk.types(&["delete-user", "--contact-id", "x"], 2);
    desk.types(&["delete-user", "--user-id", "u-1", "--email", "ANN@example.com", "--dry-run"], 0);
    assert_eq!(left(&desk).len(), 3);
    desk.types(&["delete-user", "--user-id", "u-1"], 2);
    desk.types(&["delete-user", "--user-id", "u-1", "--email", "ann@example.com", "--suppress", "--yes"], 0);
    assert_eq!(left(&desk), ["bob@example.com"]);
    desk.types(&["delete-user", "--user-id", "u-1", "--yes"], 1);
    desk.types(&["delete-user", "--user-id", "u-1", "--destination", "crn", "--yes"], 2);
    desk.compare("delete_user.txt");
    let ended = desk.run(&["delete-user", "--user-id", "u-2", "--yes", "--format", "json"]);
    let receipt: Value = serde_json::from_str(&ended.out).unwrap();
    let contact = &receipt["destinations"][0][1]["contacts"][0];
    assert_eq!((&contact["external_id"], &contact["verified"]), (&json!("u-2"), &json!(true)));
    assert_eq!((&receipt["done"], &receipt["queue"]["events"]), (&json!(true), &json!(0)));
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_or_is_still_there_is_not_called_done() {
    let desk = Desk::new(Settings::default());
    seed(&desk);
    desk.intercom.control().fault(Fault { count: 0, ..Fault::new("DELETE /contacts/{id}", Effect::status(503)) });
    let ended = desk.run(&["delete-user", "--user-id", "u-1", "--yes"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("NOT done") && ended.out.contains("FAILED"), "{}", ended.out);
    desk.intercom.control().clear_faults();
    desk.intercom.control().fault(Fault { count: 0, ..Fault::new("DELETE /contacts/{id}", Effect::Pretend) });
    let ended = desk.run(&["delete-user", "--user-id", "u-1", "--yes"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("still_there"), "{}", ended.out);
    desk.intercom.control().clear_faults();
    assert_eq!(desk.run(&["delete-user", "--user-id", "u-1", "--yes"]).code, 0);
    assert_eq!(left(&desk).len(), 2);
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_contact_is_deleted_by_its_id() {
    let desk = Desk::new(Settings::default());
    let contacts = serde_json::from_value(json!([{"external_id": "u-9", "archived": true}])).unwrap();
    let ids = desk.intercom.control().seed(Seed { contacts, ..Seed::default() }).unwrap();
    let id = ids["contacts"][0].as_str().unwrap();
    let ended = desk.run(&["delete-user", "--contact-id", id, "--destination", "crm", "--yes"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(left(&desk).is_empty());
    desk.intercom.stop().await;
}
