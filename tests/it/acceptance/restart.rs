//! What one process wrote a moment before it ended, the next one must know, because the search does not: each history ends
//! the first process after its first call. And what is concluded, and when, from a search that shows nobody.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use interline::action::{Kind, Outcome};
use interline::app::memory::Folder;
use interline::delivery::Steps;
use interline::destination::{Before, Context, Destination, Memory, Performed, intercom};
use interline::instant::Timestamp;
use interline::metrics::Metrics;
use interline::sandbox::{Running, Sandbox, SearchLag, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{self, NoNotes};

/// A workspace whose search never catches up, with a router that can be started again.
pub struct Desk {
    pub running: Running,
    time: Arc<AtomicI64>,
    directory: TempDir,
    intercom: Box<dyn Destination>,
}

impl Desk {
    pub fn new() -> Desk {
        let time = Arc::new(AtomicI64::new(0));
        let settings =
            Settings { search_lag_secs: SearchLag::NEVER, rate_limit_per_10s: 1_000_000_000, ..Settings::default() };
        let running = Sandbox::start(settings, TcpListener::bind("127.0.0.1:0").unwrap(), clock(&time)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let intercom = build(running.url(), directory.path(), &time);
        Desk { running, time, directory, intercom }
    }

    /// The process ends, and another one starts.
    pub fn restart(&mut self) {
        self.intercom = build(self.running.url(), self.directory.path(), &self.time);
    }

    pub fn wait(&self, secs: i64) {
        self.time.fetch_add(secs, Ordering::Relaxed);
    }

    async fn attempt(&self, action: &str, payload: &Value, steps: &Steps) -> Performed {
        let before = Before { steps, notes: Arc::new(NoNotes), waited_out: false, follows: false };
        self.intercom.perform_owed(action, payload.to_string().as_bytes(), before).await
    }

    async fn deliver(&self, action: &str, payload: Value) -> Performed {
        let performed = self.attempt(action, &payload, &Steps::new()).await;
        assert!(performed.result.is_ok(), "{action} {payload}: {:?}", performed.result);
        performed
    }

    fn file(&self) -> String {
        Folder::of(self.directory.path(), "crm").recall("addresses").unwrap().unwrap_or_default()
    }

    /// The contacts that are there: role, external id, address and name.
    pub fn people(&self) -> Vec<(String, String, String, String)> {
        let state = self.running.state();
        let contacts = state["contacts"].as_array().unwrap();
        let there = contacts.iter().filter(|contact| contact["merged_into"].is_null());
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let shown = |contact: &Value| {
            let [role, id, email, name] = ["role", "external_id", "email", "name"].map(|key| text(&contact[key]));
            (role, id, email, name)
        };
        let mut people: Vec<_> = there.map(shown).collect();
        people.sort();
        people
    }
}

fn clock(time: &Arc<AtomicI64>) -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let time = time.clone();
    move || Timestamp::from_second(support::now().as_second() + time.load(Ordering::Relaxed)).unwrap()
}

fn build(url: &str, directory: &Path, time: &Arc<AtomicI64>) -> Box<dyn Destination> {
    let settings: intercom::Settings =
        serde_json::from_value(json!({ "base_url": url, "access_token": "token" })).unwrap();
    let memory: Arc<dyn Memory> = Arc::new(Folder::of(directory, "crm"));
    let context =
        Context { name: "crm".into(), metrics: Metrics::new(), clock: Arc::new(clock(time)), memory: Some(memory) };
    Box::new(intercom::build(settings, context).unwrap())
}

fn person(role: &str, id: &str, email: &str, name: &str) -> (String, String, String, String) {
    (role.to_owned(), id.to_owned(), email.to_owned(), name.to_owned())
}

fn lead(name: &str) -> Value {
    json!({ "role": "lead", "email": "ann@example.com", "name": name })
}

fn user(email: Option<&str>, name: &str) -> Value {
    json!({ "role": "user", "external_id": "u-1", "email": email, "name": name })
}

const ANN: Option<&str> = Some("ann@example.com");

#[tokio::test]
async fn a_lead_made_before_a_restart_is_not_made_again() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", lead("One")).await;
    desk.restart();
    desk.deliver("identify_contact", lead("Two")).await;
    assert_eq!(desk.people(), [person("lead", "-", "ann@example.com", "Two")]);
    // And is found by what is not the first to ask.
    desk.restart();
    let event = json!({ "event_name": "Seen", "created_at": 1_767_225_600, "email": "ann@example.com" });
    desk.deliver("track_event", event).await;
    assert_eq!(desk.file().lines().count(), 1, "what changes nobody's address is not noted");
}

#[tokio::test]
async fn a_lead_made_before_a_restart_becomes_the_user_who_comes() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", lead("One")).await;
    desk.restart();
    desk.deliver("identify_contact", user(ANN, "Two")).await;
    assert_eq!(desk.people(), [person("user", "u-1", "ann@example.com", "Two")]);
}

#[tokio::test]
async fn a_user_takes_in_a_lead_made_before_a_restart() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", user(None, "One")).await;
    desk.deliver("identify_contact", lead("Lead")).await;
    desk.restart();
    let performed = desk.deliver("identify_contact", user(ANN, "Two")).await;
    let Ok(Outcome::Delivered(warnings)) = performed.result else { panic!("{:?}", performed.result) };
    assert_eq!(warnings.iter().map(|warning| &*warning.code).collect::<Vec<_>>(), ["lead_merged"]);
    assert_eq!(desk.people(), [person("user", "u-1", "ann@example.com", "Two")]);
}

#[tokio::test]
async fn an_alias_finds_a_lead_made_before_a_restart() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", user(None, "One")).await;
    desk.deliver("identify_contact", lead("Lead")).await;
    desk.restart();
    let alias =
        json!({ "from_external_id": "ann@example.com", "into_external_id": "u-1", "skip_duplicate_validation": true });
    desk.deliver("merge_contacts", alias).await;
    assert_eq!(desk.people().len(), 1);
    // The search would still show the lead that was merged; whoever comes with the address is the user.
    desk.running.control().converge();
    desk.restart();
    desk.deliver("identify_contact", lead("Again")).await;
    assert_eq!(desk.people(), [person("user", "u-1", "ann@example.com", "Again")]);
}

#[tokio::test]
async fn a_user_made_before_a_restart_is_found_by_their_address() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", user(ANN, "One")).await;
    desk.restart();
    desk.deliver("identify_contact", lead("Two")).await;
    assert_eq!(desk.people(), [person("user", "u-1", "ann@example.com", "Two")]);
}

#[tokio::test]
async fn an_address_given_up_before_a_restart_leads_to_nobody() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", user(ANN, "One")).await;
    desk.running.control().converge();
    desk.deliver("identify_contact", user(Some("new@example.com"), "One")).await;
    desk.restart();
    // The search shows the user with the old address.
    desk.deliver("identify_contact", lead("Somebody")).await;
    assert_eq!(
        desk.people(),
        [person("lead", "-", "ann@example.com", "Somebody"), person("user", "u-1", "new@example.com", "One")]
    );
}

#[tokio::test]
async fn who_became_a_user_before_a_restart_is_not_taken_for_another() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", lead("Lead")).await;
    desk.running.control().converge();
    desk.deliver("identify_contact", user(ANN, "One")).await;
    desk.restart();
    // The search shows a lead.
    let other = json!({ "role": "user", "external_id": "u-2", "email": "ann@example.com", "name": "Two" });
    desk.deliver("identify_contact", other).await;
    assert_eq!(
        desk.people(),
        [person("user", "u-1", "ann@example.com", "One"), person("user", "u-2", "ann@example.com", "Two")]
    );
}

#[tokio::test]
async fn a_lead_that_was_deleted_meanwhile_is_made_again() {
    let mut desk = Desk::new();
    desk.deliver("identify_contact", lead("One")).await;
    let id = desk.running.state()["contacts"][0]["id"].as_str().unwrap().to_owned();
    desk.deliver("raw_request", json!({ "method": "DELETE", "path": format!("/contacts/{id}") })).await;
    desk.restart();
    desk.deliver("identify_contact", lead("Two")).await;
    assert_eq!(desk.people(), [person("lead", "-", "ann@example.com", "Two")]);
}

#[tokio::test]
async fn an_alias_waits_until_the_search_shows_whom_it_names() {
    let desk = Desk::new();
    desk.deliver("identify_contact", user(None, "One")).await;
    let alias =
        json!({ "from_external_id": "ann@example.com", "into_external_id": "u-1", "skip_duplicate_validation": true });
    let first = desk.attempt("merge_contacts", &alias, &Steps::new()).await;
    let failure = first.result.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Kind::TooEarly, "lead_not_shown"));
    assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(60));
    desk.wait(20);
    let second = desk.attempt("merge_contacts", &alias, &first.steps).await;
    assert_eq!(second.result.unwrap_err().retry_after.map(|wait| wait.as_secs()), Some(40));
    // Somebody else made it just before; now the search shows it.
    let elsewhere = json!({ "contacts": [{ "role": "lead", "email": "ann@example.com", "name": "Lead" }] });
    desk.running.control().seed(serde_json::from_value(elsewhere).unwrap()).unwrap();
    desk.running.control().converge();
    desk.wait(30);
    let third = desk.attempt("merge_contacts", &alias, &second.steps).await;
    assert!(matches!(third.result, Ok(Outcome::Delivered(_))), "{:?}", third.result);
    assert_eq!(desk.people().len(), 1);
    // And when it never comes, there was nothing to merge.
    let alias = json!({ "from_external_id": "bob@example.com", "into_external_id": "u-1" });
    let first = desk.attempt("merge_contacts", &alias, &Steps::new()).await;
    desk.wait(60);
    let last = desk.attempt("merge_contacts", &alias, &first.steps).await;
    assert!(matches!(last.result, Ok(Outcome::Skipped("nothing_to_merge", _))), "{:?}", last.result);
}
