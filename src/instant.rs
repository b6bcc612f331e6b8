//! Reading a moment from what senders write: the one rule for dates everywhere.
//!
//! A moment is RFC 3339, a civil date-time or date (taken as UTC), or a Unix time in seconds, milliseconds or
//! microseconds, told apart by size. Nothing else: also not eight digits, which may be a date or a time in 1970.

pub use jiff::Timestamp;
use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

use crate::json::Json;

/// Below this a Unix time is in seconds (it is then before the year 5138).
const SECONDS_BELOW: i128 = 100_000_000_000;
/// Below this it is in milliseconds, from here on in microseconds.
const MILLISECONDS_BELOW: i128 = 100_000_000_000_000;

/// Reads a moment from text.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    if let Some(number) = unix_time(text) {
        return from_number(number);
    }
    if is_number(text) {
        return None;
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    if is_last_day(text) {
        return Some(Timestamp::MAX);
    }
    let civil = match text.parse::<civil::DateTime>() {
        Ok(civil) => civil,
        Err(_) => text.parse::<civil::Date>().ok()?.into(),
    };
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A text that is a Unix time: whole, or with a fraction from 1973 on, as Python writes it.
fn unix_time(text: &str) -> Option<f64> {
    const DIGITS_OF_FRACTION_MIN: usize = 9;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let may_be_date = text.len() == 8 && text.parse::<civil::Date>().is_ok();
    let is_known = fraction.is_empty() || whole.len() >= DIGITS_OF_FRACTION_MIN;
    (is_known && !may_be_date && is_number(text)).then(|| text.parse().ok()).flatten()
}

/// The last day there is stands for "never" in many systems; parts of it lie beyond what a [`Timestamp`] holds.
fn is_last_day(text: &str) -> bool {
    let pieces = Pieces::parse(text);
    pieces.is_ok_and(|pieces| pieces.date() == civil::Date::MAX)
}

/// Reads a moment from what a person asks for: as [`parse`] does, or so long before `now`, like `90s`, `30m`, `2h` or `7d`.
pub fn parse_or_ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return parse(text),
    };
    let count: i64 = text[..text.len() - 1].parse().ok().filter(|count| *count >= 0)?;
    now.checked_sub(jiff::SignedDuration::from_secs(count.checked_mul(unit)?)).ok()
}

/// Reads a moment from a Unix time in s, ms or µs.
pub fn from_number(number: f64) -> Option<Timestamp> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let microseconds = match number as i128 {
        n if n < SECONDS_BELOW => number * 1e6,
        n if n < MILLISECONDS_BELOW => number * 1e3,
        _ => number,
    };
    Timestamp::from_microsecond(microseconds as i64).ok()
}

/// Reads a moment from a JSON string or number.
pub fn from_json(json: &Json<'_>) -> Option<Timestamp> {
    match json {
        Json::String(text) => parse(text),
        Json::Number(number) => from_number(number.as_f64()?),
        _ => None,
    }
}

/// The moment as RFC 3339 with milliseconds, as SDKs write it.
pub fn to_text(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).map(to_text).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_person_may_ask_for_a_time_ago() {
        let now = parse("2026-01-08T12:00:00Z").unwrap();
        let read = |text: &str| parse_or_ago(text, now).map(to_text);
        assert_eq!(read("90s").as_deref(), Some("2026-01-08T11:58:30.000Z"));
        assert_eq!(read(" 30m ").as_deref(), Some("2026-01-08T11:30:00.000Z"));
        assert_eq!(read("2h").as_deref(), Some("2026-01-08T10:00:00.000Z"));
        assert_eq!(read("7d").as_deref(), Some("2026-01-01T12:00:00.000Z"));
        assert_eq!(read("2026-01-02").as_deref(), Some("2026-01-02T00:00:00.000Z"));
        for wrong in ["", "d", "-1d", "1w", "1.5h", "9223372036854775807d", "soon"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_the_forms_of_the_rule_and_no_other() {
        check("2024-03-01T12:00:00.5Z", Some("2024-03-01T12:00:00.500Z"));
        check("2024-03-01T12:00:00+02:00", Some("2024-03-01T10:00:00.000Z"));
        check("2024-03-01T12:00:00", Some("2024-03-01T12:00:00.000Z"));
        check("2024-03-01", Some("2024-03-01T00:00:00.000Z"));
        check("1709294400", Some("2024-03-01T12:00:00.000Z"));
        check("1709294400500", Some("2024-03-01T12:00:00.500Z"));
        check("1709294400500000", Some("2024-03-01T12:00:00.500Z"));
        check("1767225600.5", Some("2026-01-01T00:00:00.500Z"));
        check("12345678", Some("1970-05-23T21:21:18.000Z"));
        check("9999-12-31T23:59:59Z", Some("9999-12-30T22:00:00.999Z"));
        check("9999-12-31", Some("9999-12-30T22:00:00.999Z"));
        for text in [
            "20240101",
            "1.2.3",
            ".",
            "1767225600.x",
            "",
            "yesterday",
            "12.5",
            "March 1 2024",
            "2024-13-45",
            "2024-02-30",
            "-5",
            "0x10",
        ] {
            check(text, None);
        }
    }
}
