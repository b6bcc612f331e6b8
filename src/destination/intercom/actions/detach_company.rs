//! `detach_company`: takes a contact out of a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Email, Fills, Outcome};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::{Unlinked, Which};
use crate::destination::intercom::fills;
use crate::destination::intercom::whom::Whom;

/// Takes a contact out of a company. What is not there, or not together, is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachCompany {
    /// Intercom's own id of the contact, where you know it.
    #[serde(default)]
    contact_id: Option<String>,
    /// Your own id for the contact.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address, used when nobody has the id.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.context.traits.email"))]
    email: Option<Email>,
    /// Intercom's own id of the company, where you know it.
    #[serde(default)]
    intercom_company_id: Option<String>,
    /// Your own id for the company.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.groupId"))]
    company_id: Option<String>,
}

impl Action for DetachCompany {
    type Client = Client;
    const NAME: &'static str = "detach_company";
    const FILLS: Option<&'static Fills> = Some(&fills::DETACH_COMPANY);

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.contact_id, &self.external_id, &self.email);
        let which = Which { id: self.intercom_company_id.as_deref(), company_id: self.company_id.as_deref() };
        if whom.is_nobody() {
            return whom.nobody();
        }
        match client.unlink(&whom, &which).await? {
            Unlinked::Done(answer) => client.delivered(&answer),
            Unlinked::Nothing(what) => Ok(Outcome::Skipped("not_attached", format!("{what}, so nobody is attached"))),
        }
    }
}
