//! A long run at a rate that the destination can bear, while the destination has random faults: whether memory, disk, file
//! handles and threads stay where they are, and whether everything comes to its end.
//!
//! # Why
//! What leaks shows in hours; what leaks fast, in this. After the first quarter, in which caches fill and the store reaches
//! the bytes it may have, nothing may grow: what is the middle of the last quarter is held against the middle of the second.
//! `SOAK_MINUTES` is how long it runs, `SOAK_RATE` how many events a second.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interline::sample::Sample;
use interline::sandbox::{Close, Effect, Fault};
use tokio::sync::watch;

use crate::admin::{self, Metrics};
use crate::figure::{Amount, Figure, Target, median};
use crate::ingest::runtime;
use crate::load;
use crate::process::{Home, KEY, Process, shipped};
use crate::trace;

const MINUTES: u64 = 8;
const RATE: u64 = 100;
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);
/// How often other faults are planted.
const FAULTS_EVERY: Duration = Duration::from_secs(10);
/// Seconds of load that are prepared at once.
const CHUNK: u64 = 10;
/// Lines of the table, at most.
const LINES: usize = 30;
/// How long everything may take to come to its end when there are no faults any more.
const PATIENCE: Duration = Duration::from_secs(300);
/// So little that the store is full after the first quarter; and waits so short that what failed often, or waits for a
/// contact that does not come, ends soon after the faults.
const SETTINGS: &str = "queue: { keep: { retention_bytes: 16000000, dedupe_hours: 1 } }\n\
                        delivery: { retry: { wait_max_secs: 30, too_early_max_secs: 120 } }\n";

/// What is looked at: its name, how much it may grow by, as a share, and how much besides.
const WATCHED: [(&str, f64, f64); 5] = [
    ("memory MiB", 0.10, 2.0),
    ("disk MiB", 0.10, 2.0),
    ("handles", 0.10, 4.0),
    ("threads", 0.0, 2.0),
    // Outages make it rise and fall.
    ("pending", 1.0, 20.0 * RATE as f64),
];

/// What was seen at one time.
struct Seen {
    at: Duration,
    watched: [f64; WATCHED.len()],
    /// What has happened until then: events accepted, requests made, requests that failed, dead letters.
    counts: [f64; 4],
}

/// Runs it, prints the table, and fails when something is not flat or did not come to its end.
pub fn soak() -> Vec<Figure> {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().expect("a whole number"));
    let (minutes, rate) = (number("SOAK_MINUTES", MINUTES), number("SOAK_RATE", RATE));
    let seen = runtime().block_on(run(Duration::from_secs(60 * minutes), rate));
    let quarter = seen.len() / 4;
    let middle = |seen: &[Seen], at: usize| median(seen.iter().map(|seen| seen.watched[at]).collect());
    let mut grown = Vec::new();
    let mut behind = Vec::new();
    for (at, (name, share, besides)) in WATCHED.into_iter().enumerate() {
        let (then, now) = (middle(&seen[quarter..2 * quarter], at), middle(&seen[3 * quarter..], at));
        behind.push(format!("{name} {then:.1} → {now:.1}"));
        if now > then * (1.0 + share) + besides {
            grown.push(format!("{name} grew from {then:.1} to {now:.1}"));
        }
    }
    assert!(grown.is_empty(), "not flat: {}", grown.join(", "));
    let growth = middle(&seen[3 * quarter..], 0) / middle(&seen[quarter..2 * quarter], 0);
    let target = Some(Target::AtMost(1.0 + WATCHED[0].1));
    let behind = format!("the middle of the last quarter and of the second: {}", behind.join(", "));
    vec![Figure { what: "soak: memory, end against beginning", reached: Amount::Times(growth), target, behind }]
}

async fn run(long: Duration, rate: u64) -> Vec<Seen> {
    let sandbox = Process::sandbox().await;
    let home = Home::with(&shipped(sandbox.address), SETTINGS);
    let process = home.start().await;
    let (over, is_over) = watch::channel(false);
    let (_, (), seen) = tokio::join!(
        async {
            send(process.address, rate, long).await;
            over.send_replace(true);
        },
        disturb(sandbox.address, is_over.clone()),
        look(&home, &process, is_over),
    );
    print(&seen);
    end(&home).await;
    seen
}

/// Sends events, some alone and some in batches, in the order of the sample.
async fn send(address: SocketAddr, rate: u64, long: Duration) {
    let (began, mut sample) = (Instant::now(), Sample::new(1, trace::start()));
    while began.elapsed() < long {
        let texts: Vec<String> = sample.by_ref().take((rate * CHUNK) as usize).collect();
        let call = |text: &String| load::post(&format!("/v1/{}", trace::kind(text)), KEY, text);
        load::open_loop(address, 8, rate as u32, Arc::new(texts.iter().map(call).collect())).await;
    }
}

/// Plants other faults again and again; one time in thirty the destination is down until the next.
async fn disturb(sandbox: SocketAddr, over: watch::Receiver<bool>) {
    let mut luck = fastrand::Rng::with_seed(1);
    while !*over.borrow() {
        let faults = match luck.u32(..30) {
            0 => vec![Fault { count: 0, ..Fault::new("*", Effect::status(503)) }],
            _ => (0..6).map(|_| fault(&mut luck)).collect(),
        };
        calm(sandbox).await;
        admin::ask(sandbox, "POST", "/_sandbox/faults", &serde_json::json!(faults).to_string()).await;
        tokio::time::sleep(FAULTS_EVERY).await;
    }
    calm(sandbox).await;
}

async fn calm(sandbox: SocketAddr) {
    admin::ask(sandbox, "DELETE", "/_sandbox/faults", "").await;
}

fn fault(luck: &mut fastrand::Rng) -> Fault {
    let on = ["*", "POST /events", "POST /contacts", "PUT /contacts/{id}", "POST /companies"];
    let does = match luck.u32(..12) {
        0 if luck.u32(..4) == 0 => Effect::status(429),
        0 | 1 => Effect::status(500),
        2 => Effect::status(503),
        3 => Effect::status_after(502),
        4 => Effect::Close(Close::Before),
        5 => Effect::Close(Close::During),
        6 => Effect::Close(Close::After),
        7 => Effect::Html { status: 502, commit: false },
        8 => Effect::Truncated { keep_bytes: 20 },
        9 => Effect::SlowReply(luck.u64(50..2_000)),
        10 => Effect::SlowBody(luck.u64(50..2_000)),
        _ => Effect::Delay(luck.u64(50..2_000)),
    };
    // A 429 without headers is ten seconds of quiet: more of them and the rate is not one that can be borne.
    Fault { nth: luck.u64(1..200), count: luck.u64(1..3), ..Fault::new(on[luck.usize(..on.len())], does) }
}

async fn look(home: &Home, process: &Process, over: watch::Receiver<bool>) -> Vec<Seen> {
    let (began, mut seen) = (Instant::now(), Vec::new());
    while !*over.borrow() {
        tokio::time::sleep(EVERY).await;
        let metrics = Metrics::now(home.admin).await;
        let sum = |name| metrics.sum(name, "");
        let failed = sum("requests_total") - metrics.sum("requests_total", "status=\"2");
        let watched = [
            process.resident(),
            bytes(&home.data()) / (1024.0 * 1024.0),
            process.handles(),
            process.threads(),
            sum("deliveries_pending"),
        ];
        let counts = [sum("events_accepted_total"), sum("requests_total"), failed, sum("dead_letters")];
        seen.push(Seen { at: began.elapsed(), watched, counts });
    }
    seen
}

/// Waits until nothing is pending, and looks whether everything has come to its end.
async fn end(home: &Home) {
    let began = Instant::now();
    let metrics = loop {
        let metrics = Metrics::now(home.admin).await;
        let is_routed = metrics.sum("store_backlog", "") == 0.0;
        if is_routed && metrics.sum("deliveries_pending", "") == 0.0 {
            break metrics;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "after {PATIENCE:?} without faults {:.0} deliveries are pending, {:.0} of them too early and {:.0} for another try",
            metrics.sum("deliveries_pending", ""),
            metrics.sum("deliveries_waiting", "too_early"),
            metrics.sum("deliveries_waiting", "retry"),
        );
        tokio::time::sleep(EVERY).await;
    };
    let ended = |status: &str| metrics.sum("deliveries_total", status);
    println!(
        "{:.0} events accepted, {:.0} deliveries made; {:.0} delivered, {:.0} skipped, {:.0} dead letters; the last {:.0} s \
         after the end of the load",
        metrics.sum("events_accepted_total", ""),
        metrics.sum("deliveries_created_total", ""),
        ended("status=\"delivered\""),
        ended("status=\"skipped\""),
        ended("status=\"dead_letter\""),
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(metrics.sum("deliveries_created_total", ""), ended(""), "every delivery has come to its end");
    assert_eq!(metrics.sum("store_lost_events", "") + metrics.sum("store_quarantined", ""), 0.0, "nothing is lost");
}

/// Bytes of all files in a folder.
fn bytes(folder: &Path) -> f64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => bytes(&entry.path()),
        Ok(facts) => facts.len() as f64,
        // It went meanwhile.
        Err(_) => 0.0,
    };
    entries.map(of).sum()
}

fn print(seen: &[Seen]) {
    let names = WATCHED.map(|(name, ..)| format!("{name:>11}")).join("");
    println!("{:>7}{names}{:>11}{:>11}{:>11}{:>11}", "minute", "accepted", "requests", "failed", "dead");
    for seen in seen.iter().step_by(seen.len().div_ceil(LINES).max(1)) {
        let [memory, disk, rest @ ..] = seen.watched;
        let counts = rest.iter().chain(&seen.counts).map(|number| format!("{number:>11.0}")).collect::<String>();
        println!("{:>7.1}{memory:>11.1}{disk:>11.1}{counts}", seen.at.as_secs_f64() / 60.0);
    }
}
