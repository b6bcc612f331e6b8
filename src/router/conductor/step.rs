//! What a conductor is told of deliveries, and what it says is to be done.

use std::sync::Arc;

use super::window::Read;
use crate::delivery::Id;
use crate::instant::Timestamp;
use crate::router::standstill::Standstills;
use crate::store::{Open, Owed};

/// A delivery on its way into its line.
#[derive(Debug, Clone)]
pub(in crate::router) struct Joining {
    pub(in crate::router) id: Id,
    pub(super) source: Arc<str>,
    pub(super) keys: Vec<u64>,
    pub(super) accepted_at: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) parked: bool,
    pub(super) owed: Option<Arc<Owed>>,
}

impl Joining {
    /// One that was just routed.
    pub(in crate::router) fn new(owed: Owed) -> Joining {
        Joining {
            id: owed.id,
            source: owed.delivery.source.clone(),
            keys: owed.delivery.keys.clone(),
            accepted_at: owed.delivery.accepted_at,
            until: None,
            parked: false,
            owed: Some(Arc::new(owed)),
        }
    }

    /// Roughly how many bytes of memory what is owed takes here.
    pub(in crate::router) fn held(&self) -> usize {
        self.owed.as_deref().map_or(0, size)
    }

    /// One that was read.
    pub(in crate::router) fn stored(open: Open) -> Joining {
        Joining {
            id: open.id,
            source: open.source,
            keys: open.keys,
            accepted_at: open.accepted_at,
            until: open.until,
            parked: open.parked,
            owed: None,
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub(in crate::router) enum Step {
    /// An attempt.
    Begin(Begin),
    /// A page of open deliveries.
    Read(Read),
    /// A look whether the credentials of this generation work.
    Probe(Generation),
}

/// An attempt that is to be made now.
#[derive(Debug)]
pub(in crate::router) struct Begin {
    pub(in crate::router) id: Id,
    /// The delivery, where it is in memory.
    pub(in crate::router) owed: Option<Arc<Owed>>,
    /// Those that wait directly behind it, and may be brought with it.
    pub(in crate::router) behind: Vec<Behind>,
    /// Whether it stands outside its line.
    pub(in crate::router) outside: bool,
    /// Whether an older one about the same person and company stands outside: what needs the contact waits behind it.
    pub(in crate::router) follows: bool,
    /// The keys of people of whom an older one stands outside: what this one writes is noted for that one.
    pub(in crate::router) past: Vec<u64>,
    /// Of one that stands outside, the keys of people of whom no other does: once it has ended, nobody asks what was noted.
    pub(in crate::router) last_of: Vec<u64>,
    /// What it comes to is told with this.
    pub(in crate::router) generation: Generation,
    /// When the connection stood still.
    pub(in crate::router) standstills: Standstills,
}

/// One that waits behind another; with what is owed, where that is in memory.
pub(in crate::router) type Behind = (Id, Option<Arc<Owed>>);

/// Counts how often the destination behind a connection was built anew: what an older one says of its credentials and
/// its allowance is not about the present one.
pub(in crate::router) type Generation = u64;

/// Roughly how much memory a delivery takes.
pub(in crate::router) fn size(owed: &Owed) -> usize {
    512 + owed.delivery.payload.as_ref().map_or(0, |payload| payload.get().len())
}
