//! A workspace for the tests beside the endpoints: requests in, replies out, no HTTP.

use serde_json::Value;

use super::endpoints::{self, Request};
use super::reply::{Answer, Refusal};
use super::settings::{Settings, UnknownAttributes};
use super::state::State;
use super::version::Version;
use crate::json::{self, Json};

/// A workspace, its switches and its time.
pub struct Case {
    pub settings: Settings,
    pub version: &'static str,
    pub now: i64,
    state: State,
}

impl Case {
    pub fn new() -> Case {
        let settings = Settings::default();
        let state = State::new(&settings);
        Case { settings, version: "2.16", now: 1_700_000_000, state }
    }

    /// One that defines custom attributes as they come.
    pub fn accepting() -> Case {
        let mut case = Case::new();
        case.settings.unknown_attributes = UnknownAttributes::Accept;
        case
    }

    pub fn answer(&mut self, method: &str, target: &str, body: Value) -> Answer {
        let text = if body.is_null() { "{}".to_owned() } else { body.to_string() };
        self.answer_text(method, target, &text)
    }

    pub fn answer_text(&mut self, method: &str, target: &str, body: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (endpoint, parameters) = endpoints::find(method, path).expect("an endpoint");
        let Ok(Json::Object(body)) = json::parse(body.as_bytes()) else { panic!("test bodies are JSON objects") };
        let request = Request {
            parameters,
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body,
            version: Version::parse(self.version).expect("a known version"),
            now: self.now,
            settings: &self.settings,
        };
        self.state.catch_up(self.now, &self.settings);
        (endpoint.answer)(&mut self.state, &request)
    }

    #[track_caller]
    pub fn ok(&mut self, method: &str, target: &str, body: Value) -> Value {
        match self.answer(method, target, body) {
            Ok(reply) => reply.body.unwrap_or(Value::Null),
            Err(refusal) => panic!("{method} {target} was refused: {refusal:?}"),
        }
    }

    #[track_caller]
    pub fn refused(&mut self, method: &str, target: &str, body: Value) -> Refusal {
        match self.answer(method, target, body) {
            Ok(reply) => panic!("{method} {target} was answered: {reply:?}"),
            Err(refusal) => refusal,
        }
    }

    pub fn state(&self) -> Value {
        self.state.snapshot(&self.settings)
    }
}

/// In an empty workspace the request is refused so.
#[track_caller]
pub fn check(method: &str, target: &str, body: Value, status: u16, code: &str) {
    let refusal = Case::new().refused(method, target, body.clone());
    assert_eq!((refusal.status, refusal.code), (status, code), "{method} {target} {body}");
}
