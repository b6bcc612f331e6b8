//! Power cuts: the disk as it may be found after one at any moment of several lives of the service.
//!
//! Parameters: `POWER_CUTS` images (40 unless given), `CRASH_SEED`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interline::delivery::{Id, Position};
use interline::metrics::Metrics;
use interline::store::sqlite::Sqlite;
use interline::store::{Accepted, Opening, Settings, Store, Stored};
use serde_json::Value;

use super::images::Disk;
use super::recording::{Deed, Record, Recorder};
use super::traffic::{self, Acknowledged, senders};
use super::{IMPATIENT, a_while, parameter, send_until};
use crate::support::{Served, http, now, quick_sandbox};

/// Lives of the service in one recording.
const LIVES: u64 = 6;

/// A recording, and what the world outside knew when.
struct Story {
    records: Vec<Record>,
    /// (person, number) of each event that was answered 200, and the moment.
    acknowledged: HashMap<(u64, u64), u64>,
    /// Deliveries that were shown as ended, and the moment.
    settled: HashMap<Id, u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let cuts = parameter("POWER_CUTS", 40);
    let seed = parameter("CRASH_SEED", 1);
    let mut luck = fastrand::Rng::with_seed(seed);
    let story = record(&mut luck).await;
    check_beginnings(&story.records);
    check_the_check(&story).await;
    let moments = moments(&story, cuts, &mut luck);
    let (mut disk, mut records) = (Disk::default(), story.records.iter().peekable());
    let mut checked = 0;
    for moment in moments {
        while let Some(record) = records.next_if(|record| record.moment < moment) {
            disk.apply(record);
        }
        let folder = tempfile::tempdir().unwrap();
        disk.cut(folder.path(), &mut luck);
        let told = check(folder.path(), &story, moment).await;
        checked += told.unwrap_or_else(|wrong| {
            let kept = folder.keep();
            panic!("CRASH_SEED={seed}, power cut at {moment}, image kept in {}: {wrong}", kept.display())
        });
    }
    let writes = story.records.iter().filter(|record| matches!(record.deed, Deed::Write { .. })).count();
    println!(
        "{cuts} power cuts among {writes} writes of {LIVES} lives, {} events acknowledged, {checked} events and settlements checked: none lost",
        story.acknowledged.len()
    );
    assert!(story.acknowledged.len() > 100 && story.settled.len() > 20, "too little to show anything");
}

/// A life begins by syncing the log that the one before may have left in the system's memory.
fn check_beginnings(records: &[Record]) {
    let log = |record: &&Record| record.file.ends_with("-wal") && !matches!(record.deed, Deed::Found(_));
    let ends = records.iter().enumerate().filter(|(_, record)| matches!(record.deed, Deed::Found(_)));
    for (at, _) in ends.filter(|(_, record)| record.file.ends_with("-wal")) {
        let first = records[at..].iter().find(log);
        let is_synced = first.is_none_or(|record| matches!(record.deed, Deed::Synced(_) | Deed::Create));
        assert!(is_synced, "a life began with {first:?}");
    }
}

/// On a disk that syncs nothing the loss is noticed.
async fn check_the_check(story: &Story) {
    let mut disk = Disk::default();
    story.records.iter().filter(|record| !matches!(record.deed, Deed::Synced(_))).for_each(|record| disk.apply(record));
    let folder = tempfile::tempdir().unwrap();
    let mut luck = fastrand::Rng::with_seed(0);
    disk.cut(folder.path(), &mut luck);
    let moment = story.records.last().map_or(0, |record| record.moment);
    assert!(check(folder.path(), story, moment).await.is_err(), "a disk that lies was not noticed");
}

/// Runs the service a few times under traffic; most lives end by SIGKILL, some in order.
async fn record(luck: &mut fastrand::Rng) -> Story {
    let intercom = quick_sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let addresses = Served::configure(directory.path(), intercom.url(), IMPATIENT);
    let recorder = Arc::new(Recorder::new(&directory.path().join("data")));
    let moment = recorder.clone();
    let acknowledged = Acknowledged::new(move || moment.moment());
    let mut senders = senders(&acknowledged, luck);
    let settled: Arc<Mutex<HashMap<Id, u64>>> = Arc::default();
    for life in 0..LIVES {
        let environment = recorder.environment(true);
        let mut service = Served::start_with(directory.path(), addresses, &environment).await;
        let stopped = Arc::new(AtomicBool::new(false));
        let url = format!("http://{}/v1/batch", addresses.0);
        let mut tasks: Vec<_> =
            senders.drain(..).map(|sender| tokio::spawn(send_until(sender, url.clone(), stopped.clone()))).collect();
        let watching =
            tokio::spawn(watch(format!("http://{}", addresses.1), recorder.clone(), settled.clone(), stopped.clone()));
        let (enough, shown) = (acknowledged.count() + luck.usize(30..90), settled.lock().unwrap().len() + 5);
        a_while(|| acknowledged.count() >= enough && settled.lock().unwrap().len() >= shown).await;
        // How much happens in a life decides nothing, only how much there is to look at.
        tokio::time::sleep(Duration::from_micros(luck.u64(500..300_000))).await;
        if life % 3 == 1 {
            stopped.store(true, Ordering::Relaxed);
            assert_eq!(service.terminate(), Some(0));
        } else {
            service.kill();
        }
        stopped.store(true, Ordering::Relaxed);
        for task in tasks.drain(..) {
            senders.push(task.await.unwrap());
        }
        watching.await.unwrap();
        recorder.end_life();
    }
    let settled = std::mem::take(&mut *settled.lock().unwrap());
    Story { records: recorder.records(), acknowledged: acknowledged.take(), settled }
}

/// Notes which deliveries the service shows as ended.
async fn watch(
    admin: String,
    recorder: Arc<Recorder>,
    settled: Arc<Mutex<HashMap<Id, u64>>>,
    stopped: Arc<AtomicBool>,
) {
    let client = http();
    while !stopped.load(Ordering::Relaxed) {
        let reply = client.get(format!("{admin}/api/deliveries?status=delivered&limit=100")).send().await;
        let Ok(reply) = reply else { continue };
        let Ok(page) = reply.json::<Value>().await else { continue };
        let moment = recorder.moment();
        let ids = page["deliveries"].as_array().into_iter().flatten();
        let ids = ids.map(|row| row["id"].as_str().unwrap().parse::<Id>().unwrap());
        ids.for_each(|id| {
            settled.lock().unwrap().entry(id).or_insert(moment);
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// When the power is cut: right after an answer, right before a sync has ended, and anywhere; in order.
fn moments(story: &Story, cuts: u64, luck: &mut fastrand::Rng) -> Vec<u64> {
    let answers: Vec<u64> = story.acknowledged.values().copied().collect();
    let syncs = story.records.iter().filter(|record| matches!(record.deed, Deed::Synced(_)));
    let syncs: Vec<u64> = syncs.map(|record| record.moment).collect();
    let end = story.records.last().map_or(0, |record| record.moment);
    let mut moments: Vec<u64> = (0..cuts)
        .map(|n| match n % 3 {
            0 => answers[luck.usize(..answers.len())],
            1 => syncs[luck.usize(..syncs.len())],
            _ => luck.u64(..=end),
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// Opens what the disk holds, and compares it with what the world outside knew by then. Answers how much of that there was.
async fn check(directory: &Path, story: &Story, moment: u64) -> Result<usize, String> {
    let (settings, metrics) = (Settings { ballast_bytes: 0, ..Settings::default() }, Metrics::new());
    let opening = Opening { settings: &settings, directory, metrics: &metrics, now: now() };
    let store = Sqlite::open(&opening).map_err(|error| format!("it does not open: {error}"))?;
    let events = store.events(Position(0), usize::MAX).await.map_err(|error| error.to_string())?;
    let there = numbered(&events)?;
    let acknowledged = story.acknowledged.iter().filter(|(_, known)| **known <= moment).map(|(which, _)| *which);
    let acknowledged: Vec<_> = acknowledged.collect();
    let lost: Vec<_> = acknowledged.iter().filter(|which| !there.contains_key(which)).collect();
    if !lost.is_empty() {
        return Err(format!("{} acknowledged events are lost: {:?}", lost.len(), &lost[..lost.len().min(5)]));
    }
    let settled: Vec<Id> = story.settled.iter().filter(|(_, known)| **known <= moment).map(|(id, _)| *id).collect();
    let found = store.deliveries(settled.clone()).await.map_err(|error| error.to_string())?;
    if found.len() != settled.len() || found.iter().any(|owed| !owed.progress.status.is_settled()) {
        return Err("what was settled is not any more".to_owned());
    }
    check_whole(&store, &events).await?;
    store.close().await;
    Ok(acknowledged.len() + settled.len())
}

/// Where each event stands, when all of them are what was sent, one person's in the order of sending.
fn numbered(events: &[Stored]) -> Result<BTreeMap<(u64, u64), Position>, String> {
    let mut there = BTreeMap::new();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    for (place, stored) in (1..).zip(events) {
        let message = &stored.event.envelope.message_id;
        let which = message.split_once('-').ok_or_else(|| format!("{message} was never sent"))?;
        let (person, number) = (which.0.parse().unwrap(), which.1.parse().unwrap());
        let body: Value = serde_json::from_slice(&stored.event.body).map_err(|error| error.to_string())?;
        let sent = traffic::event(person, number);
        if !sent.as_object().unwrap().iter().all(|(name, value)| body[name] == *value) {
            return Err(format!("event {person}-{number} holds other bytes than were sent: {body}"));
        }
        let expected = next.entry(person).or_insert(0);
        if stored.position.0 != place || number != *expected {
            return Err(format!("event {person}-{number} stands at {}, not {place}", stored.position.0));
        }
        *expected += 1;
        there.insert((person, number), stored.position);
    }
    Ok(there)
}

/// Everything fits together: no damage, no gap, a delivery for each routed event, ids known.
async fn check_whole(store: &Sqlite, events: &[Stored]) -> Result<(), String> {
    let stats = store.stats();
    if stats.quarantined + stats.lost != 0 || stats.last.0 != events.len() as u64 || stats.routed > stats.last {
        return Err(format!("{} events, and {stats:?}", events.len()));
    }
    let ids = (1..=stats.routed.0).map(|position| Id { position: Position(position), number: 0 }).collect();
    let owed = store.deliveries(ids).await.map_err(|error| error.to_string())?;
    let pending = owed.iter().filter(|owed| !owed.progress.status.is_settled()).map(|owed| owed.id);
    let open = store.open(None, None, usize::MAX).await.map_err(|error| error.to_string())?;
    if owed.len() as u64 != stats.routed.0 || !pending.eq(open.iter().map(|open| open.id)) {
        return Err(format!("{} deliveries and {} open ones for {stats:?}", owed.len(), open.len()));
    }
    let again = events.iter().map(|stored| stored.event.clone()).collect();
    let answers = store.accept(again).await.map_err(|error| error.to_string())?;
    match answers.iter().all(|answer| *answer == Accepted::Duplicate) {
        true => Ok(()),
        false => Err("a message id was forgotten".to_owned()),
    }
}
