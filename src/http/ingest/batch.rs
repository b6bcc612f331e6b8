//! A batch, split into its items without reading them: each item is a slice of the body.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::problem::{Code, Problem};
use crate::instant::{self, Timestamp};
use crate::json::{self, Json};

/// With what it says for all its items written into each, a batch may be this many times as large as a batch may be.
const GROWTH_MAX: usize = 4;

/// How large a batch and its events may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events in a batch.
    pub events_max: usize,
    /// Bytes of an event.
    pub event_bytes_max: usize,
    /// Bytes of a batch.
    pub bytes_max: usize,
}

/// A batch in its parts.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The items as they came, not yet read.
    pub items: Vec<&'a RawValue>,
    /// The write key at the root.
    pub write_key: Option<Cow<'a, str>>,
    /// When the sender sent it, by its own clock.
    pub sent_at: Option<Timestamp>,
    /// `context` and `integrations` of the root, as JSON text of one object.
    pub shared: Option<Arc<str>>,
}

impl<'a> Batch<'a> {
    /// Splits a body. Stops at the first item beyond the limit, so that a large list of small nothings costs little.
    pub fn split(body: &'a [u8], limits: Limits) -> Result<Batch<'a>, Problem> {
        let text = std::str::from_utf8(body);
        let text =
            text.map_err(|e| Problem::new(Code::InvalidUtf8, format!("not UTF-8 at byte {}", e.valid_up_to())))?;
        let root = Root::read(text, limits.events_max)?;
        let items = root.items.unwrap_or_default();
        if items.is_empty() {
            return Err(Problem::new(Code::EmptyBatch, "the batch has no events: they stand in the list `batch`"));
        }
        let shared = shared(&[("context", root.context), ("integrations", root.integrations)], limits)?;
        let grown = body.len() + items.len() * shared.as_ref().map_or(0, |shared| shared.len());
        if shared.is_some() && grown > limits.bytes_max.saturating_mul(GROWTH_MAX) {
            let message = "`context` of the batch is kept with each of its events, and is too large for so many";
            return Err(Problem::new(Code::PayloadTooLarge, message));
        }
        let sent_at = root.sent_at.and_then(|raw| instant::from_json(&json::parse(raw.get().as_bytes()).ok()?));
        Ok(Batch { items, write_key: root.write_key.and_then(text_of), sent_at, shared })
    }

    /// The write key in the first item: some senders put it nowhere else.
    pub fn first_write_key(&self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Keyed<'a> {
            #[serde(borrow, rename = "writeKey")]
            write_key: Option<&'a RawValue>,
        }
        let first: Keyed<'a> = serde_json::from_str(self.items.first()?.get()).ok()?;
        first.write_key.and_then(text_of)
    }
}

fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    match json::parse(raw.get().as_bytes()) {
        Ok(Json::String(text)) => Some(text),
        _ => None,
    }
}

fn shared(members: &[(&str, Option<&RawValue>)], limits: Limits) -> Result<Option<Arc<str>>, Problem> {
    let given = members.iter().filter_map(|(name, raw)| Some((name, raw.as_ref()?.get())));
    let parts: Vec<String> = given
        .filter(|(_, raw)| !matches!(*raw, "null" | "{}"))
        .map(|(name, raw)| format!("\"{name}\":{raw}"))
        .collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let text = format!("{{{}}}", parts.join(","));
    if text.len() > limits.event_bytes_max {
        let message =
            format!("`context` and `integrations` of the batch are larger than {} bytes", limits.event_bytes_max);
        return Err(Problem::new(Code::PayloadTooLarge, message));
    }
    let json = json::parse(text.as_bytes())?;
    for (name, code) in [("context", Code::ContextNotObject), ("integrations", Code::IntegrationsNotObject)] {
        if let Some(other) = json.get(name).filter(|json| json.as_object().is_none()) {
            return Err(Problem::new(code, format!("`{name}` of the batch is a {}, not an object", other.kind())));
        }
    }
    drop(json);
    Ok(Some(text.into()))
}

/// The members of a batch that mean something, unread.
#[derive(Default)]
struct Root<'a> {
    items: Option<Vec<&'a RawValue>>,
    write_key: Option<&'a RawValue>,
    sent_at: Option<&'a RawValue>,
    context: Option<&'a RawValue>,
    integrations: Option<&'a RawValue>,
}

impl<'a> Root<'a> {
    fn read(text: &'a str, events_max: usize) -> Result<Root<'a>, Problem> {
        let fault = Cell::new(None);
        let mut source = serde_json::Deserializer::from_str(text);
        let reader = RootReader { events_max, fault: &fault };
        let read = source.deserialize_any(reader).and_then(|root| source.end().map(|()| root));
        read.map_err(|error| match fault.take() {
            Some(problem) if error.is_data() => problem,
            None if error.is_data() => Problem::new(Code::NotObject, "the body is not an object"),
            _ => Problem::new(Code::MalformedJson, error.to_string()),
        })
    }

    /// Where the member `name` is to be kept; `None` when it means nothing here.
    fn place(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
        match name {
            "writeKey" => Some(&mut self.write_key),
            "sentAt" => Some(&mut self.sent_at),
            "context" => Some(&mut self.context),
            "integrations" => Some(&mut self.integrations),
            _ => None,
        }
    }
}

/// Reads the root; says in `fault` what serde's own errors cannot, should they be about types.
#[derive(Clone, Copy)]
struct RootReader<'f> {
    events_max: usize,
    fault: &'f Cell<Option<Problem>>,
}

impl RootReader<'_> {
    fn refuse<E: serde::de::Error>(self, code: Code, message: String) -> E {
        self.fault.set(Some(Problem::new(code, message)));
        E::custom(code.word())
    }

    fn twice<E: serde::de::Error>(self, name: &str) -> E {
        self.refuse(Code::DuplicateKey, format!("key \"{name}\" appears twice in the batch"))
    }
}

impl<'de> Visitor<'de> for RootReader<'_> {
    type Value = Root<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Root<'de>, A::Error> {
        let mut root = Root::default();
        while let Some(Key(name)) = source.next_key::<Key<'de>>()? {
            if name == "batch" {
                if root.items.is_some() {
                    return Err(self.twice(&name));
                }
                self.fault.set(Some(Problem::new(Code::BatchNotList, "`batch` is not a list")));
                root.items = Some(source.next_value_seed(ItemsReader(self))?);
                self.fault.set(None);
                continue;
            }
            match root.place(&name) {
                Some(Some(_)) => return Err(self.twice(&name)),
                Some(place) => *place = Some(source.next_value()?),
                None => drop(source.next_value::<IgnoredAny>()?),
            }
        }
        Ok(root)
    }
}

/// A key of the root, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the list of items.
#[derive(Clone, Copy)]
struct ItemsReader<'f>(RootReader<'f>);

impl<'de> DeserializeSeed<'de> for ItemsReader<'_> {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsReader<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = source.next_element()? {
            if items.len() == self.0.events_max {
                let message = format!("the batch has more than {} events", self.0.events_max);
                return Err(self.0.refuse(Code::BatchTooLarge, message));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { events_max: 3, event_bytes_max: 1000, bytes_max: 4000 };

    #[track_caller]
    fn refused(body: &str, code: Code) {
        assert_eq!(
            Batch::split(body.as_bytes(), LIMITS).map(|_| ()).map_err(|problem| problem.code),
            Err(code),
            "{body}"
        );
    }

    #[test]
    fn items_are_the_bytes_that_came() {
        let body = r#" {"sentAt":"2026-01-01T00:00:00Z", "batch":[ {"a" : 1.10} ,{"b":1e400}], "x":[1], "writeKey":"k\u0031",
            "context":{"a":1},"integrations":{}} "#;
        let batch = Batch::split(body.as_bytes(), LIMITS).unwrap();
        let items: Vec<&str> = batch.items.iter().map(|raw| raw.get()).collect();
        assert_eq!(items, [r#"{"a" : 1.10}"#, r#"{"b":1e400}"#]);
        assert_eq!(batch.write_key.as_deref(), Some("k1"));
        assert_eq!(batch.sent_at, instant::parse("2026-01-01T00:00:00Z"));
        assert_eq!(batch.shared.as_deref(), Some(r#"{"context":{"a":1}}"#));
    }

    #[test]
    fn the_first_item_may_have_the_key() {
        let key =
            |body: &str| Batch::split(body.as_bytes(), LIMITS).unwrap().first_write_key().map(|key| key.into_owned());
        assert_eq!(key(r#"{"batch":[{"a":1,"writeKey":"k"},{"writeKey":"l"}]}"#).as_deref(), Some("k"));
        assert_eq!(key(r#"{"batch":[{"writeKey":5}]}"#), None);
        assert_eq!(key(r#"{"batch":[1]}"#), None);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        refused("", Code::MalformedJson);
        refused("{\"batch\":[{}]", Code::MalformedJson);
        refused("{\"batch\":[{}]} x", Code::MalformedJson);
        refused("{\"batch\":[{},]}", Code::MalformedJson);
        refused("[{}]", Code::NotObject);
        refused("17", Code::NotObject);
        refused("{}", Code::EmptyBatch);
        refused(r#"{"batch":[]}"#, Code::EmptyBatch);
        refused(r#"{"batch":null}"#, Code::EmptyBatch);
        refused(r#"{"batch":{}}"#, Code::BatchNotList);
        refused(r#"{"batch":"x"}"#, Code::BatchNotList);
        refused(r#"{"batch":[1,1,1,1]}"#, Code::BatchTooLarge);
        refused(r#"{"batch":[1],"batch":[2]}"#, Code::DuplicateKey);
        refused(r#"{"batch":[1],"sentAt":1,"sent\u0041t":2}"#, Code::DuplicateKey);
        refused(r#"{"batch":[1],"context":5}"#, Code::ContextNotObject);
        refused(r#"{"batch":[1],"context":{"a":1,"a":2}}"#, Code::DuplicateKey);
        refused(r#"{"batch":[1],"integrations":[]}"#, Code::IntegrationsNotObject);
        refused(&format!(r#"{{"batch":[1],"context":{{"a":{:?}}}}}"#, "x".repeat(1000)), Code::PayloadTooLarge);
        refused(&format!(r#"{{"batch":[1],"context":{}1{}}}"#, r#"{"a":"#.repeat(130), "}".repeat(130)), Code::TooDeep);
    }

    #[test]
    fn what_all_items_share_may_not_blow_a_batch_up() {
        let limits = Limits { events_max: 100, event_bytes_max: 1000, bytes_max: 2000 };
        let body = |items: usize| {
            format!(r#"{{"batch":[{}],"context":{{"a":{:?}}}}}"#, vec!["1"; items].join(","), "x".repeat(900))
        };
        assert!(Batch::split(body(5).as_bytes(), limits).is_ok());
        let problem = Batch::split(body(50).as_bytes(), limits).unwrap_err();
        assert_eq!(problem.code, Code::PayloadTooLarge);
    }
}
