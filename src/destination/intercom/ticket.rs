//! Tickets that may have been made, though there was no answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Call, Client, unreadable};
use super::whom::Whom;
use crate::action::{Failure, Kind};

/// Seconds by which Intercom's clock may be behind ours.
const SKEW_SECS: i64 = 60;

const DAY_SECS: i64 = 86_400;

impl Client {
    /// The ticket that an attempt at `asked_at` (Unix seconds) has made, if it has. While the search may not show it yet,
    /// nobody knows.
    pub async fn ticket_since(&self, body: &Value, whom: &Whom<'_>, asked_at: i64) -> Result<Option<Value>, Failure> {
        let since = body["created_at"].as_i64().map_or(asked_at, |at| at.min(asked_at)) - SKEW_SECS;
        let condition =
            |field: &str, operator: &str, value: Value| json!({ "field": field, "operator": operator, "value": value });
        let mut conditions = vec![
            condition("ticket_type_id", "=", body["ticket_type_id"].clone()),
            // Dates are compared by the day, in a time zone that we do not know.
            condition("created_at", ">", (since - DAY_SECS).into()),
        ];
        match self.meant(whom).await {
            Ok(contact) => conditions.push(condition("contact_ids", "=", contact.id.into())),
            Err(failure) if failure.code == "contact_not_found" => {}
            Err(failure) => return Err(failure),
        }
        let query = json!({ "query": { "operator": "AND", "value": conditions } });
        let answer = self.call(Call::new("POST /tickets/search", &[])?.body(&query)).await?.json()?;
        let list = if answer["tickets"].is_array() { &answer["tickets"] } else { &answer["data"] };
        let Some(tickets) = list.as_array() else { return Err(unreadable("not a list of tickets")) };
        let title = |ticket: &Value| ticket["ticket_attributes"]["_default_title_"].clone();
        let is_it = |ticket: &&Value| ticket["created_at"].as_i64() >= Some(since) && title(ticket) == title(body);
        if let Some(ticket) = tickets.iter().find(is_it) {
            return Ok(Some(ticket.clone()));
        }
        let settled_at = asked_at + self.settings().search_lag_secs as i64;
        let left = settled_at - self.now().as_second();
        if left <= 0 {
            return Ok(None);
        }
        let message = "the ticket may have been made, and the search does not show it yet";
        let failure = Failure::new(Kind::Unknown, "ticket_unsettled", message);
        Err(Failure { retry_after: Some(Duration::from_secs(left as u64)), ..failure })
    }
}
