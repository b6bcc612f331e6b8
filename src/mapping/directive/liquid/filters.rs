//! The filters there are: LiquidJS's, without those that Segment disables. Each takes a value and its arguments.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::VALUE_MAX;
use super::view::text;
use super::{dates, numbers, texts};
use crate::json::Json;
use crate::mapping::path::item;

/// A filter.
pub(super) struct Facts {
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes.
    pub takes: RangeInclusive<usize>,
    /// The argument that is given by name; it comes after the others.
    pub named: Option<&'static str>,
    /// What it does; why it cannot.
    pub run: Run,
}

/// What a filter does.
pub(super) type Run = fn(Json<'static>, &[Json<'static>]) -> Result<Json<'static>, String>;

/// Why a filter gave up.
pub(super) const TOO_LONG: &str = "more than 256 KB";

const fn filter(name: &'static str, takes: RangeInclusive<usize>, run: Run) -> Facts {
    Facts { name, takes, named: None, run }
}

/// Every filter there is.
pub(super) const ALL: &[Facts] = &[
    filter("abs", 0..=0, numbers::abs),
    filter("append", 1..=1, |input, given| joined(&text(&input), &text(&given[0]))),
    filter("at_least", 1..=1, numbers::at_least),
    filter("at_most", 1..=1, numbers::at_most),
    filter("base64_decode", 0..=0, texts::base64_decode),
    filter("base64_encode", 0..=0, texts::base64_encode),
    filter("capitalize", 0..=0, texts::capitalize),
    filter("ceil", 0..=1, numbers::ceil),
    filter("cgi_escape", 0..=0, texts::url_encode),
    filter("compact", 0..=0, |input, _| {
        Ok(Json::List(list(input).into_iter().filter(|item| !item.is_null()).collect()))
    }),
    filter("date", 1..=2, dates::date),
    filter("date_to_long_string", 0..=0, |input, _| dates::written(&input, "%d %B %Y")),
    filter("date_to_rfc822", 0..=0, |input, _| dates::written(&input, "%a, %d %b %Y %H:%M:%S %z")),
    filter("date_to_string", 0..=0, |input, _| dates::written(&input, "%d %b %Y")),
    filter("date_to_xmlschema", 0..=0, |input, _| dates::written(&input, "%Y-%m-%dT%H:%M:%S%:z")),
    Facts { named: Some("allow_false"), ..filter("default", 1..=1, default) },
    filter("divided_by", 1..=2, numbers::divided_by),
    filter("downcase", 0..=0, |input, _| Ok(text(&input).to_lowercase().into())),
    filter("escape", 0..=0, texts::escape),
    filter("escape_once", 0..=0, texts::escape_once),
    filter("first", 0..=0, |input, _| {
        Ok(input.as_list().and_then(|items| items.first().cloned()).unwrap_or(Json::Null))
    }),
    filter("floor", 0..=1, numbers::floor),
    filter("inspect", 0..=1, written),
    filter("join", 0..=1, join),
    filter("json", 0..=1, written),
    filter("jsonify", 0..=0, written),
    filter("last", 0..=0, |input, _| Ok(input.as_list().and_then(|items| items.last().cloned()).unwrap_or(Json::Null))),
    filter("lstrip", 0..=0, |input, _| Ok(text(&input).trim_start().to_owned().into())),
    filter("minus", 1..=1, numbers::minus),
    filter("modulo", 1..=1, numbers::modulo),
    filter("normalize_whitespace", 0..=0, texts::normalize_whitespace),
    filter("number_of_words", 0..=0, |input, _| Ok((text(&input).split_whitespace().count() as i64).into())),
    filter("plus", 1..=1, numbers::plus),
    filter("pop", 0..=0, |input, _| changed(input, |items| drop(items.pop()))),
    filter("prepend", 1..=1, |input, given| joined(&text(&given[0]), &text(&input))),
    filter("push", 1..=1, |input, given| changed(input, |items| items.push(given[0].clone()))),
    filter("raw", 0..=0, |input, _| Ok(input)),
    filter("remove", 1..=1, |input, given| texts::replaced(&text(&input), &text(&given[0]), "")),
    filter("remove_first", 1..=1, |input, given| texts::replaced_first(&text(&input), &text(&given[0]), "")),
    filter("remove_last", 1..=1, |input, given| texts::replaced_last(&text(&input), &text(&given[0]), "")),
    filter("replace", 1..=2, |input, given| texts::replaced(&text(&input), &text(&given[0]), &second(given))),
    filter("replace_first", 1..=2, |input, given| {
        texts::replaced_first(&text(&input), &text(&given[0]), &second(given))
    }),
    filter("replace_last", 1..=2, |input, given| texts::replaced_last(&text(&input), &text(&given[0]), &second(given))),
    filter("round", 0..=1, numbers::round),
    filter("rstrip", 0..=0, |input, _| Ok(text(&input).trim_end().to_owned().into())),
    filter("shift", 0..=0, |input, _| changed(input, |items| drop((!items.is_empty()).then(|| items.remove(0))))),
    filter("size", 0..=0, |input, _| Ok(size(&input).into())),
    filter("slice", 1..=2, slice),
    filter("slugify", 0..=0, texts::slugify),
    filter("split", 1..=1, texts::split),
    filter("strip", 0..=0, |input, _| Ok(text(&input).trim().to_owned().into())),
    filter("strip_html", 0..=0, texts::strip_html),
    filter("strip_newlines", 0..=0, |input, _| Ok(text(&input).replace("\r\n", "").replace('\n', "").into())),
    filter("sum", 0..=1, numbers::sum),
    filter("times", 1..=1, numbers::times),
    filter("to_integer", 0..=0, numbers::to_integer),
    filter("truncate", 0..=2, texts::truncate),
    filter("truncatewords", 0..=2, texts::truncatewords),
    filter("unshift", 1..=1, |input, given| changed(input, |items| items.insert(0, given[0].clone()))),
    filter("upcase", 0..=0, |input, _| Ok(text(&input).to_uppercase().into())),
    filter("uri_escape", 0..=0, texts::uri_escape),
    filter("url_decode", 0..=0, texts::url_decode),
    filter("url_encode", 0..=0, texts::url_encode),
    filter("where", 1..=2, chosen),
    filter("xml_escape", 0..=0, texts::escape),
];

/// What every output ends with.
pub(super) const LAST: Facts = filter(super::language::TEXT, 0..=0, |input, _| Ok(text(&input).into()));

/// The names of all filters.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|facts| facts.name)
}

pub(super) fn find(name: &str) -> Option<&'static Facts> {
    ALL.iter().find(|facts| facts.name == name)
}

/// Two texts as one.
pub(super) fn joined(one: &str, other: &str) -> Result<Json<'static>, String> {
    match one.len() + other.len() <= VALUE_MAX {
        true => Ok(format!("{one}{other}").into()),
        false => Err(TOO_LONG.to_owned()),
    }
}

fn second(given: &[Json<'static>]) -> String {
    given.get(1).map(text).unwrap_or_default()
}

/// The items of a list; a single value is a list of one.
fn list(json: Json<'static>) -> Vec<Json<'static>> {
    match json {
        Json::Null => Vec::new(),
        Json::List(items) => items,
        other => vec![other],
    }
}

fn changed(input: Json<'static>, change: impl FnOnce(&mut Vec<Json<'static>>)) -> Result<Json<'static>, String> {
    let mut items = list(input);
    change(&mut items);
    Ok(Json::List(items))
}

/// The value, or another where it is missing, empty or, unless that is allowed, `false`.
fn default(input: Json<'static>, given: &[Json<'static>]) -> Result<Json<'static>, String> {
    let is_missing = match &input {
        Json::Null => true,
        Json::Bool(false) => !given.get(1).is_some_and(is_truthy),
        Json::String(text) => text.is_empty(),
        Json::List(items) => items.is_empty(),
        _ => false,
    };
    Ok(if is_missing { given[0].clone() } else { input })
}

/// A value as JSON; on lines of its own, with so many spaces for each depth, when that is said.
fn written(input: Json<'static>, given: &[Json<'static>]) -> Result<Json<'static>, String> {
    const INDENT_MAX: usize = 10;
    let indent = b" ".repeat(count(given, 0, 0)?.min(INDENT_MAX));
    if indent.is_empty() {
        return Ok(input.to_string().into());
    }
    let mut text = Vec::new();
    let pretty = serde_json::ser::PrettyFormatter::with_indent(&indent);
    let written = input.serialize(&mut serde_json::Serializer::with_formatter(&mut text, pretty));
    let text = written.ok().and_then(|()| String::from_utf8(text).ok());
    text.map(Json::from).ok_or_else(|| "it cannot be written".to_owned())
}

/// The items of a list whose member of that name is there and not `false`; or is equal to what is given.
fn chosen(input: Json<'static>, given: &[Json<'static>]) -> Result<Json<'static>, String> {
    let name = text(&given[0]);
    let fits = |item: &Json<'static>| match (member(item, &name), given.get(1)) {
        (found, Some(wanted)) => found.unwrap_or(&Json::Null) == wanted,
        (found, None) => found.is_some_and(is_truthy),
    };
    Ok(Json::List(list(input).into_iter().filter(fits).collect()))
}

/// What a dotted name reaches in an item.
pub(super) fn member<'j>(item: &'j Json<'static>, name: &str) -> Option<&'j Json<'static>> {
    name.split('.').try_fold(item, |found, step| found.get(step))
}

pub(super) fn is_truthy(json: &Json<'_>) -> bool {
    !matches!(json, Json::Null | Json::Bool(false))
}

fn join(input: Json<'static>, given: &[Json<'static>]) -> Result<Json<'static>, String> {
    let separator = given.first().map_or(" ".to_owned(), text);
    let items: Vec<String> = list(input).iter().map(text).collect();
    let length = items.iter().map(String::len).sum::<usize>() + separator.len() * items.len();
    match length <= VALUE_MAX {
        true => Ok(items.join(&separator).into()),
        false => Err(TOO_LONG.to_owned()),
    }
}

fn size(json: &Json<'_>) -> i64 {
    let size = match json {
        Json::List(items) => items.len(),
        Json::String(text) => text.chars().count(),
        Json::Object(members) => members.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    };
    size as i64
}

/// A part of a text or list: from where, how many (one when left out).
fn slice(input: Json<'static>, given: &[Json<'static>]) -> Result<Json<'static>, String> {
    let begin = numbers::whole(&given[0])?;
    let length = given.get(1).map_or(Ok(1), numbers::whole)?.max(0);
    let part = |total: usize| {
        let begin = if begin < 0 { total as i64 + begin } else { begin }.clamp(0, total as i64);
        let end = begin.saturating_add(length).min(total as i64);
        begin as usize..end as usize
    };
    match &input {
        Json::List(items) => Ok(Json::List(items[part(items.len())].to_vec())),
        other => {
            let text = text(other);
            let part = part(text.chars().count());
            Ok(text.chars().skip(part.start).take(part.len()).collect::<String>().into())
        }
    }
}

/// A filter's argument that is a whole number, or what it is when left out.
pub(super) fn count(given: &[Json<'static>], at: i64, otherwise: usize) -> Result<usize, String> {
    match item(given, at) {
        Some(argument) => Ok(usize::try_from(numbers::whole(argument)?.max(0)).unwrap_or(usize::MAX)),
        None => Ok(otherwise),
    }
}
