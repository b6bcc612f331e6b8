//! Values that check themselves by being read: a field of one of these types needs no further rule.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::instant;
use crate::json::Json;

/// A moment in whole Unix seconds, as third parties want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339, a civil date or date-time (UTC), or a Unix time in s, ms or µs; see [`crate::instant`].
    pub fn read(json: &Json<'_>) -> Option<Timestamp> {
        instant::from_json(json).map(|at| Timestamp(at.as_second()))
    }
}

/// An e-mail address: printable ASCII, one `@`, a dotted domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Reads an address; surrounding space is not part of it.
    pub fn read(text: &str) -> Option<Email> {
        let text = text.trim();
        let (local, domain) = text.split_once('@')?;
        let local_ok = (1..=64).contains(&local.len())
            && local.split('.').all(|part| !part.is_empty())
            && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let domain_ok = domain.contains('.') && domain.len() <= 253 && domain.split('.').all(label_ok);
        (local_ok && domain_ok).then(|| Email(text.to_owned()))
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An absolute address with a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebUrl(String);

impl WebUrl {
    /// Reads an absolute URL of printable ASCII (RFC 3986).
    pub fn read(text: &str) -> Option<WebUrl> {
        let text = text.trim();
        let plain = text.bytes().all(|b| b.is_ascii_graphic());
        (plain && url::Url::parse(text).is_ok()).then(|| WebUrl(text.to_owned()))
    }
}

/// What to do with one property of a record: leave it, clear it, or set it. Written as absent, `null` or the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Clear it.
    Clear,
    /// Set it.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether nothing is to be done.
    pub fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }

    /// The value to set, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Patch::Set(value) => Some(value),
            _ => None,
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Patch::Set(value) => value.serialize(serializer),
            _ => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Patch::Clear, Patch::Set))
    }
}

macro_rules! read_from_text {
    ($type:ident, $what:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $type::read(&text).ok_or_else(|| serde::de::Error::custom($what))
            }
        }
    };
}

read_from_text!(Email, "not an e-mail address");
read_from_text!(WebUrl, "not an absolute URL");

macro_rules! schema {
    ($type:ty, $name:literal, $($json:tt)+) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($json)+)
            }
        }
    };
}

schema!(Timestamp, "Timestamp", { "type": "integer", "format": "unix-time" });
schema!(Email, "Email", { "type": "string", "format": "email" });
schema!(WebUrl, "WebUrl", { "type": "string", "format": "uri" });

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Patch_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("x-clears".to_owned(), true.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_dotted_domain_and_no_junk() {
        for good in ["a@b.co", " a@b.co ", "a.b+c@x-y.example.com", "o'neil@a.ie"] {
            assert!(Email::read(good).is_some(), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@", "a@b..co", "a@@b.co", "é@b.co", "a b@c.de", "\"a\"@b.co", ".a@b.co"]
        {
            assert!(Email::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_absolute() {
        for good in ["https://x.co/a.png", "mailto:a@b.co", "HTTP://x.co"] {
            assert!(WebUrl::read(good).is_some(), "{good}");
        }
        for bad in ["x.co", "//x", "/img.png", "https://x.co/a b", "https://x.co/é", ""] {
            assert!(WebUrl::read(bad).is_none(), "{bad}");
        }
    }
}
