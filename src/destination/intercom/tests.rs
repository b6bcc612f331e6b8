//! Intercom against a small stand-in: what only several attempts at once, or a look from outside, can show.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::action::{FieldKind, Kind, Outcome};
use crate::destination::Notes;
use crate::destination::http::{Method, Reply, Request};
use crate::instant::Timestamp;

/// Keeps contacts; its search never sees them.
#[derive(Default)]
struct StandIn {
    contacts: Mutex<Vec<Value>>,
    requests: Mutex<Vec<Request>>,
    /// The next request that makes something takes so many seconds, and has no answer.
    hangs: Mutex<Option<(Arc<AtomicI64>, i64)>>,
    headers: Vec<(&'static str, &'static str)>,
}

impl StandIn {
    fn answer(&self, request: &Request) -> (u16, Value) {
        let body: Value = request.body.as_deref().map(|body| serde_json::from_str(body).unwrap()).unwrap_or_default();
        let mut contacts = self.contacts.lock().unwrap();
        match (request.method, request.path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
            (Method::Post, ["contacts", "search"]) => (200, json!({ "type": "list", "data": [] })),
            (Method::Post, ["tickets", "search"]) => (200, json!({ "type": "list", "tickets": [] })),
            (Method::Post, ["tickets"]) => (200, json!({ "type": "ticket", "id": "1" })),
            (Method::Post, ["contacts"]) => {
                let mut contact = body;
                contact["id"] = format!("{:024x}", contacts.len()).into();
                contacts.push(contact.clone());
                (200, contact)
            }
            (Method::Put, ["contacts", id]) => {
                let contact = contacts.iter_mut().find(|contact| contact["id"] == **id).unwrap();
                contact.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
                (200, contact.clone())
            }
            (Method::Get, ["me"]) => (200, json!({})),
            _ => (404, json!({ "errors": [{ "code": "not_found" }] })),
        }
    }
}

impl Transport for StandIn {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let (status, body) = self.answer(&request);
            let makes = request.method == Method::Post && !request.path.ends_with("/search");
            if let Some((time, secs)) = makes.then(|| self.hangs.lock().unwrap().take()).flatten() {
                time.fetch_add(secs, Ordering::Relaxed);
                return Err(Failure::new(Kind::Unknown, "timeout", "no answer"));
            }
            self.requests.lock().unwrap().push(request);
            tokio::task::yield_now().await;
            let headers = self.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            Ok(Reply { status, headers, body: body.to_string().into_bytes() })
        })
    }
}

fn settings() -> Settings {
    Settings { access_token: SecretString::from("secret"), ..Settings::default() }
}

fn workspace(stand_in: StandIn) -> (Arc<StandIn>, Intercom, Metrics) {
    let stand_in = Arc::new(stand_in);
    let metrics = Metrics::new();
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let context = Context { name: "crm".into(), metrics: metrics.clone(), clock: Arc::new(move || now), memory: None };
    (stand_in.clone(), Intercom::over(stand_in, settings(), context), metrics)
}

async fn identify(intercom: &Intercom, payload: Value) {
    let performed = intercom.perform("identify_contact", payload.to_string().as_bytes(), &Steps::new()).await;
    assert!(matches!(performed.result, Ok(Outcome::Delivered(_))), "{:?}", performed.result);
}

fn sent(stand_in: &StandIn, method: Method, path: &str) -> usize {
    let requests = stand_in.requests.lock().unwrap();
    requests.iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
}

#[tokio::test]
async fn one_person_at_once_is_one_contact() {
    let (stand_in, intercom, metrics) = workspace(StandIn::default());
    let payload = |n: usize| json!({ "role": "user", "external_id": "u1", "email": "a@b.co", "name": format!("n{n}") });
    join_all((0..16).map(|n| identify(&intercom, payload(n)))).await;
    assert_eq!(sent(&stand_in, Method::Post, "/contacts"), 2, "one search, one new contact");
    assert_eq!(sent(&stand_in, Method::Get, "/contacts/find_by_external_id/u1"), 1);
    assert_eq!(sent(&stand_in, Method::Put, "/contacts/"), 15);
    identify(&intercom, payload(16)).await;
    let again = intercom.perform("identify_contact", payload(16).to_string().as_bytes(), &Steps::new()).await;
    assert!(matches!(again.result, Ok(Outcome::Skipped("unchanged", _))), "{:?}", again.result);
    let text = metrics.render();
    for line in [
        "requests_total{destination=\"crm\",endpoint=\"PUT /contacts/{id}\",status=\"200\"} 16",
        "requests_total{destination=\"crm\",endpoint=\"POST /contacts\",status=\"200\"} 1",
        "cache_hits_total{cache=\"external_id\",destination=\"crm\"} 2",
        "requests_saved_total{destination=\"crm\",reason=\"unchanged\"} 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// Keeps what is written down, and what had been sent by then.
struct Notebook {
    stand_in: Arc<StandIn>,
    noted: Mutex<Option<(Steps, usize)>>,
}

impl Notes for Notebook {
    fn note(&self, steps: Steps) -> BoxFuture<'_, ()> {
        *self.noted.lock().unwrap() = Some((steps, sent(&self.stand_in, Method::Post, "/contacts")));
        Box::pin(async {})
    }
}

/// The next process, so many seconds after the start, and its time.
fn later(stand_in: &Arc<StandIn>, secs: i64) -> (Arc<AtomicI64>, Intercom) {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let time = Arc::new(AtomicI64::new(secs));
    let clock = {
        let time = time.clone();
        Arc::new(move || start + Duration::from_secs(time.load(Ordering::Relaxed) as u64))
    };
    let context = Context { name: "crm".into(), metrics: Metrics::new(), clock, memory: None };
    (time, Intercom::over(stand_in.clone(), settings(), context))
}

#[tokio::test]
async fn the_search_has_its_time_from_when_a_request_ended_and_not_from_when_it_began() {
    for action in ["identify_contact", "create_ticket"] {
        let stand_in = Arc::new(StandIn::default());
        let (time, intercom) = later(&stand_in, 0);
        let payload: &[u8] = match action {
            "create_ticket" => br#"{"ticket_type_id":"1","contact_id":"c","title":"T"}"#,
            _ => br#"{"role":"lead","email":"a@b.co"}"#,
        };
        // It takes 90 s until nobody answers: longer than the search lags.
        *stand_in.hangs.lock().unwrap() = Some((time.clone(), 90));
        let first = intercom.perform(action, payload, &Steps::new()).await;
        assert_eq!(first.result.unwrap_err().code, "timeout");
        let mut steps = first.steps;
        for (secs, is_open) in [(149, true), (150, false)] {
            let (_, next) = later(&stand_in, secs);
            let again = next.perform(action, payload, &steps).await;
            let code = again.result.err().map(|failure| failure.code.into_owned());
            assert_eq!(code.is_some_and(|code| code.ends_with("_unsettled")), is_open, "{action} after {secs} s");
            steps.extend(again.steps);
        }
    }
}

#[tokio::test]
async fn a_crash_while_a_lead_is_made_makes_no_second_one_within_the_search_lag() {
    let (stand_in, intercom, _) = workspace(StandIn::default());
    let notebook = Arc::new(Notebook { stand_in: stand_in.clone(), noted: Mutex::default() });
    let payload = br#"{"role":"lead","email":"a@b.co"}"#;
    let before = Before { steps: &Steps::new(), notes: notebook.clone(), waited_out: false, follows: false };
    intercom.perform_owed("identify_contact", payload, before).await.result.unwrap();
    let (steps, sent_by_then) = notebook.noted.lock().unwrap().take().expect("it is written down");
    assert_eq!(sent_by_then, 1, "the search, and nothing that makes anything");
    // The process ends before it hears an answer. The next one knows nothing but the note, and the search shows nothing.
    let (time, next) = later(&stand_in, 10);
    for (later_secs, contacts) in [(10, 1), (69, 1), (70, 2)] {
        time.store(later_secs, Ordering::Relaxed);
        let result = next.perform("identify_contact", payload, &steps).await.result;
        match contacts {
            1 => assert_eq!(result.unwrap_err().code, "lead_unsettled", "{later_secs} s later"),
            _ => assert!(result.is_ok(), "it surely was not made"),
        }
        assert_eq!(stand_in.contacts.lock().unwrap().len(), contacts, "{later_secs} s later");
    }
}

#[tokio::test]
async fn a_lead_and_the_user_it_becomes_are_one_contact() {
    let (stand_in, intercom, _) = workspace(StandIn::default());
    let lead = json!({ "role": "lead", "email": "a@b.co", "name": "A" });
    let user = json!({ "role": "user", "external_id": "u1", "email": "a@b.co" });
    join_all([identify(&intercom, lead), identify(&intercom, user)]).await;
    let contacts = stand_in.contacts.lock().unwrap();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!((&contacts[0]["role"], &contacts[0]["external_id"]), (&json!("user"), &json!("u1")));
}

#[tokio::test]
async fn an_old_address_finds_nobody_any_more() {
    let (stand_in, intercom, _) = workspace(StandIn::default());
    identify(&intercom, json!({ "role": "user", "external_id": "u1", "email": "old@b.co" })).await;
    identify(&intercom, json!({ "role": "user", "external_id": "u1", "email": "new@b.co" })).await;
    identify(&intercom, json!({ "role": "lead", "email": "old@b.co" })).await;
    identify(&intercom, json!({ "role": "lead", "email": "New@b.co", "name": "N" })).await;
    let contacts = stand_in.contacts.lock().unwrap();
    assert_eq!(contacts.len(), 2);
    assert_eq!((&contacts[0]["name"], &contacts[1]["email"]), (&json!("N"), &json!("old@b.co")));
}

#[tokio::test]
async fn every_request_names_version_and_token() {
    let (stand_in, intercom, metrics) = workspace(StandIn {
        headers: vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225604")],
        ..StandIn::default()
    });
    intercom.probe().await.unwrap();
    let performed = intercom.perform("identify_contact", br#"{"role":"lead","email":"a@b.co"}"#, &Steps::new()).await;
    let text = |at: Timestamp| at.to_string();
    assert_eq!(performed.allowance.map(|told| text(told.resets_at)).as_deref(), Some("2026-01-01T00:00:04Z"));
    assert!(metrics.render().contains("rate_limit_remaining{destination=\"crm\"} 0"));
    let story = serde_json::to_string(&performed.exchanges).unwrap();
    assert!(story.contains("a@b.co") && !story.contains("secret"), "{story}");
    for request in &*stand_in.requests.lock().unwrap() {
        assert_eq!(request.bearer.expose_secret(), "secret");
        let header = |name| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!((header("accept"), header("intercom-version")), (Some("application/json"), Some("2.16")));
        assert_eq!(header("content-type").is_some(), request.body.is_some());
    }
}

#[tokio::test]
async fn a_rehearsal_shows_the_requests_and_sends_nothing() {
    let payload = br#"{"role":"user","external_id":"u1","email":"a@b.co","name":"A"}"#;
    for (exists, paths) in [
        (true, vec!["/contacts/find_by_external_id/u1", "/contacts/000000000000000000000001"]),
        (false, vec!["/contacts/find_by_external_id/u1", "/contacts/search", "/contacts"]),
    ] {
        let performed = rehearsal::rehearse(&settings(), "identify_contact", payload, exists).await;
        assert_eq!(performed.exchanges.iter().map(|exchange| exchange.path.as_str()).collect::<Vec<_>>(), paths);
    }
}

#[tokio::test]
async fn what_does_not_fit_an_action_is_refused_by_name() {
    let (_, intercom, _) = workspace(StandIn::default());
    for (action, payload, code, text) in [
        ("nope", "{}", "action_unknown", "`nope`"),
        ("track_event", r#"{"event_name":"x","created_at":"soon"}"#, "payload_invalid", "`created_at`"),
        ("track_event", r#"{"event_name":"x","created_at":1,"emial":1}"#, "payload_invalid", "`emial`"),
    ] {
        let failure = intercom.perform(action, payload.as_bytes(), &Steps::new()).await.result.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Kind::Rejected, code));
        assert!(failure.message.contains(text), "{}", failure.message);
    }
}

#[track_caller]
fn built(text: &str) -> Result<(), String> {
    let settings: Settings = serde_json::from_str(text).map_err(|error| error.to_string())?;
    assert!(!format!("{settings:?}").contains("secret"));
    let context = Context {
        name: "crm".into(),
        metrics: Metrics::new(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        memory: None,
    };
    build(settings, context).map(|_| ())
}

#[test]
fn settings_say_what_is_wrong_with_them() {
    built(r#"{"access_token":"secret","region":"au"}"#).unwrap();
    built(r#"{"access_token":"secret","region":"eu","base_url":"http://127.0.0.1:9/base","archived":"skip"}"#).unwrap();
    for (text, word) in [
        ("{}", "access_token"),
        (r#"{"access_token":"secret"}"#, "region"),
        (r#"{"access_token":"secret\n"}"#, "access_token"),
        (r#"{"access_token":"secret","version":""}"#, "version"),
        (r#"{"access_token":"secret","region":"mars"}"#, "mars"),
        (r#"{"access_token":"secret","base_url":"file:///x"}"#, "base URL"),
        (r#"{"access_token":"secret","base_url":"https://u:p@x.co"}"#, "base URL"),
        (r#"{"access_token":"secret","base_url":"x.co"}"#, "x.co"),
        (r#"{"access_token":"secret","regoin":"eu"}"#, "regoin"),
    ] {
        let message = built(text).unwrap_err();
        assert!(message.contains(word), "{text}: {message}");
    }
    let schema = schemars::schema_for!(Settings).to_value();
    assert_eq!(schema["required"], json!(["access_token"]));
}

#[test]
fn the_facts_of_the_actions_are_whole() {
    let all = (KIND.actions)();
    let reading = all.iter().filter(|facts| !facts.in_mappings()).map(|facts| facts.name).collect::<Vec<_>>();
    assert_eq!((all.len(), reading.len()), (30, 9), "{reading:?}");
    let first = all.iter().filter(|facts| facts.trigger.is_some()).map(|facts| facts.name).collect::<Vec<_>>();
    assert_eq!(first, ["identify_contact", "identify_company", "track_event", "merge_contacts"]);
    for facts in &all {
        assert!(!facts.summary.is_empty() && facts.fields.iter().all(|field| !field.docs.is_empty()), "{}", facts.name);
    }
    let kinds = |name: &str, kind: FieldKind| {
        let facts = all.iter().find(|facts| facts.name == name).unwrap();
        facts.fields.iter().filter(|field| field.kind == kind).map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("identify_contact", FieldKind::Timestamp), ["signed_up_at", "last_seen_at"]);
    assert_eq!(kinds("identify_contact", FieldKind::Email), ["email"]);
    assert_eq!(kinds("identify_contact", FieldKind::Url), ["avatar"]);
    assert_eq!(kinds("identify_contact", FieldKind::Boolean), ["unsubscribed_from_emails", "remove_company"]);
    assert_eq!(kinds("identify_company", FieldKind::Number), ["size", "monthly_spend"]);
    assert_eq!(kinds("track_event", FieldKind::Object), ["metadata"]);
    assert_eq!(kinds("track_event", FieldKind::Texts), ["keep"]);
    assert_eq!(kinds("track_event", FieldKind::Any), ["revenue"]);
    let track = all.iter().find(|facts| facts.name == "track_event").unwrap();
    let required = |field: &&crate::action::Field| field.required;
    assert_eq!(
        track.fields.iter().filter(required).map(|field| &*field.name).collect::<Vec<_>>(),
        ["event_name", "created_at"]
    );
    assert_eq!(track.field("nested").unwrap().choices, ["flatten", "stringify", "drop"]);
    let contact = all[0];
    let clears: Vec<&str> = contact.fields.iter().filter(|field| field.clears).map(|field| &*field.name).collect();
    assert_eq!(
        clears,
        ["phone", "name", "avatar", "signed_up_at", "owner_id", "unsubscribed_from_emails", "language_override"]
    );
    assert_eq!(contact.field("role").unwrap().choices, ["user", "lead"]);
}
