//! Replays: beginning one, counting what it would come to, how far it is, and ending it.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Admin, Caller, Refused, filter, read, trouble};
use crate::http::problem::{Code, Problem};

/// What can be asked about replays; what is wished and what is answered is plain data here.
#[derive(Debug, Clone)]
pub enum ReplayAsk {
    /// Begin one, or only count where the wish says so.
    Start(Value),
    /// All of them.
    List,
    /// One.
    Show(u64),
    /// End one.
    Cancel(u64),
}

/// Answers what is asked about replays; null, where there is no such one.
pub type Replays = Arc<dyn Fn(ReplayAsk) -> BoxFuture<'static, Result<Value, Refused>> + Send + Sync>;

/// `POST /api/replays`: `{"since": "2h", "types": ["identify"], "destinations": ["intercom"], "rate": 50, "dry_run": true}`;
/// answers the job, or the count.
pub async fn start(admin: web::Data<Admin>, caller: Caller, body: Bytes) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    let mut wish: Map<String, Value> = read(&body)?;
    for name in ["since", "until"] {
        if let Some(Value::String(text)) = wish.get(name) {
            let at = filter::time(name, text, (admin.parts.clock)())?;
            wish.insert(name.to_owned(), at.to_string().into());
        }
    }
    Ok(HttpResponse::Ok().json(ask(&admin, ReplayAsk::Start(Value::Object(wish))).await?))
}

/// `GET /api/replays`: the newest first.
pub async fn list(admin: web::Data<Admin>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let all = ask(&admin, ReplayAsk::List).await?;
    Ok(HttpResponse::Ok().json(json!({ "replays": all })))
}

/// `GET /api/replays/{id}`: how far one is.
pub async fn show(admin: web::Data<Admin>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let id = number(&id)?;
    found(id, ask(&admin, ReplayAsk::Show(id)).await?)
}

/// `POST /api/replays/{id}/cancel`: puts nothing more into the log.
pub async fn cancel(admin: web::Data<Admin>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.check_write(&admin)?;
    let id = number(&id)?;
    found(id, ask(&admin, ReplayAsk::Cancel(id)).await?)
}

fn number(id: &str) -> Result<u64, Problem> {
    let text: String = id.chars().take(60).collect();
    id.parse().map_err(|_| Problem::new(Code::ParameterInvalid, format!("`{text}` is not the number of a replay")))
}

fn found(id: u64, answer: Value) -> Result<HttpResponse, Problem> {
    match answer.is_null() {
        true => Err(Problem::new(Code::ReplayNotFound, format!("there is no replay {id}"))),
        false => Ok(HttpResponse::Ok().json(answer)),
    }
}

async fn ask(admin: &Admin, ask: ReplayAsk) -> Result<Value, Problem> {
    (admin.parts.replays)(ask).await.map_err(|refused| match refused {
        Refused::Wish(why) => Problem::new(Code::ParameterInvalid, why),
        Refused::Store(error) => trouble(&error),
    })
}
