//! What one attempt brings: a delivery, and those directly behind it that can be made one with it.
//!
//! # Why
//! Under a backlog a person's updates wait one behind the other, and each is worth a request only because of the fields that
//! no later one writes anew. One request says all of it. Only what nobody has tried yet is made one; and which go together is
//! written down before they go, because an attempt that goes on where an earlier one stopped must send what that one began
//! to send, and what may have been heard must not be followed by something older.

use serde_json::value::RawValue;

use crate::action::Unfit;
use crate::delivery::Id;
use crate::store::Owed;

/// A delivery that is attempted, with those that are brought with it.
pub(super) struct Load {
    /// The first one; the attempt is part of its story.
    pub(super) owed: Owed,
    /// The others, in order.
    pub(super) carried: Vec<Owed>,
    /// What all of them come to, where there are others.
    merged: Option<Box<RawValue>>,
}

impl Load {
    /// One alone.
    pub(super) fn of(owed: Owed) -> Load {
        Load { owed, carried: Vec::new(), merged: None }
    }

    /// What is to be sent, or why there is nothing.
    pub(super) fn payload(&self) -> Result<&RawValue, &Unfit> {
        match (&self.merged, &self.owed.delivery.payload) {
            (Some(merged), _) => Ok(merged),
            (None, payload) => payload.as_deref(),
        }
    }

    /// All of them, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        std::iter::once(&self.owed).chain(&self.carried).map(|one| one.id)
    }

    /// Whether others may be brought with it: any, or those that an earlier attempt brought.
    pub(super) fn may_carry(&self) -> bool {
        let Owed { progress, delivery, .. } = &self.owed;
        delivery.payload.is_ok() && (progress.is_untouched() || !progress.carries.is_empty())
    }

    /// Takes along the next one, which waits directly behind. `merge` makes one payload of an action out of two. False: it
    /// has to go by itself, and so have those behind it.
    pub(super) fn take(&mut self, next: Owed, merge: impl FnOnce(&str, &[u8], &[u8]) -> Option<String>) -> bool {
        let carries = &self.owed.progress.carries;
        let is_meant = carries.is_empty() || carries.get(self.carried.len()) == Some(&next.id);
        let is_alike = next.delivery.action == self.owed.delivery.action && next.progress.is_untouched() && is_meant;
        let (Ok(older), Ok(newer), true) = (self.payload(), &next.delivery.payload, is_alike) else { return false };
        let merged = merge(&next.delivery.action, older.get().as_bytes(), newer.get().as_bytes());
        let Some(merged) = merged.and_then(|text| RawValue::from_string(text).ok()) else { return false };
        self.merged = Some(merged);
        self.carried.push(next);
        true
    }

    /// No other one is taken along. Without all of those that an earlier attempt brought, it goes alone. True: what it
    /// carries is to be written down before it is sent.
    pub(super) fn close(&mut self) -> bool {
        let carried: Vec<Id> = self.ids().skip(1).collect();
        let carries = &mut self.owed.progress.carries;
        if !carries.is_empty() && *carries != carried {
            (self.merged, self.carried) = (None, Vec::new());
            carries.clear();
            return false;
        }
        std::mem::replace(carries, carried) != *carries
    }
}
