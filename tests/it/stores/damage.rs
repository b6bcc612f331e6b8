//! Damage anywhere in the files: it is refused, or put aside and counted, and never handed out.
//!
//! Parameters: `DAMAGE_TRIALS` of each sort (100 unless given), `DAMAGE_SEED`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use interline::delivery::{Id, Position};
use interline::event::{Event, Person};
use interline::store::sqlite::Sqlite;
use interline::store::{Error, Store};
use tempfile::TempDir;

use super::fixture::{delivery, event, id, now, opening, pending, route, settled, story, text, waiting};

const EVENTS: u64 = 120;
/// Up to here events are routed, with two deliveries each.
const ROUTED: u64 = 100;
const PAGE: usize = 8192;

fn parameter(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What was put in, and the files as a killed process and as one that ended in order leaves them.
struct Original {
    events: BTreeMap<u64, Event>,
    progress: BTreeMap<Id, String>,
    open: BTreeSet<Id>,
    killed: Files,
    closed: Files,
}

#[derive(Clone)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
    note: Vec<u8>,
}

impl Files {
    fn read(directory: &Path) -> Files {
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
        Files { database: read("interline.db"), log: read("interline.db-wal"), note: read("interline.note") }
    }
}

/// What became of a trial.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Told,
    Harmless,
}

async fn original() -> Original {
    let directory = TempDir::new().unwrap();
    let store = opening(directory.path(), Sqlite::open).unwrap();
    let (mut events, mut progress, mut open) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for position in 1..=EVENTS {
        let mut event = event("website", &format!("m{position}"));
        // Now and then one that does not fit into a page.
        let length = if position % 40 == 0 { 30_000 } else { 50 + position as usize };
        event.body = format!("{{\"position\":{position},\"more\":\"{}\"}}", "x".repeat(length)).into_bytes().into();
        events.insert(position, event);
    }
    for group in events.values().cloned().collect::<Vec<_>>().chunks(10) {
        store.accept(group.to_vec()).await.unwrap();
    }
    for position in 1..=ROUTED {
        let both = [pending(), if position % 7 == 0 { story() } else { settled("delivered") }];
        store.route(&[route(position, both.map(|one| (delivery("website", "intercom"), one)).to_vec())]).await.unwrap();
        let after = if position % 2 == 0 { settled("delivered") } else { waiting(position as i64, false) };
        store.settle(&[(id(position, 0), &after)]).await.unwrap();
    }
    for owed in store.deliveries(ids()).await.unwrap() {
        progress.insert(owed.id, text(&owed.progress));
        open.extend((!owed.progress.status.is_settled()).then_some(owed.id));
    }
    // The last write may have been cut short by a power cut, as far as anybody can know; so it is one that does not matter.
    store.suppress(Person::default(), true).await.unwrap();
    let mut killed = Files::read(directory.path());
    // The note is written once in a second; here it is one of after that.
    killed.note = note(&killed.log);
    store.close().await;
    Original { events, progress, open, killed, closed: Files::read(directory.path()) }
}

/// All events, and all of the log but its last page.
fn note(log: &[u8]) -> Vec<u8> {
    let salt = u64::from_be_bytes(log[16..24].try_into().unwrap());
    let frames = (log.len() - 32) / (PAGE + 24) - 1;
    format!("{EVENTS:020} {salt:016x} {frames:020}\n").into_bytes()
}

fn ids() -> Vec<Id> {
    (1..=ROUTED).flat_map(|position| [id(position, 0), id(position, 1)]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_database_is_never_handed_out() {
    let original = original().await;
    check(&original, "database", |luck| {
        let mut bytes = original.closed.database.clone();
        let pages = bytes.len() / PAGE;
        let page = luck.usize(..pages) * PAGE;
        // Half of the faults where SQLite keeps its own counts and pointers.
        let reach = if luck.bool() { 64 } else { PAGE };
        match luck.u32(..12) {
            0 => bytes.truncate(luck.usize(..bytes.len())),
            1 => bytes[page..page + PAGE].fill(0),
            2 => bytes.copy_within(luck.usize(..pages) * PAGE..pages * PAGE - PAGE, page.min(PAGE)),
            _ => bytes[page + luck.usize(..reach)] ^= 1 << luck.u32(..8),
        }
        Files { database: bytes, ..original.closed.clone() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_log_is_never_handed_out() {
    let original = original().await;
    check(&original, "write-ahead log", |luck| {
        let mut log = original.killed.log.clone();
        let whole = log.len() - PAGE - 24;
        let at = luck.usize(..log.len());
        let end = (at + 4096).min(log.len());
        match luck.u32(..12) {
            0 => log[..32].fill(0),
            5..7 => log.truncate(luck.usize(..whole)),
            1..4 => log[at..end].fill(0),
            4 => log[luck.usize(..32)] ^= 1 << luck.u32(..8),
            _ => log[at] ^= 1 << luck.u32(..8),
        }
        Files { log, ..original.killed.clone() }
    })
    .await;
}

async fn check(original: &Original, what: &str, damage: impl Fn(&mut fastrand::Rng) -> Files) {
    let trials = parameter("DAMAGE_TRIALS", 100);
    let seed = parameter("DAMAGE_SEED", 1);
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    for trial in 0..trials {
        let mut luck = fastrand::Rng::with_seed(seed * 1_000_000 + trial);
        let directory = TempDir::new().unwrap();
        let Files { database, log, note } = damage(&mut luck);
        std::fs::write(directory.path().join("interline.db"), database).unwrap();
        std::fs::write(directory.path().join("interline.note"), note).unwrap();
        if !log.is_empty() {
            std::fs::write(directory.path().join("interline.db-wal"), log).unwrap();
        }
        let outcome = judge(original, directory.path()).await;
        let outcome = outcome.unwrap_or_else(|wrong| panic!("{what}, DAMAGE_SEED={seed}, trial {trial}: {wrong}"));
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{what}: of {trials} faults {outcomes:?}");
}

/// An error is damage that nobody would have noticed.
async fn judge(original: &Original, directory: &Path) -> Result<Outcome, String> {
    let store = match opening(directory, Sqlite::open) {
        Ok(store) => store,
        Err(error) => return refused(error),
    };
    let read = read(&store).await;
    let (events, deliveries, open) = match read {
        Ok(read) => read,
        Err(error) => return refused(error),
    };
    let stats = store.stats();
    store.close().await;
    let told = stats.quarantined + stats.lost;
    for (position, event) in &events {
        if original.events.get(position) != Some(event) {
            return Err(format!("event {position} is not what was accepted"));
        }
    }
    let missing = original.events.len() - events.len();
    if told == 0 && missing > 0 {
        return Err(format!("{missing} events are gone and nobody says so"));
    }
    for (id, progress) in &deliveries {
        if original.progress.get(id) != Some(progress) && told == 0 {
            return Err(format!("delivery {id} stands elsewhere: {progress}"));
        }
    }
    if told == 0 && open != original.open {
        return Err(format!("{} deliveries are open, not {}", open.len(), original.open.len()));
    }
    Ok(if told > 0 { Outcome::Told } else { Outcome::Harmless })
}

fn refused(error: Error) -> Result<Outcome, String> {
    match error {
        Error::Failed(why) | Error::Incompatible(why) if !why.is_empty() => Ok(Outcome::Refused),
        other => Err(format!("it was refused as {other:?}")),
    }
}

type Read = (BTreeMap<u64, Event>, BTreeMap<Id, String>, BTreeSet<Id>);

/// Reads everything, and looks through it as is done now and then.
async fn read(store: &Sqlite) -> Result<Read, Error> {
    store.trim(now(0)).await?;
    let events = store.events(Position(0), usize::MAX).await?;
    let events = events.into_iter().map(|stored| (stored.position.0, stored.event)).collect();
    let deliveries = store.deliveries(ids()).await?;
    let deliveries = deliveries.into_iter().map(|owed| (owed.id, text(&owed.progress))).collect();
    let open = store.open(None, None, usize::MAX).await?.iter().map(|open| open.id).collect();
    Ok((events, deliveries, open))
}
