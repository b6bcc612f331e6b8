//! Whose call it is.

use super::service::{Service, basic};

const CALL: &str = r#"{"userId":"u"}"#;

/// Sends an identify with these headers, query and body; the source it was taken for, or the refusal's code.
fn source_of(service: &Service, headers: &[(&str, &str)], query: &str, body: &str) -> String {
    let reply = service.call("POST", &format!("/v1/identify{query}"), headers, body);
    match reply.status {
        200 => service.taken().envelope.source.to_string(),
        status => format!("{status} {}", reply.json()["code"].as_str().unwrap()),
    }
}

#[test]
fn a_key_may_stand_in_five_places() {
    let service = Service::start();
    let check = |headers: &[(&str, &str)], query: &str, body: &str, expected: &str| {
        assert_eq!(source_of(&service, headers, query, body), expected, "{headers:?} {query} {body}");
    };
    check(&[("Authorization", &basic("web-key"))], "", CALL, "website");
    check(&[("Authorization", "Basic d2ViLWtleQ==")], "", CALL, "website");
    check(&[("Authorization", &basic("web-key-2"))], "", CALL, "website");
    check(&[("Authorization", "Bearer back-key")], "", CALL, "backend");
    check(&[("X-Write-Key", "back-key:secret")], "", CALL, "backend");
    check(&[], "", r#"{"userId":"u","writeKey":"back-key"}"#, "backend");
    check(&[], "?writeKey=back-key", CALL, "backend");
    check(&[], "?writekey=back-key", CALL, "backend");
}

#[test]
fn the_first_place_that_names_a_key_decides() {
    let service = Service::start();
    let web = basic("web-key");
    let check = |headers: &[(&str, &str)], query: &str, body: &str, expected: &str| {
        assert_eq!(source_of(&service, headers, query, body), expected, "{headers:?} {query} {body}");
    };
    let back = r#"{"userId":"u","writeKey":"back-key"}"#;
    check(&[("Authorization", &web), ("X-Write-Key", "back-key")], "?writeKey=back-key", back, "website");
    check(&[("Authorization", "Bearer web-key"), ("X-Write-Key", "back-key")], "", back, "website");
    check(&[("X-Write-Key", "web-key")], "?writeKey=back-key", back, "website");
    check(&[], "?writeKey=web-key", back, "backend");
    check(&[("Authorization", &basic("nobody"))], "", back, "401 unknown_write_key");
    check(&[("X-Write-Key", "nobody")], "", back, "401 unknown_write_key");
    check(&[("Authorization", "Bearer eyJhbGciOi.an.oauth-token")], "", back, "backend");
    check(&[("Authorization", &basic(""))], "", back, "backend");
    check(&[], "", r#"{"userId":"u","writeKey":"nobody"}"#, "401 unknown_write_key");
    check(&[], "", CALL, "401 write_key_missing");
    check(&[], "", r#"{"userId":"u","writeKey":5}"#, "401 write_key_missing");
    check(&[("Authorization", &basic("old-key"))], "", CALL, "401 source_disabled");
}

#[test]
fn a_batch_has_its_key_at_the_root_or_in_its_first_item() {
    let service = Service::start();
    let check = |body: &str, expected: &str| {
        let reply = service.call("POST", "/v1/batch", &[], body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(&*service.taken().envelope.source, expected);
    };
    check(r#"{"batch":[{"type":"page","userId":"u","writeKey":"back-key"}],"writeKey":"web-key"}"#, "website");
    check(r#"{"batch":[{"type":"page","userId":"u","writeKey":"back-key"}]}"#, "backend");
    check(r#"{"writeKey":null,"batch":[{"type":"page","userId":"u","writeKey":"back-key"}]}"#, "backend");
    service.call("POST", "/v1/batch", &[], r#"{"batch":[{"type":"page"}]}"#).is_refused(401, "write_key_missing");
}

#[test]
fn calls_that_are_nobodys_can_be_answered_as_segment_does() {
    let service =
        Service::with(|settings| settings.ingest.unknown_write_key = interline::http::ingest::UnknownWriteKey::Accept);
    service.call("POST", "/v1/identify", &[("Authorization", &basic("nobody"))], CALL).is_success();
    service.call("POST", "/v1/identify", &[("Authorization", &basic("old-key"))], CALL).is_success();
    service.call("POST", "/v1/batch", &[], r#"{"batch":[{}],"writeKey":"nobody"}"#).is_success();
    assert!(service.views().is_empty());
    assert_eq!(service.metric(r#"events_rejected_total{code="unknown_write_key",source=""}"#), 2.0);
    assert_eq!(service.metric(r#"events_rejected_total{code="source_disabled",source="old"}"#), 1.0);
    service.call("POST", "/v1/identify", &[], CALL).is_refused(401, "write_key_missing");
    service.get("/v1/projects/nobody/settings").is_refused(404, "unknown_write_key");
}

#[test]
fn no_answer_repeats_a_key() {
    let service = Service::start();
    let reply = service.call("POST", "/v1/identify", &[("Authorization", &basic("very-secret"))], CALL);
    assert!(!String::from_utf8_lossy(&reply.body).contains("very-secret"));
    service.post("/v1/identify", r#"{"userId":"u","writeKey":"web-key"}"#).is_success();
    assert_eq!(service.views()[0].get("writeKey"), None);
}
