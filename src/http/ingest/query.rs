//! What a call may carry in its query: the write key, the call itself as base64 or as flat members, a JSONP callback.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use url::form_urlencoded;

use crate::http::problem::{Code, Problem};

/// Flat members are nested at most this deep.
const DEPTH_MAX: usize = 32;
/// Characters of a JSONP callback.
const CALLBACK_MAX: usize = 100;

/// Base64 of the URL alphabet, padded or not; the standard alphabet is rewritten to it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The query of a call.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        form_urlencoded::parse(self.0.as_bytes())
    }

    fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.members().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The write key: `writeKey` in any letter case.
    pub fn write_key(self) -> Option<Cow<'a, str>> {
        self.members().find(|(key, _)| key.eq_ignore_ascii_case("writekey")).map(|(_, value)| value)
    }

    /// The name of the function that a JSONP answer calls: a dotted JavaScript name and nothing else.
    pub fn callback(self) -> Result<Option<Cow<'a, str>>, Problem> {
        match self.get("callback").filter(|name| !name.is_empty()) {
            Some(name) if !is_callback(&name) => {
                Err(Problem::new(Code::InvalidCallback, "`callback` is not a dotted JavaScript name"))
            }
            callback => Ok(callback),
        }
    }

    /// The bytes of the member `data`; `None` when there is no such member.
    pub fn data(self) -> Option<Result<Vec<u8>, Problem>> {
        let data = self.get("data").filter(|data| !data.is_empty())?;
        let letter = |byte| match byte {
            // An unescaped `+` has been read as a space.
            b'+' | b' ' => b'-',
            b'/' => b'_',
            other => other,
        };
        let text: Vec<u8> = data.bytes().map(letter).collect();
        Some(BASE64.decode(text).map_err(|e| Problem::new(Code::MalformedBase64, format!("`data` is not base64: {e}"))))
    }

    /// The call that the flat members make: dots nest, a repeated name is a list, every value is text.
    pub fn flat(self) -> Result<Vec<u8>, Problem> {
        let mut root = IndexMap::new();
        for (name, value) in self.members() {
            if !name.eq_ignore_ascii_case("writekey") && !name.is_empty() {
                put(&mut root, &name, value)?;
            }
        }
        Ok(serde_json::to_vec(&Node::Object(root)).expect("text always serializes"))
    }
}

fn is_callback(name: &str) -> bool {
    let is_name = |part: &str| {
        let mut bytes = part.bytes();
        let starts = |byte: u8| byte.is_ascii_alphabetic() || b"_$".contains(&byte);
        bytes.next().is_some_and(starts) && bytes.all(|byte| starts(byte) || byte.is_ascii_digit())
    };
    name.len() <= CALLBACK_MAX && name.split('.').all(is_name)
}

enum Node<'a> {
    Texts(Vec<Cow<'a, str>>),
    Object(IndexMap<String, Node<'a>>),
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Texts(texts) if texts.len() == 1 => texts[0].serialize(serializer),
            Node::Texts(texts) => texts.serialize(serializer),
            Node::Object(members) => members.serialize(serializer),
        }
    }
}

fn put<'a>(root: &mut IndexMap<String, Node<'a>>, name: &str, value: Cow<'a, str>) -> Result<(), Problem> {
    let contradicts = || {
        let name: String = name.chars().take(60).collect();
        Problem::new(Code::MalformedQuery, format!("`{name}` is given both as text and as an object"))
    };
    let (parents, last) = name.rsplit_once('.').map_or((None, name), |(parents, last)| (Some(parents), last));
    let mut place = root;
    for (depth, parent) in parents.into_iter().flat_map(|parents| parents.split('.')).enumerate() {
        if depth == DEPTH_MAX {
            return Err(Problem::new(Code::TooDeep, format!("a name of the query has more than {DEPTH_MAX} dots")));
        }
        let node = place.entry(parent.to_owned()).or_insert_with(|| Node::Object(IndexMap::new()));
        let Node::Object(members) = node else { return Err(contradicts()) };
        place = members;
    }
    match place.entry(last.to_owned()).or_insert_with(|| Node::Texts(Vec::new())) {
        Node::Texts(texts) => texts.push(value),
        Node::Object(_) => return Err(contradicts()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: Result<&str, Code>) {
        let flat = Query(query).flat().map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(flat.as_deref().map_err(|problem| problem.code), expected, "{query}");
    }

    #[test]
    fn flat_members_make_a_call() {
        check("userId=u&event=A+B&writeKey=k", Ok(r#"{"userId":"u","event":"A B"}"#));
        check("properties.a.b=1&properties.a.c=%C3%A9", Ok(r#"{"properties":{"a":{"b":"1","c":"é"}}}"#));
        check("t=1&t=2&t=3", Ok(r#"{"t":["1","2","3"]}"#));
        check("a=%00", Ok(r#"{"a":"\u0000"}"#));
        check("", Ok("{}"));
        check("a=1&a.b=2", Err(Code::MalformedQuery));
        check("a.b=1&a=2", Err(Code::MalformedQuery));
        check(&format!("{}a=1", "a.".repeat(33)), Err(Code::TooDeep));
        check(&format!("{}a=1", "a.".repeat(30_000)), Err(Code::TooDeep));
    }

    #[test]
    fn data_is_base64_of_either_alphabet_padded_or_not() {
        let data = |text: &str| Query(text).data().map(|data| data.map_err(|problem| problem.code));
        for text in ["data=Pz8_Pg==", "data=Pz8/Pg", "data=Pz8_Pg", "x=1&data=Pz8%2FPg%3D%3D"] {
            assert_eq!(data(text), Some(Ok(b"???>".to_vec())), "{text}");
        }
        assert_eq!(data("data=-+- "), data("data=%2B%2B%2B%2B"));
        assert_eq!(data("data=%"), Some(Err(Code::MalformedBase64)));
        assert_eq!(data("data="), None);
        assert_eq!(data("dat=1"), None);
    }

    #[test]
    fn a_callback_is_a_name_and_nothing_else() {
        let callback = |text: &str| Query(text).callback().map(|name| name.map(Cow::into_owned));
        assert_eq!(callback("callback=a.b$_1").unwrap().as_deref(), Some("a.b$_1"));
        assert_eq!(callback("").unwrap(), None);
        let long = "a".repeat(101);
        for bad in ["1a", "a..b", "a.", "alert(1)//", "a b", "a%3Cscript", "é", &long] {
            assert!(callback(&format!("callback={bad}")).is_err(), "{bad}");
        }
    }
}
