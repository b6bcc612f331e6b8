//! Judges what Intercom was sent over many deaths of the service.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use interline::delivery::{Delivery, Progress};
use interline::sandbox::{Control, Expectation};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::traffic::{Step, email, identified_at, step, tagged, user};

/// A person and the number of the event.
type Which = (u64, u64);

/// Looks into the store after each kill, and remembers what was settled then.
pub struct Oracle {
    file: PathBuf,
    /// Settled deliveries, and how many requests Intercom had seen when that was first known.
    settled: HashMap<i64, (Which, usize)>,
    retried: usize,
    parked: usize,
}

/// What a run came to.
#[derive(Default)]
pub struct Told {
    pub acknowledged: u64,
    pub settled: usize,
    pub requests: usize,
    pub retried: usize,
    pub parked: usize,
}

impl Told {
    pub fn add(&mut self, other: Told) {
        self.acknowledged += other.acknowledged;
        self.settled += other.settled;
        self.requests += other.requests;
        self.retried += other.retried;
        self.parked += other.parked;
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { acknowledged, settled, requests, retried, parked } = self;
        write!(
            f,
            "{acknowledged} events acknowledged, {requests} requests; at the kills {settled} deliveries known as settled, \
             {retried} seen between two attempts, {parked} seen parked"
        )
    }
}

impl Oracle {
    pub fn new(file: PathBuf) -> Oracle {
        Oracle { file, settled: HashMap::new(), retried: 0, parked: 0 }
    }

    /// Reads the file of a service that is dead, without bringing its log home.
    pub fn look(&mut self, intercom: &Control) {
        let seen = requests(intercom);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(&self.file, flags).unwrap();
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        let known = &mut self.settled;
        let mut select = file.prepare("SELECT id, record, progress FROM deliveries").unwrap();
        let mut rows = select.query(()).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let id: i64 = row.get(0).unwrap();
            if known.contains_key(&id) {
                continue;
            }
            let progress: Progress = serde_json::from_str(row.get_ref(2).unwrap().as_str().unwrap()).unwrap();
            if progress.status.is_settled() {
                known.insert(id, (which(row.get_ref(1).unwrap().as_str().unwrap()), seen));
                continue;
            }
            let text = serde_json::to_value(&progress.status).unwrap();
            self.parked += usize::from(text["parked"] == true);
            self.retried += usize::from(text["parked"] == false);
        }
    }

    /// Judges everything that Intercom was sent.
    pub fn check(&self, intercom: &Control, wanted: &HashSet<Which>) -> Told {
        let journal = intercom.journal();
        let journal = journal.as_array().expect("a journal is a list");
        let requests: Vec<Option<Which>> = journal.iter().map(|entry| tagged(&entry["body"].to_string())).collect();
        self.check_repeats(&requests);
        check_order(journal, &requests);
        check_people(&intercom.state(), wanted);
        Told {
            acknowledged: wanted.len() as u64,
            settled: self.settled.len(),
            requests: requests.len(),
            retried: self.retried,
            parked: self.parked,
        }
    }

    /// Nothing that the store knew as settled was sent after that.
    fn check_repeats(&self, requests: &[Option<Which>]) {
        let mut last: HashMap<Which, usize> = HashMap::new();
        for (at, which) in requests.iter().enumerate() {
            last.extend(which.map(|which| (which, at)));
        }
        for (id, (which, seen)) in &self.settled {
            let again = last.get(which).filter(|at| *at >= seen);
            assert!(
                again.is_none(),
                "delivery {id} of event {which:?} was settled, and sent again: {again:?} ≥ {seen}"
            );
        }
    }
}

/// How many requests Intercom has seen.
pub fn requests(intercom: &Control) -> usize {
    intercom.count(&Expectation::default())
}

fn which(record: &str) -> Which {
    let delivery: Delivery = serde_json::from_str(record).unwrap();
    tagged(delivery.payload.expect("every payload fits").get()).expect("every payload is tagged")
}

/// The acknowledged events of which Intercom shows nothing. Those of a person whose contact was never asked for have
/// nowhere to go.
pub fn missing(state: &Value, wanted: &HashSet<Which>) -> Vec<Which> {
    let state = state.to_string();
    // Up to the end of the text that it stands in, so that not all the rest is copied for each.
    let tags = state.split("tag-").skip(1).filter_map(|rest| rest.split('"').next());
    let there: HashSet<Which> = tags.filter_map(|rest| tagged(&format!("tag-{rest}"))).collect();
    // A contact shows only the newest of its names.
    let newest = |person| there.iter().filter(|(one, _)| *one == person).map(|(_, number)| *number).max();
    let is_there = |which: &Which| match step(which.0, which.1) {
        Step::Identify => newest(which.0).is_some_and(|newest| newest >= which.1),
        Step::Group | Step::Track => there.contains(which),
    };
    let is_asked_for = |which: &Which| wanted.contains(&(which.0, identified_at(which.0)));
    wanted.iter().filter(|which| is_asked_for(which) && !is_there(which)).copied().collect()
}

/// A number may come again, but only the last one, and none that skips ahead. What came before the person's contact was
/// there may come at any time: it stands outside the line.
fn check_order(journal: &[Value], requests: &[Option<Which>]) {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (entry, which) in journal.iter().zip(requests) {
        let Some((person, number)) = *which else { continue };
        let begin = identified_at(person);
        if number < begin {
            continue;
        }
        let before = last.get(&person).copied();
        let is_next = before.map_or(number == begin, |before| number == before || number == before + 1);
        assert!(is_next, "person {person}: {number} came after {before:?}: {entry}");
        last.insert(person, number);
    }
}

/// One person is one contact, however often the service died while making it; and belongs to their companies.
fn check_people(state: &Value, wanted: &HashSet<Which>) {
    let people: HashSet<u64> = wanted.iter().map(|(person, _)| *person).collect();
    let contacts = list(&state["contacts"]);
    for person in people {
        let name = user(person);
        let is_theirs = |contact: &&&Value| contact["external_id"] == *name || contact["email"] == *email(person);
        let theirs = contacts.iter().filter(is_theirs).count();
        assert!(theirs <= 1, "person {person} became {theirs} contacts");
    }
}

/// Items of a list, or values of an object.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}
