//! The events that benchmarks run on.

use interline::event::{Channel, Envelope, Event, Kind};
use interline::instant::{self, Timestamp};
use interline::json::{self, Json};
use interline::sample::Sample;

/// Events in a trace.
pub const LENGTH: usize = 10_000;

/// The texts of a trace. No two numbers give the same message id twice.
pub fn texts(number: u64, length: usize) -> Vec<String> {
    Sample::new(number, start()).take(length).collect()
}

/// A trace as the store holds it: what the door makes of each call.
pub fn events() -> Vec<Event> {
    texts(1, LENGTH).iter().map(|text| event(text)).collect()
}

/// Which call an event is.
pub fn kind(text: &str) -> String {
    let call = json::parse(text.as_bytes()).expect("the sample is JSON");
    call.get("type").and_then(Json::as_str).expect("every call of the sample has a type").to_owned()
}

/// When a trace begins.
pub fn start() -> Timestamp {
    instant::parse("2026-01-01T00:00:00Z").expect("a date")
}

/// The same of one call.
pub fn event(text: &str) -> Event {
    let call = json::parse(text.as_bytes()).expect("the sample is JSON");
    let member = |name| call.get(name).and_then(Json::as_str).expect("every call of the sample has it");
    let timestamp = instant::parse(member("timestamp")).expect("the sample has dates");
    let envelope = Envelope {
        source: "website".into(),
        kind: Kind::from_name(member("type")).expect("the sample has types"),
        message_id: member("messageId").to_owned(),
        received_at: timestamp,
        timestamp,
        original_timestamp: Some(timestamp),
        sent_at: None,
        channel: Channel::Server,
        ip: None,
        shared: None,
        replay: None,
    };
    Event { envelope, body: text.as_bytes().into() }
}
