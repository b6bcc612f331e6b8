//! `unarchive_contact`: takes a contact out of the archive.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Fills};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::fills;

/// Takes a contact out of the archive. An archived contact is found by Intercom's id only.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnarchiveContact {
    /// Intercom's own id of the contact.
    id: String,
}

impl Action for UnarchiveContact {
    type Client = Client;
    const NAME: &'static str = "unarchive_contact";
    const FILLS: Option<&'static Fills> = Some(&fills::UNARCHIVE_CONTACT);

    async fn perform(self, client: &Client) -> action::Result {
        let answer = client.call(Call::new("POST /contacts/{id}/unarchive", &[&self.id])?).await?;
        client.delivered(&answer)
    }
}
