//! `create_contact`: makes a contact, and never a second one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{self, Action, Email, Failure, Fills, Kind, Outcome, Timestamp, Unfit, Warning, WebUrl};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::contact::New;
use crate::destination::intercom::fills;
use crate::destination::intercom::identity::{Identity, Role};
use crate::destination::intercom::limits;
use crate::json::Object;

/// Makes a contact. One that is there already is left as it is, and refused by name; `identify_contact` updates it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateContact {
    /// What the contact is. Without it: a user when there is an external id, else a lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// Your own id for the contact. Not sent for leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.email"))]
    email: Option<Email>,
    /// The contact's phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.phone"))]
    phone: Option<String>,
    /// The contact's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.name"))]
    name: Option<String>,
    /// Address of a picture of the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.avatar"))]
    avatar: Option<WebUrl>,
    /// When the contact signed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_up_at: Option<Timestamp>,
    /// When the contact was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
    /// Intercom's id of the teammate who owns the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    /// Whether the contact wants no e-mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsubscribed_from_emails: Option<bool>,
    /// The language the contact is written to in, where the workspace's version takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language_override: Option<String>,
    /// Attributes of your own, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
}

/// The step that says that an earlier attempt may have made it.
const ASKED: &str = "contact_asked_for";

impl Action for CreateContact {
    type Client = Client;
    const NAME: &'static str = "create_contact";
    const FILLS: Option<&'static Fills> = Some(&fills::CREATE_CONTACT);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        limits::fit_attributes(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        let role = self.role.unwrap_or(if self.external_id.is_some() { Role::User } else { Role::Lead });
        let external_id = self.external_id.as_deref().filter(|_| role == Role::User);
        let who = Identity::new(external_id, self.email.as_ref().map(Email::as_str));
        if who.is_nobody() {
            let message = "neither an external id nor an e-mail address says who it is";
            return Ok(Outcome::Skipped("no_identity", message.to_owned()));
        }
        let asked_before = client.step(ASKED).is_some();
        let body = self.body(role, client);
        // First, because whoever asks may end before there is an answer.
        client.finish_step(ASKED, "yes");
        let found = client.contact_or_new(New { identity: &who, role, body: &body }).await.inspect_err(|failure| {
            if !asked_before && !matches!(failure.kind, Kind::Unknown | Kind::Unavailable) {
                client.take_back(ASKED);
            }
        })?;
        if !found.made && !asked_before {
            client.take_back(ASKED);
            let has_id = external_id.is_some() && found.contact.external_id.as_deref() == external_id;
            let shared = Identity { external_id: who.external_id.filter(|_| has_id), email: who.email };
            let role = found.contact.role.map(|role| format!(", a {}", role.name())).unwrap_or_default();
            let message = format!("a contact with {} is there already: {}{role}", shared.name(), found.contact.id);
            return Err(Failure::rejected("contact_exists", message));
        }
        if found.made {
            return Ok(Outcome::Delivered(Vec::new()));
        }
        client.delivered(&client.call(Call::new("GET /contacts/{id}", &[&found.contact.id])?).await?)
    }
}

impl CreateContact {
    fn body(&self, role: Role, client: &Client) -> Map<String, Value> {
        let Ok(Value::Object(mut body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        body.insert("role".to_owned(), role.name().into());
        if role == Role::Lead {
            body.remove("external_id");
        }
        limits::fit_owner(&mut body, client.settings());
        body
    }
}
