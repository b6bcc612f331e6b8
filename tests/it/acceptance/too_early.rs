//! Events whose contact does not come, in paused time: each ends as `too_early` of the destination says, when its time is
//! over, whatever else goes wrong.

use std::time::Duration;

use interline::router::Settings;
use interline::sandbox::{self, Effect, Fault};
use serde_json::{Value, json};

use crate::support::virtual_time::{DEFAULTS, Engine, Place};

const MILLIS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn place(policy: &str) -> Place {
    Place::set("crm", sandbox::Settings::default(), DEFAULTS, 20 * MILLIS, json!({ "too_early": policy }))
}

fn track(name: &str) -> Value {
    json!({ "type": "track", "userId": "u-1", "event": name })
}

fn held(place: &Place, list: &str) -> Vec<Value> {
    place.control.state()[list].as_array().cloned().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn each_policy_ends_what_waited_in_vain_after_an_hour() {
    for (policy, status, contacts, events) in
        [("dead_letter", "dead_letter", 0, 0), ("skip", "skipped", 0, 0), ("create_lead", "delivered", 1, 3)]
    {
        let place = place(policy);
        let engine = Engine::start(&[&place], &Settings::default()).await;
        engine.accept(vec![track("A"), track("B"), track("C")]).await;
        tokio::time::sleep(HOUR - MINUTE).await;
        assert!(engine.deliveries().await.iter().all(|owed| !owed.progress.status.is_settled()), "{policy}: too soon");
        let took = engine.idle(HOUR).await;
        // The last wait may have begun just before the hour was over.
        assert!(took < 7 * MINUTE, "{policy}: {took:?}");
        assert_eq!(engine.count("crm", status).await, 3, "{policy}");
        assert_eq!((held(&place, "contacts").len(), held(&place, "events").len()), (contacts, events), "{policy}");
        engine.router.stop(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_is_made_so_is_made_once_through_failures_and_a_restart() {
    let place = place("create_lead");
    let lost = Effect::Status(sandbox::Status { status: 503, commit: true, ..sandbox::Status::default() });
    place.control.fault(Fault { count: 2, ..Fault::new("POST /contacts", lost) });
    place.control.fault(Fault { nth: 4, count: 30, ..Fault::new("POST /events", Effect::status(500)) });
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(vec![track("A"), track("B")]).await;
    while held(&place, "contacts").is_empty() {
        tokio::time::sleep(MINUTE).await;
    }
    let store = engine.store.clone();
    engine.router.stop(Duration::ZERO).await;
    let engine = Engine::on(store, &[&place], &Settings::default()).await;
    engine.idle(3 * HOUR).await;
    assert_eq!(engine.count("crm", "delivered").await, 2);
    // The identify that comes at last finds whom the events made.
    engine.accept(vec![json!({ "type": "identify", "userId": "u-1", "traits": { "name": "Ann" } })]).await;
    engine.idle(HOUR).await;
    let contacts = held(&place, "contacts");
    assert_eq!((contacts.len(), &contacts[0]["external_id"], &contacts[0]["name"]), (1, &json!("u-1"), &json!("Ann")));
    assert_eq!(held(&place, "events").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_comes_in_time_is_not_made() {
    let place = place("create_lead");
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(vec![track("A")]).await;
    tokio::time::sleep(HOUR - MINUTE).await;
    engine.accept(vec![json!({ "type": "identify", "userId": "u-1", "traits": { "name": "Ann" } })]).await;
    engine.idle(MINUTE).await;
    let (contacts, deliveries) = (held(&place, "contacts"), engine.deliveries().await);
    assert_eq!((contacts.len(), held(&place, "events").len()), (1, 1));
    let warned = deliveries.iter().flat_map(|owed| &owed.progress.story).any(|attempt| !attempt.warnings.is_empty());
    assert!(!warned, "the identify made it");
}
