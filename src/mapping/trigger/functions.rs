//! The functions of the trigger language, and what they make of their arguments.

use std::borrow::Cow;

use crate::json::{Json, Number};

use super::evaluate::Value;
use super::glob::Glob;
use super::tree::Call;

/// What is known of one function, for documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its name and arguments.
    pub usage: &'static str,
    /// What it gives.
    pub docs: &'static str,
}

/// Every function. An argument of a type that a function is not made for is treated as `null`.
pub const FUNCTIONS: [FunctionFacts; 12] = [
    facts("contains(text, part)", "whether `text` has `part` in it; false unless both are texts"),
    facts(
        "match(text, pattern)",
        "whether the whole text fits the pattern: `*` any characters, `?` one, `[a-z]` one of these, `[^a-z]` none of \
         these, `\\x` the character `x`; capitals matter, `/` is like any other; false unless both are texts",
    ),
    facts("length(value)", "how many items a list has, or how many bytes a text; 0 for `null`, `null` for the rest"),
    facts("lowercase(text)", "the text in small letters"),
    facts("uppercase(text)", "the text in capitals"),
    facts("snakecase(text)", "the text with `_` for each space"),
    facts("kebabcase(text)", "the text with `-` for each space"),
    facts("titlecase(text)", "the text with a capital at the start of each word"),
    facts("typeof(value)", "`\"string\"`, `\"number\"`, `\"list\"`, `\"bool\"`, `\"object\"` or `\"null\"`"),
    facts("bool(value)", "false for `null`, 0, an empty list and the texts `\"\"`, `\"0\"`, `\"false\"`; else true"),
    facts("string(value)", "a text as it is, `null` as `null`, anything else as JSON; `5.0` is `\"5\"`"),
    facts("number(value)", "a number as it is, a text that is a number as one; `null` for the rest"),
];

const fn facts(usage: &'static str, docs: &'static str) -> FunctionFacts {
    FunctionFacts { usage, docs }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Contains,
    Match,
    Length,
    Lowercase,
    Uppercase,
    Snakecase,
    Kebabcase,
    Titlecase,
    Typeof,
    Bool,
    String,
    Number,
}

impl Function {
    /// In the order of [`FUNCTIONS`].
    pub(super) const ALL: [Function; 12] = [
        Function::Contains,
        Function::Match,
        Function::Length,
        Function::Lowercase,
        Function::Uppercase,
        Function::Snakecase,
        Function::Kebabcase,
        Function::Titlecase,
        Function::Typeof,
        Function::Bool,
        Function::String,
        Function::Number,
    ];

    pub(super) fn named(name: &str) -> Option<Function> {
        Function::ALL.into_iter().find(|function| function.name() == name)
    }

    pub(super) fn usage(self) -> &'static str {
        FUNCTIONS[self as usize].usage
    }

    pub(super) fn name(self) -> &'static str {
        self.usage().split('(').next().unwrap_or_default()
    }

    pub(super) fn arity(self) -> usize {
        if matches!(self, Function::Contains | Function::Match) { 2 } else { 1 }
    }

    /// What it gives, as `typeof` names it.
    pub(super) fn gives(self) -> &'static str {
        match self {
            Function::Contains | Function::Match | Function::Bool => "bool",
            Function::Length | Function::Number => "number",
            _ => "string",
        }
    }
}

impl Call {
    /// What the function makes of the event.
    pub(super) fn value<'v>(&'v self, event: &'v Json<'v>) -> Json<'v> {
        let first = self.arguments[0].value(event);
        match self.function {
            Function::Contains => both(first, self.arguments[1].value(event), |text, part| text.contains(part)),
            Function::Match => match &self.glob {
                Some(glob) => Json::Bool(text(first).is_some_and(|text| glob.matches(&text))),
                None => both(first, self.arguments[1].value(event), |text, pattern| {
                    Glob::of_event(pattern).is_some_and(|glob| glob.matches(text))
                }),
            },
            Function::Length => length(&first),
            Function::Lowercase => changed(first, lowercase),
            Function::Uppercase => changed(first, uppercase),
            Function::Snakecase => changed(first, |text| replaced(text, "_")),
            Function::Kebabcase => changed(first, |text| replaced(text, "-")),
            Function::Titlecase => changed(first, |text| Cow::Owned(titlecase(&text))),
            Function::Typeof => type_name(&first).into(),
            Function::Bool => Json::Bool(truth(&first)),
            Function::String => written(first),
            Function::Number => number(&first),
        }
    }
}

/// The word `typeof` gives.
pub(super) fn type_name(value: &Json<'_>) -> &'static str {
    if matches!(value, Json::Bool(_)) { "bool" } else { value.kind() }
}

/// The text of a value, when it is one.
fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Seen(Json::String(text)) => Some(Cow::Borrowed(text)),
        Value::Made(Json::String(text)) => Some(text),
        _ => None,
    }
}

fn both<'v>(first: Value<'v>, second: Value<'v>, test: impl FnOnce(&str, &str) -> bool) -> Json<'v> {
    Json::Bool(matches!((text(first), text(second)), (Some(first), Some(second)) if test(&first, &second)))
}

fn changed<'v>(value: Value<'v>, change: impl FnOnce(Cow<'v, str>) -> Cow<'v, str>) -> Json<'v> {
    text(value).map_or(Json::Null, |text| Json::String(change(text)))
}

fn length<'v>(value: &Json<'_>) -> Json<'v> {
    match value {
        Json::Null => Json::Number(0.into()),
        Json::String(text) => Json::Number(text.len().into()),
        Json::List(items) => Json::Number(items.len().into()),
        _ => Json::Null,
    }
}

fn lowercase(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_done = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_done { text } else { Cow::Owned(text.to_lowercase()) }
}

fn uppercase(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_done = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase());
    if is_done { text } else { Cow::Owned(text.to_uppercase()) }
}

fn replaced<'v>(text: Cow<'v, str>, space: &str) -> Cow<'v, str> {
    if text.contains(' ') { Cow::Owned(text.replace(' ', space)) } else { text }
}

fn titlecase(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        match in_word || character.is_whitespace() {
            true => title.push(character),
            false => title.extend(character.to_uppercase()),
        }
        in_word = !character.is_whitespace();
    }
    title
}

fn truth(value: &Json<'_>) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !matches!(&**text, "" | "0" | "false"),
        Json::List(items) => !items.is_empty(),
        Json::Object(object) => !object.is_empty(),
    }
}

fn written(value: Value<'_>) -> Json<'_> {
    let written = match &*value {
        Json::Null => return Json::Null,
        Json::String(_) => return text(value).map_or(Json::Null, Json::String),
        Json::Number(number) if !number.is_f64() => number.to_string(),
        Json::Number(number) => {
            let written = number.to_string();
            written.strip_suffix(".0").map(str::to_owned).unwrap_or(written)
        }
        other => other.to_string(),
    };
    written.into()
}

fn number<'v>(value: &Json<'_>) -> Json<'v> {
    match value {
        Json::Number(number) => Json::Number(number.clone()),
        Json::String(text) => read_number(text).map_or(Json::Null, Json::Number),
        _ => Json::Null,
    }
}

/// The number that `text` is, when it is digits with a sign, a fraction and an exponent at most, within a double.
pub(super) fn read_number(text: &str) -> Option<Number> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if !digits(whole) || !digits(fraction) || !digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)) {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    text.parse::<u64>().map(Number::from).ok().or_else(|| Number::from_f64(text.parse().ok()?))
}
