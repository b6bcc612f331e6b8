//! From YAML text to a tree, under limits.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Location, Spanned};

use super::{Key, Node, Place, Problems, Value, cut, flow};

/// The most bytes a file may have.
pub const BYTES_MAX: usize = 1 << 20;

/// Reads the text of `problems`. `None` when it is not YAML that can be taken; what is wrong is then noted.
pub fn parse(problems: &mut Problems) -> Option<Node> {
    if problems.text().len() > BYTES_MAX {
        let place = Place { line: 1, column: 1, ..Place::default() };
        problems.error("yaml_too_large", &place, "", "the file is larger than 1 MiB");
        return None;
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_aliases: 200,
            max_anchors: 200,
            max_depth: 48,
            max_documents: 2,
            max_merge_keys: 100,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
    };
    let read = |text: &str| serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options.clone());
    let error = match read(problems.text()) {
        Ok(raw) => return Some(settle(raw, problems.text())),
        Err(error) => error,
    };
    let Some(masked) = flow::mask(problems.text()) else {
        refuse(problems, &error);
        return None;
    };
    match read(&masked) {
        Ok(raw) => {
            let mut node = settle(raw, &masked);
            flow::unmask(&mut node);
            Some(node)
        }
        Err(error) => {
            refuse(problems, &error);
            None
        }
    }
}

fn refuse(problems: &mut Problems, error: &Error) {
    let mut place = error.location().map_or_else(
        || problems.at(1, 1),
        |location| problems.at(location.line() as usize, location.column() as usize),
    );
    if let Some(tab) = tab_before(problems, &place) {
        problems.error("yaml_invalid", &tab, "", "a tab in the indentation").help("indent with spaces alone");
        return;
    }
    let line = problems.text()[..place.span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = problems.text()[line..].lines().next().unwrap_or_default().to_owned();
    let (code, message, help) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            place = problems.place(place.span.start..place.span.start + key.len());
            let message = format!("key `{}` appears twice", cut(&flow::unmask_text(key)));
            ("duplicate_key", message, "take one of the two out")
        }
        Error::DuplicateMappingKey { .. } => {
            ("duplicate_key", "a key appears twice".to_owned(), "take one of the two out")
        }
        Error::MultipleDocuments { .. } => {
            ("yaml_invalid", "a second document begins here".to_owned(), "one file holds one document")
        }
        Error::NullIntoString { .. } | Error::Unexpected { .. } if line.contains("{{") => {
            ("yaml_invalid", "`{{` without quotes is not text".to_owned(), "put quotes around a template: \"{{ … }}\"")
        }
        Error::NullIntoString { .. } | Error::Unexpected { .. } => {
            ("yaml_invalid", "a key must be text".to_owned(), "put quotes around it")
        }
        Error::UnsupportedTag { tag, .. } => {
            ("yaml_invalid", format!("`{}` is read as a tag", cut(tag)), "put quotes around text that begins with `!`")
        }
        Error::NonFiniteFloat { value, .. } => {
            ("yaml_invalid", format!("`{}` is beyond a double", cut(value)), "put quotes around it if it is text")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            ("yaml_too_large", "the file is too large, too deep, or repeats itself too often".to_owned(), "split it")
        }
        _ => ("yaml_invalid", in_words(error), syntax_help(error, &problems.text()[place.span.clone()])),
    };
    problems.error(code, &place, "", message).help(help);
}

/// The first tab in the indentation of a line, where YAML stumbled over it: on the line of the error or beside it.
fn tab_before(problems: &Problems, place: &Place) -> Option<Place> {
    let lines = problems.text().lines().enumerate().skip(place.line.saturating_sub(2)).take(3);
    let tab = |line: &str| line.chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t');
    lines.into_iter().find_map(|(at, line)| Some(problems.at(at + 1, tab(line)? + 1)))
}

/// What a parser says of YAML, as an author would.
fn in_words(error: &Error) -> String {
    let text = error.to_string();
    let text = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    if text.contains("expected '-' indicator") || text.contains("expected <block end>") {
        return "indented unlike the lines above".to_owned();
    }
    if text.contains("mapping values are not allowed") {
        return "`: ` within text that has no quotes".to_owned();
    }
    if text.contains("trailing content after") && text.contains("quoted") {
        return "the text goes on after its closing quote".to_owned();
    }
    if let Some((_, sign)) = text.split_once("unexpected character: `") {
        return format!("`{}` begins no text", sign.trim_end_matches('\''));
    }
    match text.split_once("did not find expected ") {
        Some((_, expected)) => format!("expected {}", expected.replace("'", "`")),
        None => flow::unmask_text(text.rsplit_once("while ").map_or(text, |(_, what)| what)),
    }
}

/// The usual ways to break YAML, by what was found.
fn syntax_help(error: &Error, found: &str) -> &'static str {
    let text = error.to_string();
    if text.contains("a tag") {
        "put quotes around text that begins with `!`"
    } else if text.contains("trailing content after") {
        "put single quotes around text with double quotes in it, or double around single"
    } else if text.contains("quoted") {
        "a quote that was opened here or above is not closed"
    } else if found.starts_with(['@', '`', '%']) {
        "put quotes around text or a key that begins with such a sign"
    } else if text.contains("flow") {
        "inside [ … ] and { … }, put quotes around text with brackets, braces or commas in it"
    } else if text.contains("mapping values") {
        "put quotes around text that contains `: `"
    } else if text.contains("expected '-' indicator") || text.contains("expected <block end>") {
        "all keys of one map begin in one column, below each other"
    } else {
        "check the indentation, brackets and quotes here and just above"
    }
}

/// A value as YAML reads it.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn settle(raw: Spanned<Raw>, text: &str) -> Node {
    let place = place(&raw.defined);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(number) => written_number(number, text.get(place.span.clone()).unwrap_or_default()),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| settle(item, text)).collect()),
        Raw::Map(members) => {
            let key = |key: Spanned<String>| Key { place: self::place(&key.defined), name: key.value };
            Value::Map(members.into_iter().map(|(name, value)| (key(name), settle(value, text))).collect())
        }
    };
    Node { value, place, written: None }
}

/// YAML reads `007`, `0x10`, `1_000` and whole numbers of thirty digits as numbers; authors mean codes and ids.
fn written_number(number: Number, written: &str) -> Value {
    let is_json = serde_json::from_str::<Number>(written).is_ok();
    let is_whole = written.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let survives = !is_whole || !number.is_f64();
    match is_json && survives {
        true => Value::Number(number),
        false => Value::Text(written.to_owned()),
    }
}

fn place(location: &Location) -> Place {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    Place {
        span: start..start + span.byte_len().unwrap_or(0) as usize,
        line: location.line() as usize,
        column: location.column() as usize,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("a number beyond a double"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = source.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = source.next_entry()? {
            members.push(member);
        }
        Ok(Raw::Map(members))
    }
}
