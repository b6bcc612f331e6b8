//! What is remembered of contacts, so that they need not be looked up again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::Settings;
use super::client::Client;
use super::identity::{Contact, Identity};

/// The most addresses that are remembered because the search may not know them yet.
const FRESH_MAX: u64 = 100_000;

/// What is remembered of contacts.
pub struct Directory {
    pub(super) by_external_id: Cache<String, Arc<Contact>>,
    pub(super) by_email: Cache<String, Arc<Contact>>,
    /// By address, until the search surely knows: there where nothing else is remembered for that long.
    pub(super) fresh: Option<Cache<String, Arc<Contact>>>,
    /// Addresses of leads that may have been made, though there was no answer; until when the search need not know, in Unix
    /// seconds.
    pub(super) unsettled: Cache<String, i64>,
    /// What contacts surely have: tags, and companies they are in.
    belongings: Cache<String, ()>,
}

impl Directory {
    /// Nothing remembered yet.
    pub fn new(settings: &Settings) -> Directory {
        let cache = |ttl: u64| {
            Cache::builder().max_capacity(settings.cache.entries_max).time_to_live(Duration::from_secs(ttl)).build()
        };
        let lag = Duration::from_secs(settings.search_lag_secs);
        let is_short = settings.cache.entries_max == 0 || settings.cache.ttl_secs < settings.search_lag_secs;
        let fresh = || Cache::builder().max_capacity(FRESH_MAX).time_to_live(lag).build();
        Directory {
            by_external_id: cache(settings.cache.ttl_secs),
            by_email: cache(settings.cache.ttl_secs),
            fresh: is_short.then(fresh),
            unsettled: Cache::builder().max_capacity(FRESH_MAX).time_to_live(lag).build(),
            belongings: Cache::builder()
                .max_capacity(settings.cache.entries_max)
                .time_to_live(Duration::from_secs(settings.cache.ttl_secs))
                .build(),
        }
    }

    /// Forgets who has an address.
    pub async fn forget_email(&self, email: &str) {
        self.by_email.invalidate(email).await;
        if let Some(fresh) = &self.fresh {
            fresh.invalidate(email).await;
        }
    }
}

/// Something a contact has, by Intercom's ids.
#[derive(Debug, Clone, Copy)]
pub enum Belonging<'a> {
    /// A tag, by its name.
    Tag(&'a str),
    /// A company it is in.
    Company(&'a str),
}

impl Belonging<'_> {
    fn key(self, contact: &str) -> String {
        match self {
            Belonging::Tag(name) => format!("{contact} tag {}", name.to_lowercase()),
            Belonging::Company(id) => format!("{contact} company {id}"),
        }
    }
}

impl Client {
    /// Whether a contact surely has it, so that it need not be given again.
    pub fn has(&self, contact: &str, what: Belonging<'_>) -> bool {
        let has = self.service.directory.belongings.contains_key(&what.key(contact));
        if has {
            self.hit("belonging");
        }
        has
    }

    /// Remembers that a contact has it.
    pub async fn gave(&self, contact: &str, what: Belonging<'_>) {
        self.service.directory.belongings.insert(what.key(contact), ()).await;
    }

    /// Forgets that a contact has it.
    pub async fn took(&self, contact: &str, what: Belonging<'_>) {
        self.service.directory.belongings.invalidate(&what.key(contact)).await;
    }

    /// Forgets a contact, by what is known of it and by how it was looked for: it is not where it was.
    pub async fn forget(&self, contact: &Contact, who: &Identity) {
        let directory = &self.service.directory;
        for external_id in [&contact.external_id, &who.external_id].into_iter().flatten() {
            directory.by_external_id.invalidate(external_id).await;
        }
        for email in [&contact.email, &who.email].into_iter().flatten() {
            directory.forget_email(email).await;
        }
    }

    /// Remembers a contact by its id of the sender's and its address.
    pub async fn learn(&self, contact: &Contact) {
        let directory = &self.service.directory;
        let contact = Arc::new(contact.clone());
        if let Some(external_id) = &contact.external_id {
            directory.by_external_id.insert(external_id.clone(), contact.clone()).await;
        }
        if let Some(email) = &contact.email {
            directory.unsettled.invalidate(email).await;
            directory.by_email.insert(email.clone(), contact.clone()).await;
            if let Some(fresh) = &directory.fresh {
                fresh.insert(email.clone(), contact.clone()).await;
            }
        }
    }

    /// One look-up at a time per key; the others wait for it and share what it finds.
    pub(super) async fn flight<E: Clone + Send + Sync + 'static>(
        &self,
        cache: &Cache<String, Arc<Contact>>,
        name: &'static str,
        key: &str,
        look: impl Future<Output = Result<Arc<Contact>, E>> + Send,
    ) -> Result<Arc<Contact>, E> {
        if let Some(known) = cache.get(key).await {
            self.hit(name);
            return Ok(known);
        }
        cache.try_get_with_by_ref(key, look).await.map_err(|shared| E::clone(&shared))
    }
}
