//! Bringing one delivery: read it if need be, attempt it, write down what came of it, count it.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::attempt::{Attempted, Next, attempt};
use super::conductor::size;
use super::pace::Ended;
use super::standstill::Standstills;
use super::{Connection, Surroundings, wait_for_store};
use crate::action::{Kind, Warning};
use crate::delivery::{Delivery, Id, Progress, Status, Steps};
use crate::destination::Notes;
use crate::store::{Owed, Store};

/// An attempt that has ended and was written down.
pub(super) struct Finished {
    /// Which.
    pub(super) id: Id,
    /// What happens next.
    pub(super) next: Next,
    /// Whether the destination has it.
    pub(super) delivered: bool,
    /// Why the destination could not take it, where that may pass.
    pub(super) trouble: Option<Cow<'static, str>>,
    /// What pacing has to know.
    pub(super) ended: Ended,
    /// Bytes of a payload that was held in memory for it.
    pub(super) held: usize,
}

/// Attempts a delivery and writes down what came of it. The record is on stable storage before those behind move up,
/// so that a crash never repeats an earlier event after a later one of the same person.
pub(super) async fn bring(
    connection: &Connection,
    store: &Arc<dyn Store>,
    surroundings: &Surroundings,
    (id, owed, outside): (Id, Option<Box<Owed>>, bool),
    standstills: &Standstills,
) -> Finished {
    // Before it is looked whether it was removed: who removes it looks afterwards whether it is under way.
    let _attempting = surroundings.under_way.begin(id.position);
    let held = owed.as_deref().map_or(0, size);
    let owed = match owed {
        Some(owed) => Some(*owed),
        None => read(&**store, id).await,
    };
    if store.is_removed(id.position) {
        tracing::info!(delivery.id = %id, "Delivery {id} is not made: what was known of the person was removed");
        return Finished::unmade(id, held);
    }
    let Some(owed) = owed else {
        tracing::error!(delivery.id = %id, "A delivery is not in the store any more, or its record is damaged");
        return Finished::unmade(id, held);
    };
    if owed.progress.status.is_settled() {
        tracing::debug!(delivery.id = %id, "Delivery {id} has ended meanwhile");
        return Finished::unmade(id, held);
    }
    let notebook = Notebook { store: store.clone(), id, progress: owed.progress.clone() };
    let attempted = attempt(connection, owed, (outside, standstills), surroundings, Arc::new(notebook)).await;
    write(&**store, attempted.owed.id, &attempted.owed.progress).await;
    surroundings.live.delivery(&attempted.owed);
    if attempted.next == Next::Settled {
        connection.count_settled(&attempted.owed);
    }
    Finished::of(attempted, held)
}

impl Finished {
    /// An attempt that was written down.
    pub(super) fn of(attempted: Attempted, held: usize) -> Finished {
        let Attempted { owed: Owed { id, progress, .. }, next, ended } = attempted;
        let delivered = matches!(progress.status, Status::Delivered { .. });
        let failure = progress.story.last().and_then(|attempt| attempt.failure.as_ref());
        let trouble = failure.filter(|failure| matches!(failure.kind, Kind::Unavailable | Kind::Unknown));
        let trouble = trouble.map(|failure| failure.code.clone());
        Finished { id, next, delivered, trouble, ended, held }
    }

    /// One that was not made, because nothing is owed any more.
    pub(super) fn unmade(id: Id, held: usize) -> Finished {
        let (next, ended) = (Next::Settled, Ended::default());
        Finished { id, next, delivered: false, trouble: None, ended, held }
    }
}

async fn read(store: &dyn Store, id: Id) -> Option<Owed> {
    loop {
        match store.deliveries(vec![id]).await {
            Ok(mut found) => return found.pop(),
            Err(error) => wait_for_store(&error).await,
        }
    }
}

async fn write(store: &dyn Store, id: Id, progress: &Progress) {
    while let Err(error) = store.settle(vec![(id, progress.clone())]).await {
        wait_for_store(&error).await;
    }
}

/// Where an attempt under way writes down what it is about to do: into the delivery's own record.
struct Notebook {
    store: Arc<dyn Store>,
    id: Id,
    progress: Progress,
}

impl Notes for Notebook {
    fn note(&self, steps: Steps) -> BoxFuture<'_, ()> {
        let mut progress = self.progress.clone();
        progress.steps.extend(steps);
        Box::pin(async move { write(&*self.store, self.id, &progress).await })
    }
}

impl Connection {
    pub(super) fn count_created(&self, delivery: &Delivery) {
        let labels = [&*self.name, &*delivery.mapping, &*delivery.action];
        self.metrics.deliveries_created_total.with_label_values(&labels).inc();
        let trimmed = delivery.warnings.iter().filter(|warning| warning.code == Warning::METADATA_TRIMMED);
        let trimmed: u64 = trimmed.map(|warning| u64::from(warning.count)).sum();
        self.metrics.metadata_keys_trimmed_total.with_label_values(&[&*self.name]).inc_by(trimmed);
    }

    /// Counts and reports a delivery that has ended.
    pub(super) fn count_settled(&self, owed: &Owed) {
        let (at, code) = match &owed.progress.status {
            Status::Delivered { at } => (*at, ""),
            Status::Skipped { at, reason } => (*at, &**reason),
            Status::DeadLetter { at, code, .. } => (*at, &**code),
            Status::Pending | Status::Waiting { .. } => return,
        };
        let status = owed.progress.status.name();
        let delivery = &owed.delivery;
        let labels = [&*self.name, &*delivery.mapping, &*delivery.action, status, code];
        self.metrics.deliveries_total.with_label_values(&labels).inc();
        // How long a dead letter lay before somebody took it up says nothing about how fast events are delivered.
        if owed.progress.handled.is_empty() {
            let lag = at.duration_since(delivery.accepted_at).as_secs_f64().max(0.0);
            self.metrics.delivery_lag_seconds.with_label_values(&[&*self.name]).observe(lag);
        }
        if status == "dead_letter" {
            tracing::error!(delivery.id = %owed.id, mapping.name = %delivery.mapping, destination.name = %self.name,
                code, "Delivery {} became a dead letter: {code}", owed.id);
        } else {
            tracing::debug!(delivery.id = %owed.id, mapping.name = %delivery.mapping, code, "Delivery {} is {status}", owed.id);
        }
    }
}
