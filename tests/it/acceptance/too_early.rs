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
        assert!(took < 2 * MINUTE, "{policy}: {took:?}");
        assert_eq!(engine.count("crm", status).await, 3, "{policy}");
        assert_eq!((held(&place, "contacts").len(), held(&place, "events").len()), (contacts, events), "{policy}");
        engine.router.stop(MINUTE).await;
    }
}

/// Mappings that tie a contact to a tag and to a company, and undo that.
const TIES: &str = "\
\x20 - { name: Identify Contact, action: identify_contact }
  - { name: Tag, action: attach_tag, trigger: 'event = \"in\"', fields: { name: beta } }
  - { name: Untag, action: detach_tag, trigger: 'event = \"out\"', fields: { name: beta } }
  - { name: Join, action: attach_company, trigger: 'event = \"in\"', fields: { company_id: c } }
  - { name: Leave, action: detach_company, trigger: 'event = \"out\"', fields: { company_id: c } }
";

#[tokio::test(start_paused = true)]
async fn what_is_undone_before_the_contact_comes_stays_undone() {
    for calls in [vec!["in", "out"], vec!["in", "out", "in"]] {
        let place = Place::set("crm", sandbox::Settings::default(), TIES, 20 * MILLIS, json!({}));
        let engine = Engine::start(&[&place], &Settings::default()).await;
        engine.accept(vec![json!({ "type": "identify", "userId": "u-2" })]).await;
        let seed = json!({ "companies": [{ "company_id": "c" }] });
        place.control.seed(serde_json::from_value(seed).unwrap()).unwrap();
        for call in &calls {
            engine.accept(vec![track(call)]).await;
            tokio::time::sleep(MINUTE).await;
        }
        engine.accept(vec![json!({ "type": "identify", "userId": "u-1" })]).await;
        engine.idle(MINUTE).await;
        let contacts = held(&place, "contacts");
        let contact = contacts.iter().find(|contact| contact["external_id"] == "u-1").expect("it came");
        let (tags, companies) = (&contact["tag_names"], &contact["company_ids"]);
        match calls.len() {
            2 => assert_eq!((tags, companies), (&json!([]), &json!([]))),
            _ => assert_eq!((tags, companies), (&json!(["beta"]), &json!(["c"]))),
        }
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
