//! Whose call it is: sources, their write keys, and the places where a call may carry one.
//!
//! # Why
//! The first place that names a key decides: an `Authorization: Basic` with a mistyped key is a mistake to be told
//! about, not a reason to look for another key in the body. One exception: a Bearer token that is no write key is
//! passed over, because SDKs in OAuth mode send a token there and the key in the body.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::http::problem::{Code, Problem};

/// Base64 as senders write it, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Stands for a key that cannot be read; no source has it.
const UNREADABLE: &str = "\0";

/// Who may send.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSettings {
    /// The key that its calls carry.
    #[serde(deserialize_with = "secret", skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub write_key: Option<SecretString>,
    /// Further keys, so that a key can be replaced without a gap.
    #[serde(deserialize_with = "secrets", skip_serializing)]
    #[schemars(with = "Vec<String>")]
    pub write_keys: Vec<SecretString>,
    /// Whether its calls are taken.
    pub enabled: bool,
}

impl Default for SourceSettings {
    fn default() -> Self {
        SourceSettings { write_key: None, write_keys: Vec::new(), enabled: true }
    }
}

impl SourceSettings {
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.write_key.iter().chain(&self.write_keys).map(ExposeSecret::expose_secret)
    }
}

/// Reads a secret.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.into_iter().map(SecretString::from).collect())
}

/// One source.
#[derive(Debug)]
pub struct Source {
    /// Its name: label, and part of every event.
    pub name: Arc<str>,
    /// Whether its calls are taken.
    pub enabled: bool,
}

/// Checks the settings: every source has a key, no key is two sources', no key has a character that one of the places
/// for keys cannot carry. Answers all problems at once, each with its source; none of them quotes a key.
pub(super) fn check(settings: &BTreeMap<String, SourceSettings>) -> Vec<(&str, String)> {
    let mut owners: HashMap<[u8; 32], &str> = HashMap::new();
    let mut problems = Vec::new();
    for (name, source) in settings {
        let mut note = |message: String| problems.push((name.as_str(), message));
        if !is_name(name) {
            note(format!("source `{name}`: a name has 1 to 64 letters, digits, `-` and `_`"));
        }
        if source.keys().next().is_none() {
            note(format!("source `{name}` has no `write_key`"));
        }
        for key in source.keys() {
            if !is_key(key) {
                note(format!(
                    "a write key of source `{name}` is empty, longer than 256 characters, or has a colon, a space or a \
                     character beyond ASCII"
                ));
            } else if let Some(owner) = owners.insert(digest(key), name) {
                note(format!("sources `{owner}` and `{name}` have the same write key"));
            }
        }
    }
    problems
}

/// All sources. Of a key only its SHA-256 is kept.
pub struct Sources {
    sources: Vec<Source>,
    keys: Vec<([u8; 32], u32)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.sources).finish()
    }
}

impl Sources {
    /// Builds them, or answers every problem that [`check`] finds.
    pub fn new(settings: &BTreeMap<String, SourceSettings>) -> Result<Sources, Vec<String>> {
        let problems = check(settings);
        if !problems.is_empty() {
            return Err(problems.into_iter().map(|(_, message)| message).collect());
        }
        let mut made = Sources { sources: Vec::new(), keys: Vec::new() };
        for (number, (name, source)) in settings.iter().enumerate() {
            made.keys.extend(source.keys().map(|key| (digest(key), number as u32)));
            made.sources.push(Source { name: name.as_str().into(), enabled: source.enabled });
        }
        Ok(made)
    }

    /// The source with this key. Takes as long for a wrong key as for a right one.
    pub fn find(&self, key: &str) -> Option<&Source> {
        let digest = digest(key);
        let mut found = u32::MAX;
        for (known, source) in &self.keys {
            found.conditional_assign(source, known.ct_eq(&digest));
        }
        self.sources.get(found as usize)
    }

    /// How many sources may send.
    pub fn enabled(&self) -> usize {
        self.sources.iter().filter(|source| source.enabled).count()
    }

    /// The source of a call: by what its head presents, else its body, else its query.
    pub fn resolve(&self, head: &Presented<'_>, body: Option<&str>, query: Option<&str>) -> Result<&Source, Problem> {
        let key = match head {
            Presented::Key(key) => return self.named(key),
            Presented::Token(token, own) => match (self.find(token), own) {
                (Some(source), _) => return Ok(source),
                (None, Some(key)) => return self.named(key),
                (None, None) => [body, query, Some(*token)].into_iter().flatten().find(|key| !key.is_empty()),
            },
            Presented::Nothing => [body, query].into_iter().flatten().find(|key| !key.is_empty()),
        };
        match key {
            Some(key) => self.named(key),
            None => Err(Problem::new(
                Code::WriteKeyMissing,
                "no write key: send it as user name of Basic authorization, or as `writeKey` in the body",
            )),
        }
    }

    fn named(&self, key: &str) -> Result<&Source, Problem> {
        self.find(key).ok_or_else(|| Problem::new(Code::UnknownWriteKey, "no source has this write key"))
    }
}

impl Source {
    /// Refuses when it is switched off.
    pub fn check_enabled(&self) -> Result<(), Problem> {
        match self.enabled {
            true => Ok(()),
            false => Err(Problem::new(Code::SourceDisabled, format!("source `{}` is switched off", self.name))),
        }
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_key(key: &str) -> bool {
    (1..=256).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// What the head of a call says about its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented<'a> {
    /// A key: Basic user or `X-Write-Key`. It decides.
    Key(String),
    /// A Bearer token, which is a key or what an OAuth server gave out; and the `X-Write-Key` beside it.
    Token(&'a str, Option<String>),
    /// Nothing.
    Nothing,
}

/// Reads what the head presents: Basic user (a missing colon is tolerated), Bearer, `X-Write-Key` (up to the first colon:
/// one SDK sends `id:secret`), in this order. An unreadable Basic value is a key that no source has.
pub fn presented(headers: &HeaderMap) -> Presented<'_> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let (scheme, value) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        let user = basic_user(value.trim());
        if !user.is_empty() {
            return Presented::Key(user);
        }
    }
    let own = own_key(headers);
    if scheme.eq_ignore_ascii_case("bearer") && !value.trim().is_empty() {
        return Presented::Token(value.trim(), own);
    }
    own.map_or(Presented::Nothing, Presented::Key)
}

fn own_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-write-key")?.to_str().ok()?;
    value.split(':').next().map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned)
}

fn basic_user(value: &str) -> String {
    let decoded = BASE64.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(pair) = decoded else { return UNREADABLE.to_owned() };
    pair.split(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn settings(keys: &[(&str, &str)]) -> BTreeMap<String, SourceSettings> {
        let source = |key: &str| SourceSettings { write_key: Some(key.to_owned().into()), ..Default::default() };
        keys.iter().map(|(name, key)| (name.to_string(), source(key))).collect()
    }

    #[track_caller]
    fn check(header: (&'static str, &'static str), expected: Presented<'_>) {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(header.0), HeaderValue::from_static(header.1));
        assert_eq!(presented(&headers), expected, "{header:?}");
    }

    #[test]
    fn the_head_names_a_key_in_three_ways() {
        let key = |text: &str| Presented::Key(text.to_owned());
        check(("authorization", "Basic a2V5Og=="), key("key"));
        check(("authorization", "basic a2V5Og"), key("key"));
        check(("authorization", "Basic a2V5"), key("key"));
        check(("authorization", "Basic a2V5OnNlY3JldA=="), key("key"));
        check(("authorization", "Basic Og=="), Presented::Nothing);
        check(("authorization", "Basic *"), key(UNREADABLE));
        check(("authorization", "Bearer pk_us_1"), Presented::Token("pk_us_1", None));
        check(("authorization", "Digest x"), Presented::Nothing);
        check(("x-write-key", "id:secret"), key("id"));
        check(("x-write-key", "id"), key("id"));
        check(("x-write-key", ":secret"), Presented::Nothing);
    }

    #[test]
    fn the_first_place_that_names_a_key_decides() {
        let sources = Sources::new(&settings(&[("a", "ka"), ("b", "kb")])).unwrap();
        let name = |head: Presented<'_>, body, query| {
            sources.resolve(&head, body, query).map(|s| s.name.to_string()).map_err(|p| p.code)
        };
        let key = |text: &str| Presented::Key(text.to_owned());
        assert_eq!(name(key("ka"), Some("kb"), Some("kb")).as_deref(), Ok("a"));
        assert_eq!(name(key("no"), Some("kb"), None), Err(Code::UnknownWriteKey));
        assert_eq!(name(Presented::Token("ka", None), Some("kb"), None).as_deref(), Ok("a"));
        assert_eq!(name(Presented::Token("jwt", None), Some("kb"), None).as_deref(), Ok("b"));
        assert_eq!(name(Presented::Token("jwt", None), None, None), Err(Code::UnknownWriteKey));
        assert_eq!(name(Presented::Token("jwt", Some("ka".into())), Some("kb"), None).as_deref(), Ok("a"));
        assert_eq!(name(Presented::Nothing, Some("no"), Some("kb")), Err(Code::UnknownWriteKey));
        assert_eq!(name(Presented::Nothing, Some(""), Some("kb")).as_deref(), Ok("b"));
        assert_eq!(name(Presented::Nothing, None, None), Err(Code::WriteKeyMissing));
    }

    #[test]
    fn all_problems_are_said_at_once_and_no_key_is_shown() {
        let settings = settings(&[("a", "same"), ("b", "same"), ("c d", ""), ("e", "x:hidden")]);
        let problems = Sources::new(&settings).unwrap_err().join("\n");
        assert_eq!(problems.lines().count(), 4, "{problems}");
        assert!(!problems.contains("hidden") && !problems.contains("same\""), "{problems}");
        assert!(!format!("{settings:?}").contains("hidden"));
    }
}
