//! Filters over numbers. Text is read as a number, nothing is 0; what is no number is an error.

use super::filters::{is_truthy, member};
use super::view::text;
use crate::json::{Json, Number};
use crate::mapping::number;

type Given<'g> = &'g [Json<'static>];
type Result = std::result::Result<Json<'static>, String>;

fn read(json: &Json<'_>) -> std::result::Result<Number, String> {
    match json {
        Json::Null => Ok(0.into()),
        other => number::read(other).ok_or_else(|| "not a number".to_owned()),
    }
}

fn float(json: &Json<'_>) -> std::result::Result<f64, String> {
    read(json)?.as_f64().ok_or_else(|| "not a number".to_owned())
}

/// A number as a whole one: what is after the point is cut off.
pub(super) fn whole(json: &Json<'_>) -> std::result::Result<i64, String> {
    let number = read(json)?;
    // A double beyond the range of an integer becomes its end.
    Ok(number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64))
}

fn made(value: f64) -> Result {
    let number = Number::from_f64(value).ok_or_else(|| "not a number".to_owned())?;
    Ok(number::read(&Json::Number(number.clone())).map_or(Json::Number(number), Json::Number))
}

/// Whole where both are, as far as that goes.
fn exact(
    (input, given): (Json<'static>, Given<'_>),
    whole: fn(i64, i64) -> Option<i64>,
    float: fn(f64, f64) -> f64,
) -> Result {
    let (one, other) = (read(&input)?, read(&given[0])?);
    if let Some(result) = one.as_i64().zip(other.as_i64()).and_then(|(one, other)| whole(one, other)) {
        return Ok(result.into());
    }
    made(float(one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default()))
}

pub(super) fn plus(input: Json<'static>, given: Given<'_>) -> Result {
    exact((input, given), i64::checked_add, |one, other| one + other)
}

pub(super) fn minus(input: Json<'static>, given: Given<'_>) -> Result {
    exact((input, given), i64::checked_sub, |one, other| one - other)
}

pub(super) fn times(input: Json<'static>, given: Given<'_>) -> Result {
    exact((input, given), i64::checked_mul, |one, other| one * other)
}

/// A quotient; whole, rounded down, when a second argument says so.
pub(super) fn divided_by(input: Json<'static>, given: Given<'_>) -> Result {
    match float(&given[0])? {
        0.0 => Err("divided by 0".to_owned()),
        by if given.get(1).is_some_and(is_truthy) => made((float(&input)? / by).floor()),
        by => made(float(&input)? / by),
    }
}

pub(super) fn modulo(input: Json<'static>, given: Given<'_>) -> Result {
    match float(&given[0])? {
        0.0 => Err("divided by 0".to_owned()),
        by => made(float(&input)? % by),
    }
}

pub(super) fn abs(input: Json<'static>, _: Given<'_>) -> Result {
    made(float(&input)?.abs())
}

pub(super) fn at_least(input: Json<'static>, given: Given<'_>) -> Result {
    made(float(&input)?.max(float(&given[0])?))
}

pub(super) fn at_most(input: Json<'static>, given: Given<'_>) -> Result {
    made(float(&input)?.min(float(&given[0])?))
}

pub(super) fn ceil(input: Json<'static>, given: Given<'_>) -> Result {
    scaled(&input, given, f64::ceil)
}

pub(super) fn floor(input: Json<'static>, given: Given<'_>) -> Result {
    scaled(&input, given, f64::floor)
}

/// Half goes up, as in JavaScript.
pub(super) fn round(input: Json<'static>, given: Given<'_>) -> Result {
    scaled(&input, given, |value| (value + 0.5).floor())
}

/// Rounded at so many places after the point.
fn scaled(input: &Json<'_>, given: Given<'_>, round: fn(f64) -> f64) -> Result {
    let places = given.first().map_or(Ok(0), whole)?.clamp(-15, 15);
    let scale = 10_f64.powi(places as i32);
    made(round(float(input)? * scale) / scale)
}

pub(super) fn to_integer(input: Json<'static>, _: Given<'_>) -> Result {
    made(float(&input)?.trunc())
}

/// The sum of the items; of their members of a name, when one is given.
pub(super) fn sum(input: Json<'static>, given: Given<'_>) -> Result {
    let items = input.as_list().unwrap_or_else(|| std::slice::from_ref(&input));
    let name = given.first().map(text);
    let mut total = 0.0;
    for item in items {
        let term = match &name {
            Some(name) => member(item, name).unwrap_or(&Json::Null),
            None => item,
        };
        total += float(term)?;
    }
    made(total)
}
