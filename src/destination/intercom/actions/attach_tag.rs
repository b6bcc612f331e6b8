//! `attach_tag`: puts a tag on a contact or a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Fills};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::Which;
use crate::destination::intercom::fills;
use crate::destination::intercom::whom::Whom;

/// Puts a tag on a contact, or on a company where one is named. A contact that is not there yet is waited for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachTag {
    /// The tag's name. One that does not exist yet is made.
    name: String,
    /// Intercom's own id of the contact, where you know it.
    #[serde(default)]
    contact_id: Option<String>,
    /// Your own id for the contact.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address, used when nobody has the id.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.traits.email"))]
    email: Option<Email>,
    /// Intercom's own id of a company. With it, or with `company_id`, the company is meant, not the contact.
    #[serde(default)]
    intercom_company_id: Option<String>,
    /// Your own id for a company.
    #[serde(default)]
    company_id: Option<String>,
}

impl Action for AttachTag {
    type Client = Client;
    const NAME: &'static str = "attach_tag";
    const FILLS: Option<&'static Fills> = Some(&fills::ATTACH_TAG);

    async fn perform(self, client: &Client) -> action::Result {
        let which = Which { id: self.intercom_company_id.as_deref(), company_id: self.company_id.as_deref() };
        if which.is_some() {
            return client.delivered(&client.tag_company(&which, &self.name, false).await?);
        }
        let whom = Whom::new(&self.contact_id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        client.delivered(&client.tag_contact(&whom, &self.name).await?)
    }
}
