//! Calls about one company, some of a person whose contact comes late: the company has what the newest of them says, whoever
//! it is about, and links are made, and undone, in their order. Time is paused.

use std::time::Duration;

use interline::delivery::Status;
use interline::delivery::by_hand::{Deed, Handling};
use interline::router::Settings;
use interline::sandbox::{self, Effect, Fault, SearchLag};
use interline::store::Owed;
use serde_json::{Value, json};

use crate::support::virtual_time::{DEFAULTS, Engine, Place};

const MILLIS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A workspace, and the engine that brings everything to it.
struct Desk {
    place: Place,
    engine: Engine,
}

impl Desk {
    async fn new(mappings: &str) -> Desk {
        Desk::set(mappings, json!({})).await
    }

    /// The same, with more settings of the destination.
    async fn set(mappings: &str, more: Value) -> Desk {
        let settings = sandbox::Settings { search_lag_secs: SearchLag::Secs(0), ..sandbox::Settings::default() };
        let place = Place::set("crm", settings, mappings, 20 * MILLIS, more);
        let engine = Engine::start(&[&place], &Settings::default()).await;
        Desk { place, engine }
    }

    /// Accepts calls, each when those before it have come to rest; or all of them at once.
    async fn accept(&self, calls: Vec<Value>, at_once: bool) {
        match at_once {
            true => self.engine.accept(calls).await,
            false => {
                for call in calls {
                    self.engine.accept(vec![call]).await;
                    tokio::time::sleep(SECOND).await;
                }
            }
        }
        tokio::time::sleep(SECOND).await;
    }

    /// The process ends, and another one begins that remembers nothing.
    async fn restart(self) -> Desk {
        let Desk { place, engine } = self;
        let store = engine.store.clone();
        engine.router.stop(Duration::ZERO).await;
        tokio::task::yield_now().await;
        let place = place.after_a_crash();
        let engine = Engine::on(store, &[&place], &Settings::default()).await;
        Desk { place, engine }
    }

    /// How the delivery of the call with that number stands, from 0.
    async fn delivery(&self, number: usize) -> Owed {
        self.engine.deliveries().await.remove(number)
    }

    /// Requests that begin so, as `POST /companies {…}`, with ids left out.
    fn requests(&self, like: &str) -> Vec<String> {
        let journal = self.place.control.journal();
        let line = |entry: &Value| {
            let path = entry["path"].as_str().unwrap().split('/').map(|part| if is_id(part) { "{id}" } else { part });
            format!("{} {} {}", entry["method"].as_str().unwrap(), path.collect::<Vec<_>>().join("/"), entry["body"])
        };
        journal.as_array().unwrap().iter().map(line).filter(|line| line.starts_with(like)).collect()
    }

    /// The name of the company, and which contacts are in it.
    fn came(&self) -> (Value, Vec<String>) {
        let state = self.place.control.state();
        let name = state["companies"][0]["name"].clone();
        let contacts = state["contacts"].as_array().unwrap().iter();
        let members = contacts.filter(|contact| contact["company_ids"] == json!(["c"]));
        (name, members.map(|contact| contact["external_id"].as_str().unwrap().to_owned()).collect())
    }
}

fn is_id(part: &str) -> bool {
    part.len() == 24 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn identify(user: &str) -> Value {
    json!({ "type": "identify", "userId": user, "traits": { "name": user } })
}

fn group(user: &str, name: &str) -> Value {
    json!({ "type": "group", "userId": user, "groupId": "c", "traits": { "name": name } })
}

fn leave(user: &str) -> Value {
    json!({ "type": "group", "userId": user, "groupId": "c", "traits": { "left": true } })
}

/// The three mappings, with a trait that undoes the link.
const WITH_ENDS: &str = "\
\x20 - { name: Identify Contact, action: identify_contact }
  - { name: Identify Company, action: identify_company, fields: { remove: $.traits.left } }
  - { name: Track Event, action: track_event }
";

fn members(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_newest_call_about_a_company_stays_although_an_older_one_waits_for_its_contact() {
    for (at_once, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut desk = Desk::new(DEFAULTS).await;
        desk.accept(vec![identify("b")], false).await;
        desk.accept(vec![group("a", "v1"), group("a", "v2"), group("b", "v3")], at_once).await;
        assert_eq!(desk.came(), (json!("v3"), members(&["b"])), "at once: {at_once}");
        // What came at once is one write.
        let written = desk.requests("POST /companies ");
        let names: Vec<&str> = written.iter().filter_map(|line| line.split(r#""name":""#).nth(1)?.get(..2)).collect();
        let expected = if at_once { vec!["v2", "v3"] } else { vec!["v1", "v2", "v3"] };
        assert_eq!(names, expected, "at once: {at_once}");
        assert_eq!(desk.requests("GET /contacts/find_by_external_id/a ").len(), 1, "at once: {at_once}");
        let waiting = desk.delivery(2).await.progress;
        assert!(matches!(&waiting.status, Status::Waiting { reason, parked: true, .. } if reason == "contact_awaited"));
        let sent: Vec<usize> = waiting.story.iter().map(|attempt| attempt.exchanges.len()).collect();
        assert_eq!(sent, if at_once { vec![] } else { vec![1] }, "the company, and nobody is asked for");
        if restarts {
            desk = desk.restart().await;
        }
        desk.accept(vec![identify("a")], false).await;
        desk.engine.idle(MINUTE).await;
        assert_eq!(desk.came(), (json!("v3"), members(&["b", "a"])), "at once: {at_once}, restarts: {restarts}");
        assert_eq!(desk.requests("POST /companies ").len(), expected.len(), "nothing is written again");
        // That of b, and that of a, which is known to be there when the second call comes to it.
        assert_eq!(desk.requests("POST /contacts/{id}/companies").len(), 2);
        assert_eq!(desk.engine.count("crm", "delivered").await, 5);
        desk.engine.router.stop(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_somebody_who_is_not_there_is_one_write_and_one_look() {
    for restarts in [false, true] {
        let mut desk = Desk::new(DEFAULTS).await;
        let calls = (1..=9).map(|number| group("a", &format!("v{number}"))).collect();
        desk.accept(calls, true).await;
        assert_eq!(desk.requests("POST /companies ").len(), 1);
        assert_eq!(desk.requests("GET /contacts/find_by_external_id/a ").len(), 1);
        let waiting = |owed: &Owed| matches!(owed.progress.status, Status::Waiting { parked: true, .. });
        assert!(desk.engine.deliveries().await.iter().all(waiting));
        if restarts {
            desk = desk.restart().await;
        }
        desk.accept(vec![identify("a")], false).await;
        desk.engine.idle(MINUTE).await;
        assert_eq!(desk.came(), (json!("v9"), members(&["a"])));
        assert_eq!(desk.requests("POST /companies ").len(), 1);
        assert_eq!(desk.requests("POST /contacts/{id}/companies").len(), 1);
        desk.engine.router.stop(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_company_because_of_somebody_who_is_not_there() {
    let desk = Desk::new(DEFAULTS).await;
    desk.accept(vec![identify("b"), group("a", "v1"), group("a", "v2")], false).await;
    desk.engine.accept(vec![group("a", "v3"), group("b", "v4")]).await;
    tokio::time::sleep(200 * MILLIS).await;
    assert_eq!(desk.delivery(4).await.progress.status.name(), "delivered");
    assert_eq!(desk.came(), (json!("v4"), members(&["b"])));
    desk.engine.router.stop(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_between_writing_and_parking_writes_in_its_turn_again() {
    let desk = Desk::new(DEFAULTS).await;
    desk.accept(vec![identify("b"), group("a", "v1")], false).await;
    desk.place.control.fault(Fault::new("POST /companies", Effect::HoldReply));
    desk.accept(vec![group("a", "v2"), group("b", "v3")], false).await;
    assert_eq!(desk.came(), (json!("v2"), Vec::new()), "it was done, and nobody heard of it");
    desk.place.control.clear_faults();
    let desk = desk.restart().await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(desk.came(), (json!("v3"), members(&["b"])));
    desk.accept(vec![identify("a")], false).await;
    desk.engine.idle(MINUTE).await;
    assert_eq!(desk.came(), (json!("v3"), members(&["b", "a"])));
    assert_eq!(desk.requests("POST /companies ").len(), 4, "only the one nobody heard of is written twice");
    desk.engine.router.stop(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn whose_contact_never_comes_ends_as_if_each_call_had_waited_by_itself() {
    for (policy, ended, linked) in [
        ("dead_letter", "dead_letter contact_not_found", vec!["b"]),
        ("skip", "delivered ", vec!["b"]),
        ("create_lead", "delivered ", vec!["b", "a"]),
    ] {
        let desk = Desk::set(DEFAULTS, json!({ "too_early": policy })).await;
        let calls = vec![identify("b"), group("a", "v1"), group("a", "v2"), group("a", "v3"), group("b", "v4")];
        desk.accept(calls, false).await;
        let took = desk.engine.idle(2 * HOUR).await;
        assert!((HOUR - MINUTE..HOUR + 10 * MINUTE).contains(&took), "{policy}: {took:?}");
        for number in 1..4 {
            let status = desk.delivery(number).await.progress.status;
            let came = format!("{} {}", status.name(), status.code().unwrap_or_default());
            assert_eq!(came, ended, "{policy}: call {number}");
        }
        assert_eq!(desk.came(), (json!("v4"), members(&linked)), "{policy}");
        assert_eq!(desk.requests("POST /companies ").len(), 4, "{policy}");
        desk.engine.router.stop(MINUTE).await;
    }
}

/// The whole history, in which the process ends while the request after the first `finished` ones is under way.
async fn broken_off(finished: u64, hang: Effect, is_late: bool) -> Desk {
    let desk = Desk::new(DEFAULTS).await;
    desk.place.control.fault(Fault { nth: finished + 1, ..Fault::new("*", hang) });
    let calls = vec![identify("b"), group("a", "v1"), group("a", "v2"), group("b", "v3"), identify("a")];
    desk.accept(calls, false).await;
    let Desk { place, engine } = desk;
    let store = engine.store.clone();
    engine.router.stop(Duration::ZERO).await;
    tokio::task::yield_now().await;
    if is_late {
        place.control.clear_faults();
    }
    let place = place.after_a_crash();
    let engine = Engine::on(store, &[&place], &Settings::default()).await;
    engine.idle(10 * MINUTE).await;
    Desk { place, engine }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_process_ends_the_newest_call_about_a_company_stays() {
    let whole = broken_off(1_000, Effect::Hold, false).await;
    let count = whole.requests("").len() as u64;
    whole.engine.router.stop(MINUTE).await;
    assert!(count > 8, "{count} requests");
    for finished in 0..count {
        // It comes to nothing; it is done while the next process begins; it was done, and nobody heard of it.
        for (hang, is_late) in [(Effect::Hold, false), (Effect::Hold, true), (Effect::HoldReply, false)] {
            let at = format!("{hang:?} after {finished} of {count} requests");
            let desk = broken_off(finished, hang, is_late).await;
            let (name, mut contacts) = desk.came();
            contacts.sort_unstable();
            assert_eq!((name, contacts), (json!("v3"), members(&["a", "b"])), "{at}: {:#?}", desk.requests(""));
            assert!(desk.requests("POST /companies ").len() <= 4, "{at}: {:#?}", desk.requests("POST /companies "));
            assert_eq!(desk.engine.count("crm", "delivered").await, 5, "{at}");
            desk.engine.router.stop(MINUTE).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn links_and_their_ends_keep_their_order_and_their_place() {
    for restarts in [false, true] {
        for comes_back in [false, true] {
            let mut desk = Desk::new(WITH_ENDS).await;
            let track = json!({ "type": "track", "userId": "a", "event": "E" });
            let last = if comes_back { vec![group("a", "v2")] } else { Vec::new() };
            let calls = [vec![group("a", "v1"), leave("a"), track], last].concat();
            desk.accept(calls, false).await;
            let leaving = desk.delivery(1).await.progress;
            assert!(
                matches!(&leaving.status, Status::Waiting { reason, parked: true, .. } if reason == "contact_awaited")
            );
            assert_eq!((leaving.attempts, leaving.story.len()), (0, 0), "nothing was asked, and nothing is told");
            if restarts {
                desk = desk.restart().await;
            }
            desk.accept(vec![identify("a")], false).await;
            desk.engine.idle(MINUTE).await;
            let expected = if comes_back { members(&["a"]) } else { Vec::new() };
            assert_eq!(desk.came().1, expected, "restarts: {restarts}");
            let all = desk.requests("");
            let at = |like: &str| all.iter().position(|line| line.starts_with(like)).unwrap();
            let identified = at("POST /contacts {");
            let (link, end) = (at("POST /contacts/{id}/companies"), at("DELETE /contacts/{id}/companies"));
            let event = all.iter().rposition(|line| line.starts_with("POST /events")).unwrap();
            assert!(identified < link && link < end && end < event, "restarts: {restarts}: {all:#?}");
            desk.engine.router.stop(MINUTE).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_makes_in_two_deliveries_goes_each_its_way() {
    let mappings = "\
\x20 - { name: Person, action: identify_contact }
  - { name: Make, trigger: 'type = \"group\"', action: create_company }
  - { name: Put, trigger: 'type = \"group\"', action: attach_company }
";
    let mut desk = Desk::new(mappings).await;
    desk.accept(vec![identify("b"), group("a", "v1"), group("a", "v2"), group("b", "v3")], false).await;
    let statuses = |all: Vec<Owed>| all.iter().map(|owed| owed.progress.status.name()).collect::<Vec<_>>();
    let expected = ["delivered", "delivered", "waiting", "delivered", "waiting", "delivered", "delivered"];
    assert_eq!(statuses(desk.engine.deliveries().await), expected);
    assert_eq!(desk.delivery(4).await.progress.story.len(), 0);
    assert_eq!(desk.requests("GET /contacts/find_by_external_id/a ").len(), 1, "a company wakes nobody");
    assert_eq!(desk.came(), (json!("v3"), members(&["b"])));
    desk = desk.restart().await;
    desk.accept(vec![identify("a")], false).await;
    desk.engine.idle(MINUTE).await;
    assert_eq!(desk.came(), (json!("v3"), members(&["b", "a"])));
    desk.engine.router.stop(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_contact_that_a_later_group_call_makes_is_made_in_its_turn() {
    let mappings = "\
\x20 - { name: Company, action: identify_company }
  - { name: Person, trigger: 'type = \"group\" and traits.full = true', action: identify_contact, fields: { company_id: $.groupId } }
";
    let desk = Desk::new(mappings).await;
    let mut full = group("a", "v2");
    full["traits"]["full"] = true.into();
    desk.accept(vec![group("a", "v1"), full], false).await;
    assert_eq!(desk.came(), (json!("v2"), members(&["a"])), "who waited was woken");
    assert_eq!(desk.engine.count("crm", "delivered").await, 3);
    desk.engine.router.stop(MINUTE).await;
}

/// Those that are carried, and those that are put aside without an attempt, wait as long as one that came by itself.
#[tokio::test(start_paused = true)]
async fn many_calls_wait_no_longer_than_one() {
    let apart = "\
\x20 - { name: Make, trigger: 'type = \"group\"', action: create_company }
  - { name: Put, trigger: 'type = \"group\"', action: attach_company }
";
    for (mappings, at_once) in [(DEFAULTS, true), (DEFAULTS, false), (apart, true), (apart, false)] {
        let desk = Desk::new(mappings).await;
        let calls = (1..=5).map(|number| group("a", &format!("v{number}"))).collect();
        desk.accept(calls, at_once).await;
        let took = desk.engine.idle(24 * HOUR).await;
        assert!(took < HOUR + 10 * MINUTE, "five calls, at once: {at_once}, took {took:?} with {mappings}");
        desk.engine.router.stop(MINUTE).await;
    }
}

/// A newer call of a person must not go while an older one of the same person is on its way.
#[tokio::test(start_paused = true)]
async fn nobody_goes_beside_an_older_call_of_the_same_person() {
    let mappings = "\
\x20 - { name: Identify, action: identify_contact }
  - { name: Change, trigger: 'type = \"track\"', action: update_contact, fields: { external_id: $.userId, name: $.properties.who } }
  - { name: Company, trigger: 'type = \"group\" and traits.full != true', action: identify_company }
  - { name: Person, trigger: 'type = \"group\" and traits.full = true', action: identify_contact, fields: { external_id: $.userId, name: $.traits.who } }
";
    let mut came = Vec::new();
    for has_company_call in [false, true] {
        let desk = Desk::new(mappings).await;
        desk.accept(
            vec![json!({ "type": "track", "userId": "a", "event": "E", "properties": { "who": "old" } })],
            false,
        )
        .await;
        if has_company_call {
            desk.accept(vec![group("a", "v1")], false).await;
        }
        desk.place.control.fault(Fault::new("PUT /contacts/{id}", Effect::Delay(2000)));
        let full = json!({ "type": "group", "userId": "a", "groupId": "c", "traits": { "who": "new", "full": true } });
        desk.accept(vec![identify("a"), full], true).await;
        desk.engine.idle(2 * HOUR).await;
        came.push(desk.place.control.state()["contacts"][0]["name"].clone());
    }
    assert_eq!(came, [json!("new"), json!("new")]);
}

/// A dead letter whose company was written is newer than an older dead letter about it.
#[tokio::test(start_paused = true)]
async fn a_retry_puts_no_old_values_over_a_company_whose_contact_never_came() {
    let desk = Desk::new(DEFAULTS).await;
    desk.accept(vec![identify("b")], false).await;
    let status = interline::sandbox::Status { status: 400, ..Default::default() };
    desk.place.control.fault(Fault::new("POST /companies", Effect::Status(status)));
    desk.accept(vec![group("b", "v1")], false).await;
    let old = desk.delivery(1).await;
    assert_eq!(old.progress.status.name(), "dead_letter", "{:?}", old.progress.status);
    desk.accept(vec![group("a", "v2")], false).await;
    desk.engine.idle(2 * HOUR).await;
    assert_eq!((desk.delivery(2).await.progress.status.name(), desk.came().0), ("dead_letter", json!("v2")));
    let handling =
        Handling { ids: vec![old.id], deed: Deed::Retry, by: "operator".into(), dry_run: false, overwrite: false };
    let _ = desk.engine.router.letters().handle(handling).await.unwrap();
    desk.engine.idle(2 * HOUR).await;
    assert_eq!(desk.came().0, json!("v2"));
}
