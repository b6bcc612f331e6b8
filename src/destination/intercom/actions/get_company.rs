//! `get_company`: shows a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Manner};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::company::Which;

/// Shows a company, all of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetCompany {
    /// Intercom's own id of the company, where you know it.
    #[serde(default)]
    id: Option<String>,
    /// Your own id for the company.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.groupId"))]
    company_id: Option<String>,
}

impl Action for GetCompany {
    type Client = Client;
    const NAME: &'static str = "get_company";
    const MANNER: Manner = Manner::Reads;

    async fn perform(self, client: &Client) -> action::Result {
        let which = Which { id: self.id.as_deref(), company_id: self.company_id.as_deref() };
        let (_, answer) = client.about_company(&which, |id| Call::new("GET /companies/{id}", &[id])).await?;
        client.delivered(&answer)
    }
}
