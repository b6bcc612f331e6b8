//! The yardstick for ingest: a bare actix-web handler that reads the head of each event and appends the body to one
//! file, answering after an fdatasync that it shares with everyone who waits. It runs as a process of its own.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use tokio::sync::oneshot;

type Append = (web::Bytes, oneshot::Sender<()>);

/// The members of an event without which it is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    anonymous_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<Head<'a>>,
}

/// Whether none of them is missing; one name of the person is enough.
pub fn is_whole(head: &Head<'_>) -> bool {
    let has_name = head.user_id.is_some() || head.anonymous_id.is_some();
    head.kind.is_some() && has_name && head.message_id.is_some() && head.timestamp.is_some()
}

/// The file, as those see it who append.
#[derive(Clone)]
pub struct Log(mpsc::Sender<Append>);

impl Log {
    /// A new file in a folder, and the thread that writes it.
    pub fn open(directory: &Path) -> Log {
        let file = File::create(directory.join("bare.log")).expect("a file for the log");
        let (log, waiting) = mpsc::channel::<Append>();
        std::thread::spawn(move || group_commit(file, &waiting));
        Log(log)
    }

    /// Appends what is good, and answers when it is on the disk.
    pub async fn append(&self, good: bool, body: web::Bytes) -> HttpResponse {
        if !good {
            return HttpResponse::BadRequest().finish();
        }
        let (done, written) = oneshot::channel();
        if self.0.send((body, done)).is_err() || written.await.is_err() {
            return HttpResponse::ServiceUnavailable().finish();
        }
        HttpResponse::Ok().content_type("application/json").body(r#"{"success":true}"#)
    }
}

async fn single(body: web::Bytes, log: web::Data<Log>) -> HttpResponse {
    let good = serde_json::from_slice::<Head<'_>>(&body).is_ok_and(|head| is_whole(&head));
    log.append(good, body).await
}

async fn batch(body: web::Bytes, log: web::Data<Log>) -> HttpResponse {
    let good = serde_json::from_slice::<Batch<'_>>(&body).is_ok_and(|batch| batch.batch.iter().all(is_whole));
    log.append(good, body).await
}

fn group_commit(mut file: File, waiting: &mpsc::Receiver<Append>) {
    let mut text = Vec::new();
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < 1024 {
            let Ok(next) = waiting.try_recv() else { break };
            group.push(next);
        }
        text.clear();
        group.iter().for_each(|(body, _)| text.extend_from_slice(body));
        file.write_all(&text).and_then(|()| file.sync_data()).expect("the disk takes the log");
        for (_, done) in group {
            let _ = done.send(());
        }
    }
}

/// Serves until the process is killed.
pub fn serve(directory: &Path, address: &str) {
    let log = Log::open(directory);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(log.clone()))
            .app_data(web::PayloadConfig::new(8 * 1024 * 1024))
            .route("/v1/batch", web::post().to(batch))
            .default_service(web::post().to(single))
    });
    // As many workers as the router has unless it is told otherwise.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let server = server.workers(workers).bind(address).expect("a free port").run();
    actix_web::rt::System::new().block_on(server).expect("the yardstick runs");
}
