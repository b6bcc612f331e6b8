//! Which calls have written what, thing by thing, so that an older one that goes later does not write over it: one that is
//! delivered again, by a replay or as a dead letter, and one that came before its contact.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use siphasher::sip::SipHasher13;

use self::parts::{Part, Thing, parts};
use super::Connection;
use crate::action::{Fills, Warning};
use crate::delivery::by_hand::Deed;
use crate::delivery::key;
use crate::delivery::{Delivery, Id, Progress, Status};
use crate::destination;
use crate::instant::Timestamp;
use crate::store::Wrote;

mod parts;

/// The reason of a delivery of which nothing is left, and the code of the warning about a field.
pub(super) const WRITTEN_SINCE: &str = "written_since";
/// The reasons of those that were skipped without anything being as they say.
const UNWRITTEN: [&str; 5] = [Deed::DISCARDED, WRITTEN_SINCE, "no_identity", "contact_not_found", "contact_archived"];

/// Which calls have written what.
#[derive(Default)]
pub(super) struct Known {
    /// Who wrote a thing last, by its name.
    last: HashMap<Slot, HashMap<String, Write>>,
    /// Whether the older calls are about people who were not there: then an archive held nobody.
    is_about_newcomers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Write {
    /// Where the call stands.
    stands_at: Id,
    /// A hash of what was written, where it may be kept when it is the same.
    value: u64,
    /// A hash of the sender's own id for whom it is about; 0: it is not told.
    whom: u64,
}

/// Whose things: at a destination, of a person or a company by key.
type Slot = (Arc<str>, u64);

impl Known {
    /// What was written past older calls to a destination, which came before their contact.
    pub(super) fn past(destination: &Arc<str>, passed: Vec<Wrote>) -> Known {
        let mut known = Known { is_about_newcomers: true, ..Known::default() };
        passed.into_iter().for_each(|wrote| known.note(destination, wrote));
        known
    }

    /// Takes note of one thing.
    pub(super) fn note(&mut self, destination: &Arc<str>, Wrote { key, thing, value, whom, stands_at, .. }: Wrote) {
        let write = Write { stands_at, value, whom };
        let known = self.last.entry((destination.clone(), key)).or_default().entry(thing).or_insert(write);
        if write.stands_at >= known.stands_at {
            *known = write;
        }
    }

    /// Leaves out of a delivery that stands at `of` what newer calls have written, and ends it when nothing is left.
    pub(super) fn fill(
        &self,
        of: Id,
        delivery: &mut Delivery,
        progress: &mut Progress,
        fills: &'static Fills,
        now: Timestamp,
    ) {
        let Ok(payload) = &delivery.payload else { return };
        let Ok(Value::Object(mut payload)) = serde_json::from_str(payload.get()) else { return };
        let Some(old) = self.compare(of, delivery, &payload, fills) else {
            progress.status = Status::Skipped { at: now, reason: WRITTEN_SINCE.into() };
            return;
        };
        if old.is_empty() {
            return;
        }
        let mut fields: Vec<String> = old.iter().flat_map(|thing| parts::remove(&mut payload, thing, fills)).collect();
        fields.sort();
        delivery.warnings.extend(fields.into_iter().map(|field| {
            let message = "a newer call has written it since, so it was left out";
            Warning::new(field, WRITTEN_SINCE, message)
        }));
        let text = Value::Object(payload).to_string();
        delivery.payload = Ok(RawValue::from_string(text).expect("JSON is written"));
    }

    /// The things that newer calls have written. `None`: there is no other, or whom it is about has gone or come since.
    fn compare(
        &self,
        of: Id,
        delivery: &Delivery,
        payload: &Map<String, Value>,
        fills: &Fills,
    ) -> Option<BTreeSet<Thing>> {
        let whom = whom(payload, fills);
        let newer = |whose: u64, thing: &Thing| {
            let things = self.last.get(&(delivery.destination.clone(), whose))?;
            let is_same = |write: &&Write| write.whom == whom || write.whom == 0 || whom == 0;
            things.get(&thing.name()).filter(|write| write.stands_at > of).filter(is_same)
        };
        let wanted = hash(&Value::Bool(fills.presence.unwrap_or(true)));
        let counts = fills.presence.is_some() || !self.is_about_newcomers;
        let has_gone = |whose: u64| {
            let is_other = counts && newer(whose, &Thing::Presence).is_some_and(|write| write.value != wanted);
            is_other || newer(whose, &Thing::All).is_some()
        };
        if parts::owners(payload, fills, &delivery.keys).into_iter().any(has_gone) {
            return None;
        }
        let says_who = fills.identity.iter().any(|field| payload.get(*field).is_some_and(|value| !value.is_null()));
        let (mut old, mut fresh, mut kept) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for part in parts(payload, fills, &delivery.keys) {
            let is_name = matches!(&part.thing, Thing::Field(name) if fills.names.contains(&&**name));
            let is_gone = || newer(part.whose, &Thing::All).is_some();
            match newer(part.whose, &part.thing) {
                _ if matches!(part.thing, Thing::Presence | Thing::All) => false,
                // It says who is meant, and nothing else does.
                None if is_name && !says_who => false,
                None if !is_gone() => fresh.insert(part.thing),
                // It also says who is meant, and nothing of it would change.
                Some(write) if is_name && write.value == hash(&part.value) => kept.insert(part.thing),
                _ => old.insert(part.thing),
            };
        }
        // What any of the names it is known by has written is written.
        fresh.retain(|thing| !old.contains(thing) && !kept.contains(thing));
        // One that says only who is meant has nothing that could be old.
        let is_any_left = !fresh.is_empty() || (old.is_empty() && kept.is_empty());
        is_any_left.then_some(old)
    }
}

/// What a delivery has written of those whose keys these are, thing by thing; and what it is going to write, where that is asked
/// for too. What its action left out of what it was given is not among it.
pub(super) fn wrote(
    (by, delivery, progress): (Id, &Delivery, &Progress),
    fills: &'static Fills,
    keys: &[u64],
    and_will: bool,
) -> Vec<Wrote> {
    let all = match &progress.status {
        Status::Delivered { .. } => true,
        Status::Skipped { reason, .. } if UNWRITTEN.contains(&&**reason) => return Vec::new(),
        Status::Skipped { .. } => true,
        Status::Pending | Status::Waiting { .. } => and_will,
        Status::DeadLetter { .. } => false,
    };
    let Ok(payload) = &delivery.payload else { return Vec::new() };
    if !all && progress.steps.is_empty() {
        return Vec::new();
    }
    let Ok(Value::Object(payload)) = serde_json::from_str(payload.get()) else { return Vec::new() };
    // An empty one was taken back.
    let finished = || progress.steps.iter().filter(|(_, came_to)| !came_to.is_empty()).map(|(step, _)| &**step);
    let is_tagged = |tag: &str| {
        let mut tags = finished().filter_map(|step| step.strip_prefix(fills.tag_step?));
        tags.any(|known| known.to_lowercase() == *tag)
    };
    let has_values = all || finished().any(|step| Some(step) == fills.values_step);
    let is_done = |thing: &Thing| match thing {
        Thing::Field(_) | Thing::Member(..) | Thing::Presence => has_values,
        Thing::Tag(tag) => all || is_tagged(tag),
        Thing::Company(..) | Thing::All => all,
    };
    let out = left_out(progress);
    let whom = whom(&payload, fills);
    let written = parts(&payload, fills, &delivery.keys).into_iter().filter(|part| {
        let is_out = || !out.is_empty() && out.contains(&part.thing.to_string());
        keys.contains(&part.whose) && is_done(&part.thing) && !is_out()
    });
    let noted = |part: Part| {
        // A company is the same, whoever speaks of it.
        let whom = if key::is_company(part.whose) { 0 } else { whom };
        let (thing, value) = (part.thing.name(), hash(&part.value));
        Wrote { key: part.whose, thing, value, whom, by, stands_at: delivery.place(by) }
    };
    written.map(noted).collect()
}

/// Of which fields what was given is not written: the action left it out, or it was left out before that.
fn left_out(progress: &Progress) -> BTreeSet<String> {
    let list = progress.steps.get(Fills::LEFT_OUT).and_then(|list| serde_json::from_str(list).ok());
    let mut fields: BTreeSet<String> = list.unwrap_or_default();
    let warnings = progress.story.iter().flat_map(|attempt| &attempt.warnings);
    let spared = warnings.filter(|warning| warning.code == WRITTEN_SINCE);
    fields.extend(spared.map(|warning| warning.field.clone()));
    fields
}

/// Whom a call is about, by a hash of the sender's own id; 0: it is not told.
fn whom(payload: &Map<String, Value>, fills: &Fills) -> u64 {
    let own_id = fills.own_id.and_then(|field| payload.get(field)).filter(|value| !value.is_null());
    own_id.map_or(0, |id| hash(id).max(1))
}

/// Of a value; equal for equal ones, also in another process.
fn hash(value: &Value) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(value.to_string().as_bytes());
    hasher.finish()
}

/// The actions whose calls only fill in, when they are repeated.
pub(super) fn filling() -> Vec<Arc<str>> {
    let all = destination::KINDS.iter().flat_map(|kind| (kind.actions)());
    let names: BTreeSet<&str> = all.filter(|facts| facts.fills.is_some()).map(|facts| facts.name).collect();
    names.into_iter().map(Arc::from).collect()
}

/// What a delivery's action leaves; of one whose destination is not there now, what an action of that name leaves.
pub(super) fn fills(connections: &[Arc<Connection>], delivery: &Delivery) -> Option<&'static Fills> {
    match connections.iter().find(|connection| connection.name == delivery.destination) {
        Some(connection) => connection.fills(&delivery.action),
        None => fills_of(destination::KINDS, &delivery.action),
    }
}

fn fills_of(kinds: &[&destination::Kind], action: &str) -> Option<&'static Fills> {
    kinds.iter().flat_map(|kind| (kind.actions)()).find(|facts| facts.name == action)?.fills
}

impl Connection {
    /// What an action leaves, as far as an older call could undo it.
    pub(super) fn fills(&self, action: &str) -> Option<&'static Fills> {
        fills_of(&[destination::kind(&self.mappings.kind)?], action)
    }
}
