//! Bodies: packed, unpacked, too large, too slow, cut short.

use std::io::Write;
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::service::{Reply, Service, basic, read_reply};

const CALL: &str = r#"{"userId":"u","event":"E"}"#;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn send(service: &Service, path: &str, encoding: &str, kind: &str, body: impl AsRef<[u8]>) -> Reply {
    let headers = [("Authorization", &*basic("web-key")), ("Content-Encoding", encoding), ("Content-Type", kind)];
    service.call("POST", path, &headers, body)
}

#[test]
fn a_body_is_read_whatever_its_content_type_says() {
    let service = Service::start();
    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png", "nonsense", ""] {
        send(&service, "/v1/track", "identity", kind, CALL).is_success();
        send(&service, "/v1/track", "gzip", kind, gzip(CALL.as_bytes())).is_success();
    }
}

#[test]
fn packed_bodies_are_inflated() {
    let service = Service::start();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(CALL.as_bytes()).unwrap();
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
    bare.write_all(CALL.as_bytes()).unwrap();
    for (encoding, body) in [
        ("gzip", gzip(CALL.as_bytes())),
        ("GZIP", gzip(CALL.as_bytes())),
        ("x-gzip", gzip(CALL.as_bytes())),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", bare.finish().unwrap()),
        ("identity", CALL.into()),
        ("", gzip(CALL.as_bytes())),
        ("identity", gzip(CALL.as_bytes())),
    ] {
        send(&service, "/v1/track", encoding, "application/json", body).is_success();
        assert_eq!(&*service.taken().body, CALL.as_bytes(), "{encoding}");
    }
    for encoding in ["br", "zstd", "gzip, gzip", "compress", "rot13"] {
        let message = send(&service, "/v1/track", encoding, "", CALL).is_refused(400, "unsupported_encoding");
        assert!(message.contains(encoding), "{message}");
    }
}

#[test]
fn damaged_packing_is_refused() {
    let service = Service::start();
    let whole = gzip(&[CALL.as_bytes(), &[b' '; 5000]].concat());
    for cut in [1, 5, 12, whole.len() / 2, whole.len() - 1] {
        send(&service, "/v1/track", "gzip", "", &whole[..cut]).is_refused(400, "malformed_gzip");
    }
    send(&service, "/v1/track", "gzip", "", CALL).is_refused(400, "malformed_gzip");
    send(&service, "/v1/track", "deflate", "", CALL).is_refused(400, "malformed_deflate");
    send(&service, "/v1/track", "gzip", "", gzip(b"")).is_refused(400, "empty_body");
    for encoding in ["", "gzip", "deflate"] {
        send(&service, "/v1/track", encoding, "", "").is_refused(400, "empty_body");
    }
}

#[test]
fn a_bomb_is_refused_for_its_size() {
    let service = Service::start();
    let bomb = gzip(&vec![b' '; 10_000_000]).repeat(20);
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    for path in ["/v1/batch", "/v1/b"] {
        for encoding in ["gzip", ""] {
            send(&service, path, encoding, "", &bomb).is_refused(400, "payload_too_large");
        }
    }
    let small_bomb = gzip(&vec![b' '; 10_000_000]).repeat(3);
    send(&service, "/v1/track", "gzip", "", small_bomb).is_refused(400, "payload_too_large");
    service.post("/v1/track", CALL).is_success();
}

#[test]
fn limits_are_exact() {
    let service = Service::start();
    let call = |bytes: usize| format!(r#"{{"userId":"u","event":"{}"}}"#, "x".repeat(bytes - 25));
    let max = 128 * 1024;
    assert_eq!(call(max).len(), max);
    service.post("/v1/track", call(max)).is_success();
    service.post("/v1/track", call(max + 1)).is_refused(400, "payload_too_large");
    send(&service, "/v1/track", "gzip", "", gzip(call(max).as_bytes())).is_success();
    send(&service, "/v1/track", "gzip", "", gzip(call(max + 1).as_bytes())).is_refused(400, "payload_too_large");
    let large = format!(r#"{{"batch":[{{"type":"page","userId":"u"}}]{}}}"#, " ".repeat(4 * 1024 * 1024 - 45));
    service.post("/v1/batch", &large[..]).is_success();
    service.post("/v1/batch", large + "      ").is_refused(400, "payload_too_large");
    service.post("/v1/batch", vec![b' '; 20_000_000]).is_refused(400, "payload_too_large");
}

#[test]
fn a_slow_body_is_given_up_on() {
    let service = Service::with(|settings| settings.ingest.body_timeout_secs = 0);
    let mut stream = TcpStream::connect(service.ingest).unwrap();
    let head = format!(
        "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{",
        basic("web-key")
    );
    stream.write_all(head.as_bytes()).unwrap();
    read_reply(stream).is_refused(408, "body_timeout");
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let service = Service::start();
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(service.ingest).unwrap();
        let key = basic("web-key");
        let head = format!("POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n{framing}\r\n\r\n{CALL}");
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        read_reply(stream).is_refused(400, "body_incomplete");
    }
    let chunked = [("Authorization", &*basic("web-key")), ("Transfer-Encoding", "chunked")];
    let pieces: String = CALL
        .as_bytes()
        .chunks(7)
        .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
        .collect();
    service.call("POST", "/v1/track", &chunked, pieces + "0\r\n\r\n").is_success();
    assert_eq!(&*service.taken().body, CALL.as_bytes());
}

#[test]
fn the_memory_for_bodies_is_bounded() {
    let service = Service::with(|settings| settings.ingest.inflight_bytes_max = 1000);
    let large = format!(r#"{{"userId":"u","event":"{}"}}"#, "x".repeat(1000));
    let reply = service.post("/v1/track", &large);
    reply.is_refused(503, "busy");
    assert_eq!(reply.header("retry-after"), Some("5"));
    send(&service, "/v1/track", "gzip", "", gzip(large.as_bytes())).is_refused(503, "busy");
    service.post("/v1/track", CALL).is_success();
}
