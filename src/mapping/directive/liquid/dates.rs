//! Filters over dates. A date is what [`crate::instant`] reads; there is no clock, so `now` is none.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::numbers;
use super::view::text;
use crate::instant;
use crate::json::Json;

type Result = std::result::Result<Json<'static>, String>;

pub(super) fn date(input: Json<'static>, given: &[Json<'static>]) -> Result {
    let zone = given.get(1).map_or(Ok(TimeZone::UTC), zone)?;
    written_in(zone, &input, &text(&given[0]))
}

/// A time zone: UTC, or how many minutes it is behind UTC, as JavaScript counts them. The names of places are not known:
/// what they stand for changes with the machine.
fn zone(given: &Json<'_>) -> std::result::Result<TimeZone, String> {
    if given.as_str().is_some_and(is_utc) {
        return Ok(TimeZone::UTC);
    }
    let unknown = || "a time zone is `\"UTC\"` or a number of minutes".to_owned();
    let minutes = numbers::whole(given).map_err(|_| unknown())?;
    let seconds = minutes.checked_mul(-60).and_then(|seconds| i32::try_from(seconds).ok()).ok_or_else(unknown)?;
    jiff::tz::Offset::from_seconds(seconds).map(TimeZone::fixed).map_err(|_| unknown())
}

/// Whether a time zone's name is one of UTC.
pub fn is_utc(name: &str) -> bool {
    matches!(name, "UTC" | "GMT" | "Etc/UTC" | "Z")
}

/// A date in a format of `strftime`, in UTC. Nothing stays nothing.
pub(super) fn written(input: &Json<'_>, format: &str) -> Result {
    written_in(TimeZone::UTC, input, format)
}

fn written_in(zone: TimeZone, input: &Json<'_>, format: &str) -> Result {
    if input.is_null() || input.as_str() == Some("") {
        return Ok(Json::Null);
    }
    let at = instant::from_json(input).ok_or_else(|| "not a date".to_owned())?;
    let zoned = at.to_zoned(zone);
    strtime::format(with_seconds(format, &at), &zoned).map(Json::from).map_err(|_| "not a date format".to_owned())
}

/// `%s` is the nearest second, as at Segment, not the one that has begun.
fn with_seconds(format: &str, at: &instant::Timestamp) -> String {
    let seconds = at.as_millisecond().saturating_add(500).div_euclid(1_000).to_string();
    let parts: Vec<String> = format.split("%%").map(|part| part.replace("%s", &seconds)).collect();
    parts.join("%%")
}
