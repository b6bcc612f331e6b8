//! `update_company`: changes a company that is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::action::{self, Action, Failure, Fills, Unfit, Warning};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::Which;
use crate::destination::intercom::fills;
use crate::destination::intercom::limits;
use crate::json::Object;

/// Changes a company that is there, and makes none. Your id for it and when you made it cannot be changed.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCompany {
    /// Intercom's own id of the company, where you know it.
    #[serde(default, skip_serializing)]
    id: Option<String>,
    /// Your own id for the company.
    #[serde(default, skip_serializing)]
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
    /// Attributes of your own, by name. `null` clears one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
}

impl Action for UpdateCompany {
    type Client = Client;
    const NAME: &'static str = "update_company";
    const FILLS: Option<&'static Fills> = Some(&fills::UPDATE_COMPANY);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        limits::fit_company(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        let which = Which { id: self.id.as_deref(), company_id: self.company_id.as_deref() };
        let Ok(Value::Object(body)) = serde_json::to_value(&self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        if body.is_empty() {
            return Err(Failure::rejected("payload_invalid", "nothing is to be changed: no field but which it is"));
        }
        client.delivered(&client.update_company(&which, &body).await?)
    }
}
