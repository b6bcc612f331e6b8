//! Who an event is about: the names by which a person is known, and whether two of them are one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::json::Json;

/// The kind of name that groups have.
pub const COMPANY: &str = "company";
/// The kind of name that a sender gives a person.
pub const USER: &str = "user";
/// The kind of name that a sender gives somebody it does not know yet.
pub const ANONYMOUS: &str = "anonymous";
/// The kind of name that an e-mail address is.
pub const EMAIL: &str = "email";

/// Every name in an event: its kind, and the name. Addresses are in lower case.
pub fn names<'e>(event: &'e Json<'_>, kind: Kind) -> Vec<(&'static str, Cow<'e, str>)> {
    let mut names: Vec<(&'static str, Cow<'e, str>)> = Vec::new();
    let mut add = |space: &'static str, id: Option<&'e Json<'_>>| {
        if let Some(id) = id.and_then(Json::as_str).filter(|id| !id.is_empty()) {
            names.push((space, id.into()));
        }
    };
    add(USER, event.get("userId"));
    add(ANONYMOUS, event.get("anonymousId"));
    if kind == Kind::Alias {
        // The id that is given up may have been either.
        add(USER, event.get("previousId"));
        add(ANONYMOUS, event.get("previousId"));
    }
    if kind == Kind::Group {
        add(COMPANY, event.get("groupId"));
    }
    let context = event.get("context").and_then(|context| context.get("traits"));
    let holders = [event.get("traits").filter(|_| kind != Kind::Group), event.get("properties"), context];
    for email in holders.into_iter().flatten().filter_map(|holder| holder.get("email")).filter_map(Json::as_str) {
        let email = email.trim().to_lowercase();
        if !email.is_empty() {
            names.push((EMAIL, email.into()));
        }
    }
    names
}

/// A person, by the ids that senders use and by addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// The senders' own ids.
    pub user_ids: BTreeSet<String>,
    /// E-mail addresses, in lower case.
    pub emails: BTreeSet<String>,
}

impl Person {
    /// Whether nobody is meant.
    pub fn is_nobody(&self) -> bool {
        self.user_ids.is_empty() && self.emails.is_empty()
    }

    /// Adds an address; how it is spelled does not matter.
    pub fn add_email(&mut self, email: &str) {
        let email = email.trim().to_lowercase();
        if !email.is_empty() {
            self.emails.insert(email);
        }
    }

    /// Adds the names of another.
    pub fn add(&mut self, other: &Person) {
        self.user_ids.extend(other.user_ids.iter().cloned());
        self.emails.extend(other.emails.iter().cloned());
    }

    /// Every id in the event that may be a sender's own id of somebody.
    pub fn user_ids_in(event: &Json<'_>, kind: Kind) -> impl Iterator<Item = String> {
        names(event, kind).into_iter().filter(|(space, _)| *space == USER).map(|(_, name)| name.into_owned())
    }

    /// Whether the event has one of these names.
    pub fn is_in(&self, event: &Json<'_>, kind: Kind) -> bool {
        !self.is_nobody()
            && names(event, kind).iter().any(|(space, name)| match *space {
                USER => self.user_ids.contains(&**name),
                EMAIL => self.emails.contains(&**name),
                _ => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check(kind: Kind, event: &str, expected: bool) {
        let mut person = Person { user_ids: ["u1".to_owned()].into(), ..Person::default() };
        person.add_email(" Ann@B.c ");
        assert_eq!(person.is_in(&json::parse(event.as_bytes()).unwrap(), kind), expected, "{event}");
    }

    #[test]
    fn a_person_is_known_by_id_or_address() {
        check(Kind::Track, r#"{"userId":"u1"}"#, true);
        check(Kind::Track, r#"{"userId":"u2"}"#, false);
        check(Kind::Track, r#"{"anonymousId":"u1"}"#, false);
        check(Kind::Alias, r#"{"userId":"u2","previousId":"u1"}"#, true);
        check(Kind::Identify, r#"{"traits":{"email":"ANN@b.c"}}"#, true);
        check(Kind::Track, r#"{"properties":{"email":"ann@b.c"}}"#, true);
        check(Kind::Track, r#"{"context":{"traits":{"email":"ann@b.c"}}}"#, true);
        check(Kind::Group, r#"{"groupId":"u1","traits":{"email":"ann@b.c"}}"#, false);
        assert!(!Person::default().is_in(&json::parse(b"{}").unwrap(), Kind::Track));
    }
}
