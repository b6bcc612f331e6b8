//! The process ends during each request of each writing action: the next one goes on from there, no finished write is made
//! again, and Intercom is as if nothing had happened.
//!
//! # Why
//! A process that ends takes its memory with it and leaves what is written down: so everything is dropped but the store, and
//! built anew. That SQLite keeps what it was given is tested in `crash`. Time is paused.

use std::time::Duration;

use interline::router::Settings;
use interline::sandbox::{Effect, Fault, SearchLag};
use serde_json::Value;

use super::faults::{ended, lasting, place, reads};
use super::table::{ACTIONS, LONG, Row};
use crate::support::virtual_time::{Engine, Place};

const MINUTE: Duration = Duration::from_secs(60);
/// All requests but the one that hangs have been answered by then, and nobody has given up on that.
const A_WHILE: Duration = Duration::from_secs(5);

/// What the stand-in was asked for, as `PUT /contacts/… {…}`.
fn requests(place: &Place) -> Vec<String> {
    let journal = place.control.journal();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |entry: &Value| format!("{} {} {}", text(&entry["method"]), text(&entry["path"]), entry["body"]);
    journal.as_array().unwrap().iter().map(line).collect()
}

fn writes(request: &&String) -> bool {
    let mut words = request.splitn(3, ' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    !reads(&format!("{method} {path}"))
}

fn call() -> Value {
    serde_json::json!({ "type": "track", "userId": "u-1", "event": "It" })
}

/// A history in which the process ends while the request after the first `finished` ones is under way.
async fn broken_off(
    row: &Row,
    finished: usize,
    (hang, is_late): (Effect, bool),
) -> (String, Value, Vec<String>, Vec<String>) {
    let first = place(row, SearchLag::Secs(0));
    first.control.fault(Fault { nth: finished as u64 + 1, ..Fault::new("*", hang) });
    let engine = Engine::start(&[&first], &Settings::default()).await;
    engine.accept(vec![call()]).await;
    tokio::time::sleep(A_WHILE).await;
    let before = requests(&first);
    let store = engine.store.clone();
    engine.router.stop(Duration::ZERO).await;
    tokio::task::yield_now().await;
    if is_late {
        first.control.clear_faults();
    }
    let second = first.after_a_crash();
    let engine = Engine::on(store, &[&second], &Settings::default()).await;
    let status = ended(&engine).await;
    let all = requests(&second);
    // Deleting takes Intercom a while.
    tokio::time::sleep(MINUTE).await;
    second.look().await;
    let state = lasting(second.control.state());
    engine.router.stop(MINUTE).await;
    (status, state, before[..finished].to_vec(), all)
}

/// What is wrong with one row, and in how many histories it was tried.
async fn check(row: &Row) -> (usize, Vec<String>) {
    let whole = place(row, SearchLag::Secs(0));
    let engine = Engine::start(&[&whole], &Settings::default()).await;
    engine.accept(vec![call()]).await;
    assert_eq!(ended(&engine).await, "delivered", "{}", row.name());
    let count = requests(&whole).len();
    tokio::time::sleep(MINUTE).await;
    whole.look().await;
    let state = lasting(whole.control.state());
    engine.router.stop(MINUTE).await;
    let (mut tried, mut found) = (0, Vec::new());
    for finished in 0..count {
        // It comes to nothing; it is done while the next process begins; it was done, and nobody heard of it.
        for hang in [(Effect::Hold, false), (Effect::Hold, true), (Effect::HoldReply, false)] {
            tried += 1;
            let at = format!("{}, {hang:?} after {finished} of {count} requests", row.name());
            let (status, came, done, all) = broken_off(row, finished, hang).await;
            if status != "delivered" && !status.starts_with("skipped") {
                found.push(format!("{at}: {status}\n      {all:#?}"));
            }
            let lists = state.as_object().unwrap().iter();
            for (list, expected) in lists.filter(|(list, expected)| came[list.as_str()] != **expected) {
                found.push(format!("{at}: left {list} {}\n      instead of {expected}", came[list.as_str()]));
            }
            for write in done.iter().filter(writes) {
                let times = all.iter().filter(|request| *request == write).count();
                if times > 1 {
                    found.push(format!("{at}: {times} times {write}\n      {all:#?}"));
                }
            }
        }
    }
    (tried, found)
}

#[tokio::test(start_paused = true)]
async fn whenever_the_process_ends_the_next_one_goes_on_and_repeats_nothing() {
    let (mut tried, mut found) = (0, Vec::new());
    for row in ACTIONS.iter().chain(LONG) {
        let (histories, wrong) = check(row).await;
        tried += histories;
        found.extend(wrong);
    }
    println!("{tried} ends of a process");
    assert!(found.is_empty(), "{} are wrong:\n{}", found.len(), found.join("\n"));
}
