//! Deliveries: the newest ones by status and destination, and the whole story of one.

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::{Admin, Caller};
use crate::delivery::{Id, Status};
use crate::http::problem::{Code, Problem, nearest};
use crate::instant::Timestamp;
use crate::store::{self, Filter, Owed};

const STATUSES: [&str; 5] = ["pending", "waiting", "delivered", "skipped", "dead_letter"];
const PARAMETERS: [&str; 4] = ["status", "destination", "before", "limit"];
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// `GET /api/deliveries?status=&destination=&before=&limit=`: newest first; `next` is the `before` of the next page.
pub async fn list(admin: web::Data<Admin>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let (filter, limit) = filter(request.query_string())?;
    let found = admin.store.list(filter, limit).await.map_err(|error| trouble(&error))?;
    let next = found.last().filter(|_| found.len() == limit).map(|owed| owed.id.to_string());
    let rows: Vec<Row<'_>> = found.iter().map(Row::of).collect();
    Ok(HttpResponse::Ok().json(json!({ "deliveries": rows, "next": next })))
}

/// `GET /api/deliveries/{id}`: the event as mappings saw it, what was owed, and every attempt.
pub async fn show(admin: web::Data<Admin>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let id = Id::from_str(&id).map_err(|message| Problem::new(Code::ParameterInvalid, message))?;
    let found = admin.store.deliveries(vec![id]).await.map_err(|error| trouble(&error))?;
    let Some(owed) = found.into_iter().next() else {
        return Err(Problem::new(Code::DeliveryNotFound, format!("there is no delivery {id}")));
    };
    let stored = admin.store.event(id.position).await.map_err(|error| trouble(&error))?;
    let view = stored.as_ref().map(|stored| stored.event.view()).transpose()?;
    let (payload, unfit) = match &owed.delivery.payload {
        Ok(payload) => (Some(payload), None),
        Err(unfit) => (None, Some(unfit)),
    };
    Ok(HttpResponse::Ok().json(json!({
        "delivery": Row::of(&owed),
        "event": view,
        "payload": payload,
        "unfit": unfit,
        "warnings": owed.delivery.warnings,
        "story": owed.progress.story,
    })))
}

fn trouble(error: &store::Error) -> Problem {
    match error {
        store::Error::Unavailable(_) => Problem::new(Code::StoreUnavailable, error.to_string()),
        _ => Problem::new(Code::StoreFailed, error.to_string()),
    }
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
    status: &'a Status,
    attempts: u32,
}

impl Row<'_> {
    fn of(owed: &Owed) -> Row<'_> {
        Row {
            id: owed.id.to_string(),
            source: &owed.delivery.source,
            destination: &owed.delivery.destination,
            mapping: &owed.delivery.mapping,
            action: &owed.delivery.action,
            accepted_at: owed.delivery.accepted_at,
            status: &owed.progress.status,
            attempts: owed.progress.attempts,
        }
    }
}

fn filter(query: &str) -> Result<(Filter, usize), Problem> {
    let mut filter = Filter::default();
    let mut limit = LIMIT_DEFAULT;
    for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
        match &*name {
            "status" if STATUSES.contains(&&*value) => filter.status = Some(value.into_owned()),
            "status" => return Err(unknown("status", &value, &STATUSES)),
            "destination" => filter.destination = Some(value.into_owned()),
            "before" => {
                let id = value.parse().map_err(|message| Problem::new(Code::ParameterInvalid, message))?;
                filter.before = Some(id);
            }
            "limit" => {
                limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(wrong_limit)?
            }
            _ => return Err(unknown("parameter", &name, &PARAMETERS)),
        }
    }
    Ok((filter, limit))
}

fn wrong_limit() -> Problem {
    Problem::new(Code::ParameterInvalid, format!("`limit` is not a number from 1 to {LIMIT_MAX}"))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Problem {
    let word: String = word.chars().take(60).collect();
    let hint = match nearest(&word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Problem::new(Code::ParameterInvalid, format!("unknown {what} `{word}`, {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked() {
        let (filter_made, limit) = filter("status=dead_letter&destination=intercom&before=7.1&limit=20").unwrap();
        assert_eq!(filter_made.status.as_deref(), Some("dead_letter"));
        assert_eq!(filter_made.destination.as_deref(), Some("intercom"));
        assert_eq!(filter_made.before.map(|id| id.to_string()).as_deref(), Some("7.1"));
        assert_eq!((limit, filter("status=&limit=").unwrap().1), (20, LIMIT_DEFAULT));
        for bad in ["status=dead", "limit=0", "limit=501", "limit=x", "before=7", "state=pending"] {
            assert_eq!(filter(bad).map(|_| ()).unwrap_err().code, Code::ParameterInvalid, "{bad}");
        }
        assert_eq!(filter("stats=x").unwrap_err().message, "unknown parameter `stats`, did you mean `status`?");
    }
}
