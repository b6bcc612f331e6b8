//! What taking events costs, until they are durable: the release binary without destinations against a bare handler.
//!
//! Both are processes with the same number of workers, on the same disk, under the same load.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::figure::{Amount, Figure, Target, median};
use crate::load::{self, Requests};
use crate::process::{KEY, Process};
use crate::trace;

/// A destination that is switched off, so that taking events is all there is to do.
const OFF: &str = "destination: intercom\nenabled: false\nsettings: { region: us, access_token: t }\nmappings: []\n";
/// Rounds for each side, after one that does not count.
const ROUNDS: u64 = 5;

/// How many calls there are, of how many events each.
pub struct Load {
    /// Events in one call; several are a batch.
    pub events_per_call: usize,
    /// Calls in all.
    pub calls: usize,
    /// Connections that they are sent over.
    pub connections: usize,
}

const SINGLE: Load = Load { events_per_call: 1, calls: 20_000, connections: 64 };
const BATCHES: Load = Load { events_per_call: 100, calls: 500, connections: 16 };
const STEADY: Load = Load { events_per_call: 1, calls: 4_000, connections: 32 };
/// Calls a second of the steady load.
const RATE: u32 = 1_000;

/// One event per call, as fast as they are answered.
pub fn single() -> Vec<Figure> {
    vec![throughput("ingest: one event a call, against a bare handler", &SINGLE, 0.7)]
}

/// A hundred events per call, as fast as they are answered.
pub fn batches() -> Vec<Figure> {
    vec![throughput("ingest: batches of 100, against a bare handler", &BATCHES, 0.6)]
}

/// How long a call takes under a steady load.
pub fn latency() -> Vec<Figure> {
    let [ours, theirs] = runtime().block_on(async {
        let servers = [Process::interline(OFF).await, Process::bare().await];
        let mut rounds = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            let requests = STEADY.requests(round);
            for (server, rounds) in servers.iter().zip(&mut rounds) {
                let latencies = load::open_loop(server.address, STEADY.connections, RATE, requests.clone()).await;
                rounds.push(latencies);
            }
        }
        rounds.map(|rounds| Latency::of(&rounds[1..]))
    });
    let behind =
        format!("p99 {:.2} ms against {:.2} ms; p50 {:.2} and {:.2} ms", ours.p99, theirs.p99, ours.p50, theirs.p50);
    let reached = Amount::Times(ours.p99 / theirs.p99);
    let what = "accept latency: p99 at 1,000 events a second";
    vec![Figure { what, reached, target: Some(Target::AtMost(3.0)), behind }]
}

/// Milliseconds, the middle of the rounds.
struct Latency {
    p50: f64,
    p99: f64,
}

impl Latency {
    fn of(rounds: &[Vec<Duration>]) -> Latency {
        let at = |percent: usize| {
            let of_round = |round: &Vec<Duration>| round[round.len() * percent / 100].as_secs_f64() * 1e3;
            median(rounds.iter().map(of_round).collect())
        };
        Latency { p50: at(50), p99: at(99) }
    }
}

fn throughput(what: &'static str, load: &Load, least: f64) -> Figure {
    let [ours, theirs] = runtime().block_on(async {
        let servers = [Process::interline(OFF).await, Process::bare().await];
        let mut rounds = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            let requests = load.requests(round);
            for (server, rounds) in servers.iter().zip(&mut rounds) {
                rounds.push(load.run(server, requests.clone()).await);
            }
        }
        rounds.map(|rounds| Rate::of(&rounds[1..]))
    });
    let behind = format!(
        "{:.0} events a second against {:.0}; {:.1} µs of processor time an event against {:.1}",
        ours.per_second, theirs.per_second, ours.cost, theirs.cost
    );
    let reached = Amount::Times(ours.per_second / theirs.per_second);
    Figure { what, reached, target: Some(Target::AtLeast(least)), behind }
}

/// What one server did with one load.
struct Rate {
    /// Events a second.
    per_second: f64,
    /// Microseconds of processor time an event.
    cost: f64,
}

impl Rate {
    fn of(rounds: &[Rate]) -> Rate {
        Rate {
            per_second: median(rounds.iter().map(|rate| rate.per_second).collect()),
            cost: median(rounds.iter().map(|rate| rate.cost).collect()),
        }
    }
}

impl Load {
    /// Events in all.
    pub fn events(&self) -> usize {
        self.calls * self.events_per_call
    }

    /// The events of a round; no two rounds have a message id in common.
    pub fn texts(&self, round: u64) -> Vec<String> {
        trace::texts(round + 1, self.events())
    }

    /// The calls of a round.
    pub fn requests(&self, round: u64) -> Requests {
        let events = self.texts(round);
        let call = |events: &[String]| match events {
            [event] => load::post(&format!("/v1/{}", trace::kind(event)), KEY, event),
            events => load::post("/v1/batch", KEY, &format!(r#"{{"batch":[{}]}}"#, events.join(","))),
        };
        Arc::new(events.chunks(self.events_per_call).map(call).collect())
    }

    async fn run(&self, server: &Process, requests: Requests) -> Rate {
        let events = self.events() as f64;
        let before = server.processor_time();
        let took = load::closed_loop(server.address, self.connections, requests).await;
        let busy = server.processor_time() - before;
        Rate { per_second: events / took.as_secs_f64(), cost: busy.as_secs_f64() * 1e6 / events }
    }
}

/// One thread, so that the servers have the rest of the machine.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
