//! `Event`: one call of the Segment spec, as it was accepted.
//!
//! The call's own bytes are kept as they came. What the door learned about them (whose they are, when they arrived, the
//! corrected time) stands beside them, and [`Event::view`] puts the two together into what triggers and mappings see.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::instant::{self, Timestamp};
use crate::json::{self, Json, Malformed, Object};

mod person;

pub use person::{ANONYMOUS, COMPANY, EMAIL, Person, USER, names};

/// The members an event may have at its top (reference: Segment spec, common fields).
pub const MEMBERS: [&str; 20] = [
    "anonymousId",
    "category",
    "channel",
    "context",
    "event",
    "groupId",
    "integrations",
    "messageId",
    "name",
    "originalTimestamp",
    "previousId",
    "projectId",
    "properties",
    "receivedAt",
    "sentAt",
    "timestamp",
    "traits",
    "type",
    "userId",
    "version",
];

/// The six calls of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Who someone is.
    Identify,
    /// What someone did.
    Track,
    /// Which page someone saw.
    Page,
    /// Which screen of an app someone saw.
    Screen,
    /// Which company someone belongs to.
    Group,
    /// That two ids are one person.
    Alias,
}

impl Kind {
    /// All six.
    pub const ALL: [Kind; 6] = [Kind::Identify, Kind::Track, Kind::Page, Kind::Screen, Kind::Group, Kind::Alias];

    /// The word used for `type`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Identify => "identify",
            Kind::Track => "track",
            Kind::Page => "page",
            Kind::Screen => "screen",
            Kind::Group => "group",
            Kind::Alias => "alias",
        }
    }

    /// Whether calls of this kind have the member `root` at all (reference: Segment spec, the six calls).
    pub fn has(self, root: &str) -> bool {
        match root {
            "properties" => matches!(self, Kind::Track | Kind::Page | Kind::Screen),
            "traits" => matches!(self, Kind::Identify | Kind::Group),
            "event" => self == Kind::Track,
            "name" | "category" => matches!(self, Kind::Page | Kind::Screen),
            "groupId" => self == Kind::Group,
            "previousId" => self == Kind::Alias,
            _ => true,
        }
    }

    /// Where calls of this kind have what others have as their member `root`, which these have not.
    pub fn has_instead(self, root: &str) -> Option<&'static str> {
        match (root, self) {
            ("properties", Kind::Identify | Kind::Group) => Some("traits"),
            ("traits", _) => Some("context.traits"),
            ("event", Kind::Page | Kind::Screen) => Some("name"),
            ("name", Kind::Track) => Some("event"),
            ("name", Kind::Identify | Kind::Group) => Some("traits.name"),
            ("category", Kind::Track) => Some("properties.category"),
            ("groupId", _) => Some("context.groupId"),
            _ => None,
        }
    }

    /// The call that a view names by `word`.
    pub fn from_view(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// The call named by `word`, in any case.
    pub fn from_name(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(word))
    }
}

/// Which family of routes a call came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A browser or an app: its address is the person's address.
    Client,
    /// A server.
    Server,
}

/// One accepted call.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What the door learned.
    pub envelope: Envelope,
    /// The call as it came: one JSON object, checked by [`json::parse`].
    pub body: Arc<[u8]>,
}

/// What the door learned about a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The source whose write key came with it.
    pub source: Arc<str>,
    /// Which call it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The sender's id for it, or one we made: unique within 24 hours and one source.
    pub message_id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When it happened, corrected for the sender's clock.
    pub timestamp: Timestamp,
    /// When the sender says it happened, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_timestamp: Option<Timestamp>,
    /// When the sender sent it, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Which family of routes it came through.
    pub channel: Channel,
    /// The sender's address, for client routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// `context` and `integrations` of the batch it came in, as JSON text of one object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Arc<str>>,
    /// Set where it is no call that came in, but a retained one that is delivered again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Box<Replay>>,
}

/// What a retained event is delivered again for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The job that does it.
    pub job: u64,
    /// Where the event stood when it was accepted.
    pub of: u64,
    /// When it was put into the log again.
    pub at: Timestamp,
    /// The destinations it is for; none named: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<Arc<str>>,
}

/// Why a call is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// A stable word from a closed set; Segment's where it has one (`id_required`, `event_not_string`, …).
    pub code: &'static str,
    /// Which member, and why.
    pub message: String,
}

impl Invalid {
    /// A refusal with its code and text.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Invalid { code, message: message.into() }
    }
}

impl From<Malformed> for Invalid {
    fn from(malformed: Malformed) -> Self {
        Invalid { code: malformed.code, message: malformed.message }
    }
}

impl Event {
    /// The event as triggers and mappings see it: the call with `type`, `messageId`, `timestamp`, `receivedAt` and the
    /// rest of the envelope put in, and what the batch said for all its items merged underneath.
    pub fn view(&self) -> Result<Json<'_>, Malformed> {
        let Json::Object(mut call) = json::parse(&self.body)? else {
            return Err(Malformed { code: "malformed_json", message: "the call is not an object".to_owned() });
        };
        self.envelope.apply(&mut call)?;
        Ok(Json::Object(call))
    }
}

impl Envelope {
    /// Writes the envelope into a call (reference: Segment spec, "common fields").
    pub fn apply<'a>(&'a self, call: &mut Object<'a>) -> Result<(), Malformed> {
        if let Some(shared) = &self.shared {
            merge_shared(call, json::parse(shared.as_bytes())?);
        }
        for id in ["userId", "anonymousId", "groupId", "previousId"] {
            normalise_id(call, id);
        }
        lift_traits(call, self.kind);
        call.insert("type", self.kind.name().into());
        call.insert("messageId", Json::String(Cow::Borrowed(&self.message_id)));
        if let Some(at) = self.original_timestamp {
            call.insert("originalTimestamp", instant::to_text(at).into());
        }
        if let Some(at) = self.sent_at {
            call.insert("sentAt", instant::to_text(at).into());
        }
        call.insert("timestamp", instant::to_text(self.timestamp).into());
        call.insert("receivedAt", instant::to_text(self.received_at).into());
        if call.get("channel").is_none() {
            call.insert("channel", if self.channel == Channel::Client { "client".into() } else { "server".into() });
        }
        call.remove("writeKey");
        if let Some(ip) = &self.ip {
            insert_ip(call, ip);
        }
        Ok(())
    }
}

/// `context` and `integrations` of a batch hold for every item that does not say otherwise.
fn merge_shared<'a>(call: &mut Object<'a>, shared: Json<'a>) {
    let Json::Object(shared) = shared else { return };
    for (name, theirs) in shared {
        match (call.get_mut(&name), theirs) {
            (Some(Json::Object(ours)), Json::Object(theirs)) => {
                ours.append_missing(theirs);
            }
            (None | Some(Json::Null), theirs) => call.insert(name, theirs),
            _ => {}
        }
    }
}

/// An id that is `null` or empty is absent; a number becomes its text.
fn normalise_id(call: &mut Object<'_>, name: &str) {
    let text = match call.get(name) {
        Some(Json::Null) => None,
        Some(Json::String(text)) if text.is_empty() => None,
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => return,
    };
    match text {
        Some(text) => call.insert(name.to_owned(), text.into()),
        None => {
            call.remove(name);
        }
    }
}

/// Some SDKs send an identify's traits only in `context.traits`.
fn lift_traits<'a>(call: &mut Object<'a>, kind: Kind) {
    if kind != Kind::Identify || call.get("traits").is_some_and(|traits| !traits.is_null()) {
        return;
    }
    if let Some(traits) = call.get("context").and_then(|context| context.get("traits")) {
        let traits = traits.clone();
        call.insert("traits", traits);
    }
}

fn insert_ip<'a>(call: &mut Object<'a>, ip: &'a str) {
    match call.get_mut("context") {
        Some(Json::Object(context)) if context.get("ip").is_none_or(Json::is_null) => context.insert("ip", ip.into()),
        Some(Json::Object(_)) => {}
        _ => {
            let mut context = Object::new();
            context.insert("ip", ip.into());
            call.insert("context", Json::Object(context));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &str, change: impl FnOnce(&mut Envelope)) -> Event {
        let mut envelope = Envelope {
            source: "website".into(),
            kind: Kind::Identify,
            message_id: "m1".to_owned(),
            received_at: instant::parse("2026-01-01T00:00:02Z").unwrap(),
            timestamp: instant::parse("2026-01-01T00:00:01Z").unwrap(),
            original_timestamp: None,
            sent_at: None,
            channel: Channel::Server,
            ip: None,
            shared: None,
            replay: None,
        };
        change(&mut envelope);
        Event { envelope, body: body.as_bytes().into() }
    }

    #[track_caller]
    fn check(event: Event, path: &[&str], expected: Option<&str>) {
        let view = event.view().unwrap();
        let found = path.iter().try_fold(&view, |json, key| json.get(key));
        assert_eq!(found.map(Json::to_string).as_deref(), expected);
    }

    #[test]
    fn the_view_joins_call_and_envelope() {
        check(event(r#"{"timestamp":"x"}"#, |_| ()), &["timestamp"], Some(r#""2026-01-01T00:00:01.000Z""#));
        check(event(r#"{"writeKey":"secret"}"#, |_| ()), &["writeKey"], None);
        check(event(r#"{"userId":null}"#, |_| ()), &["userId"], None);
        check(event(r#"{"userId":17}"#, |_| ()), &["userId"], Some(r#""17""#));
        check(event("{}", |envelope| envelope.ip = Some("10.0.0.1".into())), &["context", "ip"], Some(r#""10.0.0.1""#));
    }

    #[test]
    fn traits_of_an_identify_may_stand_in_its_context() {
        check(event(r#"{"context":{"traits":{"a":1}}}"#, |_| ()), &["traits", "a"], Some("1"));
        check(event(r#"{"traits":{},"context":{"traits":{"a":1}}}"#, |_| ()), &["traits", "a"], None);
    }

    #[test]
    fn what_the_batch_says_stands_under_what_the_item_says() {
        let shared = |envelope: &mut Envelope| envelope.shared = Some(r#"{"context":{"a":1,"b":1}}"#.into());
        check(event(r#"{"context":{"b":2}}"#, shared), &["context"], Some(r#"{"b":2,"a":1}"#));
        check(event("{}", shared), &["context", "b"], Some("1"));
    }
}
