//! Deleting a person from a workspace: found by every name, deleted by Intercom's own id, and looked for again.
//!
//! # Why
//! `DELETE /contacts/{id}` takes Intercom's id alone; with a sender's id it answers 404, which looks like success. A search
//! is behind, and an event that was under way may bring the person back, so it is looked again by every name until nobody
//! is found.

use serde_json::json;

use super::client::{Call, Client};
use super::error::Refusal;
use super::identity::{Contact, Identity};
use crate::action::Failure;
use crate::destination::erase::{Erased, ErasedContact, Subject};

/// How often it is looked again.
const ROUNDS_MAX: usize = 3;
/// Contacts on one page of a search, as many as there can be.
const HITS_MAX: u32 = 150;

impl Client {
    /// Finds and, unless it is a trial, deletes. What was done stands in `erased` also when it then fails.
    pub(super) async fn erase(&self, subject: &Subject, dry_run: bool, erased: &mut Erased) -> Result<(), Failure> {
        for round in 0..ROUNDS_MAX {
            let mut found = self.everyone(subject).await?;
            found.retain(|contact| !erased.contacts.iter().any(|known| known.verified && known.id == contact.id));
            if round > 0 && found.is_empty() {
                return Ok(());
            }
            for contact in found {
                let mut entry = ErasedContact {
                    id: contact.id.clone(),
                    external_id: contact.external_id.clone(),
                    email: contact.email.clone(),
                    ..ErasedContact::default()
                };
                let deleted = if dry_run { Ok(()) } else { self.erase_one(&contact, &mut entry).await };
                erased.contacts.retain(|known| known.id != entry.id);
                erased.contacts.push(entry);
                deleted?;
            }
            let is_any = erased.contacts.iter().any(|contact| contact.deleted_at.is_some());
            if dry_run || !is_any {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn erase_one(&self, contact: &Contact, entry: &mut ErasedContact) -> Result<(), Failure> {
        match self.call(Call::new("DELETE /contacts/{id}", &[&contact.id])?).await {
            Ok(_) => entry.deleted_at = Some(self.now()),
            // It went between looking and deleting, or the id is none of Intercom's.
            Err(refusal) if refusal.is_missing() => {}
            Err(refusal) => return Err(refusal.failure),
        }
        let names = Identity::new(contact.external_id.as_deref(), contact.email.as_deref());
        self.forget(contact, &names).await;
        self.service.ledger.strike(&contact.id, contact.email.as_deref(), self.now().as_second()).await;
        match self.call(Call::new("GET /contacts/{id}", &[&contact.id])?).await {
            Ok(_) => Err(Failure::rejected("still_there", format!("intercom still shows the contact {}", contact.id))),
            Err(refusal) if refusal.is_missing() => {
                entry.verified = true;
                Ok(())
            }
            Err(refusal) => Err(refusal.failure),
        }
    }

    /// Everybody with one of the names, each once.
    async fn everyone(&self, subject: &Subject) -> Result<Vec<Contact>, Failure> {
        let mut found: Vec<Contact> = Vec::new();
        if let Some(id) = &subject.contact_id {
            // An archived contact cannot be read, and can be deleted.
            found.push(self.by_id(id).await?.unwrap_or_else(|| Contact::unseen(id)));
        }
        for external_id in &subject.person.user_ids {
            found.extend(self.by_external_id(external_id).await?);
        }
        for email in &subject.person.emails {
            found.extend(self.all_with_email(email).await?);
            found.extend(self.fresh_with_email(email).await?);
            found.extend(self.written_with(email).await?);
        }
        for external_id in subject.hints.difference(&subject.person.user_ids) {
            let has =
                |contact: &Contact| contact.email.as_ref().is_some_and(|email| subject.person.emails.contains(email));
            found.extend(self.by_external_id(external_id).await?.filter(has));
        }
        let mut everyone: Vec<Contact> = Vec::new();
        for contact in found {
            if !everyone.iter().any(|known| known.id == contact.id) {
                everyone.push(contact);
            }
        }
        Ok(everyone)
    }

    /// Who was written with the address a moment ago, which the search may not show yet.
    async fn fresh_with_email(&self, email: &str) -> Result<Option<Contact>, Failure> {
        let Some(known) = self.service.directory.lately_with(email).await else { return Ok(None) };
        Ok(self.by_id(&known.id).await?.filter(|contact| contact.email.as_deref() == Some(email)))
    }

    async fn all_with_email(&self, email: &str) -> Result<Vec<Contact>, Failure> {
        let mut found = Vec::new();
        let mut page = json!({ "per_page": HITS_MAX });
        loop {
            let query = json!({ "query": {"field": "email", "operator": "=", "value": email}, "pagination": page });
            let answer = self.call(Call::new("POST /contacts/search", &[])?.body(&query)).await;
            let reply = answer.map_err(|refusal: Refusal| refusal.failure)?.json()?;
            found.extend(reply["data"].as_array().into_iter().flatten().filter_map(Contact::read));
            let Some(next) = reply["pages"]["next"]["starting_after"].as_str() else { return Ok(found) };
            page = json!({ "per_page": HITS_MAX, "starting_after": next });
        }
    }
}
