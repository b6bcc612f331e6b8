//! What is remembered of contacts, so that they need not be looked up again.

use std::borrow::Cow;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::future::Cache;

use super::attribute::Model;
use super::client::Client;
use super::identity::{Contact, Identity};
use super::lately::{Lately, until_shown};
use super::{CacheSettings, Settings};

/// Belongings that are remembered of each contact, on average, at most.
const BELONGINGS_MEAN: u64 = 4;

/// After so many new people in a row, the next one is taken for new.
const NEW_IN_A_ROW: u32 = 3;

/// What is remembered of contacts.
pub struct Directory {
    pub(super) by_external_id: Cache<String, Arc<Contact>>,
    pub(super) by_email: Cache<String, Arc<Contact>>,
    /// By address, until the search surely knows.
    fresh: Cache<String, Arc<Contact>>,
    /// Addresses of leads that may have been made, though there was no answer; when that was known, in Unix seconds.
    pub(super) unsettled: Cache<String, i64>,
    /// What the search need not know yet.
    pub(super) lately: Lately,
    /// What contacts and companies surely have: tags, and companies they are in.
    belongings: Cache<[u64; 2], ()>,
    /// By which they are told apart, in 128 bits: a text for each would take more memory than all else.
    keys: [RandomState; 2],
    /// How often tags went, so that nobody is known to have one of before.
    tags_gone: AtomicU32,
    /// How many people in a row were new.
    new_in_a_row: AtomicU32,
}

impl Directory {
    /// Nothing remembered yet.
    pub fn new(settings: &Settings) -> Directory {
        let CacheSettings { entries_max, ttl_secs } = settings.cache;
        let lag_secs = settings.search_lag_secs;
        let cache = || Cache::builder().time_to_live(Duration::from_secs(ttl_secs));
        Directory {
            by_external_id: cache().max_capacity(entries_max).build(),
            by_email: cache().max_capacity(entries_max).build(),
            fresh: until_shown(lag_secs),
            lately: Lately::new(lag_secs),
            unsettled: until_shown(lag_secs),
            belongings: Cache::builder()
                .max_capacity(entries_max.saturating_mul(BELONGINGS_MEAN))
                .time_to_live(Duration::from_secs(ttl_secs))
                .build(),
            keys: std::array::from_fn(|_| RandomState::new()),
            tags_gone: AtomicU32::new(0),
            new_in_a_row: AtomicU32::new(0),
        }
    }

    /// Whether who comes next is probably new.
    pub fn expects_new(&self) -> bool {
        self.new_in_a_row.load(Ordering::Relaxed) >= NEW_IN_A_ROW
    }

    /// Somebody who was not known was new, or was there.
    pub fn note_new(&self, is_new: bool) {
        let count = if is_new { self.new_in_a_row.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
        self.new_in_a_row.store(count, Ordering::Relaxed);
    }

    /// Forgets who has which tag.
    pub fn forget_tags(&self) {
        self.tags_gone.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets who is who, and who has what.
    pub fn forget_all(&self) {
        self.by_external_id.invalidate_all();
        self.by_email.invalidate_all();
        self.belongings.invalidate_all();
    }

    /// Who was written with an address so short a time ago that the search need not show it.
    pub async fn lately_with(&self, email: &str) -> Option<Arc<Contact>> {
        self.fresh.get(email).await
    }

    /// Remembers who has an address.
    async fn learn_email(&self, email: &str, contact: Arc<Contact>) {
        self.by_email.insert(email.to_owned(), contact.clone()).await;
        self.fresh.insert(email.to_owned(), contact).await;
    }

    /// Forgets who has an address.
    pub async fn forget_email(&self, email: &str) {
        self.by_email.invalidate(email).await;
        self.fresh.invalidate(email).await;
    }
}

/// Something a contact or a company has, by Intercom's ids.
#[derive(Debug, Clone, Copy)]
pub enum Belonging<'a> {
    /// A tag, by its name.
    Tag(&'a str),
    /// A company it is in.
    Company(&'a str),
    /// An address for which it was looked whether a lead has it, in lower case.
    Address(&'a str),
}

impl Belonging<'_> {
    fn key(self, owner: &str, directory: &Directory) -> [u64; 2] {
        let what = match self {
            Belonging::Tag(name) => {
                ("tag", directory.tags_gone.load(Ordering::Relaxed), Cow::Owned(name.to_lowercase()))
            }
            Belonging::Company(id) => ("company", 0, Cow::Borrowed(id)),
            Belonging::Address(email) => ("address", 0, Cow::Borrowed(email)),
        };
        directory.keys.each_ref().map(|keys| keys.hash_one((owner, &what)))
    }

    /// Why it need not be given again, as a metric's word.
    fn reason(self) -> &'static str {
        match self {
            Belonging::Tag(_) => "tagged",
            Belonging::Company(_) => "linked",
            Belonging::Address(_) => "looked_up",
        }
    }
}

impl Client {
    /// Whether one surely has it, so that it need not be given again; counted as a saved request.
    pub async fn has(&self, owner: &str, what: Belonging<'_>) -> bool {
        self.settings().economy.belongings && self.was_given(owner, what).await
    }

    /// Whether it is remembered that one has it.
    pub async fn was_given(&self, owner: &str, what: Belonging<'_>) -> bool {
        let directory = &self.service.directory;
        // Read, and not only looked for, so that what is asked for often stays.
        let has = directory.belongings.get(&what.key(owner, directory)).await.is_some();
        if has {
            self.hit("belonging");
            self.saved(what.reason());
        }
        has
    }

    /// Remembers that one has it.
    pub async fn gave(&self, owner: &str, what: Belonging<'_>) {
        let directory = &self.service.directory;
        directory.belongings.insert(what.key(owner, directory), ()).await;
    }

    /// Forgets that one has it.
    pub async fn took(&self, owner: &str, what: Belonging<'_>) {
        let directory = &self.service.directory;
        directory.belongings.invalidate(&what.key(owner, directory)).await;
    }

    /// Forgets a contact, by what is known of it and by how it was looked for: it is not where it was.
    pub async fn forget(&self, contact: &Contact, who: &Identity) {
        let directory = &self.service.directory;
        self.service.known.forget(Model::Contact, &contact.id).await;
        for external_id in [&contact.external_id, &who.external_id].into_iter().flatten() {
            directory.by_external_id.invalidate(external_id).await;
        }
        for email in [&contact.email, &who.email].into_iter().flatten() {
            directory.forget_email(email).await;
        }
    }

    /// Remembers a contact that was written, by its id of the sender's and its address; also for the next process, where it
    /// is another one than `before`.
    pub async fn learn(&self, before: Option<&Contact>, contact: &Contact) {
        let directory = &self.service.directory;
        self.note_address(before, contact).await;
        let contact = Arc::new(contact.clone());
        directory.lately.leads_to(&contact.id, &contact).await;
        if let Some(external_id) = &contact.external_id {
            directory.by_external_id.insert(external_id.clone(), contact.clone()).await;
        }
        if let Some(email) = &contact.email {
            directory.unsettled.invalidate(email).await;
            directory.learn_email(email, contact.clone()).await;
        }
    }

    /// One look-up at a time per key; the others wait for it and share what it finds.
    pub(super) async fn flight<E: Clone + Send + Sync + 'static, F>(
        &self,
        cache: &Cache<String, Arc<Contact>>,
        name: &'static str,
        key: &str,
        look: impl FnOnce() -> F,
    ) -> Result<Arc<Contact>, E>
    where
        F: Future<Output = Result<Arc<Contact>, E>> + Send,
    {
        if let Some(known) = cache.get(key).await {
            self.hit(name);
            return Ok(known);
        }
        Box::pin(cache.try_get_with_by_ref(key, look())).await.map_err(|shared| E::clone(&shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_was_written_a_moment_ago_is_known_however_little_is_remembered() {
        for (entries_max, ttl_secs) in [(20_000, 3600), (10, 3600), (10, 1), (0, 3600), (20_000, 0), (200_000, 3600)] {
            let cache = CacheSettings { entries_max, ttl_secs };
            let directory = Directory::new(&Settings { cache, ..Settings::default() });
            let emails: Vec<String> = (0..1_000).map(|number| format!("p{number}@example.com")).collect();
            for email in &emails {
                directory.learn_email(email, Arc::new(Contact::unseen(email))).await;
            }
            directory.by_email.run_pending_tasks().await;
            for email in &emails {
                assert!(directory.lately_with(email).await.is_some(), "{email}, {entries_max}, {ttl_secs}");
            }
            directory.forget_email(&emails[7]).await;
            assert_eq!(directory.lately_with(&emails[7]).await, None);
        }
    }
}
