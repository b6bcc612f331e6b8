//! What only the store in one file promises: it survives damage, a full disk, a crash, and a second process.

use std::collections::HashSet;
use std::path::Path;

use futures_util::future::join_all;
use interline::delivery::{Id, Position};
use interline::store::sqlite::Sqlite;
use interline::store::{Accepted, Error, Routed, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{
    accept, at, delivery, event, event_at, id, messages, now, opening, pending, position, route, settled, story,
};

pub fn open(directory: &TempDir) -> Sqlite {
    try_open(directory.path()).unwrap()
}

fn try_open(directory: &Path) -> Result<Sqlite, Error> {
    opening(directory, Sqlite::open)
}

/// The file, for a look behind the store's back.
pub fn peek(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join("interline.db")).unwrap()
}

fn refusal(directory: &TempDir) -> Error {
    try_open(directory.path()).err().expect("it is refused")
}

/// Two events, each with two deliveries: pending and dead.
pub async fn filled(directory: &TempDir) -> Sqlite {
    let store = open(directory);
    accept(&store, "website", &["a", "b", "c"]).await;
    let two = |position| -> Routed {
        route(position, vec![(delivery("website", "intercom"), pending()), (delivery("website", "intercom"), story())])
    };
    store.route(&[two(1), two(2)]).await.unwrap();
    store
}

pub async fn ids(store: &Sqlite, of: &[Id]) -> Vec<Id> {
    store.deliveries(of.to_vec()).await.unwrap().iter().map(|owed| owed.id).collect()
}

pub async fn open_ids(store: &Sqlite) -> Vec<Id> {
    store.open(None, None, 100).await.unwrap().iter().map(|open| open.id).collect()
}

#[track_caller]
pub fn check_stats(store: &Sqlite, backlog: u64, dead_letters: u64, quarantined: u64) {
    let stats = store.stats();
    let found = (stats.backlog.get("website").copied().unwrap_or_default(), stats.dead_letters, stats.quarantined);
    assert_eq!(found, (backlog, dead_letters, quarantined));
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_directory() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let Error::Locked(message) = refusal(&directory) else { panic!("not locked") };
    assert!(message.contains(&format!("in use by process {} (", std::process::id())), "{message}");
    assert!(message.contains("started at 2026-01-01T00:00:00Z"), "{message}");
    store.close().await;
    open(&directory).close().await;
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    open(&directory).close().await;
    let file = peek(&directory);
    file.pragma_update(None, "user_version", 70).unwrap();
    check_refused(&directory, &["version 70", "up to "]);
    file.pragma_update(None, "application_id", 0x1234).unwrap();
    check_refused(&directory, &["0x1234 version 70", "version "]);
    drop(file);

    let directory = TempDir::new().unwrap();
    peek(&directory).execute_batch("CREATE TABLE contacts (id INTEGER)").unwrap();
    check_refused(&directory, &["is not ours"]);
    assert_eq!(
        peek(&directory).pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(),
        "delete"
    );

    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("interline.db"), "notes\n".repeat(100)).unwrap();
    check_refused(&directory, &["no SQLite file"]);
}

#[tokio::test]
async fn a_file_of_an_older_version_is_brought_to_this_one() {
    let directory = TempDir::new().unwrap();
    let file = peek(&directory);
    file.execute_batch(include_str!("../../cases/store/version_1.sql")).unwrap();
    file.execute_batch("PRAGMA application_id = 0x494c4e45; PRAGMA user_version = 1;").unwrap();
    drop(file);
    let store = open(&directory);
    assert_eq!(store.stats().last, Position(24));
    let all = store.open(None, None, 100).await.unwrap();
    assert!(!all.is_empty());
    let theirs = store.open(Some("intercom"), None, 100).await.unwrap();
    assert!(theirs.iter().map(|open| open.id).eq(all.iter().map(|open| open.id)));
    assert_eq!(messages(&store, 0, 100).await.len(), 24);
    assert_eq!((store.stats().quarantined, store.stats().lost), (0, 0));
    let fresh = TempDir::new().unwrap();
    open(&fresh).close().await;
    let version = |of: &TempDir| peek(of).pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version(&directory), version(&fresh));
}

#[track_caller]
fn check_refused(directory: &TempDir, words: &[&str]) {
    let Error::Incompatible(message) = refusal(directory) else { panic!("not incompatible") };
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
    assert!(message.contains("interline.db"), "{message}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("a/b");
    let store = try_open(&inner).unwrap();
    accept(&store, "website", &["a"]).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for name in ["interline.db", "interline.db-wal", "interline.lock"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

/// What the disk holds while the store still runs is what a killed process leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_on_the_disk() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let accepted = join_all((0..64).map(|task| accept_some(&store, task))).await.concat();
    assert_eq!(accepted.iter().collect::<HashSet<_>>().len(), 64 * 10);
    assert_eq!(accepted.iter().max(), Some(&(64 * 10)));
    store.route(&[route(1, vec![(delivery("website", "intercom"), pending())])]).await.unwrap();
    store.settle(&[(id(1, 0), &settled("dead_letter"))]).await.unwrap();

    let copy = TempDir::new().unwrap();
    for name in ["interline.db", "interline.db-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let after = open(&copy);
    assert_eq!(messages(&after, 0, 1000).await.len(), 640);
    check_stats(&after, 639, 1, 0);
    assert_eq!(after.accept(vec![event("website", "3/3")]).await.unwrap(), [Accepted::Duplicate]);
}

async fn accept_some(store: &Sqlite, task: usize) -> Vec<u64> {
    let mut positions = Vec::new();
    for n in 0..10 {
        let accepted = store.accept(vec![event("website", &format!("{task}/{n}"))]).await.unwrap();
        positions.push(position(&accepted[0]));
    }
    positions
}

#[tokio::test]
async fn a_clean_end_leaves_one_file() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory).await;
    assert!(store.stats().bytes > 0);
    store.close().await;
    let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: HashSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(names, HashSet::from(["interline.db", "interline.lock", "interline.note"].map(str::to_owned)));
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_room_helps() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    accept(&store, "website", &["a"]).await;
    store.limit(0).await.unwrap();
    let mut stored = 1;
    let refused = loop {
        match store.accept(vec![event("website", &format!("n{stored}"))]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "the bound has no effect");
    };
    assert!(matches!(&refused, Error::Unavailable(why) if why.contains("full")), "{refused}");
    assert_eq!(messages(&store, stored - 1, 10).await.len(), 1, "reading goes on");
    store.limit(64 << 20).await.unwrap();
    let retried = store.accept(vec![event("website", &format!("n{stored}"))]).await.unwrap();
    assert_eq!(retried, [at(stored + 1)], "the refused message id was not remembered");
    store.close().await;
    assert_eq!(messages(&open(&directory), 0, 100_000).await.len() as u64, stored + 1);
}

#[tokio::test]
async fn a_call_that_cannot_be_written_does_not_spoil_its_group() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    peek(&directory)
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.envelope LIKE '%poison%'
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
        )
        .unwrap();
    let calls = ["a", "poison", "b", "a"].map(|message_id| store.accept(vec![event("website", message_id)]));
    let answers = join_all(calls).await;
    assert_eq!(answers[0].as_ref().unwrap(), &[at(1)]);
    assert!(matches!(&answers[1], Err(Error::Unavailable(why)) if why.contains("refused by the test")));
    assert_eq!(answers[2].as_ref().unwrap(), &[at(2)]);
    assert_eq!(answers[3].as_ref().unwrap(), &[Accepted::Duplicate]);
    peek(&directory).execute_batch("DROP TRIGGER refuse").unwrap();
    assert_eq!(store.accept(vec![event("website", "poison")]).await.unwrap(), [at(3)]);
}

#[tokio::test]
async fn reading_does_not_wait_for_writing_and_the_queue_has_an_end() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    accept(&store, "website", &["a"]).await;
    let other = peek(&directory);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls: Vec<_> = (0..5000).map(|n| store.accept(vec![event("website", &format!("m{n}"))])).collect();
    assert_eq!(messages(&store, 0, 10).await, ["a"]);
    other.execute_batch("ROLLBACK").unwrap();
    let answers = join_all(calls).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::Unavailable(_)))).count();
    assert!((900..1100).contains(&refused), "{refused}");
    assert_eq!(store.stats().last.0 as usize, 1 + 5000 - refused);
    accept(&store, "website", &["b"]).await;
}

#[tokio::test]
async fn a_disk_that_lies_ends_the_store_for_good() {
    let directory = TempDir::new().unwrap();
    filled(&directory).await.close().await;
    let store = open(&directory);
    let path = directory.path().join("interline.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8192..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let is_failed = |error: Error| matches!(error, Error::Failed(_));
    assert!(is_failed(store.events(Position(0), 10).await.unwrap_err()));
    assert!(is_failed(store.accept(vec![event("website", "z")]).await.unwrap_err()));
    assert!(is_failed(store.open(None, None, 1).await.unwrap_err()));
    assert!(!store.failure().await.is_empty());
}

#[tokio::test]
async fn room_is_given_back_after_trimming() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for n in 0..20 {
        let mut events: Vec<_> = (0..500).map(|i| event("website", &format!("{n}/{i}"))).collect();
        events.iter_mut().for_each(|event| event.body = vec![b' '; 2000].into());
        store.accept(events).await.unwrap();
    }
    store.route(&[route(10_000, vec![])]).await.unwrap();
    let pages = || peek(&directory).pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap();
    let before = pages();
    assert_eq!(store.trim(now(1000)).await.unwrap(), 20_000);
    assert!(pages() < before / 3, "{before} pages, then {}", pages());
}

#[tokio::test]
async fn an_hour_in_a_wrong_year_keeps_nothing_behind_it_however_much_came_in_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for n in 0..11 {
        let ahead = (0..5_000).map(|i| event_at("website", &format!("{n}/{i}"), now(9_000)));
        store.accept(ahead.collect()).await.unwrap();
    }
    accept(&store, "website", &["old"]).await;
    let ended = |position| route(position, vec![(delivery("website", "intercom"), settled("delivered"))]);
    let routed: Vec<_> = (1..=2_500).map(ended).chain([route(55_001, vec![])]).collect();
    store.route(&routed).await.unwrap();
    let (first, second) = (store.trim(now(170)).await.unwrap(), store.trim(now(170)).await.unwrap());
    assert_eq!(first + second, 55_001 + 2_500 + 1, "the events, their deliveries, and the message id of the old one");
    assert_eq!(messages(&store, 0, 10).await, [""; 0]);
}

#[tokio::test]
async fn an_event_that_vanished_is_counted_once_and_for_good() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    accept(&store, "website", &["a", "b", "c", "d", "e", "f"]).await;
    store.remove(vec![Position(2)]).await.unwrap();
    assert_eq!(messages(&store, 0, 10).await, ["a", "c", "d", "e", "f"]);
    assert_eq!(store.stats().lost, 0, "one was taken out on request");
    assert_eq!(peek(&directory).execute("DELETE FROM events WHERE position IN (3, 4, 6)", ()).unwrap(), 3);
    assert_eq!(messages(&store, 0, 10).await, ["a", "e"]);
    assert_eq!(messages(&store, 0, 10).await, ["a", "e"]);
    assert_eq!(store.stats().lost, 3);
    check_stats(&store, 2, 0, 0);
    store.close().await;
    let store = open(&directory);
    assert_eq!(store.stats().lost, 3);
    assert_eq!(store.accept(vec![event("website", "g")]).await.unwrap(), [at(7)]);
    store.route(&[route(7, vec![])]).await.unwrap();
    store.trim(now(1000)).await.unwrap();
    assert_eq!(messages(&store, 0, 10).await, [""; 0]);
    assert_eq!(store.stats().lost, 3, "what trimming removed is not lost");
}

#[tokio::test]
async fn a_log_damaged_in_the_middle_is_kept_and_said_so() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for n in 0..20 {
        accept(&store, "website", &[&format!("m{n}")]).await;
    }
    let copy = TempDir::new().unwrap();
    for name in ["interline.db", "interline.db-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let log = copy.path().join("interline.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&log, &bytes).unwrap();
    let after = open(&copy);
    assert!((1..19).contains(&after.stats().last.0), "what stands before the damage is there");
    assert_eq!(after.stats().quarantined, 1);
    let kept = copy.path().join("interline.db-wal.damaged-1");
    assert_eq!(std::fs::read(&kept).unwrap(), bytes);
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "the damage is not found again");
    after.close().await;
    assert_eq!(open(&copy).stats().quarantined, 1);
}

#[tokio::test]
async fn a_start_counts_what_is_waiting_without_reading_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for n in 0..60 {
        let source = if n % 3 == 0 { "backend" } else { "website" };
        store.accept((0..100).map(|i| event(source, &format!("{n}/{i}"))).collect()).await.unwrap();
    }
    store.route(&(1..=150).map(|position| route(position, vec![])).collect::<Vec<_>>()).await.unwrap();
    let counts = |store: &Sqlite| {
        let stats = store.stats();
        ["backend", "website"].map(|source| stats.backlog.get(source).copied().unwrap_or_default())
    };
    assert_eq!(counts(&store), [1900, 3950]);
    store.close().await;
    // A number stands in the file, so it does not matter that these cannot be read.
    let file = peek(&directory);
    file.execute("UPDATE events SET envelope = 'x' WHERE position BETWEEN 1000 AND 1100", ()).unwrap();
    drop(file);
    let store = open(&directory);
    assert_eq!(counts(&store), [1900, 3950]);
    store.route(&(151..=400).map(|position| route(position, vec![])).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(counts(&store), [1800, 3800]);
    store.close().await;
    let store = open(&directory);
    assert_eq!(counts(&store), [1800, 3800]);
    store.route(&[route(6000, vec![])]).await.unwrap();
    assert_eq!(counts(&store), [0, 0], "nothing stays behind for what could not be read");
    accept(&store, "website", &["z"]).await;
    store.close().await;
    assert_eq!(counts(&open(&directory)), [0, 1]);
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_missed() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory).await;
    store.close().await;
    let copy = std::fs::read(directory.path().join("interline.db")).unwrap();
    let store = open(&directory);
    accept(&store, "website", &["d", "e"]).await;
    store.close().await;
    // Somebody puts the older file back.
    std::fs::write(directory.path().join("interline.db"), copy).unwrap();
    let store = open(&directory);
    assert_eq!((store.stats().lost, store.stats().last), (2, Position(5)));
    check_stats(&store, 3, 2, 0);
    assert_eq!(store.accept(vec![event("website", "f")]).await.unwrap(), [at(6)], "no position is used twice");
    assert_eq!(messages(&store, 0, 10).await, ["a", "b", "c", "f"]);
    store.close().await;
    assert_eq!(open(&directory).stats().lost, 2);
}
