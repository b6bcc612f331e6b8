//! Requests to the Intercom API and nothing else: one client per attempt, which remembers what was said.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::Refusal;
use super::{Service, Settings};
use crate::action::{self, Document, Failure, Fills, Kind, Outcome, Warning};
use crate::delivery::{Exchange, Steps};
use crate::destination::http::{Method, Reply, Request};
use crate::destination::{self, Allowance, Before, Notes, Performed};
use crate::instant::Timestamp;

/// Talks to Intercom for one attempt.
pub struct Client {
    pub(super) service: Arc<Service>,
    pub(super) notes: Option<Arc<dyn Notes>>,
    /// Whether a contact that is not there is not waited for any longer.
    pub(super) waited_out: bool,
    /// Whether the contact is not to be asked for, because an older delivery waits for it.
    follows: bool,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    exchanges: Vec<Exchange>,
    allowance: Option<Allowance>,
    warnings: Vec<Warning>,
    steps: Steps,
    /// Whether a step was finished that is not on stable storage yet.
    is_unnoted: bool,
    document: Option<Document>,
}

/// Something that is not safe to repeat, and may have been done. Times are in Unix seconds.
#[derive(Debug, Clone, Copy)]
pub struct Intent {
    /// When it was asked for first.
    pub asked_at: i64,
    /// By when it was done, if it was.
    pub ended_at: i64,
}

/// A look at an answer with success.
type Check = fn(&Value) -> Result<(), Refusal>;

/// The label of requests that somebody else wrote.
const RAW: &str = "raw";

/// One request to the API.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    /// The endpoint, as the label of metrics: `POST /contacts/{id}/companies`.
    endpoint: &'static str,
    path: String,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Option<String>,
    timeout: Option<Duration>,
    /// Looks whether an answer with success means it.
    check: Option<Check>,
}

impl Call {
    /// A request to an endpoint, written as `PUT /contacts/{id}`. Each `{…}` is filled with one of `parts`, in order and
    /// percent-encoded. Fails when a part is no path segment (empty, `.` or `..`).
    pub fn new(endpoint: &'static str, parts: &[&str]) -> Result<Call, Failure> {
        let (method, template) = endpoint.split_once(' ').expect("an endpoint has a method and a path");
        let method = [Method::Get, Method::Post, Method::Put, Method::Delete]
            .into_iter()
            .find(|known| known.name() == method)
            .expect("an endpoint has a known method");
        let mut path = String::new();
        let mut parts = parts.iter();
        for piece in template.split_inclusive(['{', '}']) {
            match piece.strip_suffix('}') {
                Some(_) => path.push_str(&segment(parts.next().expect("each {…} has a part"))?),
                None => path.push_str(piece.trim_end_matches('{')),
            }
        }
        Ok(Call { endpoint, ..Call::raw(method, path, Vec::new(), None, None) })
    }

    /// A request that somebody else wrote; nothing of it is ours to check any more.
    pub fn raw(
        method: Method,
        path: String,
        headers: Vec<(Cow<'static, str>, String)>,
        body: Option<String>,
        timeout: Option<Duration>,
    ) -> Call {
        Call { method, endpoint: RAW, path, headers, body, timeout, check: None }
    }

    /// Whether it changes anything: searches and lists are asked for with `POST`, and change nothing.
    fn writes(&self) -> bool {
        writes(self.method.name(), &self.path)
    }

    /// The same with a query of those parts that have a value.
    pub fn query(mut self, parts: &[(&str, Option<String>)]) -> Call {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parts.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        let query = query.finish();
        if !query.is_empty() {
            self.path = format!("{}?{query}", self.path);
        }
        self
    }

    /// The same, with a look at the answer: success may be a refusal all the same.
    pub fn checked(self, check: Check) -> Call {
        Call { check: Some(check), ..self }
    }

    /// The same with a JSON body.
    pub fn body(mut self, body: &impl serde::Serialize) -> Call {
        self.body = Some(serde_json::to_string(body).expect("a body has text keys and finite numbers"));
        self.headers = vec![("content-type".into(), "application/json".to_owned())];
        self
    }
}

/// Whether a request changes anything. Some that only ask are sent with `POST`.
fn writes(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    method != "GET" && !path.ends_with("/search") && path != "/companies/list"
}

/// One segment of a path. `.` and `..` cannot be encoded: every reader of URLs takes `%2e` for a dot.
fn segment(text: &str) -> Result<String, Failure> {
    if matches!(text, "" | "." | "..") {
        return Err(Failure::rejected("id_invalid", format!("`{text}` cannot be an id in a path")));
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(encoded)
}

/// A reply with success.
#[derive(Debug)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// What it says.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.0).map_err(|error| unreadable(&format!("not JSON: {error}")))
    }
}

/// Whether a body is markup; the API answers with JSON or nothing.
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// A reply that means success and cannot be used.
pub fn unreadable(why: &str) -> Failure {
    Failure::new(Kind::Unknown, "reply_unreadable", format!("intercom's answer is {why}"))
}

impl Client {
    /// A client for one attempt.
    pub(super) fn new(service: Arc<Service>, steps: Steps) -> Client {
        let record = Mutex::new(Record { steps, ..Record::default() });
        Client { service, notes: None, waited_out: false, follows: false, record }
    }

    /// The same for a delivery, with a place to write down what is intended.
    pub(super) fn owing(self, Before { notes, waited_out, follows, .. }: Before<'_>) -> Client {
        Client { notes: Some(notes), waited_out, follows, ..self }
    }

    /// Fails where what needs the contact has to wait behind an older delivery.
    pub fn comes_to_contact(&self) -> Result<(), Failure> {
        if self.follows { Err(destination::awaited()) } else { Ok(()) }
    }

    /// What a step came to that this attempt or an earlier one finished.
    pub fn step(&self, name: &str) -> Option<String> {
        self.record().steps.get(name).filter(|came_to| !came_to.is_empty()).cloned()
    }

    /// Remembers a finished step: a further attempt does not do it again, also after a crash during what comes next.
    pub fn finish_step(&self, name: &str, came_to: &str) {
        let mut record = self.record();
        record.steps.insert(name.to_owned(), came_to.to_owned());
        record.is_unnoted = true;
    }

    /// Remembers, also for later attempts, that what was given for a field is not written.
    pub fn leave_out(&self, field: &str) {
        let known = self.step(Fills::LEFT_OUT).unwrap_or_default();
        let mut fields: BTreeSet<String> = serde_json::from_str(&known).unwrap_or_default();
        if fields.insert(field.to_owned()) {
            self.finish_step(Fills::LEFT_OUT, &serde_json::json!(fields).to_string());
        }
    }

    /// Puts finished steps on stable storage. What ends an attempt is written down with it, so this waits until there is a
    /// next request.
    async fn note_steps(&self) {
        let Some(notes) = &self.notes else { return };
        let steps = {
            let mut record = self.record();
            std::mem::take(&mut record.is_unnoted).then(|| record.steps.clone())
        };
        if let Some(steps) = steps {
            notes.note(steps).await;
        }
    }

    /// Remembers, also across a crash, that something is about to be asked for that is not safe to repeat; with the time, in
    /// Unix seconds.
    pub async fn intend(&self, name: &str) {
        self.finish_step(name, &self.now().as_second().to_string());
        self.note_steps().await;
    }

    /// What this attempt or an earlier one intended, and nobody knows what came of it.
    pub fn intent(&self, name: &str) -> Option<Intent> {
        let text = self.step(name)?;
        let mut times = text.split(' ').map_while(|time| time.parse().ok());
        let asked_at: i64 = times.next()?;
        // What a process did not see the end of, ended with it.
        let ended_at = times.next().unwrap_or_else(|| asked_at.max(self.service.built_at));
        Some(Intent { asked_at, ended_at })
    }

    /// What was intended had no answer, or none that says what came of it; it may have been done up to now.
    pub fn unanswered(&self, name: &str) {
        if let Some(Intent { asked_at, .. }) = self.intent(name) {
            self.finish_step(name, &format!("{asked_at} {}", self.now().as_second()));
        }
    }

    /// What was intended did surely not happen.
    pub fn take_back(&self, name: &str) {
        // An empty one says so to what was written down before.
        self.finish_step(name, "");
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.service.clock)()
    }

    /// Sends a request. A reply without success is a [`Refusal`], as is none.
    pub async fn call(&self, call: Call) -> Result<Answer, Refusal> {
        let service = &*self.service;
        if let Some(failure) = service.closed.answer(call.endpoint, (service.clock)()) {
            return Err(failure.into());
        }
        let (endpoint, check, writes) = (call.endpoint, call.check, call.writes());
        let reply = self.exchange(call).await?;
        let answer = match reply.status {
            // Whatever stands between may answer with a page of its own: then nobody knows what became of the request.
            200..=299 if is_page(&reply.body) => Err(unreadable("a page, and not Intercom's").into()),
            200..=299 => Ok(Answer(reply.body)),
            _ => Err(Refusal::read(&reply, (service.clock)())),
        };
        let answer = answer.map_err(|refusal| if writes { refusal.of_a_write() } else { refusal });
        self.note_permission(endpoint, &answer);
        let answer = answer?;
        if let Some(check) = check {
            check(&answer.json()?)?;
        }
        Ok(answer)
    }

    /// Sends a request and gives the reply, whatever its status.
    pub async fn exchange(&self, call: Call) -> Result<Reply, Failure> {
        self.note_steps().await;
        let service = &*self.service;
        let _permit = service.permits.acquire().await.expect("the permits are never closed");
        let request = Request {
            method: call.method,
            path: call.path.clone(),
            headers: self.headers(&call),
            bearer: service.settings.access_token.clone(),
            body: call.body.clone(),
            timeout: call.timeout,
        };
        let began = Instant::now();
        let result = service.transport.send(request).await;
        if call.endpoint == RAW && call.writes() {
            // Who knows what it changed.
            service.known.forget_all();
            service.directory.forget_all();
        }
        self.count(&call, &result, began);
        self.remember(call, &result);
        result
    }

    /// Remembers that an endpoint is closed to us, or that it is not any more.
    fn note_permission(&self, endpoint: &'static str, answer: &Result<Answer, Refusal>) {
        let Service { name, closed, clock, .. } = &*self.service;
        let refusal = answer.as_ref().err();
        if let Some(refusal) = refusal.filter(|refusal| refusal.is_forbidden()) {
            if closed.close(endpoint, &refusal.failure, clock()) {
                tracing::error!(
                    destination.name = %name, endpoint, code = %refusal.failure.code,
                    "The destination does not let us use {endpoint}; nothing is lost, what needs it waits"
                );
            }
            return;
        }
        // A service that is down or busy says nothing about permissions.
        let is_let_in = refusal.is_none_or(|refusal| refusal.failure.kind == Kind::Rejected);
        if is_let_in && closed.open(endpoint) {
            tracing::info!(destination.name = %name, endpoint, "The destination lets us use {endpoint} again");
        }
    }

    /// What the operator chose.
    pub fn settings(&self) -> &Settings {
        &self.service.settings
    }

    /// Says something about how this is delivered.
    pub fn warn(&self, warning: Warning) {
        self.record().warnings.push(warning);
    }

    /// Closes an action with what Intercom answered.
    pub fn delivered(&self, answer: &Answer) -> action::Result {
        // Some answers are empty, and one that cannot be read does not undo what was done.
        if let Some(said) = answer.json().ok().filter(|said| !said.is_null()) {
            self.answer(Document::One(said));
        }
        Ok(Outcome::Delivered(Vec::new()))
    }

    /// Says what a person who asked for this is answered.
    pub fn answer(&self, document: Document) {
        self.record().document = Some(document);
    }

    /// Counts an id that was known.
    pub fn hit(&self, cache: &str) {
        let service = &self.service;
        service.metrics.cache_hits_total.with_label_values(&[&*service.name, cache]).inc();
    }

    /// Closes the attempt with its result.
    pub(super) fn finish(self, result: action::Result) -> Performed {
        let record = self.record.into_inner().expect("recording does not panic");
        let result = result.map(|outcome| match outcome {
            Outcome::Delivered(mut warnings) => {
                warnings.extend(record.warnings);
                Outcome::Delivered(warnings)
            }
            skipped => skipped,
        });
        Performed {
            result,
            exchanges: record.exchanges,
            allowance: record.allowance,
            steps: record.steps,
            document: record.document,
        }
    }

    fn headers(&self, call: &Call) -> Vec<(Cow<'static, str>, String)> {
        let ours = [("accept", "application/json"), ("intercom-version", &self.service.settings.version)];
        let is_said = |name: &str| call.headers.iter().any(|(said, _)| said == name);
        let ours = ours.into_iter().filter(|(name, _)| !is_said(name));
        ours.map(|(name, value)| (Cow::Borrowed(name), value.to_owned())).chain(call.headers.iter().cloned()).collect()
    }

    fn count(&self, call: &Call, result: &Result<Reply, Failure>, began: Instant) {
        let Service { metrics, name, clock, .. } = &*self.service;
        let status = result.as_ref().map_or(0, |reply| reply.status).to_string();
        let endpoint = call.endpoint.split('?').next().unwrap_or_default();
        metrics.requests_total.with_label_values(&[&**name, endpoint, &*status]).inc();
        metrics.request_duration_seconds.with_label_values(&[&**name]).observe(began.elapsed().as_secs_f64());
        let Ok(reply) = result else { return };
        let now = clock();
        let Some(allowance) = reply.allowance(now) else { return };
        metrics.rate_limit_remaining.with_label_values(&[&**name]).set(allowance.remaining.into());
        self.record().allowance = Some(allowance);
        *self.service.allowance.lock().expect("noting an allowance does not panic") = Some(allowance);
    }

    fn remember(&self, call: Call, result: &Result<Reply, Failure>) {
        let (status, reply) = match result {
            Ok(reply) => (Some(reply.status), String::from_utf8_lossy(&reply.body)),
            Err(failure) => (None, Cow::Borrowed(failure.message.as_str())),
        };
        let exchange = Exchange {
            method: call.method.name().into(),
            path: call.path,
            body: call.body.map(|body| start(&body).to_owned()),
            status,
            reply: start(&reply).to_owned(),
        };
        self.record().exchanges.push(exchange);
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("recording does not panic")
    }
}

/// The start of a body, as much as a story keeps.
fn start(text: &str) -> &str {
    let end = (0..=text.len().min(Exchange::BODY_MAX)).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &'static str, parts: &[&str], expected: Option<&str>) {
        assert_eq!(Call::new(endpoint, parts).ok().map(|call| call.path).as_deref(), expected);
    }

    #[test]
    fn a_path_is_filled_with_encoded_segments() {
        check("GET /me", &[], Some("/me"));
        check("PUT /contacts/{id}", &["abc"], Some("/contacts/abc"));
        check("DELETE /contacts/{id}/companies/{id}", &["a", "b"], Some("/contacts/a/companies/b"));
        check("PUT /contacts/{id}", &["a/b?c#d@e f%é..\\"], Some("/contacts/a%2Fb%3Fc%23d%40e%20f%25%C3%A9..%5C"));
        for bad in ["", ".", ".."] {
            check("PUT /contacts/{id}", &[bad], None);
        }
        check("GET /companies?company_id={id}", &["a&b=c"], Some("/companies?company_id=a%26b%3Dc"));
    }

    #[test]
    fn a_story_keeps_the_start_of_a_body() {
        let long = "é".repeat(Exchange::BODY_MAX);
        assert_eq!(start(&long).len(), Exchange::BODY_MAX);
        assert_eq!(start(&format!("x{long}")).len(), Exchange::BODY_MAX - 1);
        assert_eq!(start("short"), "short");
    }
}
