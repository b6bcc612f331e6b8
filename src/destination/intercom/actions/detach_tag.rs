//! `detach_tag`: takes a tag off a contact or a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Fills, Outcome};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::Which;
use crate::destination::intercom::fills;
use crate::destination::intercom::whom::Whom;

/// Takes a tag off a contact, or off a company where one is named. What does not have it is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachTag {
    /// The tag's name.
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

impl Action for DetachTag {
    type Client = Client;
    const NAME: &'static str = "detach_tag";
    const FILLS: Option<&'static Fills> = Some(&fills::DETACH_TAG);

    async fn perform(self, client: &Client) -> action::Result {
        let which = Which { id: self.intercom_company_id.as_deref(), company_id: self.company_id.as_deref() };
        if which.is_some() {
            return client.delivered(&client.tag_company(&which, &self.name, true).await?);
        }
        let whom = Whom::new(&self.contact_id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        match client.untag_contact(&whom, &self.name).await {
            Ok(Some(answer)) => client.delivered(&answer),
            Ok(None) => {
                Ok(Outcome::Skipped("not_tagged", format!("the contact does not have the tag `{}`", self.name)))
            }
            Err(refusal) if refusal.is_absent() => whom.absent(),
            Err(refusal) => Err(refusal.failure),
        }
    }
}
