//! Reading request bodies: members of a known type, everything else refused by name.

use serde_json::{Map, Value};

use super::reply::Refusal;
use super::settings::{Settings, Strictness};
use crate::json::{Json, Object};

/// From here on a Unix time is surely in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// One member a body may have.
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether `null` clears it.
    pub nullable: bool,
}

/// The type of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer.
    Integer,
    /// A number of which the fraction is cut off, at most 2^31 − 1.
    Spend,
    /// Unix seconds, an integer.
    Seconds,
}

impl Field {
    /// A member that must not be `null`.
    pub const fn new(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, nullable: false }
    }

    /// A member that `null` clears.
    pub const fn nullable(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, nullable: true }
    }
}

/// The members of `body` that stand in the table, each checked. What the table does not know is ignored, as the service
/// does.
pub fn read(table: &[Field], body: &Object<'_>, settings: &Settings) -> Result<Map<String, Value>, Refusal> {
    let mut members = Map::new();
    for field in table {
        if let Some(value) = body.get(field.name) {
            members.insert(field.name.to_owned(), member(field, value, settings)?);
        }
    }
    Ok(members)
}

fn member(field: &Field, value: &Json<'_>, settings: &Settings) -> Result<Value, Refusal> {
    if value.is_null() && field.nullable {
        return Ok(Value::Null);
    }
    match (field.kind, value) {
        (Kind::Text, Json::String(_)) | (Kind::Flag, Json::Bool(_)) => Ok(value.to_value()),
        (Kind::Integer, _) => integer(field.name, value).map(Value::from),
        (Kind::Spend, Json::Number(number)) => spend(field.name, number.as_f64().unwrap_or(f64::MAX)),
        (Kind::Seconds, _) => seconds(field.name, value, settings).map(Value::from),
        _ => Err(wrong(field.name, field.kind, value)),
    }
}

fn wrong(name: &str, kind: Kind, value: &Json<'_>) -> Refusal {
    let wanted = match kind {
        Kind::Text => "a string",
        Kind::Flag => "a boolean",
        Kind::Integer => "an integer",
        Kind::Spend => "a number",
        Kind::Seconds => "an integer of Unix seconds",
    };
    Refusal::invalid(name, format!("{name} must be {wanted}, not {}", value.kind()))
}

fn integer(name: &str, value: &Json<'_>) -> Result<i64, Refusal> {
    match value {
        Json::Number(number) => number.as_i64().ok_or_else(|| wrong(name, Kind::Integer, value)),
        _ => Err(wrong(name, Kind::Integer, value)),
    }
}

/// Unix seconds.
pub fn seconds(name: &str, value: &Json<'_>, settings: &Settings) -> Result<i64, Refusal> {
    let Ok(number) = integer(name, value) else { return Err(wrong(name, Kind::Seconds, value)) };
    if number < 0 {
        return Err(Refusal::invalid(name, format!("{name} lies before 1970")));
    }
    if number >= MILLISECONDS_FROM && settings.milliseconds == Strictness::Refuse {
        return Err(Refusal::invalid(name, format!("{name} must be in seconds, this looks like milliseconds")));
    }
    Ok(number)
}

fn spend(name: &str, number: f64) -> Result<Value, Refusal> {
    if number.abs() > f64::from(i32::MAX) {
        return Err(Refusal::invalid(name, format!("{name} is at most {}", i32::MAX)));
    }
    Ok(Value::from(number.trunc() as i64))
}

/// Text under `name`; an empty one counts as absent.
pub fn text(body: &Object<'_>, name: &'static str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.to_string()).filter(|text| !text.is_empty())),
        Some(other) => Err(wrong(name, Kind::Text, other)),
    }
}

/// The object under `name`; `null` counts as empty.
pub fn object<'b, 'a>(body: &'b Object<'a>, name: &'static str) -> Result<Option<&'b Object<'a>>, Refusal> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object)),
        Some(other) => Err(Refusal::invalid(name, format!("{name} must be an object, not {}", other.kind()))),
    }
}

/// The list under `name`.
pub fn list<'b, 'a>(body: &'b Object<'a>, name: &'static str) -> Result<Option<&'b [Json<'a>]>, Refusal> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::List(items)) => Ok(Some(items)),
        Some(other) => Err(Refusal::invalid(name, format!("{name} must be a list, not {}", other.kind()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: Option<Value>) {
        let value = json::parse(text.as_bytes()).expect("test JSON");
        assert_eq!(member(&Field::new("x", kind), &value, &Settings::default()).ok(), expected, "{kind:?} {text}");
    }

    #[test]
    fn members_are_of_their_type_or_refused() {
        check(Kind::Text, r#""a""#, Some("a".into()));
        check(Kind::Text, "7", None);
        check(Kind::Text, "null", None);
        check(Kind::Flag, "true", Some(true.into()));
        check(Kind::Flag, "1", None);
        check(Kind::Integer, "7", Some(7.into()));
        check(Kind::Integer, "7.0", None);
        check(Kind::Spend, "19.99", Some(19.into()));
        check(Kind::Spend, "1e300", None);
        check(Kind::Seconds, "1700000000", Some(1_700_000_000.into()));
        check(Kind::Seconds, "1700000000.5", None);
        check(Kind::Seconds, "1700000000000", None);
        check(Kind::Seconds, r#""2026-01-01T00:00:00Z""#, None);
        check(Kind::Seconds, "-1", None);
    }
}
