//! The same through a running router: its admin API performs actions and deletes people.

use std::path::Path;
use std::time::Duration;

use interline::sandbox::{Effect, Fault, Running};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Served, eventually, http, quick_sandbox};

pub(super) const LIMIT: Duration = Duration::from_secs(30);

pub(super) struct House {
    directory: TempDir,
    pub(super) intercom: Running,
    pub(super) service: Served,
}

impl House {
    pub(super) async fn new() -> House {
        House::after(|_| {}).await
    }

    /// One with something in its data directory from before.
    async fn after(before: impl FnOnce(&Path)) -> House {
        House::with("delivery: { pace: { probe_interval_secs: 0.05 } }\n", before).await
    }

    /// One with such settings.
    async fn with(settings: &str, before: impl FnOnce(&Path)) -> House {
        let (intercom, directory) = (quick_sandbox().await, tempfile::tempdir().unwrap());
        let addresses = Served::configure(directory.path(), intercom.url(), settings);
        before(&directory.path().join("data"));
        let service = Served::start(directory.path(), addresses).await;
        House { directory, intercom, service }
    }

    pub(super) async fn kill_and_start(&mut self) {
        self.service.kill();
        let addresses = (self.service.ingest, self.service.admin);
        self.service = Served::start(self.directory.path(), addresses).await;
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.service.admin)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let reply = http().post(format!("{}{path}", self.url())).json(&body).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        http().get(format!("{}{path}", self.url())).send().await.unwrap().json().await.unwrap()
    }

    async fn identify(&self, user: &str, email: &str) {
        let call = json!({"type": "identify", "userId": user, "traits": {"email": email}});
        let url = format!("http://{}/v1/batch", self.service.ingest);
        let reply =
            http().post(url).basic_auth("key", Some("")).json(&json!({ "batch": [call] })).send().await.unwrap();
        assert_eq!(reply.status(), 200);
    }

    /// Runs a command against the router, beside the test's own tasks.
    pub(super) async fn types(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_interline"));
        command.args(words).current_dir(self.directory.path()).env_clear().env("INTERLINE_ADMIN_URL", self.url());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    pub(super) fn emails(&self) -> Vec<String> {
        let state = self.intercom.state();
        let contacts = state["contacts"].as_array().unwrap().iter();
        contacts.map(|contact| contact["email"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(super) async fn pending(&self) -> usize {
        let page = self.get("/api/deliveries?status=pending").await;
        let waiting = self.get("/api/deliveries?status=waiting").await;
        [page, waiting].iter().map(|page| page["deliveries"].as_array().map_or(0, Vec::len)).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_performed_by_the_running_connection() {
    let house = House::new().await;
    let action = |name: &str| format!("/api/destinations/intercom/actions/{name}");
    let (status, made) = house.post(&action("create_contact"), json!({"email": "ann@example.com"})).await;
    assert_eq!(
        (status, &made["outcome"], &made["document"]["email"]),
        (200, &json!("delivered"), &json!("ann@example.com"))
    );
    assert_eq!(made["requests"][0]["method"], "GET", "whose workspace it is, is looked at first: {made}");
    let (status, page) = house.post(&action("list_contacts"), json!({})).await;
    assert_eq!((status, page["page"]["items"].as_array().map(Vec::len)), (200, Some(1)));
    let (status, none) = house.post(&action("get_contact"), json!({"email": "nobody@example.com"})).await;
    assert_eq!(
        (status, &none["outcome"], &none["failure"]["code"]),
        (422, &json!("failed"), &json!("contact_not_found"))
    );
    let (status, wrong) = house.post(&action("get_contact"), json!({"emial": "x"})).await;
    assert_eq!((status, &wrong["failure"]["code"]), (422, &json!("field_unknown")));
    for (path, code) in [
        (action("get_contract"), "action_not_found"),
        ("/api/destinations/intercon/actions/get_contact".to_owned(), "destination_not_found"),
    ] {
        let (status, problem) = house.post(&path, json!({})).await;
        assert_eq!((status, &problem["code"]), (404, &json!(code)), "{path}");
        assert!(problem["message"].as_str().unwrap().contains("did you mean"), "{problem}");
    }
    assert_eq!(house.post(&action("list_tags"), json!([])).await.1["code"], "not_object");
    let foreign =
        http().post(format!("{}{}", house.url(), action("list_tags"))).header("Origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let listed = house.get("/api/destinations").await;
    assert_eq!(
        (&listed["destinations"][0]["name"], &listed["destinations"][0]["kind"]),
        (&json!("intercom"), &json!("intercom"))
    );

    let list = ["intercom", "list_contacts", "--destination", "intercom", "--all", "--format", "jsonl"];
    let (code, out, err) = house.types(&list).await;
    assert_eq!((code, out.lines().count()), (0, 1), "{err}");
    let (code, _, err) = house.types(&["intercom", "get_contact", "--email", "x@y.z"]).await;
    assert!(code == 1 && err.contains("contact_not_found"), "{err}");
    let (code, _, err) = house.types(&["intercom", "list_tags", "--destination", "intercon"]).await;
    assert!(code == 2 && err.contains("did you mean `intercom`"), "{err}");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_person_takes_out_what_waits_and_what_comes_later() {
    let house = House::new().await;
    house.identify("u-1", "ann@example.com").await;
    eventually("the contact", LIMIT, async || house.emails().len() == 1).await;
    // From here on nothing of anybody gets through.
    let down = Fault { count: 0, ..Fault::new("PUT /contacts/{id}", Effect::status(503)) };
    house.intercom.control().fault(down);
    house.intercom.control().fault(Fault { count: 0, ..Fault::new("POST /contacts", Effect::status(503)) });
    house.identify("u-1", "ann@new.example").await;
    house.identify("u-2", "bob@example.com").await;
    eventually("two that wait", LIMIT, async || house.pending().await == 2).await;

    let (code, out, err) =
        house.types(&["delete-user", "--user-id", "u-1", "--suppress", "--yes", "--format", "json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let receipt: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&receipt["queue"]["events"], &receipt["queue"]["open"]), (&json!(2), &json!(1)), "{receipt}");
    let contact = &receipt["destinations"][0][1]["contacts"][0];
    assert_eq!((&contact["email"], &contact["verified"]), (&json!("ann@example.com"), &json!(true)));
    assert!(house.emails().is_empty());
    assert_eq!(house.get("/api/suppressed").await["user_ids"], json!(["u-1"]));

    house.identify("u-1", "ann@example.com").await;
    house.intercom.control().clear_faults();
    eventually("the other one", LIMIT, async || house.pending().await == 0).await;
    assert_eq!(house.emails(), ["bob@example.com"], "nobody came back");
    let metrics = http().get(format!("{}/metrics", house.url())).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("code=\"user_suppressed\""), "{metrics}");

    let (code, out, err) = house.types(&["deliveries", "list"]).await;
    assert!(code == 0 && out.contains("delivered") && out.lines().count() == 2, "{out}{err}");
    let id = out.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (code, out, _) = house.types(&["deliveries", "show", &id]).await;
    assert!(code == 0 && out.contains("request  ") && out.contains("bob@example.com"), "{out}");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regulation_in_segments_form_deletes_and_suppresses() {
    let house = House::new().await;
    house.identify("u-1", "ann@example.com").await;
    eventually("the contact", LIMIT, async || house.emails().len() == 1).await;
    let regulation = |kind: &str| json!({"regulationType": kind, "subjectType": "USER_ID", "subjectIds": ["u-1"]});
    let (status, answer) = house.post("/api/regulations", regulation("SUPPRESS_WITH_DELETE")).await;
    assert_eq!((status, &answer["receipts"][0]["done"]), (200, &json!(true)), "{answer}");
    assert!(house.emails().is_empty());
    let suppressed = async || house.get("/api/suppressed").await;
    assert_eq!(suppressed().await, json!({"user_ids": ["u-1"], "emails": []}), "only who was named");
    assert_eq!(house.post("/api/regulations", regulation("UNSUPPRESS")).await.0, 200);
    let nobody = json!({"user_ids": [], "emails": []});
    assert_eq!(suppressed().await, nobody);
    for kind in ["SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE"] {
        let wrong = json!({"regulationType": kind, "subjectIds": ["k-1", ""]});
        assert_eq!(house.post("/api/regulations", wrong).await.0, 400);
        assert_eq!(suppressed().await, nobody, "nothing was done");
    }
    for wrong in [json!({}), regulation("ERASE"), json!({"regulationType": "DELETE_ONLY", "subjectIds": []})] {
        assert_eq!(house.post("/api/regulations", wrong).await.0, 400);
    }
    let (status, problem) =
        house.post("/api/delete-user", json!({"destination": "nowhere", "user_ids": ["u-1"]})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("parameter_invalid")));
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_another_workspace_until_a_person_accepts_it() {
    let house = House::after(|data| {
        let folder = data.join("destinations/intercom");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("workspace"), r#"{"id":"before"}"#).unwrap();
    })
    .await;
    house.identify("u-1", "ann@example.com").await;
    let paused = async || {
        let metrics = http().get(format!("{}/metrics", house.url())).send().await.unwrap().text().await.unwrap();
        metrics.contains("destination_paused{destination=\"intercom\",reason=\"unauthorized\"} 1")
    };
    eventually("the pause", LIMIT, paused).await;
    let listed = house.get("/api/deliveries").await;
    let id = listed["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let story = house.get(&format!("/api/deliveries/{id}")).await["story"].to_string();
    assert!(story.contains("workspace_changed") && story.contains("--accept-workspace"), "{story}");
    assert!(house.emails().is_empty());
    let (code, out, err) =
        house.types(&["connect", "intercom", "--config", "interline.yaml", "--accept-workspace"]).await;
    assert_eq!(code, 0, "{out}{err}");
    eventually("the contact", LIMIT, async || house.emails() == ["ann@example.com"]).await;
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_work_again_are_noticed_at_once_by_whoever_resumes() {
    // The next look by itself would come after the test has given up.
    let house = House::with("delivery: { pace: { probe_interval_secs: 3600 } }\n", |_| {}).await;
    house.intercom.control().revoke("t");
    house.identify("u-1", "ann@example.com").await;
    let hold = async || house.get("/api/destinations").await["destinations"][0]["health"]["hold"].take();
    eventually("the refusal", LIMIT, async || hold().await == "unauthorized").await;
    let (code, out, err) = house.types(&["destinations", "resume", "intercom"]).await;
    assert!(code == 1 && out.contains("looked at just now: intercom answered 401"), "{out}{err}");
    assert_eq!(hold().await, "unauthorized");
    house.intercom.control().restore("t");
    let (code, out, err) = house.types(&["destinations", "resume", "intercom"]).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "intercom takes the credentials again, and what it is owed goes on\n"),
        "{err}"
    );
    eventually("the contact", LIMIT, async || house.emails() == ["ann@example.com"]).await;
    let (_, out, _) = house.types(&["destinations", "resume", "intercom", "--format", "json"]).await;
    assert!(out.contains("\"hold\":null") || out.contains("\"hold\": null"), "{out}");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_destination_keeps_what_it_is_owed_also_across_a_restart() {
    let mut house = House::new().await;
    let (code, out, err) = house.types(&["destinations", "pause", "intercom"]).await;
    assert!(code == 0 && out.starts_with("intercom is paused since 20"), "{out}{err}");
    house.identify("u-1", "ann@example.com").await;
    eventually("what is owed", LIMIT, async || house.pending().await == 1).await;
    house.service.kill();
    house.service = Served::start(house.directory.path(), (house.service.ingest, house.service.admin)).await;
    let paused = "interline_destination_paused{destination=\"intercom\",reason=\"operator\"} 1";
    let metrics = async || http().get(format!("{}/metrics", house.url())).send().await.unwrap().text().await.unwrap();
    eventually("the metric", LIMIT, async || metrics().await.contains(paused)).await;
    let health = house.get("/api/destinations").await["destinations"][0]["health"].take();
    assert_eq!((&health["hold"], &health["until"], &health["pending"]), (&json!("operator"), &Value::Null, &json!(1)));
    assert!(health["since"].is_string() && health["oldest"].is_string(), "{health}");
    assert_eq!(house.get("/readyz").await["destinations"], json!({ "intercom": "operator" }));
    let (code, out, _) = house.types(&["destinations", "list"]).await;
    assert!(code == 0 && out.contains("operator") && out.contains("pending"), "{out}");
    assert_eq!(house.emails(), [""; 0], "nothing was sent");
    let listed = house.get("/api/deliveries?status=paused").await["deliveries"].take();
    assert_eq!(
        (listed.as_array().map(Vec::len), &listed[0]["status"]),
        (Some(1), &json!({ "is": "paused", "reason": "operator" }))
    );
    assert_eq!(house.get("/api/deliveries?status=paused&destination=other").await["deliveries"], json!([]));
    let (_, out, _) = house.types(&["deliveries", "list", "--status", "paused"]).await;
    assert!(out.contains("paused") && out.contains("operator"), "{out}");

    let (code, _, err) = house.types(&["destinations", "resume", "intercon"]).await;
    assert!(code == 2 && err.contains("did you mean `intercom`"), "{err}");
    let pause = http().get(format!("{}/api/destinations/intercom/pause", house.url())).send().await.unwrap();
    assert_eq!(pause.status(), 405);
    for _ in 0..2 {
        let (code, out, _) = house.types(&["destinations", "resume", "intercom"]).await;
        assert_eq!((code, out.as_str()), (0, "intercom is not paused\n"));
    }
    eventually("the contact", LIMIT, async || house.emails() == ["ann@example.com"]).await;
    eventually("the end", LIMIT, async || house.pending().await == 0).await;
    assert_eq!(house.get("/readyz").await["destinations"], json!({ "intercom": "ok" }));
    house.intercom.stop().await;
}
