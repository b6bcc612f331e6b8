//! Numbers, read from what stands for one.

use crate::json::{Json, Number};

/// The number that a value stands for: decimal text, `true` as 1; whole where it can be.
pub(super) fn read(value: &Json<'_>) -> Option<Number> {
    match value {
        Json::Number(number) => Some(whole(number.clone())),
        Json::Bool(value) => Some(i64::from(*value).into()),
        Json::String(text) => {
            let text = text.trim();
            let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
            if !is_decimal {
                return None;
            }
            match text.parse::<i64>() {
                Ok(number) => Some(number.into()),
                Err(_) => text.parse().ok().and_then(Number::from_f64).map(whole),
            }
        }
        _ => None,
    }
}

/// `12` for `12.0`, as far as a double counts exactly.
fn whole(number: Number) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() <= EXACT => (value as i64).into(),
        _ => number,
    }
}
