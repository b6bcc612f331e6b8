//! One event becomes its deliveries: match and map, for every connection.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::value::RawValue;
use siphasher::sip::SipHasher13;

use super::Connection;
use crate::action::Unfit;
use crate::delivery::{Delivery, Progress, Status};
use crate::destination::wanted;
use crate::event::{COMPANY, Kind, names};
use crate::instant::Timestamp;
use crate::json::Json;
use crate::mapping::Mapping;
use crate::store::{Routed, Stored};

/// Deliveries of one event, for all connections, in the order of connections and of their mappings.
pub(super) fn route(stored: &Stored, connections: &[Arc<Connection>], now: Timestamp) -> Routed {
    let mut deliveries = Vec::new();
    match stored.event.view() {
        Ok(event) => {
            let keys = keys(&event, stored.event.envelope.kind);
            for connection in connections {
                let owed = catch_unwind(AssertUnwindSafe(|| owed(stored, &event, &keys, connection, now)))
                    .unwrap_or_else(|_| vec![broken(stored, &keys, connection, now)]);
                if owed.is_empty() {
                    connection.metrics.events_unmatched_total.with_label_values(&[&*connection.name]).inc();
                }
                deliveries.extend(owed);
            }
        }
        // The door checked it and the checksum holds, so this is a bug; it must not stop those behind it.
        Err(error) => tracing::error!(event.position = stored.position.0, %error, "An accepted event cannot be read"),
    }
    Routed { position: stored.position, deliveries }
}

/// What stands for an event on which mapping panicked: a bug of ours that must stop neither this event without a record
/// nor those behind it.
fn broken(stored: &Stored, keys: &[u64], connection: &Connection, now: Timestamp) -> (Delivery, Progress) {
    let unfit = Unfit::new("internal_error", "", "mapping this event panicked, which is a bug in Interline");
    let progress = Progress::ended(dead(&unfit, now));
    let none: Arc<str> = "".into();
    let delivery = Delivery {
        source: stored.event.envelope.source.clone(),
        destination: connection.name.clone(),
        mapping: none.clone(),
        action: none,
        accepted_at: stored.event.envelope.received_at,
        keys: keys.to_vec(),
        payload: Err(unfit),
        warnings: Vec::new(),
    };
    (delivery, progress)
}

fn owed(
    stored: &Stored,
    event: &Json<'_>,
    keys: &[u64],
    connection: &Connection,
    now: Timestamp,
) -> Vec<(Delivery, Progress)> {
    let source = &stored.event.envelope.source;
    if !connection.mappings.takes(source) || !wanted(event, connection.integrations) {
        return Vec::new();
    }
    let matching = connection.mappings.matching(event);
    matching.map(|mapping| delivery(stored, event, keys, connection, mapping, now)).collect()
}

fn delivery(
    stored: &Stored,
    event: &Json<'_>,
    keys: &[u64],
    connection: &Connection,
    mapping: &Mapping,
    now: Timestamp,
) -> (Delivery, Progress) {
    let (payload, warnings) = match mapping.payload(event) {
        Ok(payload) => (raw(&Json::Object(payload.object)), payload.warnings),
        Err(unfit) => (Err(unfit), Vec::new()),
    };
    let progress = match &payload {
        Ok(_) => Progress::new(),
        Err(unfit) => Progress::ended(dead(unfit, now)),
    };
    let delivery = Delivery {
        source: stored.event.envelope.source.clone(),
        destination: connection.name.clone(),
        mapping: mapping.name.as_str().into(),
        action: mapping.action.name.into(),
        accepted_at: stored.event.envelope.received_at,
        keys: keys.to_vec(),
        payload,
        warnings,
    };
    (delivery, progress)
}

fn raw(payload: &Json<'_>) -> Result<Box<RawValue>, Unfit> {
    serde_json::value::to_raw_value(payload)
        .map_err(|error| Unfit::new("payload_invalid", "", format!("the payload cannot be written: {error}")))
}

fn dead(unfit: &Unfit, now: Timestamp) -> Status {
    Status::DeadLetter {
        at: now,
        code: unfit.code.clone(),
        message: format!("field `{}`: {}", unfit.field, unfit.message),
    }
}

/// Hashes of whom an event is about. Equal for equal ids whatever the call; kept in deliveries, so never changed.
pub(super) fn keys(event: &Json<'_>, kind: Kind) -> Vec<u64> {
    let keys: BTreeSet<u64> = names(event, kind).iter().map(|(space, name)| hash(space, name)).collect();
    keys.into_iter().collect()
}

/// A key: even for a person, odd for a company.
fn hash(space: &str, id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(space.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(id.as_bytes());
    hasher.finish() & !1 | u64::from(space == COMPANY)
}

#[cfg(test)]
mod agreement;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check_shared(one: (Kind, &str), other: (Kind, &str), expected: bool) {
        let keys_of = |(kind, text): (Kind, &str)| keys(&json::parse(text.as_bytes()).unwrap(), kind);
        let (one_keys, other_keys) = (keys_of(one), keys_of(other));
        assert_eq!(one_keys.iter().any(|key| other_keys.contains(key)), expected, "{} / {}", one.1, other.1);
    }

    #[test]
    fn events_of_one_person_share_a_key() {
        let track = |text| (Kind::Track, text);
        check_shared(track(r#"{"userId":"1"}"#), track(r#"{"userId":"1"}"#), true);
        check_shared(track(r#"{"userId":"1"}"#), track(r#"{"anonymousId":"1"}"#), false);
        check_shared(track(r#"{"userId":"1","anonymousId":"a"}"#), track(r#"{"anonymousId":"a"}"#), true);
        check_shared(
            track(r#"{"properties":{"email":"A@b.co"}}"#),
            (Kind::Identify, r#"{"userId":"2","traits":{"email":"a@B.co "}}"#),
            true,
        );
        check_shared((Kind::Alias, r#"{"userId":"2","previousId":"a"}"#), track(r#"{"anonymousId":"a"}"#), true);
        check_shared(
            (Kind::Group, r#"{"userId":"1","groupId":"g"}"#),
            (Kind::Group, r#"{"userId":"2","groupId":"g"}"#),
            true,
        );
        check_shared(
            (Kind::Group, r#"{"userId":"1","traits":{"email":"info@acme.co"}}"#),
            (Kind::Group, r#"{"userId":"2","traits":{"email":"info@acme.co"}}"#),
            false,
        );
    }
}
