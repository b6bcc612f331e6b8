//! Who is meant, and what is known of a contact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a contact is to Intercom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Somebody the sender knows.
    User,
    /// Somebody who may become a user.
    Lead,
}

impl Role {
    /// The role's one word.
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Lead => "lead",
        }
    }

    /// The role called `word`.
    pub fn from_name(word: &str) -> Option<Role> {
        [Role::User, Role::Lead].into_iter().find(|role| role.name() == word)
    }
}

/// Who is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The sender's own id.
    pub external_id: Option<String>,
    /// The address, in lower case.
    pub email: Option<String>,
}

impl Identity {
    /// An identity from what an action was given.
    pub fn new(external_id: Option<&str>, email: Option<&str>) -> Identity {
        Identity { external_id: external_id.map(str::to_owned), email: email.map(normal) }
    }

    /// Whether nobody is meant.
    pub fn is_nobody(&self) -> bool {
        self.external_id.is_none() && self.email.is_none()
    }

    /// The identity for messages: the id, else that it is an address.
    pub fn name(&self) -> String {
        match &self.external_id {
            Some(id) => format!("external id `{id}`"),
            None => "this e-mail address".to_owned(),
        }
    }
}

/// An address as it is compared: in lower case.
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// What is known of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its Intercom id.
    pub id: String,
    /// Its role, where known.
    pub role: Option<Role>,
    /// The sender's own id for it. Leads have none.
    pub external_id: Option<String>,
    /// Its address, in lower case.
    pub email: Option<String>,
    /// When it was last seen, in Unix seconds.
    pub last_seen_at: Option<i64>,
    /// When it was last made or updated, in Unix seconds.
    pub changed_at: i64,
}

impl Contact {
    /// A contact of which only the id is known.
    pub fn unseen(id: &str) -> Contact {
        Contact { id: id.to_owned(), ..Contact::default() }
    }

    /// Reads a contact as the API writes it.
    pub fn read(value: &Value) -> Option<Contact> {
        let text = |key: &str| value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let role = text("role").and_then(|word| Role::from_name(&word));
        Some(Contact {
            id: text("id")?,
            role,
            external_id: text("external_id").filter(|_| role != Some(Role::Lead)),
            email: text("email").map(|email| normal(&email)),
            last_seen_at: value["last_seen_at"].as_i64(),
            changed_at: value["updated_at"].as_i64().max(value["created_at"].as_i64()).unwrap_or_default(),
        })
    }

    /// What is known of a contact after it was written: what the answer says, else what was sent, else what was known.
    pub fn told(id: &str, before: &Contact, sent: &Map<String, Value>, answer: Option<&Value>) -> Contact {
        let text = |key: &str| sent.get(key).and_then(Value::as_str);
        let said = answer.and_then(Contact::read).unwrap_or_default();
        let seen = [said.last_seen_at, sent.get("last_seen_at").and_then(Value::as_i64), before.last_seen_at];
        Contact {
            id: id.to_owned(),
            role: said.role.or_else(|| text("role").and_then(Role::from_name)).or(before.role),
            external_id: said
                .external_id
                .or_else(|| text("external_id").map(str::to_owned))
                .or(before.external_id.clone()),
            email: said.email.or_else(|| text("email").map(normal)).or(before.email.clone()),
            last_seen_at: seen.into_iter().flatten().max(),
            changed_at: said.changed_at,
        }
    }

    /// Whether a member of a body says of it what was read of it.
    pub fn shows(&self, name: &str, value: &Value) -> bool {
        match name {
            "role" => self.role.is_some_and(|role| value == role.name()),
            "external_id" => self.external_id.as_deref().is_some_and(|id| value == id),
            "email" => self.email.is_some() && self.email == value.as_str().map(normal),
            _ => false,
        }
    }

    /// Whether this may be the person with that external id: not when it has another one.
    pub fn may_be(&self, external_id: Option<&str>) -> bool {
        match (external_id, &self.external_id) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        }
    }
}
