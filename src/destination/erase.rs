//! Deleting a person at a third party: whom it found, what became of them.

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
    /// Whether it was then read, and not there any more.
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

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.failure.is_none() && self.contacts.iter().all(|contact| contact.verified)
    }
}
