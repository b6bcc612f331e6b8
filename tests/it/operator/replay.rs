//! Retained events that are delivered again, by the real binary and a running router.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::{House, LIMIT};
use super::compare;
use super::dead_letters::{identify, track};
use crate::support::{eventually, http};

fn named(user: &str, name: &str, message: &str) -> Value {
    json!({ "type": "identify", "userId": user, "messageId": message, "timestamp": "2026-01-01T00:00:00Z",
        "traits": { "email": format!("{user}@example.com"), "name": name } })
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_counted_begun_shown_and_ended() {
    let house = House::new().await;
    house
        .send(vec![named("u-1", "Old", "m-1"), named("u-1", "New", "m-2"), identify("u-2"), track("u-2", "Paid")])
        .await;
    eventually("all four", LIMIT, async || {
        house.emails().len() == 2 && house.pending().await == 0 && house.get("/api/stats").await["store"]["routed"] == 4
    })
    .await;
    let mut said = String::new();
    house.notes(&mut said, &["replay", "start", "--all", "--dry-run"]).await;
    house.notes(&mut said, &["replay", "start", "--type", "track", "--since", "1h", "--dry-run"]).await;
    house.notes(&mut said, &["replay", "start", "--event", "Paid", "--user-id", "u-1", "--dry-run"]).await;
    house.notes(&mut said, &["replay", "start"]).await;
    house.notes(&mut said, &["replay", "start", "--all", "--destination", "intercon"]).await;
    house.notes(&mut said, &["replay", "start", "--type", "tracks"]).await;
    house.notes(&mut said, &["replay", "start", "--since", "1h", "--until", "2h"]).await;
    house.notes(&mut said, &["replay", "start", "--all", "--rate", "0"]).await;
    house.notes(&mut said, &["replay", "show", "1"]).await;
    house.notes(&mut said, &["replay", "start", "--all", "--destination", "intercom"]).await;
    house.notes(&mut said, &["replay", "start", "--all", "--rate", "0.001", "--detach"]).await;
    eventually("the first of them", LIMIT, async || house.get("/api/replays/2").await["fed"] == 1).await;
    house.notes(&mut said, &["replay", "cancel", "2"]).await;
    house.notes(&mut said, &["replay", "list"]).await;
    compare("replay.txt", &said);

    eventually("their ends", LIMIT, async || house.pending().await == 0).await;
    let state = house.intercom.state();
    let contacts = state["contacts"].as_array().unwrap();
    let names: Vec<&Value> = contacts.iter().map(|contact| &contact["name"]).collect();
    assert!(names.contains(&&json!("New")) && !names.contains(&&json!("Old")), "{names:?}");
    assert_eq!(state["events"].as_array().map(Vec::len), Some(1), "the same event at the same second is one");
    let page = house.get("/api/deliveries?code=written_since").await;
    assert_eq!(page["deliveries"][0]["status"]["reason"], "written_since", "{page}");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_replay_loses_none_and_repeats_none() {
    const PEOPLE: u64 = 400;
    let mut house = House::new().await;
    house.send((0..PEOPLE).map(|number| identify(&format!("u-{number}"))).collect()).await;
    eventually("everybody", LIMIT, async || {
        house.get("/api/stats").await["store"]["routed"] == PEOPLE && house.pending().await == 0
    })
    .await;
    let (status, job) = house.post("/api/replays", json!({ "all": true, "rate": 400 })).await;
    assert_eq!((status, &job["id"], &job["state"]), (200, &json!(1), &json!("running")));
    let mut luck = fastrand::Rng::with_seed(7);
    let mut live = 0;
    while house.get("/api/replays/1").await["state"] == "running" && live < 5 {
        house.send(vec![identify(&format!("live-{live}"))]).await;
        live += 1;
        // The moment of the kill is what this test is about; no outcome depends on its length.
        tokio::time::sleep(Duration::from_micros(luck.u64(1_000..200_000))).await;
        house.kill_and_start().await;
    }
    eventually("its end", LIMIT, async || house.get("/api/replays/1").await["state"] == "done").await;
    let job = house.get("/api/replays/1").await;
    assert_eq!((&job["fed"], &job["at"]), (&json!(PEOPLE), &json!(PEOPLE)), "{job}");
    eventually("everything", LIMIT, async || {
        let store = house.get("/api/stats").await["store"].clone();
        store["routed"] == store["last"] && house.pending().await == 0
    })
    .await;
    assert_eq!(
        house.get("/api/stats").await["store"]["last"],
        2 * PEOPLE + live,
        "each event once more, and the live ones"
    );
    assert_eq!(house.emails().len() as u64, PEOPLE + live);
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_asked_for_in_the_right_way() {
    let house = House::new().await;
    let (status, problem) = house.post("/api/replays", json!({ "all": true, "kinds": [] })).await;
    assert!(status == 400 && problem["message"].as_str().unwrap().contains("unknown field `kinds`"), "{problem}");
    let put = http().put(format!("{}/api/replays", house.url())).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.headers()["allow"].to_str().unwrap()), (405, "GET, POST"));
    let cancel = http().get(format!("{}/api/replays/1/cancel", house.url())).send().await.unwrap();
    assert_eq!((cancel.status().as_u16(), cancel.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(house.get("/api/replays/one").await["code"], "parameter_invalid");
    assert_eq!(house.get("/api/replays/7").await["code"], "replay_not_found");
    house.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_what_it_asked_for_and_the_end() {
    let mut house = House::new().await;
    let url = format!("{}/api/tail", house.url());
    let mut all = http().get(&url).send().await.unwrap();
    let mut one = http().get(format!("{url}?user_id=u-2&status=delivered")).send().await.unwrap();
    assert_eq!(http().get(format!("{url}?userid=u-2")).send().await.unwrap().status(), 400);
    house.send(vec![identify("u-1"), identify("u-2")]).await;
    let mut seen = String::new();
    while seen.matches("\"is\":\"delivered\"").count() < 2 {
        let chunk = tokio::time::timeout(LIMIT, all.chunk()).await.expect("something happens").unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert_eq!((seen.matches("\"event\":{").count(), seen.matches("\"is\":\"pending\"").count()), (2, 2), "{seen}");
    let chunk = tokio::time::timeout(LIMIT, one.chunk()).await.expect("it is told").unwrap().unwrap();
    let line: Value = serde_json::from_slice(&chunk).unwrap();
    assert_eq!((&line["delivery"]["id"], &line["delivery"]["status"]["is"]), (&json!("2.0"), &json!("delivered")));
    // Who waits for a name that there is not would wait for ever.
    for (query, part) in [
        ("source=websit", "there is no source `websit`; did you mean `website`?"),
        ("destination=crm", "there is no destination `crm`; there are intercom"),
    ] {
        let refused = http().get(format!("{url}?{query}")).send().await.unwrap();
        assert_eq!(refused.status(), 400);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["message"], part);
    }
    let (code, _, err) = house.types(&["tail", "--destination", "interom"]).await;
    assert!(code == 2 && err.contains("did you mean `intercom`?"), "{code}: {err}");
    // Watchers do not hold up the end of the service.
    house.kill_and_start().await;
    house.intercom.stop().await;
}
