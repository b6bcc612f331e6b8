//! What the door adds to a call: its id, when it arrived, and when it really happened.
//!
//! # Why
//! A sender's clock may be wrong by years, but the time between happening and sending is right by that same clock. So
//! with `sentAt` the moment is `receivedAt − (sentAt − timestamp)`, as Segment has it. Segment does not bound the result;
//! here it is never later than the arrival, because nothing that was sent can happen later. A `sentAt` more than a day
//! before the event's own time, or so late that the event would fall before 1970, says nothing about that time (it is
//! from another clock, or no clock at all) and is not used. Without `sentAt` the sender's time is taken as it is,
//! but not beyond the arrival either; without a readable time the arrival is taken, and the event is kept.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;
use uuid::Uuid;

use crate::event::{Channel, Envelope, Event, Invalid, Kind};
use crate::http::ingest::validate;
use crate::instant::{self, Timestamp};
use crate::json::{Json, Object};

/// A `sentAt` that lies further than this before the event's own time is from another clock.
const CLOCK_DISORDER_MAX: SignedDuration = SignedDuration::from_hours(24);

/// How a call came.
#[derive(Debug)]
pub struct Arrival {
    /// Whose it is.
    pub source: Arc<str>,
    /// When it came.
    pub received_at: Timestamp,
    /// When the batch was sent, by the sender's clock.
    pub sent_at: Option<Timestamp>,
    /// By which family of routes it came.
    pub channel: Channel,
    /// The sender's address.
    pub ip: Option<IpAddr>,
    /// What the batch says for all its items.
    pub shared: Option<Arc<str>>,
}

impl Arrival {
    /// The event, when the call is one. `bytes` are the call's own.
    pub fn event(&self, bytes: &[u8], call: &Object<'_>, kind: Kind) -> Result<Event, Invalid> {
        validate::check(call, kind)?;
        let message_id = validate::message_id(call)?.unwrap_or_else(|| Uuid::new_v4().to_string());
        let moment = |name| call.get(name).and_then(instant::from_json);
        let original_timestamp = moment("timestamp").or_else(|| moment("originalTimestamp"));
        let sent_at = moment("sentAt").or(self.sent_at);
        let envelope = Envelope {
            source: Arc::clone(&self.source),
            kind,
            message_id,
            received_at: self.received_at,
            timestamp: happened_at(original_timestamp, sent_at, self.received_at),
            original_timestamp,
            sent_at,
            channel: self.channel,
            ip: self.ip.filter(|_| self.channel == Channel::Client || is_direct(call)).map(|ip| ip.to_string()),
            shared: self.shared.clone(),
            replay: None,
        };
        Ok(Event { envelope, body: bytes.into() })
    }
}

/// When a call happened, by our clock.
fn happened_at(original: Option<Timestamp>, sent_at: Option<Timestamp>, received_at: Timestamp) -> Timestamp {
    let Some(original) = original else { return received_at };
    let Some(sent_at) = sent_at else { return original.min(received_at) };
    if original.duration_since(sent_at) > CLOCK_DISORDER_MAX {
        return original.min(received_at);
    }
    let corrected = received_at.checked_sub(sent_at.duration_since(original)).ok();
    corrected.filter(|at| *at >= Timestamp::UNIX_EPOCH).unwrap_or(original).min(received_at)
}

/// Some server SDKs say that they speak for the person's own device.
fn is_direct(call: &Object<'_>) -> bool {
    call.get("context").and_then(|context| context.get("direct")) == Some(&Json::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    const RECEIVED: &str = "2026-06-01T12:00:00Z";

    fn arrival(change: impl FnOnce(&mut Arrival)) -> Arrival {
        let mut arrival = Arrival {
            source: "website".into(),
            received_at: instant::parse(RECEIVED).unwrap(),
            sent_at: None,
            channel: Channel::Server,
            ip: "203.0.113.7".parse().ok(),
            shared: None,
        };
        change(&mut arrival);
        arrival
    }

    fn event(members: &str, arrival: Arrival) -> Event {
        let body = format!(r#"{{"userId":"u"{members}}}"#);
        let json = json::parse(body.as_bytes()).unwrap();
        arrival.event(body.as_bytes(), json.as_object().unwrap(), Kind::Identify).unwrap()
    }

    /// `original` and `sent_at` as sent; the moment that becomes of them.
    #[track_caller]
    fn check(original: &str, sent_at: &str, expected: &str) {
        let member = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!(r#","{name}":"{value}""#),
        };
        let members = member("timestamp", original) + &member("sentAt", sent_at);
        let timestamp = event(&members, arrival(|_| ())).envelope.timestamp;
        assert_eq!(timestamp, instant::parse(expected).unwrap(), "{original} {sent_at}");
    }

    #[test]
    fn the_senders_clock_is_corrected() {
        check("", "", RECEIVED);
        check("not a time", "2026-06-01T12:00:00Z", RECEIVED);
        check("2026-06-01T11:00:00Z", "", "2026-06-01T11:00:00Z");
        check("2027-01-01T00:00:00Z", "", RECEIVED);
        check("2026-06-01T11:00:00Z", "no time either", "2026-06-01T11:00:00Z");
        check("2026-06-01T11:59:50Z", "2026-06-01T12:00:00Z", "2026-06-01T11:59:50Z");
        check("2026-06-01T14:59:50Z", "2026-06-01T15:00:00Z", "2026-06-01T11:59:50Z");
        check("1999-01-01T00:00:00Z", "1999-01-01T00:00:30Z", "2026-06-01T11:59:30Z");
        check("2019-06-01T12:00:00Z", "2026-06-01T12:00:00Z", "2019-06-01T12:00:00Z");
    }

    #[test]
    fn nothing_sent_happens_after_it_arrived() {
        check("2026-06-01T12:00:05Z", "2026-06-01T12:00:00Z", RECEIVED);
        check("2026-05-01T12:00:00Z", "1970-01-01T00:00:00Z", "2026-05-01T12:00:00Z");
        check("2031-01-01T00:00:00Z", "2026-06-01T12:00:00Z", RECEIVED);
        check("0001-01-01T00:00:00Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00Z");
    }

    #[test]
    fn an_events_own_sent_at_goes_before_the_batchs() {
        let batch = || arrival(|arrival| arrival.sent_at = instant::parse("2026-06-01T11:00:00Z"));
        let times = r#","originalTimestamp":"2026-06-01T10:59:00Z""#;
        let at = |text| instant::parse(text).unwrap();
        assert_eq!(event(times, batch()).envelope.timestamp, at("2026-06-01T11:59:00Z"));
        let own = format!(r#"{times},"sentAt":"2026-06-01T10:59:10Z""#);
        assert_eq!(event(&own, batch()).envelope.timestamp, at("2026-06-01T11:59:50Z"));
        let both = format!(r#"{times},"timestamp":"2026-06-01T10:59:30Z""#);
        assert_eq!(event(&both, batch()).envelope.timestamp, at("2026-06-01T11:59:30Z"));
    }

    #[test]
    fn ids_are_assigned_and_addresses_kept_where_they_are_the_persons() {
        let envelope = event("", arrival(|_| ())).envelope;
        assert_eq!(envelope.message_id.len(), 36);
        assert_eq!(envelope.ip, None);
        assert_eq!(event(r#","messageId":17"#, arrival(|_| ())).envelope.message_id, "17");
        let client = arrival(|arrival| arrival.channel = Channel::Client);
        assert_eq!(event("", client).envelope.ip.as_deref(), Some("203.0.113.7"));
        let direct = event(r#","context":{"direct":true}"#, arrival(|_| ()));
        assert_eq!(direct.envelope.ip.as_deref(), Some("203.0.113.7"));
    }
}
