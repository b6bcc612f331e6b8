//! The benchmarks: `cargo bench` prints one table of what is reached and what is to be reached.
//!
//! Every figure compares two things on one machine in one run, in alternating rounds; the middle round counts.
//! `cargo bench -- ingest` runs those whose name holds a word. A missed target is told, and is no failure.

mod bare;
mod calls;
mod figure;
mod idle;
mod ingest;
mod load;
mod mapping;
mod process;
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
];

fn main() {
    // This program is also the yardstick that it measures against, as a process of its own.
    if let Some(directory) = std::env::var_os(bare::DIRECTORY) {
        return bare::serve(directory.as_ref());
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!("{}", figure::heading());
    for (_, run) in BENCHMARKS.iter().filter(|(name, _)| is_wanted(name)) {
        run().iter().for_each(|figure| println!("{figure}"));
    }
}
