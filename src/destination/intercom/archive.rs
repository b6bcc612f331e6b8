//! Contacts that are taken out of the archive.

use std::sync::Arc;

use super::Archived;
use super::client::{Call, Client};
use super::identity::Contact;
use crate::action::{Failure, Warning};

/// The step that says when a contact was taken out of the archive, and it was not looked yet whether a lead came in its place.
pub(super) const UNARCHIVED: &str = "contact_unarchived_at";

impl Client {
    /// Takes a contact out of the archive, with what came in its place. `None`: it is not there.
    pub(super) async fn unarchived(&self, id: &str, refused: &Failure) -> Result<Option<Contact>, Failure> {
        if self.service.settings.archived != Archived::Unarchive {
            return Err(Failure::rejected("contact_archived", refused.message.clone()));
        }
        self.intend(UNARCHIVED).await;
        match self.call(Call::new("POST /contacts/{id}/unarchive", &[id])?).await {
            Ok(answer) => {
                self.warn(Warning::new(
                    "id",
                    "contact_unarchived",
                    format!("contact {id} was archived, and is not any more"),
                ));
                let said = answer.json().ok().and_then(|value| Contact::read(&value));
                // The answer tells the id alone; what the contact has is read.
                let contact = match said {
                    Some(whole) if whole.email.is_some() => Some(whole),
                    said => self.by_id(id).await?.or(said),
                };
                self.adopt_back(contact.unwrap_or_else(|| Contact::unseen(id))).await.map(Some)
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            // It was merged away: reading it tells where to.
            Err(refusal) if matches!(refusal.status, Some(400 | 410)) => self.by_id(id).await,
            Err(refusal) => Err(refusal.failure),
        }
    }

    /// A contact that was found, with what came in its place while it was archived, where an attempt before this one took it
    /// out and did not come to look.
    pub(super) async fn come_back(&self, contact: Arc<Contact>) -> Result<Arc<Contact>, Failure> {
        match self.intent(UNARCHIVED) {
            Some(_) => Box::pin(self.adopt_back(Contact::clone(&contact))).await.map(Arc::new),
            None => Ok(contact),
        }
    }
}
