//! `archive_contact`: hides a contact, until it comes back by itself or is unarchived.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Fills};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::fills;
use crate::destination::intercom::identity::Contact;
use crate::destination::intercom::whom::Whom;

/// Archives a contact: it is hidden from lists and searches, and keeps all it has. One that is not there is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveContact {
    /// Intercom's own id of the contact, where you know it.
    #[serde(default)]
    id: Option<String>,
    /// Your own id for the contact.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address, used when nobody has the id.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.traits.email"))]
    email: Option<Email>,
}

impl Action for ArchiveContact {
    type Client = Client;
    const NAME: &'static str = "archive_contact";
    const FILLS: Option<&'static Fills> = Some(&fills::ARCHIVE_CONTACT);

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        match client.about(&whom, |id| Call::new("POST /contacts/{id}/archive", &[id])).await {
            Ok((id, answer)) => {
                client.forget(&Contact::unseen(&id), &whom.identity()).await;
                client.delivered(&answer)
            }
            Err(refusal) if refusal.is_absent() => whom.absent(),
            Err(refusal) => Err(refusal.failure),
        }
    }
}
