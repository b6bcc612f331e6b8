//! What a running router says of itself, and what it can be told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::reach;

/// How often it is asked: asking costs the service processor time as well.
const EVERY: Duration = Duration::from_millis(250);

/// What stands at `path`; waits until somebody answers.
pub async fn get(admin: SocketAddr, path: &str) -> String {
    ask(admin, "GET", path, "").await
}

/// Asks for something, with a body of JSON.
pub async fn ask(admin: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Type: application/json\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    let mut connection = reach(admin).await;
    String::from_utf8_lossy(connection.send(request.as_bytes()).await).into_owned()
}

/// Its metrics, as of now.
pub struct Metrics(String);

impl Metrics {
    /// Asks for them.
    pub async fn now(admin: SocketAddr) -> Metrics {
        Metrics(get(admin, "/metrics").await)
    }

    /// What a metric comes to over all its labels that hold `label`.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let is_meant = |line: &&str| {
            let rest = line.strip_prefix("interline_").and_then(|line| line.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
        };
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or_default();
        // The sum of nothing is -0.
        self.0.lines().filter(is_meant).map(value).sum::<f64>() + 0.0
    }
}

/// Waits until so many deliveries have ended.
pub async fn settled(admin: SocketAddr, deliveries: usize) {
    while Metrics::now(admin).await.sum("deliveries_total", "") < deliveries as f64 {
        tokio::time::sleep(EVERY).await;
    }
}
