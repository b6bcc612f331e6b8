//! What the service takes while nothing happens.

use std::time::Duration;

use crate::figure::{Amount, Figure, Target};
use crate::ingest::runtime;
use crate::process::Process;

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(5);
/// How long it may settle after its start.
const SETTLING: Duration = Duration::from_secs(2);

/// Memory and processor time of the real binary with the shipped mappings.
pub fn idle() -> Vec<Figure> {
    let destination = include_str!("../../mappings/intercom.yaml").replace("${INTERCOM_ACCESS_TOKEN}", "token");
    let (resident, busy, woken) = runtime().block_on(async {
        let process = Process::interline(&destination).await;
        tokio::time::sleep(SETTLING).await;
        let (busy, woken) = (process.processor_time(), process.wake_ups());
        tokio::time::sleep(WATCHED).await;
        (process.resident(), process.processor_time() - busy, process.wake_ups() - woken)
    });
    let share = busy.as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    let behind = format!("{busy:?} of processor time and {woken} wake-ups in {WATCHED:?}");
    vec![
        Figure {
            what: "idle: resident memory",
            reached: Amount::Mebibytes(resident),
            target: Some(Target::AtMost(30.0)),
            behind: "with the shipped mappings, seven seconds after its start".to_owned(),
        },
        Figure {
            what: "idle: processor time (no busy polling)",
            reached: Amount::Percent(share),
            target: Some(Target::AtMost(1.0)),
            behind,
        },
    ]
}
