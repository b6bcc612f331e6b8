//! `GET /api/tail`: what happens, as it happens, one JSON document a line.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde_json::json;
use url::form_urlencoded;

use super::actions::missing;
use super::filter::{Asked, unknown};
use super::{Admin, Caller};
use crate::http::problem::{Code, Problem};
use crate::store::live::{Line, Next, Watcher};

/// What can be asked for.
const PARAMETERS: [&str; 7] = ["source", "destination", "mapping", "status", "user_id", "anonymous_id", "email"];
/// How often it is looked whether the service drains.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks without a line an empty one is sent, so that a reader who has gone is noticed.
const LOOKS_MAX: u32 = 15;

/// Which lines are wanted.
struct Wanted {
    source: Option<String>,
    asked: Asked,
}

/// `?source=&destination=&mapping=&status=&user_id=&anonymous_id=&email=`: `{"at": …, "event": …}` as events are routed,
/// `{"at": …, "delivery": …}` as deliveries are made and change; `{"missed": 12}` when the reader was too slow.
pub async fn tail(admin: web::Data<Admin>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    let wanted = Wanted::read(request.query_string(), &admin)?;
    let watcher = admin.parts.live.watch();
    let lines = stream::unfold((admin, watcher, wanted), |(admin, mut watcher, wanted)| async move {
        let line = next(&admin, &mut watcher, &wanted).await?;
        Some((Ok::<_, std::io::Error>(Bytes::from(line)), (admin, watcher, wanted)))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines))
}

/// The next line that is wanted. `None`: that was the last.
async fn next(admin: &Admin, watcher: &mut Watcher, wanted: &Wanted) -> Option<String> {
    let mut looks = 0;
    while looks < LOOKS_MAX {
        if admin.parts.health.is_draining() {
            return None;
        }
        match tokio::time::timeout(LOOK, watcher.next()).await {
            Ok(Next::Line(line)) if wanted.holds(&line) => return Some(format!("{}\n", line.text)),
            Ok(Next::Line(_)) => {}
            Ok(Next::Missed(count)) => return Some(format!("{}\n", json!({ "missed": count }))),
            Ok(Next::End) => return None,
            Err(_) => looks += 1,
        }
    }
    Some("\n".to_owned())
}

/// A name that there is: whoever waits for another waits for ever.
fn one_of<'k>(what: &str, name: String, known: impl Iterator<Item = &'k str> + Clone) -> Result<String, Problem> {
    match known.clone().any(|known| known == name) {
        true => Ok(name),
        false => Err(missing(Code::ParameterInvalid, what, &name, known)),
    }
}

impl Wanted {
    fn read(query: &str, admin: &Admin) -> Result<Wanted, Problem> {
        let mut wanted = Wanted { source: None, asked: Asked::new() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "source" => {
                    let known = admin.parts.sources.iter().map(String::as_str);
                    wanted.source = Some(one_of("source", value.into_owned(), known)?);
                }
                known if PARAMETERS.contains(&known) => {
                    wanted.asked.set(known, &value, &["status"], (admin.parts.clock)())?;
                }
                other => return Err(unknown("parameter", other, &PARAMETERS)),
            }
        }
        if let Some(name) = &wanted.asked.filter.destination {
            // One that is switched off may be switched on.
            let (hands, off) = ((admin.parts.hands)(), (admin.parts.standings)());
            let off = off.iter().map(|(name, _)| &**name).filter(|name| hands.iter().all(|hand| *hand.name != **name));
            one_of("destination", name.clone(), hands.iter().map(|hand| &*hand.name).chain(off))?;
        }
        Ok(wanted)
    }

    fn holds(&self, line: &Arc<Line>) -> bool {
        let filter = &self.asked.filter;
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        let about_deliveries = filter.destination.is_some() || filter.mapping.is_some() || filter.status.is_some();
        let of_delivery = match &line.delivery {
            None => !about_deliveries,
            Some((destination, mapping, status)) => {
                is(&filter.destination, destination) && is(&filter.mapping, mapping) && is(&filter.status, status)
            }
        };
        of_delivery && is(&self.source, &line.source) && filter.keys.iter().all(|key| line.keys.contains(key))
    }
}
