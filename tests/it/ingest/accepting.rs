//! From a good call to a stored event: what is added, what the store may answer, how much may wait.

use interline::instant;
use interline::store::Error;

use super::service::{Mode, NOW, Service, basic};

#[test]
fn an_event_is_kept_as_it_came_with_what_the_door_learned_beside_it() {
    let service = Service::start();
    let call = " {\"userId\": 17,\n \"event\":\"E\", \"properties\":{\"price\":1.10}} ";
    service.post("/v1/track", call).is_success();
    let event = service.taken();
    assert_eq!(&*event.body, call.as_bytes());
    assert_eq!(event.envelope.received_at, instant::parse(NOW).unwrap());
    assert_eq!(event.envelope.timestamp, event.envelope.received_at);
    assert_eq!((event.envelope.message_id.len(), event.envelope.ip.clone()), (36, None));
    assert_eq!(event.view().unwrap().to_value()["userId"], "17");
}

#[test]
fn the_senders_clock_is_corrected_by_sent_at() {
    let service = Service::start();
    let check = |batch: &str, item: &str, expected: &str| {
        let body = format!(r#"{{"batch":[{{"type":"page","userId":"u"{item}}}]{batch}}}"#);
        service.post("/v1/batch", body).is_success();
        assert_eq!(service.taken().envelope.timestamp, instant::parse(expected).unwrap(), "{batch} {item}");
    };
    check("", "", NOW);
    check(r#","sentAt":"2026-06-01T15:00:00Z""#, r#","timestamp":"2026-06-01T14:59:00Z""#, "2026-06-01T11:59:00Z");
    check(r#","sentAt":"2026-06-01T15:00:00Z""#, r#","timestamp":"2026-06-01T15:00:01Z""#, NOW);
    check("", r#","timestamp":"2026-06-01T14:59:00Z""#, NOW);
    check("", r#","timestamp":"2026-06-01T11:59:00Z""#, "2026-06-01T11:59:00Z");
    check(
        r#","sentAt":"2026-06-01T15:00:00+00:00""#,
        r#","originalTimestamp":"2026-06-01T14:59:00.123456789Z""#,
        "2026-06-01T11:59:00.123456789Z",
    );
    check(
        r#","sentAt":"2026-06-01T15:00:00Z""#,
        r#","sentAt":"2026-06-01T14:59:10Z","timestamp":"2026-06-01T14:59:00Z""#,
        "2026-06-01T11:59:50Z",
    );
    check(r#","sentAt":"whenever""#, r#","timestamp":"some day""#, NOW);
    check(r#","sentAt":1780326000000"#, r#","timestamp":1780325940000"#, "2026-06-01T11:59:00Z");
}

#[test]
fn what_a_batch_says_holds_for_its_items() {
    let service = Service::start();
    let body = r#"{"context":{"app":"x","ip":"198.51.100.7"},"integrations":{"All":false},
        "batch":[{"type":"page","userId":"u","context":{"app":"y"}},{"type":"page","userId":"u"}]}"#;
    service.post("/v1/batch", body).is_success();
    let views = service.views();
    assert_eq!((&views[0]["context"]["app"], &views[1]["context"]["app"]), (&"y".into(), &"x".into()));
    assert_eq!((&views[0]["context"]["ip"], &views[1]["integrations"]["All"]), (&"198.51.100.7".into(), &false.into()));
}

#[test]
fn addresses_come_from_client_routes_and_trusted_proxies() {
    let call = r#"{"userId":"u","event":"E"}"#;
    let ip = |service: &Service, path: &str| {
        let headers = [("Authorization", &*basic("web-key")), ("X-Forwarded-For", "203.0.113.5, 127.0.0.1")];
        service.call("POST", path, &headers, call).is_success();
        service.taken().envelope.ip
    };
    let open = Service::start();
    assert_eq!(ip(&open, "/v1/track"), None);
    assert_eq!(ip(&open, "/v1/t").as_deref(), Some("127.0.0.1"));
    let behind = Service::with(|settings| settings.ingest.trusted_proxies = vec!["127.0.0.0/8".to_owned()]);
    assert_eq!(ip(&behind, "/v1/t").as_deref(), Some("203.0.113.5"));
}

#[test]
fn a_repeat_is_answered_as_the_first_time() {
    let service = Service::start();
    for _ in 0..3 {
        service.post("/v1/track", r#"{"userId":"u","event":"E","messageId":"m1"}"#).is_success();
    }
    let other = [("Authorization", &*basic("back-key"))];
    service.call("POST", "/v1/track", &other, r#"{"userId":"u","event":"E","messageId":"m1"}"#).is_success();
    assert_eq!(service.views().len(), 2);
    assert_eq!(service.metric(r#"events_accepted_total{source="website",type="track"}"#), 1.0);
    assert_eq!(service.metric(r#"events_received_total{source="website",type="track"}"#), 3.0);
    assert_eq!(service.metric(r#"events_duplicate_total{source="website"}"#), 2.0);
}

#[test]
fn trouble_of_the_store_is_told() {
    let service = Service::with(|settings| settings.ingest.accept_timeout_secs = 0);
    let call = r#"{"userId":"u","event":"E"}"#;
    let set = |mode| service.store.inner().mode = mode;
    set(Mode::Refuses(Error::Unavailable("no space left in /secret/place".to_owned())));
    let reply = service.post("/v1/track", call);
    let message = reply.is_refused(503, "store_unavailable");
    assert!(!message.contains("/secret/place"));
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert_eq!(service.ask_admin("/readyz", &[]).status, 503);
    set(Mode::Silent);
    let reply = service.post("/v1/track", call);
    reply.is_refused(503, "store_slow");
    assert_eq!(reply.header("retry-after"), Some("5"));
    set(Mode::Refuses(Error::Failed("broken".to_owned())));
    service.post("/v1/track", call).is_refused(500, "store_failed");
    set(Mode::Works);
    service.post("/v1/track", call).is_success();
    assert_eq!(service.ask_admin("/readyz", &[]).status, 200);
    assert_eq!(service.metric(r#"events_rejected_total{code="store_unavailable",source="website"}"#), 1.0);
}

#[test]
fn a_source_that_floods_is_slowed_and_the_others_are_not() {
    let service = Service::with(|settings| settings.ingest.backlog_max = 100);
    let call = r#"{"userId":"u","event":"E"}"#;
    service.store.inner().backlog.insert("website".into(), 50);
    let reply = service.post("/v1/track", call);
    reply.is_refused(429, "backlog_full");
    assert_eq!(reply.header("retry-after"), Some("5"));
    service.post("/v1/batch", r#"{"batch":[{"type":"page","userId":"u"}]}"#).is_refused(429, "backlog_full");
    service.call("POST", "/v1/track", &[("Authorization", &basic("back-key"))], call).is_success();
    service.store.inner().backlog.insert("website".into(), 49);
    service.post("/v1/track", call).is_success();
    assert_eq!(service.metric(r#"events_rejected_total{code="backlog_full",source="website"}"#), 2.0);
}
