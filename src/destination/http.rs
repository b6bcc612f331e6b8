//! HTTP to third parties: the one place that sends, and the one place where a status becomes a failure.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::fmt::rfc2822::DateTimeParser;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Allowance;
use crate::action::{Failure, Kind};
use crate::instant::Timestamp;

#[cfg(test)]
mod tests;

/// How requests are sent.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds to wait for a connection.
    #[schemars(range(min = 1, max = 600))]
    pub connect_timeout_secs: u64,
    /// Seconds a request may take in all, from connecting to the last byte of the reply.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_secs: u64,
    /// Seconds an unused connection is kept open.
    #[schemars(range(min = 0, max = 86400))]
    pub idle_secs: u64,
    /// Bytes of a reply that are read at most, after inflating.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub reply_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { connect_timeout_secs: 5, timeout_secs: 10, idle_secs: 30, reply_bytes_max: 1 << 20 }
    }
}

/// The methods that third parties are asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method as it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// One request.
#[derive(Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path with query, below the base URL; starts with `/`.
    pub path: String,
    /// Its headers, except `Authorization`, `Host` and those that describe the connection.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The token sent as `Authorization: Bearer`; an empty one is not sent.
    pub bearer: SecretString,
    /// Its body.
    pub body: Option<String>,
    /// How long it may take in all, where that is not as set for all.
    pub timeout: Option<Duration>,
}

/// Never shows the token or the body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.path)
    }
}

/// A window of time in which requests are counted is no longer than this.
const WINDOW_MAX: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers that somebody here reads, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, inflated.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What the reply says about how much is still taken: `X-RateLimit-Remaining`, `-Limit` (else, what remains) and, as in
    /// [`Reply::wait`], when that changes.
    pub fn allowance(&self, now: Timestamp) -> Option<Allowance> {
        let number = |name| self.header(name)?.trim().parse::<i64>().ok();
        let number = |name| number(name).map(|number| number.clamp(0, u32::MAX.into()) as u32);
        let remaining = number("x-ratelimit-remaining")?;
        let limit = number("x-ratelimit-limit").unwrap_or(remaining).max(remaining);
        let wait = self.wait(now)?.min(WINDOW_MAX);
        // An end so far away comes from a clock that is wrong: nothing can be spread up to it.
        (remaining == 0 || wait < WINDOW_MAX).then_some(Allowance { limit, remaining, resets_at: now + wait })
    }

    /// How long the reply asks us to wait: `X-RateLimit-Reset` (Unix seconds, by the clock of the reply's own `Date` where
    /// it has one), else `Retry-After` (seconds or a date).
    ///
    /// # Why
    /// The two clocks may differ, so a reset is only trusted for a minute: windows are ten seconds long.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        const RETRY_AFTER_MAX: i64 = 3600;
        let theirs = self.header("date").and_then(http_date).unwrap_or(now).as_second();
        let reset = self.header("x-ratelimit-reset").and_then(|text| text.trim().parse::<i64>().ok());
        if let Some(secs) = reset.map(|at| at - theirs).filter(|secs| *secs > 0) {
            return Some(Duration::from_secs(secs.min(WINDOW_MAX.as_secs() as i64) as u64));
        }
        let text = self.header("retry-after")?.trim();
        let secs = text.parse::<i64>().ok().or_else(|| Some(http_date(text)?.as_second() - theirs))?;
        Some(Duration::from_secs(secs.clamp(1, RETRY_AFTER_MAX) as u64))
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// Sends requests: over the network, or to a stand-in.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request. Fails only when there is no reply: `Unavailable` when it surely was not received, `Unknown`
    /// when it may have been.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>>;
}

/// Headers of replies that are kept.
const KEPT: [&str; 7] =
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "link", "date", "location"];

/// The network. All requests go to one host; redirects are answers, not orders.
pub struct Network {
    client: reqwest::Client,
    base: Url,
    reply_bytes_max: usize,
}

impl Network {
    /// A client for what lies below `base`. Fails when TLS cannot be set up.
    pub fn new(settings: &Settings, base: Url) -> Result<Network, String> {
        // Fails only when another destination has installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("interline/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(settings.connect_timeout_secs))
            .timeout(Duration::from_secs(settings.timeout_secs))
            .pool_idle_timeout(Duration::from_secs(settings.idle_secs))
            .build()
            .map_err(|error| format!("no HTTP client can be made: {}", causes(&error)))?;
        Ok(Network { client, base, reply_bytes_max: settings.reply_bytes_max })
    }

    /// The address of `path`: below the base URL whatever the path says, because only path and query are replaced.
    fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{}", self.base.path().trim_end_matches('/'), path.trim_start_matches('/')));
        url.set_query(query);
        url
    }

    /// Sends a request whose reply goes on and on, and shows its lines as they come, but for empty ones. Answers when there
    /// are no more, or with the whole reply when it is no success.
    pub async fn lines(&self, request: Request, show: &mut dyn FnMut(&str)) -> Result<Option<Reply>, Failure> {
        const ENDLESS: Duration = Duration::from_secs(10 * 365 * 86_400);
        let mut reply = self.begin(Request { timeout: Some(ENDLESS), ..request }).await?;
        if !reply.status().is_success() {
            return self.read(reply).await.map(Some);
        }
        let mut rest = Vec::new();
        // One that breaks off has ended.
        while let Ok(Some(chunk)) = reply.chunk().await {
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]);
                if !line.is_empty() {
                    show(&line);
                }
            }
            if rest.len() > self.reply_bytes_max {
                return Err(Failure::new(Kind::Unknown, "reply_unreadable", "a line of the reply is too long"));
            }
        }
        Ok(None)
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Failure> {
        let reply = self.begin(request).await?;
        self.read(reply).await
    }

    async fn begin(&self, request: Request) -> Result<reqwest::Response, Failure> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.client.request(method, self.url(&request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name.as_ref(), value);
        }
        if !request.bearer.expose_secret().is_empty() {
            builder = builder.bearer_auth(request.bearer.expose_secret());
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder.send().await.map_err(|error| no_reply(&error))
    }

    async fn read(&self, mut reply: reqwest::Response) -> Result<Reply, Failure> {
        let status = reply.status().as_u16();
        let kept = |name: &&str| Some((name.to_string(), reply.headers().get(*name)?.to_str().ok()?.to_owned()));
        let headers = KEPT.iter().filter_map(kept).collect();
        let mut body = Vec::new();
        let whole = loop {
            match reply.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.reply_bytes_max => body.extend_from_slice(&chunk),
                Ok(Some(_)) => break Err(format!("the reply is longer than {} bytes", self.reply_bytes_max)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(format!("the reply broke off: {}", causes(&error.without_url()))),
            }
        };
        match whole {
            // A refusal is a refusal, whatever came of its text.
            Err(_) if status >= 300 => Ok(Reply { status, headers, body }),
            Err(message) => {
                Err(Failure::new(Kind::Unknown, "reply_unreadable", format!("status {status}, but {message}")))
            }
            Ok(()) => Ok(Reply { status, headers, body }),
        }
    }
}

impl Transport for Network {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.exchange(request))
    }
}

fn no_reply(error: &reqwest::Error) -> Failure {
    let text = causes(error);
    if error.is_connect() {
        return Failure::new(Kind::Unavailable, "connection_failed", format!("no connection: {text}"));
    }
    if error.is_builder() {
        return Failure::rejected("request_invalid", format!("the request cannot be sent: {text}"));
    }
    if error.is_timeout() {
        return Failure::new(Kind::Unknown, "timeout", "sent, and no reply in time");
    }
    Failure::new(Kind::Unknown, "connection_lost", format!("the connection broke before there was a reply: {text}"))
}

/// An error with its causes, without the address: that may name a person.
fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    match texts.is_empty() {
        true => "no cause is known".to_owned(),
        false => texts.join(": "),
    }
}

/// What a reply without success means, by its status alone. A destination may make it more exact by what the body says.
///
/// # Why
/// `402` and `403` are no refusal of the credentials: they work, and are not enough for one thing. What needs it waits, in
/// order, until someone mends it, and the rest goes on; dead letters would lose the order, and a pause of everything would
/// end with the next look at the credentials.
/// `408` and `504` come from something that passed the request on and heard nothing, so it may have been done.
pub fn classify(reply: &Reply, now: Timestamp) -> Failure {
    let (kind, code) = match reply.status {
        300..=399 => (Kind::Unavailable, "redirected"),
        401 => (Kind::Unauthorized, "unauthorized"),
        402 => (Kind::Unavailable, "plan_restricted"),
        403 => (Kind::Unavailable, "permission_missing"),
        404 => (Kind::Rejected, "not_found"),
        408 | 504 => (Kind::Unknown, "timeout"),
        409 => (Kind::Rejected, "conflict"),
        410 => (Kind::Rejected, "gone"),
        423 | 425 => (Kind::Unavailable, "busy"),
        429 => (Kind::Throttled, "rate_limited"),
        400..=499 => (Kind::Rejected, "payload_rejected"),
        500..=599 => (Kind::Unavailable, "server_error"),
        _ => (Kind::Unavailable, "unexpected_reply"),
    };
    let mut failure = Failure::new(kind, code, format!("status {}", reply.status));
    failure.retry_after = match kind {
        Kind::Throttled => Some(reply.wait(now).unwrap_or(Duration::from_secs(10))),
        Kind::Unavailable => reply.header("retry-after").and_then(|_| reply.wait(now)),
        _ => None,
    };
    if code == "redirected" {
        let to = reply.header("location").unwrap_or("an unnamed place");
        failure.message =
            format!("status {}: sent on to {to}, which is never followed; check `base_url`", reply.status);
    }
    failure
}
