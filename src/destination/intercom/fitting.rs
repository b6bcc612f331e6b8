//! Types of custom attributes, and how a value becomes one of them.

use serde_json::{Number, Value};

use crate::instant;
use crate::json::Json;

/// Type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// A moment, in Unix seconds.
    Date,
    /// One that we do not know: nothing is changed.
    Other,
}

impl Type {
    /// The type as lists name it.
    pub fn read(name: &str) -> Type {
        match name {
            "string" | "options" | "list" => Type::Text,
            "integer" => Type::Integer,
            "float" => Type::Float,
            "boolean" => Type::Boolean,
            "date" | "datetime" => Type::Date,
            _ => Type::Other,
        }
    }

    /// The type as a new attribute is given it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Text | Type::Other => "string",
            Type::Integer => "integer",
            Type::Float => "float",
            Type::Boolean => "boolean",
            Type::Date => "date",
        }
    }

    /// What it holds, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Integer => "a whole number",
            Type::Float => "a number",
            Type::Boolean => "true or false",
            Type::Date => "a date",
            Type::Other => "something else",
        }
    }

    /// The type that a new attribute of a name gets for its first value. A whole number under a name that ends in `_at` or
    /// `_date` is a date, as all dates are by then.
    pub fn of(name: &str, value: &Value) -> Option<Type> {
        match value {
            Value::Bool(_) => Some(Type::Boolean),
            Value::Number(number) if number.is_f64() => Some(Type::Float),
            Value::Number(_) if name.ends_with("_at") || name.ends_with("_date") => Some(Type::Date),
            Value::Number(_) => Some(Type::Integer),
            Value::String(_) => Some(Type::Text),
            _ => None,
        }
    }

    /// The value as this type has it; `null` clears whatever the type. `None`: it cannot be one.
    pub fn fit(self, value: &Value) -> Option<Value> {
        if value.is_null() || self == Type::Other {
            return Some(value.clone());
        }
        match self {
            Type::Text => text(value),
            Type::Integer => number(value).and_then(|number| whole(&number)).map(Value::from),
            Type::Float => number(value).map(Value::Number),
            Type::Boolean => boolean(value).map(Value::Bool),
            Type::Date | Type::Other => instant::from_json(&Json::from(value)).map(|at| at.as_second().into()),
        }
    }
}

/// Whether an attribute can have this name: letters, digits, currency signs, hyphens, underscores and spaces.
pub fn is_name(name: &str) -> bool {
    const CURRENCIES: &str = "€£¥₹₩₽¢";
    let fits = |c: char| c.is_alphanumeric() || "-_ ".contains(c) || CURRENCIES.contains(c);
    !name.trim().is_empty() && name.chars().count() <= 190 && name.chars().all(fits)
}

fn text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => {
            let text = text.trim();
            let is_decimal =
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            let whole = text.parse::<i64>().ok().map(Number::from);
            whole.or_else(|| Number::from_f64(text.parse().ok().filter(|_| is_decimal)?))
        }
        _ => None,
    }
}

/// The nearest whole number.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let rounded = number.as_f64()?.round();
        (rounded.abs() <= EXACT).then_some(rounded as i64)
    })
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(of_type: Type, value: Value, expected: Option<Value>) {
        assert_eq!(of_type.fit(&value), expected, "{value} as {}", of_type.noun());
    }

    #[test]
    fn a_value_becomes_one_of_the_type() {
        check(Type::Text, json!(12.5), Some(json!("12.5")));
        check(Type::Text, json!(true), Some(json!("true")));
        check(Type::Text, json!({}), None);
        check(Type::Integer, json!("12"), Some(json!(12)));
        check(Type::Integer, json!(12.0), Some(json!(12)));
        check(Type::Integer, json!(12.5), Some(json!(13)));
        check(Type::Integer, json!("twelve"), None);
        check(Type::Integer, json!(true), None);
        check(Type::Integer, json!(1e300), None);
        check(Type::Float, json!("12.5"), Some(json!(12.5)));
        check(Type::Float, json!("inf"), None);
        check(Type::Float, json!(""), None);
        check(Type::Boolean, json!("True"), Some(json!(true)));
        check(Type::Boolean, json!(0), Some(json!(false)));
        check(Type::Boolean, json!("yes"), None);
        check(Type::Date, json!("2026-01-01T00:00:00Z"), Some(json!(1767225600)));
        check(Type::Date, json!(1767225600000_i64), Some(json!(1767225600)));
        check(Type::Date, json!("soon"), None);
        check(Type::Other, json!([1]), Some(json!([1])));
        for of_type in [Type::Text, Type::Integer, Type::Float, Type::Boolean, Type::Date, Type::Other] {
            check(of_type, Value::Null, Some(Value::Null));
            assert!(of_type == Type::Other || Type::read(of_type.name()) == of_type);
        }
    }

    #[test]
    fn the_first_value_says_the_type() {
        for (name, value, expected) in [
            ("plan", json!("pro"), Some(Type::Text)),
            ("seats", json!(3), Some(Type::Integer)),
            ("share", json!(0.5), Some(Type::Float)),
            ("paid", json!(true), Some(Type::Boolean)),
            ("seen_at", json!(1767225600), Some(Type::Date)),
            ("list", json!([1]), None),
            ("nothing", json!(null), None),
        ] {
            assert_eq!(Type::of(name, &value), expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_of_letters_digits_and_a_few_signs() {
        for good in ["plan", "Lead Score", "a-b_c", "€uro", "größe", "7"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", " ", "a.b", "a$b", "a/b", "a'b", "a\nb"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
