//! What must hold of every history.

use std::collections::BTreeMap;
use std::time::Duration;

use super::destination::{Destination, WRITES, Write, fills, is_bad};
use super::ledger::{Ledger, is_parked};
use crate::delivery::{Id, Status};
use crate::router::conductor::{Begin, Generation};
use crate::router::known::WRITTEN_SINCE;
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
    ledger: &Ledger,
) -> Result<(), String> {
    let id = begin.id;
    if told.is_off || told.is_unauthorized || time < told.quiet_until {
        return Err(format!("{id} is attempted at {time:?} although {told:?}"));
    }
    for id in std::iter::once(id).chain(carried.iter().copied()) {
        goes(id, (begin, carried), flying, ledger)?;
    }
    Ok(())
}

/// One of those that an attempt brings.
fn goes(id: Id, (begin, carried): (&Begin, &[Id]), flying: &dyn Fn(Id) -> bool, ledger: &Ledger) -> Result<(), String> {
    if flying(id) {
        return Err(format!("{id} is attempted twice at once"));
    }
    let Some(owed) = ledger.deliveries.get(&id) else { return Ok(()) };
    if has_ended_with_another(owed) {
        return Ok(());
    }
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
    match older.find(|older| must_go_first(older, owed, begin)) {
        Some(older) => {
            let (mine, theirs) = (&owed.delivery.keys, &older.delivery.keys);
            let (outside, status) = (begin.outside, &older.progress.status);
            Err(format!("{id} {mine:?} (outside: {outside}) is attempted before {} {theirs:?} ({status:?})", older.id))
        }
        None => Ok(()),
    }
}

/// Whether it ended as part of another's attempt. Where it was read anew meanwhile, and stands behind somebody else, that is
/// found when its turn comes, and nothing is sent.
pub(super) fn has_ended_with_another(owed: &Owed) -> bool {
    owed.progress.status.is_settled() && owed.progress.carried_by.is_some()
}

fn must_go_first(older: &Owed, owed: &Owed, begin: &Begin) -> bool {
    let shared = || older.delivery.keys.iter().filter(|key| owed.delivery.keys.contains(key));
    let person = shared().any(|key| key % 2 == 0);
    let company = shared().any(|key| key % 2 == 1);
    let is_of_both = person && company && older.id.position != owed.id.position;
    match (is_parked(&older.progress), begin.outside) {
        (false, false) => person || company,
        (true, true) => person,
        // What needs the contact waits.
        (true, false) => is_of_both && !begin.follows,
        (false, true) => is_of_both,
    }
}

/// Every company was written in the order of the calls about it, and has what the newest of them says.
fn check_companies(ledger: &Ledger, destination: &Destination) -> Result<(), String> {
    for (company, writes) in &destination.companies {
        if let Some(two) = writes.windows(2).find(|two| two[1].by < two[0].by) {
            return Err(format!("company {company} is written by {} after {}", two[1].by, two[0].by));
        }
    }
    let calls = ledger.deliveries.values().filter(|owed| *owed.delivery.action == *WRITES && !is_bad(&owed.delivery));
    for call in calls {
        for company in call.delivery.keys.iter().filter(|key| *key % 2 == 1) {
            let last = destination.companies.get(company).and_then(|writes| writes.last());
            if last.is_none_or(|last| last.values < call.id) {
                return Err(format!("company {company} has {last:?}, and not what {} says", call.id));
            }
        }
    }
    Ok(())
}

/// Every person has what the newest of those says that wrote them; one that was opened again is older than it looks.
fn check_people(ledger: &Ledger, destination: &Destination) -> Result<(), String> {
    for ((person, field), writes) in &destination.people {
        let is_there = |id: &Id| ledger.deliveries.contains_key(id) && !ledger.reopened.contains(id);
        let counts = |write: &&Write| is_there(&write.by) && is_there(&write.values);
        let values = || writes.iter().filter(counts).map(|write| write.values);
        if values().next_back() != values().max() {
            return Err(format!("{field} of person {person} was written by {writes:?}, the newest not last"));
        }
    }
    Ok(())
}

/// Whether a newer one about one of the same people was done.
fn is_written_since(owed: &Owed, ledger: &Ledger) -> bool {
    let shares = |newer: &Owed| people(newer).any(|key| owed.delivery.keys.contains(&key));
    let is_done = |newer: &Owed| matches!(newer.progress.status, Status::Delivered { .. } | Status::Skipped { .. });
    let newer = ledger.deliveries.range(owed.id..).skip(1).map(|(_, newer)| newer);
    let mut newer = newer.filter(|newer| fills(&newer.delivery.action).is_some() && is_done(newer));
    newer.any(shares) || !ledger.removed.is_empty()
}

fn people(owed: &Owed) -> impl Iterator<Item = u64> {
    owed.delivery.keys.iter().copied().filter(|key| key % 2 == 0)
}

/// Everything has ended, as it should.
pub(super) fn ended(ledger: &Ledger, destination: &Destination) -> Result<(), String> {
    check_companies(ledger, destination)?;
    check_people(ledger, destination)?;
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, owed) in &ledger.deliveries {
        let done = destination.done.get(id).copied().unwrap_or_default();
        let unknown = destination.unknown.get(id).copied().unwrap_or_default();
        let expected = match &owed.progress.status {
            Status::Delivered { .. } => 1,
            Status::DeadLetter { code, .. } if code == "rejected" && is_bad(&owed.delivery) => 0,
            Status::DeadLetter { code, .. } if code == "too_early" => 0,
            Status::Skipped { reason, .. } if reason == WRITTEN_SINCE && is_written_since(owed, ledger) => 0,
            other => return Err(format!("{id} ended as {other:?}")),
        };
        *codes.entry(owed.progress.status.name()).or_default() += 1;
        if done < expected || done > expected + unknown {
            return Err(format!("{id} was done {done} times, of which {unknown} unknown, and is {codes:?}"));
        }
    }
    Ok(())
}
