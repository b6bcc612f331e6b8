//! `create_ticket`: opens a ticket for a contact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::action::{self, Action, Document, Email, Failure, Outcome, Timestamp};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::company::Which;
use crate::destination::intercom::contact::not_found;
use crate::destination::intercom::whom::Whom;

/// Opens a ticket for a contact. Intercom makes a contact for an e-mail address it does not know.
///
/// An attempt whose outcome nobody knows is looked for before another one is made.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTicket {
    /// Intercom's id of the type of the ticket; `list_ticket_types` shows them.
    ticket_type_id: String,
    /// Intercom's own id of the contact, where you know it.
    #[serde(default)]
    contact_id: Option<String>,
    /// Your own id for the contact.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address, used when there is no id.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.context.traits.email"))]
    email: Option<Email>,
    /// What it is about, in a line.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.properties.title"))]
    title: Option<String>,
    /// What it is about, at length.
    #[serde(default)]
    #[schemars(extend("x-default" = "$.properties.description"))]
    description: Option<String>,
    /// Attributes of the ticket's type, by name; one that is a list takes the id of the choice.
    #[serde(default)]
    ticket_attributes: Map<String, Value>,
    /// Your own id for the company it concerns.
    #[serde(default)]
    company_id: Option<String>,
    /// Intercom's own id of the company it concerns, where you know it.
    #[serde(default)]
    intercom_company_id: Option<String>,
    /// When it was opened. Without it, now.
    #[serde(default)]
    created_at: Option<Timestamp>,
    /// Intercom's id of the teammate it is given to.
    #[serde(default)]
    admin_assignee_id: Option<String>,
    /// Intercom's id of the team it is given to.
    #[serde(default)]
    team_assignee_id: Option<String>,
    /// Intercom's id of a conversation it is linked to.
    #[serde(default)]
    conversation_to_link_id: Option<String>,
    /// Whether nobody is told.
    #[serde(default)]
    skip_notifications: Option<bool>,
}

/// The step that says when a ticket was asked for, and no answer is known.
const ASKED: &str = "ticket_asked_for";

impl Action for CreateTicket {
    type Client = Client;
    const NAME: &'static str = "create_ticket";

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.contact_id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        let body = self.body(client).await?;
        if let Some(asked) = client.intent(ASKED)
            && let Some(ticket) = client.ticket_since(&body, &whom, asked).await?
        {
            client.answer(Document::One(ticket));
            return Ok(Outcome::Delivered(Vec::new()));
        }
        client.intend(ASKED).await;
        match client.call(Call::new("POST /tickets", &[])?.body(&body)).await {
            Ok(answer) => client.delivered(&answer),
            Err(refusal) => {
                match refusal.is_open() {
                    true => client.unanswered(ASKED),
                    false => client.take_back(ASKED),
                }
                // The type of ticket, the company or the conversation may be what is not there, and then never will be; for an
                // address, Intercom makes a contact.
                let is_address = self.contact_id.is_none() && self.external_id.is_none();
                match refusal.is_missing() && !is_address && !client.is_there(&whom).await? {
                    true => Err(not_found(&whom.name())),
                    false => Err(refusal.failure),
                }
            }
        }
    }
}

impl CreateTicket {
    async fn body(&self, client: &Client) -> Result<Value, Failure> {
        let contact = match (&self.contact_id, &self.external_id, &self.email) {
            (Some(id), ..) => json!({ "id": id }),
            (None, Some(external_id), _) => json!({ "external_id": external_id }),
            (None, None, email) => json!({ "email": email }),
        };
        let mut body = json!({ "ticket_type_id": self.ticket_type_id, "contacts": [contact] });
        let mut attributes = self.ticket_attributes.clone();
        for (name, text) in [("_default_title_", &self.title), ("_default_description_", &self.description)] {
            if let Some(text) = text {
                attributes.insert(name.to_owned(), text.as_str().into());
            }
        }
        if !attributes.is_empty() {
            body["ticket_attributes"] = attributes.into();
        }
        let which = Which { id: self.intercom_company_id.as_deref(), company_id: self.company_id.as_deref() };
        if which.is_some() {
            body["company_id"] = client.which(&which).await?.into();
        }
        for (name, id) in [("admin_assignee_id", &self.admin_assignee_id), ("team_assignee_id", &self.team_assignee_id)]
        {
            if let Some(id) = id {
                body["assignment"][name] = id.as_str().into();
            }
        }
        if let Some(at) = self.created_at {
            body["created_at"] = at.0.into();
        }
        if let Some(id) = &self.conversation_to_link_id {
            body["conversation_to_link_id"] = id.as_str().into();
        }
        if let Some(skip) = self.skip_notifications {
            body["skip_notifications"] = skip.into();
        }
        Ok(body)
    }
}
