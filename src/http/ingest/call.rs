//! One call on its way from the socket to the store: whose is it, is it an event, is it kept.

use std::cell::OnceCell;
use std::sync::Arc;

use super::answer::{self, Form, Taken};
use super::auth::{Presented, Source, presented};
use super::batch::{self, Batch};
use super::body::{self, Body};
use super::envelope::Arrival;
use super::query::Query;
use super::routes::{self, Endpoint, Route};
use super::{Ingest, UnknownWriteKey, browser, validate};
use crate::event::{Event, Kind};
use crate::http::problem::{self, Code, Problem, Rejected};
use crate::json::{self, Json};
use actix_web::http::header::{ALLOW, CACHE_CONTROL, VARY};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// Other calls get a turn after this many items of a batch.
const ITEMS_PER_TURN: usize = 64;

/// Answers one request, whatever it is.
pub async fn answer(ingest: &Ingest, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let path = request.match_info().as_str();
    let Some(route) = ingest.routes.find(path) else {
        body::discard(payload, ingest.body_timeout()).await;
        return refuse(ingest, problem::not_found(path, ingest.routes.iter().map(|(path, _)| path)));
    };
    if request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().insert_header((ALLOW, route.methods)).finish();
    }
    if !route.takes(request.method().as_str()) {
        body::discard(payload, ingest.body_timeout()).await;
        return refuse(ingest, problem::method_not_allowed(request.method(), path, route.methods));
    }
    match route.endpoint {
        Endpoint::Forget => {
            body::discard(payload, ingest.body_timeout()).await;
            answer::answer(&Form::Json, &Ok(Taken::default()))
        }
        Endpoint::Settings => settings(ingest, request, path),
        Endpoint::Call(_) | Endpoint::Batch | Endpoint::Pixel(_) => {
            Call::new(ingest, request, route).answer(payload).await
        }
    }
}

fn refuse(ingest: &Ingest, problem: Problem) -> HttpResponse {
    ingest.count_rejected("", problem.code);
    answer::answer(&Form::Json, &Err(problem))
}

fn settings(ingest: &Ingest, request: &HttpRequest, path: &str) -> HttpResponse {
    let key = routes::settings_key(path).unwrap_or_default();
    let source = ingest.sources.resolve(&Presented::Key(key.to_owned()), None, None);
    match source.and_then(Source::check_enabled) {
        Ok(()) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "private, max-age=120"))
            .insert_header((VARY, "Host"))
            .json(browser::document(key, ingest.public_host.as_ref(), request)),
        Err(problem) => refuse(ingest, problem.with_status(StatusCode::NOT_FOUND)),
    }
}

/// One call, and what is known about it so far.
struct Call<'a> {
    ingest: &'a Ingest,
    request: &'a HttpRequest,
    presented: Presented<'a>,
    query: Query<'a>,
    route: Route,
    source: OnceCell<&'a Source>,
}

impl<'a> Call<'a> {
    fn new(ingest: &'a Ingest, request: &'a HttpRequest, route: Route) -> Call<'a> {
        let presented = presented(request.headers());
        Call { ingest, request, presented, query: Query(request.query_string()), route, source: OnceCell::new() }
    }

    async fn answer(self, payload: Payload) -> HttpResponse {
        let (form, result) = match self.form() {
            Ok(form) => (form, self.take(payload).await),
            Err(problem) => (Form::Json, Err(problem)),
        };
        answer::answer(&form, &self.count(result))
    }

    fn form(&self) -> Result<Form, Problem> {
        match self.route.endpoint {
            Endpoint::Pixel(_) => Ok(Form::Image),
            _ if self.request.method() == Method::GET => {
                Ok(self.query.callback()?.map_or(Form::Fresh, |callback| Form::Script(callback.into_owned())))
            }
            _ => Ok(Form::Json),
        }
    }

    /// Counts what was refused; a call that is nobody's is forgiven where the settings say so.
    fn count(&self, result: Result<Taken, Problem>) -> Result<Taken, Problem> {
        let source = self.source_name();
        match result {
            Err(problem) => {
                if problem.rejected.is_empty() {
                    self.ingest.count_rejected(source, problem.code);
                }
                problem.rejected.iter().for_each(|rejected| self.ingest.count_rejected(source, rejected.code));
                let is_nobodys = matches!(problem.code, Code::UnknownWriteKey | Code::SourceDisabled);
                let is_passing = matches!(problem.status().as_u16(), 429 | 503);
                match self.ingest.settings.unknown_write_key {
                    UnknownWriteKey::Accept if is_nobodys => Ok(Taken::default()),
                    _ if is_passing => Err(problem.retry_after(self.ingest.settings.retry_after_secs)),
                    _ => Err(problem),
                }
            }
            Ok(taken) => {
                taken.rejected.iter().for_each(|rejected| self.ingest.count_rejected(source, rejected.code));
                Ok(taken)
            }
        }
    }

    async fn take(&self, payload: Payload) -> Result<Taken, Problem> {
        // Where the head decides whose call this is, what is nobody's is not kept in memory.
        if let Presented::Key(_) = self.presented
            && let Err(problem) = self.source(None)
        {
            body::discard(payload, self.ingest.body_timeout()).await;
            return Err(problem);
        }
        let Body { bytes, lease } = self.read(payload).await?;
        match self.route.endpoint {
            Endpoint::Batch => self.take_batch(Body { bytes, lease }).await,
            Endpoint::Call(kind) | Endpoint::Pixel(kind) => {
                let event = self.event(&bytes, kind)?;
                drop(bytes);
                let accepted = self.ingest.accept(self.source_name(), vec![event]).await;
                drop(lease);
                accepted.map(|()| Taken::default())
            }
            Endpoint::Forget | Endpoint::Settings => Ok(Taken::default()),
        }
    }

    /// The bytes of the call: the body, or what stands in the query.
    async fn read(&self, payload: Payload) -> Result<Body, Problem> {
        let limits = self.limits();
        let lease = self.ingest.budget.lease(self.request.peer_addr().map(|peer| peer.ip()));
        if self.request.method() != Method::GET {
            return body::read(self.request.headers(), payload, limits, lease).await;
        }
        let bytes = match (self.query.data(), self.route.endpoint) {
            (Some(data), _) => data?,
            (None, Endpoint::Pixel(_)) => self.query.flat()?,
            (None, _) => {
                return Err(Problem::new(Code::MalformedQuery, "the query has no member `data` with the call"));
            }
        };
        match bytes.len() > limits.bytes_max {
            true => {
                Err(Problem::new(Code::PayloadTooLarge, format!("the call is larger than {} bytes", limits.bytes_max)))
            }
            false => Ok(Body { bytes: Bytes::from(bytes), lease }),
        }
    }

    fn limits(&self) -> body::Limits {
        let settings = &self.ingest.settings;
        let bytes_max = match self.route.endpoint {
            Endpoint::Batch => settings.batch_bytes_max,
            _ => settings.event_bytes_max,
        };
        body::Limits { bytes_max, compressed_max: settings.compressed_bytes_max, timeout: self.ingest.body_timeout() }
    }

    /// Whose call it is; `in_body` is the key that the body has.
    fn source(&self, in_body: Option<&str>) -> Result<&'a Source, Problem> {
        if let Some(source) = self.source.get() {
            return Ok(source);
        }
        let in_query = self.query.write_key();
        let source = self.ingest.sources.resolve(&self.presented, in_body, in_query.as_deref())?;
        self.source.get_or_init(|| source);
        source.check_enabled()?;
        self.ingest.check_backlog(source)?;
        Ok(source)
    }

    /// Empty while it is not known.
    fn source_name(&self) -> &'a str {
        self.source.get().map_or("", |source| &source.name)
    }

    fn arrival(&self, source: &Source) -> Arrival {
        let peer = self.request.peer_addr().map(|address| address.ip());
        Arrival {
            source: Arc::clone(&source.name),
            received_at: (self.ingest.clock)(),
            sent_at: None,
            channel: self.route.channel,
            ip: self.ingest.proxies.client(peer, self.request.headers()),
            shared: None,
        }
    }

    fn event(&self, bytes: &[u8], kind: Kind) -> Result<Event, Problem> {
        let json = json::parse(bytes)?;
        let Json::Object(call) = &json else { return Err(not_object(&json)) };
        let source = self.source(call.get("writeKey").and_then(Json::as_str))?;
        Ok(self.arrival(source).event(bytes, call, kind)?)
    }

    async fn take_batch(&self, body: Body) -> Result<Taken, Problem> {
        let (events, rejected) = self.events(&body.bytes).await?;
        let Some(first) = rejected.first().filter(|_| events.is_empty()) else {
            self.ingest.accept(self.source_name(), events).await?;
            return Ok(Taken { rejected });
        };
        let message = format!("none of the {} events is good; the first: {}", rejected.len(), first.message);
        Err(Problem::new(Code::EmptyBatchResult, message).with_rejected(rejected))
    }

    async fn events(&self, bytes: &[u8]) -> Result<(Vec<Event>, Vec<Rejected>), Problem> {
        let settings = &self.ingest.settings;
        let limits = batch::Limits {
            events_max: settings.batch_events_max,
            event_bytes_max: settings.event_bytes_max,
            bytes_max: settings.batch_bytes_max,
        };
        let batch = Batch::split(bytes, limits)?;
        let key = batch.write_key.clone().filter(|key| !key.is_empty());
        let source = self.source(key.or_else(|| batch.first_write_key()).as_deref())?;
        let arrival = Arrival { sent_at: batch.sent_at, shared: batch.shared, ..self.arrival(source) };
        let mut events = Vec::with_capacity(batch.items.len());
        let mut rejected = Vec::new();
        for (index, item) in batch.items.iter().enumerate() {
            if index > 0 && index.is_multiple_of(ITEMS_PER_TURN) {
                tokio::task::yield_now().await;
            }
            match item_event(item.get().as_bytes(), &arrival, limits.event_bytes_max) {
                Ok(event) => events.push(event),
                Err(Problem { code, message, .. }) => rejected.push(Rejected { index, code, message }),
            }
        }
        Ok((events, rejected))
    }
}

pub(super) fn item_event(bytes: &[u8], arrival: &Arrival, bytes_max: usize) -> Result<Event, Problem> {
    if bytes.len() > bytes_max {
        return Err(Problem::new(Code::PayloadTooLarge, format!("the event is larger than {bytes_max} bytes")));
    }
    let json = json::parse(bytes)?;
    let Json::Object(call) = &json else { return Err(not_object(&json)) };
    Ok(arrival.event(bytes, call, validate::kind(call)?)?)
}

fn not_object(json: &Json<'_>) -> Problem {
    Problem::new(Code::NotObject, format!("the call is a {}, not an object", json.kind()))
}
