//! `merge_contacts`: makes a lead and a user one contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Outcome};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::whom::Whom;

/// Merges a lead into a user: what the lead has moves over, and its id leads to the user from then on.
///
/// Where there is no user yet, the lead itself becomes it. Where there is no lead, nothing is left to do. With the trigger
/// `type = "alias"` and the defaults, who was known by the previous id or address becomes the user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeContacts {
    /// Intercom's own id of the lead, where you know it.
    #[serde(default)]
    from: Option<String>,
    /// What the lead was known by: an id of yours, or its e-mail address.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.previousId"))]
    from_external_id: Option<String>,
    /// The lead's e-mail address.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.traits.email"))]
    from_email: Option<Email>,
    /// Intercom's own id of the user, where you know it.
    #[serde(default)]
    into: Option<String>,
    /// Your own id for the user.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.userId"))]
    into_external_id: Option<String>,
    /// Whether they are merged even if they share neither an e-mail address nor a phone number.
    #[serde(default)]
    #[schemars(extend("x-default" = true))]
    skip_duplicate_validation: Option<bool>,
}

impl Action for MergeContacts {
    type Client = Client;
    const NAME: &'static str = "merge_contacts";
    const TRIGGER: Option<&'static str> = Some(r#"type = "alias""#);

    async fn perform(self, client: &Client) -> action::Result {
        // An address that stands where an id was expected is an address.
        let address = self.from_external_id.as_deref().and_then(Email::read);
        let email = self.from_email.clone().or(address);
        let from = Whom::new(&self.from, &self.from_external_id, &email);
        let into = Whom::new(&self.into, &self.into_external_id, &None);
        if from.is_nobody() || into.is_nobody() {
            let message = "two contacts are merged, and both must be named";
            return Ok(Outcome::Skipped("no_identity", message.to_owned()));
        }
        client.merge(&from, &into, self.skip_duplicate_validation.unwrap_or(false)).await
    }
}
