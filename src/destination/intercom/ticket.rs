//! Tickets that may have been made, though there was no answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Call, Client, Intent, unreadable};
use super::whom::Whom;
use crate::action::{Failure, Kind};

/// Seconds by which Intercom's clock may be behind ours.
const SKEW_SECS: i64 = 60;

const DAY_SECS: i64 = 86_400;

impl Client {
    /// The ticket that an earlier attempt has made, if it has. While the search may not show it yet,
    /// nobody knows.
    pub async fn ticket_since(&self, body: &Value, whom: &Whom<'_>, asked: Intent) -> Result<Option<Value>, Failure> {
        let since = body["created_at"].as_i64().map_or(asked.asked_at, |at| at.min(asked.asked_at)) - SKEW_SECS;
        let condition =
            |field: &str, operator: &str, value: Value| json!({ "field": field, "operator": operator, "value": value });
        let mut conditions = vec![
            condition("ticket_type_id", "=", body["ticket_type_id"].clone()),
            // Dates are compared by the day, in a time zone that we do not know.
            condition("created_at", ">", (since - DAY_SECS).into()),
        ];
        let contact = match self.meant(whom).await {
            Ok(contact) => Some(contact.id),
            Err(failure) if failure.code == "contact_not_found" => None,
            Err(failure) => return Err(failure),
        };
        if let Some(id) = &contact {
            conditions.push(condition("contact_ids", "=", id.as_str().into()));
        }
        let query = json!({ "query": { "operator": "AND", "value": conditions } });
        let answer = self.call(Call::new("POST /tickets/search", &[])?.body(&query)).await?.json()?;
        let list = if answer["tickets"].is_array() { &answer["tickets"] } else { &answer["data"] };
        let Some(tickets) = list.as_array() else { return Err(unreadable("not a list of tickets")) };
        let is_like_it = |ticket: &&Value| ticket["created_at"].as_i64() >= Some(since) && says_the_same(ticket, body);
        for ticket in tickets.iter().filter(is_like_it) {
            if contact.is_some() || self.is_of(ticket, whom).await? {
                return Ok(Some(ticket.clone()));
            }
        }
        let left = self.settings().shown_from(asked.ended_at).saturating_sub(self.now().as_second());
        if left <= 0 {
            return Ok(None);
        }
        let message = "the ticket may have been made, and the search does not show it yet";
        let failure = Failure::new(Kind::Unknown, "ticket_unsettled", message);
        Err(Failure { retry_after: Some(Duration::from_secs(left as u64)), ..failure })
    }

    /// Whether a ticket is about the contact that is meant, where the search could not be asked for theirs alone.
    async fn is_of(&self, ticket: &Value, whom: &Whom<'_>) -> Result<bool, Failure> {
        let who = whom.identity();
        for contact in ticket["contacts"]["contacts"].as_array().into_iter().flatten() {
            if let Some(external_id) = &who.external_id {
                if contact["external_id"].as_str() == Some(external_id) {
                    return Ok(true);
                }
                continue;
            }
            let Some(id) = contact["id"].as_str() else { continue };
            if self.by_id(id).await?.is_some_and(|contact| contact.email == who.email) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a ticket has the title, the description and the attributes that were asked for. Numbers may come back as text.
fn says_the_same(ticket: &Value, body: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let said = |of: &Value, name: &str| text(&of["ticket_attributes"][name]);
    let asked = body["ticket_attributes"].as_object();
    let names = asked.into_iter().flat_map(|asked| asked.keys().map(String::as_str));
    names.chain(["_default_title_", "_default_description_"]).all(|name| said(ticket, name) == said(body, name))
}
