//! Statuses as failures, waits, and the network against a socket that answers as told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Reply { status, headers, body: Vec::new() }
}

#[test]
fn a_status_has_one_kind_and_one_code() {
    use Kind::*;
    for (status, kind, code) in [
        (301, Unavailable, "redirected"),
        (400, Rejected, "payload_rejected"),
        (401, Unauthorized, "unauthorized"),
        (402, Unavailable, "plan_restricted"),
        (403, Unavailable, "permission_missing"),
        (404, Rejected, "not_found"),
        (408, Unknown, "timeout"),
        (409, Rejected, "conflict"),
        (410, Rejected, "gone"),
        (415, Rejected, "payload_rejected"),
        (422, Rejected, "payload_rejected"),
        (423, Unavailable, "busy"),
        (429, Throttled, "rate_limited"),
        (500, Unavailable, "server_error"),
        (502, Unavailable, "server_error"),
        (503, Unavailable, "server_error"),
        (504, Unknown, "timeout"),
        (600, Unavailable, "unexpected_reply"),
    ] {
        let failure = classify(&reply(status, &[]), now());
        assert_eq!((failure.kind, &*failure.code), (kind, code), "{status}");
    }
}

#[track_caller]
fn waits(status: u16, headers: &[(&str, &str)], secs: Option<u64>) {
    assert_eq!(classify(&reply(status, headers), now()).retry_after.map(|wait| wait.as_secs()), secs, "{headers:?}");
}

#[test]
fn a_throttled_reply_says_how_long_to_wait() {
    let reset = "x-ratelimit-reset";
    waits(429, &[(reset, "1767225607")], Some(7));
    // Their clock is an hour ahead of ours; only the difference counts.
    waits(429, &[(reset, "1767229207"), ("date", "Thu, 01 Jan 2026 01:00:00 GMT")], Some(7));
    waits(429, &[(reset, "1767229207")], Some(60));
    waits(429, &[(reset, "1767225000"), ("retry-after", "3")], Some(3));
    waits(429, &[("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT")], Some(30));
    waits(429, &[("retry-after", "0")], Some(1));
    waits(429, &[("retry-after", "999999")], Some(3600));
    waits(429, &[("retry-after", "soon")], Some(10));
    waits(429, &[], Some(10));
    waits(503, &[("retry-after", "20")], Some(20));
    waits(503, &[(reset, "1767225607")], None);
    waits(500, &[], None);
}

/// Serves one connection: reads the head of a request, writes `answer`, closes. Gives the base URL and what was read.
fn serve(answer: Vec<u8>) -> (Url, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}/base/", listener.local_addr().unwrap())).unwrap();
    let served = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        // The other side may have stopped listening already: that is one of the cases.
        let _ = socket.write_all(&answer);
        String::from_utf8(head).unwrap()
    });
    (base, served)
}

async fn send(answer: &[u8], path: &str) -> (Result<Reply, Failure>, String) {
    let (base, served) = serve(answer.to_vec());
    let settings = Settings { reply_bytes_max: 1000, ..Settings::default() };
    let network = Network::new(&settings, base).unwrap();
    let request = Request {
        method: Method::Get,
        path: path.to_owned(),
        headers: vec![("accept".into(), "application/json".to_owned())],
        bearer: SecretString::from("secret"),
        body: None,
        timeout: None,
    };
    assert_eq!(format!("{request:?}"), format!("GET {path}"));
    let result = network.send(request).await;
    drop(network);
    (result, served.join().unwrap())
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn sends_below_the_base_url_with_token_and_name() {
    let (result, head) = send(&answer("200 OK\r\nX-RateLimit-Remaining: 5\r\nx-other: 1", "{}"), "/me?a=b").await;
    let reply = result.unwrap();
    assert_eq!((reply.status, &reply.body[..], reply.header("x-ratelimit-remaining")), (200, &b"{}"[..], Some("5")));
    assert_eq!(reply.headers.len(), 1);
    let head = head.to_lowercase();
    assert!(head.starts_with("get /base/me?a=b http/1.1\r\n"), "{head}");
    for line in ["authorization: bearer secret\r\n", "user-agent: interline/", "accept: application/json\r\n"] {
        assert!(head.contains(line), "{head}");
    }
}

#[tokio::test]
async fn a_path_cannot_leave_the_host() {
    for path in ["//elsewhere.example/x", "/@elsewhere.example/", "/\\elsewhere.example/x", "/../../x"] {
        let (result, _) = send(&answer("200 OK", "{}"), path).await;
        assert_eq!(result.unwrap().status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (result, _) = send(&answer("307 Go\r\nlocation: http://elsewhere.example/", ""), "/me").await;
    let failure = classify(&result.unwrap(), now());
    assert_eq!(failure.code, "redirected");
    assert!(failure.message.contains("http://elsewhere.example/"), "{}", failure.message);
}

#[track_caller]
fn fails(result: Result<Reply, Failure>, kind: Kind, code: &str) {
    let failure = result.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (kind, code), "{}", failure.message);
}

#[tokio::test]
async fn without_a_reply_it_counts_whether_it_was_sent() {
    let (base, _) = (Url::parse("http://127.0.0.1:1/").unwrap(), ());
    let network = Network::new(&Settings::default(), base).unwrap();
    let request = Request {
        method: Method::Get,
        path: "/me".into(),
        headers: vec![],
        bearer: "s".to_owned().into(),
        body: None,
        timeout: None,
    };
    fails(network.send(request).await, Kind::Unavailable, "connection_failed");
    fails(send(b"", "/me").await.0, Kind::Unknown, "connection_lost");
    fails(send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{", "/me").await.0, Kind::Unknown, "reply_unreadable");
}

#[tokio::test]
async fn a_reply_is_read_up_to_a_bound() {
    let long = "x".repeat(1001);
    fails(send(&answer("200 OK", &long), "/me").await.0, Kind::Unknown, "reply_unreadable");
    assert_eq!(send(&answer("500 Oops", &long), "/me").await.0.unwrap().status, 500);
}
