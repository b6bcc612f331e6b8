//! Deleting a person at a third party: whom it found, what became of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::action::Failure;
use crate::event::Person;
use crate::instant::Timestamp;

/// Who is to be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subject {
    /// By the names that events use.
    #[serde(flatten)]
    pub person: Person,
    /// By the third party's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// User ids that events had together with an address that was asked for. They may be somebody else's: only who has
    /// the address is meant.
    #[serde(skip)]
    pub hints: BTreeSet<String>,
}

/// What one destination did about a person.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Erased {
    /// The host that was asked.
    pub host: String,
    /// Who was found there; nobody: there is nothing to delete, or it cannot be found by these names.
    pub contacts: Vec<ErasedContact>,
    /// Why it is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// One of those who were found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedContact {
    /// The third party's id.
    pub id: String,
    /// The sender's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Whether it was then looked for, and not there; without `deleted_at` it had not been there at all.
    pub verified: bool,
}

impl Erased {
    /// The names by which those who were found are known, beside the ones that were given.
    pub fn names(&self) -> Person {
        let mut person = Person::default();
        for contact in &self.contacts {
            person.user_ids.extend(contact.external_id.clone());
            contact.email.iter().for_each(|email| person.add_email(email));
        }
        person
    }

    /// Adds what came of looking again.
    pub fn add(&mut self, later: Erased) {
        for contact in later.contacts {
            let known = self.contacts.iter().position(|known| known.id == contact.id);
            match known {
                // It is not there any more because it was deleted before.
                Some(_) if contact.verified && contact.deleted_at.is_none() => {}
                Some(at) => self.contacts[at] = contact,
                None => self.contacts.push(contact),
            }
        }
        self.failure = later.failure;
    }

    /// What it came to.
    pub fn found(&self) -> Found {
        let is_deleted = |contact: &ErasedContact| contact.deleted_at.is_some();
        match &self.contacts {
            contacts if self.failure.is_some() || !contacts.iter().all(|contact| contact.verified) => Found::Failed,
            contacts if contacts.iter().any(is_deleted) => Found::Deleted,
            contacts if contacts.is_empty() => Found::PerhapsThere,
            _ => Found::NotThere,
        }
    }
}

/// What looking for a person at one destination came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// All who were found were deleted, and are not there any more.
    Deleted,
    /// There is surely no such contact.
    NotThere,
    /// Nobody was found, but somebody may be there: archived, or too new for the search.
    PerhapsThere,
    /// Something is left to do.
    Failed,
}
