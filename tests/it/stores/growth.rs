//! How large a store grows, and how long it takes to start with much in it.
//!
//! Parameters: `STORE_PENDING`, the events with which a start is timed (20,000 unless given).

use std::time::Instant;

use interline::delivery::{Position, key};
use interline::store::sqlite::Sqlite;
use interline::store::{Filter, Settings, Store};
use tempfile::TempDir;

use super::fixture::{
    Place, delivery, each_with, event, id, messages, now, opening, opening_with, pending, route, settled,
};

#[tokio::test]
async fn over_its_bytes_the_oldest_that_have_ended_go() {
    let settings = Settings { retention_bytes: 400_000, ballast_bytes: 0, ..Settings::default() };
    each_with(settings, async |place: Place| {
        let store = place.open();
        for n in 1..=100_u64 {
            let mut event = event("website", &n.to_string());
            event.body = vec![b' '; 10_000].into();
            store.accept(vec![event]).await.unwrap();
            let progress = match n {
                1 => pending(),
                2 => settled("dead_letter"),
                _ => settled("delivered"),
            };
            store.route(&[route(n, vec![(delivery("website", "intercom"), progress)])]).await.unwrap();
            store.trim(now(0)).await.unwrap();
        }
        let left = messages(&*store, 0, 1000).await;
        assert_eq!(left[..2], ["1", "2"], "what is owed and dead letters stay");
        assert!(left.len() < 42, "{} are left", left.len());
        store.settle(&[(id(1, 0), &settled("delivered")), (id(2, 0), &settled("skipped"))]).await.unwrap();
        let mut event = event("website", "last");
        event.body = vec![b' '; 400_000].into();
        store.accept(vec![event]).await.unwrap();
        store.trim(now(0)).await.unwrap();
        assert_eq!(messages(&*store, 0, 1000).await, ["last"], "what is not routed stays");
    })
    .await;
}

#[tokio::test]
async fn a_long_run_does_not_grow() {
    let directory = TempDir::new().unwrap();
    let settings = Settings { retention_bytes: 8 << 20, ballast_bytes: 0, ..Settings::default() };
    let store = opening_with(settings, directory.path(), Sqlite::open).unwrap();
    let length = |name: &str| std::fs::metadata(directory.path().join(name)).map_or(0, |facts| facts.len());
    let (mut accepted, mut largest, mut longest) = (0_u64, 0, 0);
    for round in 0..30_u64 {
        let mut events: Vec<_> = (0..500).map(|n| event("website", &format!("{round}/{n}"))).collect();
        events.iter_mut().for_each(|event| event.body = vec![b'x'; 2000].into());
        store.accept(events).await.unwrap();
        let positions = accepted + 1..=accepted + 500;
        let one = |position| route(position, vec![(delivery("website", "intercom"), pending())]);
        store.route(&positions.clone().map(one).collect::<Vec<_>>()).await.unwrap();
        let delivered = settled("delivered");
        let all: Vec<_> = positions.map(|position| (id(position, 0), &delivered)).collect();
        store.settle(&all).await.unwrap();
        accepted += 500;
        store.trim(now(0)).await.unwrap();
        largest = largest.max(length("interline.db"));
        longest = longest.max(length("interline.db-wal"));
    }
    println!("{accepted} events of 2 kB through a bound of 8 MiB: file at most {largest} bytes, log {longest}");
    assert!(largest < 14 << 20, "the file had {largest} bytes");
    assert!(longest < 64 << 20, "the log had {longest} bytes");
    assert!(messages(&store, 0, 100_000).await.len() > 500, "not everything went");
}

#[tokio::test]
async fn a_start_with_much_to_do_is_quick() {
    let count = std::env::var("STORE_PENDING").map_or(20_000, |text| text.parse().expect("STORE_PENDING is a number"));
    let directory = TempDir::new().unwrap();
    let store = opening(directory.path(), Sqlite::open).unwrap();
    fill(&store, 0, count).await;
    store.close().await;
    let time = |what: &str| {
        let begun = Instant::now();
        let store = opening(directory.path(), Sqlite::open).unwrap();
        println!("{count} {what}: opened in {:.3} s", begun.elapsed().as_secs_f64());
        store
    };
    let store = time("events that are not routed");
    assert_eq!(store.stats().backlog["website"], count);
    for first in (1..=count).step_by(5000) {
        let one = |position| route(position, vec![(delivery("website", "intercom"), pending())]);
        store.route(&(first..first + 5000).map(one).collect::<Vec<_>>()).await.unwrap();
    }
    store.close().await;
    let store = time("open deliveries");
    assert_eq!(store.stats().backlog["website"], count);
    assert_eq!(store.stats().routed, Position(count));
    look_for_nobody(&store, count).await;
}

/// Looks through everything for a person who is not there: that takes many calls, each of which looks at few rows.
async fn look_for_nobody(store: &Sqlite, count: u64) {
    let (begun, mut calls, mut longest) = (Instant::now(), 0, 0.0f64);
    let mut filter = Filter { keys: vec![key::of_user("nobody")], ..Filter::default() };
    loop {
        let call = Instant::now();
        let page = store.list(filter.clone(), 50).await.unwrap();
        longest = longest.max(call.elapsed().as_secs_f64());
        calls += 1;
        assert!(page.found.is_empty());
        match page.next {
            Some(next) => filter = filter.continued(next),
            None => break,
        }
    }
    let whole = begun.elapsed().as_secs_f64();
    println!("{count} deliveries looked through for a person in {whole:.3} s, {calls} calls of {longest:.3} s at most");
    assert!(calls > count / 25_000, "no call looks at more than it may");
}

async fn fill(store: &Sqlite, from: u64, count: u64) {
    for first in (from..from + count).step_by(5000) {
        let some = (first..first + 5000).map(|n| {
            let mut event = event("website", &n.to_string());
            event.body = vec![b'x'; 840].into();
            event
        });
        store.accept(some.collect()).await.unwrap();
    }
}
