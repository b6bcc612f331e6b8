//! Which destinations are paused: what is to be attempted there waits for somebody, and says why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Admin;
use super::filter::page;
use crate::delivery::Status;
use crate::store::{self, Filter, Owed, Page, Store};

/// Paused destinations, each with the reason.
pub(super) struct Paused(BTreeMap<Arc<str>, String>);

impl Paused {
    /// As it is now.
    pub(super) fn now(admin: &Admin) -> Paused {
        let reason =
            |standing: &Value| Some(standing["hold"].as_str().filter(|_| standing["paused"] == true)?.to_owned());
        let all = (admin.parts.standings)().into_iter();
        Paused(all.filter_map(|(name, standing)| Some((name, reason(&standing)?))).collect())
    }

    /// Why a delivery is paused, if it is.
    pub(super) fn reason(&self, owed: &Owed) -> Option<&str> {
        let is_to_go = owed.progress.status == Status::Pending;
        self.0.get(&owed.delivery.destination).filter(|_| is_to_go).map(String::as_str)
    }

    /// The newest of those that are paused, among those that the filter means.
    pub(super) async fn page(&self, store: &dyn Store, filter: Filter, limit: usize) -> store::Result<Page> {
        let mut whole = Page::default();
        let is_meant = |name: &&Arc<str>| filter.destination.as_deref().is_none_or(|wanted| wanted == &***name);
        for name in self.0.keys().filter(is_meant) {
            let (status, destination) = (Some("pending".to_owned()), Some(name.to_string()));
            let one = page(store, Filter { status, destination, ..filter.clone() }, limit).await?;
            whole.found.extend(one.found);
            whole.next = whole.next.max(one.next);
        }
        // Of each, everything was looked at down to its own place: of all, down to the newest of these.
        whole.found.sort_by_key(|owed| std::cmp::Reverse(owed.id));
        whole.found.retain(|owed| whole.next.is_none_or(|next| owed.id >= next));
        if whole.found.len() > limit {
            whole.found.truncate(limit);
            whole.next = whole.found.last().map(|owed| owed.id);
        }
        Ok(whole)
    }
}
