//! `identify_contact`: makes a contact, or updates it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{self, Action, Email, Failure, Fills, Kind, Outcome, Patch, Timestamp, Unfit, Warning, WebUrl};
use crate::destination::intercom::Archived;
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::{Unlinked, Which};
use crate::destination::intercom::contact::{New, not_found};
use crate::destination::intercom::directory::Belonging;
use crate::destination::intercom::economy::SEEN_RECENTLY;
use crate::destination::intercom::fills;
use crate::destination::intercom::identity::{Contact, Identity, Role};
use crate::destination::intercom::limits;
use crate::destination::intercom::whom::Whom;
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
    /// The language the contact is written to in, where the workspace's version takes one.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    language_override: Patch<String>,
    /// Attributes of your own, by name. `null` clears one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
    /// Tags to be put on the contact, by name; those that do not exist yet are made.
    #[serde(default, skip_serializing)]
    tags: Vec<String>,
    /// Your own id for a company the contact is put in; it is made when there is none.
    #[serde(default, skip_serializing)]
    company_id: Option<String>,
    /// Takes the contact out of that company instead.
    #[serde(default, skip_serializing)]
    remove_company: bool,
}

impl Action for IdentifyContact {
    type Client = Client;
    const NAME: &'static str = "identify_contact";
    const TRIGGER: Option<&'static str> = Some(r#"type = "identify""#);
    const FILLS: Option<&'static Fills> = Some(&fills::IDENTIFY_CONTACT);

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

/// The step after which only tags and the company are left; it came to Intercom's id of the contact.
pub const BROUGHT: &str = "contact_brought";

/// How the step of a tag begins; the name follows.
pub const TAGGED: &str = "tagged ";

/// The step after which only putting the contact in the company is left; it came to Intercom's id of the company.
const COMPANY: &str = "company_there";

/// What came of the contact itself.
enum Brought {
    /// It has all that was to be said of it; why nothing had to be sent for that.
    There { id: String, spared: Option<&'static str> },
    /// Nobody is meant.
    Nobody(Outcome),
}

impl IdentifyContact {
    async fn bring(&self, client: &Client) -> action::Result {
        let (id, spared) = match client.step(BROUGHT) {
            Some(id) => (id, None),
            None => match self.bring_contact(client).await? {
                Brought::There { id, spared } => (id, spared),
                Brought::Nobody(outcome) => return Ok(outcome),
            },
        };
        if self.tags.is_empty() && self.company_id.is_none() {
            return Ok(outcome(&id, spared));
        }
        client.finish_step(BROUGHT, &id);
        let tagged = self.tag(client, &id).await?;
        let linked = self.link(client, &id).await?;
        Ok(outcome(&id, spared.filter(|_| !tagged && !linked)))
    }

    async fn bring_contact(&self, client: &Client) -> Result<Brought, Failure> {
        if let Some(id) = &self.id
            && let Some(contact) = client.with_last_seen(id, self.last_seen_at.is_some()).await?
            && let Some(there) = self.update(client, &contact).await?
        {
            return Ok(there);
        }
        let who = Identity::new(self.external_id.as_deref(), self.email.as_ref().map(Email::as_str));
        if who.is_nobody() {
            return self.nobody();
        }
        if self.is_lead() && self.external_id.is_some() {
            // Only users have one: whoever is found by it is updated, as the user they are.
            let user = Identity { email: None, ..who.clone() };
            if let Some(user) = client.contact(&user).await?
                && let Some(there) = self.update(client, &user).await?
            {
                return Ok(there);
            }
            if self.email.is_none() {
                return self.nobody();
            }
        }
        let (role, body) = (self.new_role(), self.new_body(client));
        for _ in 0..LOOKS_MAX {
            let found = client.contact_or_new(New { identity: &who, role, body: &body }).await?;
            if found.made {
                return Ok(Brought::There { id: found.contact.id.clone(), spared: None });
            }
            if let Some(there) = self.update(client, &found.contact).await? {
                return Ok(there);
            }
        }
        let message = format!("contact with {} vanishes whenever it is written to", who.name());
        // It keeps its turn: what it writes must not come after what a later event of the person writes.
        Err(Failure::new(Kind::Unavailable, "contact_conflict", message))
    }

    /// Puts the tags on; whether any had to be.
    async fn tag(&self, client: &Client, id: &str) -> Result<bool, Failure> {
        let mut sent = false;
        for name in &self.tags {
            let step = format!("{TAGGED}{name}");
            if client.step(&step).is_some() || client.has(id, Belonging::Tag(name)).await {
                continue;
            }
            client.tag_contact(&Whom::of_id(id), name).await?;
            client.finish_step(&step, "done");
            sent = true;
        }
        Ok(sent)
    }

    /// Puts the contact in the company, or takes it out; whether anything had to be sent for that.
    async fn link(&self, client: &Client, id: &str) -> Result<bool, Failure> {
        let Some(company_id) = &self.company_id else { return Ok(false) };
        client.comes_to_contact()?;
        let whom = Whom::of_id(id);
        let which = Which { id: None, company_id: Some(company_id) };
        if self.remove_company {
            let unlinked = client.unlink(&whom, &which).await?;
            return Ok(matches!(unlinked, Unlinked::Done(_)));
        }
        let company = match client.step(COMPANY) {
            Some(company) => company,
            None => client.company_or_new(company_id).await?,
        };
        client.finish_step(COMPANY, &company);
        if client.has(id, Belonging::Company(&company)).await {
            return Ok(false);
        }
        match client.attach(&whom, &company).await {
            // It was deleted since we heard of it.
            Err(refusal) if refusal.is_company_missing() => {
                client.forget_company(&which).await;
                client.attach(&whom, &client.company_or_new(company_id).await?).await?;
            }
            other => drop(other?),
        }
        Ok(true)
    }

    fn nobody(&self) -> Result<Brought, Failure> {
        let message = match (&self.id, self.is_lead(), &self.external_id) {
            (Some(id), ..) => return Err(not_found(&format!("id `{id}`"))),
            (None, true, Some(_)) => "a lead is known by its e-mail address, and there is none",
            _ => "neither an id nor an e-mail address says which contact is meant",
        };
        Ok(Brought::Nobody(Outcome::Skipped("no_identity", message.to_owned())))
    }

    /// `None`: the contact is not there any more.
    async fn update(&self, client: &Client, contact: &Contact) -> Result<Option<Brought>, Failure> {
        let merged = match &self.email {
            Some(email) if self.new_role() == Role::User => client.adopt_lead(contact, email.as_str()).await?,
            _ => None,
        };
        let (contact, is_merged) = (merged.as_ref().unwrap_or(contact), merged.is_some());
        let body = self.changes(client, contact);
        if !is_merged && let Some(reason) = client.spared_update(contact, &body).await? {
            return Ok(Some(Brought::There { id: contact.id.clone(), spared: Some(reason) }));
        }
        if self.is_lead() && contact.role == Some(Role::User) && self.external_id.is_some() {
            let message = format!("contact {} is a user, and stays one", contact.id);
            client.warn(Warning::new("role", "role_kept", message));
        }
        Ok(client.update(contact, &body).await?.map(|id| Brought::There { id, spared: None }))
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

    /// The body that updates a contact. A role is only ever raised, and a last sight never moves back.
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
        body
    }

    fn body(&self, client: &Client) -> Map<String, Value> {
        let Ok(Value::Object(mut body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        body.remove("id");
        if self.is_lead() {
            body.remove("external_id");
        }
        limits::fit_owner(&mut body, client.settings());
        body
    }
}

fn outcome(id: &str, spared: Option<&'static str>) -> Outcome {
    match spared {
        None => Outcome::Delivered(Vec::new()),
        Some(SEEN_RECENTLY) => {
            let message = format!("contact {id} was seen a moment before, and nothing else is new");
            Outcome::Skipped(SEEN_RECENTLY, message)
        }
        Some(reason) => Outcome::Skipped(reason, format!("contact {id} has all of it already")),
    }
}
