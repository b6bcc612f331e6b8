//! Faults on demand: which calls go wrong, and how.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::AccessToken;

/// One fault: of the requests that `on` fits, `count` go wrong from the `nth` one on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `METHOD /path`, where the path is an endpoint's (`/contacts/{id}`, whatever the parameter is called), a request's
    /// own, or a beginning with `*` after it; `*` is every method or every request.
    #[serde(default = "every")]
    pub on: String,
    /// The first call that goes wrong, counted from 1 since the fault was set.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many calls go wrong; 0 is all of them from the `nth` on.
    #[serde(default = "one")]
    pub count: u64,
    /// The only token whose requests count; without it, every request.
    #[serde(default, skip_serializing)]
    pub token: Option<AccessToken>,
    /// What happens.
    pub does: Effect,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Answers this error instead.
    Status(Status),
    /// Closes the connection.
    Close(Close),
    /// Answers with a page, as a proxy would.
    Html {
        /// HTTP status of the page.
        status: u16,
        /// Whether the request takes effect.
        #[serde(default)]
        commit: bool,
    },
    /// Takes effect, and answers with only the first bytes of the body.
    Truncated {
        /// How many bytes; 0 is an empty body.
        keep_bytes: usize,
    },
    /// Takes effect, and answers under another `Content-Type`.
    ContentType(String),
    /// Takes effect so many milliseconds later.
    Delay(u64),
    /// Takes effect, and answers so many milliseconds later.
    SlowReply(u64),
    /// Takes effect, and sends half the body, the rest so many milliseconds later.
    SlowBody(u64),
    /// Waits until it is released, then takes effect.
    Hold,
    /// Takes effect, then waits until it is released before it answers.
    HoldReply,
    /// Answers as if it had taken effect, without.
    Pretend,
    /// A conflict whose message names nobody.
    ConflictWithoutId,
    /// Takes effect; the rate headers' reset is off by so many seconds.
    ResetSkew(i64),
}

/// An error that is answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Status {
    /// HTTP status.
    pub status: u16,
    /// Code in the envelope; without one, the usual code of the status.
    pub code: Option<String>,
    /// Message in the envelope.
    pub message: Option<String>,
    /// Whether the rate headers are there.
    pub rate_headers: bool,
    /// Whether the envelope's request id is null.
    pub without_request_id: bool,
    /// Whether the request takes effect all the same.
    pub commit: bool,
}

/// When the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// Before the request takes effect.
    Before,
    /// In the middle of the reply, after it took effect.
    During,
    /// After it took effect, with no reply.
    After,
}

fn every() -> String {
    "*".to_owned()
}

fn one() -> u64 {
    1
}

impl Fault {
    /// A fault of the first call.
    pub fn new(on: &str, does: Effect) -> Fault {
        Fault { on: on.to_owned(), nth: 1, count: 1, token: None, does }
    }

    /// Whether a request is one of those the fault counts. `pattern` is the endpoint's path, if there is an endpoint.
    pub fn fits(&self, method: &str, path: &str, pattern: Option<&str>) -> bool {
        is_on(&self.on, method, path, pattern)
    }
}

/// Whether `on` (as in [`Fault::on`]) fits a request.
pub fn is_on(on: &str, method: &str, path: &str, pattern: Option<&str>) -> bool {
    let (wanted_method, wanted_path) = on.trim().split_once(' ').unwrap_or(("*", on));
    let wanted_path = wanted_path.trim();
    let fits_path = |path: &str| match wanted_path.strip_suffix('*') {
        Some(start) => unnamed(path).starts_with(&unnamed(start)),
        None => unnamed(path) == unnamed(wanted_path),
    };
    (wanted_method == "*" || wanted_method.eq_ignore_ascii_case(method))
        && (fits_path(path) || pattern.is_some_and(fits_path))
}

/// The path without the names of its parameters.
fn unnamed(path: &str) -> String {
    let unname = |segment: &str| if segment.starts_with('{') { "{}".to_owned() } else { segment.to_owned() };
    path.split('/').map(unname).collect::<Vec<_>>().join("/")
}

impl Effect {
    /// An error status before the request takes effect.
    pub fn status(status: u16) -> Effect {
        Effect::Status(Status { status, ..Status::default() })
    }

    /// An error status after the request took effect.
    pub fn status_after(status: u16) -> Effect {
        Effect::Status(Status { status, commit: true, ..Status::default() })
    }

    /// Whether the request takes effect.
    pub fn commits(&self) -> bool {
        match self {
            Effect::Status(status) => status.commit,
            Effect::Html { commit, .. } => *commit,
            Effect::Close(Close::Before) | Effect::Pretend | Effect::ConflictWithoutId => false,
            _ => true,
        }
    }
}

/// The short form of a header: `503`, `503 after`, `429 headers`, `close before`, `close during`, `close after`, `html`,
/// `truncated`, `empty`, `pretend`, `conflict_without_id`, `hold`, `hold_reply`; or an effect as JSON.
impl FromStr for Effect {
    type Err = String;

    fn from_str(text: &str) -> Result<Effect, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let Some(status) = words.first().and_then(|word| word.parse().ok()).filter(|s| (200..=599).contains(s)) {
            let (commit, rate_headers) = (words.contains(&"after"), words.contains(&"headers"));
            return Ok(Effect::Status(Status { status, commit, rate_headers, ..Status::default() }));
        }
        match words.as_slice() {
            ["close", "before"] => Ok(Effect::Close(Close::Before)),
            ["close", "during"] => Ok(Effect::Close(Close::During)),
            ["close", "after"] => Ok(Effect::Close(Close::After)),
            ["html"] => Ok(Effect::Html { status: 502, commit: false }),
            ["truncated"] => Ok(Effect::Truncated { keep_bytes: 20 }),
            ["empty"] => Ok(Effect::Truncated { keep_bytes: 0 }),
            ["pretend"] => Ok(Effect::Pretend),
            ["conflict_without_id"] => Ok(Effect::ConflictWithoutId),
            ["hold"] => Ok(Effect::Hold),
            ["hold_reply"] => Ok(Effect::HoldReply),
            _ => serde_json::from_str(text).map_err(|_| format!("no such fault: `{text}`")),
        }
    }
}

/// The faults that are set, and how often each was passed.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<(Fault, u64)>);

impl Faults {
    /// Sets one more.
    pub fn set(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    /// Takes all back.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What is set.
    pub fn all(&self) -> Vec<&Fault> {
        self.0.iter().map(|(fault, _)| fault).collect()
    }

    /// Counts a request, and says what goes wrong with it: the first fault whose turn it is.
    pub fn strike(
        &mut self,
        (method, path): (&str, &str),
        pattern: Option<&str>,
        token: Option<&AccessToken>,
    ) -> Option<Effect> {
        let mut effect = None;
        let is_meant = |fault: &Fault| {
            fault.fits(method, path, pattern) && fault.token.as_ref().is_none_or(|wanted| Some(wanted) == token)
        };
        for (fault, seen) in self.0.iter_mut().filter(|(fault, _)| is_meant(fault)) {
            *seen += 1;
            let past = *seen >= fault.nth && (fault.count == 0 || *seen - fault.nth < fault.count);
            if past && effect.is_none() {
                effect = Some(fault.does.clone());
            }
        }
        effect
    }
}

/// The usual code of an error status.
pub fn usual_code(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        402 | 403 => "api_plan_restricted",
        404 => "not_found",
        408 => "request_timeout",
        409 => "conflict",
        422 => "unprocessable_entity",
        429 => "rate_limit_exceeded",
        500..=502 => "server_error",
        503 => "service_unavailable",
        504 => "server_timeout",
        _ => "client_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(on: &str, method: &str, path: &str, pattern: Option<&str>, expected: bool) {
        assert_eq!(is_on(on, method, path, pattern), expected, "{on} on {method} {path}");
    }

    #[test]
    fn a_fault_is_set_on_an_endpoint_a_path_or_a_beginning() {
        let pattern = Some("/contacts/{contact_id}/tags");
        for on in ["*", "POST *", "POST /contacts/{id}/tags", "/contacts/*", "* /contacts/7/tags", "post /contacts/7/*"]
        {
            check(on, "POST", "/contacts/7/tags", pattern, true);
        }
        for on in ["GET *", "POST /contacts", "/contacts/8/tags", "", "POST /contacts/{id}"] {
            check(on, "POST", "/contacts/7/tags", pattern, false);
        }
    }

    #[test]
    fn a_fault_strikes_from_the_nth_call_on_for_so_many_calls() {
        let mut faults = Faults::default();
        faults.set(Fault { nth: 2, count: 2, ..Fault::new("POST /events", Effect::Pretend) });
        faults.set(Fault { nth: 4, count: 0, ..Fault::new("POST /events", Effect::Hold) });
        let struck: Vec<_> = (0..6).map(|_| faults.strike(("POST", "/events"), Some("/events"), None)).collect();
        let (pretend, hold) = (Some(Effect::Pretend), Some(Effect::Hold));
        assert_eq!(struck, [None, pretend.clone(), pretend, hold.clone(), hold.clone(), hold]);
        assert_eq!(faults.strike(("GET", "/events"), None, None), None);
    }

    #[test]
    fn a_fault_of_one_token_leaves_the_others_alone() {
        let (mine, other) = (AccessToken("mine".to_owned()), AccessToken("other".to_owned()));
        let mut faults = Faults::default();
        faults.set(Fault { count: 0, token: Some(mine.clone()), ..Fault::new("*", Effect::Pretend) });
        let mut struck = |token| faults.strike(("GET", "/me"), None, token).is_some();
        assert_eq!([struck(Some(&mine)), struck(Some(&other)), struck(None)], [true, false, false]);
        assert!(!serde_json::to_string(&faults.all()).unwrap().contains("mine"));
    }

    #[test]
    fn the_short_form_and_json_both_name_effects() {
        assert_eq!("503".parse(), Ok(Effect::status(503)));
        assert_eq!("500 after".parse(), Ok(Effect::status_after(500)));
        assert_eq!("close during".parse(), Ok(Effect::Close(Close::During)));
        assert_eq!(r#"{"delay":5}"#.parse(), Ok(Effect::Delay(5)));
        assert_eq!(r#""hold""#.parse(), Ok(Effect::Hold));
        for text in ["", "99", "close", "nonsense", r#"{"status":{"statu":1}}"#] {
            assert!(text.parse::<Effect>().is_err(), "{text}");
        }
    }
}
