//! Every route, in every spelling and method it has.

use interline::event::{Channel, Kind};
use proptest::prelude::*;

use super::service::{Service, basic};

/// A call that is good for every route of one call.
const CALL: &str = r#"{"userId":"u","event":"E","groupId":"g","previousId":"p"}"#;
const BATCH: &str = r#"{"batch":[{"type":"page","userId":"u"}]}"#;

#[test]
fn each_call_has_its_routes() {
    let service = Service::start();
    for kind in Kind::ALL {
        let name = kind.name();
        let letter = &name[..1];
        let paths = [
            (format!("/v1/{name}"), Channel::Server),
            (format!("/v1/{name}/"), Channel::Server),
            (format!("/V1/{}", name.to_uppercase()), Channel::Server),
            (format!("/v1/{letter}"), Channel::Client),
            (format!("/v1/{letter}/"), Channel::Client),
            (format!("/api/s/{name}"), Channel::Client),
            (format!("/api/s/s2s/{name}"), Channel::Server),
        ];
        for (path, channel) in paths {
            for method in ["POST", "PUT"] {
                service.call(method, &path, &[("Authorization", &basic("web-key"))], CALL).is_success();
                let event = service.taken();
                assert_eq!((event.envelope.kind, event.envelope.channel), (kind, channel), "{method} {path}");
                assert_eq!(&*event.body, CALL.as_bytes());
            }
        }
    }
}

#[test]
fn batches_have_theirs() {
    let service = Service::start();
    let server = [("/v1/batch", "POST"), ("/v1/batch", "PUT"), ("/v1/import/", "POST"), ("/v1/Import", "PUT")];
    let client = [("/v1/b", "POST"), ("/v1/b", "PUT"), ("/beacon/v1/batch", "POST")];
    let all =
        server.map(|route| (route, Channel::Server)).into_iter().chain(client.map(|route| (route, Channel::Client)));
    for ((path, method), channel) in all {
        service.call(method, path, &[("Authorization", &basic("web-key"))], BATCH).is_success();
        let event = service.taken();
        assert_eq!((event.envelope.kind, event.envelope.channel), (Kind::Page, channel), "{method} {path}");
    }
}

#[test]
fn the_route_decides_the_type_of_a_single_call() {
    let service = Service::start();
    service.post("/v1/identify", r#"{"type":"track","userId":"u"}"#).is_success();
    assert_eq!(service.views()[0]["type"], "identify");
}

#[test]
fn counters_of_the_browser_sdk_are_forgotten() {
    let service = Service::start();
    service.call("POST", "/v1/m", &[], r#"{"series":[]}"#).is_success();
    assert!(service.views().is_empty());
}

#[test]
fn unknown_paths_and_wrong_methods_say_what_there_is() {
    let service = Service::start();
    let message = service.post("/v1/trak", CALL).is_refused(404, "not_found");
    assert_eq!(message, "there is no route `/v1/trak`, did you mean `/v1/track`?");
    service.post("/v1/track//", CALL).is_refused(404, "not_found");
    service.get("/").is_refused(404, "not_found");
    for (method, path, allow) in [
        ("GET", "/v1/track", "POST, PUT, OPTIONS"),
        ("DELETE", "/v1/batch", "POST, PUT, OPTIONS"),
        ("PATCH", "/v1/t", "POST, PUT, GET, OPTIONS"),
        ("POST", "/v1/pixel/track", "GET, OPTIONS"),
        ("POST", "/v1/projects/web-key/settings", "GET, OPTIONS"),
        ("PUT", "/v1/m", "POST, OPTIONS"),
    ] {
        let reply = service.call(method, path, &[], "");
        reply.is_refused(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
    let options = service.call("OPTIONS", "/v1/track", &[], "");
    assert_eq!((options.status, options.header("allow")), (204, Some("POST, PUT, OPTIONS")));
}

#[test]
fn routes_of_other_vendors_can_be_switched_off() {
    let service = Service::with(|settings| {
        settings.ingest.rudderstack_routes = false;
        settings.ingest.jitsu_routes = false;
    });
    for path in ["/beacon/v1/batch", "/pixel/v1/track", "/api/s/track", "/api/s/s2s/track"] {
        service.post(path, CALL).is_refused(404, "not_found");
    }
    service.post("/v1/track", CALL).is_success();
}

#[test]
fn a_call_may_stand_in_the_query() {
    use base64::Engine;
    let service = Service::start();
    let call = r#"{"userId":"ü?>","event":"E","writeKey":"web-key"}"#;
    let standard = base64::engine::general_purpose::STANDARD.encode(call);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(call);
    for data in [&standard, &url_safe] {
        let reply = service.get(&format!("/v1/t?data={data}"));
        reply.is_success();
        assert_eq!(reply.header("cache-control"), Some("no-cache, max-age=0"));
        assert_eq!(&*service.taken().body, call.as_bytes());
    }
    let batch = base64::engine::general_purpose::STANDARD.encode(BATCH);
    service.get(&format!("/v1/b?data={batch}&writeKey=web-key")).is_success();
    assert_eq!(service.taken().envelope.kind, Kind::Page);
    service.get("/v1/t?writeKey=web-key").is_refused(400, "malformed_query");
    service.get("/v1/t?data=%25&writeKey=web-key").is_refused(400, "malformed_base64");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_breaks_a_route(body in any_body(), encoding in any_encoding()) {
        thread_local! {
            static SERVICE: Service = Service::start();
        }
        SERVICE.with(|service| {
            for path in ["/v1/track", "/v1/identify", "/v1/g", "/v1/alias", "/v1/batch", "/v1/b", "/api/s/page"] {
                let headers = [("Authorization", &*basic("web-key")), ("Content-Encoding", encoding)];
                let reply = service.call("POST", path, &headers, &body);
                assert!(reply.json()["success"].is_boolean(), "{path} {reply:?}");
                assert!(matches!(reply.status, 200 | 400), "{path} {reply:?}");
            }
            let query: String = url::form_urlencoded::byte_serialize(&body).collect();
            for path in ["/v1/t?data=", "/v1/b?data=", "/v1/nothing?"] {
                let reply = service.get(&format!("{path}{query}"));
                assert!(reply.json()["success"].is_boolean(), "{path} {reply:?}");
            }
            let called = service.get(&format!("/v1/t?callback={query}"));
            assert!(String::from_utf8_lossy(&called.body).contains(r#"{"success":false"#), "{called:?}");
            for path in ["/v1/pixel/track?data=", "/v1/pixel/track?"] {
                assert_eq!(service.get(&format!("{path}{query}")).status, 200);
            }
        });
    }
}

fn any_encoding() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("identity"), Just("gzip"), Just("deflate"), Just("br")]
}

/// Bytes; JSON tokens in any order; and calls with one member that may be anything.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("1e400"),
        Just("null"),
        Just("\"batch\":["),
        Just("\"userId\":"),
        Just("\"\\ud800\""),
        Just("-0"),
        Just("\"type\":\"track\""),
    ];
    let tokens = proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes());
    let names =
        ["userId", "type", "event", "messageId", "timestamp", "sentAt", "context", "properties", "batch", "traits"];
    let values = ["{}", "[]", "null", "0", "\"\"", "[{}]", "true", "1e308", "\"2026\"", "[[[{\"type\":5}]]]"];
    let member = (proptest::sample::select(names.to_vec()), proptest::sample::select(values.to_vec()));
    let call = proptest::collection::vec(member, 0..6).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), tokens, call]
}
