//! Reading JSON text into the tree, and refusing what readers further on would disagree about.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Json, Number, Object, is_repeated};

/// Why bytes are not JSON that can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// A stable word from a closed set: `malformed_json`, `invalid_utf8`, `duplicate_key`, `nul_character`, `too_deep`,
    /// `number_out_of_range`, `lone_surrogate`.
    pub code: &'static str,
    /// What is wrong, and at which line and column.
    pub message: String,
}

/// Reads JSON text. Refuses what readers further on would disagree about: duplicate keys, NUL characters, lone
/// surrogates (RFC 8259 §8.2), numbers beyond a double, and nesting deeper than 127.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
        code: "invalid_utf8",
        message: format!("not UTF-8 at byte {}", error.valid_up_to()),
    })?;
    let fault = RefCell::new(None);
    let mut source = serde_json::Deserializer::from_str(text);
    let read = Reader { fault: &fault }.deserialize(&mut source).and_then(|json| source.end().map(|()| json));
    read.map_err(|error| malformed(fault.take(), &error))
}

fn malformed(fault: Option<(&'static str, String)>, error: &serde_json::Error) -> Malformed {
    let place = format!("line {} column {}", error.line(), error.column());
    if let Some((code, message)) = fault {
        return Malformed { code, message: format!("{message} at {place}") };
    }
    let text = error.to_string();
    let code = if text.starts_with("recursion limit") {
        "too_deep"
    } else if text.starts_with("number out of range") {
        "number_out_of_range"
    } else if text.contains("surrogate") || text.contains("hex escape") {
        "lone_surrogate"
    } else {
        "malformed_json"
    };
    let message = match code {
        "too_deep" => format!("nested deeper than 127 levels at {place}"),
        _ => text,
    };
    Malformed { code, message }
}

/// Reads one value; remembers in `fault` what serde's own error could only say as text.
#[derive(Clone, Copy)]
struct Reader<'f> {
    fault: &'f RefCell<Option<(&'static str, String)>>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(&self, code: &'static str, message: String) -> E {
        self.fault.replace(Some((code, message)));
        E::custom(code)
    }

    fn text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        match text.as_bytes().contains(&0) {
            true => Err(self.refuse("nul_character", "text contains the character U+0000".to_owned())),
            false => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        // Text without escapes holds no U+0000: as a raw byte it is no JSON.
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        self.text(text)?;
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = source.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Json<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::with_capacity(8);
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(key) = source.next_key_seed(Key(self))? {
            if is_repeated(&key, &members, &mut seen) {
                return Err(self.refuse("duplicate_key", format!("key {:?} appears twice in one object", cut(&key))));
            }
            let value = source.next_value_seed(self)?;
            members.push((key, value));
        }
        Ok(Json::Object(Object(members)))
    }
}

/// The first characters of a text, for messages.
fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

struct Key<'f>(Reader<'f>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        self.0.text(text)?;
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &[u8], code: &str) {
        assert_eq!(parse(text).map_err(|error| error.code), Err(code), "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn keeps_order_and_writes_back_what_was_read() {
        let text = r#"{"b":1,"a":[true,null,1.5,-3,18446744073709551615],"c":{"z":"é\n","y":{}}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
    }

    #[test]
    fn refuses_what_readers_disagree_about() {
        refused(br#"{"a":1,"a":2}"#, "duplicate_key");
        refused(br#"{"a":{"b":1,"\u0062":2}}"#, "duplicate_key");
        refused(br#"{"a":"x\u0000"}"#, "nul_character");
        refused(br#"{"a\u0000":1}"#, "nul_character");
        refused(br#"{"a":"\ud800"}"#, "lone_surrogate");
        refused(br#"{"a":"\udc00x"}"#, "lone_surrogate");
        refused(br#"{"a":1e400}"#, "number_out_of_range");
        refused(b"{\"a\":\"\xff\"}", "invalid_utf8");
        refused(b"{\"a\":\"\0\"}", "malformed_json");
        refused(b"{\"\0\":1}", "malformed_json");
        refused(b"{} {}", "malformed_json");
        refused(b"", "malformed_json");
        refused("[".repeat(10_000).as_bytes(), "too_deep");
    }

    #[test]
    fn finds_a_duplicate_among_many_keys() {
        let many = |last: &str| {
            let keys: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":{n}")).collect();
            format!("{{{},\"{last}\":0}}", keys.join(","))
        };
        refused(many("k7").as_bytes(), "duplicate_key");
        refused(many("k4999").as_bytes(), "duplicate_key");
        assert!(parse(many("k5000").as_bytes()).is_ok());
    }
}
