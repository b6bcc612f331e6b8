//! `delete_company`: deletes a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Fills};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::company::Which;
use crate::destination::intercom::fills;

/// Deletes a company; the people in it stay. Intercom does it in the background. One that is not there is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteCompany {
    /// Intercom's own id of the company, where you know it.
    #[serde(default)]
    id: Option<String>,
    /// Your own id for the company.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.groupId"))]
    company_id: Option<String>,
}

impl Action for DeleteCompany {
    type Client = Client;
    const NAME: &'static str = "delete_company";
    const FILLS: Option<&'static Fills> = Some(&fills::DELETE_COMPANY);

    async fn perform(self, client: &Client) -> action::Result {
        let which = Which { id: self.id.as_deref(), company_id: self.company_id.as_deref() };
        match client.about_company(&which, |id| Call::new("DELETE /companies/{id}", &[id])).await {
            Ok((_, answer)) => {
                client.forget_company(&which).await;
                client.delivered(&answer)
            }
            Err(refusal) if refusal.is_absent() => which.absent(),
            Err(refusal) => Err(refusal.failure),
        }
    }
}
