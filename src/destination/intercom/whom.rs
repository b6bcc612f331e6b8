//! Whom an action is about: one contact, by what the action was given.

use super::client::{Answer, Call, Client};
use super::contact::not_found;
use super::error::Refusal;
use super::identity::{Contact, Identity};
use crate::action::{self, Email, Failure, Outcome};

/// Whom an action is about. Intercom's id wins, then the sender's, then the address.
#[derive(Debug, Clone, Copy)]
pub struct Whom<'a> {
    id: Option<&'a str>,
    external_id: Option<&'a str>,
    email: Option<&'a Email>,
}

impl<'a> Whom<'a> {
    /// Who is meant by an action's fields.
    pub fn new(id: &'a Option<String>, external_id: &'a Option<String>, email: &'a Option<Email>) -> Whom<'a> {
        Whom { id: id.as_deref(), external_id: external_id.as_deref(), email: email.as_ref() }
    }

    /// The contact with that Intercom id.
    pub fn of_id(id: &'a str) -> Whom<'a> {
        Whom { id: Some(id), external_id: None, email: None }
    }

    /// Whether nobody is meant.
    pub fn is_nobody(&self) -> bool {
        self.id.is_none() && self.identity().is_nobody()
    }

    /// Whether Intercom's own id says who is meant.
    pub fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// What comes of an action that is about nobody.
    pub fn nobody(&self) -> action::Result {
        let message = "neither an id nor an e-mail address says which contact is meant";
        Ok(Outcome::Skipped("no_identity", message.to_owned()))
    }

    /// What comes of undoing something about somebody who is not there: it is as if it were done.
    pub fn absent(&self) -> action::Result {
        Ok(Outcome::Skipped("contact_absent", format!("intercom has no contact with {}", self.name())))
    }

    /// The sender's side of it.
    pub fn identity(&self) -> Identity {
        Identity::new(self.external_id, self.email.map(Email::as_str))
    }

    /// Who is meant, for messages.
    pub fn name(&self) -> String {
        match self.id {
            Some(id) => format!("id `{id}`"),
            None => self.identity().name(),
        }
    }
}

impl Client {
    /// The contact that is meant; by Intercom's id without asking. It may come yet when it is not there.
    pub async fn meant(&self, whom: &Whom<'_>) -> Result<Contact, Failure> {
        if let Some(id) = whom.id {
            return Ok(Contact::unseen(id));
        }
        match self.contact(&whom.identity()).await? {
            Some(contact) => Ok(Contact::clone(&contact)),
            None => Err(not_found(&whom.name())),
        }
    }

    /// The contact with an Intercom id; read first where it must be known when it was last seen. `None`: it is not there.
    pub async fn with_last_seen(&self, id: &str, is_asked: bool) -> Result<Option<Contact>, Failure> {
        match is_asked {
            true => self.by_id(id).await,
            false => Ok(Some(Contact::unseen(id))),
        }
    }

    /// Whether the contact that is meant is there, as Intercom says now.
    pub async fn is_there(&self, whom: &Whom<'_>) -> Result<bool, Failure> {
        if let Some(id) = whom.id {
            return Ok(self.by_id(id).await?.is_some());
        }
        self.forget(&Contact::default(), &whom.identity()).await;
        Ok(self.contact(&whom.identity()).await?.is_some())
    }

    /// The contact that is meant, where it is known without asking.
    pub async fn known(&self, whom: &Whom<'_>) -> Option<Contact> {
        if let Some(id) = whom.id {
            return Some(Contact::unseen(id));
        }
        let (directory, who) = (&self.service.directory, whom.identity());
        let known = match (&who.external_id, &who.email) {
            (Some(external_id), _) => directory.by_external_id.get(external_id).await,
            (None, Some(email)) => directory.by_email.get(email).await,
            (None, None) => None,
        };
        known.map(|contact| Contact::clone(&contact))
    }

    /// Sends a request about a contact, and gives its id with the answer. A merged contact is followed; one that is not
    /// where it was is looked for once more.
    pub async fn about(
        &self,
        whom: &Whom<'_>,
        call: impl Fn(&str) -> Result<Call, Failure>,
    ) -> Result<(String, Answer), Refusal> {
        let contact = self.meant(whom).await?;
        let refusal = match self.call(call(&contact.id)?).await {
            Ok(answer) => return Ok((contact.id, answer)),
            Err(refusal) => refusal,
        };
        if !refusal.is_contact_missing() && refusal.canonical.is_none() {
            return Err(refusal);
        }
        self.forget(&contact, &whom.identity()).await;
        let id = match (&refusal.canonical, whom.id) {
            (Some(canonical), _) => canonical.clone(),
            (None, Some(_)) => return Err(not_found(&whom.name()).into()),
            (None, None) => self.meant(whom).await?.id,
        };
        if id == contact.id {
            // It is there, and what belongs to it is not; or it is just being made.
            return Err(Refusal { status: refusal.status, ..not_found(&whom.name()).into() });
        }
        match self.call(call(&id)?).await {
            Ok(answer) => Ok((id, answer)),
            Err(refusal) if refusal.is_contact_missing() => Err(not_found(&whom.name()).into()),
            Err(refusal) => Err(refusal),
        }
    }
}
