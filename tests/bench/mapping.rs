//! What mapping costs: from the bytes of a stored event to checked payloads, as the router does it for each.

use std::hint::black_box;
use std::time::{Duration, Instant};

use interline::destination;
use interline::event::Event;
use interline::json::Json;
use interline::mapping::Mappings;
use interline::yaml::{Lookup, Missing};

use crate::figure::{Amount, Figure, Target, median};
use crate::trace;

/// The mappings that are shipped: three.
pub const SHIPPED: &str = include_str!("../../mappings/intercom.yaml");
const FIFTY: &str = include_str!("fifty.yaml");
/// Passes over the trace for each side.
const ROUNDS: usize = 25;

/// Against reading the same bytes as a `serde_json::Value`.
pub fn cost() -> Vec<Figure> {
    let (events, shipped) = (trace::events(), compile(SHIPPED));
    let value = |event: &Event| drop(black_box(serde_json::from_slice::<serde_json::Value>(&event.body)));
    let [ours, theirs] = alternate(&events, [&|event| pass(event, &shipped), &value]);
    let [written, theirs_again] = alternate(&events, [&|event| pass_and_write(event, &shipped), &value]);
    let figure = |what, ours: f64, theirs: f64, target| Figure {
        what,
        reached: Amount::Times(ours / theirs),
        target,
        behind: format!("{ours:.2} µs an event, `Value` {theirs:.2} µs"),
    };
    let target = Some(Target::AtMost(1.5));
    vec![
        figure("mapping: bytes → payload, against a `Value` parse", ours, theirs, target),
        figure("  the same, with the payload written as JSON", written, theirs_again, None),
    ]
}

/// Fifty mappings against the three that are shipped.
pub fn fifty() -> Vec<Figure> {
    let (events, three, fifty) = (trace::events(), compile(SHIPPED), compile(FIFTY));
    assert_eq!((three.mappings.len(), fifty.mappings.len()), (3, 50));
    let [many, few] = alternate(&events, [&|event| pass(event, &fifty), &|event| pass(event, &three)]);
    let [many_match, few_match] =
        alternate(&events, [&|event| matches(event, &fifty), &|event| matches(event, &three)]);
    let payloads =
        |mappings| events.iter().map(|event| payloads(event, mappings)).sum::<usize>() as f64 / events.len() as f64;
    let matching = format!("matching alone {:.2} µs and {:.2} µs", many_match, few_match);
    let behind = format!(
        "{many:.2} µs for {:.2} payloads an event, {few:.2} µs for {:.2}; with reading, {matching}",
        payloads(&fifty),
        payloads(&three)
    );
    let reached = Amount::Times(many / few);
    vec![Figure { what: "mapping: 50 mappings against 3", reached, target: Some(Target::AtMost(3.0)), behind }]
}

pub fn compile(text: &str) -> Mappings {
    let environment = |_: &str| Some("token".to_owned());
    let lookup =
        Lookup { environment: &environment, file: &|path| Err(format!("no file {path}")), missing: Missing::Refused };
    let compiled = destination::compile(text, "intercom.yaml", None, lookup);
    compiled.unwrap_or_else(|problems| panic!("{:?}", problems.iter().collect::<Vec<_>>())).mappings
}

fn pass(event: &Event, mappings: &Mappings) {
    let view = event.view().expect("the sample is JSON");
    for mapping in mappings.matching(&view) {
        let _ = black_box(mapping.payload(&view));
    }
}

fn pass_and_write(event: &Event, mappings: &Mappings) {
    let view = event.view().expect("the sample is JSON");
    for mapping in mappings.matching(&view) {
        let payload = mapping.payload(&view).expect("the sample fits");
        black_box(serde_json::value::to_raw_value(&Json::Object(payload.object))).expect("JSON can be written");
    }
}

fn matches(event: &Event, mappings: &Mappings) {
    let view = event.view().expect("the sample is JSON");
    black_box(mappings.matching(&view).count());
}

fn payloads(event: &Event, mappings: &Mappings) -> usize {
    let view = event.view().expect("the sample is JSON");
    mappings.matching(&view).filter(|mapping| mapping.payload(&view).is_ok()).count()
}

/// Microseconds an event that each of two passes takes, in alternating rounds.
fn alternate(events: &[Event], passes: [&dyn Fn(&Event); 2]) -> [f64; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (pass, took) in passes.iter().zip(&mut took) {
            let begun = Instant::now();
            events.iter().for_each(pass);
            took.push(micros(begun.elapsed()) / events.len() as f64);
        }
    }
    took.map(median)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
