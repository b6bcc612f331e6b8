//! What a client of Intercom must come through, against the stand-in: many at once, a search that never catches up, calls in
//! the wrong order, contacts in the archive, a rate limit, regions. What takes the whole service is in `corridor`:
//! `an_event_that_was_taken_before_a_crash_is_there_once`, `a_refused_token_pauses_everything_and_burns_no_attempt`,
//! `a_call_becomes_a_contact_a_company_and_an_event` (metadata of more than ten keys). What one action does with one reply is
//! in the cases.

mod companies;
mod faults;
mod order;
mod pace;
mod passed;
mod people;
mod queued;
mod restart;
mod resume;
mod table;
mod too_early;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use interline::action::{Kind, Outcome};
use interline::delivery::Steps;
use interline::destination::{self, Context, Destination, Performed, intercom};
use interline::json::Json;
use interline::metrics::Metrics;
use interline::sandbox::{Effect, Fault, Region, Running, Sandbox, SearchLag, Seed, Settings, Status};
use interline::yaml::{Lookup, Missing};
use serde_json::{Value, json};

use crate::support::now;

/// Deliveries at once: as many as the connections that bring them.
const WORKERS: usize = 16;
const PEOPLE: usize = 200;
const CALLS: usize = 1_000;

struct Workspace {
    running: Running,
    intercom: Box<dyn Destination>,
}

impl Workspace {
    async fn new(lag: SearchLag) -> Workspace {
        let settings = Settings { search_lag_secs: lag, rate_limit_per_10s: 1_000_000_000, ..Settings::default() };
        let running = Sandbox::start(settings, TcpListener::bind("127.0.0.1:0").unwrap(), now).unwrap();
        let intercom = connect(running.url());
        Workspace { running, intercom }
    }

    async fn perform(&self, action: &str, payload: &Value, steps: &Steps) -> Performed {
        self.intercom.perform(action, payload.to_string().as_bytes(), steps).await
    }

    /// Performs an action as the router does: again, with what was finished, as long as that may help.
    async fn deliver(&self, action: &str, payload: &Value) {
        let mut steps = Steps::new();
        for _ in 0..20 {
            let performed = self.perform(action, payload, &steps).await;
            steps.extend(performed.steps);
            match performed.result {
                Ok(_) => return,
                Err(failure) if matches!(failure.kind, Kind::Unavailable | Kind::Unknown) => {}
                Err(failure) => panic!("{action} {payload}: {failure}"),
            }
        }
        panic!("{action} {payload}: not delivered in 20 attempts");
    }

    /// Brings payloads, so many at once.
    async fn deliver_all(&self, action: &str, payloads: &[Value]) {
        let next = AtomicUsize::new(0);
        let worker = || async {
            while let Some(payload) = payloads.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.deliver(action, payload).await;
            }
        };
        join_all((0..WORKERS).map(|_| worker())).await;
    }

    fn held(&self, list: &str) -> Vec<Value> {
        self.running.state()[list].as_array().cloned().unwrap_or_default()
    }

    fn asked(&self, method: &str, path: &str) -> usize {
        let journal = self.running.journal();
        let entries = journal.as_array().expect("the journal is a list");
        let is_it = |entry: &&Value| {
            entry["method"] == method
                && entry["path"].as_str().is_some_and(|asked| asked.split('?').next() == Some(path))
        };
        entries.iter().filter(is_it).count()
    }
}

fn connect(url: &str) -> Box<dyn Destination> {
    let settings: intercom::Settings =
        serde_json::from_value(json!({ "base_url": url, "access_token": "token" })).unwrap();
    let context = Context { name: "crm".into(), metrics: Metrics::new(), clock: Arc::new(now), memory: None };
    Box::new(intercom::build(settings, context).unwrap())
}

/// 1,000 calls about 200 people, in an order in which one person's calls meet.
fn calls(payload: impl Fn(usize, usize) -> Value) -> Vec<Value> {
    (0..CALLS).map(|call| payload(call * PEOPLE / CALLS, call)).collect()
}

fn user(person: usize, call: usize) -> Value {
    json!({ "role": "user", "external_id": format!("u-{person}"), "email": format!("p{person}@example.com"), "name": format!("{call}") })
}

fn lead(person: usize, call: usize) -> Value {
    json!({ "role": "lead", "email": format!("p{person}@example.com"), "name": format!("{call}") })
}

#[tokio::test]
async fn a_thousand_calls_about_two_hundred_people_are_two_hundred_contacts() {
    let workspace = Workspace::new(SearchLag::NEVER).await;
    workspace.deliver_all("identify_contact", &calls(user)).await;
    assert_eq!(workspace.held("contacts").len(), PEOPLE);
    assert_eq!(workspace.asked("POST", "/contacts"), PEOPLE, "nobody is asked for twice");
    workspace.running.stop().await;
}

#[tokio::test]
async fn the_same_without_the_direct_look_up() {
    let workspace = Workspace::new(SearchLag::NEVER).await;
    let control = workspace.running.control();
    let down = Effect::Status(Status { status: 503, ..Status::default() });
    control.fault(Fault { count: 0, ..Fault::new("GET /contacts/find_by_external_id/{id}", down) });
    workspace.deliver_all("identify_contact", &calls(user)).await;
    assert_eq!(workspace.held("contacts").len(), PEOPLE);
    // Another instance knows nobody, and is told by the conflicts.
    let other = Workspace { intercom: connect(workspace.running.url()), ..workspace };
    other.deliver_all("identify_contact", &calls(user)).await;
    assert_eq!(other.held("contacts").len(), PEOPLE);
    other.running.stop().await;
}

#[tokio::test]
async fn a_thousand_calls_about_two_hundred_leads_are_two_hundred_contacts() {
    let workspace = Workspace::new(SearchLag::NEVER).await;
    workspace.deliver_all("identify_contact", &calls(lead)).await;
    let contacts = workspace.held("contacts");
    assert_eq!(contacts.len(), PEOPLE);
    assert!(contacts.iter().all(|contact| contact["role"] == "lead"));
    // Then all of them sign up, with the same search that never catches up.
    workspace.deliver_all("identify_contact", &calls(user)).await;
    let contacts = workspace.held("contacts");
    assert_eq!(contacts.len(), PEOPLE);
    assert!(contacts.iter().all(|contact| contact["role"] == "user"));
    workspace.running.stop().await;
}

#[tokio::test]
async fn what_comes_before_its_contact_converges() {
    let workspace = Workspace::new(SearchLag::NEVER).await;
    let group = json!({ "company_id": "g-1", "name": "Acme", "external_id": "u-1" });
    let event = json!({ "event_name": "Signed Up", "created_at": 1_767_225_600, "user_id": "u-1" });
    let early = workspace.perform("identify_company", &group, &Steps::new()).await;
    let track = workspace.perform("track_event", &event, &Steps::new()).await;
    for performed in [&early, &track] {
        let failure = performed.result.as_ref().unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Kind::TooEarly, "contact_not_found"));
    }
    workspace.deliver("identify_contact", &json!({ "role": "user", "external_id": "u-1" })).await;
    let linked = workspace.perform("identify_company", &group, &early.steps).await;
    assert!(matches!(linked.result, Ok(Outcome::Delivered(_))), "{:?}", linked.result);
    workspace.deliver("track_event", &event).await;
    assert_eq!((workspace.held("companies").len(), workspace.held("events").len()), (1, 1));
    assert_eq!(workspace.held("contacts")[0]["company_ids"], json!(["g-1"]));
    assert_eq!(workspace.asked("POST", "/companies"), 1, "the company is not written again");
    workspace.running.stop().await;
}

#[tokio::test]
async fn an_archived_contact_is_taken_out_once_and_updated_once() {
    let workspace = Workspace::new(SearchLag::Secs(0)).await;
    let seed: Seed =
        serde_json::from_value(json!({ "contacts": [{ "external_id": "u-1", "archived": true }] })).unwrap();
    workspace.running.control().seed(seed).unwrap();
    workspace.deliver("identify_contact", &user(1, 1)).await;
    let id = workspace.held("contacts")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(workspace.asked("POST", &format!("/contacts/{id}/unarchive")), 1);
    assert_eq!(workspace.asked("PUT", &format!("/contacts/{id}")), 1);
    assert_eq!(workspace.held("contacts").len(), 1);
    workspace.running.stop().await;
}

#[tokio::test]
async fn who_shares_an_address_stays_apart_while_the_search_lags() {
    for is_known in [false, true] {
        let workspace = Workspace::new(SearchLag::NEVER).await;
        let control = workspace.running.control();
        workspace
            .deliver("identify_contact", &json!({ "role": "lead", "email": "s@example.com", "name": "Lead" }))
            .await;
        control.converge();
        if is_known {
            workspace
                .deliver("identify_contact", &json!({ "role": "user", "external_id": "u-1", "name": "One" }))
                .await;
        }
        for (id, name) in [("u-1", "One"), ("u-2", "Two")] {
            let who = json!({ "role": "user", "external_id": id, "email": "s@example.com", "name": name });
            workspace.deliver("identify_contact", &who).await;
        }
        let contacts = workspace.held("contacts");
        let there = contacts.iter().filter(|contact| contact["merged_into"].is_null());
        let mut people: Vec<(&str, &str)> = there
            .map(|contact| (contact["external_id"].as_str().unwrap_or("-"), contact["name"].as_str().unwrap_or("-")))
            .collect();
        people.sort_unstable();
        assert_eq!(people, [("u-1", "One"), ("u-2", "Two")], "known before: {is_known}");
        workspace.running.stop().await;
    }
}

#[tokio::test]
async fn each_call_costs_as_few_requests_as_it_can() {
    let workspace = Workspace::new(SearchLag::Secs(0)).await;
    let requests = async |action: &str, payload: Value| {
        let performed = workspace.perform(action, &payload, &Steps::new()).await;
        assert!(performed.result.is_ok(), "{action}: {:?}", performed.result);
        performed.exchanges.len()
    };
    let person = json!({ "role": "user", "external_id": "u-1", "email": "a@example.com", "name": "A" });
    let lead = json!({ "role": "lead", "email": "b@example.com", "name": "B" });
    let group = json!({ "company_id": "g-1", "name": "Acme", "external_id": "u-1" });
    let event = json!({ "event_name": "Signed Up", "created_at": 1_767_225_600, "user_id": "u-1" });
    let by_email = json!({ "event_name": "Signed Up", "created_at": 1_767_225_600, "email": "b@example.com" });
    for (action, payload, first, again) in [
        // Looked up by external id and by address, and made.
        ("identify_contact", &person, 3, 0),
        ("identify_contact", &lead, 2, 0),
        // The company, and the link.
        ("identify_company", &group, 2, 0),
        ("track_event", &event, 1, 1),
        // A lead is addressed by its Intercom id, which is known.
        ("track_event", &by_email, 1, 1),
    ] {
        assert_eq!(requests(action, payload.clone()).await, first, "{action}, first seen");
        assert_eq!(requests(action, payload.clone()).await, again, "{action}, nothing new");
    }
    for (action, payload) in [("identify_contact", person), ("identify_contact", lead), ("identify_company", group)] {
        let mut payload = payload;
        payload["name"] = "Another".into();
        assert_eq!(requests(action, payload).await, 1, "{action}, known");
    }
    // A cold instance finds who is there in one request.
    let cold = connect(workspace.running.url());
    let payload = json!({ "role": "user", "external_id": "u-1", "email": "a@example.com", "name": "A2" });
    let performed = cold.perform("identify_contact", payload.to_string().as_bytes(), &Steps::new()).await;
    assert_eq!(performed.exchanges.len(), 2);
    workspace.running.stop().await;
}

#[tokio::test]
async fn a_connection_talks_to_its_own_host_alone() {
    let (eu, us) = (Workspace::new(SearchLag::Secs(0)).await, Workspace::new(SearchLag::Secs(0)).await);
    let elsewhere = us.running.url().to_owned();
    for payload in [
        json!({ "path": format!("{elsewhere}/contacts") }),
        json!({ "path": format!("//{}/contacts", elsewhere.trim_start_matches("http://")) }),
        json!({ "path": "/../contacts" }),
        json!({ "path": "/contacts", "headers": { "Host": "evil.example" } }),
        json!({ "path": "/contacts", "headers": { "Authorization": "Bearer other" } }),
    ] {
        let failure = eu.perform("raw_request", &payload, &Steps::new()).await.result.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Kind::Rejected, "request_refused"), "{payload}");
    }
    assert_eq!(eu.running.journal().as_array().unwrap().len(), 0, "nothing was sent at all");
    eu.deliver("identify_contact", &user(1, 1)).await;
    eu.deliver("raw_request", &json!({ "path": "/me" })).await;
    assert_eq!(us.running.journal().as_array().unwrap().len(), 0);
    assert_eq!(eu.asked("GET", "/me"), 1);
    eu.running.stop().await;
    us.running.stop().await;
}

#[tokio::test]
async fn a_connection_to_one_region_never_asks_another() {
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let regions = [Region::Us, Region::Eu, Region::Au];
    let regional = regions.iter().map(|region| (*region, listener())).collect();
    let settings = Settings { search_lag_secs: SearchLag::Secs(0), region: Region::Eu, ..Settings::default() };
    let running = Sandbox::start_with_regions(settings, listener(), regional, now).unwrap();
    let intercom = connect(running.url_in(Region::Eu).unwrap());
    let workspace = Workspace { running, intercom };
    workspace.deliver("identify_contact", &user(1, 1)).await;
    workspace.deliver("identify_company", &json!({ "company_id": "g-1", "name": "Acme", "external_id": "u-1" })).await;
    let event = json!({ "event_name": "Signed Up", "created_at": 1_767_225_600, "user_id": "u-1" });
    workspace.deliver("track_event", &event).await;
    workspace.deliver("raw_request", &json!({ "path": "/me" })).await;
    assert!(workspace.intercom.probe().await.is_ok());
    let journal = workspace.running.journal();
    let asked: Vec<&Value> = journal.as_array().unwrap().iter().map(|entry| &entry["region"]).collect();
    assert!(asked.len() >= 7 && asked.iter().all(|region| **region == "eu"), "{asked:?}");
    workspace.running.stop().await;
}

/// A shipped destination file, as it would run against the workspace.
fn shipped(file: &str) -> interline::mapping::Mappings {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lookup = Lookup {
        environment: &|_| Some("token".to_owned()),
        file: &|path| Err(path.to_owned()),
        missing: Missing::Refused,
    };
    destination::compile(&text, file, None, lookup).unwrap().mappings
}

#[tokio::test]
async fn a_hundred_visits_of_a_clearview_visitor_are_one_company_and_one_lead() {
    let workspace = Workspace::new(SearchLag::NEVER).await;
    let seed = json!({ "data_attributes": [
        { "name": "clearview_lead_score", "model": "company", "data_type": "integer" },
        { "name": "first_seen", "model": "company", "data_type": "date" },
        { "name": "clearview_source", "model": "contact", "data_type": "boolean" },
    ] });
    workspace.running.control().seed(serde_json::from_value(seed).unwrap()).unwrap();
    let mappings = shipped("clearview.yaml");
    for visit in 0..100 {
        let event = json!({
            "type": "track", "anonymousId": format!("v-{visit}"), "event": "company.identified",
            "timestamp": "2026-01-02T00:00:00Z",
            "properties": {
                "name": "Acme", "domain": "acme.example", "industry": "Tools", "email": "Ann@acme.example",
                "lead_score": visit.to_string(), "page_views": visit, "first_seen": "2026-01-01T00:00:00Z",
                "tags": ["clearview", "hot"],
            },
        });
        let text = event.to_string();
        let event = interline::json::parse(text.as_bytes()).unwrap();
        for mapping in mappings.matching(&event) {
            let payload = Json::Object(mapping.payload(&event).unwrap().object).to_string();
            workspace.deliver(mapping.action.name, &serde_json::from_str(&payload).unwrap()).await;
        }
    }
    let (companies, contacts) = (workspace.held("companies"), workspace.held("contacts"));
    assert_eq!((companies.len(), contacts.len()), (1, 1));
    let company = &companies[0];
    assert_eq!((&company["company_id"], &company["website"]), (&json!("acme.example"), &json!("https://acme.example")));
    let attributes = json!({ "clearview_lead_score": 99, "first_seen": 1_767_225_600 });
    assert_eq!((&company["custom_attributes"], &company["tag_names"]), (&attributes, &json!(["clearview", "hot"])));
    let lead = &contacts[0];
    assert_eq!((&lead["role"], &lead["company_ids"]), (&json!("lead"), &json!(["acme.example"])));
    assert_eq!(lead["custom_attributes"], json!({ "clearview_source": true }));
    workspace.running.stop().await;
}
