//! `update_contact`: changes a contact that is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{self, Action, Email, Failure, Fills, Outcome, Patch, Timestamp, Unfit, Warning, WebUrl};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::contact::not_found;
use crate::destination::intercom::fills;
use crate::destination::intercom::identity::{Contact, Role};
use crate::destination::intercom::limits;
use crate::destination::intercom::whom::Whom;
use crate::json::Object;

/// Changes a contact that is there, and makes none. Found by Intercom's id, by your own id, then by e-mail address.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateContact {
    /// Intercom's own id of the contact, where you know it.
    #[serde(default, skip_serializing)]
    id: Option<String>,
    /// Your own id for the contact. Together with `id`, the contact gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address. Together with an id, the contact gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.email"))]
    email: Option<Email>,
    /// What the contact is to be. A lead can become a user, never the other way round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// The contact's phone number.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schemars(extend("x-default" = "$.traits.phone"))]
    phone: Patch<String>,
    /// The contact's name.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schemars(extend("x-default" = "$.traits.name"))]
    name: Patch<String>,
    /// Address of a picture of the contact.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    #[schemars(extend("x-default" = "$.traits.avatar"))]
    avatar: Patch<WebUrl>,
    /// When the contact signed up.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    signed_up_at: Patch<Timestamp>,
    /// When the contact was last seen. Never moves back.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    last_seen_at: Patch<Timestamp>,
    /// Intercom's id of the teammate who owns the contact.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    owner_id: Patch<String>,
    /// Whether the contact wants no e-mails.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    unsubscribed_from_emails: Patch<bool>,
    /// The language the contact is written to in, where the workspace's version takes one.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    language_override: Patch<String>,
    /// Attributes of your own, by name. `null` clears one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
}

/// How often a contact is looked for when it vanishes between finding and updating.
const LOOKS_MAX: u32 = 2;

impl Action for UpdateContact {
    type Client = Client;
    const NAME: &'static str = "update_contact";
    const FILLS: Option<&'static Fills> = Some(&fills::UPDATE_CONTACT);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        limits::fit_attributes(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        let whom = Whom::new(&self.id, &self.external_id, &self.email);
        if whom.is_nobody() {
            return whom.nobody();
        }
        let body = self.body(client)?;
        for _ in 0..LOOKS_MAX {
            let contact = match &self.id {
                Some(id) => client.with_last_seen(id, matches!(self.last_seen_at, Patch::Set(_))).await?,
                None => Some(client.meant(&whom).await?),
            };
            let Some(contact) = contact else { break };
            let body = self.changes(&body, &contact);
            if body.is_empty() {
                let message = format!("contact {} has all of it already", contact.id);
                return Ok(Outcome::Skipped("unchanged", message));
            }
            if client.update(&contact, &body).await?.is_some() {
                return Ok(Outcome::Delivered(Vec::new()));
            }
        }
        Err(not_found(&whom.name()))
    }
}

impl UpdateContact {
    /// The body without what would move back.
    fn changes(&self, body: &Map<String, Value>, contact: &Contact) -> Map<String, Value> {
        let mut body = body.clone();
        if let (Some(known), Patch::Set(Timestamp(seen))) = (contact.last_seen_at, &self.last_seen_at)
            && *seen <= known
        {
            body.remove("last_seen_at");
        }
        body
    }

    fn body(&self, client: &Client) -> Result<Map<String, Value>, Failure> {
        let Ok(Value::Object(mut body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        // What it was found by is no change.
        match (&self.id, &self.external_id) {
            (None, Some(_)) => drop(body.remove("external_id")),
            (None, None) => drop(body.remove("email")),
            (Some(_), _) => {}
        }
        limits::fit_owner(&mut body, client.settings());
        match body.is_empty() {
            true => Err(Failure::rejected("payload_invalid", "nothing is to be changed: no field but who it is")),
            false => Ok(body),
        }
    }
}
