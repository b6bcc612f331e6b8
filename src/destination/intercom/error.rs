//! What Intercom means by a refusal: its codes, and what is in its words.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::refusals::{self, PERMISSION_MISSING, PLAN_RESTRICTED};
use crate::action::{Failure, Kind};
use crate::destination::http::{self, Reply};
use crate::instant::Timestamp;

/// A request that had no success.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The reply's status; `None` when there was no reply.
    pub status: Option<u16>,
    /// What it means.
    pub failure: Failure,
    /// The contact that this one was merged into, by the reply's `Link`.
    pub canonical: Option<String>,
}

/// The contact that stands in the way of another, as the text of a 409 names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its Intercom id.
    pub id: String,
    /// Whether it is archived.
    pub archived: bool,
}

impl Refusal {
    /// Reads a reply without success.
    pub fn read(reply: &Reply, now: Timestamp) -> Refusal {
        let canonical = reply.header("link").and_then(canonical);
        Refusal { status: Some(reply.status), failure: failure(reply, now), canonical }
    }

    /// The refusal of a request that changes something: in trouble, Intercom may have done it all the same.
    pub fn of_a_write(mut self) -> Refusal {
        if self.is_open() && self.failure.kind == Kind::Unavailable {
            self.failure.kind = Kind::Unknown;
        }
        self
    }

    /// Whether what was asked for is not there.
    pub fn is_missing(&self) -> bool {
        self.status == Some(404) && self.failure.kind == Kind::Rejected
    }

    /// Whether the contact that was asked about is not there: it, or what belongs to it.
    pub fn is_contact_missing(&self) -> bool {
        self.is_missing() && self.failure.code != "company_not_found"
    }

    /// Whether the company that was asked about is not there.
    pub fn is_company_missing(&self) -> bool {
        self.failure.code == "company_not_found"
    }

    /// Whether there is nothing to do it to: not there now, whatever comes later.
    pub fn is_absent(&self) -> bool {
        self.is_missing() || self.failure.code == "contact_not_found"
    }

    /// Whether the credentials work and are not enough for this.
    pub fn is_forbidden(&self) -> bool {
        [PERMISSION_MISSING, PLAN_RESTRICTED].contains(&&*self.failure.code)
    }

    /// Whether something else has what this wants for itself.
    pub fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// Whether it may have been done all the same.
    pub fn is_open(&self) -> bool {
        match self.status {
            Some(status) => status >= 500 || status == 408,
            None => self.failure.kind == Kind::Unknown,
        }
    }
}

/// Something failed before there was a reply.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal { status: None, failure, canonical: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        refusal.failure
    }
}

fn failure(reply: &Reply, now: Timestamp) -> Failure {
    let mut failure = http::classify(reply, now);
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Some(errors) = body["errors"].as_array().filter(|errors| !errors.is_empty()) else {
        return without_envelope(reply, failure);
    };
    let code = errors[0]["code"].as_str().unwrap_or_default();
    let texts: Vec<String> = errors.iter().map(one).collect();
    let request = body["request_id"].as_str().map(|id| format!(" (request {id})")).unwrap_or_default();
    failure.message = format!("intercom answered {}: {}{request}", reply.status, texts.join("; "));
    if let Some(trouble) = refusals::known(code) {
        failure.kind = trouble.kind;
        failure.code = trouble.code.into();
    }
    failure.message.push_str(match &*failure.code {
        PERMISSION_MISSING => "; grant the app that permission in intercom's developer hub",
        PLAN_RESTRICTED => "; the workspace's plan does not include this",
        _ => "",
    });
    if failure.kind == Kind::Rejected && is_about_event_names(&failure.message) {
        failure.code = "event_names_exhausted".into();
    }
    if failure.kind == Kind::Throttled && failure.retry_after.is_none() {
        failure.retry_after = reply.wait(now);
    }
    failure
}

fn one(error: &Value) -> String {
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let field = match error["field"].as_str() {
        Some(field) => format!(" [{field}]"),
        None => String::new(),
    };
    format!("{}{field} {}", text("code"), text("message")).trim().to_owned()
}

/// Something between us and Intercom answered. Its 403 and 404 tell nothing about a token or a contact.
fn without_envelope(reply: &Reply, mut failure: Failure) -> Failure {
    let text = String::from_utf8_lossy(&reply.body);
    let start: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if matches!(reply.status, 403..=405) {
        failure = Failure::new(Kind::Unavailable, "unexpected_reply", "");
        failure.message = format!("status {}, but not in intercom's form; check `base_url` and proxies", reply.status);
    }
    if !start.is_empty() {
        failure.message = format!("{}: {start}", failure.message);
    }
    failure
}

/// A workspace takes 120 names of events; the next one is refused, with a code that has varied.
fn is_about_event_names(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let is_word = |word: &str| message.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word);
    is_word("120") && message.contains("event")
}

/// The contact named by a 409. Its wording is nowhere promised, so only the id and one word are looked for.
pub fn conflict(message: &str) -> Option<Conflict> {
    static ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\bid\s*[=:]\s*([0-9a-f]{24})\b").expect("it is a pattern"));
    let id = ID.captures(message)?[1].to_owned();
    Some(Conflict { id, archived: message.to_ascii_lowercase().contains("archived") })
}

/// The attribute for which a whole write was refused, because the workspace does not have it.
pub fn unknown_attribute(refusal: &Refusal) -> Option<String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)custom attribute ['"`](.+?)['"`] (?:does not exist|is not defined|was not found)"#)
            .expect("it is a pattern")
    });
    let is_refused = matches!(refusal.status, Some(400 | 422)) && refusal.failure.kind == Kind::Rejected;
    is_refused.then(|| NAME.captures(&refusal.failure.message).map(|found| found[1].to_owned()))?
}

/// The id in `</contacts/{id}>; rel="canonical"`.
fn canonical(link: &str) -> Option<String> {
    let (target, rel) = link.split_once('>')?;
    let id = target.trim().strip_prefix('<')?.rsplit_once("/contacts/")?.1;
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (plain && rel.contains("canonical")).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[track_caller]
    fn check(status: u16, code: &str, expected: (Kind, &str)) {
        let body = format!(r#"{{"type":"error.list","request_id":"r1","errors":[{{"code":"{code}","message":"m"}}]}}"#);
        let failure = Refusal::read(&reply(status, &body), Timestamp::UNIX_EPOCH).failure;
        assert_eq!((failure.kind, &*failure.code), expected, "{status} {code}");
        let said = format!("intercom answered {status}: {code} m (request r1)");
        assert!(failure.message.starts_with(&said), "{}", failure.message);
    }

    #[test]
    fn codes_say_more_than_statuses() {
        use Kind::*;
        check(400, "parameter_invalid", (Rejected, "payload_rejected"));
        check(400, "parameter_not_found", (Rejected, "payload_rejected"));
        check(400, "bad_request", (Rejected, "payload_rejected"));
        check(400, "client_error", (Rejected, "payload_rejected"));
        check(400, "contact_company_limit_exceeded", (Rejected, "company_limit"));
        check(400, "intercom_version_invalid", (Unauthorized, "version_invalid"));
        check(401, "unauthorized", (Unauthorized, "unauthorized"));
        check(401, "anything", (Unauthorized, "unauthorized"));
        check(402, "anything", (Unavailable, "plan_restricted"));
        check(403, "api_plan_restricted", (Unavailable, "plan_restricted"));
        check(403, "anything", (Unavailable, "permission_missing"));
        check(403, "action_forbidden", (Unavailable, "permission_missing"));
        check(404, "not_found", (Rejected, "not_found"));
        check(404, "company_not_found", (Rejected, "company_not_found"));
        check(408, "request_timeout", (Unknown, "timeout"));
        check(409, "conflict", (Rejected, "conflict"));
        check(410, "contact_merged", (Rejected, "contact_merged"));
        check(422, "data_invalid", (Rejected, "payload_rejected"));
        check(429, "rate_limit_exceeded", (Throttled, "rate_limited"));
        check(500, "server_error", (Unavailable, "server_error"));
        check(503, "service_unavailable", (Unavailable, "server_error"));
        check(504, "server_timeout", (Unknown, "timeout"));
    }

    #[track_caller]
    fn odd(status: u16, body: &str, expected: (Kind, &str, &str)) {
        let failure = Refusal::read(&reply(status, body), Timestamp::UNIX_EPOCH).failure;
        assert_eq!((failure.kind, &*failure.code, failure.message.as_str()), expected);
    }

    #[test]
    fn odd_replies_are_understood() {
        use Kind::*;
        odd(503, "", (Unavailable, "server_error", "status 503"));
        odd(502, "<html>\n Bad  gateway", (Unavailable, "server_error", "status 502: <html> Bad gateway"));
        odd(
            404,
            "<html>",
            (
                Unavailable,
                "unexpected_reply",
                "status 404, but not in intercom's form; check `base_url` and proxies: <html>",
            ),
        );
        odd(400, r#"{"errors":[]}"#, (Rejected, "payload_rejected", r#"status 400: {"errors":[]}"#));
        odd(
            400,
            r#"{"errors":[{"code":"a","field":"email"},{"message":"b"}],"request_id":null}"#,
            (Rejected, "payload_rejected", "intercom answered 400: a [email]; b"),
        );
        odd(
            422,
            r#"{"errors":[{"code":"422","message":"Limit of 120 event names reached"}]}"#,
            (Rejected, "event_names_exhausted", "intercom answered 422: 422 Limit of 120 event names reached"),
        );
    }

    #[test]
    fn a_conflict_names_the_contact_in_the_way() {
        let id = "6762f0df1bb69f9f2193bb84";
        let found = |archived| Some(Conflict { id: id.to_owned(), archived });
        let text = format!("A contact matching those details already exists with id={id}");
        assert_eq!(conflict(&text), found(false));
        let text = format!("An archived contact matching those details already exists with id={id}.");
        assert_eq!(conflict(&text), found(true));
        assert_eq!(conflict(&format!("Archived contact, ID: x, id: {id}")), found(true));
        assert_eq!(conflict("A contact matching those details already exists"), None);
        assert_eq!(conflict("id=123"), None);
    }

    #[test]
    fn a_link_names_the_canonical_contact() {
        let link = |text: &str| canonical(text);
        assert_eq!(link(r#"</contacts/abc>; rel="canonical""#).as_deref(), Some("abc"));
        assert_eq!(link(r#"<https://api.intercom.io/contacts/abc>; rel=canonical"#).as_deref(), Some("abc"));
        assert_eq!(link(r#"</contacts/abc>; rel="next""#), None);
        assert_eq!(link(r#"</contacts/a/../b>; rel="canonical""#), None);
    }
}
