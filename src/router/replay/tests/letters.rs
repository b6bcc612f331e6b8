//! Dead letters that are attempted again: they leave nothing that newer calls have not left there already.

use super::*;
use crate::delivery::Id;
use crate::delivery::by_hand::{Answered, Deed, Handling};

impl Engine {
    async fn retry(&self, ids: Vec<Id>, overwrite: bool) -> Answered {
        let handling = Handling { ids, deed: Deed::Retry, by: "ann".to_owned(), dry_run: false, overwrite };
        let answered = self.router.letters().handle(handling).await.unwrap();
        self.settle().await;
        answered
    }

    async fn dead(&self) -> Vec<Id> {
        let filter = Filter { status: Some("dead_letter".to_owned()), ..Filter::default() };
        self.store.list(filter, 100).await.unwrap().found.iter().map(|owed| owed.id).collect()
    }

    async fn call(&self, number: usize, kind: Kind, body: Value) {
        self.store.accept(vec![event(number, kind, body)]).await.unwrap();
        self.settle().await;
    }

    fn refuse(&self, refused: &[bool]) {
        self.world.1.lock().unwrap().extend(refused);
    }
}

fn identify(traits: Value) -> Value {
    json!({ "userId": "u1", "traits": traits })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever was refused, and in whatever order it is attempted again, what is left is as if nothing had been refused.
    #[test]
    fn in_whatever_order_they_are_retried_the_newest_values_stay(
        calls in prop::collection::vec(any_call(), 1..14),
        refused in prop::collection::vec(any::<bool>(), 14),
        (luck, at_once) in (any::<u64>(), 1usize..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let events = || calls.iter().cloned().enumerate().map(|(at, (kind, body))| event(at, kind, body)).collect();
            let (undisturbed, engine) = (Engine::new().await, Engine::new().await);
            undisturbed.store.accept(events()).await.unwrap();
            undisturbed.settle().await;
            engine.refuse(&refused);
            engine.store.accept(events()).await.unwrap();
            engine.settle().await;
            engine.world.1.lock().unwrap().clear();
            let mut dead = engine.dead().await;
            fastrand::Rng::with_seed(luck).shuffle(&mut dead);
            for ids in dead.chunks(at_once) {
                let mut ids = ids.to_vec();
                ids.sort_unstable();
                assert!(engine.retry(ids, false).await.left.is_empty());
            }
            assert!(engine.dead().await.is_empty());
            assert_eq!(engine.state(), undisturbed.state());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_leaves_out_what_is_newer_and_ends_when_nothing_is_left() {
    let engine = Engine::new().await;
    engine.refuse(&[true, true]);
    engine.call(1, Kind::Identify, identify(json!({ "name": "Old", "phone": "1" }))).await;
    engine.call(2, Kind::Identify, identify(json!({ "name": "Older" }))).await;
    engine.call(3, Kind::Identify, identify(json!({ "name": "New" }))).await;
    let dead = engine.dead().await;
    assert_eq!(engine.retry(dead, false).await, Answered { left: Vec::new(), outdated: 1, shortened: 1 });
    assert_eq!((&engine.state()["u1.name"], &engine.state()["u1.phone"]), (&json!("New"), &json!("1")));
    let shown = engine.store.list(Filter::default(), 3).await.unwrap().found;
    let ends = shown.iter().map(|owed| (owed.progress.status.name(), owed.progress.handled.len()));
    assert_eq!(ends.collect::<Vec<_>>(), [("delivered", 0), ("skipped", 1), ("delivered", 1)]);
    let warned: Vec<&str> = shown[2].delivery.warnings.iter().map(|warning| &*warning.field).collect();
    assert_eq!(warned, ["last_seen_at", "name"]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_want_the_old_values() {
    let engine = Engine::new().await;
    engine.refuse(&[true]);
    engine.call(1, Kind::Identify, identify(json!({ "name": "Old" }))).await;
    engine.call(2, Kind::Identify, identify(json!({ "name": "New" }))).await;
    assert_eq!(engine.retry(engine.dead().await, true).await, Answered::default());
    assert_eq!(engine.state()["u1.name"], "Old");
    assert!(engine.store.list(Filter::default(), 2).await.unwrap().found[1].progress.handled[0].overwrite);
}

#[tokio::test(start_paused = true)]
async fn newer_calls_that_died_as_well_are_not_deferred_to() {
    let engine = Engine::new().await;
    engine.refuse(&[true, true]);
    engine.call(1, Kind::Identify, identify(json!({ "name": "Old" }))).await;
    engine.call(2, Kind::Identify, identify(json!({ "name": "New" }))).await;
    let dead = engine.dead().await;
    assert_eq!(engine.retry(vec![dead[1]], false).await, Answered::default());
    assert_eq!(engine.state()["u1.name"], "Old");
    assert_eq!(engine.retry(vec![dead[0]], false).await, Answered::default());
    assert_eq!(engine.state()["u1.name"], "New");
}
