//! The metadata of an event: flat, ten keys at most, what matters first.
//!
//! # Why
//! Intercom keeps the first ten keys in the order sent and says nothing about the rest; nested values it refuses or
//! stores so that nobody can use them. Keys of nested values are joined with `_`, because names with `.` are not taken.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use crate::action::{Warning, WebUrl};
use crate::json::{Json, Object};

/// Keys Intercom keeps of an event's metadata.
pub const KEYS_MAX: usize = 10;

/// Keys that are looked at, nested ones counted one by one: what lies beyond is cut unseen, so that one event with
/// thousands of keys costs no more than one with a thousand.
const LOOKED_AT_MAX: usize = 1_000;
/// Bytes of a key, parents included; what has a longer one is dropped.
const KEY_MAX: usize = 255;
/// Cut keys that a warning names.
const NAMED_MAX: usize = 20;

/// What becomes of nested metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// An object's members become keys of their own, joined with `_`; a list of plain values becomes text.
    #[default]
    Flatten,
    /// It becomes JSON text.
    Stringify,
    /// It is dropped, with a warning.
    Drop,
}

impl Nested {
    /// The policy called `word`.
    pub fn from_name(word: &str) -> Option<Nested> {
        [("flatten", Nested::Flatten), ("stringify", Nested::Stringify), ("drop", Nested::Drop)]
            .into_iter()
            .find_map(|(name, policy)| (name == word).then_some(policy))
    }
}

/// Makes metadata flat: rich links and monetary values stay, nested ones go by `policy`, dates become Unix seconds, nulls
/// go, long texts are cut.
pub fn flat<'a>(given: Object<'a>, policy: Nested, warnings: &mut Vec<Warning>) -> Object<'a> {
    let mut flattening = Flattening { policy, flat: Object::new(), unseen: 0, warnings };
    for (key, value) in given {
        flattening.add(key, value);
    }
    if flattening.unseen > 0 {
        let message = format!("{} values beyond the first {LOOKED_AT_MAX} were cut", flattening.unseen);
        let warning = Warning::new("metadata", Warning::METADATA_TRIMMED, message).about(flattening.unseen);
        flattening.warnings.push(warning);
    }
    flattening.flat
}

struct Flattening<'a, 'w> {
    policy: Nested,
    flat: Object<'a>,
    /// Values that were not looked at.
    unseen: usize,
    warnings: &'w mut Vec<Warning>,
}

impl<'a> Flattening<'a, '_> {
    fn add(&mut self, key: Cow<'a, str>, value: Json<'a>) {
        if self.flat.len() >= LOOKED_AT_MAX {
            self.unseen += 1;
            return;
        }
        if key.len() > KEY_MAX {
            let field = format!("metadata.{}", shown(&key));
            let message = format!("dropped: a key of {} bytes, and {KEY_MAX} are taken", key.len());
            self.warnings.push(Warning::new(field, "metadata_key_too_long", message));
            return;
        }
        match value {
            Json::Null => {}
            Json::Object(object) if is_rich_link(&object) || is_monetary(&object) => self.put(key, object.into()),
            Json::Object(_) | Json::List(_) => self.nested(key, value),
            value => self.put(key, value),
        }
    }

    fn nested(&mut self, key: Cow<'a, str>, value: Json<'a>) {
        match (self.policy, value) {
            (Nested::Flatten, Json::Object(members)) => {
                for (name, member) in members {
                    self.add(format!("{key}_{name}").into(), member);
                }
            }
            (Nested::Flatten, Json::List(items)) => match joined(&items) {
                Some(text) => self.put(key, text.into()),
                None => self.put(key, Json::List(items).to_string().into()),
            },
            (Nested::Drop, value) => {
                let message = format!("dropped: metadata is flat, and this is nested ({})", value.kind());
                self.warnings.push(Warning::new(format!("metadata.{key}"), "metadata_nested", message));
            }
            (_, value) => self.put(key, value.to_string().into()),
        }
    }

    fn put(&mut self, key: Cow<'a, str>, value: Json<'a>) {
        let field = format!("metadata.{key}");
        let name = limits::name(&key);
        if self.flat.get(&name).is_some() {
            let message = format!("dropped: there is another key `{name}` before it");
            self.warnings.push(Warning::new(field, "metadata_repeated", message));
            return;
        }
        if name != key {
            let message = format!("renamed to `{name}`: keys hold no `.` and no `$`");
            self.warnings.push(Warning::new(field.clone(), "metadata_renamed", message));
        }
        let value = limits::cut(&field, limits::dated(&name, value), self.warnings);
        self.flat.push_new(name, value);
    }
}

/// Plain values as one text; `None` when one of them is not plain.
fn joined(items: &[Json<'_>]) -> Option<String> {
    let texts: Option<Vec<String>> = items
        .iter()
        .filter(|item| !item.is_null())
        .map(|item| match item {
            Json::Object(_) | Json::List(_) => None,
            Json::String(text) => Some(text.to_string()),
            plain => Some(plain.to_string()),
        })
        .collect();
    Some(texts?.join(", "))
}

/// `{url, value}` with an absolute http address: Intercom shows it as a link.
fn is_rich_link(object: &Object<'_>) -> bool {
    let text = |key| object.get(key).and_then(Json::as_str);
    let (Some(url), Some(_), 2) = (text("url"), text("value"), object.len()) else { return false };
    (url.starts_with("https://") || url.starts_with("http://")) && WebUrl::read(url).is_some()
}

/// `{amount, currency}` with a whole amount: Intercom shows it as money.
fn is_monetary(object: &Object<'_>) -> bool {
    let whole = matches!(object.get("amount"), Some(Json::Number(amount)) if amount.is_i64() || amount.is_u64());
    let currency = object.get("currency").and_then(Json::as_str).unwrap_or_default();
    object.len() == 2 && whole && currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Puts `price` first, then the keys of `keep` in their order, then the rest as it stands, and cuts after ten. One warning
/// names what was cut.
pub fn trimmed<'a>(given: Object<'a>, keep: &[String], warnings: &mut Vec<Warning>) -> Object<'a> {
    let wanted: Vec<String> =
        std::iter::once("price".to_owned()).chain(keep.iter().map(|key| limits::name(key))).collect();
    let rank = |key: &str| wanted.iter().position(|name| name == key).unwrap_or(wanted.len());
    let mut members: Vec<(Cow<'a, str>, Json<'a>)> = given.into_iter().collect();
    members.sort_by_key(|(key, _)| rank(key));
    if members.len() > KEYS_MAX {
        let total = members.len();
        let cut = total - KEYS_MAX;
        let mut named: Vec<String> =
            members.drain(KEYS_MAX..).take(NAMED_MAX).map(|(key, _)| format!("`{}`", shown(&key))).collect();
        if cut > NAMED_MAX {
            named.push("…".to_owned());
        }
        let message = format!("{cut} of {total} keys were cut, ten are taken: {}", named.join(", "));
        warnings.push(Warning::new("metadata", Warning::METADATA_TRIMMED, message).about(cut));
    }
    members.into_iter().collect()
}

/// The start of a key, for messages.
fn shown(key: &str) -> String {
    key.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_many_or_long_keys_costs_little() {
        let leaves: Vec<String> = (0..7_500).map(|n| format!("\"{n:04}\":1")).collect();
        let text = format!("{{\"{}\":{{{}}},\"a\":{{{}}}}}", "k".repeat(60_000), leaves.join(","), leaves.join(","));
        let mut warnings = Vec::new();
        let flat = flat(object(&text), Nested::Flatten, &mut warnings);
        assert_eq!((flat.len(), warnings.len()), (LOOKED_AT_MAX, 2));
        assert!(warnings.iter().all(|warning| warning.message.len() + warning.field.len() < 300), "{warnings:?}");
        assert_eq!(warnings[1].count, 6_500);
        trimmed(flat, &[], &mut warnings);
        assert!(warnings[2].message.len() < 300, "{warnings:?}");
    }
    use crate::json;

    fn object(text: &str) -> Object<'_> {
        let Json::Object(object) = json::parse(text.as_bytes()).unwrap() else { panic!("an object is given") };
        object
    }

    fn codes(warnings: &[Warning]) -> Vec<&str> {
        warnings.iter().map(|warning| &*warning.code).collect()
    }

    #[track_caller]
    fn check(policy: Nested, given: &str, expected: &str, expected_codes: &[&str]) {
        let mut warnings = Vec::new();
        assert_eq!(Json::Object(flat(object(given), policy, &mut warnings)).to_string(), expected);
        assert_eq!(codes(&warnings), expected_codes, "{given}");
    }

    #[test]
    fn plain_values_stay_and_nulls_go() {
        check(
            Nested::Flatten,
            r#"{"b":1,"a":"x","t":true,"n":null,"e":""}"#,
            r#"{"b":1,"a":"x","t":true,"e":""}"#,
            &[],
        );
    }

    #[test]
    fn nested_values_go_by_the_policy() {
        let nested = r#"{"a":{"b":1,"c":{"d":2}},"l":[1,"x",null,true],"i":[{"a":1}],"z":[]}"#;
        let flattened = r#"{"a_b":1,"a_c_d":2,"l":"1, x, true","i":"[{\"a\":1}]","z":""}"#;
        check(Nested::Flatten, nested, flattened, &[]);
        let text = r#"{"a":"{\"b\":1,\"c\":{\"d\":2}}","l":"[1,\"x\",null,true]","i":"[{\"a\":1}]","z":"[]"}"#;
        check(Nested::Stringify, nested, text, &[]);
        check(Nested::Drop, nested, "{}", &["metadata_nested"; 4]);
    }

    #[test]
    fn links_and_money_survive() {
        let link = r#"{"order":{"url":"https://x.co/1","value":"1"}}"#;
        check(Nested::Drop, link, link, &[]);
        check(Nested::Flatten, r#"{"o":{"url":"x.co","value":"1"}}"#, r#"{"o_url":"x.co","o_value":"1"}"#, &[]);
        let money = r#"{"fee":{"amount":199,"currency":"eur"}}"#;
        check(Nested::Drop, money, money, &[]);
        check(Nested::Drop, r#"{"fee":{"amount":1.5,"currency":"EUR"}}"#, "{}", &["metadata_nested"]);
    }

    #[test]
    fn keys_are_renamed_and_never_doubled() {
        check(Nested::Flatten, r#"{"a.b":1,"$c":2}"#, r#"{"a_b":1,"_c":2}"#, &["metadata_renamed"; 2]);
        check(Nested::Flatten, r#"{"a":{"b":1},"a_b":2}"#, r#"{"a_b":1}"#, &["metadata_repeated"]);
    }

    #[test]
    fn dates_become_seconds_by_their_name() {
        let given = r#"{"due_date":"2026-01-01","paid_at":1767225600123,"sent_at":"soon","date":"2026-01-01"}"#;
        let expected = r#"{"due_date":1767225600,"paid_at":1767225600,"sent_at":"soon","date":"2026-01-01"}"#;
        check(Nested::Flatten, given, expected, &[]);
    }

    #[track_caller]
    fn trims(keys: &str, keep: &[&str], expected: &str, cut: Option<&str>) {
        let object = keys.split(' ').map(|key| (key.to_owned().into(), Json::Null)).collect();
        let keep: Vec<String> = keep.iter().map(|key| key.to_string()).collect();
        let mut warnings = Vec::new();
        let kept = trimmed(object, &keep, &mut warnings);
        assert_eq!(kept.iter().map(|(key, _)| key).collect::<Vec<_>>().join(" "), expected);
        assert_eq!(warnings.first().map(|warning| warning.message.as_str()), cut);
    }

    #[test]
    fn the_first_ten_keys_are_chosen() {
        trims("a b price", &[], "price a b", None);
        trims("a b c", &["c", "nope", "b"], "c b a", None);
        let cut = Some("2 of 12 keys were cut, ten are taken: `i`, `j`");
        trims(
            "a b c d e f g h i j k.l price",
            &["k_l"],
            "price a b c d e f g h i",
            Some("2 of 12 keys were cut, ten are taken: `j`, `k.l`"),
        );
        trims("a b c d e f g h i j k_l price", &["k.l"], "price k_l a b c d e f g h", cut);
    }

    #[test]
    fn the_warning_counts_what_was_cut() {
        let mut warnings = Vec::new();
        let keys = (0..15).map(|n| (format!("k{n}").into(), Json::Null)).collect();
        trimmed(keys, &[], &mut warnings);
        assert_eq!((warnings.len(), warnings[0].count), (1, 5));
    }
}
