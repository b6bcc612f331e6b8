//! Which retained events are to be delivered again, and how.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delivery::key;
use crate::event::{Kind, Person};
use crate::instant::Timestamp;
use crate::json::Json;
use crate::store::Stored;

/// Which events, as an operator says; every condition that is given must hold, and of a list one word.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// Events that arrived then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Events that arrived before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of these sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Of these types of calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Kind>,
    /// Track calls with these names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Of the person with this `userId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of the person with this `anonymousId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// Of the person with this e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Only to these destinations; none named: to all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Arc<str>>,
    /// At most so many events a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Everything that is retained, where no condition is given.
    #[serde(skip_serializing_if = "is_false")]
    pub all: bool,
    /// Only count.
    #[serde(skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Who wants it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Wish {
    /// Why it makes no sense.
    pub fn check(&self, destinations: &[&str]) -> Result<(), String> {
        if let Some(name) = self.destinations.iter().find(|name| !destinations.contains(&&***name)) {
            return Err(format!(
                "there is no destination `{name}`, or it is switched off; there are {}",
                destinations.join(", ")
            ));
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1_000_000.0)) {
            return Err("`rate` is not a number of events a second above 0".to_owned());
        }
        if self.since.zip(self.until).is_some_and(|(since, until)| since >= until) {
            return Err("`since` is not before `until`, so no event is meant".to_owned());
        }
        match self.all || self.has_condition() {
            true => Ok(()),
            false => Err("nothing says which events are meant: give a condition, or `all`".to_owned()),
        }
    }

    fn has_condition(&self) -> bool {
        self.since.is_some()
            || self.until.is_some()
            || !(self.sources.is_empty() && self.types.is_empty() && self.events.is_empty())
            || !self.keys().is_empty()
    }

    fn keys(&self) -> Vec<u64> {
        let user = self.user_id.as_deref().map(key::of_user);
        let anonymous = self.anonymous_id.as_deref().map(key::of_anonymous);
        let email = self.email.as_deref().map(key::of_email);
        user.into_iter().chain(anonymous).chain(email).collect()
    }

    /// Whether the event is meant. One that is itself a repeat never is: its original is there, or was. Neither is one of
    /// somebody whose events are not wanted.
    pub(super) fn wants(&self, stored: &Stored, suppressed: &Person) -> bool {
        let envelope = &stored.event.envelope;
        let by_envelope = envelope.replay.is_none()
            && self.since.is_none_or(|since| envelope.received_at >= since)
            && self.until.is_none_or(|until| envelope.received_at < until)
            && (self.sources.is_empty() || self.sources.iter().any(|source| **source == *envelope.source))
            && (self.types.is_empty() || self.types.contains(&envelope.kind));
        let keys = self.keys();
        if !by_envelope || (self.events.is_empty() && keys.is_empty() && suppressed.is_nobody()) {
            return by_envelope;
        }
        let Ok(view) = stored.event.view() else { return false };
        let name = view.get("event").and_then(Json::as_str).filter(|_| envelope.kind == Kind::Track);
        let is_named = self.events.is_empty() || name.is_some_and(|name| self.events.iter().any(|event| event == name));
        let known = key::keys(&view, envelope.kind);
        is_named && keys.iter().all(|key| known.contains(key)) && !suppressed.is_in(&view, envelope.kind)
    }
}
