//! Looking a contact up: by Intercom's id, by the sender's, by address.
//!
//! # Why
//! More than one contact may have an address. Then the one with the wanted external id is taken, else a user before a
//! lead, else the one that was updated last. A user with *another* external id is somebody else and never taken.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::client::{Call, Client, unreadable};
use super::error::Refusal;
use super::identity::{Contact, Role};
use crate::action::{Failure, Kind, Warning};

/// A merge is followed over so many contacts.
pub const MERGES_MAX: usize = 3;

impl Client {
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

    /// The user with that external id.
    pub async fn by_external_id(&self, external_id: &str) -> Result<Option<Contact>, Failure> {
        let Ok(call) = Call::new("GET /contacts/find_by_external_id/{external_id}", &[external_id]) else {
            return self.search("external_id", external_id, Some(external_id)).await;
        };
        match self.call(call).await {
            Ok(answer) => {
                let found = answer.json().and_then(|value| read(&value)).map_err(again)?;
                let role = found.role.or(Some(Role::User));
                let found = Contact { external_id: Some(external_id.to_owned()), role, ..found };
                // Whoever wrote them may not have come to note it: the search need not show them with their address.
                if self.now().as_second() < self.settings().shown_from(found.changed_at) {
                    self.learn(None, &found).await;
                }
                Ok(Some(found))
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(Refusal { canonical: Some(id), .. }) => self.by_id(&id).await,
            Err(refusal) => Err(refusal.failure),
        }
    }

    /// The contact with an address, by the rule above; never one with another external id.
    pub async fn by_email(&self, email: &str, external_id: Option<&str>) -> Result<Option<Contact>, Failure> {
        match self.fresh(email, external_id).await? {
            Some(contact) => Ok(Some(contact)),
            None => self.search("email", email, external_id).await,
        }
    }

    /// Who has the address of a user that is about to be made: a user would be named by the refusal, so a lead is enough.
    pub async fn stranger(&self, email: &str, external_id: Option<&str>) -> Result<Option<Contact>, Failure> {
        if let Some(contact) = self.fresh(email, external_id).await? {
            return Ok(Some(contact));
        }
        match self.leads().await {
            Some(leads) => Ok(self.listed(&leads, email).await?.filter(|contact| contact.may_be(external_id))),
            None => self.search("email", email, external_id).await,
        }
    }

    /// Who was written with an address a moment ago.
    async fn fresh(&self, email: &str, external_id: Option<&str>) -> Result<Option<Contact>, Failure> {
        let known = self.service.directory.lately_with(email).await;
        if let Some(contact) = known.filter(|contact| contact.may_be(external_id)) {
            return Ok(Some(Contact::clone(&contact)));
        }
        let candidates = self.written_with(email).await?;
        Ok(self.chosen(candidates, "email", external_id))
    }

    /// The lead with an address, also one that the search does not show yet.
    pub async fn lead_by_email(&self, email: &str) -> Result<Option<Contact>, Failure> {
        let is_lead = |contact: &Contact| contact.role == Some(Role::Lead);
        let known = self.service.directory.lately_with(email).await;
        if let Some(lead) = known.filter(|contact| is_lead(contact)) {
            return Ok(Some(Contact::clone(&lead)));
        }
        let written = self.written_with(email).await?;
        if let Some(lead) = written.into_iter().filter(is_lead).max_by_key(|contact| contact.changed_at) {
            return Ok(Some(lead));
        }
        if let Some(leads) = self.leads().await {
            return Ok(self.listed(&leads, email).await?.filter(is_lead));
        }
        let hits = self.hits("email", email).await?;
        Ok(hits.into_iter().filter(is_lead).max_by_key(|contact| contact.changed_at))
    }

    /// Whether it is known who was written with an address a moment ago, so that the search has nothing to add.
    pub async fn is_known_with(&self, email: &str) -> Result<bool, Failure> {
        Ok(self.service.directory.lately_with(email).await.is_some() || !self.written_with(email).await?.is_empty())
    }

    /// Searches, and chooses by the rule above.
    async fn search(&self, field: &str, value: &str, wanted: Option<&str>) -> Result<Option<Contact>, Failure> {
        let candidates = self.hits(field, value).await?;
        Ok(self.chosen(candidates, field, wanted).map(|contact| match field {
            // The index may still show the address in another spelling.
            "email" => Contact { email: Some(value.to_owned()), ..contact },
            _ => contact,
        }))
    }

    /// Chooses by the rule above.
    fn chosen(&self, mut candidates: Vec<Contact>, field: &str, wanted: Option<&str>) -> Option<Contact> {
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
        chosen
    }

    async fn hits(&self, field: &str, value: &str) -> Result<Vec<Contact>, Failure> {
        let query = json!({ "query": { "field": field, "operator": "=", "value": value } });
        let answer = self.call(Call::new("POST /contacts/search", &[])?.body(&query)).await?.json().map_err(again)?;
        let Some(hits) = answer["data"].as_array() else { return Err(again(unreadable("not a list"))) };
        let email = (field == "email").then_some(value);
        let mut found: Vec<Contact> = Vec::with_capacity(hits.len());
        for shown in hits.iter().filter_map(Contact::read) {
            if let Some(known) = self.as_known(shown, email).await?
                && found.iter().all(|one| one.id != known.id)
            {
                found.push(known);
            }
        }
        Ok(found)
    }

    /// Whom a list of leads shows with an address, as they are known to be.
    async fn listed(&self, leads: &HashMap<String, Contact>, email: &str) -> Result<Option<Contact>, Failure> {
        match leads.get(email) {
            Some(lead) => self.as_known(lead.clone(), Some(email)).await,
            None => Ok(None),
        }
    }
}

/// Reads a contact, which must have an id.
pub fn read(value: &Value) -> Result<Contact, Failure> {
    Contact::read(value).ok_or_else(|| unreadable("not a contact with an id"))
}

/// A look-up whose answer makes no sense changed nothing, so it is simply done again.
fn again(failure: Failure) -> Failure {
    Failure { kind: Kind::Unavailable, ..failure }
}
