//! The public door: the tracking API. Receive, then accept: `200` only after the store has it.
//!
//! # Why
//! Every refusal is honest JSON with an exact status, on the client routes too, where Segment answers 200 to anything;
//! only the pixel always answers 200, because an image has no other way to answer. A body is read raw whatever its
//! `Content-Type` says, because browsers send JSON as text and one SDK sends gzip as a form. What the routes of other
//! vendors need (RudderStack's beacon and pixel, Jitsu's `/api/s`) is on unless switched off: they cost nothing and
//! take the same keys.

mod accept;
mod address;
mod answer;
mod auth;
mod batch;
mod body;
mod browser;
mod call;
mod cors;
mod envelope;
mod inflate;
mod query;
mod routes;
mod settings;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpRequest, HttpResponse, web};

pub use self::auth::SourceSettings;
pub(crate) use self::auth::secret;
pub use self::settings::{Settings, UnknownWriteKey};

use self::address::Proxies;
use self::auth::Sources;
use self::body::Budget;
use self::browser::PublicHost;
use self::envelope::Arrival;
use self::routes::{Families, Routes};
use super::Clock;
use super::health::Health;
use super::problem::Problem;
use crate::event::{Channel, Event};
use crate::instant::Timestamp;
use crate::metrics::Metrics;
use crate::store::Store;

/// What the tracking API needs from the rest of the house.
pub struct Parts {
    /// Where accepted events go.
    pub store: Arc<dyn Store>,
    /// What is counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// Whether the store takes events, shared with the admin listener.
    pub health: Arc<Health>,
}

/// The tracking API of one running service.
pub struct Ingest {
    sources: Sources,
    settings: Settings,
    store: Arc<dyn Store>,
    metrics: Metrics,
    clock: Clock,
    health: Arc<Health>,
    routes: Routes,
    proxies: Proxies,
    public_host: Option<PublicHost>,
    budget: Arc<Budget>,
}

impl Ingest {
    /// Builds it, or answers everything that is wrong in the settings.
    pub fn new(
        settings: Settings,
        sources: &BTreeMap<String, SourceSettings>,
        parts: Parts,
    ) -> Result<Ingest, Vec<String>> {
        let mut problems = Vec::new();
        let mut note = |more: Vec<String>| problems.extend(more);
        let sources = Sources::new(sources).map_err(&mut note).ok();
        let proxies = Proxies::new(&settings.trusted_proxies, &settings.client_ip_header).map_err(&mut note).ok();
        let public_host = settings.public_host.as_deref().map(PublicHost::new).transpose();
        let public_host = public_host.map_err(|problem| note(vec![problem])).ok();
        let (Some(sources), Some(proxies), Some(public_host)) = (sources, proxies, public_host) else {
            return Err(problems);
        };
        let families = Families { rudderstack: settings.rudderstack_routes, jitsu: settings.jitsu_routes };
        Ok(Ingest {
            sources,
            store: parts.store,
            metrics: parts.metrics,
            clock: parts.clock,
            health: parts.health,
            routes: Routes::new(families),
            proxies,
            public_host,
            budget: Budget::new(settings.inflight_bytes_max),
            settings,
        })
    }
}

/// What is wrong in settings that their types let through: for each the setting's path, and why.
pub fn check(settings: &Settings, sources: &BTreeMap<String, SourceSettings>) -> Vec<(String, String)> {
    let of_sources = auth::check(sources).into_iter().map(|(name, message)| (format!("sources.{name}"), message));
    let proxies = Proxies::new(&settings.trusted_proxies, &settings.client_ip_header).err().unwrap_or_default();
    let host = settings.public_host.as_deref().and_then(|host| PublicHost::new(host).err());
    let of_proxies = proxies.into_iter().map(|message| ("ingest".to_owned(), message));
    of_sources.chain(of_proxies).chain(host.map(|message| ("ingest.public_host".to_owned(), message))).collect()
}

/// Every path with its methods, those of other vendors included: what the docs list.
pub fn routes() -> Vec<(String, &'static str)> {
    let all = Routes::new(Families { rudderstack: true, jitsu: true });
    all.iter().map(|(path, methods)| (path.to_owned(), methods)).collect()
}

/// Reads one call as if it had come in a batch of `source` at `now`: for dry runs.
pub fn read(source: &str, bytes: &[u8], now: Timestamp) -> Result<Event, Problem> {
    let arrival = Arrival {
        source: source.into(),
        received_at: now,
        sent_at: None,
        channel: Channel::Server,
        ip: None,
        shared: None,
    };
    call::item_event(bytes, &arrival, Settings::default().event_bytes_max)
}

/// The application of one worker.
pub fn app(
    ingest: web::Data<Ingest>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new().app_data(ingest).wrap(cors::cors()).default_service(web::to(receive))
}

async fn receive(request: HttpRequest, payload: web::Payload, ingest: web::Data<Ingest>) -> HttpResponse {
    let started = Instant::now();
    let response = call::answer(&ingest, &request, payload).await;
    ingest.metrics.ingest_duration_seconds.observe(started.elapsed().as_secs_f64());
    response
}
