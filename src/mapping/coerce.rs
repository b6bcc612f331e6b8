//! A value fitted to what a field takes.
//!
//! # Why
//! The rules are Segment's, so that what was delivered there is delivered here, with numbers and dates tightened: a
//! number is decimal, a date is what [`crate::instant`] reads. A value that had to become another type is said in a
//! warning, except dates, which always become Unix seconds.

use std::borrow::Cow;

use crate::action::{Email, Field, FieldKind, Timestamp, Warning, WebUrl, shown};
use crate::json::Json;
use crate::mapping::expression::Found;
use crate::mapping::number;
use crate::mapping::text;
use crate::yaml::nearest;

/// The code of a warning about a value that became another type.
pub const CONVERTED: &str = "value_converted";

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit<'e> {
    /// Why: `expected …, found …`.
    pub why: String,
    /// The value.
    pub value: Cow<'e, Json<'e>>,
}

/// Fits a value to a field. `None` when it counts as missing: there is none, it is empty text, or it is `null` and the
/// field cannot be cleared. What had to be changed is put into `warnings`.
pub fn coerce<'e>(
    field: &Field,
    found: Found<'e>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Json<'e>>, Misfit<'e>> {
    let Some(value) = found else { return Ok(None) };
    let is_single = is_scalar(field.kind) && value.as_list().is_some_and(|items| items.len() == 1);
    let value = if is_single { single(value) } else { value };
    match value.as_ref() {
        Json::Null => return Ok(field.clears.then_some(Json::Null)),
        Json::String(text) if text.is_empty() => return Ok(None),
        _ => {}
    }
    let kept = match field.kind {
        FieldKind::Any => true,
        FieldKind::Object => value.as_object().is_some(),
        FieldKind::Text => value.as_str().is_some() && field.choices.is_empty(),
        FieldKind::Number => matches!(value.as_ref(), Json::Number(_)),
        FieldKind::Boolean => matches!(value.as_ref(), Json::Bool(_)),
        _ => false,
    };
    if kept && !is_single {
        return Ok(Some(detach(value)));
    }
    let fitted = if kept { Some(value.as_ref().clone()) } else { convert(field, &value) };
    let Some(fitted) = fitted else {
        return Err(Misfit { why: format!("expected {}, found {}", wanted(field), shown(&value)), value });
    };
    if is_single || (field.kind != FieldKind::Timestamp && fitted != *value) {
        let from = if is_single { &Json::List(vec![value.into_owned()]) } else { value.as_ref() };
        let message = format!("{} → {}", shown(from), shown(&fitted));
        warnings.push(Warning::new(field.name.as_str(), CONVERTED, message).changing(from, Some(&fitted)));
    }
    Ok(Some(fitted))
}

/// Whether a list of one stands for its item.
fn is_scalar(kind: FieldKind) -> bool {
    !matches!(kind, FieldKind::Object | FieldKind::Texts | FieldKind::Any)
}

fn single<'e>(value: Cow<'e, Json<'e>>) -> Cow<'e, Json<'e>> {
    match value {
        Cow::Borrowed(Json::List(items)) => items.first().map_or(Cow::Owned(Json::Null), Cow::Borrowed),
        Cow::Owned(Json::List(mut items)) => Cow::Owned(items.pop().unwrap_or(Json::Null)),
        other => other,
    }
}

/// The value on its own; its text stays borrowed.
fn detach<'e>(value: Cow<'e, Json<'e>>) -> Json<'e> {
    match value {
        Cow::Borrowed(Json::String(text)) => Json::String(Cow::Borrowed(text)),
        other => other.into_owned(),
    }
}

fn convert<'e>(field: &Field, value: &Json<'_>) -> Option<Json<'e>> {
    match field.kind {
        FieldKind::Text => {
            let text = text(value)?;
            (field.choices.is_empty() || field.choices.contains(&text)).then(|| text.into())
        }
        FieldKind::Email => Email::read(&text(value)?).map(|email| email.as_str().to_owned().into()),
        FieldKind::Url => {
            let text = text(value)?;
            WebUrl::read(&text).map(|_| text.trim().to_owned().into())
        }
        FieldKind::Number => number::read(value).map(Json::Number),
        FieldKind::Integer => number::read(value).filter(|number| !number.is_f64()).map(Json::Number),
        FieldKind::Boolean => boolean(value).map(Json::Bool),
        FieldKind::Timestamp => Timestamp::read(value).map(|at| at.0.into()),
        FieldKind::Texts => texts(value),
        FieldKind::Object | FieldKind::Any => None,
    }
}

fn text(value: &Json<'_>) -> Option<String> {
    text::scalar(value).map(Cow::into_owned)
}

fn boolean(value: &Json<'_>) -> Option<bool> {
    match value {
        Json::String(text) if text == "true" => Some(true),
        Json::String(text) if text == "false" => Some(false),
        Json::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Json::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        _ => None,
    }
}

/// A list of texts; one text is a list of one, and items that are not there are left out.
fn texts<'e>(value: &Json<'_>) -> Option<Json<'e>> {
    let Json::List(items) = value else {
        return Some(Json::List(vec![text(value)?.into()]));
    };
    let there = items.iter().filter(|item| !item.is_null() && item.as_str() != Some(""));
    let items: Option<Vec<Json<'e>>> = there.map(|item| text(item).map(Json::from)).collect();
    items.map(Json::List)
}

/// What a field takes, for messages.
fn wanted(field: &Field) -> String {
    match (field.kind, field.choices.as_slice()) {
        (_, [_, ..]) => {
            let words: Vec<String> = field.choices.iter().map(|word| format!("`{word}`")).collect();
            words.join(" or ")
        }
        (FieldKind::Text, _) => "text".to_owned(),
        (FieldKind::Texts, _) => "a list of texts".to_owned(),
        (FieldKind::Boolean, _) => "true or false".to_owned(),
        (FieldKind::Email, _) => "an e-mail address".to_owned(),
        (FieldKind::Object, _) => "an object".to_owned(),
        (kind, _) => format!("a {}", kind.name()),
    }
}

/// The word a field was probably meant to hold.
pub fn meant_choice<'f>(field: &'f Field, value: &Json<'_>) -> Option<&'f str> {
    nearest(value.as_str()?, field.choices.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn field(kind: FieldKind) -> Field {
        Field {
            name: "v".to_owned(),
            kind,
            required: false,
            clears: false,
            choices: Vec::new(),
            default: None,
            docs: String::new(),
        }
    }

    /// One input and what it becomes; `-` for missing, `!` for a misfit.
    #[track_caller]
    fn check_field(field: &Field, cases: &[(&str, &str)]) {
        for (input, expected) in cases {
            let value = json::parse(input.as_bytes()).unwrap();
            let mut warnings = Vec::new();
            let found = match coerce(field, Some(Cow::Borrowed(&value)), &mut warnings) {
                Ok(Some(value)) => value.to_string(),
                Ok(None) => "-".to_owned(),
                Err(_) => "!".to_owned(),
            };
            assert_eq!(found, *expected, "{:?} {input}", field.kind);
            let is_said = warnings.len() == 1 && warnings[0].code == CONVERTED;
            let is_changed = ![*input, "-", "!"].contains(expected) && field.kind != FieldKind::Timestamp;
            assert_eq!(is_said, is_changed, "{:?} {input}: {warnings:?}", field.kind);
        }
    }

    #[track_caller]
    fn check(kind: FieldKind, cases: &[(&str, &str)]) {
        check_field(&field(kind), cases);
        check_field(&field(kind), &[("null", "-"), (r#""""#, "-")]);
    }

    #[test]
    fn text() {
        check(
            FieldKind::Text,
            &[
                (r#""x""#, r#""x""#),
                (r#"" ""#, r#"" ""#),
                ("12.5", r#""12.5""#),
                ("12.0", r#""12""#),
                ("0", r#""0""#),
                ("true", r#""true""#),
                (r#"["x"]"#, r#""x""#),
                ("[1]", r#""1""#),
                ("[]", "!"),
                (r#"["a","b"]"#, "!"),
                ("{}", "!"),
                ("[null]", "-"),
                (r#"[""]"#, "-"),
            ],
        );
    }

    #[test]
    fn addresses() {
        check(
            FieldKind::Email,
            &[
                (r#""a@b.co""#, r#""a@b.co""#),
                (r#"" a@b.co ""#, r#""a@b.co""#),
                (r#""a@b""#, "!"),
                ("12", "!"),
                ("{}", "!"),
                (r#"["a@b.co","c@d.co"]"#, "!"),
            ],
        );
        check(
            FieldKind::Url,
            &[(r#""http://x.co""#, r#""http://x.co""#), (r#""/img.png""#, "!"), (r#""x.co""#, "!"), ("1", "!")],
        );
    }

    #[test]
    fn numbers() {
        let both = [
            ("12", "12"),
            (r#""12""#, "12"),
            (r#""1e3""#, "1000"),
            (r#"" 12 ""#, "12"),
            (r#""+5""#, "5"),
            ("true", "1"),
            ("false", "0"),
            ("[1]", "1"),
            (r#""0x10""#, "!"),
            (r#""x""#, "!"),
            (r#""NaN""#, "!"),
            (r#""inf""#, "!"),
            (r#""20-50""#, "!"),
            (r#"" ""#, "!"),
            ("[]", "!"),
            ("{}", "!"),
            (r#""1e999""#, "!"),
        ];
        for kind in [FieldKind::Number, FieldKind::Integer] {
            check(kind, &both);
        }
        check(FieldKind::Number, &[("12.5", "12.5"), (r#""12.5""#, "12.5"), (r#""19.99""#, "19.99")]);
        check(FieldKind::Integer, &[("12.5", "!"), (r#""12.5""#, "!"), ("1e20", "!")]);
    }

    #[test]
    fn truth() {
        check(
            FieldKind::Boolean,
            &[
                ("true", "true"),
                (r#""true""#, "true"),
                (r#""false""#, "false"),
                ("1", "true"),
                ("0", "false"),
                (r#""True""#, "!"),
                (r#""yes""#, "!"),
                (r#""1""#, "!"),
                ("12", "!"),
                ("{}", "!"),
            ],
        );
    }

    #[test]
    fn dates() {
        check(
            FieldKind::Timestamp,
            &[
                (r#""2024-03-01T12:00:00.5Z""#, "1709294400"),
                (r#""2024-03-01""#, "1709251200"),
                ("1709294400", "1709294400"),
                ("1709294400500", "1709294400"),
                (r#""1709294400500""#, "1709294400"),
                (r#""Jan 2 2024""#, "!"),
                (r#""2024-02-30""#, "!"),
                ("true", "!"),
                ("-1", "!"),
                ("{}", "!"),
            ],
        );
    }

    #[test]
    fn lists_and_objects() {
        check(
            FieldKind::Texts,
            &[
                (r#"["a","b"]"#, r#"["a","b"]"#),
                (r#""a""#, r#"["a"]"#),
                ("[1,true]", r#"["1","true"]"#),
                (r#"["a",null,""]"#, r#"["a"]"#),
                ("[]", "[]"),
                ("{}", "!"),
                ("[{}]", "!"),
            ],
        );
        check(FieldKind::Object, &[(r#"{"a":null}"#, r#"{"a":null}"#), ("[]", "!"), (r#""x""#, "!"), ("1", "!")]);
        check(FieldKind::Any, &[("[1]", "[1]"), ("{}", "{}"), ("1", "1")]);
    }

    #[test]
    fn null_is_kept_where_it_clears() {
        let clears = Field { clears: true, ..field(FieldKind::Email) };
        check_field(&clears, &[("null", "null"), (r#""""#, "-"), (r#""x""#, "!")]);
    }

    #[test]
    fn choices_are_exact() {
        let role = Field { choices: vec!["user".to_owned(), "lead".to_owned()], ..field(FieldKind::Text) };
        check_field(&role, &[(r#""user""#, r#""user""#), (r#""User""#, "!"), ("1", "!")]);
        assert_eq!(meant_choice(&role, &"User".into()), Some("user"));
    }

    #[test]
    fn messages_name_both_sides_and_stay_short() {
        let long = "x".repeat(100);
        let Err(Misfit { why: message, .. }) =
            coerce(&field(FieldKind::Integer), Some(Cow::Owned(long.into())), &mut Vec::new())
        else {
            panic!("fits")
        };
        assert_eq!(message, format!("expected a whole number, found \"{}…\"", "x".repeat(60)));
        let mut warnings = Vec::new();
        coerce(&field(FieldKind::Text), Some(Cow::Owned(17.into())), &mut warnings).unwrap();
        coerce(&field(FieldKind::Text), Some(Cow::Owned(Json::List(vec!["x".into()]))), &mut warnings).unwrap();
        let messages: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(messages, ["17 → \"17\"", "[\"x\"] → \"x\""]);
    }
}
