//! `identify_contact`: makes a contact, or updates it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{self, Action, Email, Outcome, Patch, Timestamp, Unfit, Warning, WebUrl};
use crate::destination::intercom::Archived;
use crate::destination::intercom::client::Client;
use crate::destination::intercom::contact::{New, not_found};
use crate::destination::intercom::identity::{Contact, Identity, Role};
use crate::destination::intercom::limits;
use crate::json::{Json, Object};

/// Makes a contact or updates it: found by Intercom's id, by your own id, then by e-mail address.
///
/// A lead with that address is made a user when your id for it becomes known. A call that names nobody is skipped.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyContact {
    /// Intercom's own id of the contact, where you know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What the contact is. Without it: a user when there is an external id, else a lead. A user stays one.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.timestamp"))]
    last_seen_at: Option<Timestamp>,
    /// Intercom's id of the teammate who owns the contact.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    owner_id: Patch<String>,
    /// Whether the contact wants no e-mails.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    unsubscribed_from_emails: Patch<bool>,
    /// Attributes of your own, by name. They must exist in the workspace.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
}

impl Action for IdentifyContact {
    type Client = Client;
    const NAME: &'static str = "identify_contact";
    const TRIGGER: &'static str = r#"type = "identify""#;

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        if fields.get("role").is_none_or(Json::is_null) {
            let role = match (fields.get("external_id"), fields.get("id")) {
                (Some(_), _) => Some(Role::User),
                (None, None) => Some(Role::Lead),
                (None, Some(_)) => None,
            };
            fields.remove("role");
            if let Some(role) = role {
                fields.push_new("role", role.name().into());
            }
        }
        limits::fit_attributes(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        let result = self.bring(client).await;
        match result {
            Err(failure) if failure.code == "contact_archived" && client.settings().archived == Archived::Skip => {
                Ok(Outcome::Skipped("contact_archived", failure.message))
            }
            result => result,
        }
    }
}

/// How often a contact is looked for when it vanishes between finding and updating.
const LOOKS_MAX: u32 = 2;

impl IdentifyContact {
    async fn bring(&self, client: &Client) -> action::Result {
        if let Some(id) = &self.id
            && let Some(outcome) = self.update(client, &Contact::unseen(id)).await?
        {
            return Ok(outcome);
        }
        let who = Identity::new(self.external_id.as_deref(), self.email.as_ref().map(Email::as_str));
        if who.is_nobody() {
            return self.nobody();
        }
        if self.is_lead() && self.external_id.is_some() {
            // Only users have one: whoever is found by it is updated, as the user they are.
            let user = Identity { email: None, ..who.clone() };
            if let Some(user) = client.contact(&user).await?
                && let Some(outcome) = self.update(client, &user).await?
            {
                return Ok(outcome);
            }
            if self.email.is_none() {
                return self.nobody();
            }
        }
        let (role, body) = (self.new_role(), self.new_body(client));
        for _ in 0..LOOKS_MAX {
            let found = client.contact_or_new(New { identity: &who, role, body: &body }).await?;
            if found.made {
                return Ok(Outcome::Delivered(Vec::new()));
            }
            if let Some(outcome) = self.update(client, &found.contact).await? {
                return Ok(outcome);
            }
        }
        Err(not_found(&who.name()))
    }

    fn nobody(&self) -> action::Result {
        let message = match (&self.id, self.is_lead(), &self.external_id) {
            (Some(id), ..) => return Err(not_found(&format!("id `{id}`"))),
            (None, true, Some(_)) => "a lead is known by its e-mail address, and there is none",
            _ => "neither an id nor an e-mail address says which contact is meant",
        };
        Ok(Outcome::Skipped("no_identity", message.to_owned()))
    }

    /// `None`: the contact is not there any more.
    async fn update(&self, client: &Client, contact: &Contact) -> Result<Option<Outcome>, action::Failure> {
        let body = self.changes(client, contact);
        if body.is_empty() {
            let message = format!("contact {} has all of it already", contact.id);
            return Ok(Some(Outcome::Skipped("unchanged", message)));
        }
        if self.is_lead() && contact.role == Some(Role::User) && self.external_id.is_some() {
            let message = format!("contact {} is a user, and stays one", contact.id);
            client.warn(Warning::new("role", "role_kept", message));
        }
        Ok(client.update(contact, &body).await?.map(|()| Outcome::Delivered(Vec::new())))
    }

    fn new_role(&self) -> Role {
        let guess = if self.external_id.is_some() { Role::User } else { Role::Lead };
        self.role.unwrap_or(guess)
    }

    fn is_lead(&self) -> bool {
        self.role == Some(Role::Lead)
    }

    /// The body that makes the contact. What is to be cleared need not be said of a new one.
    fn new_body(&self, client: &Client) -> Map<String, Value> {
        let mut body = self.body(client);
        body.retain(|_, value| !value.is_null());
        body.insert("role".to_owned(), self.new_role().name().into());
        if let Some(Value::Object(attributes)) = body.get_mut("custom_attributes") {
            attributes.retain(|_, value| !value.is_null());
        }
        body.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
        body
    }

    /// The body that updates a contact; empty when there is nothing new in it. A role is only ever raised.
    fn changes(&self, client: &Client, contact: &Contact) -> Map<String, Value> {
        let mut body = self.body(client);
        if self.role != Some(Role::User) {
            body.remove("role");
        }
        if !contact.may_be(self.external_id.as_deref()) {
            // Merged into somebody who has an external id of their own.
            body.remove("external_id");
        }
        if let (Some(new), Some(Timestamp(seen))) = (contact.last_seen_at, self.last_seen_at)
            && seen <= new
        {
            body.remove("last_seen_at");
        }
        let known = |key: &str, value: &Value| match key {
            "role" => contact.role.is_some_and(|role| value == role.name()),
            "external_id" => contact.external_id.as_deref().is_some_and(|id| value == id),
            "email" => contact
                .email
                .as_deref()
                .is_some_and(|email| value.as_str().map(str::to_lowercase).as_deref() == Some(email)),
            _ => false,
        };
        match body.iter().all(|(key, value)| known(key, value)) {
            true => Map::new(),
            false => body,
        }
    }

    fn body(&self, client: &Client) -> Map<String, Value> {
        let Ok(Value::Object(mut body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        body.remove("id");
        if self.is_lead() {
            body.remove("external_id");
        }
        if let (Patch::Set(owner), true) = (&self.owner_id, client.settings().owner_is_number())
            && let Ok(number) = owner.parse::<u64>()
        {
            body.insert("owner_id".to_owned(), number.into());
        }
        body
    }
}
