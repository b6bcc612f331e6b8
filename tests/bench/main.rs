//! The benchmarks: `cargo bench` prints one table of what is reached and what is to be reached.
//!
//! Every figure compares two things on one machine in one run, in alternating rounds; the middle round counts.
//! `cargo bench -- ingest` runs those whose name holds a word; `cargo bench -- soak` one that runs only when it is named. A
//! missed target is told, and is no failure.

mod admin;
mod backlog;
mod bare;
mod calls;
mod end_to_end;
mod figure;
mod idle;
mod ingest;
mod load;
mod mapping;
mod pending;
mod process;
mod relay;
mod soak;
mod standin;
mod trace;

use figure::Figure;

/// A benchmark: its name, and what runs it.
type Benchmark = (&'static str, fn() -> Vec<Figure>);

/// Every benchmark, in the order of the table.
const BENCHMARKS: &[Benchmark] = &[
    ("mapping cost", mapping::cost),
    ("mapping fifty", mapping::fifty),
    ("ingest single", ingest::single),
    ("ingest batches", ingest::batches),
    ("ingest latency", ingest::latency),
    ("calls", calls::calls),
    ("idle", idle::idle),
    ("pending", pending::pending),
    ("pending too early", pending::too_early),
    ("end to end single", end_to_end::single),
    ("end to end batches", end_to_end::batches),
];

/// Those that take long, and run only when they are named.
const NAMED: &[Benchmark] = &[("soak", soak::soak)];

fn main() {
    if is_played() {
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_named = |name: &str| words.iter().any(|word| name.contains(word.as_str()));
    let usual = BENCHMARKS.iter().filter(|(name, _)| words.is_empty() || is_named(name));
    let named = NAMED.iter().filter(|(name, _)| is_named(name));
    println!("{}", figure::heading());
    for (_, run) in usual.chain(named) {
        run().iter().for_each(|figure| println!("{figure}"));
    }
}

/// This program is also what it measures against and what is delivered to, as processes of their own.
fn is_played() -> bool {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(address) = variable(process::ADDRESS) else { return false };
    let directory = variable(process::DIRECTORY).expect("a folder is given with the address");
    match (variable(standin::MOOD), variable(relay::DESTINATION)) {
        (Some(mood), _) => standin::serve(&address, &mood),
        (None, Some(destination)) => relay::serve(directory.as_ref(), &address, &destination),
        (None, None) => bare::serve(directory.as_ref(), &address),
    }
    true
}
