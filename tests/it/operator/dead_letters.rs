//! Dead letters: looked at, attempted again, discarded and exported, by the real binary and a running router.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use interline::sandbox::{Effect, Fault};
use regex::Regex;
use serde_json::{Value, json};

use super::api::{House, LIMIT};
use super::compare;
use crate::support::eventually;

fn refusing(on: &str) -> Fault {
    Fault { count: 0, ..Fault::new(on, Effect::status(422)) }
}

impl House {
    pub(super) async fn send(&self, calls: Vec<Value>) {
        let url = format!("http://{}/v1/batch", self.service.ingest);
        let body = json!({ "batch": calls });
        let reply = crate::support::http().post(url).basic_auth("key", Some("")).json(&body).send().await.unwrap();
        assert_eq!(reply.status(), 200);
    }

    async fn dead(&self) -> u64 {
        self.get("/api/stats").await["store"]["dead_letters"].as_u64().unwrap()
    }

    /// Runs a command and writes down what came of it.
    pub(super) async fn notes(&self, transcript: &mut String, words: &[&str]) {
        let (code, out, err) = self.types(words).await;
        writeln!(transcript, "$ interline {}\n{out}{err}exit {code}\n", words.join(" ")).unwrap();
    }
}

pub(super) fn identify(user: &str) -> Value {
    json!({ "type": "identify", "userId": user, "messageId": user, "timestamp": "2026-01-01T00:00:00Z",
        "traits": { "email": format!("{user}@example.com") } })
}

pub(super) fn track(user: &str, event: &str) -> Value {
    json!({ "type": "track", "userId": user, "messageId": event, "timestamp": "2026-01-01T00:00:00Z", "event": event })
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_shown_retried_and_discarded() {
    let house = House::new().await;
    house.intercom.control().fault(refusing("POST /contacts"));
    house.send(["u-1", "u-2", "u-3"].map(identify).into()).await;
    eventually("three dead letters", LIMIT, async || house.dead().await == 3).await;
    let mut said = String::new();
    house.notes(&mut said, &["dead-letters", "list"]).await;
    house.notes(&mut said, &["dead-letters", "list", "--user-id", "u-2", "--since", "1h"]).await;
    house.notes(&mut said, &["dead-letters", "list", "--email", "U-3@example.com", "--limit", "1"]).await;
    house.notes(&mut said, &["dead-letters", "list", "--since", "yesterday"]).await;
    house.notes(&mut said, &["dead-letters", "retry"]).await;
    house.notes(&mut said, &["dead-letters", "retry", "1.0", "--all"]).await;
    house.notes(&mut said, &["dead-letters", "retry", "1.0", "7.0", "--dry-run"]).await;
    house.notes(&mut said, &["dead-letters", "show", "7"]).await;
    house.notes(&mut said, &["dead-letters", "discard", "--all"]).await;
    house.intercom.control().clear_faults();
    house.notes(&mut said, &["dead-letters", "retry", "--user-id", "u-1"]).await;
    eventually("the first contact", LIMIT, async || house.emails() == ["u-1@example.com"]).await;
    eventually("its end", LIMIT, async || house.pending().await == 0).await;
    house.notes(&mut said, &["dead-letters", "show", "1.0"]).await;
    house.notes(&mut said, &["dead-letters", "discard", "3.0", "--yes", "--format", "json"]).await;
    house.notes(&mut said, &["deliveries", "list", "--code", "discarded"]).await;
    let remap = ["dead-letters", "retry", "--mapping", "Identify Contact", "--remap"];
    house.notes(&mut said, &remap).await;
    eventually("the second contact", LIMIT, async || house.emails().len() == 2).await;
    eventually("its end", LIMIT, async || house.pending().await == 0).await;
    house.notes(&mut said, &["dead-letters", "list"]).await;
    compare("dead_letters.txt", &said);

    let story = house.get("/api/deliveries/2.0").await;
    assert_eq!(story["delivery"]["status"]["is"], "delivered", "{story}");
    let handled = &story["delivery"]["handled"][0];
    assert_eq!((&handled["deed"], &handled["by"]), (&json!("remap"), &json!("the command line")));
    assert_eq!(story["story"].as_array().map(Vec::len), Some(2), "the attempt of before is still told");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_does_not_put_old_values_over_newer_ones() {
    let house = House::new().await;
    let call = |message: &str, traits: Value| json!({ "type": "identify", "userId": "u-1", "messageId": message, "timestamp": "2026-01-01T00:00:00Z", "traits": traits });
    house.intercom.control().fault(refusing("POST /contacts"));
    house
        .send(vec![
            call("1", json!({ "name": "Old", "phone": "+353871234567" })),
            call("2", json!({ "name": "Older" })),
        ])
        .await;
    eventually("two dead letters", LIMIT, async || house.dead().await == 2).await;
    house.intercom.control().clear_faults();
    house.send(vec![call("3", json!({ "name": "New" }))]).await;
    eventually("the contact", LIMIT, async || house.intercom.state()["contacts"][0]["name"] == "New").await;
    eventually("its end", LIMIT, async || house.pending().await == 0).await;
    let mut said = String::new();
    house.notes(&mut said, &["dead-letters", "retry", "--all", "--dry-run"]).await;
    house.notes(&mut said, &["dead-letters", "retry", "--all", "--dry-run", "--overwrite"]).await;
    house.notes(&mut said, &["dead-letters", "retry", "--all", "--dry-run", "--format", "json"]).await;
    house.notes(&mut said, &["dead-letters", "retry", "--all"]).await;
    compare("dead_letters_newer.txt", &said);
    eventually("its end", LIMIT, async || house.pending().await == 0).await;
    let contact = house.intercom.state()["contacts"][0].clone();
    assert_eq!((&contact["name"], &contact["phone"]), (&json!("New"), &json!("+353871234567")));
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_story_and_no_credential() {
    let house = House::new().await;
    house.intercom.control().fault(refusing("POST /contacts"));
    house.send((0..450).map(|number| identify(&format!("u-{number}"))).collect()).await;
    eventually("all dead", LIMIT, async || house.dead().await == 450).await;
    let (code, out, err) = house.types(&["dead-letters", "export", "--destination", "intercom"]).await;
    assert_eq!((code, out.lines().count(), err.trim()), (0, 450, "450 dead letters"));
    let stories: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(stories.iter().enumerate().all(|(at, story)| story["delivery"]["id"] == format!("{}.0", at + 1)));
    assert_eq!(stories[7]["event"]["traits"]["email"], "u-7@example.com");
    assert_eq!(stories[7]["story"][0]["failure"]["code"], "payload_rejected", "{}", stories[7]);
    let credential = Regex::new("(?i)bearer|authorization|write_?key|access_token").unwrap();
    assert!(!credential.is_match(&out));
    let (_, out, _) = house.types(&["dead-letters", "list", "--limit", "120", "--format", "json"]).await;
    let page: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((page["dead_letters"].as_array().map(Vec::len), &page["next"]), (Some(120), &json!("331.0")));
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_refuses_what_it_is_not_sure_of() {
    let house = House::new().await;
    for (body, part) in [
        (json!({}), "nothing says which"),
        (json!({"ids": ["1.0"], "all": true}), "exclude each other"),
        (json!({"ids": ["1.0"], "mapping": "m"}), "exclude each other"),
        (json!({"ids": ["one"]}), "not a delivery id"),
        (json!({"mappin": "m"}), "did you mean `mapping`?"),
        (json!({"all": "yes"}), "wrong type"),
        (json!({"all": true, "limit": 501}), "`limit`"),
        (json!({"since": "soon"}), "time ago like"),
    ] {
        let (status, problem) = house.post("/api/dead-letters/retry", body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("parameter_invalid")));
        assert!(problem["message"].as_str().unwrap().contains(part), "{problem}");
    }
    let (status, problem) = house.post("/api/dead-letters/discard", json!({"all": true, "remap": true})).await;
    assert!(status == 400 && problem["message"].as_str().unwrap().contains("unknown member `remap`"), "{problem}");
    assert_eq!(house.get("/api/dead-letters?status=pending").await["code"], "parameter_invalid");
    assert_eq!(house.get("/api/dead-letters/1.0").await["code"], "delivery_not_found");
    assert_eq!(house.get("/api/dead-letters/retry").await["code"], "parameter_invalid");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_retry_loses_none_and_doubles_none() {
    const LETTERS: usize = 400;
    let mut house = House::new().await;
    house.intercom.control().fault(refusing("POST /contacts"));
    house.send((0..LETTERS).map(|number| identify(&format!("u-{number}"))).collect()).await;
    eventually("all dead", LIMIT, async || house.dead().await == LETTERS as u64).await;
    house.intercom.control().clear_faults();
    let mut luck = fastrand::Rng::with_seed(7);
    for _ in 0..5 {
        let (url, client) = (format!("{}/api/dead-letters/retry", house.url()), crate::support::http());
        let retrying = tokio::spawn(async move {
            let mut after = Value::Null;
            for _ in 0..3 {
                let body = json!({ "all": true, "limit": 20, "after": after });
                let Ok(reply) = client.post(&url).json(&body).send().await else { return };
                let Ok(answer) = reply.json::<Value>().await else { return };
                after = answer["next"].clone();
            }
        });
        // The moment of the kill is what this test is about; no outcome depends on its length.
        tokio::time::sleep(Duration::from_micros(luck.u64(1_000..80_000))).await;
        house.kill_and_start().await;
        retrying.await.unwrap();
    }
    let (code, _, err) = house.types(&["dead-letters", "retry", "--all"]).await;
    assert!(code == 0, "{err}");
    eventually("everybody", LIMIT, async || house.pending().await == 0 && house.dead().await == 0).await;
    let mut emails = house.emails();
    emails.sort();
    emails.dedup();
    assert_eq!((emails.len(), house.emails().len()), (LETTERS, LETTERS));
    let page = house.get("/api/deliveries?limit=500").await;
    let ended = page["deliveries"].as_array().unwrap();
    assert!(ended.iter().all(|one| one["handled"].as_array().map(Vec::len) == Some(1)), "each was retried once");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_and_live_events_of_a_person_keep_their_order() {
    let house = House::new().await;
    house.send(vec![identify("u-1")]).await;
    eventually("the contact", LIMIT, async || house.emails().len() == 1).await;
    house.intercom.control().fault(refusing("POST /events"));
    house.send((0..40).map(|number| track("u-1", &format!("old {number:02}"))).collect()).await;
    eventually("all dead", LIMIT, async || house.dead().await == 40).await;
    house.intercom.control().clear_faults();
    let live = async {
        for batch in 0..10 {
            let events = (0..4).map(|number| track("u-1", &format!("new {:02}", batch * 4 + number)));
            house.send(events.collect()).await;
        }
    };
    let (_, retried) = tokio::join!(live, house.types(&["dead-letters", "retry", "--all"]));
    assert_eq!(retried.0, 0, "{}", retried.2);
    let arrived = || {
        let journal = house.intercom.journal();
        let sent =
            journal.as_array().unwrap().iter().filter(|entry| entry["path"] == "/events" && entry["status"] == 202);
        sent.map(|entry| entry["body"]["event_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    eventually("all of them", LIMIT, async || arrived().len() == 80).await;
    let mut by_word: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in arrived() {
        by_word.entry(name[..3].to_owned()).or_default().push(name);
    }
    assert!(by_word.len() == 2 && by_word.values().all(|names| names.is_sorted()), "{by_word:?}");
    house.intercom.stop().await;
}
