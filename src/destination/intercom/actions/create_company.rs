//! `create_company`: makes a company, or updates the one with that id.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::action::{self, Action, Failure, Fills, Timestamp, Unfit, Warning};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::fills;
use crate::destination::intercom::limits;
use crate::json::Object;

/// Makes a company, or updates the one with your id: Intercom has one call for both. Lists show it once it has a contact.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCompany {
    /// Your own id for the company. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.groupId"))]
    company_id: Option<String>,
    /// The company's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.name"))]
    name: Option<String>,
    /// The company's website.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.website"))]
    website: Option<String>,
    /// What the company does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.industry"))]
    industry: Option<String>,
    /// The plan the company has with you.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.plan"))]
    plan: Option<String>,
    /// How many people work there; rounded to a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.employees"))]
    size: Option<Number>,
    /// What the company brings you a month; rounded to a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.monthly_spend"))]
    monthly_spend: Option<Number>,
    /// When you made the company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.createdAt"))]
    remote_created_at: Option<Timestamp>,
    /// Whether this counts as the company being active now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update_last_request_at: Option<bool>,
    /// Attributes of your own, by name. `null` clears one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
}

impl Action for CreateCompany {
    type Client = Client;
    const NAME: &'static str = "create_company";
    const FILLS: Option<&'static Fills> = Some(&fills::CREATE_COMPANY);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        limits::fit_company(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        if self.company_id.is_none() && self.name.is_none() {
            return Err(Failure::rejected("payload_invalid", "neither `company_id` nor `name` says which company"));
        }
        let Ok(Value::Object(body)) = serde_json::to_value(&self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        client.delivered(&client.write_company(&body).await?.answer)
    }
}
