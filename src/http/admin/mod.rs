//! The private door: what happened to events, as JSON, the health of the service, and what an operator may tell it.
//!
//! # Why
//! Off loopback a token is required. On loopback without a token only requests *for* a loopback name are answered:
//! else any page in the operator's browser could read this API by pointing a name of its own at 127.0.0.1.

mod actions;
mod dead_letters;
mod deliveries;
mod destinations;
mod erase;
mod filter;
mod paused;
mod reload;
mod replays;
mod tail;

use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HOST, ORIGIN};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use actions::{Hand, Hands};
pub use dead_letters::Letters;
pub use destinations::{Pause, Standings};
pub use erase::{Erase, Refused};

use super::health::Health;
use super::ingest::secret;
use super::problem::{self, Code, Problem};
use super::{Clock, is_loopback, ops};
use crate::metrics::Metrics;
use crate::store::live::Live;
use crate::store::{self, Store};

pub use reload::{FileProblem, Reload, Report};
pub use replays::{ReplayAsk, Replays};

/// How the admin API listens.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port it listens on.
    pub listen: SocketAddr,
    /// The token its callers send as `Authorization: Bearer`; required unless it listens on loopback.
    #[serde(deserialize_with = "secret", skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { listen: SocketAddr::from(([127, 0, 0, 1], 8081)), token: None }
    }
}

/// What the admin API needs from the rest of the house.
pub struct Parts {
    /// Where events and deliveries are.
    pub store: Arc<dyn Store>,
    /// What was counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// Whether the service takes events, shared with the tracking API.
    pub health: Arc<Health>,
    /// Brings the gauges that depend on the time up to date, before they are read.
    pub refresh: Arc<dyn Fn() + Send + Sync>,
    /// Reads the destination files again.
    pub reload: Reload,
    /// The destinations that are in force.
    pub hands: Hands,
    /// The names of the sources.
    pub sources: Vec<String>,
    /// Deletes a person everywhere.
    pub erase: Erase,
    /// Does what is wanted with dead letters.
    pub letters: Letters,
    /// How each destination stands.
    pub standings: Standings,
    /// Pauses a destination, or lets it go on.
    pub pause: Pause,
    /// Begins, shows and ends replays.
    pub replays: Replays,
    /// Where it can be watched what happens.
    pub live: Live,
}

/// The admin API of one running service.
pub struct Admin {
    pub(super) parts: Parts,
    token: Option<[u8; 32]>,
}

/// Why it must not be: no token, and reachable from elsewhere.
pub fn check(settings: &Settings) -> Option<String> {
    let has_token = settings.token.as_ref().is_some_and(|token| !token.expose_secret().is_empty());
    (!has_token && !settings.listen.ip().is_loopback())
        .then(|| format!("`admin.token` is required to listen on {}, which is not loopback", settings.listen))
}

impl Admin {
    /// Builds it, or says why it must not be: no token, and reachable from elsewhere.
    pub fn new(settings: &Settings, parts: Parts) -> Result<Admin, String> {
        if let Some(why) = check(settings) {
            return Err(why);
        }
        let token = settings.token.as_ref().map(ExposeSecret::expose_secret).filter(|token| !token.is_empty());
        let token = token.map(|token| Sha256::digest(token.as_bytes()).into());
        Ok(Admin { parts, token })
    }
}

/// The routes.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .configure(ops::configure)
        .route("/api/deliveries", web::get().to(deliveries::list))
        .route("/api/deliveries/{id}", web::get().to(deliveries::show))
        .route(DEAD_LETTERS, web::get().to(dead_letters::list))
        .route(EXPORT, web::get().to(dead_letters::export))
        .route(RETRY, web::post().to(dead_letters::retry))
        .route(DISCARD, web::post().to(dead_letters::discard))
        .route("/api/dead-letters/{id}", web::get().to(dead_letters::show))
        .route(REPLAYS, web::get().to(replays::list))
        .route(REPLAYS, web::post().to(replays::start))
        .route("/api/replays/{id}", web::get().to(replays::show))
        .route(CANCEL, web::post().to(replays::cancel))
        .route("/api/tail", web::get().to(tail::tail))
        .route("/api/stats", web::get().to(stats))
        .route(RELOAD, web::post().to(reload::reload))
        .route("/api/destinations", web::get().to(destinations::list))
        .route(PAUSE, web::post().to(destinations::pause))
        .route(RESUME, web::post().to(destinations::resume))
        .route(ACTION, web::post().to(actions::perform))
        .route(DELETE_USER, web::post().to(erase::delete_user))
        .route(REGULATIONS, web::post().to(erase::regulate))
        .route("/api/suppressed", web::get().to(erase::suppressed))
        .default_service(web::to(unknown));
}

const ACTION: &str = "/api/destinations/{name}/actions/{action}";
const PAUSE: &str = "/api/destinations/{name}/pause";
const RESUME: &str = "/api/destinations/{name}/resume";
const DEAD_LETTERS: &str = "/api/dead-letters";
const RETRY: &str = "/api/dead-letters/retry";
const DISCARD: &str = "/api/dead-letters/discard";
const EXPORT: &str = "/api/dead-letters/export";
const REPLAYS: &str = "/api/replays";
const CANCEL: &str = "/api/replays/{id}/cancel";
const DELETE_USER: &str = "/api/delete-user";
const REGULATIONS: &str = "/api/regulations";
const RELOAD: &str = "/api/reload";
const ROUTES: [&str; 23] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/deliveries",
    "/api/deliveries/{id}",
    DEAD_LETTERS,
    "/api/dead-letters/{id}",
    RETRY,
    DISCARD,
    EXPORT,
    REPLAYS,
    "/api/replays/{id}",
    CANCEL,
    "/api/tail",
    "/api/stats",
    "/api/destinations",
    ACTION,
    PAUSE,
    RESUME,
    DELETE_USER,
    REGULATIONS,
    RELOAD,
    "/api/suppressed",
];

async fn unknown(request: HttpRequest) -> HttpResponse {
    let path = request.match_info().as_str();
    let starts_with = |start: &str| path.starts_with(start);
    let writes = [DELETE_USER, REGULATIONS, RELOAD, RETRY, DISCARD].contains(&path)
        || starts_with("/api/destinations/")
        || (starts_with("/api/replays/") && path.ends_with("/cancel"));
    let names_one = ["/api/deliveries/", "/api/dead-letters/", "/api/replays/"].into_iter().any(starts_with);
    match ROUTES.contains(&path) || names_one || is_action(path) || is_pause(path) {
        true => {
            let allow = match writes {
                _ if path == REPLAYS => "GET, POST",
                true => "POST",
                false => "GET",
            };
            problem::method_not_allowed(request.method(), path, allow).error_response()
        }
        false => problem::not_found(path, ROUTES.into_iter()).error_response(),
    }
}

/// Whether the path is that of an action, whatever it is called.
fn is_action(path: &str) -> bool {
    let rest = path.strip_prefix("/api/destinations/").and_then(|rest| rest.split_once("/actions/"));
    rest.is_some_and(|(name, action)| !name.is_empty() && !action.is_empty() && !action.contains('/'))
}

/// Whether the path is that of pausing a destination or letting it go on, whatever it is called.
fn is_pause(path: &str) -> bool {
    let rest = path.strip_prefix("/api/destinations/").and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(name, what)| !name.is_empty() && matches!(what, "pause" | "resume"))
}

async fn stats(admin: web::Data<Admin>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": crate::instant::to_text((admin.parts.clock)()),
        "draining": admin.parts.health.is_draining(),
        "store": admin.parts.store.stats(),
    })))
}

/// What the store cannot do, as a refusal.
fn trouble(error: &store::Error) -> Problem {
    match error {
        store::Error::Unavailable(_) => Problem::new(Code::StoreUnavailable, error.to_string()),
        _ => Problem::new(Code::StoreFailed, error.to_string()),
    }
}

/// Reads a body of JSON.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() { Code::ParameterInvalid } else { Code::MalformedJson };
        Problem::new(code, error.to_string())
    })
}

/// Who asks, and for which host.
#[derive(Debug)]
pub struct Caller {
    token: Option<String>,
    host: String,
    origin: Option<String>,
}

impl Caller {
    /// Refuses who may not ask. A wrong token takes as long as a right one.
    pub fn check(&self, admin: &Admin) -> Result<(), Problem> {
        match (&admin.token, &self.token) {
            (None, _) if is_loopback(&self.host) => Ok(()),
            (None, _) => {
                let message = "without an admin token only localhost and loopback addresses may be asked for";
                Err(Problem::new(Code::HostForbidden, message))
            }
            (Some(right), Some(token)) if bool::from(right.ct_eq(&Sha256::digest(token.as_bytes()))) => Ok(()),
            (Some(_), _) => Err(Problem::new(Code::Unauthorized, "send the admin token as `Authorization: Bearer`")),
        }
    }

    /// Refuses who may not change anything: also any page of another site in the operator's browser, which can send a
    /// request here although it cannot read the answer.
    pub fn check_write(&self, admin: &Admin) -> Result<(), Problem> {
        self.check(admin)?;
        let own = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| host == self.host);
        match self.origin.as_deref().is_none_or(own) {
            true => Ok(()),
            false => Err(Problem::new(Code::HostForbidden, "pages of another site may not change anything here")),
        }
    }
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Caller, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let bearer = |value: &str| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        ready(Ok(Caller {
            token: header(AUTHORIZATION).and_then(bearer),
            host: header(HOST).unwrap_or_default().to_owned(),
            origin: header(ORIGIN).map(str::to_owned),
        }))
    }
}
