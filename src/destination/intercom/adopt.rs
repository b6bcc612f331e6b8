//! A lead that turns out to be a user: merged, so that one person is one contact.

use serde_json::{Map, Value, json};

use super::archive::UNARCHIVED;
use super::asked::lead_unsettled;
use super::attribute::Model;
use super::client::{Call, Client};
use super::directory::Belonging;
use super::identity::{Contact, Identity, Role, normal};
use crate::action::{Failure, Kind, Warning};

impl Client {
    /// Merges the lead with an address into the user who is about to gain it, and gives the user as they are then; `None`:
    /// there was nothing to merge. Looked for once for each user and address.
    ///
    /// # Why
    /// A user who is found by external id is never searched by address. Without this look, the lead who left the address
    /// before would stay a second contact of the same person. It comes before the address is written: afterwards nothing
    /// would show, to an attempt that goes on after a crash, that there may be a lead.
    ///
    /// That nobody is found is believed at once, though the search lags: nearly everybody who gains an address has no lead,
    /// and would wait for nothing. The leads that were made here within the lag are known without the search, also after a
    /// restart, and one of which nobody knows whether it was made is waited for. What is missed is a lead that somebody else
    /// made with that very address in the seconds before: it stays, and `merge_contacts` takes it in.
    pub async fn adopt_lead(&self, user: &Contact, email: &str) -> Result<Option<Contact>, Failure> {
        let email = normal(email);
        let is_gained = user.role == Some(Role::User) && user.email.as_deref() != Some(&*email);
        let address = Belonging::Address(&email);
        if !is_gained || !self.settings().match_by_email || self.was_given(&user.id, address).await {
            return Ok(None);
        }
        let merged = match self.lead_by_email(&email).await?.filter(|lead| lead.id != user.id) {
            Some(lead) => self.merge_lead(&lead, user, &email).await?,
            None if self.is_lead_open(&email).await => return Err(lead_unsettled()),
            None => None,
        };
        self.gave(&user.id, address).await;
        Ok(merged)
    }

    /// Merges a lead that was found by its address, and is the user who has the id that it was to get.
    pub async fn adopt_found(&self, lead: &Contact, user: &Contact, body: &Map<String, Value>) -> Result<(), Failure> {
        let Some(email) = lead.email.as_deref().filter(|_| lead.role == Some(Role::Lead)) else { return Ok(()) };
        let is_theirs = body.get("email").and_then(Value::as_str).is_some_and(|said| normal(said) == email);
        if is_theirs && self.settings().match_by_email {
            self.merge_lead(lead, user, email).await?;
        }
        Ok(())
    }

    /// Merges the lead that came with the address of a user while they were in the archive: nobody found the user then, and
    /// nobody will look for the lead of an address that they have already.
    pub async fn adopt_back(&self, user: Contact) -> Result<Contact, Failure> {
        let is_user = user.external_id.is_some() && self.settings().match_by_email;
        let adopted = match user.email.clone().filter(|_| is_user) {
            Some(email) => match self.lead_by_email(&email).await?.filter(|lead| lead.id != user.id) {
                Some(lead) => self.merge_lead(&lead, &user, &email).await?,
                None if self.is_lead_open(&email).await => return Err(lead_unsettled()),
                None => None,
            },
            None => None,
        };
        self.take_back(UNARCHIVED);
        Ok(adopted.unwrap_or(user))
    }

    async fn merge_lead(&self, lead: &Contact, user: &Contact, email: &str) -> Result<Option<Contact>, Failure> {
        // The address that they are to share is reason enough, though the user does not have it yet.
        let body = json!({ "from": lead.id, "into": user.id, "skip_duplicate_validation": true });
        let result = self.call(Call::new("POST /contacts/merge", &[])?.body(&body)).await;
        self.service.known.forget(Model::Contact, &user.id).await;
        match result {
            Ok(answer) => {
                self.forget(lead, &Identity::new(None, Some(email))).await;
                let message = format!("lead {} had this address, and was merged into the user", lead.id);
                self.warn(Warning::new("email", "lead_merged", message));
                let merged = Contact::told(&user.id, user, &Map::new(), answer.json().ok().as_ref());
                self.learn(Some(user), &merged).await;
                self.leads_to(lead, &merged).await;
                Ok(Some(merged))
            }
            // An earlier attempt may have merged it; then there is nothing to tell.
            Err(refusal) if refusal.is_missing() || refusal.canonical.is_some() => {
                self.forget(lead, &Identity::new(None, Some(email))).await;
                Ok(None)
            }
            Err(refusal) if refusal.failure.kind == Kind::Rejected => {
                let message = format!("lead {} has this address and stays: {}", lead.id, refusal.failure.message);
                self.warn(Warning::new("email", "lead_kept", message));
                Ok(None)
            }
            Err(refusal) => Err(refusal.failure),
        }
    }
}
