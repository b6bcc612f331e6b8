//! What the whole way costs: from a tracking call to the answer of a destination without latency, per second of processor
//! time that the service takes.
//!
//! # Why
//! Every round is a new router in an empty folder and a new, empty workspace, so that nobody is known before. The yardsticks
//! take the same calls in the same run: the bare handler of `bare.rs`, and the relay of `relay.rs`, which is as much as can
//! be done with one request for each event.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::admin;
use crate::figure::{Amount, Figure, Target, median};
use crate::ingest::{Load, runtime};
use crate::load::{self, Requests};
use crate::mapping::compile;
use crate::process::{Home, Process, shipped};
use crate::relay;
use crate::standin::Mood;
use crate::trace;

/// Rounds for each.
const ROUNDS: u64 = 3;

const SINGLE: Load = Load { events_per_call: 1, calls: trace::LENGTH, connections: 64 };
const BATCHES: Load = Load { events_per_call: 100, calls: trace::LENGTH / 100, connections: 16 };

/// One event per call.
pub fn single() -> Vec<Figure> {
    let what = ["end to end: one event a call, per CPU-second", "  against a relay that keeps nothing"];
    // The relay was thought to reach 30,000.
    figures(what, &SINGLE, 16_000.0, 16.0 / 30.0)
}

/// A hundred events per call.
pub fn batches() -> Vec<Figure> {
    let what = ["end to end: batches of 100, per CPU-second", "  against a relay that keeps nothing"];
    // The relay was thought to reach 55,000.
    figures(what, &BATCHES, 25_000.0, 25.0 / 55.0)
}

/// What one of them did with the events.
struct Run {
    /// Events per second of processor time.
    per_cpu_second: f64,
    /// Events per second.
    per_second: f64,
    /// Requests to the destination, for each event.
    requests: f64,
    /// Transactions of the store, for each event.
    commits: f64,
}

fn figures([what, against]: [&'static str; 2], load: &Load, least: f64, least_of_relay: f64) -> Vec<Figure> {
    let rounds: Vec<[Run; 3]> = runtime().block_on(async {
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            let requests = load.requests(round);
            let deliveries = deliveries(round, load);
            rounds.push([
                router(load, requests.clone(), deliveries).await,
                relayed(load, requests.clone()).await,
                bare(load, requests).await,
            ]);
        }
        rounds
    });
    let middle = |at: usize, figure: fn(&Run) -> f64| median(rounds.iter().map(|round| figure(&round[at])).collect());
    let [ours, relay, bare] = [0, 1, 2].map(|at| middle(at, |run| run.per_cpu_second));
    let micros = |per_second: f64| 1e6 / per_second;
    let behind = format!(
        "{:.1} µs of processor time an event, {:.3} requests, {:.3} transactions; {:.0} events a second",
        micros(ours),
        middle(0, |run| run.requests),
        middle(0, |run| run.commits),
        middle(0, |run| run.per_second),
    );
    let yardsticks = format!(
        "relay {relay:.0} per CPU-second, {:.1} µs an event; {:.2} × the bare handler, {:.1} µs",
        micros(relay),
        ours / bare,
        micros(bare)
    );
    let figure = |what, reached, least, behind| Figure { what, reached, target: Some(Target::AtLeast(least)), behind };
    vec![
        figure(what, Amount::PerSecond(ours), least, behind),
        figure(against, Amount::Times(ours / relay), least_of_relay, yardsticks),
    ]
}

/// How many deliveries the events of a round become.
fn deliveries(round: u64, load: &Load) -> usize {
    let mappings = compile(&shipped(SocketAddr::from(([127, 0, 0, 1], 1))));
    let events = load.texts(round).into_iter().map(|text| trace::event(&text));
    let of = |event: &interline::event::Event| mappings.matching(&event.view().expect("the sample is JSON")).count();
    events.map(|event| of(&event)).sum()
}

async fn router(load: &Load, requests: Requests, deliveries: usize) -> Run {
    let stand_in = Process::stand_in(None, Mood::Working).await;
    let home = Home::new(&shipped(stand_in.address));
    let process = home.start().await;
    let mut run = run(load, &process, requests, admin::settled(home.admin, deliveries)).await;
    let metrics = admin::Metrics::now(home.admin).await;
    assert_eq!(metrics.sum("dead_letters", ""), 0.0, "{}", home.log());
    run.requests = metrics.sum("requests_total", "") / load.events() as f64;
    run.commits = metrics.sum("store_commit_duration_seconds_count", "") / load.events() as f64;
    run
}

async fn relayed(load: &Load, requests: Requests) -> Run {
    let stand_in = Process::stand_in(None, Mood::Working).await;
    let process = Process::relay(stand_in.address).await;
    run(load, &process, requests, relay::settled(process.address, load.events())).await
}

async fn bare(load: &Load, requests: Requests) -> Run {
    let process = Process::bare().await;
    run(load, &process, requests, std::future::ready(())).await
}

/// Sends the calls, and waits for the end of what becomes of them.
async fn run(load: &Load, process: &Process, requests: Requests, settled: impl Future<Output = ()>) -> Run {
    let (before, began) = (process.processor_time(), Instant::now());
    load::closed_loop(process.address, load.connections, requests).await;
    settled.await;
    let took = |time: Duration| load.events() as f64 / time.as_secs_f64();
    let busy = process.processor_time() - before;
    Run { per_cpu_second: took(busy), per_second: took(began.elapsed()), requests: 0.0, commits: 0.0 }
}
