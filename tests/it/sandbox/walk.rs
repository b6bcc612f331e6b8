//! Every endpoint once, and every line of the journal on the way against the shapes of the API.

use std::fs;
use std::path::{Path, PathBuf};

use interline::sandbox::{Expectation, Sandbox, Settings, UnknownAttributes};
use serde_json::{Value, json};

use super::{Desk, START, shapes, text};
use crate::support::journal;

/// Where the lines go: to the folder that the environment names for a checker of the published description, else to one
/// that is removed.
fn journals(temporary: &Path) -> (PathBuf, PathBuf) {
    let file = |what| journal(what).unwrap_or_else(|| temporary.join(what));
    let (requests, replies) = (file("walk-requests"), file("walk-replies"));
    for file in [&requests, &replies] {
        drop(fs::remove_file(file));
    }
    (requests, replies)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a journal");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[tokio::test]
async fn every_endpoint_answers_and_every_line_of_the_journal_has_its_shape() {
    let temporary = tempfile::tempdir().expect("a folder");
    let (requests, replies) = journals(temporary.path());
    let settings = Settings {
        journal: Some(requests.clone()),
        journal_replies: Some(replies.clone()),
        company_deletion_secs: 0,
        unknown_attributes: UnknownAttributes::Accept,
        ..Settings::default()
    };
    let desk = Desk::start(settings);
    walk(&desk).await;
    for (method, path) in Sandbox::endpoints() {
        let on = Some(format!("{method} {path}"));
        assert_ne!(desk.running.control().count(&Expectation { on, ..Expectation::default() }), 0, "{method} {path}");
    }
    for line in lines(&requests) {
        shapes::check_request(&line);
    }
    let mut expected = Vec::new();
    for line in lines(&replies) {
        let by_company_id = line["path"] == "/companies?company_id=c1";
        let wanted = match line["response"].as_u64() {
            Some(200 | 202) if by_company_id => "invalid",
            Some(200 | 202) => "valid",
            _ => line["expect"].as_str().expect("an expectation"),
        };
        assert_eq!(line["expect"], wanted, "{line}");
        expected.push(wanted.to_owned());
        shapes::check_reply(&line);
    }
    for verdict in ["valid", "invalid", "no-operation"] {
        assert!(expected.iter().any(|expected| expected == verdict), "no reply is {verdict}");
    }
    desk.running.stop().await;
}

/// What the steps of the walk need to know of each other.
struct Ids {
    user: String,
    lead: String,
    company: String,
    tag: String,
}

async fn walk(desk: &Desk) {
    let lead = json!({"role": "lead", "email": "a@b.c", "name": "Ann"});
    let full = json!({"company_id": "c1", "name": "Ant", "plan": "pro", "size": 7, "website": "https://a.b", "industry": "toys",
        "monthly_spend": 5, "remote_created_at": 6, "update_last_request_at": true, "custom_attributes": {"tier": "gold", "seats": 5}});
    let ids = Ids {
        user: desk.user("u1", "a@b.c").await,
        lead: text(&desk.ok("POST", "/contacts", lead).await["id"]),
        company: text(&desk.ok("POST", "/companies", full).await["id"]),
        tag: text(&desk.ok("POST", "/tags", json!({"name": "Beta"})).await["id"]),
    };
    desk.user("u2", "b@b.c").await;
    desk.running.control().converge();
    people(desk, &ids).await;
    attributes(desk).await;
    tickets(desk, &ids).await;
    ends(desk, &ids).await;
}

async fn people(desk: &Desk, Ids { user, company, tag, .. }: &Ids) {
    let contact = format!("/contacts/{user}");
    let everything = json!({"name": "Ann", "phone": "1", "avatar": "https://a/b.png", "signed_up_at": 5, "last_seen_at": 6,
        "owner_id": "1", "unsubscribed_from_emails": true, "custom_attributes": {"plan": "pro", "seats": 5, "gone": null}});
    let search = json!({"query": {"field": "role", "operator": "=", "value": "user"}, "pagination": {"per_page": 1},
        "sort": {"field": "created_at", "order": "ascending"}});
    let metadata = json!({"plan": "pro", "seats": 5, "price": {"amount": 1999, "currency": "usd"}, "page": {"url": "https://a", "value": "A"}});
    for (method, path, body) in [
        ("GET", "/me".to_owned(), Value::Null),
        ("GET", "/admins".to_owned(), Value::Null),
        ("PUT", contact.clone(), everything),
        ("POST", format!("{contact}/companies"), json!({"id": company})),
        ("GET", format!("{contact}/companies"), Value::Null),
        ("POST", format!("{contact}/tags"), json!({"id": tag})),
        ("GET", format!("{contact}/tags"), Value::Null),
        ("POST", "/tags".to_owned(), json!({"name": "Beta", "users": [{"id": user}, {"id": "x"}]})),
        ("POST", "/tags".to_owned(), json!({"name": "Beta", "companies": [{"company_id": "c1"}]})),
        ("POST", "/tags".to_owned(), json!({"name": "Beta", "companies": [{"id": company, "untag": true}]})),
        ("POST", "/tags".to_owned(), json!({"id": tag, "name": "Gamma"})),
        ("GET", "/tags".to_owned(), Value::Null),
        ("GET", format!("/tags/{tag}"), Value::Null),
        ("GET", format!("{contact}?include_merge_history=true"), Value::Null),
        ("GET", "/contacts/find_by_external_id/u1".to_owned(), Value::Null),
        ("GET", "/contacts?per_page=1".to_owned(), Value::Null),
        ("POST", "/contacts/search".to_owned(), search),
        (
            "POST",
            "/events".to_owned(),
            json!({"event_name": "e", "created_at": START, "id": user, "metadata": metadata}),
        ),
        ("GET", "/events?type=user&user_id=u1".to_owned(), Value::Null),
        ("GET", "/companies".to_owned(), Value::Null),
        ("GET", "/companies?company_id=c1".to_owned(), Value::Null),
        ("POST", "/companies/list?page=1&per_page=5".to_owned(), Value::Null),
        ("GET", "/companies/scroll".to_owned(), Value::Null),
        ("GET", format!("/companies/{company}"), Value::Null),
        ("GET", format!("/companies/{company}/contacts"), Value::Null),
        ("PUT", format!("/companies/{company}"), json!({"name": "Bee"})),
    ] {
        desk.ok(method, &path, body).await;
    }
    let (status, _) = desk.ask("GET", "/contacts/find_by_external_id/nobody", Value::Null).await;
    assert_eq!(status, 404);
    assert_eq!(desk.ask("POST", "/contacts", json!({"external_id": "u1"})).await.0, 409);
}

async fn attributes(desk: &Desk) {
    let list = json!({"name": "list", "model": "contact", "data_type": "options", "options": [{"value": "a"}, {"value": "b"}]});
    desk.ok("GET", "/data_attributes?model=contact", Value::Null).await;
    let made = desk.ok("POST", "/data_attributes", list).await;
    let path = format!("/data_attributes/{}", made["id"]);
    desk.ok("PUT", &path, json!({"description": "One of two", "options": [{"value": "a"}, {"value": "c"}]})).await;
    desk.ok("PUT", &path, json!({"archived": true})).await;
    desk.ok("GET", "/data_attributes?include_archived=true", Value::Null).await;
}

async fn tickets(desk: &Desk, Ids { user, company, .. }: &Ids) {
    desk.ok("GET", "/ticket_types", Value::Null).await;
    let kind = json!({"name": "Bug", "description": "What is broken", "category": "Customer", "icon": "🐞"});
    let kind = text(&desk.ok("POST", "/ticket_types", kind).await["id"]);
    let list = json!({"name": "severity", "description": "How bad", "data_type": "list", "list_items": "low,high"});
    let severity = desk.ok("POST", &format!("/ticket_types/{kind}/attributes"), list).await;
    let severity = severity["input_options"]["list_options"][0]["id"].clone();
    desk.ok("GET", &format!("/ticket_types/{kind}"), Value::Null).await;
    let ticket = json!({"ticket_type_id": kind, "contacts": [{"id": user}], "company_id": company, "created_at": START,
        "ticket_attributes": {"_default_title_": "Broken", "severity": severity},
        "assignment": {"admin_assignee_id": "1"}, "skip_notifications": true});
    let ticket = text(&desk.ok("POST", "/tickets", ticket).await["id"]);
    desk.ok("GET", &format!("/tickets/{ticket}"), Value::Null).await;
    let query = json!({ "query": { "field": "ticket_type_id", "operator": "=", "value": "1" } });
    desk.ok("POST", "/tickets/search", query).await;
    let queued = json!({"ticket_type_id": kind, "contacts": [{"email": "new@b.c"}]});
    let job = text(&desk.ok("POST", "/tickets/enqueue", queued).await["id"]);
    desk.running.control().advance(1);
    desk.ok("GET", &format!("/jobs/status/{job}"), Value::Null).await;
    assert_eq!(desk.ask("GET", "/jobs/status/1", Value::Null).await.0, 404);
    desk.ok("DELETE", &format!("/tickets/{ticket}"), Value::Null).await;
}

async fn ends(desk: &Desk, Ids { user, lead, company, tag }: &Ids) {
    let contact = format!("/contacts/{user}");
    for (method, path, body) in [
        ("DELETE", format!("{contact}/tags/{tag}"), Value::Null),
        ("DELETE", format!("{contact}/companies/{company}"), Value::Null),
        ("POST", "/contacts/merge?include_merge_history=true".to_owned(), json!({"from": lead, "into": user})),
        ("GET", format!("{contact}/merge_history"), Value::Null),
        ("POST", format!("{contact}/archive"), Value::Null),
        ("POST", format!("{contact}/unarchive"), Value::Null),
        ("DELETE", contact.clone(), Value::Null),
        ("DELETE", format!("/companies/{company}"), Value::Null),
        ("DELETE", format!("/tags/{tag}"), Value::Null),
    ] {
        desk.ok(method, &path, body).await;
    }
    for (path, status) in [(format!("/contacts/{lead}"), 410), (contact, 404), (format!("/companies/{company}"), 404)] {
        assert_eq!(desk.ask("GET", &path, Value::Null).await.0, status, "{path}");
    }
}
