//! One contact: found by Intercom id, external id or e-mail; made when there is none; followed where it was merged.
//!
//! # Why
//! Intercom has no upsert for contacts. Its search is an index that lags by seconds to minutes, so it is asked last: ids
//! that were seen are remembered, users are looked up directly by external id, and a 409 names the contact that is already
//! there. All that concerns one identity happens in one flight at a time, so that two deliveries never make two contacts.
//!
//! More than one contact may have an address. Then the one with the wanted external id is taken, else a user before a
//! lead, else the one that was updated last. A user with *another* external id is somebody else and never taken.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value, json};

use super::client::{Call, Client, unreadable};
use super::error::{self, Conflict, Refusal};
use super::identity::{Contact, Identity, Role, normal};
use super::{Archived, Settings};
use crate::action::{Failure, Kind, Warning};

/// A merge is followed over so many contacts.
const MERGES_MAX: usize = 3;

/// The most addresses that are remembered because the search may not know them yet.
const FRESH_MAX: u64 = 100_000;

/// What is remembered of contacts.
pub struct Directory {
    by_external_id: Cache<String, Arc<Contact>>,
    by_email: Cache<String, Arc<Contact>>,
    /// By address, until the search surely knows: there where nothing else is remembered for that long.
    fresh: Option<Cache<String, Arc<Contact>>>,
    /// Addresses of leads that may have been made, though there was no answer; until the search surely knows.
    unsettled: Cache<String, ()>,
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
        }
    }

    async fn forget_email(&self, email: &str) {
        self.by_email.invalidate(email).await;
        if let Some(fresh) = &self.fresh {
            fresh.invalidate(email).await;
        }
    }
}

/// A contact to be made when there is none.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Whom it stands for.
    pub identity: &'a Identity,
    /// What it is to be.
    pub role: Role,
    /// The body of the request.
    pub body: &'a Map<String, Value>,
}

/// A contact that was found or made.
#[derive(Debug)]
pub struct Found {
    /// The contact.
    pub contact: Arc<Contact>,
    /// Whether it was made just now, with all that was to be said of it.
    pub made: bool,
}

/// Why a contact is not found: it is not there, or something failed.
type Miss = Option<Failure>;

impl Client {
    /// Finds a contact, without making one.
    pub async fn contact(&self, who: &Identity) -> Result<Option<Arc<Contact>>, Failure> {
        let directory = &self.service.directory;
        if let Some(external_id) = &who.external_id {
            let lookup = async { present(self.by_external_id(external_id).await) };
            let found = self.flight(&directory.by_external_id, "external_id", external_id, lookup).await;
            match found {
                Err(None) if self.service.settings.match_by_email => {}
                other => return absent(other),
            }
        }
        let Some(email) = &who.email else { return Ok(None) };
        let wanted = who.external_id.as_deref();
        let search = async { present(self.by_email(email, wanted).await) };
        match self.flight(&directory.by_email, "email", email, search).await {
            Ok(contact) if !contact.may_be(wanted) => Ok(self.by_email(email, wanted).await?.map(Arc::new)),
            other => absent(other),
        }
    }

    /// Finds a contact, or makes it.
    pub async fn contact_or_new(&self, new: New<'_>) -> Result<Found, Failure> {
        let directory = &self.service.directory;
        let mut made = false;
        let contact = match (&new.identity.external_id, &new.identity.email) {
            (Some(external_id), _) if new.role == Role::User => {
                let user = self.user(external_id, new, &mut made);
                self.flight(&directory.by_external_id, "external_id", external_id, user).await?
            }
            (_, Some(email)) => {
                let lead = self.by_email_or_new(email, new, &mut made);
                self.flight(&directory.by_email, "email", email, lead).await?
            }
            _ => Arc::new(self.create(new, &mut made).await?),
        };
        if made {
            self.learn(&contact).await;
        }
        Ok(Found { contact, made })
    }

    /// Follows a contact to where it was merged, by reading it. `None`: it is not there.
    pub async fn by_id(&self, id: &str) -> Result<Option<Contact>, Failure> {
        let mut id = id.to_owned();
        for _ in 0..=MERGES_MAX {
            match self.call(Call::new("GET /contacts/{id}", &[&id])?).await {
                Ok(answer) => return read(&answer.json()?).map(Some),
                Err(refusal) if refusal.is_missing() => return Ok(None),
                Err(Refusal { canonical: Some(next), .. }) => id = next,
                Err(refusal) => return Err(refusal.failure),
            }
        }
        Err(Failure::rejected("contact_merged", format!("the contact was merged more than {MERGES_MAX} times over")))
    }

    /// Updates a contact, wherever it was merged to. `None`: it is not there any more, and forgotten.
    ///
    /// When the e-mail address belongs to another contact, everything else is written, with a warning. When the external
    /// id does, that contact is the one who is meant.
    pub async fn update(&self, contact: &Contact, body: &Map<String, Value>) -> Result<Option<()>, Failure> {
        let mut id = contact.id.clone();
        let mut sent = body.clone();
        let mut refused = None;
        for _ in 0..=MERGES_MAX + 2 {
            let refusal = match self.call(Call::new("PUT /contacts/{id}", &[&id])?.body(&sent)).await {
                Ok(answer) => {
                    self.forget_address(contact, &sent).await;
                    self.learn(&Contact::told(&id, contact, &sent, answer.json().ok())).await;
                    refused.iter().for_each(|failure| self.warn(taken(failure)));
                    return Ok(Some(()));
                }
                Err(refusal) => refusal,
            };
            if refusal.is_missing() || refusal.canonical.is_some() {
                let told = Contact::told(&id, contact, body, None);
                self.forget(contact, &Identity { external_id: told.external_id, email: told.email }).await;
            }
            match refusal {
                refusal if refusal.is_missing() => return Ok(None),
                Refusal { canonical: Some(next), .. } => {
                    // Whoever it was merged into has an external id of their own.
                    sent.remove("external_id");
                    id = next;
                }
                refusal if refusal.is_conflict() && sent.remove("email").is_some() => refused = Some(refusal.failure),
                refusal => {
                    let owner = self.owner(contact, &id, &sent, &refusal).await?;
                    id = owner.ok_or(refusal.failure)?.id;
                    (sent, refused) = (body.clone(), None);
                }
            }
        }
        Err(Failure::rejected("contact_merged", format!("the contact was merged more than {MERGES_MAX} times over")))
    }

    /// The contact that has the external id which another was to get.
    async fn owner(
        &self,
        contact: &Contact,
        id: &str,
        sent: &Map<String, Value>,
        refusal: &Refusal,
    ) -> Result<Option<Contact>, Failure> {
        let wanted = sent.get("external_id").and_then(Value::as_str);
        if !refusal.is_conflict() || wanted.is_none() || contact.external_id.is_some() {
            return Ok(None);
        }
        let Some(conflict) = error::conflict(&refusal.failure.message).filter(|conflict| conflict.id != id) else {
            return Ok(None);
        };
        let owner = self.named(conflict, &refusal.failure).await?;
        Ok(owner.filter(|owner| owner.external_id.as_deref() == wanted))
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

    async fn learn(&self, contact: &Contact) {
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

    /// A contact that gets a new address is not found by the old one any more.
    async fn forget_address(&self, contact: &Contact, body: &Map<String, Value>) {
        let Some(old) = &contact.email else { return };
        if body.get("email").and_then(Value::as_str).is_some_and(|new| normal(new) != *old) {
            self.service.directory.forget_email(old).await;
        }
    }

    /// One look-up at a time per key; the others wait for it and share what it finds.
    async fn flight<E: Clone + Send + Sync + 'static>(
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

    /// The user with that external id; else the contact with the address, unless it is somebody else; else a new one.
    async fn user(&self, external_id: &str, new: New<'_>, made: &mut bool) -> Result<Arc<Contact>, Failure> {
        if let Some(user) = self.by_external_id(external_id).await? {
            return Ok(Arc::new(user));
        }
        let (true, Some(email)) = (self.service.settings.match_by_email, &new.identity.email) else {
            return self.create(new, made).await.map(Arc::new);
        };
        let candidate = Box::pin(self.by_email_or_new(email, new, made));
        let contact = self.flight(&self.service.directory.by_email, "email", email, candidate).await?;
        if contact.may_be(Some(external_id)) {
            return Ok(contact);
        }
        Box::pin(self.by_email_or_new(email, new, made)).await
    }

    async fn by_email_or_new(&self, email: &str, new: New<'_>, made: &mut bool) -> Result<Arc<Contact>, Failure> {
        if let Some(contact) = self.by_email(email, new.identity.external_id.as_deref()).await? {
            return Ok(Arc::new(contact));
        }
        if new.role == Role::Lead && self.service.directory.unsettled.contains_key(email) {
            let message = "a lead with this e-mail address may have been made, and the search does not show it yet";
            return Err(Failure::new(Kind::Unknown, "lead_unsettled", message));
        }
        self.create(new, made).await.map(Arc::new)
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<Contact>, Failure> {
        let Ok(call) = Call::new("GET /contacts/find_by_external_id/{external_id}", &[external_id]) else {
            return self.search("external_id", external_id, Some(external_id)).await;
        };
        match self.call(call).await {
            Ok(answer) => {
                let found = answer.json().and_then(|value| read(&value)).map_err(again)?;
                let role = found.role.or(Some(Role::User));
                Ok(Some(Contact { external_id: Some(external_id.to_owned()), role, ..found }))
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(Refusal { canonical: Some(id), .. }) => self.by_id(&id).await,
            Err(refusal) => Err(refusal.failure),
        }
    }

    async fn by_email(&self, email: &str, external_id: Option<&str>) -> Result<Option<Contact>, Failure> {
        if let Some(fresh) = &self.service.directory.fresh
            && let Some(contact) = fresh.get(email).await.filter(|contact| contact.may_be(external_id))
        {
            return Ok(Some(Contact::clone(&contact)));
        }
        self.search("email", email, external_id).await
    }

    /// Searches, and chooses by the rule above.
    async fn search(&self, field: &str, value: &str, wanted: Option<&str>) -> Result<Option<Contact>, Failure> {
        let query = json!({ "query": { "field": field, "operator": "=", "value": value } });
        let answer = self.call(Call::new("POST /contacts/search", &[])?.body(&query)).await?.json().map_err(again)?;
        let Some(hits) = answer["data"].as_array() else { return Err(again(unreadable("not a list"))) };
        let mut candidates: Vec<Contact> = hits.iter().filter_map(Contact::read).collect();
        candidates.retain(|contact| contact.may_be(wanted));
        candidates.sort_by_key(|contact| {
            let exact = wanted.is_some() && contact.external_id.as_deref() == wanted;
            (exact, contact.role == Some(Role::User), contact.changed_at)
        });
        let chosen = candidates.pop();
        if let Some(contact) = chosen.as_ref().filter(|_| !candidates.is_empty()) {
            let message = format!("{} contacts fit; {} was taken", candidates.len() + 1, contact.id);
            self.warn(Warning::new(field, "contact_ambiguous", message));
        }
        Ok(chosen.map(|contact| match field {
            // The index may still show the address in another spelling.
            "email" => Contact { email: Some(value.to_owned()), ..contact },
            _ => contact,
        }))
    }

    async fn create(&self, new: New<'_>, made: &mut bool) -> Result<Contact, Failure> {
        match self.call(Call::new("POST /contacts", &[])?.body(new.body)).await {
            Ok(answer) => {
                let Ok(said) = answer.json().and_then(|answer| read(&answer).map(|_| answer)) else {
                    self.unsettle(new).await;
                    return Err(unreadable("not a contact with an id"));
                };
                let blank = Contact { role: Some(new.role), ..Contact::default() };
                let id = said["id"].as_str().unwrap_or_default().to_owned();
                *made = true;
                Ok(Contact::told(&id, &blank, new.body, Some(said)))
            }
            Err(refusal) if refusal.is_conflict() => Box::pin(self.existing(refusal.failure, new, made)).await,
            Err(refusal) => {
                if refusal.is_open() {
                    self.unsettle(new).await;
                }
                Err(refusal.failure)
            }
        }
    }

    /// Notes that a lead may have been made. A user is safe to make again: Intercom refuses the second one by name.
    async fn unsettle(&self, new: New<'_>) {
        if let (Role::Lead, Some(email)) = (new.role, &new.identity.email) {
            self.service.directory.unsettled.insert(email.clone(), ()).await;
        }
    }

    /// The contact that a 409 speaks of.
    async fn existing(&self, refused: Failure, new: New<'_>, made: &mut bool) -> Result<Contact, Failure> {
        let found = match error::conflict(&refused.message) {
            Some(conflict) => self.named(conflict, &refused).await?,
            None => self.looked_up(new.identity).await?,
        };
        let wanted = new.identity.external_id.as_deref();
        match found {
            Some(contact) if contact.may_be(wanted) => Ok(contact),
            Some(_) if new.body.contains_key("email") && new.body.contains_key("external_id") => {
                self.warn(taken(&refused));
                let mut body = new.body.clone();
                body.remove("email");
                let identity = Identity { email: None, ..new.identity.clone() };
                self.create(New { identity: &identity, body: &body, ..new }, made).await
            }
            Some(_) => Err(Failure::rejected("contact_conflict", refused.message)),
            None => {
                let message = format!("{}, and it cannot be found yet", refused.message);
                // It keeps its turn: what it writes must not come after what a later event of the person writes.
                Err(Failure::new(Kind::Unavailable, "contact_conflict", message))
            }
        }
    }

    async fn named(&self, conflict: Conflict, refused: &Failure) -> Result<Option<Contact>, Failure> {
        match conflict.archived {
            true => self.unarchived(&conflict.id, refused).await,
            false => self.by_id(&conflict.id).await,
        }
    }

    async fn looked_up(&self, who: &Identity) -> Result<Option<Contact>, Failure> {
        if let Some(external_id) = &who.external_id
            && let Some(user) = self.by_external_id(external_id).await?
        {
            return Ok(Some(user));
        }
        match &who.email {
            Some(email) => self.by_email(email, who.external_id.as_deref()).await,
            None => Ok(None),
        }
    }

    async fn unarchived(&self, id: &str, refused: &Failure) -> Result<Option<Contact>, Failure> {
        if self.service.settings.archived != Archived::Unarchive {
            return Err(Failure::rejected("contact_archived", refused.message.clone()));
        }
        match self.call(Call::new("POST /contacts/{id}/unarchive", &[id])?).await {
            Ok(answer) => {
                self.warn(Warning::new(
                    "id",
                    "contact_unarchived",
                    format!("contact {id} was archived, and is not any more"),
                ));
                Ok(Some(
                    answer.json().ok().and_then(|value| Contact::read(&value)).unwrap_or_else(|| Contact::unseen(id)),
                ))
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            // It was merged away: reading it tells where to.
            Err(refusal) if matches!(refusal.status, Some(400 | 410)) => self.by_id(id).await,
            Err(refusal) => Err(refusal.failure),
        }
    }
}

fn taken(refused: &Failure) -> Warning {
    Warning::new("email", "email_taken", format!("left out, it belongs to another contact: {}", refused.message))
}

fn read(value: &Value) -> Result<Contact, Failure> {
    Contact::read(value).ok_or_else(|| unreadable("not a contact with an id"))
}

/// A look-up whose answer makes no sense changed nothing, so it is simply done again.
fn again(failure: Failure) -> Failure {
    Failure { kind: Kind::Unavailable, ..failure }
}

fn present(found: Result<Option<Contact>, Failure>) -> Result<Arc<Contact>, Miss> {
    found.map_err(Some)?.map(Arc::new).ok_or(None)
}

fn absent(found: Result<Arc<Contact>, Miss>) -> Result<Option<Arc<Contact>>, Failure> {
    match found {
        Ok(contact) => Ok(Some(contact)),
        Err(None) => Ok(None),
        Err(Some(failure)) => Err(failure),
    }
}

/// No contact is meant by what was given, yet.
pub fn not_found(who: &str) -> Failure {
    Failure::new(Kind::TooEarly, "contact_not_found", format!("intercom has no contact with {who} yet"))
}
