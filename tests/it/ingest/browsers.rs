//! What browsers need: the settings document, preflights, pixels, scripts.

use super::service::{Service, basic};

const ORIGIN: (&str, &str) = ("Origin", "https://shop.example.com");

#[test]
fn the_settings_document_starts_the_sdk_and_keeps_it_at_home() {
    let service = Service::with(|settings| settings.ingest.public_host = Some("events.example.com".to_owned()));
    let reply = service.call("GET", "/v1/projects/web-key/settings", &[ORIGIN], "");
    assert_eq!(reply.status, 200);
    let json = reply.json();
    let integration = &json["integrations"]["Segment.io"];
    assert_eq!(integration["apiKey"], "web-key");
    assert_eq!(integration["apiHost"], "events.example.com/v1");
    assert_eq!(integration["protocol"], "https");
    assert_eq!(json["metrics"]["sampleRate"], 0);
    assert_eq!(json["integrations"].as_object().unwrap().len(), 1);
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN.1));

    let unknown = service.call("GET", "/v1/projects/WEB-KEY/settings", &[ORIGIN], "");
    unknown.is_refused(404, "unknown_write_key");
    assert_eq!(unknown.header("access-control-allow-origin"), Some(ORIGIN.1));
    service.get("/v1/projects/old-key/settings").is_refused(404, "source_disabled");
}

#[test]
fn without_a_public_host_the_sdk_is_sent_where_it_asked() {
    let service = Service::start();
    let reply = service.call("GET", "/v1/projects/web-key/settings/", &[("Host", "e.example.com:8080")], "");
    let integration = &reply.json()["integrations"]["Segment.io"];
    assert_eq!((&integration["apiHost"], &integration["protocol"]), (&"e.example.com:8080/v1".into(), &"http".into()));
}

#[test]
fn every_path_answers_preflights() {
    let service = Service::start();
    for path in ["/v1/t", "/v1/b", "/v1/batch", "/v1/m", "/v1/projects/web-key/settings", "/api/s/track", "/v1/nowhere"]
    {
        let headers = [
            ORIGIN,
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type,x-retry-count,x-own"),
        ];
        let reply = service.call("OPTIONS", path, &headers, "");
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN.1));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        let allowed = reply.header("access-control-allow-headers").unwrap();
        assert!(["authorization", "x-retry-count", "x-own"].iter().all(|name| allowed.contains(name)), "{allowed}");
        let methods = reply.header("access-control-allow-methods").unwrap();
        assert!(["POST", "GET", "PUT", "OPTIONS"].iter().all(|name| methods.contains(name)), "{methods}");
        let max_age: u32 = reply.header("access-control-max-age").unwrap().parse().unwrap();
        assert!(max_age >= 3600);
    }
}

#[test]
fn every_answer_may_be_read_by_the_page() {
    let service = Service::start();
    let key = basic("web-key");
    for (path, body, status) in
        [("/v1/t", r#"{"userId":"u","event":"E"}"#, 200), ("/v1/t", "{", 400), ("/v1/nowhere", "{}", 404)]
    {
        let reply = service.call("POST", path, &[ORIGIN, ("Authorization", &key)], body);
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN.1));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(
            reply.header("access-control-expose-headers").map(str::to_lowercase).as_deref(),
            Some("retry-after")
        );
    }
}

#[test]
fn a_pixel_is_an_image_whatever_happens() {
    let service = Service::start();
    let see = |path: &str| {
        let reply = service.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/gif")), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache, max-age=0"));
        assert!(reply.body.starts_with(b"GIF89a") && reply.body.len() == 43);
    };
    see(
        "/v1/pixel/track?writeKey=web-key&userId=u&event=Mail+opened&properties.mail.id=7&properties.tag=a&properties.tag=b",
    );
    let view = &service.views()[0];
    assert_eq!((&view["event"], &view["properties"]["mail"]["id"]), (&"Mail opened".into(), &"7".into()));
    assert_eq!(view["properties"]["tag"], serde_json::json!(["a", "b"]));
    assert_eq!(view["context"]["ip"], "127.0.0.1");
    see("/pixel/v1/page?writeKey=web-key&anonymousId=a&name=Home");
    assert_eq!(service.views()[1]["type"], "page");
    // {"userId":"u","groupId":"g","writeKey":"web-key"}
    see("/v1/pixel/group?data=eyJ1c2VySWQiOiJ1IiwiZ3JvdXBJZCI6ImciLCJ3cml0ZUtleSI6IndlYi1rZXkifQ");
    assert_eq!(service.views()[2]["groupId"], "g");
    see("/v1/pixel/track?writeKey=nobody&userId=u&event=E");
    see("/v1/pixel/identify?writeKey=web-key");
    see("/v1/pixel/alias?data=*");
    assert_eq!(service.views().len(), 3);
    assert_eq!(service.metric(r#"events_rejected_total{code="unknown_write_key",source=""}"#), 1.0);
    assert_eq!(service.metric(r#"events_rejected_total{code="id_required",source="website"}"#), 1.0);
}

#[test]
fn a_script_calls_the_function_it_was_given() {
    let service = Service::start();
    // {"userId":"u","event":"E","writeKey":"web-key"}
    let data = "eyJ1c2VySWQiOiJ1IiwiZXZlbnQiOiJFIiwid3JpdGVLZXkiOiJ3ZWIta2V5In0=";
    let reply = service.get(&format!("/v1/t?data={data}&callback=my.callback_1"));
    assert_eq!(
        (reply.status, &*String::from_utf8_lossy(&reply.body)),
        (200, r#"/**/my.callback_1({"success":true});"#)
    );
    assert_eq!(reply.header("content-type"), Some("application/javascript; charset=utf-8"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-cache, max-age=0"));
    let refused = service.get("/v1/t?data=e30&callback=f");
    assert_eq!(refused.status, 401);
    assert!(refused.body.starts_with(br#"/**/f({"success":false,"code":"write_key_missing""#), "{refused:?}");
    for bad in ["alert(1)//", "a;b", "a%20b", "1", "a%0Ab"] {
        service.get(&format!("/v1/t?data={data}&callback={bad}")).is_refused(400, "invalid_callback");
    }
    assert_eq!(service.views().len(), 1);
}
