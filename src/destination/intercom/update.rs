//! Updating a contact, wherever it was merged to, and whatever belongs to somebody else.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attribute::Model;
use super::client::{Call, Client};
use super::directory::Belonging;
use super::error::{self, Refusal};
use super::identity::{Contact, Identity, normal};
use super::lookup::MERGES_MAX;
use crate::action::{Document, Failure, Warning};

impl Client {
    /// Updates a contact, wherever it was merged to, and gives its id. `None`: it is not there any more, and forgotten.
    ///
    /// When the e-mail address belongs to another contact, everything else is written, with a warning. When the external
    /// id does, that contact is the one who is meant.
    pub async fn update(&self, contact: &Contact, body: &Map<String, Value>) -> Result<Option<String>, Failure> {
        let mut id = contact.id.clone();
        let mut sent = body.clone();
        let mut refused = None;
        let wanted = body.get("external_id").and_then(Value::as_str);
        for _ in 0..=MERGES_MAX + 2 {
            let call = Call::new("PUT /contacts/{id}", &[&id])?;
            let write = self.begin_write(Model::Contact, &id).await;
            let refusal = match self.write(Model::Contact, call, &sent).await {
                Ok(done) => {
                    write.taken(&done.body, self.now()).await;
                    self.forget_address(contact, &sent).await;
                    let said = done.answer.json().ok();
                    self.learn(Some(contact), &Contact::told(&id, contact, &sent, said.as_ref())).await;
                    self.answer(Document::One(said.unwrap_or_default()));
                    refused.iter().for_each(|failure| self.leave_out_taken(failure));
                    return Ok(Some(id));
                }
                Err(refusal) => {
                    drop(write);
                    refusal
                }
            };
            if refusal.is_missing() || refusal.canonical.is_some() {
                let told = Contact::told(&id, contact, body, None);
                self.forget(contact, &Identity { external_id: told.external_id, email: told.email }).await;
            }
            match refusal {
                refusal if refusal.is_missing() => {
                    self.service.directory.lately.is_gone(&id).await;
                    return Ok(None);
                }
                // Somebody who was found by address, and has been merged since: into whom, decides whether they are meant.
                Refusal { canonical: Some(next), .. } if contact.external_id.is_none() && wanted.is_some() => {
                    let Some(there) = self.by_id(&next).await? else { return Ok(None) };
                    self.service.directory.lately.leads_to(&id, &Arc::new(there.clone())).await;
                    if !there.may_be(wanted) {
                        return Ok(None);
                    }
                    if there.external_id.is_some() {
                        sent.remove("external_id");
                    }
                    id = there.id;
                }
                Refusal { canonical: Some(next), .. } => {
                    // Whoever it was merged into has an external id of their own.
                    sent.remove("external_id");
                    id = next;
                }
                refusal if refusal.is_conflict() && sent.remove("email").is_some() => refused = Some(refusal.failure),
                refusal => {
                    let owner = Box::pin(self.owner(contact, &id, &sent, &refusal)).await?.ok_or(refusal.failure)?;
                    self.adopt_found(contact, &owner, body).await?;
                    id = owner.id;
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

    /// Leaves an address out because another contact has it.
    pub(super) fn leave_out_taken(&self, refused: &Failure) {
        self.leave_out("email");
        let message = format!("left out, it belongs to another contact: {}", refused.message);
        self.warn(Warning::new("email", "email_taken", message));
    }

    /// A contact that gets a new address is not found by the old one any more.
    async fn forget_address(&self, contact: &Contact, body: &Map<String, Value>) {
        let Some(old) = &contact.email else { return };
        if body.get("email").and_then(Value::as_str).is_some_and(|new| normal(new) != *old) {
            self.service.directory.forget_email(old).await;
            // Somebody else may have it by the time it comes back.
            self.took(&contact.id, Belonging::Address(old)).await;
        }
    }
}
