//! Nothing of an event leaves the store but to its destination: not in logs at any level, and in no metric.

use std::time::Duration;

use interline::sandbox::{Effect, Fault};
use serde_json::json;

use crate::support::{Served, eventually, http, quick_sandbox};

/// Words that stand somewhere in the events that are sent.
const SECRETS: [&str; 12] = [
    "quince-user",
    "quince-anonymous",
    "quince-mail",
    "quince-name",
    "quince-trait",
    "quince-value",
    "quince-event",
    "quince-group",
    "quince-company",
    "quince-page",
    "quince-broken",
    "203.0.113.77",
];

fn calls() -> Vec<(&'static str, serde_json::Value)> {
    let context = json!({ "ip": "203.0.113.77", "page": { "url": "https://quince-page.example/" } });
    let user = "quince-user";
    vec![
        (
            "track",
            json!({ "userId": user, "event": "quince-event", "properties": { "p": "quince-value" }, "context": context }),
        ),
        ("group", json!({ "userId": user, "groupId": "quince-group", "traits": { "name": "quince-company" } })),
        (
            "identify",
            json!({ "userId": user, "anonymousId": "quince-anonymous",
            "traits": { "email": "quince-mail@example.com", "name": "quince-name", "t": "quince-trait" } }),
        ),
        ("track", json!({ "userId": user, "event": "quince-event", "properties": { "p": "quince-value" } })),
        ("identify", json!({ "userId": 7, "traits": { "email": "not quince-mail", "name": "quince-name" } })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_every_level_and_metrics_hold_nothing_of_an_event() {
    let intercom = quick_sandbox().await;
    for (nth, effect) in
        [(2, Effect::status(500)), (4, Effect::status(422)), (5, Effect::Html { status: 502, commit: false })]
    {
        let mut fault = Fault::new("*", effect);
        fault.nth = nth;
        intercom.control().fault(fault);
    }
    let directory = tempfile::tempdir().unwrap();
    let more = "log: { level: trace, format: json }\n\
                delivery: { retry: { first_wait_secs: 0.01, too_early_first_wait_secs: 0.01 } }\n";
    let addresses = Served::configure(directory.path(), intercom.url(), more);
    let service = Served::start(directory.path(), addresses).await;
    let (client, ingest, admin) = (http(), addresses.0, addresses.1);
    for (kind, call) in calls() {
        let url = format!("http://{ingest}/v1/{kind}");
        client.post(url).basic_auth("quince-broken", Some("")).json(&call).send().await.unwrap();
        let url = format!("http://{ingest}/v1/{kind}?writeKey=key");
        client.post(url).json(&call).send().await.unwrap();
    }
    let broken = client.post(format!("http://{ingest}/v1/track")).basic_auth("key", Some(""));
    broken.body(r#"{"userId":"quince-user","event":"quince-broken""#).send().await.unwrap();
    let metrics = async || client.get(format!("http://{admin}/metrics")).send().await.unwrap().text().await.unwrap();
    eventually("everything has ended", Duration::from_secs(30), async || {
        let metrics = metrics().await;
        let waiting = metrics.lines().find(|line| line.starts_with("interline_store_backlog{source=\"website\"}"));
        metrics.contains("status=\"delivered\"") && waiting.is_some_and(|line| line.ends_with(" 0"))
    })
    .await;
    let metrics = metrics().await;
    assert_eq!(service.terminate(), Some(0));
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""), "{log}");
    for secret in SECRETS {
        let lines: Vec<&str> = log.lines().chain(metrics.lines()).filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "{} lines tell `{secret}`: {:#?}", lines.len(), &lines[..lines.len().min(5)]);
    }
}
