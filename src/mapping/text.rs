//! Values as text: in templates, and wherever a text is wanted.

use std::borrow::Cow;
use std::fmt::Write;

use crate::json::{Json, Number};

/// Appends a value as text: lists joined by commas, objects as JSON.
pub fn push(text: &mut String, value: &Json<'_>) {
    match value {
        Json::Null => {}
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => text.push_str(&self::number(number)),
        Json::String(value) => text.push_str(value),
        Json::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                push(text, item);
            }
        }
        // Writing into a `String` cannot fail.
        Json::Object(_) => drop(write!(text, "{value}")),
    }
}

/// A text, number or truth value as text; `None` for what has parts, and for `null`.
pub fn scalar<'j>(value: &'j Json<'_>) -> Option<Cow<'j, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(self::number(number))),
        Json::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

/// A number as people write it: `12` for `12.0`.
pub fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < 1e21 => format!("{value:.0}"),
        _ => number.to_string(),
    }
}
