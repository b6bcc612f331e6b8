//! What newer calls have written since: a repeated call only fills in the rest.
//!
//! # Why
//! An old identify that is delivered again, by a replay or as a dead letter, would put old values over newer ones. So for
//! the people of the events that are being repeated it is known, thing by thing, which call wrote it last. That is learned
//! from the deliveries in the store, for a block of events at once; from then on the follower tells of every delivery it
//! makes, so that nothing is missed between looking and routing. Only the keys of a block are remembered, which bounds the
//! memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::delivery::{Delivery, Id, Position, Progress};
use crate::instant::Timestamp;
use crate::router::Connection;
use crate::router::known::{Known, filling, fills, wrote};
use crate::store::{self, Filter, Store};

/// Deliveries that are read at once.
const PAGE: usize = 500;

/// Shared by the feeder and the follower.
#[derive(Clone, Default)]
pub(in crate::router) struct Written(Arc<Mutex<Learned>>);

#[derive(Default)]
struct Learned {
    /// The keys that matter, each with the position from which on all is known.
    covered: HashMap<u64, u64>,
    known: Known,
}

impl Written {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().expect("no code panics with this lock")
    }

    /// Forgets everything: what was covered has been routed.
    pub(in crate::router) fn clear(&self) {
        *self.learned() = Learned::default();
    }

    /// Whether all is known that calls about these have written since that position.
    pub(in crate::router) fn covers(&self, keys: &[u64], since: Position) -> bool {
        let learned = self.learned();
        keys.iter().all(|key| learned.covered.get(key).is_some_and(|from| *from <= since.0))
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
            let mut learned = self.learned();
            for key in &keys {
                // Not covered before it has been read.
                learned.covered.entry(*key).or_insert(u64::MAX);
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
        let mut learned = self.learned();
        for key in any_key.iter() {
            learned.covered.entry(*key).and_modify(|from| *from = since.0.min(*from));
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
        let mut learned = self.learned();
        if delivery.keys.iter().any(|key| learned.covered.contains_key(key))
            && let Some(fills) = fills(connections, delivery)
        {
            let by = Id { position, number: 0 };
            for wrote in wrote((by, delivery, progress), fills, &delivery.keys, true) {
                learned.known.note(&delivery.destination, wrote);
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
            self.learned().known.fill(Id { position: of, number: u16::MAX }, delivery, progress, fills, now);
        }
    }
}
