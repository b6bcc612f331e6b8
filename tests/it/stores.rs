//! One suite, every store.

mod damage;
mod embedded;
mod fixture;
mod growth;
mod lists;
mod records;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use interline::delivery::{Delivery, Id, Position};
use interline::event::{Person, Replay};
use interline::store::{Accepted, Error, Filter, Job, Owed, Passing, Removed, Store, Wrote};

use fixture::{
    Place, accept, at, delivery, each, event, id, messages, now, pending, route, settled, text, waiting, wrote,
};
use lists::check_list;

#[tokio::test]
async fn events_come_back_as_they_were_and_in_order() {
    each(async |place: Place| {
        let store = place.open();
        let events = [event("website", "m1"), event("backend", "m1"), event("website", "m2")];
        assert_eq!(store.accept(vec![]).await.unwrap(), []);
        assert_eq!(store.accept(events[..2].to_vec()).await.unwrap(), [at(1), at(2)]);
        assert_eq!(store.accept(events[2..].to_vec()).await.unwrap(), [at(3)]);
        let store = place.reopen(store).await;
        let found = store.events(Position(0), 10).await.unwrap();
        assert_eq!(found.iter().map(|stored| stored.position.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(found.iter().zip(&events).all(|(stored, event)| stored.event == *event));
        assert_eq!(messages(&*store, 0, 2).await, ["m1", "m1"]);
        assert_eq!(messages(&*store, 2, 2).await, ["m2"]);
        assert_eq!(messages(&*store, 3, 2).await, [""; 0]);
        assert_eq!(store.event(Position(2)).await.unwrap().unwrap().event, events[1]);
        assert!(store.event(Position(4)).await.unwrap().is_none());
        assert!(store.event(Position(u64::MAX)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_stored_together_and_positions_are_dense() {
    each(async |place: Place| {
        let store = place.open();
        let call = |n: usize| store.accept((0..7).map(|i| event("website", &format!("{n}/{i}"))).collect());
        let calls = join_all((0..100).map(call)).await;
        let mut positions = Vec::new();
        for call in calls {
            let call: Vec<u64> = call.unwrap().iter().map(fixture::position).collect();
            assert!(call.windows(2).all(|pair| pair[1] == pair[0] + 1), "{call:?}");
            positions.extend(call);
        }
        positions.sort_unstable();
        assert_eq!(positions, (1..=700).collect::<Vec<_>>());
        assert_eq!(place.reopen(store).await.events(Position(0), 1000).await.unwrap().len(), 700);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_message_id_is_accepted_once() {
    each(async |place: Place| {
        let store = place.open();
        let call = vec![event("website", "a"), event("website", "b"), event("website", "a"), event("backend", "a")];
        let expected = [at(1), at(2), Accepted::Duplicate, at(3)];
        assert_eq!(store.accept(call.clone()).await.unwrap(), expected);
        assert_eq!(store.accept(call.clone()).await.unwrap(), [Accepted::Duplicate; 4]);
        let store = place.reopen(store).await;
        assert_eq!(store.accept(call).await.unwrap(), [Accepted::Duplicate; 4]);
        let together = join_all((0..20).map(|_| store.accept(vec![event("website", "c")]))).await;
        let new = together.into_iter().filter(|answer| *answer.as_ref().unwrap() == [at(4)]);
        assert_eq!(new.count(), 1);
        assert_eq!(messages(&*store, 0, 10).await, ["a", "b", "a", "c"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_id_is_remembered_for_its_hours_and_then_forgotten() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a"]).await;
        store.trim(now(24)).await.unwrap();
        assert_eq!(store.accept(vec![event("website", "a")]).await.unwrap(), [Accepted::Duplicate]);
        store.trim(now(48)).await.unwrap();
        let store = place.reopen(store).await;
        assert_eq!(store.accept(vec![event("website", "a")]).await.unwrap(), [at(2)]);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_comes_back_as_it_was() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a"]).await;
        let deliveries = vec![
            (delivery("website", "intercom"), pending()),
            (fixture::unfit("website", "intercom"), fixture::story()),
        ];
        store.route(&[route(1, deliveries.clone())]).await.unwrap();
        let store = place.reopen(store).await;
        let found = store.deliveries(vec![id(1, 1), id(9, 0), id(1, 0), id(u64::MAX, 0)]).await.unwrap();
        assert_eq!(found.iter().map(|owed| owed.id).collect::<Vec<_>>(), [id(1, 1), id(1, 0)]);
        for owed in found {
            let (delivery, progress) = &deliveries[usize::from(owed.id.number)];
            assert_eq!(text(&owed.delivery), text(delivery));
            assert_eq!(text(&owed.progress), text(progress));
        }
    })
    .await;
}

#[tokio::test]
async fn routing_twice_is_routing_once() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "c", "d"]).await;
        let routed = || vec![route(1, vec![(delivery("website", "intercom"), pending())]), route(3, vec![])];
        store.route(&routed()).await.unwrap();
        store.route(&routed()).await.unwrap();
        store.route(&[route(2, vec![(delivery("website", "intercom"), pending())])]).await.unwrap();
        let store = place.reopen(store).await;
        let stats = store.stats();
        assert_eq!((stats.last, stats.routed), (Position(4), Position(3)));
        assert_eq!(stats.backlog, BTreeMap::from([("website".into(), 2)]), "one event, one delivery");
        assert_eq!(open(&*store).await, [id(1, 0)]);
    })
    .await;
}

#[tokio::test]
async fn open_deliveries_are_told_in_pages_with_what_the_router_needs() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "c"]).await;
        let two = |name: &str| vec![(delivery("website", name), pending()), (delivery("website", "other"), pending())];
        store.route(&[route(1, two("intercom")), route(2, two("intercom")), route(3, two("third"))]).await.unwrap();
        store.settle(&[(id(1, 1), &settled("delivered")), (id(2, 0), &waiting(5, true))]).await.unwrap();
        let store = place.reopen(store).await;
        assert_eq!(open(&*store).await, [id(1, 0), id(2, 0), id(2, 1), id(3, 0), id(3, 1)]);
        let page = store.open(None, Some(id(1, 0)), 2).await.unwrap();
        assert_eq!(page.iter().map(|open| open.id).collect::<Vec<_>>(), [id(2, 0), id(2, 1)]);
        assert_eq!((&*page[0].destination, page[0].until, page[0].parked), ("intercom", Some(now(5)), true));
        assert_eq!((&*page[1].destination, page[1].until, page[1].parked), ("other", None, false));
        assert_eq!(page[0].keys, delivery("website", "intercom").keys);
        assert_eq!(store.open(None, Some(id(u64::MAX, 0)), 2).await.unwrap().len(), 0);
        let of = async |name: &str, after| {
            let page = store.open(Some(name), after, 2).await.unwrap();
            page.iter().map(|open| open.id).collect::<Vec<_>>()
        };
        assert_eq!(of("other", None).await, [id(2, 1), id(3, 1)]);
        assert_eq!(of("other", Some(id(2, 1))).await, [id(3, 1)]);
        assert_eq!(of("intercom", None).await, [id(1, 0), id(2, 0)]);
        assert_eq!(of("intercom", Some(id(2, 0))).await, []);
        assert_eq!(of("nobody", None).await, []);
        let counts = BTreeMap::from([("intercom".into(), 2), ("other".into(), 2), ("third".into(), 1)]);
        assert_eq!(store.open_counts().await.unwrap(), counts);
    })
    .await;
}

#[tokio::test]
async fn the_backlog_counts_what_is_neither_routed_nor_ended() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "a"]).await;
        accept(&*store, "backend", &["a"]).await;
        check_backlog(&*store, 2, 1, 0);
        let to = |source: &str| (delivery(source, "intercom"), pending());
        store.route(&[route(1, vec![to("website"), to("website"), to("website")])]).await.unwrap();
        check_backlog(&*store, 4, 1, 0);
        store
            .route(&[route(2, vec![]), route(3, vec![(delivery("backend", "x"), settled("dead_letter"))])])
            .await
            .unwrap();
        check_backlog(&*store, 3, 0, 1);
        store.settle(&[(id(1, 0), &settled("delivered")), (id(1, 0), &settled("delivered"))]).await.unwrap();
        store.settle(&[(id(1, 0), &settled("delivered")), (id(1, 1), &waiting(1, false))]).await.unwrap();
        store.settle(&[(id(7, 0), &settled("delivered"))]).await.unwrap();
        check_backlog(&*store, 2, 0, 1);
        store.settle(&[(id(1, 2), &settled("dead_letter"))]).await.unwrap();
        check_backlog(&*store, 1, 0, 2);
        let store = place.reopen(store).await;
        check_backlog(&*store, 1, 0, 2);
        store.settle(&[(id(3, 0), &pending()), (id(3, 0), &pending()), (id(1, 2), &settled("skipped"))]).await.unwrap();
        check_backlog(&*store, 1, 1, 0);
        assert_eq!(open(&*store).await, [id(1, 1), id(3, 0)]);
        check_backlog(&*place.reopen(store).await, 1, 1, 0);
    })
    .await;
}

#[track_caller]
fn check_backlog(store: &dyn Store, website: u64, backend: u64, dead_letters: u64) {
    let stats = store.stats();
    let count = |source: &str| stats.backlog.get(source).copied().unwrap_or_default();
    assert_eq!((count("website"), count("backend"), stats.dead_letters), (website, backend, dead_letters));
}

#[tokio::test]
async fn what_was_written_past_older_ones_is_known_while_they_are_open() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "c", "d", "e"]).await;
        let one = |position, to| route(position, vec![(delivery("website", to), pending())]);
        store.route(&[1, 2, 3, 4].map(|position| one(position, "intercom"))).await.unwrap();
        store.route(&[one(5, "other")]).await.unwrap();
        let settle = async |store: &dyn Store, position, progress, destination, wrote: &[Wrote]| {
            let passing = Passing { destination, wrote, forget: &[] };
            store.settle_passing(&[(id(position, 0), &progress)], passing).await.unwrap();
        };
        let (both, ended) = ([u64::MAX, 2], || settled("delivered"));
        settle(&*store, 3, ended(), "intercom", &[wrote(u64::MAX, "name", 3, 3), wrote(2, "name", 3, 3)]).await;
        // What is older is not noted, and neither is what is not said to be of this one, or gone.
        settle(&*store, 2, waiting(3, false), "intercom", &[wrote(2, "name", 2, 2), wrote(2, "phone", 2, 2)]).await;
        settle(&*store, 5, ended(), "other", &[wrote(2, "name", 5, 5), wrote(2, "phone", 4, 4)]).await;
        settle(&*store, 9, ended(), "intercom", &[wrote(2, "name", 9, 9)]).await;
        let store = place.reopen(store).await;
        let passed = async |store: &dyn Store, to: &str, keys: &[u64]| {
            let mut found = store.passed(to, keys).await.unwrap();
            found.sort_by_key(|wrote| (wrote.by, wrote.key));
            found
        };
        let (phone, name, far) = (wrote(2, "phone", 2, 2), wrote(2, "name", 3, 3), wrote(u64::MAX, "name", 3, 3));
        let all = [phone.clone(), name.clone(), far.clone()];
        assert_eq!(passed(&*store, "intercom", &[u64::MAX, 2, 3]).await, all);
        assert_eq!(passed(&*store, "intercom", &[3]).await, []);
        assert_eq!(passed(&*store, "other", &both).await, [wrote(2, "name", 5, 5)]);
        store.trim(now(0)).await.unwrap();
        assert_eq!(passed(&*store, "intercom", &both).await, all, "the first is open");
        assert_eq!(passed(&*store, "other", &both).await, [], "nothing is owed there");
        // One that is delivered again is as old as it was.
        settle(&*store, 4, ended(), "intercom", &[wrote(2, "name", 4, 1), wrote(2, "phone", 4, 2)]).await;
        let phone = wrote(2, "phone", 4, 2);
        assert_eq!(passed(&*store, "intercom", &[2]).await, [name, phone.clone()]);
        store.remove(vec![Position(3)]).await.unwrap();
        assert_eq!(passed(&*store, "intercom", &both).await, [phone]);
        let forget = Passing { destination: "intercom", wrote: &[], forget: &[2] };
        store.settle_passing(&[(id(1, 0), &ended())], forget).await.unwrap();
        assert_eq!(passed(&*store, "intercom", &both).await, []);
        settle(&*store, 4, ended(), "intercom", &[wrote(2, "name", 4, 4)]).await;
        store.trim(now(0)).await.unwrap();
        assert_eq!(passed(&*store, "intercom", &both).await, [wrote(2, "name", 4, 4)]);
        store.settle(&[(id(2, 0), &ended())]).await.unwrap();
        store.trim(now(0)).await.unwrap();
        assert_eq!(passed(&*store, "intercom", &both).await, []);
    })
    .await;
}

/// Events of hours 0, 0, 0, 0, 1: delivered; dead; still waiting; wanted by nobody; delivered.
async fn old_and_new(store: &dyn Store) {
    accept(store, "website", &["a", "b", "c", "d"]).await;
    store.accept(vec![fixture::event_at("website", "e", now(1))]).await.unwrap();
    let one = |position, progress| route(position, vec![(delivery("website", "intercom"), progress)]);
    let second = (delivery("website", "intercom"), settled("delivered"));
    let mut dead = one(2, settled("dead_letter"));
    dead.deliveries.push(second);
    let all = vec![one(1, settled("delivered")), dead, one(3, waiting(1, true)), route(4, vec![]), one(5, pending())];
    store.route(&all).await.unwrap();
    store.settle(&[(id(5, 0), &settled("skipped"))]).await.unwrap();
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_owed_stays() {
    each(async |place: Place| {
        let store = place.open();
        old_and_new(&*store).await;
        let store = place.reopen(store).await;
        let week = 7 * 24;
        assert_eq!(store.trim(now(0)).await.unwrap(), 0);
        let ids = store.trim(now(week)).await.unwrap();
        assert_eq!(ids, 5, "exactly a week old is not older; only message ids went");
        assert_eq!(messages(&*store, 0, 10).await, ["a", "b", "c", "d", "e"]);
        assert_eq!(store.trim(now(week + 1)).await.unwrap(), 4, "a and its delivery, d, the delivered half of b");
        assert_eq!(messages(&*store, 0, 10).await, ["b", "c", "e"]);
        check_list(&*store, None, None, None, &[5, 3, 2]).await;
        assert_eq!(store.trim(now(week + 2)).await.unwrap(), 2);
        assert_eq!(store.trim(now(week + 2)).await.unwrap(), 0);
        assert_eq!(messages(&*store, 0, 10).await, ["b", "c"]);
        store.settle(&[(id(2, 0), &settled("skipped")), (id(3, 0), &settled("delivered"))]).await.unwrap();
        assert_eq!(store.trim(now(week + 2)).await.unwrap(), 4);
        assert_eq!(messages(&*store, 0, 10).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_not_routed_stays_however_old() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        store.route(&[route(1, vec![])]).await.unwrap();
        store.trim(now(1000)).await.unwrap();
        assert_eq!(messages(&*store, 0, 10).await, ["b"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_accepted_by_a_clock_that_ran_ahead_keeps_nothing_behind_it() {
    each(async |place: Place| {
        let store = place.open();
        let events = [("a", 0), ("b", 9000), ("c", 9001), ("d", 1), ("e", 9000), ("f", 100)];
        store.accept(events.map(|(id, hour)| fixture::event_at("website", id, now(hour))).into()).await.unwrap();
        store.route(&[route(6, vec![])]).await.unwrap();
        store.trim(now(101)).await.unwrap();
        assert_eq!(messages(&*store, 0, 10).await, ["a", "b", "c", "d", "e", "f"], "none is a week old");
        store.trim(now(170)).await.unwrap();
        assert_eq!(messages(&*store, 0, 10).await, ["e", "f"], "d is old, and so is what came before it");
        store.trim(now(269)).await.unwrap();
        assert_eq!(messages(&*store, 0, 10).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_repeats_an_event_that_was_removed_is_not_put_in() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        store.remove(vec![Position(1)]).await.unwrap();
        let again = |of: u64| {
            let mut event = event("website", "again");
            event.envelope.replay = Some(Box::new(Replay { job: 1, of, at: now(0), destinations: Vec::new() }));
            event
        };
        store.feed(vec![again(1), again(2)], Job { id: 1, record: String::new() }).await.unwrap();
        let last = store.events(Position(2), 10).await.unwrap();
        let originals: Vec<u64> = last.iter().map(|one| one.event.envelope.replay.as_ref().unwrap().of).collect();
        assert_eq!(originals, [2]);
    })
    .await;
}

#[tokio::test]
async fn a_position_is_never_used_again() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        store.route(&[route(2, vec![])]).await.unwrap();
        store.trim(now(1000)).await.unwrap();
        assert_eq!(messages(&*store, 0, 10).await, [""; 0]);
        let store = place.reopen(store).await;
        assert_eq!((store.stats().last, store.stats().routed), (Position(2), Position(2)));
        assert_eq!(store.accept(vec![event("website", "a")]).await.unwrap(), [at(3)]);
    })
    .await;
}

#[tokio::test]
async fn trimming_goes_on_over_many_steps() {
    each(async |place: Place| {
        let store = place.open();
        let names: Vec<String> = (0..2500).map(|n| n.to_string()).collect();
        accept(&*store, "website", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let many = vec![(delivery("website", "intercom"), settled("delivered")); 1500];
        let mut routed: Vec<_> = (1..2500).map(|position| route(position, vec![])).collect();
        routed.insert(0, route(1, many));
        routed.push(route(2500, vec![(delivery("website", "intercom"), settled("delivered"))]));
        routed.remove(1);
        store.route(&routed).await.unwrap();
        assert_eq!(store.trim(now(1000)).await.unwrap(), 2500 + 1501 + 2500);
        let stats = store.stats();
        assert_eq!((stats.last, stats.dead_letters, stats.quarantined), (Position(2500), 0, 0));
        assert_eq!(store.list(Filter::default(), 1).await.unwrap().found.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_closed_store_takes_nothing_and_does_not_mind() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a"]).await;
        let begun = store.accept(vec![event("website", "b")]);
        store.close().await;
        store.close().await;
        assert_eq!(begun.await.unwrap(), [at(2)], "what was begun is finished");
        let is_unavailable = |error| matches!(error, Error::Unavailable(_));
        assert!(is_unavailable(store.accept(vec![event("website", "c")]).await.unwrap_err()));
        assert!(is_unavailable(store.events(Position(0), 1).await.unwrap_err()));
        assert!(is_unavailable(store.route(&[]).await.unwrap_err()));
        assert!(is_unavailable(store.settle(&[]).await.unwrap_err()));
        assert!(is_unavailable(store.trim(now(0)).await.unwrap_err()));
    })
    .await;
}

async fn open(store: &dyn Store) -> Vec<Id> {
    store.open(None, None, 100).await.unwrap().iter().map(|open| open.id).collect()
}

#[tokio::test]
async fn what_is_taken_out_is_gone_with_all_it_became() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "c", "d"]).await;
        let (one, dead) = (delivery("website", "intercom"), delivery("website", "intercom"));
        let three = vec![(one.clone(), pending()), (dead, settled("dead_letter")), (one.clone(), settled("delivered"))];
        store.route(&[route(1, three), route(2, vec![(one.clone(), pending())])]).await.unwrap();
        let removed = store.remove(vec![Position(1), Position(3), Position(9)]).await.unwrap();
        assert_eq!(removed, Removed { events: 2, open: 1, ended: 1, dead_letters: 1 });
        assert!(store.is_removed(Position(1)) && store.is_removed(Position(3)) && !store.is_removed(Position(2)));
        // Whoever had read the third event routes it now.
        store.route(&[route(3, vec![(one.clone(), pending())]), route(4, vec![(one, pending())])]).await.unwrap();
        let stats = store.stats();
        assert_eq!((stats.dead_letters, stats.backlog.get("website").copied()), (0, Some(2)));
        let store = place.reopen(store).await;
        assert_eq!(messages(&*store, 0, 10).await, ["b", "d"]);
        let open = store.open(None, None, 10).await.unwrap();
        assert_eq!(open.iter().map(|open| open.id).collect::<Vec<_>>(), [id(2, 0), id(4, 0)]);
        assert_eq!(store.list(Filter::default(), 10).await.unwrap().found.len(), 2);
        let stats = store.stats();
        assert_eq!((stats.last, stats.backlog.get("website").copied()), (Position(4), Some(2)));
        assert_eq!(store.accept(vec![event("website", "e")]).await.unwrap(), [at(5)], "no position is used twice");
    })
    .await;
}

#[tokio::test]
async fn the_last_events_can_be_taken_out_and_positions_go_on() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        store.remove(vec![Position(2), Position(1)]).await.unwrap();
        assert_eq!(store.stats().backlog.get("website").copied().unwrap_or_default(), 0);
        let store = place.reopen(store).await;
        assert_eq!(messages(&*store, 0, 10).await, [""; 0]);
        assert_eq!(store.accept(vec![event("website", "c")]).await.unwrap(), [at(3)]);
        assert_eq!(store.accept(vec![event("website", "a")]).await.unwrap(), [Accepted::Duplicate], "it was here");
    })
    .await;
}

#[tokio::test]
async fn who_is_suppressed_stays_so_until_taken_back() {
    each(async |place: Place| {
        let person = |id: &str| Person { user_ids: [id.to_owned()].into(), ..Person::default() };
        let store = place.open();
        assert!(store.suppressed().is_nobody());
        store.suppress(person("u-1"), true).await.unwrap();
        store.suppress(person("u-2"), true).await.unwrap();
        let store = place.reopen(store).await;
        assert_eq!(store.suppressed().user_ids.iter().collect::<Vec<_>>(), ["u-1", "u-2"]);
        store.suppress(person("u-1"), false).await.unwrap();
        let store = place.reopen(store).await;
        assert_eq!(*store.suppressed(), person("u-2"));
    })
    .await;
}

#[tokio::test]
async fn what_is_owed_can_be_replaced_and_opened_again() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        let to = |source: &str| (delivery(source, "intercom"), settled("dead_letter"));
        store.route(&[route(1, vec![to("website")]), route(2, vec![to("website")])]).await.unwrap();
        let other = Delivery { mapping: "New".into(), keys: vec![5], ..delivery("website", "intercom") };
        let owed = |position| Owed { id: id(position, 0), delivery: other.clone(), progress: pending() };
        store.amend(vec![owed(2), owed(7)]).await.unwrap();
        let store = place.reopen(store).await;
        check_backlog(&*store, 1, 0, 1);
        let open = store.open(None, None, 10).await.unwrap();
        assert_eq!((open.len(), open[0].id, &*open[0].keys), (1, id(2, 0), &[5][..]));
        let found = store.deliveries(vec![id(2, 0), id(7, 0)]).await.unwrap();
        assert_eq!((found.len(), &*found[0].delivery.mapping), (1, "New"));
        let ended = Owed { progress: settled("delivered"), ..owed(2) };
        store.amend(vec![ended]).await.unwrap();
        check_backlog(&*place.reopen(store).await, 0, 0, 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_and_the_events_it_puts_in_are_written_together() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b"]).await;
        let job = |record: &str| Job { id: 3, record: record.to_owned() };
        store.feed(Vec::new(), job("begun")).await.unwrap();
        store.feed(vec![event("website", "a"), event("website", "a")], job("half")).await.unwrap();
        store.feed(Vec::new(), Job { id: 1, record: "other".to_owned() }).await.unwrap();
        let store = place.reopen(store).await;
        assert_eq!(messages(&*store, 0, 10).await, ["a", "b", "a", "a"]);
        check_backlog(&*store, 4, 0, 0);
        let jobs = store.jobs().await.unwrap();
        assert_eq!(jobs, [Job { id: 1, record: "other".to_owned() }, job("half")]);
        assert_eq!(store.accept(vec![event("website", "b")]).await.unwrap(), [Accepted::Duplicate]);
        assert_eq!(store.accept(vec![event("website", "c")]).await.unwrap(), [at(5)]);
    })
    .await;
}
