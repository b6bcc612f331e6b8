//! Dead letters: looking at them, and what is to be done with them.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::deliveries::{find, rows, story};
use super::filter::{self, Asked, CONDITIONS};
use super::paused::Paused;
use super::{Admin, Caller, trouble};
use crate::delivery::Id;
use crate::delivery::by_hand::{Answered, Deed, Handling};
use crate::http::problem::{Code, Problem};
use crate::instant::Timestamp;
use crate::store::{self, Filter};

/// Does something with dead letters, and says what came of it.
pub type Letters = Arc<dyn Fn(Handling) -> BoxFuture<'static, store::Result<Answered>> + Send + Sync>;

const STATUS: &str = "dead_letter";
/// Letters in one piece of an export.
const PIECE: usize = 50;
/// What a person may be called.
const BY_MAX: usize = 100;

/// `GET /api/dead-letters`: newest first, by the conditions that deliveries have.
pub async fn list(admin: web::Data<Admin>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let asked = Asked::of_query(request.query_string(), &["before", "limit"], (admin.parts.clock)())?;
    let filter = Filter { status: Some(STATUS.to_owned()), ..asked.filter };
    let page = filter::page(&*admin.parts.store, filter, asked.limit).await.map_err(|error| trouble(&error))?;
    Ok(HttpResponse::Ok().json(rows("dead_letters", &page, &Paused::now(&admin))))
}

/// `GET /api/dead-letters/{id}`: the whole story of one.
pub async fn show(admin: web::Data<Admin>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let owed = find(&admin, filter::id(&id)?).await?;
    if owed.progress.status.name() != STATUS {
        let message = format!(
            "delivery {} is no dead letter, it is {}; `/api/deliveries/{0}` shows it",
            owed.id,
            owed.progress.status.name()
        );
        return Err(Problem::new(Code::DeliveryNotFound, message));
    }
    Ok(HttpResponse::Ok().json(story(&admin, &owed).await?))
}

/// `GET /api/dead-letters/export`: the whole story of each, one JSON document a line, oldest first. Without `limit`: of all
/// of them. `after` goes on behind an id.
pub async fn export(admin: web::Data<Admin>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let query = request.query_string();
    let asked = Asked::of_query(query, &["after", "limit"], (admin.parts.clock)())?;
    let is_limited = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "limit");
    let left = if is_limited { asked.limit } else { usize::MAX };
    let filter = Filter { status: Some(STATUS.to_owned()), oldest_first: true, ..asked.filter };
    let pieces = stream::unfold((admin, Some((filter, left))), |(admin, state)| async move {
        let (filter, left) = state?;
        let piece = piece(&admin, filter, left).await;
        let (bytes, next) = match piece {
            Ok((bytes, next)) => (Ok(bytes), next),
            // The answer has begun: all that is left is to break it off.
            Err(problem) => (Err(std::io::Error::other(problem.message)), None),
        };
        Some((bytes, (admin, next)))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(pieces))
}

type Rest = Option<(Filter, usize)>;

/// The next lines of an export, and what comes after them.
async fn piece(admin: &Admin, filter: Filter, left: usize) -> Result<(Bytes, Rest), Problem> {
    let page = admin.parts.store.list(filter.clone(), PIECE.min(left)).await.map_err(|error| trouble(&error))?;
    let mut lines = Vec::new();
    for owed in &page.found {
        serde_json::to_writer(&mut lines, &story(admin, owed).await?).expect("a story is plain data");
        lines.push(b'\n');
    }
    let left = left - page.found.len();
    let rest = page.next.filter(|_| left > 0).map(|next| (filter.continued(next), left));
    Ok((lines.into(), rest))
}

/// `POST /api/dead-letters/retry`: attempts them again. See [`handle`]; with `"remap": true` their events are mapped again.
/// What newer calls have written since is left out (`shortened` counts those), and one of which nothing is left ends as
/// skipped (`outdated`); with `"overwrite": true`, all is written.
pub async fn retry(admin: web::Data<Admin>, caller: Caller, body: Bytes) -> Result<HttpResponse, Problem> {
    handle(&admin, &caller, &body, Deed::Retry).await
}

/// `POST /api/dead-letters/discard`: ends them for good, with a record of who wanted it. See [`handle`].
pub async fn discard(admin: web::Data<Admin>, caller: Caller, body: Bytes) -> Result<HttpResponse, Problem> {
    handle(&admin, &caller, &body, Deed::Discard).await
}

/// Which are meant: `{"ids": ["1042.0"]}`, or conditions as the list has them, or `{"all": true}`; with `"dry_run": true`
/// nothing is done. At most `limit` in one call, oldest first; `next` is the `after` of the next call.
async fn handle(admin: &Admin, caller: &Caller, body: &[u8], deed: Deed) -> Result<HttpResponse, Problem> {
    caller.check_write(admin)?;
    let order = Order::read(body, deed, (admin.parts.clock)())?;
    let (ids, next) = match order.which {
        Which::Ids(ids) => (ids, None),
        Which::Filter(filter, limit) => {
            let page = filter::page(&*admin.parts.store, *filter, limit).await.map_err(|error| trouble(&error))?;
            (page.found.iter().map(|owed| owed.id).collect(), page.next)
        }
    };
    let meant = ids.len();
    let Order { deed, by, dry_run, overwrite, .. } = order;
    let handling = Handling { ids, deed, by, dry_run, overwrite };
    let Answered { left, outdated, shortened } =
        (admin.parts.letters)(handling).await.map_err(|error| trouble(&error))?;
    let done = meant - left.len();
    let next = next.map(|next| next.to_string());
    let mut answer = json!({ "dry_run": dry_run, "done": done, "left": left, "next": next });
    if deed != Deed::Discard {
        (answer["outdated"], answer["shortened"]) = (outdated.into(), shortened.into());
    }
    Ok(HttpResponse::Ok().json(answer))
}

struct Order {
    which: Which,
    deed: Deed,
    by: String,
    dry_run: bool,
    overwrite: bool,
}

enum Which {
    Ids(Vec<Id>),
    Filter(Box<Filter>, usize),
}

impl Order {
    fn read(body: &[u8], deed: Deed, now: Timestamp) -> Result<Order, Problem> {
        let members: Map<String, Value> = super::read(body)?;
        let mut asked = Asked { limit: filter::LIMIT_MAX, ..Asked::new() };
        let by = "the admin API".to_owned();
        let mut order = Order { which: Which::Ids(Vec::new()), deed, by, dry_run: false, overwrite: false };
        let (mut ids, mut all) = (None, false);
        for (name, value) in &members {
            match (&**name, value) {
                ("ids", Value::Array(items)) => ids = Some(read_ids(items)?),
                ("all", Value::Bool(on)) => all = *on,
                ("dry_run", Value::Bool(on)) => order.dry_run = *on,
                ("remap", Value::Bool(on)) if deed == Deed::Retry => {
                    order.deed = if *on { Deed::Remap } else { Deed::Retry };
                }
                ("overwrite", Value::Bool(on)) if deed == Deed::Retry => order.overwrite = *on,
                ("by", Value::String(by)) => order.by = by.chars().take(BY_MAX).collect(),
                ("limit", Value::Number(number)) => {
                    asked.limit = filter::limit(number.as_u64().and_then(|limit| limit.try_into().ok()))?;
                }
                ("after", Value::Null) => {}
                ("after", Value::String(text)) => asked.set("after", text, &["after"], now)?,
                (name, Value::String(text)) if CONDITIONS.contains(&name) => asked.set(name, text, &[], now)?,
                (name, _) => return Err(misplaced(name, deed)),
            }
        }
        order.which = which(ids, asked, all)?;
        Ok(order)
    }
}

fn which(ids: Option<Vec<Id>>, asked: Asked, all: bool) -> Result<Which, Problem> {
    let refuse = |message: &str| Err(Problem::new(Code::ParameterInvalid, message));
    match (ids, asked.filter.is_open()) {
        (Some(_), false) => refuse("`ids` and conditions exclude each other; nothing was done"),
        (Some(_), true) if all => refuse("`ids` and `all` exclude each other; nothing was done"),
        (Some(ids), true) => Ok(Which::Ids(ids)),
        (None, true) if !all => refuse("nothing says which dead letters are meant: give `ids`, a condition, or `all`"),
        (None, _) => {
            let filter = Filter { status: Some(STATUS.to_owned()), oldest_first: true, ..asked.filter };
            Ok(Which::Filter(Box::new(filter), asked.limit))
        }
    }
}

/// In ascending order, each once: those of one person are to go oldest first.
fn read_ids(items: &[Value]) -> Result<Vec<Id>, Problem> {
    if items.len() > filter::LIMIT_MAX {
        let message = format!("`ids` has more than {} items; nothing was done", filter::LIMIT_MAX);
        return Err(Problem::new(Code::ParameterInvalid, message));
    }
    let mut ids: Vec<Id> =
        items.iter().map(|item| filter::id(item.as_str().unwrap_or_default())).collect::<Result<_, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn misplaced(name: &str, deed: Deed) -> Problem {
    let mut known: Vec<&str> = CONDITIONS.to_vec();
    known.extend(["ids", "all", "dry_run", "by", "limit", "after"]);
    if deed == Deed::Retry {
        known.extend(["remap", "overwrite"]);
    }
    match known.contains(&name) {
        true => Problem::new(Code::ParameterInvalid, format!("`{name}` has a value of the wrong type")),
        false => filter::unknown("member", name, &known),
    }
}
