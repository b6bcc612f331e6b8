//! What watches the service from outside: `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::admin::Admin;
use super::problem::Problem;
use crate::metrics::Metrics;
use crate::store::Stats;

/// How long the store may take to say that it takes events.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The routes. Health needs no token, so that a load balancer can ask; metrics do.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/healthz", web::get().to(alive))
        .route("/healthz", web::head().to(alive))
        .route("/readyz", web::get().to(ready))
        .route("/readyz", web::head().to(ready))
        .route("/metrics", web::get().to(metrics));
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "alive": true }))
}

async fn ready(admin: web::Data<Admin>) -> HttpResponse {
    let draining = admin.parts.health.is_draining();
    let trouble = store_trouble(&admin).await;
    let ready = !draining && trouble.is_none();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let store = trouble.unwrap_or_else(|| "ok".to_owned());
    let word = |standing: &serde_json::Value| standing["hold"].as_str().unwrap_or("ok").to_owned();
    let destinations: BTreeMap<_, _> =
        (admin.parts.standings)().into_iter().map(|(name, standing)| (name, word(&standing))).collect();
    HttpResponse::build(status).json(json!({
        "ready": ready,
        "draining": draining,
        "store": store,
        "mappings": admin.parts.health.refusal().unwrap_or_else(|| "ok".to_owned()),
        "destinations": destinations,
    }))
}

/// What the last calls met, else what the store says to an empty accept.
async fn store_trouble(admin: &Admin) -> Option<String> {
    if let Some(trouble) = admin.parts.health.trouble((admin.parts.clock)()) {
        return Some(trouble);
    }
    match tokio::time::timeout(PROBE_TIMEOUT, admin.parts.store.accept(Vec::new())).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the store did not answer within {PROBE_TIMEOUT:?}")),
    }
}

async fn metrics(admin: web::Data<Admin>, caller: super::admin::Caller) -> Result<HttpResponse, Problem> {
    caller.check(&admin)?;
    (admin.parts.refresh)();
    refresh(&admin.parts.metrics, &admin.parts.store.stats());
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4")).body(admin.parts.metrics.render()))
}

/// Sets the gauges that the store knows.
fn refresh(metrics: &Metrics, stats: &Stats) {
    let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    metrics.store_backlog.reset();
    for (source, waiting) in &stats.backlog {
        metrics.store_backlog.with_label_values(&[source]).set(gauge(*waiting));
    }
    metrics.dead_letters.set(gauge(stats.dead_letters));
    metrics.store_bytes.set(gauge(stats.bytes));
    metrics.store_quarantined.set(gauge(stats.quarantined));
    metrics.store_lost_events.set(gauge(stats.lost));
}
