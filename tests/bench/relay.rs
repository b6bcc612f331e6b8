//! The yardstick for the whole way: the bare handler of `bare.rs`, which in addition posts each event to the destination as
//! it is, 32 of them at once, and writes nothing down of what came of it. It runs as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, mpsc};

use crate::admin;
use crate::bare::{Head, Log, is_whole};

/// The variable that names the destination, and makes this program the relay.
pub const DESTINATION: &str = "RELAY_DESTINATION";
/// Requests at once.
const AT_ONCE: usize = 32;
/// Where it says how many were answered.
const ANSWERED: &str = "/answered";

/// Waits until so many events were answered by the destination.
pub async fn settled(relay: SocketAddr, events: usize) {
    while admin::get(relay, ANSWERED).await.parse::<usize>().is_ok_and(|answered| answered < events) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<&'a RawValue>,
}

/// What a worker has.
#[derive(Clone)]
struct Relay {
    log: Log,
    events: mpsc::UnboundedSender<web::Bytes>,
    answered: Arc<AtomicUsize>,
}

async fn single(body: web::Bytes, relay: web::Data<Relay>) -> HttpResponse {
    let good = serde_json::from_slice::<Head<'_>>(&body).is_ok_and(|head| is_whole(&head));
    let answer = relay.log.append(good, body.clone()).await;
    let _ = relay.events.send(body);
    answer
}

async fn batch(body: web::Bytes, relay: web::Data<Relay>) -> HttpResponse {
    let items: Vec<web::Bytes> = match serde_json::from_slice::<Batch<'_>>(&body) {
        Ok(batch) => batch.batch.iter().map(|item| body.slice_ref(item.get().as_bytes())).collect(),
        Err(_) => Vec::new(),
    };
    let is_good = |item: &web::Bytes| serde_json::from_slice::<Head<'_>>(item).is_ok_and(|head| is_whole(&head));
    let answer = relay.log.append(items.iter().all(is_good), body.clone()).await;
    items.into_iter().for_each(|item| drop(relay.events.send(item)));
    answer
}

async fn answered(relay: web::Data<Relay>) -> HttpResponse {
    HttpResponse::Ok().body(relay.answered.load(Ordering::Relaxed).to_string())
}

/// Posts what comes, until nobody can send any more.
async fn post(url: String, events: Arc<Mutex<mpsc::UnboundedReceiver<web::Bytes>>>, answered: Arc<AtomicUsize>) {
    let client = reqwest::Client::new();
    let posts = (0..AT_ONCE).map(|_| {
        let (client, url, events, answered) = (client.clone(), url.clone(), events.clone(), answered.clone());
        tokio::spawn(async move {
            while let Some(event) = next(&events).await {
                let reply = client.post(&url).header("content-type", "application/json").body(event).send().await;
                reply.expect("the destination answers").bytes().await.expect("the answer is whole");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.expect("a post does not fail");
    }
}

async fn next(events: &Mutex<mpsc::UnboundedReceiver<web::Bytes>>) -> Option<web::Bytes> {
    events.lock().await.recv().await
}

/// Serves until the process is killed.
pub fn serve(directory: &Path, address: &str, destination: &str) {
    // Fails only when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (events, coming) = mpsc::unbounded_channel();
    let relay = Relay { log: Log::open(directory), events, answered: Arc::default() };
    let (url, answers) = (format!("http://{destination}/events"), relay.answered.clone());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(relay.clone()))
            .app_data(web::PayloadConfig::new(8 * 1024 * 1024))
            .route(ANSWERED, web::get().to(answered))
            .route("/v1/batch", web::post().to(batch))
            .default_service(web::post().to(single))
    });
    let server = server.workers(workers).bind(address).expect("a free port").run();
    // As the router has it: a runtime of its own for what is delivered.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.spawn(post(url, Arc::new(Mutex::new(coming)), answers));
    actix_web::rt::System::new().block_on(server).expect("the relay runs");
}
