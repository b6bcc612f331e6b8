//! The tests of a destination file: an event, and what is expected of it.

use std::borrow::Cow;

use crate::instant::{self, Timestamp};
use crate::json::{Json, Object};
use crate::mapping::file::{Section, Text};
use crate::yaml::{Node, Place, Problems, Value, meant};

/// When events of tests arrive that do not say so themselves, so that results never depend on when a test runs.
pub const ARRIVAL: &str = "2026-01-01T00:00:00Z";
/// The `messageId` of events of tests that have none.
pub const MESSAGE_ID: &str = "test";
/// The keys that a request of a test may name its method and path with.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// How a delivery may end.
const STATUSES: [&str; 8] =
    ["delivered", "skipped", "rejected", "unauthorized", "throttled", "too_early", "unavailable", "unknown"];

/// One test of a destination file.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// The call, as an SDK would send it.
    pub event: Node,
    /// The source it comes from; one whose events the destination takes when it names none.
    pub source: Option<String>,
    /// Whether the contact is taken not to be there yet.
    pub new_contact: bool,
    /// Whether a mapping that matches and is not named fails the test.
    pub only: bool,
    /// What is expected of mappings.
    pub expect: Vec<Expected>,
    /// Where it stands.
    pub place: Place,
    /// Where it stands by name.
    pub path: String,
}

/// What is expected of one mapping. What is `None` is not looked at.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The mapping's name.
    pub mapping: String,
    /// Where that name stands.
    pub place: Place,
    /// Where it stands by name.
    pub path: String,
    /// Whether its trigger should hold.
    pub matched: bool,
    /// A part of the payload, with the places of its keys.
    pub payload: Option<Node>,
    /// A part of why there is no payload: `code`, `field`, `message`.
    pub error: Option<Json<'static>>,
    /// Parts of warnings, each of which is among them; when empty, there is none.
    pub warnings: Option<Vec<Json<'static>>>,
    /// A part of how it ends: `status`, `code`, `message`.
    pub outcome: Option<Json<'static>>,
    /// Every request, in order.
    pub requests: Option<Vec<Request>>,
}

/// A request that is expected.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method, in capitals.
    pub method: String,
    /// Its path; a `*` stands for any one part.
    pub path: String,
    /// A part of its body.
    pub body: Option<Json<'static>>,
}

impl Test {
    /// The call as JSON text.
    pub fn call(&self) -> Vec<u8> {
        let mut call = self.event.to_json();
        if let Json::Object(call) = &mut call
            && call.get("messageId").is_none()
        {
            call.insert("messageId", MESSAGE_ID.into());
        }
        call.to_string().into_bytes()
    }

    /// When the event arrives: as it says in `receivedAt`; else as it was sent; else at [`ARRIVAL`], or when it happened
    /// where that is later.
    pub fn received_at(&self) -> Timestamp {
        let moment = |key: &str| self.event.get(key).and_then(|node| instant::from_json(&node.to_json()));
        let arrival = instant::parse(ARRIVAL).expect("it is a moment");
        let happened = || moment("timestamp").or_else(|| moment("originalTimestamp"));
        moment("receivedAt")
            .or_else(|| moment("sentAt"))
            .unwrap_or_else(|| happened().map_or(arrival, |happened| happened.max(arrival)))
    }

    pub(super) fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let known = ["name", "event", "source", "new_contact", "only", "expect"];
        let mut test = Section::open(node, path, &known, problems)?;
        let name = test.required_text("name");
        let source = test.text("source").map(|text| text.text.to_owned());
        let (new_contact, only) = (test.flag("new_contact", false), test.flag("only", true));
        let event = test.required("event", |test| test.map("event").and(test.get("event")));
        let items = test.required("expect", |test| test.list("expect"));
        let expect = items.unwrap_or_default().iter().enumerate();
        let expect =
            expect.filter_map(|(at, item)| Expected::read(item, &format!("{path}.expect[{at}]"), test.problems));
        let expect = expect.collect();
        items?;
        Some(Test {
            name: name?.text.to_owned(),
            event: event?.clone(),
            source,
            new_contact,
            only,
            expect,
            place: node.place.clone(),
            path: path.to_owned(),
        })
    }
}

impl Expected {
    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let known = ["mapping", "matched", "payload", "error", "warnings", "outcome", "requests"];
        let mut item = Section::open(node, path, &known, problems)?;
        let mapping = item.required_text("mapping");
        let matched = item.flag("matched", true);
        let payload = item.map("payload").and_then(|_| item.get("payload")).filter(|node| !node.is_null()).cloned();
        let error = item.part("error", "code", &["code", "field", "message"]);
        let outcome = item.part("outcome", "status", &["status", "code", "message"]);
        item.check_status(outcome.as_ref());
        let warnings = item.list("warnings").map(|items| {
            let parts = (0..items.len()).filter_map(|at| {
                let (key, node) = (format!("warnings[{at}]"), &items[at]);
                item.part_of(&key, node, "code", &["code", "field", "message"])
            });
            parts.collect()
        });
        let requests = item.list("requests");
        let requests = requests.map(|nodes| {
            let nodes = nodes.iter().enumerate();
            nodes
                .filter_map(|(at, node)| Request::read(node, &format!("{path}.requests[{at}]"), item.problems))
                .collect()
        });
        let Text { text, node, path } = mapping?;
        let mapping = text.to_owned();
        Some(Expected {
            mapping,
            place: node.place.clone(),
            path,
            matched,
            payload,
            error,
            warnings,
            outcome,
            requests,
        })
    }
}

impl Request {
    fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let known = ["get", "post", "put", "patch", "delete", "method", "path", "body"];
        let mut request = Section::open(node, path, &known, problems)?;
        let short = METHODS.into_iter().find(|method| request.get(method).is_some());
        let (method, path) = match short {
            Some(method) => (method.to_uppercase(), request.text(method)?.text),
            None => match (request.text("method"), request.text("path")) {
                (Some(method), Some(path)) => (method.text.to_uppercase(), path.text),
                _ => {
                    let message = "the request has no method and path";
                    let path = request.path.clone();
                    request
                        .problems
                        .error("key_missing", &node.place, &path, message)
                        .help("write `post: /contacts`, or `method: POST` and `path: /contacts`");
                    return None;
                }
            },
        };
        Some(Request { method, path: path.to_owned(), body: request.get("body").map(Node::to_json) })
    }
}

impl<'n> Section<'n, '_> {
    /// Reads what must be there.
    fn required<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.get(key).is_none() {
            self.missing(key);
        }
        read(self)
    }

    /// A member that is a map of some known keys, or a text that stands for the first of them.
    fn part(&mut self, key: &str, first: &str, known: &[&str]) -> Option<Json<'static>> {
        self.part_of(key, self.get(key)?, first, known)
    }

    fn part_of(&mut self, key: &str, node: &'n Node, first: &str, known: &[&str]) -> Option<Json<'static>> {
        match &node.value {
            Value::Text(text) => {
                let mut part = Object::new();
                part.push_new(first.to_owned(), Json::String(Cow::Owned(text.clone())));
                Some(Json::Object(part))
            }
            Value::Map(_) => {
                let path = self.inner(key);
                Section::open(node, &path, known, self.problems).map(|_| node.to_json())
            }
            _ => {
                self.refuse(key, node, "text or a map");
                None
            }
        }
    }

    /// Notes a status that no delivery ends with.
    fn check_status(&mut self, outcome: Option<&Json<'_>>) {
        let Some(status) = outcome.and_then(|outcome| outcome.get("status")).and_then(Json::as_str) else { return };
        if let Some(node) = self.get("outcome").filter(|_| !STATUSES.contains(&status)) {
            let node = node.get("status").unwrap_or(node);
            let message = format!("no delivery ends as `{}`", node.shown());
            let path = self.inner("outcome");
            self.problems.error("value_invalid", &node.place, &path, message).help(meant(status, STATUSES));
        }
    }
}
