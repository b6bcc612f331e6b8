//! `GET /api/destinations`: how each stands and what can be done there; `POST …/pause` and `…/resume`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::actions::{Hand, facts, missing};
use super::{Admin, Caller};
use crate::http::problem::{Code, Problem};
use crate::instant::{self, Timestamp};

/// How every connection stands that there has been since the start, also one that is off, by name.
pub type Standings = Arc<dyn Fn() -> Vec<(Arc<str>, Value)> + Send + Sync>;

/// Pauses a destination, or lets it go on (`None`), durably; says since when it is paused.
pub type Pause = Arc<dyn Fn(&str, Option<Timestamp>) -> std::io::Result<Option<Timestamp>> + Send + Sync>;

/// Every destination, those that are off included.
pub(super) async fn list(admin: web::Data<Admin>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let (hands, standings) = ((admin.parts.hands)(), (admin.parts.standings)());
    let on = hands.iter().map(|hand| {
        let standing = standings.iter().find(|(name, _)| *name == hand.name);
        described(hand, standing.map(|(_, standing)| standing))
    });
    let off = standings.iter().filter(|(name, _)| hands.iter().all(|hand| hand.name != *name));
    let off = off.map(|(name, standing)| json!({ "name": &**name, "health": standing, "actions": [] }));
    let all: Vec<Value> = on.chain(off).collect();
    Ok(HttpResponse::Ok().json(json!({ "destinations": all })))
}

fn described(hand: &Hand, standing: Option<&Value>) -> Value {
    let actions: Vec<Value> = (hand.kind.actions)().into_iter().map(facts).collect();
    json!({ "name": &*hand.name, "kind": hand.kind.name, "health": standing, "actions": actions })
}

/// Nothing more is sent to it until it is resumed. What is under way is finished.
pub(super) async fn pause(
    admin: web::Data<Admin>,
    caller: Caller,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let now = (admin.parts.clock)();
    change(&admin, &caller, &name, Some(now)).map(|changed| HttpResponse::Ok().json(changed))
}

/// It goes on. Where it refused the credentials, they are looked at, and `credentials` says what was found: the code and
/// message of a failure, or neither.
pub(super) async fn resume(
    admin: web::Data<Admin>,
    caller: Caller,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let mut changed = change(&admin, &caller, &name, None)?;
    let hand = (admin.parts.hands)().into_iter().find(|hand| *hand.name == **name);
    if let (Some("unauthorized"), Some(hand)) = (changed["hold"].as_str(), hand) {
        let failure = hand.destination.probe().await.err();
        changed["credentials"] = json!({
            "work": failure.is_none(), "code": failure.as_ref().map(|failure| &*failure.code),
            "message": failure.as_ref().map(|failure| &*failure.message),
        });
    }
    Ok(HttpResponse::Ok().json(changed))
}

fn change(admin: &Admin, caller: &Caller, name: &str, to: Option<Timestamp>) -> Result<Value, Problem> {
    caller.check_write(admin)?;
    let standings = (admin.parts.standings)();
    let names = standings.iter().map(|(name, _)| &**name);
    let Some((_, standing)) = standings.iter().find(|(known, _)| **known == *name) else {
        return Err(missing(Code::DestinationNotFound, "destination", name, names));
    };
    let since = (admin.parts.pause)(name, to).map_err(|error| {
        Problem::new(Code::StoreUnavailable, format!("the mark of the pause cannot be written: {error}"))
    })?;
    let since = since.map(instant::to_text);
    Ok(json!({ "name": name, "paused": since.is_some(), "since": since, "hold": standing["hold"] }))
}
