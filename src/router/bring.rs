//! Bringing one delivery: read it if need be, attempt it, write down what came of it, count it.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::attempt::{Attempted, Next, Place, attempt, wait_behind};
use super::conductor::{Begin, Behind, size};
use super::load::Load;
use super::pace::Ended;
use super::passed::{Past, spare_newer};
use super::under_way::Attempting;
use super::{Connection, Surroundings, wait_for_store};
use crate::action::{Fills, Kind, Warning};
use crate::delivery::{Delivery, Id, Progress, Status, Steps};
use crate::destination::{Ahead, Notes};
use crate::instant::Timestamp;
use crate::store::{Owed, Passing, Store};

/// The code of a delivery that ended with another one.
const CARRIED: &str = "carried";

/// An attempt that has ended and was written down.
pub(super) struct Finished {
    /// Which.
    pub(super) id: Id,
    /// What happens next.
    pub(super) next: Next,
    /// When that was reckoned.
    pub(super) at: Timestamp,
    /// Whether the destination has it.
    pub(super) delivered: bool,
    /// Whether whoever waits for the contact has a reason to try.
    pub(super) wakes: bool,
    /// Those that have ended with it, or came too early with it.
    pub(super) carried: Vec<Id>,
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
    Begin { id, owed, behind, outside, follows, past, last_of, standstills, .. }: Begin,
) -> Finished {
    let past = Arc::new(Past { past, last_of });
    // Before it is looked whether it was removed: who removes it looks afterwards whether it is under way.
    let _attempting = surroundings.under_way.begin(id.position);
    let held = owed.as_deref().map_or(0, size);
    let Some(mut owed) = still_owed(&**store, (id, owed)).await else {
        return Finished::unmade(id, (surroundings.clock)(), held);
    };
    let mut left_out = Vec::new();
    if outside {
        left_out = spare_newer(&mut owed, connection, &**store, (surroundings.clock)()).await;
        if owed.progress.status.is_settled() {
            return end(owed, &past, (connection, &**store, surroundings), held).await;
        }
    }
    let ahead = follows.then(|| ahead(connection, &owed));
    if ahead == Some(Ahead::Nothing) {
        return put_aside(owed, &**store, surroundings, held).await;
    }
    let (mut load, _attempting_others) = gather(owed, behind, connection, store, surroundings).await;
    if load.close() {
        write(&**store, &[(id, &load.owed.progress)], Passing::default()).await;
    }
    let notebook = Notebook::of(&load.owed, connection, store, &past);
    let place = Place { outside, follows, standstills: &standstills };
    let mut attempted = attempt(connection, load, place, surroundings, Arc::new(notebook)).await;
    if let Some(story) = attempted.owed.progress.story.last_mut() {
        story.warnings.append(&mut left_out);
    }
    let all = || std::iter::once(&attempted.owed).chain(&attempted.carried);
    let settlements: Vec<_> = all().map(|one| (one.id, &one.progress)).collect();
    let Owed { delivery, progress, .. } = &attempted.owed;
    let wrote = past.wrote(id, delivery, progress, |action| connection.fills(action));
    write(&**store, &settlements, past.passing(&connection.name, &wrote, attempted.next == Next::Settled)).await;
    all().for_each(|one| surroundings.live.delivery(one));
    if attempted.next == Next::Settled {
        all().for_each(|one| connection.count_settled(one));
    }
    Finished::of(attempted, ahead, held)
}

/// The delivery, read where it is not in memory; `None`, and said why, where nothing is owed any more.
async fn still_owed(store: &dyn Store, (id, owed): Behind) -> Option<Owed> {
    let owed = match owed {
        Some(owed) => Some(Arc::unwrap_or_clone(owed)),
        None => read(store, vec![id]).await.pop(),
    };
    if store.is_removed(id.position) {
        tracing::info!(delivery.id = %id, "Delivery {id} is not made: what was known of the person was removed");
        return None;
    }
    let Some(owed) = owed else {
        tracing::error!(delivery.id = %id, "A delivery is not in the store any more, or its record is damaged");
        return None;
    };
    if owed.progress.status.is_settled() {
        tracing::debug!(delivery.id = %id, "Delivery {id} has ended meanwhile");
        return None;
    }
    Some(owed)
}

/// What a delivery has to do before the older one that waits for the same contact.
fn ahead(connection: &Connection, owed: &Owed) -> Ahead {
    let Delivery { action, payload, .. } = &owed.delivery;
    // Without a payload there is nothing to wait with.
    payload.as_ref().map_or(Ahead::Apart, |payload| connection.destination.ahead(action, payload.get().as_bytes()))
}

/// Writes down that a delivery waits outside its line, without an attempt.
async fn put_aside(mut owed: Owed, store: &dyn Store, surroundings: &Surroundings, held: usize) -> Finished {
    let now = (surroundings.clock)();
    wait_behind(&mut owed.progress, now);
    write(store, &[(owed.id, &owed.progress)], Passing::default()).await;
    surroundings.live.delivery(&owed);
    Finished::put_aside(owed.id, now, held)
}

/// Writes down that a delivery has ended without a further attempt.
async fn end(
    owed: Owed,
    past: &Past,
    (connection, store, surroundings): (&Connection, &dyn Store, &Surroundings),
    held: usize,
) -> Finished {
    write(store, &[(owed.id, &owed.progress)], past.passing(&connection.name, &[], true)).await;
    surroundings.live.delivery(&owed);
    connection.count_settled(&owed);
    Finished::unmade(owed.id, (surroundings.clock)(), held)
}

/// Takes along those behind a delivery that can be made one with it; what is answered besides keeps whoever removes a
/// person waiting for them.
async fn gather(
    owed: Owed,
    behind: Vec<Behind>,
    connection: &Connection,
    store: &Arc<dyn Store>,
    surroundings: &Surroundings,
) -> (Load, Vec<Attempting>) {
    let mut load = Load::of(owed);
    let mut attempting = Vec::new();
    let destination = &connection.destination;
    if !load.may_carry() || !destination.merges(&load.owed.delivery.action) {
        return (load, attempting);
    }
    // Mostly the next one goes by itself, so few are read until some were taken.
    let mut some = 1;
    let mut behind = behind.into_iter().peekable();
    while behind.peek().is_some() {
        let next: Vec<Behind> = behind.by_ref().take(some).collect();
        attempting.extend(next.iter().map(|(id, _)| surroundings.under_way.begin(id.position)));
        for one in whole(next, store).await {
            let merge = |action: &str, older: &[u8], newer: &[u8]| destination.merged(action, older, newer);
            if !one.is_some_and(|one| !store.is_removed(one.id.position) && load.take(one, merge)) {
                return (load, attempting);
            }
        }
        some *= 2;
    }
    (load, attempting)
}

/// What is owed, read where it is not in memory; `None` where it is not there any more.
async fn whole(some: Vec<Behind>, store: &Arc<dyn Store>) -> Vec<Option<Owed>> {
    let missing: Vec<Id> = some.iter().filter(|(_, owed)| owed.is_none()).map(|(id, _)| *id).collect();
    let mut found = match missing.is_empty() {
        true => Vec::new(),
        false => read(&**store, missing).await,
    };
    let of_store = |id: Id, found: &mut Vec<Owed>| found.extract_if(.., |one| one.id == id).next();
    some.into_iter().map(|(id, owed)| owed.map(Arc::unwrap_or_clone).or_else(|| of_store(id, &mut found))).collect()
}

impl Finished {
    /// An attempt that was written down; of one that follows another, with what it was to do ahead of that one.
    pub(super) fn of(attempted: Attempted, ahead: Option<Ahead>, held: usize) -> Finished {
        let Attempted { owed: Owed { id, progress, .. }, carried, next, at, ended } = attempted;
        let carried = carried.into_iter().map(|one| one.id).collect();
        let delivered = matches!(progress.status, Status::Delivered { .. });
        let wakes = match ahead {
            Some(Ahead::Contact) => delivered || matches!(next, Next::Parked(_)),
            Some(Ahead::Nothing | Ahead::Apart) => false,
            None => delivered,
        };
        let failure = progress.story.last().and_then(|attempt| attempt.failure.as_ref());
        let trouble = failure.filter(|failure| matches!(failure.kind, Kind::Unavailable | Kind::Unknown));
        let trouble = trouble.map(|failure| failure.code.clone());
        Finished { id, next, at, delivered, wakes, carried, trouble, ended, held }
    }

    /// One that was not made, because nothing is owed any more.
    pub(super) fn unmade(id: Id, at: Timestamp, held: usize) -> Finished {
        let (next, ended) = (Next::Settled, Ended::default());
        let (delivered, wakes, carried) = (false, false, Vec::new());
        Finished { id, next, at, delivered, wakes, carried, trouble: None, ended, held }
    }

    /// One that was not made, because it waits behind another outside the lines.
    pub(super) fn put_aside(id: Id, at: Timestamp, held: usize) -> Finished {
        Finished { next: Next::Parked(at), ..Finished::unmade(id, at, held) }
    }
}

async fn read(store: &dyn Store, ids: Vec<Id>) -> Vec<Owed> {
    loop {
        match store.deliveries(ids.clone()).await {
            Ok(found) => return found,
            Err(error) => wait_for_store(&error).await,
        }
    }
}

async fn write(store: &dyn Store, settlements: &[(Id, &Progress)], passing: Passing<'_>) {
    while let Err(error) = store.settle_passing(settlements, passing).await {
        wait_for_store(&error).await;
    }
}

/// Where an attempt under way writes down what it is about to do: into the delivery's own record.
struct Notebook {
    store: Arc<dyn Store>,
    id: Id,
    progress: Progress,
    /// Of one that goes past older ones, what is needed to tell what it has written by then.
    passes: Option<Passes>,
}

struct Passes {
    past: Arc<Past>,
    delivery: Delivery,
    fills: Option<&'static Fills>,
}

impl Notebook {
    fn of(
        Owed { id, delivery, progress }: &Owed,
        connection: &Connection,
        store: &Arc<dyn Store>,
        past: &Arc<Past>,
    ) -> Notebook {
        let passes =
            || Passes { past: past.clone(), delivery: delivery.clone(), fills: connection.fills(&delivery.action) };
        let passes = (!past.past.is_empty()).then(passes);
        Notebook { store: store.clone(), id: *id, progress: progress.clone(), passes }
    }
}

impl Notes for Notebook {
    fn note(&self, steps: Steps) -> BoxFuture<'_, ()> {
        let mut progress = self.progress.clone();
        progress.steps.extend(steps);
        Box::pin(async move {
            let settlement = [(self.id, &progress)];
            let Some(Passes { past, delivery, fills }) = &self.passes else {
                return write(&*self.store, &settlement, Passing::default()).await;
            };
            let wrote = past.wrote(self.id, delivery, &progress, |_| *fills);
            write(&*self.store, &settlement, past.passing(&delivery.destination, &wrote, false)).await;
        })
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
            Status::Delivered { at } => (*at, owed.progress.carried_by.map_or("", |_| CARRIED)),
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
