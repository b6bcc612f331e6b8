//! Deliveries: the newest ones that a filter means, and the whole story of one.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::filter::{self, Asked};
use super::paused::Paused;
use super::{Admin, Caller, trouble};
use crate::delivery::by_hand::Handled;
use crate::delivery::{Id, Status};
use crate::http::problem::{Code, Problem};
use crate::instant::Timestamp;
use crate::store::{Owed, Page};

/// What can be asked for beside the conditions that dead letters have.
const MORE: [&str; 3] = ["status", "before", "limit"];

/// `GET /api/deliveries?status=&destination=&mapping=&code=&since=&until=&user_id=&anonymous_id=&email=&before=&limit=`:
/// newest first; `next` is the `before` of the next page. A page may be short although there is a next one, when very
/// many deliveries had to be looked at.
pub async fn list(admin: web::Data<Admin>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let asked = Asked::of_query(request.query_string(), &MORE, (admin.parts.clock)())?;
    let (store, paused) = (&*admin.parts.store, Paused::now(&admin));
    let page = match asked.paused {
        true => paused.page(store, asked.filter, asked.limit).await,
        false => filter::page(store, asked.filter, asked.limit).await,
    };
    Ok(HttpResponse::Ok().json(rows("deliveries", &page.map_err(|error| trouble(&error))?, &paused)))
}

/// A page as the answer shows it.
pub(super) fn rows(name: &str, page: &Page, paused: &Paused) -> Value {
    let rows: Vec<Row<'_>> = page.found.iter().map(|owed| Row::of(owed, paused)).collect();
    json!({ name: rows, "next": page.next.map(|next| next.to_string()) })
}

/// `GET /api/deliveries/{id}`: the event as mappings saw it, what was owed, and every attempt.
pub async fn show(admin: web::Data<Admin>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let owed = find(&admin, filter::id(&id)?).await?;
    Ok(HttpResponse::Ok().json(story(&admin, &owed).await?))
}

/// One delivery.
pub(super) async fn find(admin: &Admin, id: Id) -> Result<Owed, Problem> {
    let found = admin.parts.store.deliveries(vec![id]).await.map_err(|error| trouble(&error))?;
    let missing = || Problem::new(Code::DeliveryNotFound, format!("there is no delivery {id}"));
    found.into_iter().next().ok_or_else(missing)
}

/// All that is known of a delivery. It holds no credential: stories never do.
pub(super) async fn story(admin: &Admin, owed: &Owed) -> Result<Value, Problem> {
    let stored = admin.parts.store.event(owed.id.position).await.map_err(|error| trouble(&error))?;
    let view = stored.as_ref().map(|stored| stored.event.view()).transpose()?;
    let (payload, unfit) = match &owed.delivery.payload {
        Ok(payload) => (Some(payload), None),
        Err(unfit) => (None, Some(unfit)),
    };
    Ok(json!({
        "delivery": Row::of(owed, &Paused::now(admin)),
        "event": view,
        "payload": payload,
        "unfit": unfit,
        "warnings": owed.delivery.warnings,
        "story": owed.progress.story,
    }))
}

/// One delivery in a list.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    source: &'a str,
    destination: &'a str,
    mapping: &'a str,
    action: &'a str,
    accepted_at: Timestamp,
    status: Shown<'a>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    carried_by: Option<Id>,
    #[serde(skip_serializing_if = "<[Handled]>::is_empty")]
    handled: &'a [Handled],
}

/// A status as it is shown.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Stored(&'a Status),
    Paused { is: &'static str, reason: &'a str },
}

impl<'a> Row<'a> {
    fn of(owed: &'a Owed, paused: &'a Paused) -> Row<'a> {
        let stored = Shown::Stored(&owed.progress.status);
        Row {
            id: owed.id.to_string(),
            source: &owed.delivery.source,
            destination: &owed.delivery.destination,
            mapping: &owed.delivery.mapping,
            action: &owed.delivery.action,
            accepted_at: owed.delivery.accepted_at,
            status: paused.reason(owed).map_or(stored, |reason| Shown::Paused { is: "paused", reason }),
            attempts: owed.progress.attempts,
            carried_by: owed.progress.carried_by,
            handled: &owed.progress.handled,
        }
    }
}
