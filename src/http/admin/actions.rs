//! Actions by hand: `POST /api/destinations/{name}/actions/{action}` with the fields as a JSON object.
//!
//! # Why
//! It is the running connection that performs them, so they share its caches, its requests in flight and what it knows of
//! the rate limit; a separate program would not.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{Admin, Caller};
use crate::action::{Facts, Kind, Manner};
use crate::destination::{self, Destination, Done};
use crate::http::problem::{Code, Problem, nearest};
use crate::json::{self, Json, Object};

/// The destinations that are in force.
pub type Hands = Arc<dyn Fn() -> Vec<Hand> + Send + Sync>;

/// One of them.
#[derive(Clone)]
pub struct Hand {
    /// Its name.
    pub name: Arc<str>,
    /// What it is a destination of.
    pub kind: &'static destination::Kind,
    /// The one that deliveries go to.
    pub destination: Arc<dyn Destination>,
}

/// An action as a form needs it.
pub(super) fn facts(facts: &'static Facts) -> Value {
    let fields = facts.fields.iter().map(|field| {
        json!({
            "name": field.name, "type": field.kind.name(), "required": field.required, "clears": field.clears,
            "choices": field.choices, "docs": field.docs,
        })
    });
    json!({
        "name": facts.name, "summary": facts.summary, "manner": facts.manner,
        "fields": fields.collect::<Vec<_>>(),
    })
}

/// Performs an action, and answers what came of it; the status says whether it worked.
pub async fn perform(
    admin: web::Data<Admin>,
    caller: Caller,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    let (name, action) = path.into_inner();
    let hands = (admin.parts.hands)();
    let hand = hands.iter().find(|hand| *hand.name == *name);
    let hand = hand.ok_or_else(|| {
        missing(Code::DestinationNotFound, "destination", &name, hands.iter().map(|hand| &*hand.name))
    })?;
    let actions = (hand.kind.actions)();
    let facts = actions.iter().find(|facts| facts.name == action).copied();
    let facts = facts
        .ok_or_else(|| missing(Code::ActionNotFound, "action", &action, actions.iter().map(|facts| facts.name)))?;
    let given = fields(&body)?;
    let done: Done = destination::by_hand(&*hand.destination, facts, &given).await.into();
    if facts.manner == Manner::Writes {
        tracing::info!(destination.name = %hand.name, action.name = facts.name, outcome = %done.outcome,
            "{} was performed by hand", facts.name);
    }
    Ok(HttpResponse::build(status(&done)).json(done))
}

fn fields(body: &[u8]) -> Result<Object<'_>, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Object::new());
    }
    match json::parse(body) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::new(Code::NotObject, "the fields of an action are a JSON object")),
        Err(malformed) => Err(Problem::new(Code::MalformedJson, malformed.to_string())),
    }
}

/// There is none of that name; the nearest one, or all.
pub(super) fn missing<'k>(code: Code, what: &str, word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Problem {
    let word: String = word.chars().take(60).collect();
    let hint = match nearest(&word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
    };
    Problem::new(code, format!("there is no {what} `{word}`; {hint}"))
}

/// What the destination refuses is the caller's; what it cannot do now is not.
fn status(done: &Done) -> StatusCode {
    match done.failure.as_ref().map(|failure| failure.kind) {
        None => StatusCode::OK,
        Some(Kind::Rejected | Kind::TooEarly) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Kind::Throttled) => StatusCode::TOO_MANY_REQUESTS,
        Some(Kind::Unauthorized | Kind::Unavailable | Kind::Unknown) => StatusCode::BAD_GATEWAY,
    }
}
