//! A rehearsal: the requests an action would send, answered by an Intercom in which the contact is, or is not.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Intercom, Settings};
use crate::action::Failure;
use crate::delivery::{Exchange, Steps};
use crate::destination::http::{Method, Reply, Request, Transport};
use crate::destination::{Context, Destination, Performed};
use crate::instant::Timestamp;
use crate::metrics::Metrics;

/// The id that stands for the contact in a rehearsal.
pub const CONTACT: &str = "000000000000000000000001";
/// The id that stands for the company in a rehearsal.
pub const COMPANY: &str = "000000000000000000000002";

/// The id that stands for a tag in a rehearsal.
const TAG: &str = "1";
/// The id that stands for a ticket in a rehearsal.
const TICKET: &str = "1";

/// Answers requests without sending them.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// Whether the contact that is looked for is there. One that is made is there, whatever this says.
    pub contact_exists: bool,
    /// The address of the contact that is there, where one is given.
    pub email: Option<String>,
}

/// The requests that an action would send with a payload, to an Intercom in which the contact is there or not. Sends
/// nothing, and remembers nothing.
pub async fn rehearse(settings: &Settings, action: &str, payload: &[u8], contact_exists: bool) -> Performed {
    let context = Context {
        name: "rehearsal".into(),
        metrics: Metrics::new(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        memory: None,
    };
    let given: Value = serde_json::from_slice(payload).unwrap_or_default();
    let email = given["email"].as_str().map(str::to_owned);
    let whole = Arc::new(Whole { rehearsal: Rehearsal { contact_exists, email }, bodies: Mutex::default() });
    let intercom = Intercom::over(whole.clone(), settings.clone(), context);
    let performed = intercom.perform(action, payload, &Steps::new()).await;
    let bodies = std::mem::take(&mut *whole.bodies.lock().expect("noting a body does not panic"));
    let exchanges = performed.exchanges.into_iter().zip(bodies);
    // The workspace's list is read once in a while, and for no event in particular.
    let exchanges = exchanges.filter(|(exchange, _)| !exchange.path.starts_with("/data_attributes"));
    let exchanges = exchanges.map(|(exchange, body)| Exchange { reply: String::new(), body, ..exchange });
    Performed { exchanges: exchanges.collect(), ..performed }
}

/// A rehearsal that keeps the bodies whole: a story cuts long ones.
struct Whole {
    rehearsal: Rehearsal,
    bodies: Mutex<Vec<Option<String>>>,
}

impl Transport for Whole {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        self.bodies.lock().expect("noting a body does not panic").push(request.body.clone());
        self.rehearsal.send(request)
    }
}

impl Transport for Rehearsal {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let (status, body) = self.answer(&request);
        let body = match status {
            202 => Vec::new(),
            _ => body.to_string().into_bytes(),
        };
        Box::pin(async move { Ok(Reply { status, headers: Vec::new(), body }) })
    }
}

impl Rehearsal {
    fn answer(&self, request: &Request) -> (u16, Value) {
        let path = request.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let company = json!({ "type": "company", "id": COMPANY });
        let tag = json!({ "type": "tag", "id": TAG });
        let ticket = json!({ "type": "ticket", "id": TICKET });
        match (request.method, segments.as_slice()) {
            (Method::Get, ["me"]) => (200, json!({ "type": "admin", "id": "1" })),
            (Method::Get, ["contacts", "find_by_external_id", _]) => self.contact(json!({ "role": "user" })),
            (Method::Get, ["contacts"]) => self.listed(json!({})),
            (Method::Get, ["contacts", _]) => self.contact(json!({})),
            (Method::Post, ["contacts", "search"]) => self.listed(searched(request)),
            (Method::Post, ["contacts"] | ["contacts", "merge"]) => (200, json!({ "type": "contact", "id": CONTACT })),
            (_, ["contacts", id] | ["contacts", id, "archive" | "unarchive"]) => {
                (200, json!({ "type": "contact", "id": id }))
            }
            (Method::Get, ["companies", "scroll"]) | (Method::Post, ["companies", "list"]) => {
                (200, list(vec![company]))
            }
            (_, ["contacts", _, "companies", ..] | ["companies", ..]) => (200, company),
            (Method::Get, ["tags" | "ticket_types" | "data_attributes"]) | (Method::Post, ["tickets", "search"]) => {
                (200, list(Vec::new()))
            }
            (_, ["tags", ..] | ["contacts", _, "tags", ..]) => (200, tag),
            (_, ["tickets", ..]) => (200, ticket),
            (Method::Post, ["events"]) if self.contact_exists => (202, Value::Null),
            _ => missing(),
        }
    }

    fn contact(&self, mut known: Value) -> (u16, Value) {
        known["type"] = "contact".into();
        known["id"] = CONTACT.into();
        if let Some(email) = &self.email {
            known["email"] = email.as_str().into();
        }
        match self.contact_exists {
            true => (200, known),
            false => missing(),
        }
    }

    fn listed(&self, mut known: Value) -> (u16, Value) {
        known["type"] = "contact".into();
        known["id"] = CONTACT.into();
        (200, list(if self.contact_exists { vec![known] } else { Vec::new() }))
    }
}

/// A search finds a lead: users are found before, by external id.
fn searched(request: &Request) -> Value {
    let query: Value = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    json!({ "role": "lead", "email": query["query"]["value"] })
}

fn list(data: Vec<Value>) -> Value {
    json!({ "type": "list", "total_count": data.len(), "data": data })
}

fn missing() -> (u16, Value) {
    let error = json!({ "code": "not_found", "message": "not there, in this rehearsal" });
    (404, json!({ "type": "error.list", "request_id": null, "errors": [error] }))
}
