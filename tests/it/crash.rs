//! SIGKILL and power cuts at any moment: what was answered 200 reaches Intercom, one person's events stay in order, and
//! what was settled is not sent again.
//!
//! Parameters are read from the environment: `CRASH_CYCLES` kills (20 unless given), `CRASH_SEED`, and what the modules
//! below name.

#[cfg(target_os = "linux")]
mod disk;
mod faults;
#[cfg(target_os = "linux")]
mod images;
mod oracle;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod recording;
mod traffic;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use interline::sandbox::Running;

use crate::support::{Served, sandbox_that};
use oracle::Oracle;
use traffic::{Acknowledged, Sender, senders};

/// Services that are killed side by side, so that the machine has something to do while one of them starts.
const SERVICES: u64 = 4;

/// Waits are short, so that many retries and parkings fall between two kills.
pub const IMPATIENT: &str = "delivery: { retry: { first_wait_secs: 0.02, wait_max_secs: 0.2, \
                             too_early_first_wait_secs: 0.05 } }\n";

pub fn parameter(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn nothing_acknowledged_is_lost_out_of_order_or_sent_again() {
    let cycles = parameter("CRASH_CYCLES", 20);
    let seed = parameter("CRASH_SEED", 1);
    println!("{cycles} cycles, CRASH_SEED={seed}");
    let shares = (0..SERVICES).map(|n| cycles / SERVICES + u64::from(n < cycles % SERVICES));
    let runs: Vec<_> = shares.enumerate().map(|(n, share)| beside(share, seed + 1000 * n as u64)).collect();
    let mut told = oracle::Told::default();
    runs.into_iter().for_each(|run| told.add(run.join().expect("the run says itself what was wrong")));
    println!("{cycles} kills, {told}; none lost, out of order, or sent again");
    assert!(told.acknowledged > cycles, "too few events to show anything");
}

/// A run on a thread of its own: no other one makes it late.
fn beside(cycles: u64, seed: u64) -> JoinHandle<oracle::Told> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    std::thread::spawn(move || runtime.block_on(kill_often(cycles, seed)))
}

/// One service that is killed so often, with everything going wrong at Intercom meanwhile that may.
async fn kill_often(cycles: u64, seed: u64) -> oracle::Told {
    let intercom = sandbox_that(|settings| settings.journal_entries_max = usize::MAX).await;
    let directory = tempfile::tempdir().unwrap();
    let addresses = Served::configure(directory.path(), intercom.url(), IMPATIENT);
    let url = format!("http://{}/v1/batch", addresses.0);
    let acknowledged = Acknowledged::new(|| 0);
    let mut luck = fastrand::Rng::with_seed(seed);
    let mut senders = senders(&acknowledged, &mut luck);
    let mut oracle = Oracle::new(directory.path().join("data/interline.db"));
    for _ in 0..cycles {
        let mut service = Served::start(directory.path(), addresses).await;
        faults::plant(&intercom.control(), &mut luck);
        let stopped = Arc::new(AtomicBool::new(false));
        let sending: Vec<_> =
            senders.drain(..).map(|sender| tokio::spawn(send_until(sender, url.clone(), stopped.clone()))).collect();
        let requests = oracle::requests(&intercom.control()) + luck.usize(..30);
        a_while(|| oracle::requests(&intercom.control()) >= requests).await;
        // The moment of the kill is what this test is about; no outcome depends on its length.
        tokio::time::sleep(Duration::from_micros(luck.u64(500..60_000))).await;
        service.kill();
        oracle.look(&intercom.control());
        stopped.store(true, Ordering::Relaxed);
        for sender in sending {
            senders.push(sender.await.unwrap());
        }
    }
    intercom.control().clear_faults();
    let wanted = acknowledged.take().into_keys().collect();
    let service = Served::start(directory.path(), addresses).await;
    everything_arrives(&intercom, &wanted).await;
    assert_eq!(service.terminate(), Some(0), "SIGTERM ends it in order");
    oracle.check(&intercom.control(), &wanted)
}

/// Waits until every acknowledged event is at Intercom. How long that takes says nothing, as long as it goes on.
pub async fn everything_arrives(intercom: &Running, wanted: &HashSet<(u64, u64)>) {
    const STANDSTILL: Duration = Duration::from_secs(60);
    let (mut fewest, mut since) = (usize::MAX, Instant::now());
    loop {
        let missing = oracle::missing(&intercom.state(), wanted);
        if missing.is_empty() {
            return;
        }
        if missing.len() < fewest {
            (fewest, since) = (missing.len(), Instant::now());
        }
        let some = &missing[..missing.len().min(10)];
        assert!(
            since.elapsed() < STANDSTILL,
            "for {STANDSTILL:?} none of {fewest} acknowledged events has come to Intercom, such as {some:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until something has happened, which only says how much there is to look at; not for long.
async fn a_while(holds: impl Fn() -> bool) {
    for _ in 0..250 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn send_until(mut sender: Sender, url: String, stopped: Arc<AtomicBool>) -> Sender {
    sender.send_until(&url, &stopped).await;
    sender
}
