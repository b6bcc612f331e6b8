//! One event becomes its deliveries: match and map, for every connection.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::Connection;
use crate::action::Unfit;
use crate::delivery::key::keys;
use crate::delivery::{Delivery, Progress, Status};
use crate::destination::wanted;
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
        replay_of: None,
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
        replay_of: None,
        keys: keys.to_vec(),
        payload,
        warnings,
    };
    (delivery, progress)
}

/// What an event becomes by the mapping of that name, as it is now; or why nothing, as a stable word and as text.
pub(super) fn map_again(
    stored: &Stored,
    name: &str,
    connection: &Connection,
) -> Result<Delivery, (Cow<'static, str>, String)> {
    let event = stored.event.view().map_err(|error| ("event_gone".into(), error.to_string()))?;
    let mapping = connection.mappings.get(name).filter(|mapping| mapping.enabled);
    let mapping = mapping.ok_or_else(|| {
        ("mapping_gone".into(), format!("there is no mapping `{name}` any more, or it is switched off"))
    })?;
    let is_wanted = connection.mappings.takes(&stored.event.envelope.source)
        && wanted(&event, connection.integrations)
        && connection.mappings.matching(&event).any(|matching| matching.name == name);
    if !is_wanted {
        let message = format!("mapping `{name}` does not want its event any more");
        return Err(("trigger_false".into(), message));
    }
    let keys = keys(&event, stored.event.envelope.kind);
    let (delivery, _) = catch_unwind(AssertUnwindSafe(|| {
        delivery(stored, &event, &keys, connection, mapping, stored.event.envelope.received_at)
    }))
    .map_err(|_| ("internal_error".into(), "mapping its event panicked, which is a bug in Interline".to_owned()))?;
    match &delivery.payload {
        Ok(_) => Ok(delivery),
        Err(unfit) => Err((unfit.code.clone(), format!("field `{}`: {}", unfit.field, unfit.message))),
    }
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

#[cfg(test)]
mod agreement;
