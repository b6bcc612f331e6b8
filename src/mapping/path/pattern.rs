//! The patterns of `match` and `search`: I-Regexp (RFC 9485), compiled at load where the pattern is written there.

use regex::{Regex, RegexBuilder};

use super::filter::Value;
use super::query::Walk;
use crate::json::Json;

/// How much memory a compiled pattern may take, in bytes.
const COMPILED_MAX: usize = 256 * 1024;
/// How long a pattern may be, in bytes.
const PATTERN_MAX: usize = 1_000;

/// A pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Written in the path; none when it is no pattern, and nothing fits.
    Fixed(Option<Regex>),
    /// Found in the event, and compiled for every value that is tried.
    Found {
        /// Where it is.
        value: Box<Value>,
        /// Whether all of a text must fit.
        is_whole: bool,
    },
}

impl Pattern {
    /// Whether a text fits.
    pub fn fits<'e>(&self, text: &str, walk: &Walk<'e, '_>, value: &'e Json<'e>) -> bool {
        match self {
            Pattern::Fixed(pattern) => pattern.as_ref().is_some_and(|pattern| pattern.is_match(text)),
            Pattern::Found { value: of, is_whole } => {
                let found = of.of(walk, value);
                let pattern = found.as_deref().and_then(Json::as_str).and_then(|text| compile(text, *is_whole));
                pattern.is_some_and(|pattern| pattern.is_match(text))
            }
        }
    }
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &str, is_whole: bool) -> Option<Regex> {
    if pattern.len() > PATTERN_MAX {
        return None;
    }
    let pattern = with_dots(pattern);
    let pattern = if is_whole { format!(r"\A(?:{pattern})\z") } else { pattern };
    RegexBuilder::new(&pattern).size_limit(COMPILED_MAX).build().ok()
}

/// A `.` outside of brackets is any character but the ends of lines, of which there are two (RFC 9485 §5.3).
fn with_dots(pattern: &str) -> String {
    let mut made = String::with_capacity(pattern.len());
    let (mut is_escaped, mut in_class) = (false, false);
    for c in pattern.chars() {
        match c {
            '.' if !is_escaped && !in_class => made.push_str(r"[^\n\r]"),
            other => made.push(other),
        }
        match c {
            '[' if !is_escaped => in_class = true,
            ']' if !is_escaped => in_class = false,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    made
}
