//! What must hold of every history.

use std::collections::BTreeMap;
use std::time::Duration;

use super::destination::{Destination, is_bad};
use super::ledger::{Ledger, is_parked};
use crate::delivery::{Id, Status};
use crate::router::conductor::{Begin, Conductor, Generation};
use crate::store::Owed;

/// What the conductor was told that keeps it from sending; in the history's own time, which is not set back or forth.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) generation: Generation,
    pub(super) is_off: bool,
    pub(super) is_unauthorized: bool,
    pub(super) quiet_until: Duration,
}

/// An attempt begins: nothing holds the connection, nothing is attempted twice, and nobody is passed who may not be.
pub(super) fn begins(
    begin: &Begin,
    carried: &[Id],
    told: &Told,
    (time, flying): (Duration, &dyn Fn(Id) -> bool),
    (ledger, conductor): (&Ledger, &Conductor),
) -> Result<(), String> {
    let id = begin.id;
    if told.is_off || told.is_unauthorized || time < told.quiet_until {
        return Err(format!("{id} is attempted at {time:?} although {told:?}"));
    }
    for id in std::iter::once(id).chain(carried.iter().copied()) {
        goes(id, (begin, carried), flying, (ledger, conductor))?;
    }
    Ok(())
}

/// One of those that an attempt brings.
fn goes(
    id: Id,
    (begin, carried): (&Begin, &[Id]),
    flying: &dyn Fn(Id) -> bool,
    (ledger, conductor): (&Ledger, &Conductor),
) -> Result<(), String> {
    if flying(id) {
        return Err(format!("{id} is attempted twice at once"));
    }
    let Some(owed) = ledger.deliveries.get(&id) else { return Ok(()) };
    if owed.progress.status.is_settled() {
        return Err(format!("{id} is attempted although it is {}", owed.progress.status.name()));
    }
    if ledger.reopened.contains(&id) {
        return Ok(());
    }
    let older = ledger.deliveries.range(..id).map(|(_, owed)| owed);
    let waits = |older: &Owed| !older.progress.status.is_settled() && !ledger.reopened.contains(&older.id);
    let goes_along = |older: &Owed| older.id == begin.id || carried.contains(&older.id);
    let mut older = older.filter(|older| waits(older) && !goes_along(older));
    match older.find(|older| must_go_first(older, owed, begin.outside, (ledger, conductor))) {
        Some(older) => {
            let (mine, theirs) = (&owed.delivery.keys, &older.delivery.keys);
            let (outside, status) = (begin.outside, &older.progress.status);
            Err(format!("{id} {mine:?} (outside: {outside}) is attempted before {} {theirs:?} ({status:?})", older.id))
        }
        None => Ok(()),
    }
}

fn must_go_first(older: &Owed, owed: &Owed, outside: bool, (ledger, conductor): (&Ledger, &Conductor)) -> bool {
    let shared = || older.delivery.keys.iter().filter(|key| owed.delivery.keys.contains(key));
    let person = shared().any(|key| key % 2 == 0);
    let company = shared().any(|key| key % 2 == 1);
    if older.id.position != owed.id.position && person && company {
        return true;
    }
    let parked_at = |id| ledger.parked_at.get(&id).copied().unwrap_or(usize::MAX);
    match (is_parked(&older.progress) || conductor.is_outside(older.id), outside) {
        (false, false) => person || company,
        // One that only followed another outside may have been in the store meanwhile, which does not know that; then it may
        // come too early after one that passed it.
        (true, true) => person && is_parked(&older.progress) && ledger.parked_at[&older.id] < parked_at(owed.id),
        _ => false,
    }
}

/// Everything has ended, as it should.
pub(super) fn ended(ledger: &Ledger, destination: &Destination) -> Result<(), String> {
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, owed) in &ledger.deliveries {
        let done = destination.done.get(id).copied().unwrap_or_default();
        let unknown = destination.unknown.get(id).copied().unwrap_or_default();
        let expected = match &owed.progress.status {
            Status::Delivered { .. } => 1,
            Status::DeadLetter { code, .. } if code == "rejected" && is_bad(&owed.delivery) => 0,
            Status::DeadLetter { code, .. } if code == "too_early" => 0,
            other => return Err(format!("{id} ended as {other:?}")),
        };
        *codes.entry(owed.progress.status.name()).or_default() += 1;
        if done < expected || done > expected + unknown {
            return Err(format!("{id} was done {done} times, of which {unknown} unknown, and is {codes:?}"));
        }
    }
    Ok(())
}
