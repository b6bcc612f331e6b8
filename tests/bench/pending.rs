//! What a million pending events take: how long a start lasts, and how much memory is resident while the destination is
//! down, while it is paused, and while what is pending is worked off; and the same where all of them came too early.
//!
//! # Why
//! The events are made through the store, as the router would have made them, because routing a million of them first would
//! measure that. Every tenth is about one person, whose line is a hundred thousand long; the others are about some two
//! hundred thousand people. Those that came too early are about a person each, as where nobody is known whom they name.
//! `PENDING` is another number of events.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use interline::json::Json;

use crate::admin;
use crate::backlog::{everybody, fill, stranger, strangers};
use crate::figure::{Amount, Figure, Target};
use crate::ingest::runtime;
use crate::load::{self, Connection};
use crate::process::{Home, KEY, Process, shipped};
use crate::standin::Mood;
use crate::trace;

/// Events that are pending, unless told otherwise.
const PENDING: usize = 1_000_000;
/// How long each state is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// The same while they are worked off: until as many people are remembered as may be.
const WORKED_OFF: Duration = Duration::from_secs(60);
/// 150 MB.
const MEMORY_MAX: f64 = 150e6 / (1024.0 * 1024.0);
/// Seconds.
const START_MAX: f64 = 2.0;

fn count() -> usize {
    std::env::var("PENDING").map_or(PENDING, |text| text.parse().expect("PENDING is a number"))
}

/// Starts the real binary on a folder with a million pending events, with a destination that is down, then with one that
/// is paused, then lets it go on.
pub fn pending() -> Vec<Figure> {
    let count = count();
    runtime().block_on(async {
        let stand_in = Process::stand_in(None, Mood::Down).await;
        let home = Home::new(&shipped(stand_in.address));
        let bytes = fill(&home.data(), count, &everybody()).await;
        let (down, [warm, cost, accepted]) = while_down(&home).await;
        let address = stand_in.address;
        drop(stand_in);
        let is_cold = match forget(&home.data()) {
            true => "as after a boot of the machine",
            false => "`dd` could not take it out of the system's memory, so this is the same",
        };
        let (paused, cold, resumed) = while_paused(&home, address).await;
        let behind = format!(
            "from exec until `/readyz` is 200, with {:.2} s of processor time; an event was accepted after {:.2} s; {count} \
             events, {:.0} MB of store",
            cost.as_secs_f64(),
            accepted.as_secs_f64(),
            bytes as f64 / 1e6
        );
        let ready = |what, after: Duration, behind| Figure {
            what,
            reached: Amount::Seconds(after.as_secs_f64()),
            target: Some(Target::AtMost(START_MAX)),
            behind,
        };
        vec![
            ready("pending start: ready", warm, behind),
            ready("  the same, with nothing of the store in memory", cold, is_cold.to_owned()),
            down.memory("pending memory: the destination answers 503"),
            paused.memory("pending memory: the destination is paused"),
            resumed.memory("pending memory: while they are worked off"),
        ]
    })
}

/// Starts it on a folder with a million calls of a million people who are not there yet; then one of them comes, and those
/// that wait are looked through.
pub fn too_early() -> Vec<Figure> {
    let count = count();
    runtime().block_on(async {
        let stand_in = Process::stand_in(None, Mood::Working).await;
        let home = Home::new(&shipped(stand_in.address));
        let strangers = strangers();
        fill(&home.data(), count, &strangers).await;
        let process = home.start().await;
        let calm = Watched::over(&home, &process, WATCHED).await;
        assert_eq!(calm.requests, 0.0, "nobody is asked for before the time");
        // The last of them.
        let view = stranger(&strangers.trace, count - 1, trace::start());
        let view = view.view().expect("the sample is JSON");
        let user = view.get("userId").and_then(Json::as_str).expect("strangers have ids");
        let body = format!(r#"{{"type":"identify","userId":"{user}","traits":{{"name":"Ada"}}}}"#);
        let call = load::post("/v1/identify", KEY, &body);
        Connection::open(process.address).await.expect("the door is open").send(&call).await;
        let came = Watched::over(&home, &process, WATCHED).await;
        assert_eq!(came.pending, calm.pending - 1.0, "the one whose contact came goes: {}", home.log());
        vec![
            calm.memory("pending memory: all of them came too early"),
            came.memory("  and one of their contacts comes"),
        ]
    })
}

/// What was seen of a process.
struct Watched {
    /// Mebibytes, at most.
    most: f64,
    /// Mebibytes at the end.
    last: f64,
    requests: f64,
    pending: f64,
    /// Processor time.
    cost: Duration,
}

impl Watched {
    fn memory(&self, what: &'static str) -> Figure {
        Figure {
            what,
            reached: Amount::Mebibytes(self.most),
            target: Some(Target::AtMost(MEMORY_MAX)),
            behind: format!(
                "the most at any time; {:.1} MiB at the end, {:.0} requests made, {:.0} pending, {:.2} s of processor time",
                self.last,
                self.requests,
                self.pending,
                self.cost.as_secs_f64()
            ),
        }
    }

    /// Watches a router for a while.
    async fn over(home: &Home, process: &Process, time: Duration) -> Watched {
        let before = process.processor_time();
        tokio::time::sleep(time).await;
        let cost = process.processor_time() - before;
        let metrics = admin::Metrics::now(home.admin).await;
        Watched {
            cost,
            most: process.resident_max(),
            last: process.resident(),
            requests: metrics.sum("requests_total", ""),
            pending: metrics.sum("deliveries_pending", ""),
        }
    }
}

/// How it is; how long it took until it was ready, what that cost, and how long until it had accepted an event. Ends with a
/// pause.
async fn while_down(home: &Home) -> (Watched, [Duration; 3]) {
    let process = home.start().await;
    let event = trace::texts(2, 1).remove(0);
    let call = load::post(&format!("/v1/{}", trace::kind(&event)), KEY, &event);
    Connection::open(process.address).await.expect("the door is open").send(&call).await;
    let accepted = process.age();
    let watched = Watched::over(home, &process, WATCHED).await;
    assert!(watched.requests > 0.0, "nothing was attempted: {}", home.log());
    admin::ask(home.admin, "POST", "/api/destinations/intercom/pause", "").await;
    (watched, [process.ready_after, process.start_cost, accepted])
}

/// How it is, how long it took until it was ready, and how it is when it goes on with a destination that works.
async fn while_paused(home: &Home, address: SocketAddr) -> (Watched, Duration, Watched) {
    let _stand_in = Process::stand_in(Some(address), Mood::Working).await;
    let process = home.start().await;
    let paused = Watched::over(home, &process, WATCHED).await;
    assert_eq!(paused.requests, 0.0, "nothing is sent to what is paused");
    admin::ask(home.admin, "POST", "/api/destinations/intercom/resume", "").await;
    let resumed = Watched::over(home, &process, WORKED_OFF).await;
    assert!(resumed.requests > 0.0, "nothing was attempted: {}", home.log());
    (paused, process.ready_after, resumed)
}

/// Takes the store out of the system's memory; whether that worked.
fn forget(data: &Path) -> bool {
    let file = format!("if={}", data.join("interline.db").display());
    let mut dd = Command::new("dd");
    dd.args([&file, "iflag=nocache", "count=0"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
