//! Newer calls that went past an older one of the same person, which came too early: what they have written stays.
//!
//! # Why
//! What waits for a contact lets others of its person pass, because the one that makes the contact may be among them. When it
//! goes at last it would put its old values over theirs, and put a tag on that they have taken off. So what a call writes on its
//! way past is noted with its settlement, thing by thing, and the older one is sent without it.
//!
//! Who passes whom is told by the keys that both share, as order is.

use super::known::{Known, wrote};
use super::{Connection, wait_for_store};
use crate::action::{Fills, Warning};
use crate::delivery::{Delivery, Id, Progress};
use crate::instant::Timestamp;
use crate::store::{Owed, Passing, Store, Wrote};

/// What an attempt has to do with others of its person that wait outside, or wait no longer.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// See [`super::conductor::Begin::past`].
    pub(super) past: Vec<u64>,
    /// See [`super::conductor::Begin::last_of`].
    pub(super) last_of: Vec<u64>,
}

impl Past {
    /// What is to be noted of a delivery by older ones that it went past. `fills`: what its action leaves, if anything.
    pub(super) fn wrote(
        &self,
        id: Id,
        delivery: &Delivery,
        progress: &Progress,
        fills: impl FnOnce(&str) -> Option<&'static Fills>,
    ) -> Vec<Wrote> {
        match self.past.is_empty() {
            true => Vec::new(),
            false => fills(&delivery.action)
                .map_or(Vec::new(), |fills| wrote((id, delivery, progress), fills, &self.past, false)),
        }
    }

    /// The same with what is to be forgotten, when it has ended.
    pub(super) fn passing<'p>(&'p self, destination: &'p str, wrote: &'p [Wrote], is_settled: bool) -> Passing<'p> {
        Passing { destination, wrote, forget: if is_settled { &self.last_of } else { &[] } }
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
    // Who opened it again wanted it to write over what is newer.
    if owed.progress.handled.last().is_some_and(|handled| handled.overwrite) {
        return Vec::new();
    }
    let passed = loop {
        match store.passed(&connection.name, &owed.delivery.keys).await {
            Ok(passed) => break passed,
            Err(error) => wait_for_store(&error).await,
        }
    };
    if passed.is_empty() {
        return Vec::new();
    }
    let (of, before) = (owed.delivery.place(owed.id), owed.delivery.warnings.len());
    let known = Known::past(&owed.delivery.destination, passed);
    known.fill(of, &mut owed.delivery, &mut owed.progress, fills, now);
    owed.delivery.warnings.split_off(before)
}
