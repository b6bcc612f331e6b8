//! What becomes of an action whose contact has not come, although it was waited for as long as it may be.
//!
//! # Why
//! An action is told that nobody is meant by what it was given, and knows nothing of waiting. So it is performed as ever;
//! when the contact is missing for the last time, it is made here, and the action is performed once more for its Intercom
//! id. The id is a finished step: an attempt after a failure or a crash goes on with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Archived;
use super::actions::identify_company;
use super::client::Client;
use super::contact::{Found, New};
use super::identity::{Identity, Role};
use crate::action::{self, Definition, Failure, Kind, Outcome, Warning};
use crate::json::{self, Json};

/// What becomes of a delivery whose contact has not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TooEarly {
    /// It becomes a dead letter.
    DeadLetter,
    /// The contact is made with what the action was given, as a user where your own id for it is known, else as a lead by its
    /// e-mail address; then the action is performed. With neither, the delivery becomes a dead letter.
    CreateLead,
    /// It is given up, and the delivery skipped. A company is written all the same, with a warning that nobody is in it.
    Skip,
}

/// The step that says which contact was made, or was there after all; by Intercom's id.
const MADE: &str = "contact_made";

/// The fields by which an action says whom it is about, of those that wait for a contact and can do with a new one:
/// Intercom's id, the sender's id, the address.
fn address(action: &str) -> Option<[&'static str; 3]> {
    match action {
        "track_event" => Some(["id", "user_id", "email"]),
        "update_contact" => Some(["id", "external_id", "email"]),
        "identify_company" | "attach_company" | "attach_tag" | "create_ticket" => {
            Some(["contact_id", "external_id", "email"])
        }
        _ => None,
    }
}

impl Client {
    /// Performs an action; as a last resort when its contact was waited for long enough.
    pub(super) async fn perform(&self, definition: &Definition<Client>, payload: &[u8]) -> action::Result {
        let name = definition.facts.name;
        let readdressed = self.step(MADE).and_then(|id| readdressed(name, payload, &id));
        match definition.perform(readdressed.as_deref().unwrap_or(payload), self).await {
            Err(failure) if failure.kind == Kind::TooEarly && self.waited_out => match self.settings().too_early {
                TooEarly::DeadLetter => Err(failure),
                TooEarly::Skip => self.pass_over(failure),
                TooEarly::CreateLead => Box::pin(self.perform_for_new(definition, payload, failure)).await,
            },
            result => result,
        }
    }

    /// Gives up what needs the contact. A company that was written is no less written.
    fn pass_over(&self, failure: Failure) -> action::Result {
        let message = format!("{}, and `too_early: skip` gives it up", failure.message);
        match self.step(identify_company::WRITTEN) {
            Some(_) => Ok(Outcome::Delivered(vec![Warning::new("external_id", "contact_not_found", message)])),
            None => Ok(Outcome::Skipped("contact_not_found", message)),
        }
    }

    async fn perform_for_new(
        &self,
        definition: &Definition<Client>,
        payload: &[u8],
        missing: Failure,
    ) -> action::Result {
        let name = definition.facts.name;
        let found = match self.make_missing(name, payload).await {
            Ok(Some(found)) => found,
            Ok(None) => return Err(unmakeable(name, missing)),
            Err(failure) if failure.code == "contact_archived" && self.settings().archived == Archived::Skip => {
                return Ok(Outcome::Skipped("contact_archived", failure.message));
            }
            Err(failure) => return Err(failure),
        };
        let id = &found.contact.id;
        self.finish_step(MADE, id);
        if found.made {
            let message = format!("{}, and `too_early: create_lead` made contact {id}", missing.message);
            self.warn(Warning::new("", "contact_made", message));
        }
        let readdressed = readdressed(name, payload, id).expect("the payload was read before");
        match definition.perform(&readdressed, self).await {
            Err(failure) if failure.kind == Kind::TooEarly => {
                let message = format!("contact {id} was made, and is not there");
                Err(Failure::new(Kind::Unavailable, "contact_conflict", message))
            }
            result => result,
        }
    }

    /// The contact that an action is about, made of what it was given. `None`: that says of nobody who they are.
    async fn make_missing(&self, action: &str, payload: &[u8]) -> Result<Option<Found>, Failure> {
        let Some([_, external_id, email]) = address(action) else { return Ok(None) };
        let given: Map<String, Value> = serde_json::from_slice(payload).unwrap_or_default();
        let text = |field: &str| given.get(field).and_then(Value::as_str);
        let identity = Identity::new(text(external_id), text(email));
        if identity.is_nobody() {
            return Ok(None);
        }
        let role = if identity.external_id.is_some() { Role::User } else { Role::Lead };
        let mut body = Map::from_iter([("role".to_owned(), role.name().into())]);
        let known = [("external_id", &identity.external_id), ("email", &identity.email)];
        body.extend(known.into_iter().filter_map(|(name, known)| Some((name.to_owned(), known.as_deref()?.into()))));
        self.contact_or_new(New { identity: &identity, role, body: &body }).await.map(Some)
    }
}

/// The payload with Intercom's id for the contact, instead of what else says who is meant.
fn readdressed(action: &str, payload: &[u8], contact: &str) -> Option<Vec<u8>> {
    let [id, external_id, email] = address(action)?;
    // Not by a map of serde's: the order of the metadata counts.
    let Ok(Json::Object(mut fields)) = json::parse(payload) else { return None };
    let is_known_by_email = fields.remove(external_id).is_none();
    // Beside an id, the address is a value that a contact gets.
    if is_known_by_email || action != "update_contact" {
        fields.remove(email);
    }
    fields.insert(id, contact.to_owned().into());
    Some(Json::Object(fields).to_string().into_bytes())
}

fn unmakeable(action: &str, missing: Failure) -> Failure {
    let why = match address(action) {
        Some(_) => "none is made, because neither your own id nor an e-mail address says who it would be".to_owned(),
        None => format!("`{action}` makes none"),
    };
    Failure { message: format!("{}; {why}", missing.message), ..missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::intercom::actions;

    /// Those about a contact that make it themselves, that undo something, or that are about two.
    const OTHERS: [&str; 8] = [
        "identify_contact",
        "create_contact",
        "archive_contact",
        "unarchive_contact",
        "delete_contact",
        "detach_company",
        "detach_tag",
        "merge_contacts",
    ];

    #[test]
    fn every_action_about_a_contact_is_thought_of() {
        for facts in actions::facts().into_iter().filter(|facts| facts.in_mappings()) {
            let has = |field: &str| facts.field(field).is_some();
            let says_who = ["contact_id", "external_id", "user_id", "from_external_id"].into_iter().any(has);
            match address(facts.name) {
                Some(fields) => assert!(fields.into_iter().all(has), "`{}` has {fields:?}", facts.name),
                None => assert!(!says_who || OTHERS.contains(&facts.name), "`{}` may wait for a contact", facts.name),
            }
        }
    }

    #[test]
    fn a_payload_is_readdressed_and_otherwise_left() {
        let check = |action: &str, payload: &str, expected: Option<&str>| {
            let came = readdressed(action, payload.as_bytes(), "x").map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(came.as_deref(), expected, "{action}");
        };
        check(
            "track_event",
            r#"{"user_id":"u","metadata":{"b":1,"a":2}}"#,
            Some(r#"{"metadata":{"b":1,"a":2},"id":"x"}"#),
        );
        check("track_event", r#"{"id":"old","email":"a@b.co"}"#, Some(r#"{"id":"x"}"#));
        check("update_contact", r#"{"external_id":"u","email":"a@b.co"}"#, Some(r#"{"email":"a@b.co","id":"x"}"#));
        check("update_contact", r#"{"email":"a@b.co","name":"A"}"#, Some(r#"{"name":"A","id":"x"}"#));
        check("merge_contacts", "{}", None);
    }
}
