//! The patterns of `match` and `search`: I-Regexp (RFC 9485), compiled at load where the pattern is written there.

use regex::{Regex, RegexBuilder};

use super::filter::Value;
use super::query::Walk;
use crate::json::Json;

/// How much memory a compiled pattern may take, in bytes.
pub(super) const COMPILED_MAX: usize = 256 * 1024;
/// The same for a pattern of the event.
const FOUND_MAX: usize = 64 * 1024;
/// How much work it is to compile a pattern of the event, in values looked at: it is ten patterns at most.
const COMPILING: u32 = 25_000;
/// How long a pattern may be, in bytes.
const PATTERN_MAX: usize = 1_000;

/// A pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Written in the path; or why it is none, and nothing fits (RFC 9535 §2.4.6).
    Fixed(Result<Regex, String>),
    /// Found in the event. The latest is kept, as most often all values are tried with the same.
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
            Pattern::Fixed(pattern) => {
                pattern.as_ref().is_ok_and(|pattern| walk.work(text.len()) && pattern.is_match(text))
            }
            Pattern::Found { value: of, is_whole } => {
                let found = of.of(walk, value);
                let Some(pattern) = found.as_deref().and_then(Json::as_str) else { return false };
                let mut latest = walk.pattern.borrow_mut();
                if !latest.as_ref().is_some_and(|latest| latest.text == pattern && latest.is_whole == *is_whole) {
                    if !walk.count(COMPILING) {
                        return false;
                    }
                    let compiled = compile(pattern, *is_whole, FOUND_MAX).ok();
                    *latest = Some(Latest { text: pattern.to_owned(), is_whole: *is_whole, compiled });
                }
                let compiled = latest.as_ref().and_then(|latest| latest.compiled.as_ref());
                compiled.is_some_and(|compiled| walk.work(text.len()) && compiled.is_match(text))
            }
        }
    }
}

/// A pattern of the event.
pub(super) struct Latest {
    text: String,
    is_whole: bool,
    /// None when it is no pattern, and nothing fits.
    compiled: Option<Regex>,
}

/// Compiles a pattern; why it is none. It is one by itself, before it is to fit all of a text: `a)|(b` is none.
pub(super) fn compile(pattern: &str, is_whole: bool, compiled_max: usize) -> Result<Regex, String> {
    if pattern.len() > PATTERN_MAX {
        return Err(format!("it has more than {PATTERN_MAX} bytes"));
    }
    let build =
        |text: &str| RegexBuilder::new(text).size_limit(compiled_max).build().map_err(|error| why_refused(&error));
    let pattern = with_dots(pattern);
    let alone = build(&pattern)?;
    if is_whole { build(&format!(r"\A(?:{pattern})\z")) } else { Ok(alone) }
}

/// Why a text is no pattern, in a few words.
pub(in crate::mapping) fn why_refused(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "it becomes too large".to_owned();
    }
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
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
