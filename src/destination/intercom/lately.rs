//! What was learned of contacts a moment ago, by their Intercom ids: the search need not know it yet.
//!
//! # Why
//! Intercom's search lags. A lead that has just become a user is still shown as a lead, one that was merged or archived as if
//! it were there, an address that was given up as if it were had. Whoever believed that would write one person's data onto
//! another.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::client::Client;
use super::identity::Contact;
use super::ledger::Note;
use super::limits::unshown_max;
use crate::action::Failure;

/// What is kept until the search surely knows it, which it does after so many seconds: the latest goes in, whoever is there.
pub fn until_shown<V: Clone + Send + Sync + 'static>(lag_secs: u64) -> Cache<String, V> {
    Cache::builder()
        .max_capacity(unshown_max(lag_secs))
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(Duration::from_secs(lag_secs))
        .build()
}

/// What is true of an id: who it leads to, or that nobody is there.
pub struct Lately(Cache<String, Option<Arc<Contact>>>);

impl Lately {
    /// Nothing learned yet; the search knows everything after so many seconds.
    pub fn new(lag_secs: u64) -> Lately {
        Lately(until_shown(lag_secs))
    }

    /// This contact is what `id` leads to: itself, or whom it was merged into.
    pub async fn leads_to(&self, id: &str, contact: &Arc<Contact>) {
        self.0.insert(id.to_owned(), Some(contact.clone())).await;
    }

    /// What is known of an id; the inner `None`: nobody is there.
    pub async fn of(&self, id: &str) -> Option<Option<Arc<Contact>>> {
        self.0.get(id).await
    }

    /// Nobody is there.
    pub async fn is_gone(&self, id: &str) {
        self.0.insert(id.to_owned(), None).await;
    }
}

impl Client {
    /// A contact that the search showed, as it is known to be; `None`: it is not there, or does not have that address any
    /// more. Who was written by a process before this one is read.
    pub async fn as_known(&self, shown: Contact, email: Option<&str>) -> Result<Option<Contact>, Failure> {
        let known = match self.service.directory.lately.of(&shown.id).await {
            Some(known) => known,
            None => match self.noted(&shown.id).await? {
                Some(known) => known,
                None => return Ok(Some(shown)),
            },
        };
        let Some(known) = known else { return Ok(None) };
        if email.is_some() && known.email.is_some() && known.email.as_deref() != email {
            return Ok(None);
        }
        Ok(Some(Contact {
            id: known.id.clone(),
            role: known.role.or(shown.role),
            external_id: known.external_id.clone().or(shown.external_id),
            email: known.email.clone().or(shown.email),
            last_seen_at: known.last_seen_at.max(shown.last_seen_at),
            changed_at: known.changed_at.max(shown.changed_at),
        }))
    }

    /// Notes who has an address, where that is news: whoever has its role, id and address `before` was noted then.
    pub async fn note_address(&self, before: Option<&Contact>, contact: &Contact) {
        let Some(email) = &contact.email else { return };
        let same = |known: &Contact| {
            (&known.email, &known.external_id, known.role) == (&contact.email, &contact.external_id, contact.role)
        };
        if !before.is_some_and(same) {
            self.note_of(email, &contact.id).await;
        }
    }

    /// Notes that an address leads to a contact, which need not have it any more.
    pub async fn note_of(&self, email: &str, id: &str) {
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.service.ledger.note(email, Note::Has(id.into()), self.now().as_second()).await;
        }
    }

    /// Notes that a lead was asked for, or is about to be by somebody who keeps no record of it.
    pub async fn note_asked(&self, email: &str) {
        self.service.ledger.note(email, Note::Asked, self.now().as_second()).await;
    }

    /// Notes that a lead was surely not made.
    pub async fn note_refused(&self, email: &str) {
        self.service.ledger.note(email, Note::Refused, self.now().as_second()).await;
    }

    /// Whether somebody asked for a lead so short a time ago that the search need not show it, and nobody knows what came of
    /// it.
    pub fn was_asked_for(&self, email: &str) -> bool {
        self.service.ledger.is_asked(email, self.now().as_second())
    }

    /// Those who were written with an address a moment ago and still have it.
    pub async fn written_with(&self, email: &str) -> Result<Vec<Contact>, Failure> {
        let mut found: Vec<Contact> = Vec::new();
        for id in self.service.ledger.contacts(email, self.now().as_second()) {
            let known = match self.service.directory.lately.of(&id).await {
                Some(Some(known)) if known.email.is_none() => self.read_again(&id).await?,
                Some(known) => known,
                None => self.read_again(&id).await?,
            };
            let known = known.filter(|contact| contact.email.as_deref() == Some(email));
            found.extend(known.filter(|contact| found.iter().all(|one| one.id != contact.id)).as_deref().cloned());
        }
        Ok(found)
    }

    /// A contact of which something is noted, as it is now; `None`: nothing is noted of it.
    pub async fn noted(&self, id: &str) -> Result<Option<Option<Arc<Contact>>>, Failure> {
        match self.service.ledger.is_noted(id, self.now().as_second()) {
            true => self.read_again(id).await.map(Some),
            false => Ok(None),
        }
    }

    async fn read_again(&self, id: &str) -> Result<Option<Arc<Contact>>, Failure> {
        let (there, lately) = (self.by_id(id).await?.map(Arc::new), &self.service.directory.lately);
        match &there {
            Some(contact) => lately.leads_to(id, contact).await,
            None => lately.is_gone(id).await,
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_latest_are_kept_however_many_there_were() {
        let (cache, max) = (until_shown(60), unshown_max(60));
        for number in 0..=max {
            cache.insert(number.to_string(), ()).await;
        }
        cache.run_pending_tasks().await;
        let is_kept = |number: u64| cache.contains_key(&number.to_string());
        assert_eq!([0, 1, max].map(is_kept), [false, true, true]);
    }
}
