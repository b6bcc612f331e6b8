//! Calls that came before their contact and went after newer ones, in paused time: what the newer ones said stays.

use std::time::Duration;

use fastrand::Rng;
use interline::delivery;
use interline::delivery::by_hand::{Deed, Handling};
use interline::router::Settings;
use interline::sandbox::{self, AccessToken, Effect, Fault, Incoming, Sandbox, Status};
use interline::store::Owed;
use serde_json::{Value, json};

use crate::support::state::lasting;
use crate::support::virtual_time::{Engine, Place};

const MAPPINGS: &str = "\
\x20 - { name: Identify, action: identify_contact }
  - name: Change
    trigger: 'event = \"Change\"'
    action: update_contact
    fields: { external_id: $.userId, name: $.properties.name, phone: $.properties.phone }
  - { name: Tag, trigger: 'event = \"Tag\"', action: attach_tag, fields: { external_id: $.userId, name: $.properties.tag } }
  - { name: Untag, trigger: 'event = \"Untag\"', action: detach_tag, fields: { external_id: $.userId, name: $.properties.tag } }
  - { name: Join, trigger: 'event = \"Join\"', action: attach_company, fields: { external_id: $.userId, company_id: c-1 } }
  - { name: Leave, trigger: 'event = \"Leave\"', action: detach_company, fields: { external_id: $.userId, company_id: c-1 } }
  - { name: Delete, trigger: 'event = \"Delete\"', action: delete_contact, fields: { external_id: $.userId } }
  - name: Group
    trigger: 'type = \"group\" and name != \"link\"'
    action: identify_contact
    fields:
      external_id: $.userId
      phone: $.traits.phone
      custom_attributes: { score: $.traits.score }
      tags: [seen]
      company_id: c-1
  - name: Link
    trigger: 'type = \"group\" and name = \"link\"'
    action: identify_company
    fields: { company_id: $.groupId, external_id: $.userId }
  - name: Score
    trigger: 'event = \"Score\"'
    action: update_contact
    fields: { external_id: $.userId, custom_attributes: { score: $.properties.score } }
  - { name: Company, trigger: 'event = \"Company\"', action: create_company, fields: { company_id: c-1 } }
";
const MILLIS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn track(name: &str, properties: Value) -> Value {
    json!({ "type": "track", "userId": "u-1", "event": name, "properties": properties })
}

fn identify(traits: Value) -> Value {
    json!({ "type": "identify", "userId": "u-1", "traits": traits })
}

struct Desk {
    place: Place,
    engine: Engine,
}

impl Desk {
    async fn new() -> Desk {
        let place = Place::new("crm", sandbox::Settings::default(), MAPPINGS, 20 * MILLIS);
        let engine = Engine::start(&[&place], &Settings::default()).await;
        Desk { place, engine }
    }

    /// Accepts a call, and waits until everything has been tried.
    async fn accept(&self, call: Value) {
        self.engine.accept(vec![call]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// A process that comes after this one and remembers nothing.
    async fn restart(self) -> Desk {
        let store = self.engine.store.clone();
        self.engine.router.stop(MINUTE).await;
        let place = self.place.after_a_crash();
        let engine = Engine::on(store, &[&place], &Settings::default()).await;
        Desk { place, engine }
    }

    /// What the workspace holds when everything has ended.
    async fn state(&self) -> Value {
        self.engine.idle(2 * HOUR).await;
        self.place.control.state()
    }

    async fn end(self) {
        self.engine.router.stop(MINUTE).await;
    }
}

fn reason(owed: &Owed) -> &str {
    match &owed.progress.status {
        delivery::Status::Skipped { reason, .. } => reason,
        other => other.name(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_update_fills_in_what_newer_calls_have_not_written() {
    for restarts in [false, true] {
        let mut desk = Desk::new().await;
        desk.accept(track("Change", json!({ "name": "Old", "phone": "+1 1" }))).await;
        desk.accept(track("Change", json!({ "name": "Older" }))).await;
        if restarts {
            desk = desk.restart().await;
        }
        desk.accept(identify(json!({ "name": "New" }))).await;
        let state = desk.state().await;
        let contact = &state["contacts"][0];
        assert_eq!([&contact["name"], &contact["phone"]], [&json!("New"), &json!("+1 1")], "{contact:#}");
        let all = desk.engine.deliveries().await;
        assert_eq!(all.iter().map(reason).collect::<Vec<_>>(), ["delivered", "written_since", "delivered"]);
        let told = &all[0].progress.story.last().unwrap().warnings;
        let told: Vec<_> = told.iter().map(|warning| (&*warning.field, &*warning.code)).collect();
        assert!(told.contains(&("name", "written_since")), "{told:?}");
        desk.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_call_undid_is_not_done_later() {
    for restarts in [false, true] {
        for (calls, tags) in [(&["Tag", "Untag"][..], 0), (&["Tag", "Untag", "Tag"], 1), (&["Untag", "Tag"], 1)] {
            let mut desk = Desk::new().await;
            for call in calls {
                desk.accept(track(call, json!({ "tag": "Beta" }))).await;
            }
            if restarts {
                desk = desk.restart().await;
            }
            desk.accept(identify(json!({ "name": "Ann" }))).await;
            let state = desk.state().await;
            assert_eq!(
                state["contacts"][0]["tags"]["data"].as_array().map_or(0, Vec::len),
                tags,
                "{calls:?} {state:#}"
            );
            desk.end().await;
        }
    }
}

/// What was refused, or left out, is not written; and a part of a call that came to nothing neither.
#[tokio::test(start_paused = true)]
async fn what_a_newer_call_has_not_written_after_all_is_written_by_the_older_one() {
    let desk = Desk::new().await;
    let refused = Effect::Status(Status { status: 400, ..Status::default() });
    desk.accept(track("Company", json!({}))).await;
    desk.accept(track("Change", json!({ "name": "Old" }))).await;
    desk.accept(track("Join", json!({}))).await;
    // A lead that is refused; then one whose tag is.
    desk.place.control.fault(Fault { count: 1, ..Fault::new("POST /contacts", refused.clone()) });
    desk.accept(identify(json!({ "name": "Never" }))).await;
    desk.place.control.fault(Fault { count: 1, ..Fault::new("POST /tags", refused) });
    desk.accept(json!({ "type": "group", "userId": "u-1", "groupId": "c-9", "traits": { "phone": "+1 2" } })).await;
    let state = desk.state().await;
    let contact = &state["contacts"][0];
    assert_eq!([&contact["name"], &contact["phone"]], [&json!("Old"), &json!("+1 2")], "{contact:#}");
    assert_eq!(state["companies"][0]["members"].as_array().unwrap().len(), 1, "{state:#}");
    let reasons = desk.engine.deliveries().await;
    let reasons: Vec<_> = reasons.iter().map(reason).collect();
    assert_eq!(reasons, ["delivered", "delivered", "delivered", "dead_letter", "dead_letter"]);
    desk.end().await;
}

/// Who retries a dead letter and wants it to write over what is newer gets that, also where it has to wait once more.
#[tokio::test(start_paused = true)]
async fn what_is_to_write_over_newer_values_does_so() {
    for overwrite in [false, true] {
        let desk = Desk::new().await;
        desk.accept(track("Change", json!({ "name": "Old" }))).await;
        desk.engine.idle(2 * HOUR).await;
        let ids = vec![desk.engine.deliveries().await[0].id];
        let handling = Handling { ids, deed: Deed::Retry, by: "ann".to_owned(), dry_run: false, overwrite };
        assert!(desk.engine.router.letters().handle(handling).await.unwrap().left.is_empty());
        tokio::time::sleep(MINUTE).await;
        desk.accept(identify(json!({ "name": "New" }))).await;
        let state = desk.state().await;
        assert_eq!(state["contacts"][0]["name"], if overwrite { "Old" } else { "New" }, "{state:#}");
        desk.end().await;
    }
}

/// Two people on one device: what is written of one is nothing of the other's.
#[tokio::test(start_paused = true)]
async fn what_is_written_of_somebody_else_with_the_same_device_does_not_count() {
    let desk = Desk::new().await;
    let on_device = |mut call: Value| {
        call["anonymousId"] = json!("a-1");
        call
    };
    desk.accept(on_device(track("Change", json!({ "name": "Ann" })))).await;
    desk.accept(on_device(json!({ "type": "identify", "userId": "u-2", "traits": { "name": "Bob" } }))).await;
    desk.accept(identify(json!({}))).await;
    let state = desk.state().await;
    let mut names: Vec<_> = state["contacts"].as_array().unwrap().iter().map(|contact| &contact["name"]).collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, [&json!("Ann"), &json!("Bob")], "{state:#}");
    desk.end().await;
}

/// An attribute that the workspace does not take is left as an older call wants it, also where tags come after it.
#[tokio::test(start_paused = true)]
async fn what_was_left_out_of_a_newer_call_is_not_written_by_it() {
    let desk = Desk::new().await;
    let token = Some(AccessToken("token".to_owned()));
    let body = json!({ "name": "score", "model": "contact", "data_type": "integer" }).to_string().into_bytes();
    let (method, path, json) = ("POST".to_owned(), "/data_attributes".to_owned(), Some("application/json".to_owned()));
    let attribute = Incoming { method, path, token, content_type: json, body: Some(body), ..Incoming::default() };
    assert_eq!(Sandbox::ask(&desk.place.control, &attribute).await.status, 200);
    desk.accept(track("Score", json!({ "score": 5 }))).await;
    desk.accept(json!({ "type": "group", "userId": "u-1", "groupId": "c-9", "traits": { "score": "high" } })).await;
    let contact = &desk.state().await["contacts"][0];
    assert_eq!(contact["custom_attributes"]["score"], 5, "{contact:#}");
    desk.end().await;
}

/// Nothing of before a deletion is said of who comes later.
#[tokio::test(start_paused = true)]
async fn what_came_before_a_deletion_does_not_come_after_it() {
    let desk = Desk::new().await;
    desk.accept(track("Change", json!({ "name": "Old" }))).await;
    desk.accept(track("Company", json!({}))).await;
    desk.accept(track("Join", json!({}))).await;
    desk.accept(json!({ "type": "group", "userId": "u-1", "groupId": "c-9", "name": "link" })).await;
    desk.accept(track("Delete", json!({}))).await;
    desk.accept(track("Change", json!({ "phone": "+1 1" }))).await;
    desk.accept(identify(json!({}))).await;
    let state = desk.state().await;
    let contact = &state["contacts"][0];
    assert_eq!([&contact["name"], &contact["phone"]], [&json!(null), &json!("+1 1")], "{contact:#}");
    assert!(contact["company_ids"].as_array().unwrap().is_empty(), "{contact:#}");
    desk.end().await;
}

/// Whatever is said of a contact before it is there: in the end the workspace holds what it would if it had been there all along.
#[tokio::test(start_paused = true)]
async fn who_comes_late_is_in_the_end_as_if_they_had_been_there() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let calls: Vec<Value> = (0..rng.usize(2..9)).map(|number| draw(&mut rng, number)).collect();
        let mut states = Vec::new();
        for comes_first in [true, false] {
            let mut rng = Rng::with_seed(seed);
            let mut desk = Desk::new().await;
            desk.accept(track("Company", json!({}))).await;
            if comes_first {
                desk.accept(identify(json!({}))).await;
            }
            for call in &calls {
                desk.accept(call.clone()).await;
                if rng.u8(..6) == 0 {
                    desk = desk.restart().await;
                }
            }
            desk.accept(identify(json!({ "language": "en" }))).await;
            let mut state = lasting(desk.state().await);
            state["contacts"][0]["last_seen_at"].take();
            state["contacts"][0]["signed_up_at"].take();
            states.push([state["contacts"].take(), state["companies"].take()]);
            desk.end().await;
        }
        assert_eq!(states[1], states[0], "seed {seed}: {calls:#?}");
    }
}

fn draw(rng: &mut Rng, number: usize) -> Value {
    let value = format!("v{number}");
    match rng.u8(..11) {
        0 => track("Change", json!({ "name": value })),
        1 => track("Change", json!({ "phone": value })),
        2 => track("Change", json!({ "name": value, "phone": value })),
        3 | 4 => track(rng.choice(["Tag", "Untag"]).unwrap(), json!({ "tag": rng.choice(["a", "b"]) })),
        5 | 6 => track(rng.choice(["Join", "Leave"]).unwrap(), json!({})),
        7 => json!({ "type": "group", "userId": "u-1", "groupId": "c-9", "traits": { "phone": value } }),
        8 | 9 => identify(json!({ "name": value })),
        _ => identify(json!({ "phone": value })),
    }
}
