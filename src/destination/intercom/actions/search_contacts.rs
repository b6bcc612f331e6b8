//! `search_contacts`: finds contacts by what they have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::action::{self, Action, Document, Failure, Manner, Outcome};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::page;

/// Finds contacts by one condition, or by a query in Intercom's own form. What was made or changed a moment ago may be missing: the search lags.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchContacts {
    /// What is compared: `email`, `external_id`, `role`, `created_at`, `custom_attributes.plan`, …
    #[serde(default)]
    field: Option<String>,
    /// How it is compared.
    #[serde(default)]
    operator: Option<Operator>,
    /// What it is compared with; for `IN` and `NIN` a list.
    #[serde(default)]
    value: Option<Value>,
    /// A whole query in Intercom's form, instead of field, operator and value:
    /// `{"operator": "AND", "value": [{"field": …, "operator": …, "value": …}, …]}`.
    #[serde(default)]
    query: Option<Map<String, Value>>,
    /// What the list is sorted by.
    #[serde(default)]
    sort_field: Option<String>,
    /// Which way it is sorted.
    #[serde(default)]
    sort_order: Option<Order>,
    /// Contacts on a page, 1 to 150.
    #[serde(default)]
    per_page: Option<u32>,
    /// The cursor of the page before, where the list goes on.
    #[serde(default)]
    starting_after: Option<String>,
}

impl Action for SearchContacts {
    type Client = Client;
    const NAME: &'static str = "search_contacts";
    const MANNER: Manner = Manner::Lists;

    async fn perform(self, client: &Client) -> action::Result {
        let query = self.query()?;
        let mut body = json!({ "query": query });
        if let Some(field) = &self.sort_field {
            body["sort"] = json!({ "field": field, "order": self.sort_order.unwrap_or(Order::Descending) });
        }
        if let Some(count) = self.per_page {
            body["pagination"]["per_page"] = count.into();
        }
        if let Some(cursor) = &self.starting_after {
            body["pagination"]["starting_after"] = cursor.as_str().into();
        }
        let answer = client.call(Call::new("POST /contacts/search", &[])?.body(&body)).await?;
        client.answer(Document::Page(page::after_cursor(&answer.json()?)));
        Ok(Outcome::Delivered(Vec::new()))
    }
}

/// How a condition compares.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
pub enum Operator {
    /// Is.
    #[serde(rename = "=")]
    Is,
    /// Is not.
    #[serde(rename = "!=")]
    IsNot,
    /// Is one of.
    #[serde(rename = "IN")]
    In,
    /// Is none of.
    #[serde(rename = "NIN")]
    NotIn,
    /// Is less or before; dates by the day.
    #[serde(rename = "<")]
    Less,
    /// Is not greater; not for dates.
    #[serde(rename = "<=")]
    NotGreater,
    /// Is greater or after; dates by the day.
    #[serde(rename = ">")]
    Greater,
    /// Is not less; not for dates.
    #[serde(rename = ">=")]
    NotLess,
    /// Contains.
    #[serde(rename = "~")]
    Contains,
    /// Does not contain.
    #[serde(rename = "!~")]
    ContainsNot,
    /// Starts with.
    #[serde(rename = "^")]
    Starts,
    /// Ends with.
    #[serde(rename = "$")]
    Ends,
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

impl SearchContacts {
    fn query(&self) -> Result<Value, Failure> {
        match (&self.query, &self.field) {
            (Some(_), Some(_)) => Err(incomplete("give either `query`, or `field`, `operator` and `value`")),
            (Some(query), None) => Ok(Value::Object(query.clone())),
            (None, Some(field)) => {
                let operator = self.operator.unwrap_or(Operator::Is);
                Ok(json!({ "field": field, "operator": operator, "value": self.value }))
            }
            (None, None) => Err(incomplete("nothing says what is looked for: give `field` and `value`, or `query`")),
        }
    }
}

fn incomplete(why: &str) -> Failure {
    Failure::rejected("payload_invalid", why)
}
