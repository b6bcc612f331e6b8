//! The store of a history: what is durable.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::destination::deed;
use crate::delivery::{Delivery, Id, Position, Progress, Status};
use crate::instant::Timestamp;
use crate::router::conductor::Joining;
use crate::store::{Open, Owed, Passing, Wrote};

/// An event that was accepted: whom it is about, and what its deliveries do, by the word that `destination` knows.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) keys: Vec<u64>,
    pub(super) does: Vec<&'static str>,
    pub(super) accepted_at: Timestamp,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) events: Vec<Event>,
    pub(super) routed: usize,
    pub(super) deliveries: BTreeMap<Id, Owed>,
    pub(super) removed: BTreeSet<Position>,
    /// What was written past older ones.
    pub(super) passed: Vec<Wrote>,
    /// Dead letters that were opened again.
    pub(super) reopened: BTreeSet<Id>,
}

impl Ledger {
    /// Routes the next event; its deliveries.
    pub(super) fn route(&mut self) -> Vec<Owed> {
        let event = &self.events[self.routed];
        self.routed += 1;
        let position = Position(self.routed as u64);
        if self.removed.contains(&position) {
            return Vec::new();
        }
        // Other numbers are owed to others.
        let numbered = event.does.iter().enumerate().map(|(at, does)| (Id { position, number: 2 * at as u16 }, *does));
        let owed: Vec<Owed> = numbered
            .map(|(id, does)| Owed { id, delivery: delivery(event, does), progress: Progress::new() })
            .collect();
        self.deliveries.extend(owed.iter().map(|owed| (owed.id, owed.clone())));
        owed
    }

    pub(super) fn settle(&mut self, id: Id, progress: &Progress) {
        if let Some(owed) = self.deliveries.get_mut(&id) {
            owed.progress = progress.clone();
        }
    }

    /// Notes and forgets what was written past older ones.
    pub(super) fn pass(&mut self, Passing { wrote, forget, .. }: Passing<'_>) {
        let is_there = |wrote: &&Wrote| self.deliveries.contains_key(&wrote.by);
        let noted: Vec<Wrote> = wrote.iter().filter(is_there).cloned().collect();
        self.passed.extend(noted);
        self.passed.retain(|wrote| !forget.contains(&wrote.key));
    }

    /// Takes an event out.
    pub(super) fn remove(&mut self, position: Position) {
        self.removed.insert(position);
        self.passed.retain(|wrote| wrote.by.position != position);
        self.deliveries.retain(|id, _| id.position != position);
    }

    pub(super) fn open(&self, after: Option<Id>, max: usize) -> Vec<Joining> {
        let open = self.deliveries.values().filter(|owed| Some(owed.id) > after && !owed.progress.status.is_settled());
        open.take(max).map(joining).collect()
    }

    /// The greatest id that may be in it.
    pub(super) fn last(&self) -> Id {
        Id { position: Position(self.routed as u64), number: u16::MAX }
    }
}

pub(super) fn joining(owed: &Owed) -> Joining {
    let (until, parked) = match owed.progress.status {
        Status::Waiting { until, parked, .. } => (Some(until), parked),
        _ => (None, false),
    };
    let Delivery { destination, source, keys, accepted_at, .. } = owed.delivery.clone();
    Joining::stored(Open { id: owed.id, destination, source, keys, until, parked, accepted_at })
}

/// Whether the store knows it as one that is outside its line.
pub(super) fn is_parked(progress: &Progress) -> bool {
    matches!(progress.status, Status::Waiting { parked: true, .. })
}

fn delivery(event: &Event, does: &'static str) -> Delivery {
    let (action, payload) = deed(does);
    Delivery {
        source: if event.keys.len().is_multiple_of(2) { "website" } else { "backend" }.into(),
        destination: "intercom".into(),
        mapping: "m".into(),
        action: action.into(),
        accepted_at: event.accepted_at,
        keys: event.keys.clone(),
        payload: Ok(RawValue::from_string(payload.to_owned()).expect("it is JSON")),
        warnings: Vec::new(),
        replay_of: None,
    }
}
