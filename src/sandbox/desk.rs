//! One request from arrival to reply: token, limit, version, endpoint, fault, journal.

use std::collections::HashSet;
use std::io;

use serde_json::Value;

use super::endpoints::{self, Endpoint, Request};
use super::faults::{Close, Effect, Faults, usual_code};
use super::journal::{Entry, Journal};
use super::limits::Windows;
use super::oauth::Oauth;
use super::permissions::Permission;
use super::reply::{Answer, Refusal, Reply, envelope};
use super::settings::{AccessToken, Region, Settings, WrongRegion};
use super::state::State;
use super::version::Version;
use crate::instant::Timestamp;
use crate::json::{self, Json, Object};

/// Everything that one stand-in remembers.
#[derive(Debug)]
pub struct Desk {
    /// The switches.
    pub settings: Settings,
    /// The workspace.
    pub state: State,
    /// What is to go wrong.
    pub faults: Faults,
    /// What came and what was answered.
    pub journal: Journal,
    /// Tokens that are refused.
    pub revoked: HashSet<AccessToken>,
    /// Who signed in.
    pub oauth: Oauth,
    windows: Windows,
    requests: u64,
}

/// A request as it came over the wire.
#[derive(Debug, Default)]
pub struct Incoming {
    /// HTTP method.
    pub method: String,
    /// Path as sent, still encoded.
    pub path: String,
    /// Query as sent, without its question mark.
    pub query: String,
    /// The region whose address was asked; `None`: one that belongs to all.
    pub region: Option<Region>,
    /// Bearer token.
    pub token: Option<AccessToken>,
    /// Value of `Intercom-Version`.
    pub version: Option<String>,
    /// Value of `Content-Type`.
    pub content_type: Option<String>,
    /// Value of `Accept`.
    pub accept: Option<String>,
    /// Value of `X-Sandbox-Fault`.
    pub fault: Option<String>,
    /// The body; `None`: it was longer than bodies may be.
    pub body: Option<Vec<u8>>,
}

/// A reply as it goes over the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond the usual.
    pub headers: Vec<(&'static str, String)>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// How much of it is sent.
    pub sent: Sent,
}

/// How much of a reply is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All.
    Whole,
    /// All, the second half of the body so many milliseconds later.
    Slowly(u64),
    /// The head and half the body; then the connection closes.
    Half,
    /// Nothing; the connection closes.
    Nothing,
}

/// What the desk found out about a request before it answers.
struct Judged {
    reply: Reply,
    endpoint: Option<&'static Endpoint>,
    /// Whether something was made to go wrong.
    faulty: bool,
    /// Whether the token was good, which is when the rate headers are there.
    known_token: bool,
    /// Whether it is about signing in.
    is_private: bool,
    notes: Vec<String>,
}

impl Desk {
    /// A desk over an empty workspace.
    pub fn new(settings: Settings) -> io::Result<Desk> {
        Ok(Desk {
            state: State::new(&settings),
            journal: Journal::open(&settings)?,
            faults: Faults::default(),
            revoked: HashSet::new(),
            oauth: Oauth::default(),
            windows: Windows::default(),
            requests: 0,
            settings,
        })
    }

    /// Forgets everything but the settings and the journal's files.
    pub fn reset(&mut self) {
        self.state = State::new(&self.settings);
        self.faults.clear();
        self.journal.clear();
        self.revoked.clear();
        self.oauth = Oauth::default();
        self.windows = Windows::default();
        self.requests = 0;
    }

    /// What is to go wrong with a request; counts it. The request's own header goes before what was set.
    pub fn fault(&mut self, incoming: &Incoming) -> Option<Effect> {
        let set = match self.faults.all().is_empty() {
            true => None,
            false => {
                let pattern = endpoints::find(&incoming.method, &incoming.path).map(|(endpoint, _)| endpoint.path);
                self.faults.strike((&incoming.method, &incoming.path), pattern, incoming.token.as_ref())
            }
        };
        incoming.fault.as_deref().and_then(|text| text.parse().ok()).or(set)
    }

    /// Answers a request, with what goes wrong about it, and writes it into the journal.
    pub fn answer(&mut self, incoming: &Incoming, fault: Option<&Effect>, now: Timestamp) -> Outgoing {
        self.requests += 1;
        let mut judged = match fault {
            Some(Effect::Pretend) => self.pretend(incoming, now.as_second()),
            Some(effect) if !effect.commits() => Judged::unread(incoming),
            _ => self.judge(incoming, now.as_second()),
        };
        if let Some(effect) = fault {
            let effect = serde_json::to_string(effect).unwrap_or_default();
            judged.notes.push(format!("fault: {effect}"));
            judged.faulty = true;
        }
        self.note_headers(incoming, &mut judged.notes);
        let outgoing = self.outgoing(incoming, &judged, fault, now.as_second());
        if let Err(error) = self.journal.write(judged.entry(incoming, &outgoing, now)) {
            tracing::error!(%error, "The sandbox journal cannot be written");
        }
        outgoing
    }

    fn pretend(&mut self, incoming: &Incoming, now: i64) -> Judged {
        let before = self.state.clone();
        let judged = self.judge(incoming, now);
        self.state = before;
        judged
    }

    fn judge(&mut self, incoming: &Incoming, now: i64) -> Judged {
        if let Some(answer) = self.oauth.answer(incoming, &self.settings, now) {
            let reply = answer.unwrap_or_else(|refusal| refusal.into_reply(&self.request_id()));
            return Judged { reply, is_private: true, ..Judged::unread(incoming) };
        }
        let token = self.known(incoming.token.as_ref()).filter(|_| !self.is_elsewhere(incoming));
        let known_token = token.is_some();
        let answer = match token {
            Some(token) => self.windows.take(&token, &self.settings, now).and_then(|()| self.ask(incoming, now)),
            None if self.settings.wrong_region == WrongRegion::NotFound && self.is_elsewhere(incoming) => {
                Err(Refusal::no_resource())
            }
            None => Err(Refusal::new(401, "unauthorized", "Access Token Invalid")),
        };
        let mut reply = answer.unwrap_or_else(|refusal| refusal.into_reply(&self.request_id()));
        let notes = reply.note.take().into_iter().collect();
        Judged { reply, known_token, notes, ..Judged::unread(incoming) }
    }

    fn ask(&mut self, incoming: &Incoming, now: i64) -> Answer {
        let version = Version::parse(incoming.version.as_deref().unwrap_or(&self.settings.version_default))?;
        let Some((endpoint, parameters)) = endpoints::find(&incoming.method, &incoming.path) else {
            let note = format!("the stand-in has no {} {}", incoming.method, incoming.path);
            return Err(Refusal::no_resource().noting(note));
        };
        check_accept(incoming.accept.as_deref())?;
        self.allow(&incoming.method, endpoint.path)?;
        self.state.catch_up(now, &self.settings);
        let body = read_body(incoming.body.as_deref(), self.settings.body_bytes_max)?;
        let query = url::form_urlencoded::parse(incoming.query.as_bytes()).into_owned().collect();
        let request = Request { parameters, query, body, version, now, settings: &self.settings };
        (endpoint.answer)(&mut self.state, &request)
    }

    fn known(&self, token: Option<&AccessToken>) -> Option<AccessToken> {
        let token = token.filter(|token| !token.0.is_empty())?;
        let listed = self.settings.access_tokens.is_empty()
            || self.settings.access_tokens.contains(token)
            || self.oauth.issued(token);
        (listed && !self.revoked.contains(token)).then(|| token.clone())
    }

    /// Whether another region's address was asked than the workspace's.
    fn is_elsewhere(&self, incoming: &Incoming) -> bool {
        let forwards = self.settings.wrong_region == WrongRegion::Forwarded;
        !forwards && incoming.region.is_some_and(|region| region != self.settings.region)
    }

    fn allow(&self, method: &str, path: &str) -> Result<(), Refusal> {
        match Permission::needed(method, path).filter(|needed| self.settings.forbidden.contains(needed)) {
            None => Ok(()),
            Some(needed) => {
                let message = format!("The app lacks the permission {}", needed.word());
                Err(Refusal::new(403, "forbidden", message))
            }
        }
    }

    fn request_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.requests)
    }

    fn note_headers(&self, incoming: &Incoming, notes: &mut Vec<String>) {
        let is_sign_in = incoming.path.starts_with("/oauth") || incoming.path.starts_with("/auth/");
        if is_sign_in {
            return;
        }
        if incoming.version.is_none() {
            notes.push(format!("Intercom-Version is missing, {} is assumed", self.settings.version_default));
        }
        let has_body = incoming.body.as_ref().is_none_or(|body| !body.is_empty());
        let is_json = incoming.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/json"));
        if has_body && !is_json {
            notes.push("the body's Content-Type is not application/json".to_owned());
        }
        if let Some(text) = incoming.fault.as_deref().filter(|text| text.parse::<Effect>().is_err()) {
            notes.push(format!("X-Sandbox-Fault names no fault: {text}"));
        }
    }

    fn outgoing(&mut self, incoming: &Incoming, judged: &Judged, fault: Option<&Effect>, now: i64) -> Outgoing {
        let mut outgoing = Outgoing::of(&judged.reply);
        let token = incoming.token.clone().unwrap_or_else(|| AccessToken(String::new()));
        let mut budget = self.windows.budget(&token, &self.settings, now);
        let mut has_budget = judged.known_token;
        match fault {
            Some(Effect::Status(wanted)) => {
                has_budget = wanted.rate_headers;
                budget.remaining = if wanted.status == 429 { 0 } else { budget.remaining };
            }
            Some(Effect::ResetSkew(secs)) => budget.reset = budget.reset.saturating_add(*secs),
            _ => {}
        }
        if let Some(effect) = fault {
            outgoing.spoil(effect, &self.request_id());
        }
        if has_budget {
            outgoing.headers.extend(budget.headers());
        }
        outgoing.headers.push(("Date", http_date(now)));
        outgoing
    }
}

impl Outgoing {
    fn of(reply: &Reply) -> Outgoing {
        Outgoing {
            status: reply.status,
            headers: reply.headers.clone(),
            content_type: match &reply.page {
                Some(_) => "text/html; charset=utf-8".to_owned(),
                None => "application/json; charset=utf-8".to_owned(),
            },
            body: match &reply.page {
                Some(page) => page.clone(),
                None => reply.body.as_ref().map(Value::to_string).unwrap_or_default(),
            },
            sent: Sent::Whole,
        }
    }

    /// Makes of a good reply what the fault wants.
    fn spoil(&mut self, effect: &Effect, request_id: &str) {
        match effect {
            Effect::Status(wanted) => {
                let id = (!wanted.without_request_id).then_some(request_id);
                let code = wanted.code.as_deref().unwrap_or_else(|| usual_code(wanted.status));
                let message = wanted.message.as_deref().unwrap_or("The sandbox was told to answer this");
                self.refuse(wanted.status, envelope(id, code, message, None));
            }
            Effect::ConflictWithoutId => {
                let message = "A contact matching those details already exists";
                self.refuse(409, envelope(Some(request_id), "conflict", message, None));
            }
            Effect::Html { status, .. } => {
                self.status = *status;
                self.content_type = "text/html; charset=utf-8".to_owned();
                self.body = format!("<!doctype html><title>{status}</title><h1>{status}</h1>");
            }
            Effect::Truncated { keep_bytes } => truncate(&mut self.body, *keep_bytes),
            Effect::ContentType(kind) => self.content_type.clone_from(kind),
            Effect::SlowBody(millis) => self.sent = Sent::Slowly(*millis),
            Effect::Close(Close::During) => self.sent = Sent::Half,
            Effect::Close(_) => self.sent = Sent::Nothing,
            _ => {}
        }
    }

    fn refuse(&mut self, status: u16, body: Value) {
        self.status = status;
        self.headers.clear();
        self.body = body.to_string();
    }
}

impl Judged {
    /// A request that nobody looked into.
    fn unread(incoming: &Incoming) -> Judged {
        let endpoint = endpoints::find(&incoming.method, &incoming.path).map(|(endpoint, _)| endpoint);
        Judged {
            reply: Reply::accepted(),
            endpoint,
            faulty: false,
            known_token: false,
            is_private: false,
            notes: Vec::new(),
        }
    }

    fn entry(self, incoming: &Incoming, outgoing: &Outgoing, now: Timestamp) -> Entry {
        let answered = outgoing.sent != Sent::Nothing;
        Entry {
            at: now,
            method: incoming.method.clone(),
            target: match incoming.query.is_empty() {
                true => incoming.path.clone(),
                false => format!("{}?{}", incoming.path, incoming.query),
            },
            region: incoming.region,
            endpoint: self.endpoint.map(|endpoint| endpoint.path),
            body: incoming.body.as_deref().filter(|_| !self.is_private).and_then(compact),
            version: incoming.version.clone(),
            status: answered.then_some(outgoing.status),
            reply: Some(outgoing.body.clone()).filter(|body| answered && !self.is_private && !body.is_empty()),
            is_private: self.is_private,
            reply_expected: self.endpoint.filter(|_| !self.faulty).map(|endpoint| {
                match (endpoint.described.contains(&outgoing.status), self.reply.described) {
                    (false, _) => "no-operation",
                    (true, true) => "valid",
                    (true, false) => "invalid",
                }
            }),
            notes: self.notes,
        }
    }
}

/// Every answer is JSON, so who takes only something else is refused.
fn check_accept(accept: Option<&str>) -> Result<(), Refusal> {
    let takes = |range: &str| {
        let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(kind.as_str(), "" | "*/*" | "application/*")
            || (kind.starts_with("application/") && kind.ends_with("json"))
    };
    match accept.is_none_or(|accept| accept.split(',').any(takes)) {
        true => Ok(()),
        false => Err(Refusal::new(
            406,
            "media_type_not_acceptable",
            "The Accept header should send a media type of application/json",
        )),
    }
}

fn read_body(bytes: Option<&[u8]>, bytes_max: usize) -> Result<Object<'_>, Refusal> {
    let Some(bytes) = bytes else {
        return Err(Refusal::new(413, "client_error", format!("the body is longer than {bytes_max} bytes")));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Object::new());
    }
    match json::parse(bytes) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(Refusal::new(400, "bad_request", format!("the body must be an object, not {}", other.kind()))),
        Err(malformed) => Err(Refusal::new(400, "bad_request", format!("the body is not JSON: {malformed}"))),
    }
}

/// The time as the `Date` header has it, so that who reads the reset beside it goes by one clock.
fn http_date(now: i64) -> String {
    let at = Timestamp::from_second(now).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

/// Cuts the text after so many bytes, or a little before where a character would be split.
fn truncate(text: &mut String, bytes: usize) {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// The body as one line of JSON in the order sent; what is no JSON, as one string.
fn compact(bytes: &[u8]) -> Option<String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let text = json::parse(bytes).map(|json| json.to_string());
    Some(text.unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes)).to_string()))
}
