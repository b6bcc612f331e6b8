//! What was learned of contacts a moment ago, by their Intercom ids: the search need not know it yet.
//!
//! # Why
//! Intercom's search lags. A lead that has just become a user is still shown as a lead, one that was merged or archived as if
//! it were there, an address that was given up as if it were had. Whoever believed that would write one person's data onto
//! another.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::client::Client;
use super::identity::Contact;

/// The most contacts of which something is remembered.
const CONTACTS_MAX: u64 = 100_000;

/// What is true of an id: who it leads to, or that nobody is there.
pub struct Lately(Cache<String, Option<Arc<Contact>>>);

impl Lately {
    /// Nothing learned yet; the search knows everything after `lag`.
    pub fn new(lag: Duration) -> Lately {
        Lately(Cache::builder().max_capacity(CONTACTS_MAX).time_to_live(lag).build())
    }

    /// This contact is what `id` leads to: itself, or whom it was merged into.
    pub async fn leads_to(&self, id: &str, contact: &Arc<Contact>) {
        self.0.insert(id.to_owned(), Some(contact.clone())).await;
    }

    /// Nobody is there.
    pub async fn is_gone(&self, id: &str) {
        self.0.insert(id.to_owned(), None).await;
    }
}

impl Client {
    /// A contact that the search showed, as it is known to be; `None`: it is not there, or does not have that address any
    /// more.
    pub async fn as_known(&self, shown: Contact, email: Option<&str>) -> Option<Contact> {
        let Some(known) = self.service.directory.lately.0.get(&shown.id).await else { return Some(shown) };
        let known = known?;
        if email.is_some() && known.email.is_some() && known.email.as_deref() != email {
            return None;
        }
        Some(Contact {
            id: known.id.clone(),
            role: known.role.or(shown.role),
            external_id: known.external_id.clone().or(shown.external_id),
            email: known.email.clone().or(shown.email),
            last_seen_at: known.last_seen_at.max(shown.last_seen_at),
            changed_at: known.changed_at.max(shown.changed_at),
        })
    }
}
