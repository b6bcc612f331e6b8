//! Which requests are spared, and how that is decided for one write.
//!
//! # Why
//! A workspace takes some thousand requests a minute, and most of what SDKs send says nothing new. What is spared leaves
//! Intercom as it would have been, but for the last sight of a person, which may be older by less than its interval.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attribute::{FIELD, Model};
use super::client::Client;
use super::identity::Contact;
use super::known;
use crate::action::Failure;

/// Which requests are spared. None of it changes what Intercom holds in the end.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Economy {
    /// Whether a contact or company is not written again while all that would be sent is known to be there.
    pub unchanged: bool,
    /// Seconds by which `last_seen_at` must move to be worth a request of its own, where nothing else is new. 0: any move is
    /// sent. Needs `unchanged`.
    #[schemars(range(min = 0, max = 31536000))]
    pub last_seen_interval_secs: u64,
    /// Whether a tag, or a link to a company, that is known to be there is not made again.
    pub belongings: bool,
    /// Whether people are not looked up one by one while mostly new ones come: who is there already is named by a refusal,
    /// and the leads, where they are few, are listed at once.
    pub look_ups: bool,
    /// Whether updates of one contact or company that wait one directly behind the other are sent as one, the last value of
    /// each field winning.
    pub queued: bool,
}

impl Default for Economy {
    fn default() -> Self {
        Economy::DEFAULT
    }
}

impl Economy {
    /// Everything that needs not be sent is spared.
    pub const DEFAULT: Economy =
        Economy { unchanged: true, last_seen_interval_secs: 300, belongings: true, look_ups: true, queued: true };

    /// Every request is made.
    pub const OFF: Economy =
        Economy { unchanged: false, last_seen_interval_secs: 0, belongings: false, look_ups: false, queued: false };
}

/// Why a write is not sent: everything in it is known to be there.
pub const UNCHANGED: &str = "unchanged";
/// Why a write is not sent: the person was seen a little later than Intercom knows, and nothing else is new.
pub const SEEN_RECENTLY: &str = "seen_recently";

const LAST_SEEN_AT: &str = "last_seen_at";

impl Client {
    /// Why a contact, with what was read of it, need not be updated with `body`; counted as a saved request. `None`: it must.
    pub async fn spared_update(
        &self,
        contact: &Contact,
        body: &Map<String, Value>,
    ) -> Result<Option<&'static str>, Failure> {
        if body.is_empty() {
            return Ok(Some(self.saved_by(UNCHANGED)));
        }
        if !self.settings().economy.unchanged {
            return Ok(None);
        }
        let written = self.holding(Model::Contact, &contact.id).await;
        // Once we have written, what was read before says nothing any more.
        let shows = |name: &str, value: &Value| match &written {
            Some(written) => self.holds(written, name, value),
            None => contact.shows(name, value),
        };
        let is_news = |(name, value): &(Cow<'_, str>, &Value)| !shows(name, value);
        let plain = body.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), value));
        let mut news: Vec<String> =
            plain.filter(|(name, _)| name != FIELD).filter(is_news).map(|(name, _)| name.into()).collect();
        // Attributes count as they would be sent. Fitting them may cost requests, so it is done only where it decides.
        if body.contains_key(FIELD) && news.iter().all(|name| name == LAST_SEEN_AT) {
            match written.is_some() {
                true => {
                    let fitted = self.fitted(Model::Contact, body).await?.0;
                    let attributes = known::members(&fitted).filter(|(name, _)| name.starts_with(FIELD));
                    news.extend(attributes.filter(is_news).map(|(name, _)| name.into_owned()));
                }
                false => return Ok(None),
            }
        }
        let moved = body.get(LAST_SEEN_AT).and_then(Value::as_i64).zip(contact.last_seen_at);
        let interval = i64::try_from(self.settings().economy.last_seen_interval_secs).unwrap_or(i64::MAX);
        match (news.as_slice(), moved) {
            ([], _) => Ok(Some(self.saved_by(UNCHANGED))),
            ([only], Some((new, old))) if only == LAST_SEEN_AT && new.saturating_sub(old) < interval => {
                Ok(Some(self.saved_by(SEEN_RECENTLY)))
            }
            _ => Ok(None),
        }
    }

    /// Whether a company, by the sender's id, surely has all of `body`; counted as a saved request.
    pub async fn spared_company(&self, company_id: &str, body: &Map<String, Value>) -> Result<bool, Failure> {
        if !self.settings().economy.unchanged {
            return Ok(false);
        }
        let Some(written) = self.holding(Model::Company, company_id).await else { return Ok(false) };
        let fitted = self.fitted(Model::Company, body).await?.0;
        let is_known = known::members(&fitted).all(|(name, value)| self.holds(&written, &name, value));
        if is_known {
            self.saved(UNCHANGED);
        }
        Ok(is_known)
    }

    fn saved_by(&self, reason: &'static str) -> &'static str {
        self.saved(reason);
        reason
    }

    /// Counts a request that did not have to be made.
    pub fn saved(&self, reason: &str) {
        let service = &self.service;
        service.metrics.requests_saved_total.with_label_values(&[&*service.name, reason]).inc();
    }
}
