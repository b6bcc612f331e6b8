//! Newer calls that went past an older one of the same person, which came too early: what they have written stays.
//!
//! # Why
//! What waits for a contact lets others of its person pass, because the one that makes the contact may be among them. When it
//! goes at last it would put its old values over theirs, and put a tag on that they have taken off. So what a call writes on its
//! way past is noted with its settlement, and the older one is sent without it.

use super::attempt::{Attempted, Next};
use super::replay::Known;
use super::{Connection, wait_for_store};
use crate::action::Warning;
use crate::delivery::{Progress, Status};
use crate::destination::CONTACT_AWAITED;
use crate::instant::Timestamp;
use crate::store::{Owed, Passing, Store};

/// What has to be noted or forgotten with an attempt.
pub(super) struct Past {
    /// See [`super::conductor::Begin::past`].
    pub(super) past: Vec<u64>,
    /// See [`super::conductor::Begin::last_of`].
    pub(super) last_of: Vec<u64>,
}

impl Past {
    /// Of an attempt that has ended. `fills`: whether an action leaves something that an older call could undo.
    pub(super) fn passing<'p>(
        &'p self,
        destination: &'p str,
        fills: impl FnOnce(&str) -> bool,
        attempted: &Attempted,
    ) -> Passing<'p> {
        let Owed { delivery, progress, .. } = &attempted.owed;
        let writes = !self.past.is_empty() && has_written(progress) && fills(&delivery.action);
        let under = if writes { &*self.past } else { &[] };
        Passing { under, ..self.ending(destination, attempted.next == Next::Settled) }
    }

    /// Of one of which nothing was attempted.
    pub(super) fn ending<'p>(&'p self, destination: &'p str, is_settled: bool) -> Passing<'p> {
        let forget = if is_settled { &*self.last_of } else { &[] };
        Passing { destination, under: &[], forget }
    }
}

/// Whether some of what it says is as it says, as far as anybody knows. What waits behind the older one does that again.
fn has_written(progress: &Progress) -> bool {
    match &progress.status {
        Status::Delivered { .. } | Status::Skipped { .. } => true,
        Status::Waiting { reason, .. } if reason == CONTACT_AWAITED => false,
        Status::Waiting { .. } | Status::Pending | Status::DeadLetter { .. } => !progress.steps.is_empty(),
    }
}

/// Leaves out of one that stands outside what newer calls have written on their way past it; says what. It has ended when
/// nothing is left.
pub(super) async fn spare_newer(
    owed: &mut Owed,
    connection: &Connection,
    store: &dyn Store,
    now: Timestamp,
) -> Vec<Warning> {
    let Some(fills) = connection.fills(&owed.delivery.action) else { return Vec::new() };
    let newer = loop {
        match store.passed(&connection.name, &owed.delivery.keys, owed.id).await {
            Ok(newer) => break newer,
            Err(error) => wait_for_store(&error).await,
        }
    };
    if newer.is_empty() {
        return Vec::new();
    }
    let (of, before) = (owed.delivery.stands_at(owed.id), owed.delivery.warnings.len());
    let known = Known::of(&owed.delivery.keys, &newer, connection);
    known.fill(of, &mut owed.delivery, &mut owed.progress, fills, now);
    owed.delivery.warnings.split_off(before)
}
