//! The stand-in Intercom from outside.

mod access;
mod shapes;
mod walk;

use std::fs;
use std::net::TcpListener;
use std::sync::Once;

use interline::sandbox::{
    AccessToken, Close, Effect, EmailUniqueness, Fault, MergeRoles, Region, Running, Sandbox, SearchLag, Settings,
    Status,
};
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// The time every test starts at: three seconds into a rate window.
const START: i64 = 1_767_225_603;

/// A stand-in at a standing clock, and a client of it.
struct Desk {
    running: Running,
    client: Client,
}

impl Desk {
    fn start(settings: Settings) -> Desk {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let listener = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let clock = || Timestamp::from_second(START).expect("a good time");
        let regional = [Region::Us, Region::Eu, Region::Au].map(|region| (region, listener())).into();
        let running = Sandbox::start_with_regions(settings, listener(), regional, clock).expect("the stand-in starts");
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Desk { running, client }
    }

    fn request(&self, method: &str, path: &str, body: Value) -> RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.running.url()));
        let request = request.bearer_auth("token").header("Intercom-Version", "2.16");
        if body.is_null() { request } else { request.json(&body) }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Response {
        self.request(method, path, body).send().await.expect("an answer")
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Value) -> impl Future<Output = (u16, Value)> {
        let sent = self.send(method, path, body);
        async move {
            let response = sent.await;
            let status = response.status().as_u16();
            let text = response.text().await.expect("a body");
            (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
        }
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }

    async fn user(&self, external_id: &str, email: &str) -> String {
        text(&self.ok("POST", "/contacts", json!({"external_id": external_id, "email": email})).await["id"])
    }

    async fn found(&self, email: &str) -> usize {
        let query = json!({"query": {"field": "email", "operator": "=", "value": email}});
        let reply = self.ok("POST", "/contacts/search", query).await;
        reply["data"].as_array().expect("a list").len()
    }

    fn fault(&self, on: &str, does: Effect) {
        self.running.control().fault(Fault::new(on, does));
    }

    fn held(&self, list: &str) -> usize {
        self.running.state()[list].as_array().expect("a list").len()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().expect("plain text"))
}

#[tokio::test]
async fn search_lags_and_the_direct_lookup_does_not() {
    let desk = Desk::start(Settings::default());
    let id = desk.user("u 1/é", "a@b.c").await;
    let direct = desk.ok("GET", "/contacts/find_by_external_id/u%201%2F%C3%A9", Value::Null).await;
    assert_eq!(direct["id"], id.as_str());
    assert_eq!(desk.found("a@b.c").await, 0);
    desk.running.control().advance(5);
    assert_eq!(desk.found("a@b.c").await, 1);

    desk.running.control().change_settings(|settings| settings.search_lag_secs = SearchLag::NEVER);
    desk.user("u2", "b@b.c").await;
    desk.running.control().advance(100_000);
    assert_eq!(desk.found("b@b.c").await, 0);
    desk.running.control().converge();
    assert_eq!(desk.found("b@b.c").await, 1);
    desk.running.stop().await;
}

#[tokio::test]
async fn a_conflict_names_the_contact_and_whether_it_is_archived() {
    let desk = Desk::start(Settings { email_uniqueness: EmailUniqueness::Strict, ..Settings::default() });
    let id = desk.user("u1", "a@b.c").await;
    for body in [json!({"external_id": "u1"}), json!({"external_id": "u2", "email": "A@B.C"})] {
        let (status, reply) = desk.ask("POST", "/contacts", body).await;
        assert_eq!((status, &reply["errors"][0]["code"]), (409, &json!("conflict")));
        let message = text(&reply["errors"][0]["message"]);
        assert!(message.ends_with(&format!("id={id}")) && !message.contains("archived"), "{message}");
    }
    desk.ok("POST", &format!("/contacts/{id}/archive"), Value::Null).await;
    let (_, reply) = desk.ask("POST", "/contacts", json!({"external_id": "u1"})).await;
    let message = text(&reply["errors"][0]["message"]);
    assert!(message.contains("archived") && message.ends_with(&format!("id={id}")), "{message}");
    desk.ok("POST", &format!("/contacts/{id}/unarchive"), Value::Null).await;
    desk.ok("PUT", &format!("/contacts/{id}"), json!({"name": "Ann"})).await;
    desk.running.stop().await;
}

#[tokio::test]
async fn a_merged_contact_answers_with_a_link() {
    let desk = Desk::start(Settings { merge_roles: MergeRoles::Any, ..Settings::default() });
    let lead = text(&desk.ok("POST", "/contacts", json!({"role": "lead", "email": "a@b.c"})).await["id"]);
    let (first, last) = (desk.user("u1", "a@b.c").await, desk.user("u2", "a@b.c").await);
    desk.ok("POST", "/contacts/merge", json!({"from": lead, "into": first})).await;
    desk.ok("POST", "/contacts/merge", json!({"from": first, "into": last})).await;
    for path in [format!("/contacts/{lead}"), "/contacts/find_by_external_id/u1".to_owned()] {
        let response = desk.send("GET", &path, Value::Null).await;
        assert_eq!(response.status(), 410, "{path}");
        let link = header(&response, "Link").expect("a link").to_owned();
        assert_eq!(link, format!("</contacts/{last}>; rel=\"canonical\""), "{path}");
    }
    desk.running.stop().await;
}

#[tokio::test]
async fn a_rate_window_fills_and_the_next_one_is_fresh() {
    let desk = Desk::start(Settings { rate_limit_per_10s: 2, ..Settings::default() });
    let budget = |response: &Response| {
        let names = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
        names.map(|name| header(response, name).unwrap_or_default().parse::<i64>().unwrap_or(-1))
    };
    let reset = START - 3 + 10;
    assert_eq!(budget(&desk.send("GET", "/me", Value::Null).await), [2, 1, reset]);
    assert_eq!(budget(&desk.send("GET", "/nothing", Value::Null).await), [2, 0, reset]);
    let refused = desk.send("GET", "/me", Value::Null).await;
    assert_eq!((refused.status().as_u16(), budget(&refused)), (429, [2, 0, reset]));
    let envelope: Value = serde_json::from_str(&refused.text().await.expect("a body")).expect("JSON");
    assert_eq!(envelope["errors"][0]["code"], "rate_limit_exceeded");
    desk.running.control().advance(7);
    assert_eq!(budget(&desk.send("GET", "/me", Value::Null).await), [2, 1, reset + 10]);
    desk.running.stop().await;
}

#[tokio::test]
async fn tokens_are_checked_revoked_and_restored() {
    let settings = Settings { access_tokens: vec![AccessToken("token".to_owned())], ..Settings::default() };
    let desk = Desk::start(settings);
    let bare = desk.client.get(format!("{}/me", desk.running.url()));
    assert_eq!(bare.try_clone().expect("a request").send().await.expect("an answer").status(), 401);
    assert_eq!(bare.bearer_auth("other").send().await.expect("an answer").status(), 401);
    assert_eq!(desk.ask("GET", "/me", Value::Null).await.0, 200);
    desk.running.control().revoke("token");
    let refused = desk.send("GET", "/me", Value::Null).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "X-RateLimit-Limit")), (401, None));
    desk.running.control().restore("token");
    assert_eq!(desk.ask("GET", "/me", Value::Null).await.0, 200);
    assert!(!desk.running.journal().to_string().contains("\"token\""), "no token is written down");
    desk.running.stop().await;
}

#[tokio::test]
async fn who_takes_no_json_is_refused() {
    let desk = Desk::start(Settings::default());
    for (accept, status) in [
        ("text/html", 406),
        ("text/html, image/png;q=0.9", 406),
        ("application/json", 200),
        ("text/html, application/json;q=0.9", 200),
        ("application/vnd.api+json", 200),
        ("*/*", 200),
    ] {
        let response = desk.request("GET", "/me", Value::Null).header("Accept", accept).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{accept}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"] == "media_type_not_acceptable", status == 406, "{body}");
    }
}

#[tokio::test]
async fn the_version_is_known_or_refused_and_missing_ones_are_loud() {
    let desk = Desk::start(Settings::default());
    let me = || desk.client.get(format!("{}/me", desk.running.url())).bearer_auth("token");
    let refused = me().header("Intercom-Version", "9.9").send().await.expect("an answer");
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.expect("a body").contains("intercom_version_invalid"));
    assert_eq!(me().send().await.expect("an answer").status(), 200);
    let note = text(&desk.running.journal()[1]["notes"][0]);
    assert!(note.contains("Intercom-Version"), "{note}");
    desk.running.stop().await;
}

#[tokio::test]
async fn a_status_fault_strikes_before_or_after_the_commit() {
    let desk = Desk::start(Settings::default());
    let user = |n: u32| json!({"external_id": format!("u{n}")});
    desk.fault("POST /contacts", Effect::status(503));
    let refused = desk.send("POST", "/contacts", user(1)).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "X-RateLimit-Limit")), (503, None));
    assert_eq!(desk.held("contacts"), 0);

    desk.running.control().clear_faults();
    let burst = Status { status: 429, rate_headers: true, ..Status::default() };
    desk.running.control().fault(Fault { nth: 2, count: 2, ..Fault::new("POST *", Effect::Status(burst)) });
    desk.ok("POST", "/contacts", user(1)).await;
    for _ in 0..2 {
        let refused = desk.send("POST", "/contacts", user(2)).await;
        assert_eq!((refused.status().as_u16(), header(&refused, "X-RateLimit-Remaining")), (429, Some("0")));
    }
    desk.ok("POST", "/contacts", user(2)).await;

    desk.running.control().clear_faults();
    desk.fault("POST /contacts", Effect::status_after(504));
    assert_eq!(desk.ask("POST", "/contacts", user(3)).await.0, 504);
    assert_eq!(desk.held("contacts"), 3);
    desk.running.stop().await;
}

#[tokio::test]
async fn a_connection_closes_before_during_and_after() {
    let desk = Desk::start(Settings::default());
    for (at, close) in [Close::Before, Close::During, Close::After].into_iter().enumerate() {
        desk.running.control().clear_faults();
        desk.fault("POST /contacts", Effect::Close(close));
        let sent = desk.request("POST", "/contacts", json!({"external_id": format!("u{at}")})).send().await;
        match close {
            Close::During => {
                let response = sent.expect("the head of a reply");
                assert_eq!(response.status(), 200);
                response.bytes().await.expect_err("the body is cut");
            }
            _ => drop(sent.expect_err("no reply")),
        }
    }
    let state = desk.running.state();
    let kept: Vec<&Value> = state["contacts"].as_array().expect("a list").iter().map(|c| &c["external_id"]).collect();
    assert_eq!(kept, ["u1", "u2"]);
    let journal = desk.running.journal();
    let statuses: Vec<&Value> = journal.as_array().expect("a list").iter().map(|entry| &entry["status"]).collect();
    assert_eq!(statuses, [&Value::Null, &json!(200), &Value::Null]);
    desk.running.stop().await;
}

#[tokio::test]
async fn replies_come_as_pages_in_pieces_or_under_another_name() {
    let desk = Desk::start(Settings::default());
    let answer = |fault: &'static str| {
        let request = desk.request("GET", "/tags", Value::Null).header("X-Sandbox-Fault", fault);
        async move {
            let response = request.send().await.expect("an answer");
            let kind = header(&response, "Content-Type").unwrap_or_default().to_owned();
            (response.status().as_u16(), kind, response.text().await.expect("a body"))
        }
    };
    let (status, kind, body) = answer("html").await;
    assert_eq!((status, kind.as_str()), (502, "text/html; charset=utf-8"));
    assert!(body.starts_with("<!doctype html>"));
    let (status, _, body) = answer(r#"{"truncated":{"keep_bytes":9}}"#).await;
    assert_eq!((status, body.len()), (200, 9));
    assert_eq!(answer("empty").await.2, "");
    assert_eq!(answer(r#"{"content_type":"text/plain"}"#).await.1, "text/plain");
    let (status, _, body) = answer("conflict_without_id").await;
    assert!(status == 409 && body.contains("conflict") && !body.contains("id="), "{body}");
    assert_eq!(answer("nonsense").await.0, 200);
    let journal = desk.running.journal();
    assert!(text(&journal[5]["notes"][0]).contains("nonsense"), "a fault that is none is said loudly");
    desk.running.stop().await;
}

#[tokio::test]
async fn a_pretended_write_is_answered_and_forgotten() {
    let desk = Desk::start(Settings::default());
    desk.fault("POST /contacts", Effect::Pretend);
    let id = desk.user("u1", "a@b.c").await;
    assert_eq!(id.len(), 24);
    assert_eq!(desk.held("contacts"), 0);
    desk.running.stop().await;
}

#[tokio::test]
async fn a_held_request_waits_until_it_is_released() {
    let desk = Desk::start(Settings::default());
    for (at, hold) in [Effect::Hold, Effect::HoldReply].into_iter().enumerate() {
        desk.fault("POST /contacts", hold);
        let sent = tokio::spawn(desk.request("POST", "/contacts", json!({"external_id": format!("u{at}")})).send());
        while desk.running.control().count_held() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.held("contacts"), 2 * at, "the first waits before it takes effect, the second after");
        desk.running.control().clear_faults();
        assert_eq!(sent.await.expect("a task").expect("an answer").status(), 200);
    }
    desk.running.stop().await;
}

#[tokio::test]
async fn events_are_kept_once_and_cut_to_ten_keys() {
    let desk = Desk::start(Settings::default());
    let id = desk.user("u1", "a@b.c").await;
    let metadata: Vec<String> = (0..12).map(|n| format!(r#""z{}":{n}"#, 11 - n)).collect();
    let body = format!(
        r#"{{"event_name":"Order.Placed","created_at":{START},"user_id":"u1","metadata":{{{}}}}}"#,
        metadata.join(",")
    );
    for _ in 0..2 {
        let request = desk.request("POST", "/events", Value::Null).header("Content-Type", "application/json");
        let response = request.body(body.clone()).send().await.expect("an answer");
        assert_eq!(response.status(), 202);
        assert_eq!(response.bytes().await.expect("a body").len(), 0);
    }
    let events = desk.running.state()["events"].clone();
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    assert_eq!((&events[0]["contact_id"], &events[0]["repeats"]), (&json!(id), &json!(1)));
    assert_eq!(events[0]["event_name"], "Order-Placed");
    assert_eq!((&events[0]["metadata_keys"][0], &events[0]["metadata_dropped"]), (&json!("z11"), &json!(["z1", "z0"])));
    let note = text(&desk.running.journal()[1]["notes"][0]);
    assert!(note.ends_with("z1, z0"), "{note}");
    let unknown = json!({"event_name": "x", "created_at": START, "user_id": "nobody"});
    assert_eq!(desk.ask("POST", "/events", unknown).await.0, 404);
    desk.running.stop().await;
}

#[tokio::test]
async fn tagging_passes_over_what_is_missing() {
    let desk = Desk::start(Settings::default());
    desk.ok("POST", "/companies", json!({"company_id": "c1", "name": "Ant"})).await;
    let companies = json!([{"company_id": "c1"}, {"company_id": "c2"}]);
    let reply = desk.ok("POST", "/tags", json!({"name": "Beta", "companies": companies})).await;
    assert_eq!(reply["companies"], json!([{"id": "c1", "tagged": true}, {"id": "c2", "tagged": false}]));
    assert_eq!(desk.ok("GET", "/tags", Value::Null).await["data"][0]["name"], "Beta");
    desk.running.stop().await;
}

#[tokio::test]
async fn the_control_paths_steer_it_from_outside() {
    let desk = Desk::start(Settings::default());
    let seed = json!({
        "data_attributes": [{"name": "plan", "model": "contact", "data_type": "string"}],
        "companies": [{"company_id": "c1", "name": "Ant"}],
        "contacts": [
            {"external_id": "u1", "email": "a@b.c", "companies": ["c1"], "tags": ["Beta"], "custom_attributes": {"plan": "pro"}},
            {"external_id": "u2", "archived": true},
            {"external_id": "u3", "merged_into": "u1"},
        ],
    });
    let ids = desk.ok("POST", "/_sandbox/seed", seed).await;
    assert_eq!(
        (ids["contacts"].as_array().map(Vec::len), ids["companies"].as_array().map(Vec::len)),
        (Some(3), Some(1))
    );
    assert_eq!(desk.found("a@b.c").await, 1, "what is seeded was there for long");
    let statuses = async |path: &str| desk.ask("GET", path, Value::Null).await.0;
    assert_eq!(statuses("/contacts/find_by_external_id/u2").await, 404);
    assert_eq!(statuses("/contacts/find_by_external_id/u3").await, 410);

    desk.ok("POST", "/_sandbox/clock", json!({"advance_secs": 60})).await;
    let now = desk.ok("GET", "/_sandbox/clock", Value::Null).await;
    assert_eq!(now["now"], Timestamp::from_second(START + 60).expect("a good time").to_string());
    desk.ok("POST", "/_sandbox/faults", json!([{"on": "GET /me", "does": {"status": {"status": 500}}}])).await;
    assert_eq!(statuses("/me").await, 500);
    assert_eq!(desk.ask("POST", "/_sandbox/faults", json!({"on": "GET /me", "does": "explode"})).await.0, 400);
    desk.ok("POST", "/_sandbox/settings", json!({"unknown_attributes": "refuse", "search_lag_secs": "never"})).await;
    assert_eq!(desk.ask("POST", "/_sandbox/settings", json!({"search_lag": 1})).await.0, 400);
    let unknown = json!({"external_id": "u4", "custom_attributes": {"shoe": 1}});
    assert_eq!(desk.ask("POST", "/contacts", unknown).await.0, 400);
    desk.ok("POST", "/_sandbox/tokens", json!({"revoke": "token"})).await;
    assert_eq!(statuses("/me").await, 401);

    let expected = json!({"on": "POST /contacts", "status": 400, "body": {"external_id": "u4"}});
    assert_eq!(desk.ok("POST", "/_sandbox/expect", expected).await["count"], 1);
    let journal = desk.ok("GET", "/_sandbox/journal?from=1&limit=2", Value::Null).await;
    assert_eq!((journal["entries"].as_array().map(Vec::len), &journal["next"]), (Some(2), &json!(3)));
    assert_eq!(desk.ok("GET", "/_sandbox/state", Value::Null).await["contacts"].as_array().map(Vec::len), Some(3));
    assert_eq!(statuses("/_sandbox/nothing").await, 404);
    desk.ok("POST", "/_sandbox/reset", Value::Null).await;
    assert_eq!((desk.held("contacts"), desk.running.journal()), (0, json!([])));
    assert_eq!(statuses("/me").await, 200, "a revoked token is good again");
    desk.running.stop().await;
}

#[tokio::test]
async fn every_request_and_reply_is_a_line_of_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let (requests, replies) = (folder.path().join("requests.jsonl"), folder.path().join("replies.jsonl"));
    let settings =
        Settings { journal: Some(requests.clone()), journal_replies: Some(replies.clone()), ..Settings::default() };
    let desk = Desk::start(settings);
    desk.user("u1", "a@b.c").await;
    let request = desk.request("POST", "/contacts?x=1", Value::Null).header("Content-Type", "application/json");
    request.body("{ \"role\": \"user\",\n  \"b\": 1, \"a\": 2 }").send().await.expect("an answer");
    desk.request("POST", "/contacts", Value::Null).body("{not JSON").send().await.expect("an answer");
    desk.send("GET", "/segments", Value::Null).await;
    desk.ok("GET", "/_sandbox/state", Value::Null).await;
    desk.ok("POST", "/events", json!({"event_name": "e", "created_at": START, "user_id": "u1"})).await;

    let read = |path| -> Vec<Value> {
        let text = fs::read_to_string(path).expect("a journal");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let lines = read(&requests);
    assert_eq!(lines.len(), 5, "the control paths are not part of it");
    let first = json!({
        "method": "POST", "path": "/contacts", "headers": {"Intercom-Version": "2.16"}, "expect": "valid", "status": 200,
        "body": {"external_id": "u1", "email": "a@b.c"},
    });
    assert_eq!(lines[0], first);
    assert!(
        fs::read_to_string(&requests).expect("a journal").contains(r#"{"role":"user","b":1,"a":2}"#),
        "in order sent"
    );
    assert_eq!((&lines[1]["path"], &lines[1]["reply"]["type"]), (&json!("/contacts?x=1"), &json!("error.list")));
    assert_eq!((&lines[2]["body"], &lines[2]["status"]), (&json!("{not JSON"), &json!(400)));
    assert!(text(&lines[3]["note"]).contains("GET /segments"));
    let lines = read(&replies);
    let expected: Vec<(u64, &str)> = lines
        .iter()
        .map(|line| (line["response"].as_u64().unwrap_or(0), line["expect"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(expected, [(200, "valid"), (400, "no-operation"), (400, "no-operation"), (202, "valid")]);
    assert_eq!(lines[0]["body"]["external_id"], "u1");
    desk.running.stop().await;
}

#[tokio::test]
async fn hostile_requests_are_refused_and_nothing_breaks() {
    let desk = Desk::start(Settings { body_bytes_max: 10_000, ..Settings::default() });
    let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
    let bodies =
        ["", "[]", "7", "\"x\"", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{\"email\":1e400}", "\u{feff}{}", &deep];
    for body in bodies {
        let request = desk.request("POST", "/contacts", Value::Null).body(body.to_owned());
        assert_eq!(request.send().await.expect("an answer").status(), 400, "{:.40}", body);
    }
    let long = json!({"email": "x".repeat(20_000)});
    assert_eq!(desk.ask("POST", "/contacts", long).await.0, 413);
    for path in
        ["/contacts/%00", "/contacts/%ff%fe", "//", "/contacts/a/b/c/d", "/companies?per_page=-1&company_id=%zz"]
    {
        assert!(desk.ask("GET", path, Value::Null).await.0 >= 400, "{path}");
    }
    desk.ok("GET", "/me", Value::Null).await;
    desk.running.stop().await;
}
