//! The private door: health, metrics, deliveries, and who may ask.

use interline::delivery::by_hand::Answered;
use interline::delivery::{Attempt, Delivery, Id, Position, Progress, Status};
use interline::http::admin::{Admin, FileProblem, Parts, Report, Settings};
use interline::instant;
use interline::store::Owed;
use serde_json::value::RawValue;

use super::service::{Mode, NOW, Service};

const TOKEN: (&str, &str) = ("Authorization", "Bearer open-sesame");

fn owed(position: u64, destination: &str, status: Status) -> Owed {
    let at = instant::parse(NOW).unwrap();
    let mut progress = Progress { attempts: 1, ..Progress::ended(status) };
    progress.record(Attempt {
        carried: Vec::new(),
        number: 1,
        at,
        took_ms: 12,
        outcome: "delivered".into(),
        failure: None,
        warnings: Vec::new(),
        exchanges: Vec::new(),
    });
    let delivery = Delivery {
        source: "website".into(),
        destination: destination.into(),
        mapping: "Identify Contact".into(),
        action: "identify_contact".into(),
        accepted_at: at,
        replay_of: None,
        keys: Vec::new(),
        payload: Ok(RawValue::from_string(r#"{"email":"a@example.com"}"#.to_owned()).unwrap()),
        warnings: Vec::new(),
    };
    Owed { id: Id { position: Position(position), number: 0 }, delivery, progress }
}

#[test]
fn health_follows_the_store_and_the_drain() {
    let mut service = Service::start();
    assert_eq!(service.ask_admin("/healthz", &[]).status, 200);
    let reply = super::service::exchange(service.admin, "HEAD", "/healthz", &[], b"");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    super::service::exchange(service.admin, "POST", "/healthz", &[], b"").is_refused(405, "method_not_allowed");
    let ready = service.ask_admin("/readyz", &[]);
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    service.store.inner().mode = Mode::Refuses(interline::store::Error::Unavailable("disk full".to_owned()));
    let not_ready = service.ask_admin("/readyz", &[]);
    assert_eq!((not_ready.status, &not_ready.json()["ready"]), (503, &false.into()));
    assert!(not_ready.json()["store"].as_str().unwrap().contains("disk full"));
    service.store.inner().mode = Mode::Works;
    assert_eq!(service.ask_admin("/readyz", &[]).status, 200);
    service.running.as_ref().unwrap().drain();
    let draining = service.ask_admin("/readyz", &[]);
    assert_eq!((draining.status, &draining.json()["draining"]), (503, &true.into()));
    service.post("/v1/identify", r#"{"userId":"u"}"#).is_success();
    service.stop(true);
    assert!(std::net::TcpStream::connect(service.ingest).is_err());
}

#[test]
fn metrics_are_rendered_for_prometheus() {
    let service = Service::start();
    service.store.inner().backlog.insert("website".into(), 7);
    let reply = service.ask_admin("/metrics", &[]);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; version=0.0.4")));
    assert_eq!(service.metric(r#"store_backlog{source="website"}"#), 7.0);
    service.post("/v1/identify", r#"{"userId":"u"}"#).is_success();
    assert_eq!(service.metric("ingest_duration_seconds_count"), 1.0);
}

#[test]
fn deliveries_are_listed_and_told_whole() {
    let service = Service::start();
    service.post("/v1/identify", r#"{"userId":"u","traits":{"plan":"pro"}}"#).is_success();
    let at = instant::parse(NOW).unwrap();
    let dead = Status::DeadLetter { at, code: "invalid".into(), message: "no".to_owned() };
    service.store.inner().owed = vec![
        owed(1, "intercom", Status::Delivered { at }),
        owed(2, "intercom", dead),
        owed(3, "other", Status::Pending),
    ];
    let ids = |query: &str| {
        let json = service.ask_admin(&format!("/api/deliveries{query}"), &[]).json();
        let ids: Vec<String> =
            json["deliveries"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(" "), json["next"].clone())
    };
    assert_eq!(ids(""), ("3.0 2.0 1.0".to_owned(), serde_json::Value::Null));
    assert_eq!(ids("?limit=2"), ("3.0 2.0".to_owned(), "2.0".into()));
    assert_eq!(ids("?limit=2&before=2.0").0, "1.0");
    assert_eq!(ids("?status=dead_letter").0, "2.0");
    assert_eq!(ids("?destination=other").0, "3.0");
    service.ask_admin("/api/deliveries?status=lost", &[]).is_refused(400, "parameter_invalid");

    let story = service.ask_admin("/api/deliveries/1.0", &[]).json();
    assert_eq!(story["event"]["traits"]["plan"], "pro");
    assert_eq!(story["payload"]["email"], "a@example.com");
    assert_eq!(story["delivery"]["status"]["is"], "delivered");
    assert_eq!(story["story"][0]["took_ms"], 12);
    service.ask_admin("/api/deliveries/9.0", &[]).is_refused(404, "delivery_not_found");
    service.ask_admin("/api/deliveries/x", &[]).is_refused(400, "parameter_invalid");
    assert_eq!(service.ask_admin("/api/stats", &[]).json()["draining"], false);
    let message = service.ask_admin("/api/deliverys", &[]).is_refused(404, "not_found");
    assert!(message.ends_with("did you mean `/api/deliveries`?"), "{message}");
}

#[test]
fn a_reload_is_reported_and_a_refused_file_is_a_failure() {
    let service = Service::start();
    service.store.inner().report.changed = vec!["intercom".to_owned()];
    let reply = service.tell_admin("/api/reload", &[]);
    assert_eq!((reply.status, &reply.json()["changed"][0]), (200, &"intercom".into()));
    let mut problems = interline::yaml::Problems::new("mappings/a.yaml", "a: 1");
    let place = problems.place(3..4);
    problems.error("unknown_key", &place, "a", "unknown key `a`").help("did you mean `b`?");
    let problem = problems.iter().next().unwrap().clone();
    service.store.inner().report = Report {
        refused: vec!["mappings/a.yaml".to_owned()],
        problems: vec![FileProblem { file: "mappings/a.yaml".to_owned(), problem }],
        ..Report::default()
    };
    let reply = service.tell_admin("/api/reload", &[]);
    assert_eq!(reply.status, 422);
    let expected = serde_json::json!({ "added": [], "changed": [], "removed": [], "unchanged": [],
        "refused": ["mappings/a.yaml"],
        "problems": [{ "file": "mappings/a.yaml", "severity": "error", "code": "unknown_key", "path": "a",
            "message": "unknown key `a`", "help": "did you mean `b`?", "line": 1, "column": 4, "span": { "start": 3, "end": 4 } }] });
    assert_eq!(reply.json(), expected);
    let refused = super::service::exchange(service.admin, "GET", "/api/reload", &[], b"");
    assert_eq!(refused.header("allow"), Some("POST"));
}

#[test]
fn a_page_of_another_site_may_not_change_anything() {
    let service = Service::start();
    let own = format!("http://{}", service.admin);
    for (origin, status) in [(own.as_str(), 200), ("https://example.com", 403), ("null", 403)] {
        assert_eq!(service.tell_admin("/api/reload", &[("Origin", origin)]).status, status, "{origin}");
    }
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let service = Service::with(|settings| settings.admin.token = Some("open-sesame".into()));
    for path in ["/api/deliveries", "/api/deliveries/1.0", "/api/stats", "/metrics"] {
        service.ask_admin(path, &[]).is_refused(401, "unauthorized");
        for wrong in ["Bearer open-sesam", "Bearer ", "Basic open-sesame", "open-sesame"] {
            service.ask_admin(path, &[("Authorization", wrong)]).is_refused(401, "unauthorized");
        }
        assert_ne!(service.ask_admin(path, &[TOKEN]).status, 401, "{path}");
    }
    service.tell_admin("/api/reload", &[]).is_refused(401, "unauthorized");
    assert_eq!(service.tell_admin("/api/reload", &[TOKEN]).status, 200);
    assert_eq!(service.ask_admin("/healthz", &[]).status, 200);
    assert_eq!(service.ask_admin("/readyz", &[]).status, 200);
}

#[test]
fn without_a_token_only_this_machine_may_be_meant() {
    let service = Service::start();
    for host in ["localhost", "127.0.0.1:8081", "[::1]:8081"] {
        assert_eq!(service.ask_admin("/api/stats", &[("Host", host)]).status, 200, "{host}");
    }
    for host in ["rebound.example.com", "192.0.2.1"] {
        service.ask_admin("/api/stats", &[("Host", host)]).is_refused(403, "host_forbidden");
    }
    let parts = || Parts {
        store: service.store.clone(),
        metrics: Default::default(),
        clock: std::sync::Arc::new(|| instant::parse(NOW).unwrap()),
        health: Default::default(),
        refresh: std::sync::Arc::new(|| ()),
        hands: std::sync::Arc::new(Vec::new),
        sources: Vec::new(),
        erase: std::sync::Arc::new(|_| Box::pin(async { Ok(Default::default()) })),
        live: interline::store::live::Live::new(std::sync::Arc::new(crate::support::now)),
        replays: std::sync::Arc::new(|_| Box::pin(async { Ok(Default::default()) })),
        letters: std::sync::Arc::new(|_| Box::pin(async { Ok(Answered::default()) })),
        standings: std::sync::Arc::new(Vec::new),
        pause: std::sync::Arc::new(|_, to| Ok(to)),
        reload: std::sync::Arc::new(|| unreachable!("nobody asks")),
    };
    let open = Settings { listen: "0.0.0.0:8081".parse().unwrap(), token: None };
    assert!(Admin::new(&open, parts()).err().unwrap().contains("admin.token"));
    assert!(Admin::new(&Settings { token: Some("".into()), ..open.clone() }, parts()).is_err());
    assert!(Admin::new(&Settings { token: Some("t".into()), ..open }, parts()).is_ok());
}
