//! A disk that fails the service: syncs that do not succeed, no room, and death while an older file is brought to the
//! present version.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use interline::delivery::Position;
use interline::metrics::Metrics;
use interline::sandbox::{Effect, Fault, Running};
use interline::store::sqlite::Sqlite;
use interline::store::{Opening, Settings, Store};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::IMPATIENT;
use super::images::Disk;
use super::recording::Recorder;
use super::traffic::{Acknowledged, senders};
use crate::support::{Served, eventually, http, now, quick_sandbox};

/// A service with a disk that fails when it is told, and the people who send to it.
struct Trial {
    intercom: Running,
    directory: TempDir,
    addresses: (std::net::SocketAddr, std::net::SocketAddr),
    recorder: Recorder,
    acknowledged: Acknowledged,
    senders: Vec<super::traffic::Sender>,
}

impl Trial {
    async fn new() -> Trial {
        let intercom = quick_sandbox().await;
        let directory = tempfile::tempdir().unwrap();
        let addresses = Served::configure(directory.path(), intercom.url(), IMPATIENT);
        let recorder = Recorder::new(&directory.path().join("data"));
        let acknowledged = Acknowledged::new(|| 0);
        let senders = senders(&acknowledged, &mut fastrand::Rng::with_seed(1));
        Trial { intercom, directory, addresses, recorder, acknowledged, senders }
    }

    async fn start(&self) -> Served {
        Served::start_with(self.directory.path(), self.addresses, &self.recorder.environment(false)).await
    }

    /// Whether the next events of somebody were answered 200.
    async fn send(&mut self) -> bool {
        self.senders.rotate_left(1);
        self.senders[0].send(&format!("http://{}/v1/batch", self.addresses.0), 8).await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    async fn everything_arrives(&self, wanted: &HashSet<(u64, u64)>) {
        super::everything_arrives(&self.intercom, wanted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_ends_the_service_and_loses_nothing() {
    let mut trial = Trial::new().await;
    let mut service = trial.start().await;
    for _ in 0..30 {
        assert!(trial.send().await);
    }
    trial.recorder.fail(Some(0), None);
    assert!(!trial.send().await, "nothing is acknowledged that may not be stored");
    let mut code = None;
    eventually("the end of the service", Duration::from_secs(30), async || {
        code = service.ended();
        code.is_some()
    })
    .await;
    assert_ne!(code, Some(0));
    assert!(trial.log().contains("Storage failed"), "{}", trial.log());
    trial.recorder.fail(None, None);
    let wanted = trial.acknowledged.take().into_keys().collect();
    let _service = trial.start().await;
    trial.everything_arrives(&wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_events_delivers_what_it_has_and_recovers() {
    let mut trial = Trial::new().await;
    let service = trial.start().await;
    let mut down = Fault::new("*", Effect::status(503));
    down.count = 0;
    trial.intercom.control().fault(down);
    for _ in 0..20 {
        assert!(trial.send().await);
    }
    let used = |directory: &Path| -> u64 {
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        files.filter(|facts| facts.is_file()).map(|facts| facts.len()).sum()
    };
    let data = trial.directory.path().join("data");
    let ballast = data.join("interline.ballast");
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), Settings::default().ballast_bytes);
    trial.recorder.fail(None, Some(used(&data) + (512 << 10)));
    let mut sent = 0;
    while trial.send().await {
        sent += 1;
        assert!(sent < 10_000, "the disk does not become full");
    }
    check_refusal(&trial).await;
    assert!(!ballast.exists(), "the room is used for what has to be settled");
    let wanted = trial.acknowledged.take().into_keys().collect();
    trial.intercom.control().clear_faults();
    trial.everything_arrives(&wanted).await;
    check_refusal(&trial).await;
    trial.recorder.fail(None, None);
    eventually("events are accepted again", Duration::from_secs(30), async || trial.send().await).await;
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), Settings::default().ballast_bytes);
    assert!(trial.log().contains("The disk is full") && trial.log().contains("The disk has room again"));
    assert_eq!(service.terminate(), Some(0));
    println!("{sent} calls until the disk was full, {} events delivered while it was", wanted.len());
}

/// 503, to come again later; and no load balancer sends more.
async fn check_refusal(trial: &Trial) {
    let call = json!({ "userId": "u", "event": "e", "messageId": "only-here" });
    let url = format!("http://{}/v1/track", trial.addresses.0);
    let reply = http().post(url).basic_auth("key", Some("")).json(&call).send().await.unwrap();
    assert_eq!(reply.status(), 503);
    assert!(reply.headers().contains_key("retry-after"));
    assert!(reply.text().await.unwrap().contains("store_unavailable"));
    let ready = http().get(format!("http://{}/readyz", trial.addresses.1)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
}

/// A file as version 1 of the store left it.
fn old_file(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let file = Connection::open(directory.join("interline.db")).unwrap();
    file.execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
        .unwrap();
    file.execute_batch(include_str!("../../cases/store/version_1.sql")).unwrap();
    file.execute_batch("PRAGMA application_id = 0x494c4e45; PRAGMA user_version = 1;").unwrap();
    file.close().unwrap();
}

/// Bodies of events and ids of deliveries.
fn held(file: &Connection) -> (Vec<(u64, Vec<u8>)>, Vec<u64>) {
    let mut select = file.prepare("SELECT position, body FROM events ORDER BY position").unwrap();
    let events = select.query_map((), |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)));
    let events = events.unwrap().map(Result::unwrap).collect();
    let mut select = file.prepare("SELECT id FROM deliveries ORDER BY id").unwrap();
    let ids = select.query_map((), |row| Ok(row.get::<_, i64>(0)? as u64));
    let ids = ids.unwrap().map(Result::unwrap).collect();
    (events, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_is_whole_whenever_its_migration_is_cut_short() {
    let trial = Trial::new().await;
    let data = trial.directory.path().join("data");
    old_file(&data);
    let (events, ids) = held(&Connection::open(data.join("interline.db")).unwrap());
    assert!(events.len() > 10 && ids.len() > 10);
    let mut disk = Disk::with("interline.db", std::fs::read(data.join("interline.db")).unwrap());
    let environment = trial.recorder.environment(true);
    let mut service = Served::start_with(trial.directory.path(), trial.addresses, &environment).await;
    service.kill();
    trial.recorder.end_life();
    let mut luck = fastrand::Rng::with_seed(1);
    let records = trial.recorder.records();
    let mut cuts = 0;
    for record in records.iter().take(120) {
        let (killed, cut) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        disk.kill(killed.path());
        disk.cut(cut.path(), &mut luck);
        for directory in [killed.path(), cut.path()] {
            check_whole(directory, &events, &ids).await;
            cuts += 1;
        }
        disk.apply(record);
    }
    println!("{cuts} states of a file of version 1 on its way, all whole: {} events", events.len());
}

async fn check_whole(directory: &Path, events: &[(u64, Vec<u8>)], ids: &[u64]) {
    let (settings, metrics) = (Settings { ballast_bytes: 0, ..Settings::default() }, Metrics::new());
    let store = Sqlite::open(&Opening { settings: &settings, directory, metrics: &metrics, now: now() }).unwrap();
    let found = store.events(Position(0), usize::MAX).await.unwrap();
    let found: Vec<_> = found.iter().map(|stored| (stored.position.0, stored.event.body.to_vec())).collect();
    assert_eq!(found, events);
    let ids: Vec<_> = ids.iter().map(|id| interline::delivery::Id::from_number(*id)).collect();
    assert_eq!(store.deliveries(ids.clone()).await.unwrap().len(), ids.len());
    let stats = store.stats();
    assert_eq!((stats.quarantined, stats.lost), (0, 0));
    store.close().await;
}
