//! The whole corridor: from a call over HTTP to what Intercom then holds, when all goes well and when it does not.

use std::time::{Duration, Instant};

use interline::sandbox::{Close, Control, Effect, Fault, Running, Status};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Served, eventually, http, quick_sandbox};

/// Waits that keep the tests short; the schedule itself is tested with time as a value, beside the code.
const IMPATIENT: &str =
    "delivery: { retry: { first_wait_secs: 0.01, wait_max_secs: 0.02 }, pace: { probe_interval_secs: 0.05 } }\n";
const LIMIT: Duration = Duration::from_secs(30);

struct House {
    directory: TempDir,
    intercom: Running,
    service: Served,
}

impl House {
    async fn new() -> House {
        House::with(&|text| text).await
    }

    /// One whose destination file is changed.
    async fn with(change: &dyn Fn(String) -> String) -> House {
        let (intercom, directory) = (quick_sandbox().await, tempfile::tempdir().unwrap());
        let addresses = Served::configure(directory.path(), intercom.url(), IMPATIENT);
        let file = directory.path().join("mappings/intercom.yaml");
        std::fs::write(&file, change(std::fs::read_to_string(&file).unwrap())).unwrap();
        let service = Served::start(directory.path(), addresses).await;
        House { directory, intercom, service }
    }

    fn control(&self) -> Control {
        self.intercom.control()
    }

    async fn restart(&mut self) {
        self.service.kill();
        let addresses = (self.service.ingest, self.service.admin);
        self.service = Served::start(self.directory.path(), addresses).await;
    }

    async fn send(&self, calls: Value) {
        let url = format!("http://{}/v1/batch", self.service.ingest);
        let reply = http().post(url).basic_auth("key", Some("")).json(&json!({ "batch": calls })).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text().await.unwrap());
    }

    async fn admin(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.service.admin);
        http().get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn metric(&self, line: &str) -> f64 {
        let text =
            http().get(format!("http://{}/metrics", self.service.admin)).send().await.unwrap().text().await.unwrap();
        let found = text.lines().filter_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
        found.sum()
    }

    /// Waits until every delivery has ended, and gives them, oldest first.
    async fn settled(&self, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        eventually(&format!("{count} settled deliveries"), LIMIT, async || {
            let page = self.admin("/api/deliveries?limit=200").await;
            found = page["deliveries"].as_array().cloned().unwrap_or_default();
            let ended = |one: &&Value| {
                !["pending", "waiting", "paused"].contains(&one["status"]["is"].as_str().unwrap_or("pending"))
            };
            found.iter().filter(ended).count() >= count
        })
        .await;
        found.reverse();
        found
    }

    fn contacts(&self) -> Vec<Value> {
        self.intercom.state()["contacts"].as_array().cloned().unwrap_or_default()
    }

    fn events(&self) -> Vec<Value> {
        self.intercom.state()["events"].as_array().cloned().unwrap_or_default()
    }

    fn requests(&self, on: &str) -> usize {
        let (method, path) = on.split_once(' ').unwrap();
        let journal = self.intercom.journal();
        let entries = journal.as_array().unwrap();
        entries.iter().filter(|entry| entry["method"] == method && entry["path"] == path).count()
    }
}

fn identify(user: &str) -> Value {
    json!({ "type": "identify", "userId": user, "traits": { "email": format!("{user}@example.com"), "name": "Ada" } })
}

fn track(user: &str, event: &str) -> Value {
    json!({ "type": "track", "userId": user, "event": event, "timestamp": "2026-01-01T00:00:00Z", "properties": { "a": 1 } })
}

fn statuses(deliveries: &[Value]) -> Vec<&str> {
    deliveries.iter().map(|one| one["status"]["is"].as_str().unwrap()).collect()
}

fn status(status: u16) -> Effect {
    Effect::Status(Status { status, ..Status::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_becomes_a_contact_a_company_and_an_event() {
    let house = House::new().await;
    let group =
        json!({ "type": "group", "userId": "u1", "groupId": "g1", "traits": { "name": "Acme", "employees": 42 } });
    let order = json!({ "type": "track", "userId": "u1", "event": "Order Completed",
        "properties": { "revenue": 19.99, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10 } });
    house.send(json!([identify("u1"), group, order])).await;
    assert_eq!(statuses(&house.settled(3).await), ["delivered"; 3]);
    let state = house.intercom.state();
    assert_eq!(state["contacts"][0]["external_id"], "u1");
    assert_eq!(state["contacts"][0]["company_ids"], json!(["g1"]));
    assert_eq!((&state["companies"][0]["name"], &state["companies"][0]["size"]), (&json!("Acme"), &json!(42)));
    let metadata = &state["events"][0]["metadata"];
    assert_eq!(metadata["price"], json!({ "amount": 1999, "currency": "USD" }));
    assert_eq!(metadata.as_object().unwrap().len(), 10, "{metadata}");
    assert_eq!(house.requests("POST /contacts"), 1);
    let trimmed = house.metric("interline_metadata_keys_trimmed_total{destination=\"intercom\"}").await;
    assert_eq!(trimmed, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_intercom_never_takes_becomes_a_dead_letter_with_its_story() {
    let house = House::new().await;
    house.control().fault(Fault { count: 0, ..Fault::new("POST /contacts", status(422)) });
    house.send(json!([identify("u1")])).await;
    let deliveries = house.settled(1).await;
    assert_eq!(statuses(&deliveries), ["dead_letter"]);
    let id = deliveries[0]["id"].as_str().unwrap();
    let story = house.admin(&format!("/api/deliveries/{id}")).await;
    let text = story.to_string();
    for part in ["u1@example.com", "POST", "/contacts", "422"] {
        assert!(text.contains(part), "{part} is missing in {story:#}");
    }
    assert_eq!(house.metric("interline_dead_letters").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_is_waited_out() {
    let house = House::new().await;
    house.control().fault(Fault { count: 3, ..Fault::new("GET /contacts/find_by_external_id/{id}", status(503)) });
    house.control().fault(Fault::new("POST /contacts", Effect::Close(Close::After)));
    house.control().fault(Fault::new("POST /events", Effect::Close(Close::Before)));
    house.send(json!([identify("u1"), track("u1", "Signed Up")])).await;
    assert_eq!(statuses(&house.settled(2).await), ["delivered"; 2]);
    assert_eq!((house.contacts().len(), house.events().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_pauses_everything_and_burns_no_attempt() {
    let house = House::new().await;
    house.control().revoke("t");
    house.send(json!([identify("u1"), identify("u2"), track("u1", "Signed Up")])).await;
    let paused = "interline_destination_paused{destination=\"intercom\",reason=\"unauthorized\"}";
    eventually("the pause", LIMIT, async || house.metric(paused).await == 1.0).await;
    assert_eq!(house.contacts().len(), 0);
    house.control().restore("t");
    let deliveries = house.settled(3).await;
    assert_eq!(statuses(&deliveries), ["delivered"; 3]);
    assert!(deliveries.iter().all(|one| one["attempts"] == 1), "{deliveries:#?}");
    eventually("the end of the pause", LIMIT, async || house.metric(paused).await == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_pause_the_connection_and_burn_no_attempt() {
    let house = House::new().await;
    let throttled = Effect::Status(Status { status: 429, rate_headers: true, ..Status::default() });
    house.control().fault(Fault::new("GET /contacts/find_by_external_id/{id}", throttled));
    house.send(json!([identify("u1")])).await;
    let paused = "interline_destination_paused{destination=\"intercom\",reason=\"throttled\"}";
    eventually("the pause", LIMIT, async || house.metric(paused).await == 1.0).await;
    let deliveries = house.settled(1).await;
    assert_eq!(statuses(&deliveries), ["delivered"]);
    assert_eq!(deliveries[0]["attempts"], 1, "{deliveries:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_call_before_its_identify_waits_beside_the_line() {
    let house = House::new().await;
    house.send(json!([track("u1", "Signed Up")])).await;
    let parked = "interline_deliveries_waiting{destination=\"intercom\",reason=\"too_early\"}";
    eventually("the parking", LIMIT, async || house.metric(parked).await == 1.0).await;
    house.send(json!([identify("u1")])).await;
    assert_eq!(statuses(&house.settled(2).await), ["delivered"; 2]);
    assert_eq!(house.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_beside_the_line_goes_before_what_came_later() {
    let house = House::new().await;
    house.send(json!([track("u1", "A"), track("u1", "B")])).await;
    let parked = "interline_deliveries_waiting{destination=\"intercom\",reason=\"too_early\"}";
    eventually("the parking", LIMIT, async || house.metric(parked).await == 2.0).await;
    house.send(json!([identify("u1"), track("u1", "C"), track("u1", "D")])).await;
    assert_eq!(statuses(&house.settled(5).await), ["delivered"; 5]);
    let names: Vec<Value> = house.events().iter().map(|event| event["event_name"].clone()).collect();
    assert_eq!(names, ["A", "B", "C", "D"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_call_that_waits_for_its_contact_does_not_write_the_company_again() {
    let house = House::new().await;
    let group = |user: &str, name: &str| json!({ "type": "group", "userId": user, "groupId": "g1", "traits": { "name": name } });
    house.send(json!([identify("known"), group("late", "Old")])).await;
    let parked = "interline_deliveries_waiting{destination=\"intercom\",reason=\"too_early\"}";
    eventually("the parking", LIMIT, async || house.metric(parked).await == 1.0).await;
    house.send(json!([group("known", "New")])).await;
    house.settled(2).await;
    house.send(json!([identify("late")])).await;
    assert_eq!(statuses(&house.settled(4).await), ["delivered"; 4]);
    let state = house.intercom.state();
    assert_eq!((&state["companies"][0]["name"], house.requests("POST /companies")), (&json!("New"), 2));
    let attached = |contact: &Value| contact["company_ids"] == json!(["g1"]);
    assert!(house.contacts().iter().all(attached), "{state:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_company_comes_after_joining_it_also_when_the_joining_had_to_wait() {
    let mapping = "  - { name: Leave, trigger: 'type = \"group\" and traits.left = true', action: identify_company, fields: { remove: true } }\n";
    let house = House::with(&|text| {
        text.replace(
            "name: Identify Company,",
            "name: Identify Company, trigger: 'type = \"group\" and traits.left = null',",
        ) + mapping
    })
    .await;
    let group = |traits: Value| json!({ "type": "group", "userId": "u1", "groupId": "g1", "traits": traits });
    house.send(json!([group(json!({ "name": "Acme" }))])).await;
    let parked = "interline_deliveries_waiting{destination=\"intercom\",reason=\"too_early\"}";
    eventually("the parking", LIMIT, async || house.metric(parked).await == 1.0).await;
    house.send(json!([group(json!({ "left": true })), identify("u1")])).await;
    assert_eq!(statuses(&house.settled(3).await), ["delivered"; 3]);
    assert_eq!(house.contacts()[0]["company_ids"], json!([]));
    assert_eq!(house.requests("POST /contacts"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_crash() {
    let mut house = House::new().await;
    house.control().fault(Fault { count: 0, ..Fault::new("*", status(503)) });
    house.send(json!([identify("u1"), track("u1", "A"), track("u2", "Too early")])).await;
    eventually("an attempt", LIMIT, async || house.admin("/api/deliveries").await.to_string().contains("waiting"))
        .await;
    house.restart().await;
    house.control().clear_faults();
    house.send(json!([identify("u2")])).await;
    assert_eq!(statuses(&house.settled(4).await), ["delivered"; 4]);
    assert_eq!((house.contacts().len(), house.events().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_taken_before_a_crash_is_there_once() {
    let mut house = House::new().await;
    house.send(json!([identify("u1")])).await;
    house.settled(1).await;
    house.control().fault(Fault::new("POST /events", Effect::HoldReply));
    house.send(json!([track("u1", "Signed Up")])).await;
    eventually("the commit", LIMIT, async || house.events().len() == 1).await;
    house.restart().await;
    assert_eq!(statuses(&house.settled(2).await), ["delivered"; 2]);
    assert_eq!((house.requests("POST /events"), house.events().len()), (2, 1));
    house.control().clear_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_answer_that_never_comes_and_repeats_nothing_that_was_finished() {
    let patient = |text: String| text.replace("access_token: t", "access_token: t, http: { timeout_secs: 600 }");
    let mut house = House::with(&patient).await;
    let group = json!({ "type": "group", "userId": "u2", "groupId": "g1", "traits": { "name": "Acme" } });
    house.send(json!([identify("u1"), identify("u2")])).await;
    house.settled(2).await;
    for on in ["POST /events", "POST /contacts/{id}/companies"] {
        house.control().fault(Fault::new(on, Effect::HoldReply));
    }
    house.send(json!([track("u1", "A"), track("u1", "B"), group])).await;
    eventually("two answers that hang", LIMIT, async || house.control().count_held() == 2).await;
    house.service.signal("TERM");
    let began = Instant::now();
    eventually("its end", LIMIT, async || house.service.ended().is_some()).await;
    assert_eq!(house.service.ended(), Some(0), "in order");
    // It gives what is under way ten seconds.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    house.control().clear_faults();
    let addresses = (house.service.ingest, house.service.admin);
    house.service = Served::start(house.directory.path(), addresses).await;
    assert_eq!(statuses(&house.settled(5).await), ["delivered"; 5]);
    assert_eq!((house.requests("POST /companies"), house.requests("POST /contacts")), (1, 2), "nothing is made again");
    let journal = house.intercom.journal();
    let sent = journal.as_array().unwrap().iter().filter(|entry| entry["path"] == "/events");
    let names: Vec<&Value> = sent.map(|entry| &entry["body"]["event_name"]).collect();
    assert_eq!(names, ["A", "A", "B"], "what hung, again, before what stood behind it");
    assert_eq!(house.events().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_delivered_once_also_across_a_restart() {
    let mut house = House::new().await;
    let mut call = identify("u1");
    call["messageId"] = json!("m-1");
    house.send(json!([call.clone(), call.clone()])).await;
    house.settled(1).await;
    house.restart().await;
    house.send(json!([call, identify("u2")])).await;
    house.settled(2).await;
    let page = house.admin("/api/deliveries").await;
    assert_eq!(page["deliveries"].as_array().unwrap().len(), 2, "{page:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_keeps_the_order_while_requests_fail_at_random() {
    let house = House::new().await;
    let calls: Vec<Value> =
        (0..60).map(|number| track(&format!("u{}", number % 3), &format!("Step {number}"))).collect();
    house.send(json!(["u0", "u1", "u2"].map(identify))).await;
    house.settled(3).await;
    for nth in (1..120).step_by(3) {
        let effect = if nth % 2 == 0 { status(500) } else { Effect::Close(Close::After) };
        house.control().fault(Fault { nth, ..Fault::new("POST /events", effect) });
    }
    house.send(json!(calls)).await;
    house.settled(63).await;
    for user in ["u0", "u1", "u2"] {
        let journal = house.intercom.journal();
        let mine = journal.as_array().unwrap().iter().filter(|entry| entry["body"]["user_id"] == user);
        let mut names: Vec<String> =
            mine.map(|entry| entry["body"]["event_name"].as_str().unwrap().to_owned()).collect();
        names.dedup();
        let wanted: Vec<String> =
            (0..60).filter(|n| user == format!("u{}", n % 3)).map(|n| format!("Step {n}")).collect();
        assert_eq!(names, wanted, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_holds_the_data() {
    let house = House::new().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["serve", "--config"])
        .arg(house.directory.path().join("interline.yaml"))
        .env("INTERLINE_INGEST__LISTEN", "127.0.0.1:0")
        .env("INTERLINE_ADMIN__LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("in use by process"), "{text}");
}
