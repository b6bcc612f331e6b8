//! One contact: found by Intercom id, external id or e-mail; made when there is none.
//!
//! # Why
//! Intercom has no upsert for contacts. Its search is an index that lags by seconds to minutes, so it is asked last: ids
//! that were seen are remembered, users are looked up directly by external id, and a 409 names the contact that is already
//! there. All that concerns one identity happens in one flight at a time, so that two deliveries never make two contacts.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::asked::lead_unsettled;
use super::attribute::Model;
use super::client::{Call, Client, unreadable};
use super::error::{self, Conflict};
use super::identity::{Contact, Identity, Role};
use super::lookup::read;
use crate::action::{Document, Failure, Kind};

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
            let lookup = || async { present(self.by_external_id(external_id).await) };
            let found = self.flight(&directory.by_external_id, "external_id", external_id, lookup).await;
            match found {
                Err(None) if self.service.settings.match_by_email => {}
                other => return absent(other),
            }
        }
        let Some(email) = &who.email else { return Ok(None) };
        let wanted = who.external_id.as_deref();
        let search = || async { present(self.by_email(email, wanted).await) };
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
                let by_id = &directory.by_external_id;
                self.flight(by_id, "external_id", external_id, || self.user(external_id, new, &mut made)).await?
            }
            (_, Some(email)) => {
                let by_email = &directory.by_email;
                self.flight(by_email, "email", email, || self.by_email_or_new(email, new, &mut made)).await?
            }
            _ => Arc::new(Box::pin(self.create(new, &mut made)).await?),
        };
        if made {
            self.learn(None, &contact).await;
        }
        Ok(Found { contact: self.come_back(contact).await?, made })
    }

    /// The user with that external id; else the contact with the address, unless it is somebody else; else a new one.
    async fn user(&self, external_id: &str, new: New<'_>, made: &mut bool) -> Result<Arc<Contact>, Failure> {
        // A user is safe to make: if there is one already, the refusal names it.
        let is_unlooked = self.settings().economy.look_ups && self.service.directory.expects_new();
        match is_unlooked {
            true => self.saved("not_looked_up"),
            false => match self.by_external_id(external_id).await {
                Ok(Some(user)) => {
                    self.service.directory.note_new(false);
                    return Ok(Arc::new(user));
                }
                Err(failure) if failure.code == "server_error" => {}
                other => drop(other?),
            },
        }
        let (true, Some(email)) = (self.service.settings.match_by_email, &new.identity.email) else {
            return self.create(new, made).await.map(Arc::new);
        };
        let by_email = &self.service.directory.by_email;
        let contact = self.flight(by_email, "email", email, || self.by_email_or_new(email, new, made)).await?;
        // Somebody else has the address: whether the user is there as well is then worth a look after all.
        if is_unlooked
            && !*made
            && contact.external_id.as_deref() != Some(external_id)
            && let Some(user) = self.by_external_id(external_id).await?
        {
            self.service.directory.note_new(false);
            return Ok(Arc::new(user));
        }
        if contact.may_be(Some(external_id)) {
            return Ok(contact);
        }
        Box::pin(self.by_email_or_new(email, new, made)).await
    }

    async fn by_email_or_new(&self, email: &str, new: New<'_>, made: &mut bool) -> Result<Arc<Contact>, Failure> {
        let external_id = new.identity.external_id.as_deref();
        let found = match new.role {
            Role::User => self.stranger(email, external_id).await?,
            Role::Lead => self.by_email(email, external_id).await?,
        };
        if let Some(contact) = found {
            return Ok(Arc::new(contact));
        }
        if (new.role == Role::Lead && self.has_asked_for_lead()) || self.is_lead_open(email).await {
            return Err(lead_unsettled());
        }
        self.create(new, made).await.map(Arc::new)
    }

    async fn create(&self, new: New<'_>, made: &mut bool) -> Result<Contact, Failure> {
        if new.role == Role::Lead {
            self.ask_for_lead(new.identity.email.as_deref()).await;
        }
        self.ask_for(new, made).await
    }

    async fn ask_for(&self, new: New<'_>, made: &mut bool) -> Result<Contact, Failure> {
        match self.write(Model::Contact, Call::new("POST /contacts", &[])?, new.body).await {
            Ok(sent) => {
                let Ok(said) = sent.answer.json().and_then(|answer| read(&answer).map(|_| answer)) else {
                    self.lead_was_unanswered(new).await;
                    return Err(unreadable("not a contact with an id"));
                };
                let blank = Contact { role: Some(new.role), ..Contact::default() };
                let id = said["id"].as_str().unwrap_or_default().to_owned();
                *made = true;
                match new.role {
                    Role::User => self.service.directory.note_new(true),
                    Role::Lead => self.lead_was_made(),
                }
                self.made(Model::Contact, &id, &sent.body).await;
                let contact = Contact::told(&id, &blank, new.body, Some(&said));
                self.answer(Document::One(said));
                Ok(contact)
            }
            Err(refusal) if refusal.is_conflict() => {
                self.lead_was_refused(new).await;
                Box::pin(self.existing(refusal.failure, new, made)).await
            }
            Err(refusal) => {
                match refusal.is_open() {
                    true => self.lead_was_unanswered(new).await,
                    false => self.lead_was_refused(new).await,
                }
                Err(refusal.failure)
            }
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
            Some(contact) if contact.may_be(wanted) => {
                self.service.directory.note_new(false);
                Ok(contact)
            }
            Some(_) if new.body.contains_key("email") && new.body.contains_key("external_id") => {
                self.leave_out_taken(&refused);
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

    /// The contact that a conflict names; taken out of the archive where it may be.
    pub(super) async fn named(&self, conflict: Conflict, refused: &Failure) -> Result<Option<Contact>, Failure> {
        match conflict.archived {
            true => Box::pin(self.unarchived(&conflict.id, refused)).await,
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
