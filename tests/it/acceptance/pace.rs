//! How fast a connection goes, in paused time: as fast as its limit, shared with people, slower where it must, and never
//! at the cost of another.

use std::time::Duration;

use interline::destination::{by_hand, kind};
use interline::json::Object;
use interline::router::Settings;
use interline::sandbox::{self, Effect, Fault, Seed};
use serde_json::{Value, json};

use crate::support::virtual_time::{DEFAULTS, Engine, Place};

const MILLIS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A stand-in that knows so many users.
fn place(name: &'static str, settings: sandbox::Settings, people: usize, takes: Duration) -> Place {
    let place = Place::new(name, settings, DEFAULTS, takes);
    let contacts: Vec<Value> = (0..people).map(|person| json!({ "external_id": format!("u-{person}") })).collect();
    let seed: Seed = serde_json::from_value(json!({ "contacts": contacts })).unwrap();
    place.control.seed(seed).unwrap();
    place
}

/// So many track calls of so many people, no two of which Intercom would take for one.
fn tracks(count: usize, people: usize) -> Vec<Value> {
    let call = |number: usize| {
        let (person, event) = (format!("u-{}", number % people), format!("Event {}", number / people % 100));
        json!({ "type": "track", "userId": person, "event": event })
    };
    (0..count).map(call).collect()
}

fn limited(rate_limit_per_10s: u32) -> sandbox::Settings {
    sandbox::Settings { rate_limit_per_10s, ..sandbox::Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_events_take_as_long_as_the_limit_says() {
    // What is under way when a window ends is counted for both, so that neither is overdrawn: a slow service costs a little.
    for (takes, slack) in [(20, 1.05), (250, 1.05), (1_000, 1.10)] {
        let place = place("crm", limited(83), 500, takes * MILLIS);
        let engine = Engine::start(&[&place], &Settings::default()).await;
        engine.accept(tracks(5_000, 500)).await;
        let took = engine.idle(HOUR).await.as_secs_f64();
        let least = 5_000.0 / 83.0 * 10.0;
        assert_eq!(engine.count("crm", "delivered").await, 5_000);
        assert!(took <= least * slack, "{takes} ms: {took} s, and {least} s would do");
        assert!(place.answered(429) <= 5, "{takes} ms: {} refusals", place.answered(429));
        engine.router.stop(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_acts_by_hand_finds_room_in_every_window() {
    let place = place("crm", limited(83), 500, 100 * MILLIS);
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(tracks(2_000, 500)).await;
    let actions = (kind("intercom").unwrap().actions)();
    let facts = *actions.iter().find(|facts| facts.name == "list_tags").unwrap();
    // Not in step with the windows.
    for _ in 0..15 {
        tokio::time::sleep(13_700 * MILLIS).await;
        let began = tokio::time::Instant::now();
        let performed = by_hand(&*place.destination, facts, &Object::new()).await;
        assert!(performed.result.is_ok(), "{:?}", performed.result);
        assert!(began.elapsed() < 1_000 * MILLIS, "{:?}", began.elapsed());
    }
    engine.idle(HOUR).await;
    assert!(place.answered(429) <= 5, "{} refusals", place.answered(429));
}

#[tokio::test(start_paused = true)]
async fn one_destination_that_hangs_or_fails_slows_no_other() {
    let alone = place("good", limited(1_000), 100, 50 * MILLIS);
    let engine = Engine::start(&[&alone], &Settings::default()).await;
    engine.accept(tracks(2_000, 100)).await;
    let undisturbed = engine.idle(HOUR).await;
    for effect in [Effect::Hold, Effect::status(500), Effect::status(429), Effect::status(401)] {
        let (good, bad) =
            (place("good", limited(1_000), 100, 50 * MILLIS), place("bad", limited(1_000), 100, 50 * MILLIS));
        bad.control.fault(Fault { count: 0, ..Fault::new("*", effect.clone()) });
        let engine = Engine::start(&[&good, &bad], &Settings::default()).await;
        engine.accept(tracks(2_000, 100)).await;
        tokio::time::sleep(undisturbed + Duration::from_secs(1)).await;
        assert_eq!(engine.count("good", "delivered").await, 2_000, "{effect:?}");
        assert_eq!(engine.count("bad", "delivered").await, 0, "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_burns_few_attempts_and_everything_arrives_afterwards() {
    let place = place("crm", limited(1_000), 100, 50 * MILLIS);
    let engine = Engine::start(&[&place], &Settings::default()).await;
    place.control.fault(Fault { count: 0, ..Fault::new("*", Effect::status(503)) });
    engine.accept(tracks(100, 100)).await;
    tokio::time::sleep(HOUR).await;
    // Those that were under way when it opened, then one a minute.
    let during = place.answered(503);
    assert!((60..100).contains(&during), "{during}");
    assert_eq!(place.metric("interline_destination_paused{destination=\"crm\",reason=\"breaker\"}"), 1.0);
    place.control.clear_faults();
    let took = engine.idle(HOUR).await;
    // A minute at most until it is noticed; then each waits for its own time.
    assert!(took < Duration::from_secs(60 + 300), "{took:?}");
    assert_eq!(place.metric("interline_destination_paused{destination=\"crm\",reason=\"breaker\"}"), 0.0);
    assert_eq!(engine.count("crm", "delivered").await, 100);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_single_deliveries_stop_nobody() {
    let place = place("crm", limited(1_000), 100, 50 * MILLIS);
    let engine = Engine::start(&[&place], &Settings::default()).await;
    place.control.fault(Fault { count: 50, ..Fault::new("POST /events", Effect::status(400)) });
    engine.accept(tracks(100, 100)).await;
    let took = engine.idle(HOUR).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!([engine.count("crm", "dead_letter").await, engine.count("crm", "delivered").await], [50, 50]);
}

#[tokio::test(start_paused = true)]
async fn attempts_at_once_fall_while_it_fails_and_rise_again() {
    let place = place("crm", limited(0), 400, 200 * MILLIS);
    let limit = || place.metric("interline_concurrency_limit{destination=\"crm\"}");
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(tracks(400, 400)).await;
    engine.idle(HOUR).await;
    assert_eq!(limit(), 32.0, "doubled up to the most");
    place.control.fault(Fault { count: 3, ..Fault::new("POST /events", Effect::status(503)) });
    engine.accept(tracks(33, 33)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(limit() < 32.0, "{}", limit());
    engine.accept(tracks(4_000, 400)).await;
    engine.idle(HOUR).await;
    assert_eq!(limit(), 32.0);
}
