//! Updates that wait one directly behind the other, made one.

use super::*;
use crate::delivery::by_hand::{Deed, Handling};
use crate::delivery::{Id, Status};

/// Makes two events one by their names; none with one called `apart`.
struct Merging(Scripted);

impl Destination for Merging {
    fn perform<'a>(&'a self, action: &'a str, payload: &'a [u8], steps: &'a Steps) -> BoxFuture<'a, Performed> {
        self.0.perform(action, payload, steps)
    }

    fn merges(&self, action: &str) -> bool {
        action == "track_event"
    }

    fn merged(&self, _: &str, older: &[u8], newer: &[u8]) -> Option<String> {
        let [mut older, newer] =
            [older, newer].map(|payload| serde_json::from_slice::<serde_json::Value>(payload).unwrap());
        let names = [&older, &newer].map(|payload| payload["event_name"].as_str().unwrap().to_owned());
        older["event_name"] = names.join("+").into();
        (!names.contains(&"apart".to_owned())).then(|| older.to_string())
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        self.0.probe()
    }
}

/// An engine to whose destination `first` is on its way while the others wait, and its gate. Attempts end as in the script,
/// that of `first` included.
async fn waiting(others: &[&str], script: Vec<Failure>) -> (Engine, Arc<Semaphore>) {
    let gate = shut();
    let mut engine = Engine::start(|began| {
        let scripted =
            Scripted { name: "to", began: began.clone(), gate: gate.clone(), script: Mutex::new(script.into()) };
        vec![around(Arc::new(Merging(scripted)), "intercom", "")]
    })
    .await;
    engine.accept(&["first"]).await;
    is(engine.next().await, "to", "first");
    engine.accept(others).await;
    heard(&engine, 1 + others.len() as u64).await;
    (engine, gate)
}

/// Waits until so many have joined the line.
async fn heard(engine: &Engine, count: u64) {
    let look = async {
        while engine.router.board().all()[0].1.pending != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, look).await.expect("all have joined the line");
}

fn ids(positions: &[u64]) -> Vec<Id> {
    positions.iter().map(|position| id(*position)).collect()
}

#[tokio::test]
async fn those_that_wait_are_brought_as_one_and_each_says_with_which() {
    let (mut engine, gate) = waiting(&["A", "B", "C", "D", "E"], Vec::new()).await;
    gate.add_permits(2);
    is(engine.next().await, "to", "A+B+C+D+E");
    let carrier = engine.ends(2, "delivered").await;
    assert_eq!((carrier.progress.carried_by, &carrier.progress.story[0].carried), (None, &ids(&[3, 4, 5, 6])));
    for position in 3..=6 {
        let carried = engine.ends(position, "delivered").await.progress;
        assert_eq!((carried.carried_by, carried.story.len()), (Some(id(2)), 0));
        assert_eq!(carried.status, Status::Delivered { at: Timestamp::UNIX_EPOCH });
    }
}

#[tokio::test]
async fn one_that_cannot_be_made_one_goes_by_itself_and_in_its_place() {
    let (mut engine, gate) = waiting(&["A", "B", "apart", "C", "D"], Vec::new()).await;
    gate.add_permits(10);
    for name in ["A+B", "apart", "C+D"] {
        is(engine.next().await, "to", name);
    }
}

#[tokio::test]
async fn what_is_refused_together_is_tried_alone() {
    let refusal = || Failure::rejected("payload_rejected", "no");
    let (mut engine, gate) = waiting(&["A", "B", "C", "D"], vec![refusal(), refusal(), refusal()]).await;
    gate.add_permits(10);
    for name in ["A+B+C+D", "A", "B+C+D"] {
        is(engine.next().await, "to", name);
    }
    let alone = engine.ends(2, "dead_letter").await.progress;
    let told: Vec<_> = alone.story.iter().map(|attempt| (&*attempt.outcome, attempt.carried.len())).collect();
    assert_eq!(told, [("rejected", 3), ("rejected", 0)]);
    assert_eq!(engine.ends(5, "delivered").await.progress.carried_by, Some(id(3)));
}

#[tokio::test]
async fn what_was_tried_already_is_not_made_one_with_others() {
    let later = || Failure { retry_after: Some(Duration::ZERO), ..Failure::new(Kind::Unavailable, "down", "later") };
    let (mut engine, gate) = waiting(&["A", "B", "C"], vec![later(), later()]).await;
    gate.add_permits(10);
    // The first one was under way before the others came, and is tried again when they wait behind it.
    for name in ["first", "first", "A+B+C"] {
        is(engine.next().await, "to", name);
    }
}

#[tokio::test]
async fn what_may_have_been_heard_is_repeated_as_it_was() {
    let refusal = Failure::rejected("payload_rejected", "no");
    let unknown = Failure { retry_after: Some(Duration::ZERO), ..Failure::new(Kind::Unknown, "timeout", "no answer") };
    let (mut engine, gate) = waiting(&["A", "B"], vec![refusal, unknown]).await;
    gate.add_permits(1);
    is(engine.next().await, "to", "A+B");
    engine.accept(&["C"]).await;
    heard(&engine, 3).await;
    gate.add_permits(10);
    for name in ["A+B", "C"] {
        is(engine.next().await, "to", name);
    }
    assert_eq!(engine.ends(2, "delivered").await.progress.carries, ids(&[3]));
}

#[tokio::test]
async fn what_came_too_early_together_waits_behind_the_first_and_goes_by_itself() {
    let refusal = Failure::rejected("payload_rejected", "no");
    let too_early = Failure::new(Kind::TooEarly, "contact_not_found", "nobody is there");
    let (mut engine, gate) = waiting(&["A", "B", "C"], vec![refusal, too_early]).await;
    gate.add_permits(2);
    is(engine.next().await, "to", "A+B+C");
    let first = engine.ends(2, "waiting").await.progress;
    assert_eq!((first.story[0].carried.len(), first.status.code()), (2, Some("contact_not_found")));
    for position in [3, 4] {
        let behind = engine.ends(position, "waiting").await.progress;
        assert!(matches!(&behind.status, Status::Waiting { parked: true, .. }));
        assert_eq!((behind.status.code(), behind.story.len()), (Some("contact_awaited"), 0));
    }
    gate.add_permits(10);
    // What is delivered of the same person wakes whoever stands first.
    engine.accept(&["D"]).await;
    for name in ["D", "A", "B", "C"] {
        is(engine.next().await, "to", name);
    }
}

#[tokio::test]
async fn who_is_removed_while_waiting_is_in_nothing_that_is_sent() {
    let (mut engine, gate) = waiting(&["A", "B", "C"], Vec::new()).await;
    engine.store.remove(vec![id(3).position]).await.unwrap();
    gate.add_permits(10);
    is(engine.next().await, "to", "A");
    is(engine.next().await, "to", "C");
}

#[tokio::test]
async fn what_is_opened_again_beside_one_that_carries_others_waits_for_it() {
    let gate = shut();
    let refusal = Failure::rejected("payload_rejected", "no");
    let mut engine = Engine::start(|began| {
        let script = Mutex::new([refusal].into());
        let scripted = Scripted { name: "to", began: began.clone(), gate: gate.clone(), script };
        vec![mapped(Arc::new(Merging(scripted)), "intercom", "", &["m", "n"])]
    })
    .await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "to", "A");
    engine.accept(&["B"]).await;
    heard(&engine, 4).await;
    gate.add_permits(1);
    engine.ends(1, "dead_letter").await;
    // The second delivery of A; behind it both of B wait, the first of which is brought along.
    is(engine.next().await, "to", "A+B");
    let handling =
        Handling { ids: ids(&[1]), deed: Deed::Retry, by: "ann".to_owned(), dry_run: false, overwrite: true };
    engine.router.letters().handle(handling).await.unwrap();
    heard(&engine, 4).await;
    gate.add_permits(10);
    is(engine.next().await, "to", "B");
    is(engine.next().await, "to", "A");
    engine.ends(1, "delivered").await;
    assert!(engine.store.open(None, None, 9).await.unwrap().is_empty());
}
