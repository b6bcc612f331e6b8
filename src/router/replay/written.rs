//! What newer calls have written since: a repeated call only fills in the rest.
//!
//! # Why
//! An old identify that is delivered again, by a replay or as a dead letter, would put old values over newer ones. So for
//! the people of the events that are being repeated it is known, thing by thing, which call wrote it last. That is learned
//! from the deliveries in the store, for a block of events at once; from then on the follower tells of every delivery it
//! makes, so that nothing is missed between looking and routing. Only the keys of a block are remembered, which bounds the
//! memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use siphasher::sip::SipHasher13;

use crate::action::{Fills, Warning};
use crate::delivery::by_hand::Deed;
use crate::delivery::key;
use crate::delivery::{Delivery, Id, Position, Progress, Status};
use crate::destination;
use crate::instant::Timestamp;
use crate::router::Connection;
use crate::store::{self, Filter, Store, Wrote};

use super::parts::{self, Part, Thing, parts};

/// The reason of a delivery of which nothing is left, and the code of the warning about a field.
pub(in crate::router) const WRITTEN_SINCE: &str = "written_since";
/// The reasons of those that were skipped without anything being as they say.
const UNWRITTEN: [&str; 5] = [Deed::DISCARDED, WRITTEN_SINCE, "no_identity", "contact_not_found", "contact_archived"];
/// Deliveries that are read at once.
const PAGE: usize = 500;

/// Shared by the feeder and the follower.
#[derive(Clone, Default)]
pub(in crate::router) struct Written(Arc<Mutex<Known>>);

/// Which calls have written what.
#[derive(Default)]
pub(in crate::router) struct Known {
    /// The keys that matter, each with the position from which on all is known.
    covered: HashMap<u64, u64>,
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

impl Written {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no code panics with this lock")
    }

    /// Forgets everything: what was covered has been routed.
    pub(in crate::router) fn clear(&self) {
        *self.known() = Known::default();
    }

    /// Whether all is known that calls about these have written since that position.
    pub(in crate::router) fn covers(&self, keys: &[u64], since: Position) -> bool {
        let known = self.known();
        keys.iter().all(|key| known.covered.get(key).is_some_and(|from| *from <= since.0))
    }

    /// Learns what calls about these have written since that position.
    pub(in crate::router) async fn cover(
        &self,
        keys: HashSet<u64>,
        since: Position,
        store: &dyn Store,
        connections: &[Arc<Connection>],
    ) -> store::Result<()> {
        // First, so that what is routed from here on is told; then what is in the store already.
        let any_key = {
            let mut known = self.known();
            for key in &keys {
                // Not covered before it has been read.
                known.covered.entry(*key).or_insert(u64::MAX);
            }
            Arc::new(keys)
        };
        let mut filter = Filter {
            actions: filling(),
            any_key: Some(any_key.clone()),
            after: Some(Id { position: since, number: u16::MAX }),
            oldest_first: true,
            ..Filter::default()
        };
        // Without such an action there is nothing to look for.
        while !filter.actions.is_empty() {
            let page = store.list(filter.clone(), PAGE).await?;
            for owed in &page.found {
                self.note(owed.id.position, &owed.delivery, &owed.progress, connections);
            }
            match page.next {
                Some(next) => filter = filter.continued(next),
                None => break,
            }
        }
        let mut known = self.known();
        for key in any_key.iter() {
            known.covered.entry(*key).and_modify(|from| *from = since.0.min(*from));
        }
        Ok(())
    }

    /// Takes note of a delivery, if it matters.
    pub(in crate::router) fn note(
        &self,
        position: Position,
        delivery: &Delivery,
        progress: &Progress,
        connections: &[Arc<Connection>],
    ) {
        let mut known = self.known();
        if known.concerns(delivery)
            && let Some(fills) = fills(connections, delivery)
        {
            let by = Id { position, number: 0 };
            for wrote in wrote((by, delivery, progress), fills, &delivery.keys, true) {
                known.note(&delivery.destination, wrote);
            }
        }
    }

    /// Leaves out of a repeated delivery what newer calls have written, and ends it when nothing is left.
    pub(in crate::router) fn fill(
        &self,
        of: Position,
        delivery: &mut Delivery,
        progress: &mut Progress,
        connections: &[Arc<Connection>],
        now: Timestamp,
    ) {
        if let Some(fills) = fills(connections, delivery) {
            // What another delivery of the same event writes is as old.
            self.known().fill(Id { position: of, number: u16::MAX }, delivery, progress, fills, now);
        }
    }
}

impl Known {
    /// What was written past older calls to a destination, which came before their contact.
    pub(in crate::router) fn past(destination: &Arc<str>, passed: Vec<Wrote>) -> Known {
        let mut known = Known { is_about_newcomers: true, ..Known::default() };
        passed.into_iter().for_each(|wrote| known.note(destination, wrote));
        known
    }

    fn concerns(&self, delivery: &Delivery) -> bool {
        delivery.keys.iter().any(|key| self.covered.contains_key(key))
    }

    fn note(&mut self, destination: &Arc<str>, Wrote { key, thing, value, whom, stands_at, .. }: Wrote) {
        let write = Write { stands_at, value, whom };
        let known = self.last.entry((destination.clone(), key)).or_default().entry(thing).or_insert(write);
        if write.stands_at >= known.stands_at {
            *known = write;
        }
    }

    /// Leaves out of a delivery that stands at `of` what newer calls have written, and ends it when nothing is left.
    pub(in crate::router) fn fill(
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
        let is_wanted = |write: &Write| {
            let holds_back = fills.presence.is_some() || !self.is_about_newcomers;
            !holds_back || write.value == wanted
        };
        let has_gone = |whose: u64| {
            let is_other = newer(whose, &Thing::Presence).is_some_and(|write| !is_wanted(write));
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
pub(in crate::router) fn wrote(
    (by, delivery, progress): (Id, &Delivery, &Progress),
    fills: &'static Fills,
    keys: &[u64],
    and_will: bool,
) -> Vec<Wrote> {
    let step = |name: &str| progress.steps.get(name).filter(|came_to| !came_to.is_empty());
    let all = match &progress.status {
        Status::Delivered { .. } => true,
        Status::Skipped { reason, .. } => !UNWRITTEN.contains(&&**reason),
        Status::Pending | Status::Waiting { .. } => and_will,
        Status::DeadLetter { .. } => false,
    };
    let has_values = all || fills.values_step.and_then(step).is_some();
    let has_ended_in_vain = matches!(progress.status, Status::Skipped { .. }) && !all;
    let Ok(payload) = &delivery.payload else { return Vec::new() };
    if has_ended_in_vain || (!all && progress.steps.is_empty()) {
        return Vec::new();
    }
    let Ok(Value::Object(payload)) = serde_json::from_str(payload.get()) else { return Vec::new() };
    let is_tagged = |tag: &str| {
        let tags = fills.tag_step.into_iter().flat_map(|begin| {
            let finished = progress.steps.iter().filter(|(_, came_to)| !came_to.is_empty());
            finished.filter_map(move |(step, _)| step.strip_prefix(begin))
        });
        tags.into_iter().any(|known| known.to_lowercase() == *tag)
    };
    let is_done = |thing: &Thing| match thing {
        Thing::Field(_) | Thing::Member(..) | Thing::Presence => has_values,
        Thing::Tag(tag) => all || is_tagged(tag),
        Thing::Company(..) | Thing::All => all,
    };
    let out: BTreeSet<String> =
        step(Fills::LEFT_OUT).and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
    let warnings = progress.story.iter().flat_map(|attempt| &attempt.warnings);
    let spared: HashSet<&str> =
        warnings.filter(|warning| warning.code == WRITTEN_SINCE).map(|warning| &*warning.field).collect();
    let is_out = |thing: &Thing| {
        let may_be = !out.is_empty() || !spared.is_empty();
        may_be && (out.contains(&thing.to_string()) || spared.contains(&*thing.to_string()))
    };
    let (whom, stands_at) = (whom(&payload, fills), Id { position: delivery.stands_at(by), number: by.number });
    let written = parts(&payload, fills, &delivery.keys).into_iter();
    let written = written.filter(|part| keys.contains(&part.whose) && is_done(&part.thing) && !is_out(&part.thing));
    let noted = |part: Part| {
        // A company is the same, whoever speaks of it.
        let whom = if key::is_company(part.whose) { 0 } else { whom };
        Wrote { key: part.whose, thing: part.thing.name(), value: hash(&part.value), whom, by, stands_at }
    };
    written.map(noted).collect()
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
pub(in crate::router) fn filling() -> Vec<Arc<str>> {
    let all = destination::KINDS.iter().flat_map(|kind| (kind.actions)());
    let names: BTreeSet<&str> = all.filter(|facts| facts.fills.is_some()).map(|facts| facts.name).collect();
    names.into_iter().map(Arc::from).collect()
}

/// What a delivery's action leaves; of one whose destination is not there now, what an action of that name leaves.
fn fills(connections: &[Arc<Connection>], delivery: &Delivery) -> Option<&'static Fills> {
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
    pub(in crate::router) fn fills(&self, action: &str) -> Option<&'static Fills> {
        fills_of(&[destination::kind(&self.mappings.kind)?], action)
    }
}
