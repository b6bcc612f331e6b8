//! `get_contact`: shows a contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Manner};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::whom::Whom;

/// Shows a contact, all of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetContact {
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

impl Action for GetContact {
    type Client = Client;
    const NAME: &'static str = "get_contact";
    const MANNER: Manner = Manner::Reads;

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        let (_, answer) = client.about(&whom, |id| Call::new("GET /contacts/{id}", &[id])).await?;
        client.delivered(&answer)
    }
}
