//! Dead letters that are taken up again, mapped anew or discarded while the engine runs.

use super::*;
use crate::delivery::Status;
use crate::delivery::by_hand::{Answered, Deed, Handling};
use crate::store::Owed;

fn refusal() -> Failure {
    Failure::rejected("payload_rejected", "no")
}

impl Engine {
    async fn handle(&self, deed: Deed, positions: &[u64]) -> Vec<String> {
        let ids = positions.iter().map(|position| id(*position)).collect();
        let handling = Handling { ids, deed, by: "ann".to_owned(), dry_run: false, overwrite: false };
        let left = self.router.letters().handle(handling).await.unwrap().left;
        left.into_iter().map(|left| format!("{} {}", left.id, left.code)).collect()
    }

    async fn owed(&self, position: u64) -> Owed {
        self.store.deliveries(vec![id(position)]).await.unwrap().remove(0)
    }
}

#[tokio::test]
async fn one_that_is_asked_for_twice_is_attempted_once_more() {
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("to", &open(), vec![refusal()]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "to", "A");
    engine.ends(1, "dead_letter").await;
    let (one, other) = tokio::join!(engine.handle(Deed::Retry, &[1]), engine.handle(Deed::Retry, &[1, 9]));
    assert_eq!((one, other), (vec![], vec!["9.0 delivery_not_found".to_owned(), "1.0 not_dead_letter".to_owned()]));
    is(engine.next().await, "to", "A");
    let owed = engine.ends(1, "delivered").await;
    let handled = &owed.progress.handled[0];
    assert_eq!((handled.deed, &*handled.by, &*handled.code), (Deed::Retry, "ann", "payload_rejected"));
    assert_eq!(owed.progress.story.len(), 2, "what happened before is still known");
    engine.accept(&["B"]).await;
    is(engine.next().await, "to", "B");
    assert!(engine.began.try_recv().is_err());
}

#[tokio::test]
async fn they_go_oldest_first_behind_what_is_under_way() {
    let gate = shut();
    let script = vec![refusal(), refusal()];
    let mut engine = Engine::start(|began| vec![connection("intercom", "", ("to", &gate, script), began)]).await;
    engine.accept(&["A", "B", "C", "D"]).await;
    gate.add_permits(2);
    for name in ["A", "B", "C"] {
        is(engine.next().await, "to", name);
    }
    engine.ends(2, "dead_letter").await;
    // C is under way, D stands behind it.
    assert!(engine.handle(Deed::Retry, &[1, 2]).await.is_empty());
    gate.add_permits(100);
    for name in ["D", "A", "B"] {
        is(engine.next().await, "to", name);
    }
    engine.ends(2, "delivered").await;
}

#[tokio::test]
async fn mapping_again_uses_the_mapping_as_it_is_now() {
    let mut engine =
        Engine::start(|began| vec![connection("intercom", " 1", ("to", &open(), vec![refusal()]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "to", "A 1");
    engine.ends(1, "dead_letter").await;
    engine.replace(vec![connection("intercom", " 2", ("new", &open(), vec![refusal()]), &engine.tell)]).await;
    assert!(engine.handle(Deed::Remap, &[1]).await.is_empty());
    is(engine.next().await, "new", "A 2");
    engine.ends(1, "dead_letter").await;
    assert!(engine.handle(Deed::Retry, &[1]).await.is_empty());
    is(engine.next().await, "new", "A 2");
    engine.ends(1, "delivered").await;
}

#[tokio::test]
async fn what_cannot_be_mapped_again_stays_and_says_why() {
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("to", &open(), vec![refusal(); 2]), began)]).await;
    engine.accept(&["A", "B"]).await;
    is(engine.next().await, "to", "A");
    is(engine.next().await, "to", "B");
    let before = engine.ends(1, "dead_letter").await;
    engine.ends(2, "dead_letter").await;
    engine.replace(Vec::new()).await;
    assert_eq!(engine.handle(Deed::Remap, &[1]).await, ["1.0 destination_off"]);
    let other = |text: &str| {
        let lookup = Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Refused };
        let head = "destination: intercom\nsettings: { region: us, access_token: t }\nmappings: ";
        let mappings = destination::compile(&format!("{head}{text}"), "intercom.yaml", None, lookup).unwrap().mappings;
        let like = connection("intercom", "", ("to", &open(), vec![]), &engine.tell);
        let destination = like.destination.clone();
        Arc::new(Connection {
            name: "intercom".into(),
            mappings,
            destination,
            integrations: &[],
            metrics: Metrics::new(),
        })
    };
    engine.replace(vec![other("[{ name: other, action: track_event }]")]).await;
    assert_eq!(engine.handle(Deed::Remap, &[1]).await, ["1.0 mapping_gone"]);
    engine
        .replace(vec![other(
            r#"[{ name: m, action: track_event, trigger: 'event = "B"', fields: { event_name: $.properties.none } }]"#,
        )])
        .await;
    assert_eq!(engine.handle(Deed::Remap, &[1, 2]).await, ["1.0 trigger_false", "2.0 field_missing"]);
    let after = engine.owed(1).await;
    let text = |owed: &Owed| serde_json::to_string(&owed.progress).unwrap();
    assert_eq!(text(&before), text(&after), "it is as it was");
}

#[tokio::test]
async fn a_discarded_one_ends_and_is_on_record() {
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("to", &open(), vec![refusal()]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "to", "A");
    engine.ends(1, "dead_letter").await;
    let dry = Handling { ids: vec![id(1)], deed: Deed::Discard, by: "ann".to_owned(), dry_run: true, overwrite: false };
    assert_eq!(engine.router.letters().handle(dry).await.unwrap(), Answered::default());
    assert_eq!(engine.store.stats().dead_letters, 1);
    assert!(engine.handle(Deed::Discard, &[1]).await.is_empty());
    assert_eq!(engine.store.stats().dead_letters, 0);
    let progress = engine.owed(1).await.progress;
    assert!(matches!(&progress.status, Status::Skipped { reason, .. } if reason == Deed::DISCARDED));
    assert_eq!(progress.handled[0].deed, Deed::Discard);
    assert_eq!(engine.handle(Deed::Retry, &[1]).await, ["1.0 not_dead_letter"]);
}

#[tokio::test]
async fn one_of_a_destination_that_is_not_there_waits_until_it_is() {
    let mut engine =
        Engine::start(|began| vec![connection("intercom", "", ("to", &open(), vec![refusal()]), began)]).await;
    engine.accept(&["A"]).await;
    is(engine.next().await, "to", "A");
    engine.ends(1, "dead_letter").await;
    let mut engine = engine.restart().await;
    assert!(engine.handle(Deed::Retry, &[1]).await.is_empty());
    assert_eq!(engine.owed(1).await.progress.status, Status::Pending);
    engine.replace(vec![connection("intercom", "", ("back", &open(), vec![]), &engine.tell)]).await;
    is(engine.next().await, "back", "A");
}
