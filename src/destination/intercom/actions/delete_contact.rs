//! `delete_contact`: deletes a contact for good.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Fills};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::fills;
use crate::destination::intercom::identity::Contact;
use crate::destination::intercom::whom::Whom;

/// Deletes a contact and all that is known of it, for good. One that is not there is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteContact {
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

impl Action for DeleteContact {
    type Client = Client;
    const NAME: &'static str = "delete_contact";
    const FILLS: Option<&'static Fills> = Some(&fills::DELETE_CONTACT);

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        match client.about(&whom, |id| Call::new("DELETE /contacts/{id}", &[id])).await {
            Ok((id, answer)) => {
                client.forget(&Contact::unseen(&id), &whom.identity()).await;
                client.delivered(&answer)
            }
            Err(refusal) if refusal.is_absent() => whom.absent(),
            Err(refusal) => Err(refusal.failure),
        }
    }
}
