//! A light load generator: keep-alive connections that write prepared requests and read answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests, ready to be written.
pub type Requests = Arc<Vec<Vec<u8>>>;

/// A POST of `body` as SDKs send it.
pub fn post(path: &str, write_key: &str, body: &str) -> Vec<u8> {
    let key = STANDARD.encode(format!("{write_key}:"));
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection that sends one request at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for its answer, which must be 200; gives its body.
    pub async fn send(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let (mut head, mut length) = (None, 0);
        loop {
            if head.is_none() {
                head = find(&self.buffer, b"\r\n\r\n").map(|at| at + 4);
                if let Some(head) = head {
                    let text = std::str::from_utf8(&self.buffer[..head]).expect("an HTTP head is text");
                    assert!(
                        text.starts_with("HTTP/1.1 200"),
                        "not 200: {text}{}",
                        String::from_utf8_lossy(&self.buffer[head..])
                    );
                    length = content_length(text);
                }
            }
            if head.is_some_and(|head| self.buffer.len() >= head + length) {
                return &self.buffer[head.unwrap_or_default()..];
            }
            assert!(
                self.stream.read_buf(&mut self.buffer).await.expect("an answer") > 0,
                "the server closed the connection"
            );
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"));
    line.and_then(|line| line.split(':').nth(1)).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// Sends all requests once over `connections` connections, as fast as they are answered; answers how long it took.
pub async fn closed_loop(address: SocketAddr, connections: usize, requests: Requests) -> Duration {
    let next = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await.expect("the server listens"));
    }
    let began = Instant::now();
    let senders = open.into_iter().map(|mut connection| {
        let (next, requests) = (next.clone(), requests.clone());
        tokio::spawn(async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                connection.send(request).await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("a sender does not fail");
    }
    began.elapsed()
}

/// Sends requests at `rate` a second over `connections` connections, whether or not earlier ones are answered; answers
/// the latencies, sorted. One whose connection was still busy when it was due is counted from when it was due.
pub async fn open_loop(address: SocketAddr, connections: usize, rate: u32, requests: Requests) -> Vec<Duration> {
    let began = Instant::now() + Duration::from_millis(50);
    let mut senders = Vec::new();
    for lane in 0..connections {
        let requests = requests.clone();
        let mut connection = Connection::open(address).await.expect("the server listens");
        senders.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            for at in (lane..requests.len()).step_by(connections) {
                let due = began + Duration::from_secs_f64(at as f64 / f64::from(rate));
                let is_late = Instant::now() > due;
                tokio::time::sleep_until(due.into()).await;
                // A timer rings up to a millisecond late; that is not the server's time.
                let from = if is_late { due } else { Instant::now() };
                connection.send(&requests[at]).await;
                latencies.push(from.elapsed());
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.expect("a sender does not fail"));
    }
    latencies.sort_unstable();
    latencies
}
