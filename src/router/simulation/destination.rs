//! The destination of a history: it knows people and companies by their keys, and has moods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;

use crate::action::{Failure, Fills, Kind, Outcome};
use crate::delivery::{Delivery, Exchange, Id, Steps};
use crate::destination::{Ahead, Allowance, Performed, awaited};
use crate::instant::Timestamp;
use crate::router::load::Load;

/// Makes the contact of everybody it is about, and writes them.
pub(super) const MAKES: &str = "makes";
/// The same, and writes nothing.
pub(super) const COMES: &str = "comes";
/// Writes those it is about. Comes too early until one of them is known, if it is about anybody.
pub(super) const NEEDS: &str = "needs";
/// Writes the company it is about, if any; the rest is as with one that needs somebody.
pub(super) const WRITES: &str = "writes";
/// Needs nobody.
pub(super) const PLAIN: &str = "plain";
/// Is never taken.
pub(super) const BAD: &str = "bad";
/// The same, of an action that may be made one with others.
pub(super) const SPOILT: &str = "spoilt";
/// What a payload says that is never taken.
const BAD_PAYLOAD: &str = r#"{"bad":true}"#;
const PAYLOAD: &str = "{}";
const MAKES_PAYLOAD: &str = r#"{"value":1}"#;
/// It says more than what makes somebody.
const NEEDS_PAYLOAD: &str = r#"{"value":1,"other":1}"#;

/// The action of a deed, and its payload.
pub(super) fn deed(does: &'static str) -> (&'static str, &'static str) {
    match does {
        SPOILT => (PLAIN, BAD_PAYLOAD),
        BAD => (BAD, BAD_PAYLOAD),
        MAKES => (MAKES, MAKES_PAYLOAD),
        COMES => (MAKES, PAYLOAD),
        NEEDS => (NEEDS, NEEDS_PAYLOAD),
        does => (does, PAYLOAD),
    }
}

/// What is to be done of an action while an older one waits for somebody.
pub(super) fn ahead(action: &str) -> Ahead {
    match action {
        MAKES => Ahead::Contact,
        WRITES | PLAIN => Ahead::Apart,
        _ => Ahead::Nothing,
    }
}

/// What an action leaves that an older call could write over.
pub(super) fn fills(action: &str) -> Option<&'static Fills> {
    const MAKING: Fills = Fills { presence: Some(true), values_step: Some(WRITTEN), ..Fills::PERSON };
    match action {
        MAKES => Some(&MAKING),
        NEEDS => Some(&Fills::PERSON),
        _ => None,
    }
}

/// Whether a payload is never taken.
pub(super) fn is_bad(delivery: &Delivery) -> bool {
    delivery.payload.as_ref().is_ok_and(|payload| payload.get() == BAD_PAYLOAD)
}

/// One payload for two of an action; it is taken where both are.
pub(super) fn merged(action: &str, older: &[u8], newer: &[u8]) -> Option<String> {
    let is_bad = [older, newer].contains(&BAD_PAYLOAD.as_bytes());
    let same = || String::from_utf8_lossy(older).into_owned();
    (action != BAD).then(|| if is_bad { BAD_PAYLOAD.to_owned() } else { same() })
}

/// The step after which the company is written, or the person.
const WRITTEN: &str = "written";

/// What a company or a person was written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    /// The delivery that was attempted.
    pub(super) by: Id,
    /// The newest one whose values these are.
    pub(super) values: Id,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    Well,
    /// One in ten answers is as when it is flaky.
    Ordinary,
    Flaky,
    Down,
    Unauthorized,
}

pub(super) struct Destination {
    pub(super) mood: Mood,
    contacts: BTreeSet<u64>,
    /// What was written of each company, in order.
    pub(super) companies: BTreeMap<u64, Vec<Write>>,
    /// The same of each field of a person.
    pub(super) people: BTreeMap<(u64, String), Vec<Write>>,
    /// How often each was done.
    pub(super) done: BTreeMap<Id, u32>,
    /// How often each was done and could not be known to be.
    pub(super) unknown: BTreeMap<Id, u32>,
}

impl Destination {
    pub(super) fn new() -> Destination {
        Destination {
            mood: Mood::Well,
            contacts: BTreeSet::new(),
            companies: BTreeMap::new(),
            people: BTreeMap::new(),
            done: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// What a request comes to, of one that stands behind another that waits for somebody, or of any other.
    pub(super) fn perform(&mut self, (load, follows): (&Load, bool), now: Timestamp, rng: &mut Rng) -> Performed {
        let mood = match self.mood {
            Mood::Ordinary if rng.u8(..10) == 0 => Mood::Flaky,
            mood => mood,
        };
        let is_flaky = mood == Mood::Flaky;
        match rng.u8(..10) {
            _ if mood == Mood::Unauthorized => failed(Kind::Unauthorized, None),
            0..6 if mood == Mood::Down => failed(Kind::Unavailable, None),
            _ if mood == Mood::Down => failed(Kind::Unknown, None),
            0 if is_flaky => failed(Kind::Unavailable, Some(Duration::from_secs(rng.u64(..60)))),
            1 if is_flaky => failed(Kind::Unavailable, None),
            2 if is_flaky => failed(Kind::Throttled, Some(Duration::from_secs(rng.u64(1..30)))),
            3 if is_flaky => failed(Kind::Throttled, None),
            4 if is_flaky => failed(Kind::Unknown, None),
            5 if is_flaky => {
                self.hear(load, follows);
                failed(Kind::Unknown, None)
            }
            6 if is_flaky => {
                let resets_at = now + Duration::from_secs(rng.u64(1..10));
                let allowance = Some(Allowance { limit: 100, remaining: rng.u32(..5), resets_at });
                Performed { allowance, ..self.answer(load, follows) }
            }
            // It goes down half-way.
            7 if is_flaky && [WRITES, MAKES].contains(&&*load.owed.delivery.action) => {
                Performed { steps: self.write(load), ..failed(Kind::Unavailable, None) }
            }
            _ => self.answer(load, follows),
        }
    }

    /// A request arrives, and nobody hears of it.
    pub(super) fn perform_unheard(&mut self, load: &Load, follows: bool) {
        if matches!(self.mood, Mood::Well | Mood::Ordinary | Mood::Flaky) {
            self.hear(load, follows);
        }
    }

    fn hear(&mut self, load: &Load, follows: bool) {
        self.write(load);
        if self.take(load, follows).is_ok() {
            self.is_unknown(load.ids());
        }
    }

    /// These were done, and nobody knows.
    pub(super) fn is_unknown(&mut self, ids: impl Iterator<Item = Id>) {
        ids.for_each(|id| *self.unknown.entry(id).or_default() += 1);
    }

    fn answer(&mut self, load: &Load, follows: bool) -> Performed {
        let steps = self.write(load);
        let performed = match self.take(load, follows) {
            Ok(()) => Performed { result: Ok(Outcome::Delivered(Vec::new())), ..failed(Kind::Rejected, None) },
            Err(Kind::TooEarly) if follows => Performed::failed(awaited()),
            Err(kind) => failed(kind, None),
        };
        Performed { steps, ..performed }
    }

    /// The part that needs nobody; what an earlier attempt wrote is not written again.
    fn write(&mut self, load: &Load) -> Steps {
        let owed = &load.owed;
        if owed.progress.steps.contains_key(WRITTEN) || is_spoilt(load) {
            return Steps::new();
        }
        let written = Steps::from([(WRITTEN.to_owned(), "done".to_owned())]);
        match (&*owed.delivery.action, companies(load).next()) {
            (WRITES, Some(company)) => {
                let write = Write { by: owed.id, values: newest(load) };
                self.companies.entry(company).or_default().push(write);
                written
            }
            (MAKES, _) => {
                self.contacts.extend(people(load));
                self.write_people(load);
                written
            }
            _ => Steps::new(),
        }
    }

    fn write_people(&mut self, load: &Load) {
        let payload = load.payload().expect("what is written has a payload");
        let fields: BTreeMap<String, u8> = serde_json::from_str(payload.get()).expect("it has fields");
        let write = Write { by: load.owed.id, values: newest(load) };
        for (person, field) in people(load).flat_map(|person| fields.keys().map(move |field| (person, field.clone()))) {
            self.people.entry((person, field)).or_default().push(write);
        }
    }

    fn take(&mut self, load: &Load, follows: bool) -> Result<(), Kind> {
        let owed = &load.owed;
        if is_spoilt(load) {
            return Err(Kind::Rejected);
        }
        match &*owed.delivery.action {
            WRITES if follows => return Err(Kind::TooEarly),
            // It is still to be put in the company.
            MAKES if follows && companies(load).next().is_some() => return Err(Kind::TooEarly),
            NEEDS | WRITES
                if people(load).next().is_some() && !people(load).any(|key| self.contacts.contains(&key)) =>
            {
                return Err(Kind::TooEarly);
            }
            NEEDS => self.write_people(load),
            _ => {}
        }
        load.ids().for_each(|id| *self.done.entry(id).or_default() += 1);
        Ok(())
    }
}

fn people(load: &Load) -> impl Iterator<Item = u64> {
    load.owed.delivery.keys.iter().copied().filter(|key| key % 2 == 0)
}

fn companies(load: &Load) -> impl Iterator<Item = u64> {
    load.owed.delivery.keys.iter().copied().filter(|key| key % 2 == 1)
}

/// The newest one of those that are brought.
fn newest(load: &Load) -> Id {
    load.ids().max().expect("a load brings one at least")
}

fn is_spoilt(load: &Load) -> bool {
    load.payload().is_ok_and(|payload| payload.get() == BAD_PAYLOAD)
}

fn failed(kind: Kind, retry_after: Option<Duration>) -> Performed {
    let failure = Failure { retry_after, ..Failure::new(kind, kind.name(), "it did not work") };
    let (method, path, body) = ("POST".into(), "/".to_owned(), None);
    let status = (kind != Kind::Unavailable && kind != Kind::Unknown).then_some(400);
    let exchanges = vec![Exchange { method, path, body, status, reply: String::new() }];
    Performed { exchanges, ..Performed::failed(failure) }
}
