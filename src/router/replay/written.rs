//! What newer calls have written since: a repeated call only fills in the rest.
//!
//! # Why
//! An old identify that is delivered again would put old values over newer ones. So for the people of the events that are
//! being repeated it is known, field by field, which call wrote it last. That is learned from the deliveries in the store,
//! for a block of events at once; from then on the follower tells of every delivery it makes, so that nothing is missed
//! between looking and routing. Only the keys of a block are remembered, which bounds the memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::action::{About, Fills, Warning};
use crate::delivery::by_hand::Deed;
use crate::delivery::{Delivery, Id, Position, Progress, Status, key};
use crate::destination;
use crate::instant::Timestamp;
use crate::router::Connection;
use crate::store::{self, Filter, Store};

/// The reason of a delivery of which nothing is left, and the code of the warning about a field.
pub(in crate::router) const WRITTEN_SINCE: &str = "written_since";
/// Stands for all the fields by which a person and a company belong together: who writes one of them writes all.
const LINK: &str = "(link)";
/// Deliveries that are read at once.
const PAGE: usize = 500;

/// Shared by the feeder and the follower.
#[derive(Clone, Default)]
pub(in crate::router) struct Written(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The keys that matter, each with the position from which on all is known.
    covered: HashMap<u64, u64>,
    /// Who wrote a field last: the position of the call.
    last: HashMap<Slot, HashMap<String, Write>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Write {
    position: u64,
    /// What was written, where it may be kept when it is the same.
    value: Value,
}

/// Whose field: at a destination, by an action.
type Slot = (Arc<str>, Arc<str>, Whose);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    /// Of a person or a company, by key.
    One(u64),
    /// Of a person in a company.
    Link(u64, u64),
}

impl Written {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no code panics with this lock")
    }

    /// Forgets everything: what was covered has been routed.
    pub(super) fn clear(&self) {
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
            actions: filling(connections),
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
        let Ok(payload) = &delivery.payload else { return };
        if !delivery.keys.iter().any(|key| known.covered.contains_key(key)) || !writes(&progress.status) {
            return;
        }
        let Some(fills) = fills(connections, delivery) else { return };
        let Ok(Value::Object(payload)) = serde_json::from_str(payload.get()) else { return };
        let position = delivery.replay_of.unwrap_or(position).0;
        for (field, whose, value) in parts(&payload, fills, &delivery.keys) {
            let slot = (delivery.destination.clone(), delivery.action.clone(), whose);
            let write =
                known.last.entry(slot).or_default().entry(field).or_insert(Write { position: 0, value: Value::Null });
            if position >= write.position {
                *write = Write { position, value: value.clone() };
            }
        }
    }

    /// Leaves out of a repeated delivery what newer calls have written, and ends it when nothing is left.
    pub(super) fn fill(
        &self,
        of: Position,
        delivery: &mut Delivery,
        progress: &mut Progress,
        connections: &[Arc<Connection>],
        now: Timestamp,
    ) {
        let Some(fills) = fills(connections, delivery) else { return };
        let Ok(payload) = &delivery.payload else { return };
        let Ok(Value::Object(mut payload)) = serde_json::from_str(payload.get()) else { return };
        let (old, is_any_left) = self.compare(of, delivery, &payload, fills);
        if !is_any_left {
            progress.status = Status::Skipped { at: now, reason: WRITTEN_SINCE.into() };
            return;
        }
        if old.is_empty() {
            return;
        }
        for field in &old {
            remove(&mut payload, field);
            let message = "a newer call has written it since, so it was left out";
            delivery.warnings.push(Warning::new(field.clone(), WRITTEN_SINCE, message));
        }
        let text = Value::Object(payload).to_string();
        delivery.payload = Ok(RawValue::from_string(text).expect("JSON is written"));
    }

    /// The fields that have another value since; and whether any is left that nothing newer has written.
    fn compare(
        &self,
        of: Position,
        delivery: &Delivery,
        payload: &serde_json::Map<String, Value>,
        fills: &Fills,
    ) -> (BTreeSet<String>, bool) {
        let known = self.known();
        let (mut old, mut fresh) = (BTreeSet::new(), BTreeSet::new());
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for (field, whose, value) in parts(payload, fills, &delivery.keys) {
            let slot = (delivery.destination.clone(), delivery.action.clone(), whose);
            let newer =
                known.last.get(&slot).and_then(|fields| fields.get(&field)).filter(|write| write.position > of.0);
            match newer {
                None => drop(fresh.insert(field)),
                // It also says who is meant, and nothing of it would change.
                Some(write) if fills.names.contains(&&*field) && write.value == *value => drop(kept.insert(field)),
                Some(_) => drop(old.insert(field)),
            }
        }
        // What any of the names it is known by has written is written.
        fresh.retain(|field| !old.contains(field) && !kept.contains(field));
        // One that says only who is meant has nothing that could be old.
        let is_any_left = !fresh.is_empty() || (old.is_empty() && kept.is_empty());
        if old.remove(LINK) {
            old.extend(
                fills.link.iter().filter(|field| payload.contains_key(**field)).map(|field| (*field).to_owned()),
            );
        }
        (old, is_any_left)
    }
}

/// Whether it has written, or is going to, what it says.
fn writes(status: &Status) -> bool {
    match status {
        Status::DeadLetter { .. } => false,
        Status::Skipped { reason, .. } => {
            ![Deed::DISCARDED, WRITTEN_SINCE, "no_identity", "contact_not_found"].contains(&&**reason)
        }
        Status::Pending | Status::Waiting { .. } | Status::Delivered { .. } => true,
    }
}

/// The actions whose calls only fill in, when they are repeated.
fn filling(connections: &[Arc<Connection>]) -> Vec<Arc<str>> {
    let kinds = connections.iter().filter_map(|connection| destination::kind(&connection.mappings.kind));
    let names: BTreeSet<&str> =
        kinds.flat_map(|kind| (kind.actions)()).filter(|facts| facts.fills.is_some()).map(|facts| facts.name).collect();
    names.into_iter().map(Arc::from).collect()
}

fn fills(connections: &[Arc<Connection>], delivery: &Delivery) -> Option<&'static Fills> {
    let connection = connections.iter().find(|connection| connection.name == delivery.destination)?;
    let kind = destination::kind(&connection.mappings.kind)?;
    (kind.actions)().into_iter().find(|facts| *facts.name == *delivery.action)?.fills
}

/// Every field of a payload, and every member of one that is an object, for everyone whose field it is.
fn parts<'p>(
    payload: &'p serde_json::Map<String, Value>,
    fills: &Fills,
    keys: &[u64],
) -> Vec<(String, Whose, &'p Value)> {
    let (companies, people): (Vec<u64>, Vec<u64>) = keys.iter().partition(|key| key::is_company(**key));
    let links = || people.iter().flat_map(|person| companies.iter().map(|company| Whose::Link(*person, *company)));
    let undoes = fills.undo.is_some_and(|undo| payload.get(undo) == Some(&Value::Bool(true)));
    let mut parts = Vec::new();
    for (name, value) in payload.iter().filter(|(name, _)| !fills.identity.contains(&name.as_str())) {
        let is_link = fills.link.contains(&name.as_str());
        if undoes && !is_link {
            // It takes somebody out, and writes nothing else.
            continue;
        }
        let whose: Vec<Whose> = match (fills.about, is_link) {
            (About::Person, _) => people.iter().map(|key| Whose::One(*key)).collect(),
            (About::Company, false) => companies.iter().map(|key| Whose::One(*key)).collect(),
            (About::Company, true) => links().collect(),
        };
        for whose in whose {
            match value {
                _ if is_link => parts.push((LINK.to_owned(), whose, value)),
                Value::Object(members) if !members.is_empty() => {
                    parts.extend(members.iter().map(|(member, value)| (format!("{name}.{member}"), whose, value)));
                }
                _ => parts.push((name.clone(), whose, value)),
            }
        }
    }
    parts
}

fn remove(payload: &mut serde_json::Map<String, Value>, field: &str) {
    if payload.remove(field).is_some() {
        return;
    }
    let Some((name, member)) = field.split_once('.') else { return };
    if let Some(Value::Object(members)) = payload.get_mut(name) {
        members.remove(member);
    }
}
