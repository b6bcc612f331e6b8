//! Bad input: each kind has its exact status and code, and disturbs nothing else.

use serde_json::json;

use super::service::Service;

#[track_caller]
fn check(service: &Service, path: &str, body: impl AsRef<[u8]>, code: &str) {
    service.post(path, body).is_refused(400, code);
    assert!(service.views().is_empty());
}

#[test]
fn text_that_is_not_json_is_refused() {
    let service = Service::start();
    let track = |body: &[u8], code| check(&service, "/v1/track", body, code);
    track(b"", "empty_body");
    track(b"{", "malformed_json");
    track(b"{\"userId\":\"u\",}", "malformed_json");
    track(b"userId=u&event=E", "malformed_json");
    track(b"{} {}", "malformed_json");
    track(b"{\"userId\":\"\xff\"}", "invalid_utf8");
    track(b"[]", "not_object");
    track(b"null", "not_object");
    track(b"\"text\"", "not_object");
    track(br#"{"userId":"u","event":"E","userId":"v"}"#, "duplicate_key");
    track(br#"{"userId":"u","event":"E","properties":{"a":1,"\u0061":2}}"#, "duplicate_key");
    track(br#"{"userId":"u\u0000","event":"E"}"#, "nul_character");
    track(br#"{"userId":"u","event":"\ud800"}"#, "lone_surrogate");
    track(br#"{"userId":"u","event":"E","properties":{"revenue":1e400}}"#, "number_out_of_range");
    let deep =
        format!(r#"{{"userId":"u","event":"E","properties":{{"a":{}1{}}}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    track(deep.as_bytes(), "too_deep");
}

#[test]
fn calls_that_are_no_events_are_refused() {
    let service = Service::start();
    let refuse = |path: &str, body: &str, code| check(&service, path, body, code);
    refuse("/v1/identify", "{}", "id_required");
    refuse("/v1/identify", r#"{"userId":null,"anonymousId":""}"#, "id_required");
    refuse("/v1/identify", r#"{"userId":{"id":5}}"#, "id_not_string");
    refuse("/v1/identify", r#"{"userId":"u","traits":[]}"#, "traits_not_object");
    refuse("/v1/track", r#"{"userId":"u"}"#, "event_not_defined");
    refuse("/v1/track", r#"{"userId":"u","event":{}}"#, "event_not_string");
    refuse("/v1/track", r#"{"userId":"u","event":"E","properties":"p"}"#, "properties_not_object");
    refuse("/v1/track", r#"{"userId":"u","event":"E","context":[]}"#, "context_not_object");
    refuse("/v1/track", r#"{"userId":"u","event":"E","messageId":{}}"#, "message_id_invalid");
    refuse("/v1/page", r#"{"userId":"u","name":[]}"#, "name_not_string");
    refuse("/v1/screen", r#"{"userId":"u","category":1}"#, "category_not_string");
    refuse("/v1/group", r#"{"userId":"u"}"#, "id_required");
    refuse("/v1/alias", r#"{"userId":"u"}"#, "id_required");
    let long = json!({ "userId": "u", "messageId": "m".repeat(101) }).to_string();
    refuse("/v1/identify", &long, "message_id_invalid");
    let message = service.post("/v1/group", r#"{"userId":"u"}"#).is_refused(400, "id_required");
    assert_eq!(message, "group needs `groupId`");
}

#[test]
fn bodies_that_are_no_batch_are_refused() {
    let service = Service::start();
    let refuse = |body: &str, code| check(&service, "/v1/batch", body, code);
    refuse("[]", "not_object");
    refuse("{}", "empty_batch");
    refuse(r#"{"batch":[]}"#, "empty_batch");
    refuse(r#"{"batch":{"a":1}}"#, "batch_not_list");
    refuse(r#"{"batch":[{}],"batch":[]}"#, "duplicate_key");
    refuse(r#"{"batch":[{"type":"page","userId":"u"}"#, "malformed_json");
    let ones = |count: usize| format!(r#"{{"batch":[{}1]}}"#, "1,".repeat(count - 1));
    refuse(&ones(2501), "batch_too_large");
    refuse(&ones(2_000_000), "batch_too_large");
    let reply = service.post("/v1/batch", ones(2500));
    reply.is_refused(400, "empty_batch_result");
    assert_eq!(reply.json()["rejected"].as_array().unwrap().len(), 2500);
}

#[test]
fn good_items_of_a_batch_are_kept_and_bad_ones_listed() {
    let service = Service::start();
    let large = "x".repeat(128 * 1024);
    let items = [
        r#"{"type":"track","userId":"u","event":"first"}"#,
        r#"{"type":"track","userId":"u"}"#,
        r#"{"type":"trak","userId":"u","event":"E"}"#,
        r#"{"userId":"u"}"#,
        "17",
        r#"{"type":"page","userId":"u","properties":{"n":1e400}}"#,
        r#"{"type":"page","userId":"u","properties":{"a":1,"a":2}}"#,
        &format!(r#"{{"type":"page","userId":"u","name":"{large}"}}"#),
        &format!(r#"{{"type":"page","userId":"u","properties":{}1{}}}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
        r#"{"type":"page","userId":"u","name":"\udead"}"#,
        r#"{"type":"Identify","userId":"last"}"#,
    ];
    let reply = service.post("/v1/batch", format!(r#"{{"batch":[{}]}}"#, items.join(",")));
    assert_eq!((reply.status, &reply.json()["success"]), (200, &true.into()));
    let rejected: Vec<(u64, String)> = reply.json()["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["index"].as_u64().unwrap(), item["code"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        (1, "event_not_defined"),
        (2, "type_unknown"),
        (3, "type_missing"),
        (4, "not_object"),
        (5, "number_out_of_range"),
        (6, "duplicate_key"),
        (7, "payload_too_large"),
        (8, "too_deep"),
        (9, "lone_surrogate"),
    ];
    assert_eq!(rejected, expected.map(|(index, code)| (index, code.to_owned())));
    assert_eq!(reply.json()["rejected"][1]["message"], "unknown `type` `trak`, did you mean `track`?");
    let kept: Vec<_> = service.views().iter().map(|view| view["type"].clone()).collect();
    assert_eq!(kept, ["track", "identify"]);
    assert_eq!(service.metric(r#"events_rejected_total{code="too_deep",source="website"}"#), 1.0);
    assert_eq!(service.metric(r#"events_received_total{source="website",type="track"}"#), 1.0);
}

#[test]
fn refusals_are_counted_by_their_code() {
    let service = Service::start();
    service.post("/v1/track", "{").is_refused(400, "malformed_json");
    service.post("/v1/nowhere", "{").is_refused(404, "not_found");
    assert_eq!(service.metric(r#"events_rejected_total{code="malformed_json",source="website"}"#), 1.0);
    assert_eq!(service.metric(r#"events_rejected_total{code="not_found",source=""}"#), 1.0);
}
