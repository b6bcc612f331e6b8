//! Deleting people: `POST /api/delete-user`, and the call of Segment's regulation API.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Admin, Caller, read, trouble};
use crate::event::Person;
use crate::http::problem::{Code, Problem};
use crate::store;

/// Deletes a person as the wish says, and gives the receipt; both are plain data here.
pub type Erase = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, Refused>> + Send + Sync>;

/// Why nothing was deleted.
#[derive(Debug)]
pub enum Refused {
    /// The wish makes no sense; what, in words.
    Wish(String),
    /// The store could not do it.
    Store(store::Error),
}

/// What is asked for in Segment's form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Regulation {
    regulation_type: RegulationType,
    #[serde(default)]
    subject_type: Option<SubjectType>,
    subject_ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RegulationType {
    DeleteOnly,
    SuppressOnly,
    SuppressWithDelete,
    Unsuppress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SubjectType {
    UserId,
    Email,
}

/// `POST /api/delete-user`: the wish as `interline delete-user` has it; answers the receipt.
pub async fn delete_user(admin: web::Data<Admin>, caller: Caller, body: web::Bytes) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    Ok(HttpResponse::Ok().json(erase(&admin, read(&body)?).await?))
}

/// `POST /api/regulations`: `{"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": ["u-1"]}`;
/// answers the receipts of what was deleted.
pub async fn regulate(admin: web::Data<Admin>, caller: Caller, body: web::Bytes) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    let Regulation { regulation_type, subject_type, subject_ids } = read(&body)?;
    if subject_ids.is_empty() {
        return Err(Problem::new(Code::ParameterInvalid, "`subjectIds` names nobody"));
    }
    // Before anything is done: a receipt for what was done must not be lost because of what comes after it.
    if subject_ids.iter().any(|id| id.trim().is_empty()) {
        return Err(Problem::new(Code::ParameterInvalid, "`subjectIds` has an empty id; nothing was done"));
    }
    let by_email = subject_type == Some(SubjectType::Email);
    let mut receipts = Vec::new();
    match regulation_type {
        RegulationType::SuppressOnly | RegulationType::Unsuppress => {
            let mut person = Person::default();
            match by_email {
                true => subject_ids.iter().for_each(|email| person.add_email(email)),
                false => person.user_ids.extend(subject_ids),
            }
            let on = regulation_type == RegulationType::SuppressOnly;
            admin.parts.store.suppress(person, on).await.map_err(|error| trouble(&error))?;
        }
        RegulationType::DeleteOnly | RegulationType::SuppressWithDelete => {
            let suppress = regulation_type == RegulationType::SuppressWithDelete;
            for id in subject_ids {
                let names = if by_email { "emails" } else { "user_ids" };
                receipts.push(erase(&admin, json!({ names: [id], "suppress": suppress })).await?);
            }
        }
    }
    Ok(HttpResponse::Ok().json(json!({ "receipts": receipts })))
}

/// `GET /api/suppressed`: whose events are not taken.
pub async fn suppressed(admin: web::Data<Admin>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    Ok(HttpResponse::Ok().json(&*admin.parts.store.suppressed()))
}

async fn erase(admin: &Admin, wish: Value) -> Result<Value, Problem> {
    (admin.parts.erase)(wish).await.map_err(|refused| match refused {
        Refused::Wish(why) => Problem::new(Code::ParameterInvalid, why),
        Refused::Store(error) => trouble(&error),
    })
}
