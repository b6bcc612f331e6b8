//! Filters over dates. A date is what [`crate::instant`] reads; there is no clock, so `now` is none.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::view::text;
use crate::instant;
use crate::json::Json;

type Result = std::result::Result<Json<'static>, String>;

pub(super) fn date(input: Json<'static>, given: &[Json<'static>]) -> Result {
    written(&input, &text(&given[0]))
}

/// A date in a format of `strftime`, in UTC. Nothing stays nothing.
pub(super) fn written(input: &Json<'_>, format: &str) -> Result {
    if input.is_null() || input.as_str() == Some("") {
        return Ok(Json::Null);
    }
    let at = instant::from_json(input).ok_or_else(|| "not a date".to_owned())?;
    let zoned = at.to_zoned(TimeZone::UTC);
    strtime::format(with_seconds(format, &at), &zoned).map(Json::from).map_err(|_| "not a date format".to_owned())
}

/// `%s` is the nearest second, as at Segment, not the one that has begun.
fn with_seconds(format: &str, at: &instant::Timestamp) -> String {
    let seconds = at.as_millisecond().saturating_add(500).div_euclid(1_000).to_string();
    let parts: Vec<String> = format.split("%%").map(|part| part.replace("%s", &seconds)).collect();
    parts.join("%%")
}
