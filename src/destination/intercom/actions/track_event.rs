//! `track_event`: records something a contact did.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{self, Action, Email, Outcome, Timestamp, Unfit, Warning};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::contact::not_found;
use crate::destination::intercom::error::Refusal;
use crate::destination::intercom::identity::Identity;
use crate::destination::intercom::metadata::{self, Nested};
use crate::destination::intercom::money;
use crate::json::{Json, Object};

/// Records something a contact did.
///
/// The contact is addressed by Intercom's id, else your own id, else the e-mail address. A call that names nobody is
/// skipped; one whose contact is not there yet waits for it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackEvent {
    /// Name of the event, as it will read in Intercom. `.` and `$` become `-`.
    #[schemars(extend("x-default" = "$.event"))]
    event_name: String,
    /// When the contact did it.
    #[schemars(extend("x-default" = "$.timestamp"))]
    created_at: Timestamp,
    /// Intercom's own id of the contact, where you know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Your own id for the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.userId"))]
    user_id: Option<String>,
    /// The contact's e-mail address, used when there is no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.properties.email"))]
    email: Option<Email>,
    /// What it brought, a number or its text. Becomes `metadata.price` in the smallest unit of the currency, exactly.
    #[serde(default, skip_serializing)]
    #[schemars(extend("x-default" = "$.properties.revenue"))]
    #[expect(dead_code, reason = "has become metadata by `fit`")]
    revenue: Option<Value>,
    /// The currency of the revenue, by its ISO 4217 code. Without it: USD.
    #[serde(default, skip_serializing)]
    #[schemars(extend("x-default" = "$.properties.currency"))]
    #[expect(dead_code, reason = "has become metadata by `fit`")]
    currency: Option<String>,
    /// Facts about the event, ten at most: `price`, then those named by `keep`, then in the order they came.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "Map<String, Value>", extend("x-default" = "$.properties"))]
    metadata: IndexMap<String, Value>,
    /// Keys of the metadata that matter most, in their order.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "has become metadata by `fit`")]
    keep: Vec<String>,
    /// What becomes of nested metadata. Without it, it is flattened.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "has become metadata by `fit`")]
    nested: Option<Nested>,
}

impl Action for TrackEvent {
    type Client = Client;
    const NAME: &'static str = "track_event";
    const TRIGGER: Option<&'static str> = Some(r#"type = "track""#);
    const ADDS: bool = true;

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        fit_name(fields)?;
        let given = match fields.remove("metadata") {
            Some(Json::Object(metadata)) => metadata,
            _ => Object::new(),
        };
        let policy = fields.remove("nested").and_then(|word| Nested::from_name(word.as_str()?)).unwrap_or_default();
        let keep = texts(fields.remove("keep"));
        let given = fit_address(fields, given);
        let given = fit_price(fields, given, warnings);
        let metadata = metadata::trimmed(metadata::flat(given, policy, warnings), &keep, warnings);
        if !metadata.is_empty() {
            fields.push_new("metadata", metadata.into());
        }
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        if self.id.is_none() && self.user_id.is_none() {
            let Some(email) = &self.email else {
                let message = "neither an id nor an e-mail address says who did it";
                return Ok(Outcome::Skipped("no_identity", message.to_owned()));
            };
            return Box::pin(self.send_by_email(client, email)).await;
        }
        match self.send(client, None).await {
            Err(Refusal { canonical: Some(id), .. }) => self.send(client, Some(&id)).await?,
            Err(refusal) if refusal.is_missing() => return Err(not_found(&self.named())),
            other => other?,
        }
        Ok(Outcome::Delivered(Vec::new()))
    }
}

/// `.` and `$` are not taken in names of events.
fn fit_name(fields: &mut Object<'_>) -> Result<(), Unfit> {
    let Some(name) = fields.get("event_name").and_then(Json::as_str) else { return Ok(()) };
    let fitted = name.trim().replace(['.', '$'], "-");
    if fitted.is_empty() {
        return Err(Unfit::new("field_missing", "event_name", "the event has no name"));
    }
    fields.insert("event_name", fitted.into());
    Ok(())
}

/// Leaves one way to address the contact. An e-mail address that is used for it is no fact about the event.
fn fit_address<'a>(fields: &mut Object<'a>, mut metadata: Object<'a>) -> Object<'a> {
    let given = |fields: &Object<'_>, name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    if given(fields, "id") {
        fields.remove("user_id");
    }
    if given(fields, "id") || given(fields, "user_id") {
        fields.remove("email");
    }
    let used = fields.get("email").and_then(Json::as_str);
    let told = metadata.get("email").and_then(Json::as_str);
    if used.zip(told).is_some_and(|(used, told)| used.trim().eq_ignore_ascii_case(told.trim())) {
        metadata.remove("email");
    }
    metadata
}

/// Puts the revenue first, as a price, in the place of the keys it came from. What is no money stays what it is: a
/// currency without a revenue is a fact of its own.
fn fit_price<'a>(fields: &mut Object<'a>, mut metadata: Object<'a>, warnings: &mut Vec<Warning>) -> Object<'a> {
    let (revenue, currency) = (fields.remove("revenue"), fields.remove("currency"));
    let empty = |value: &Json<'_>| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    if metadata.get("revenue").is_some_and(empty) {
        metadata.remove("revenue");
    }
    let Some(revenue) = revenue.filter(|value| !empty(value)) else { return metadata };
    let Some(price) = money::price(&revenue, currency.as_ref().and_then(Json::as_str), warnings) else {
        return metadata;
    };
    for (key, value) in [("revenue", Some(&revenue)), ("currency", currency.as_ref())] {
        if metadata.get(key) == value {
            metadata.remove(key);
        }
    }
    if let Some(old) = metadata.remove("price") {
        let message = format!("{old} gave way to the revenue; map it to another key to have both");
        warnings.push(Warning::new("metadata.price", "metadata_overwritten", message));
    }
    std::iter::once(("price".into(), price.to_json())).chain(metadata).collect()
}

fn texts(list: Option<Json<'_>>) -> Vec<String> {
    let Some(Json::List(items)) = list else { return Vec::new() };
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

impl TrackEvent {
    /// Leads have no other address than Intercom's id, and users may share an e-mail address: so the id is used for both.
    async fn send_by_email(&self, client: &Client, email: &Email) -> action::Result {
        let who = Identity::new(None, Some(email.as_str()));
        for _ in 0..2 {
            let Some(contact) = client.contact(&who).await? else { break };
            let refusal = match self.send(client, Some(&contact.id)).await {
                Ok(()) => return Ok(Outcome::Delivered(Vec::new())),
                Err(refusal) => refusal,
            };
            if let Some(id) = refusal.canonical {
                client.forget(&contact, &who).await;
                self.send(client, Some(&id)).await?;
                return Ok(Outcome::Delivered(Vec::new()));
            }
            if !refusal.is_missing() {
                return Err(refusal.failure);
            }
            client.forget(&contact, &who).await;
        }
        Err(not_found(&who.name()))
    }

    /// Sends the event, for the contact with that id if one is given.
    async fn send(&self, client: &Client, id: Option<&str>) -> Result<(), Refusal> {
        let addressed = id.map(|id| TrackEvent { id: Some(id.to_owned()), user_id: None, email: None, ..self.clone() });
        let body = addressed.as_ref().unwrap_or(self);
        // Written from the struct itself: the order of the metadata counts.
        client.call(Call::new("POST /events", &[]).expect("the path has no parts").body(body)).await?;
        Ok(())
    }

    fn named(&self) -> String {
        match (&self.id, &self.user_id) {
            (Some(id), _) => format!("id `{id}`"),
            (None, user_id) => format!("external id `{}`", user_id.as_deref().unwrap_or_default()),
        }
    }
}
