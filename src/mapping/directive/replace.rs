//! `$replace`: parts of a text, by other text.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use serde_json::json;

use super::{Arguments, Directive, Example, Kind, Sign, VALUE_LOST, any, invalid, made, object};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader, is_empty};
use crate::mapping::path::{Scope, TEXT_MAX, why_refused};
use crate::mapping::text;
use crate::yaml::{Node, cut};

/// `$replace`
pub const KIND: Kind = Kind {
    name: "replace",
    docs: "`value` with each `pattern` in it replaced by `replacement` (by nothing when left out). `pattern` is plain text; \
           `regex` in its place is a regular expression (Rust's `regex`), and `$1` or `$${name}` in `replacement` is then \
           what a group matched (a single `${…}` is a variable of the environment, everywhere in a file). `pattern2` and `replacement2` are a second pass. `global: false` replaces only the first, \
           `ignorecase: true` takes no notice of capitals. Numbers and truth values count as their text. Nothing gives \
           nothing, a list or an object as well, with a warning. Under Segment's `@replace` those give empty text, a \
           pattern has ten characters at most, and `$&` in `replacement` is what was matched, as there.",
    examples: &[
        Example {
            mapping: r#"{ $replace: { pattern: "-", replacement: " ", value: $.properties.plan } }"#,
            event: r#"{"properties":{"plan":"pro-plus-2026"}}"#,
            gives: r#""pro plus 2026""#,
        },
        Example {
            mapping: r#"{ $replace: { regex: "^\\+?(\\d+) (\\d+)$", replacement: "$2/$1", value: $.traits.phone } }"#,
            event: r#"{"traits":{"phone":"+32 470"}}"#,
            gives: r#""470/32""#,
        },
    ],
    schema: || {
        let text = json!({ "type": "string", "minLength": 1, "maxLength": PATTERN_MAX });
        let with = json!({ "type": "string", "maxLength": PATTERN_MAX, "default": "" });
        let flag = |default: bool| json!({ "type": "boolean", "default": default });
        let properties = json!({
            "value": any(), "pattern": text, "regex": text, "replacement": with, "pattern2": text, "replacement2": with,
            "global": flag(true), "ignorecase": flag(false),
        });
        object(properties, &["value"])
    },
    parse,
};

const ARGUMENTS: [&str; 8] =
    ["value", "pattern", "regex", "replacement", "pattern2", "replacement2", "global", "ignorecase"];
/// How long a pattern may be, in characters; and at Segment.
const PATTERN_MAX: usize = 1_000;
const PATTERN_MAX_SEGMENT: usize = 10;
/// How much memory a compiled pattern may take, in bytes: it is kept for each mapping, and bounds the work for each
/// character.
const COMPILED_MAX: usize = 256 * 1024;

#[derive(Debug)]
struct Replace {
    value: Expression,
    passes: Vec<Pass>,
    is_global: bool,
    sign: Sign,
}

#[derive(Debug)]
struct Pass {
    pattern: Regex,
    replacement: Box<str>,
    /// Whether it is more than plain text.
    is_regex: bool,
    /// Whether `$…` in the replacement means something.
    expands: bool,
}

impl Directive for Replace {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.value.resolve(scope);
        let nothing = || (self.sign == Sign::At).then(|| Cow::Owned(Json::from("")));
        if is_empty(&found) {
            return nothing();
        }
        let found = found?;
        let Some(text) = text::scalar(&found) else {
            scope.note(VALUE_LOST, "`$replace` takes text", &found);
            return nothing();
        };
        let mut passes = self.passes.iter();
        scope.work(text.len())?;
        let replaced = passes.try_fold(text.into_owned(), |text, pass| pass.run(&text, self.is_global, scope));
        if replaced.is_none() && scope.is_within().is_some() {
            scope.too_long("$replace");
        }
        replaced.map(|text| Cow::Owned(Json::from(text)))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

impl Pass {
    /// The text after this pass; `None` when it would be too long or too much work.
    fn run(&self, text: &str, is_global: bool, scope: &Scope<'_>) -> Option<String> {
        scope.work(text.len())?;
        let mut made = String::with_capacity(text.len());
        let mut at = 0;
        for captures in self.pattern.captures_iter(text) {
            let whole = captures.get(0)?;
            let before = made.len();
            made.push_str(&text[at..whole.start()]);
            if self.expands && made.len() + self.replacement.matches('$').count() * whole.len() > TEXT_MAX {
                return None;
            }
            match self.expands {
                true => captures.expand(&self.replacement, &mut made),
                false => made.push_str(&self.replacement),
            }
            at = whole.end();
            if made.len() > TEXT_MAX {
                return None;
            }
            scope.work(made.len() - before)?;
            // The next may look at all that is left before it knows that there is none; plain text never looks back.
            if self.is_regex {
                scope.search(text.len() - at)?;
            }
            if !is_global {
                break;
            }
        }
        made.push_str(&text[at..]);
        (made.len() <= TEXT_MAX).then_some(made)
    }
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let mut given = Arguments::read(node, &ARGUMENTS, reader)?;
    let (is_global, ignores_case) = (given.flag("global", reader), given.flag("ignorecase", reader));
    let how = How { sign, ignores_case: ignores_case.unwrap_or(false) };
    if given.has("pattern") && given.has("regex") {
        invalid(node, "`pattern` and `regex` are two ways to say the same; give one", reader);
        return None;
    }
    let name = if given.has("regex") { "regex" } else { "pattern" };
    given.require(name, reader);
    let first = pass(&mut given, name, "replacement", how, reader);
    let second = pass(&mut given, "pattern2", "replacement2", how, reader);
    given.require("value", reader);
    let value = given.expression("value", reader);
    given.complete()?;
    let passes = first.into_iter().chain(second).collect();
    made(Replace { value: value?, passes, is_global: is_global.unwrap_or(true), sign })
}

#[derive(Clone, Copy)]
struct How {
    sign: Sign,
    ignores_case: bool,
}

fn pass(
    given: &mut Arguments<'_>,
    pattern: &str,
    replacement: &str,
    how: How,
    reader: &mut Reader<'_>,
) -> Option<Pass> {
    let is_regex = pattern == "regex";
    let compiled = given.with(pattern, reader, |node, reader| compile(node, is_regex, how, reader));
    let groups = compiled.as_ref().filter(|_| is_regex);
    let replacement = given.with(replacement, reader, |node, reader| {
        let text = bounded(node, 0, how.sign, reader)?;
        groups.is_none_or(|pattern| has_groups(node, text, pattern, reader)).then_some(text)
    });
    let replacement = replacement.unwrap_or_default();
    let (replacement, expands) = match (is_regex, how.sign) {
        (true, _) => (replacement.to_owned(), replacement.contains('$')),
        (false, Sign::At) if replacement.contains('$') => (from_javascript(replacement), true),
        (false, _) => (replacement.to_owned(), false),
    };
    Some(Pass { pattern: compiled?, is_regex, replacement: replacement.into(), expands })
}

/// Whether a pattern has the groups that a replacement names. One that is not there would be nothing, silently.
fn has_groups(node: &Node, replacement: &str, pattern: &Regex, reader: &mut Reader<'_>) -> bool {
    let is_there = |name: &str| match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|group| group == name),
    };
    let Some(name) = groups(replacement).into_iter().find(|name| !is_there(name)) else { return true };
    let message = format!("the regular expression has no group `{}`", cut(name));
    let problem = reader.problems.error("directive_invalid", &node.place, &reader.path, message);
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    problem.help = Some(match (digits > 0 && digits < name.len()).then(|| name.split_at(digits)) {
        Some((number, rest)) => format!("write `$${{{number}}}{rest}` for the group {number} before `{rest}`"),
        None => "groups are numbered from 1, `$0` is all that matched; write `$$` for a `$`".to_owned(),
    });
    false
}

/// The groups that a replacement names, as `regex` reads it.
fn groups(replacement: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => name,
            None => &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())],
        };
        names.extend((!name.is_empty()).then_some(name));
    }
    names
}

/// Text of a length that may be.
fn bounded<'n>(node: &'n Node, least: usize, sign: Sign, reader: &mut Reader<'_>) -> Option<&'n str> {
    let Some(text) = node.as_text() else {
        super::refuse(node, "text", reader);
        return None;
    };
    let most = if sign == Sign::At { PATTERN_MAX_SEGMENT } else { PATTERN_MAX };
    if (least..=most).contains(&text.chars().count()) {
        return Some(text);
    }
    let help = (sign == Sign::At).then(|| format!("`$replace` takes {PATTERN_MAX}; Segment's `@replace` takes {most}"));
    let message = format!("expected text of {least} to {most} characters, found {}", text.chars().count());
    reader.problems.error("directive_invalid", &node.place, &reader.path, message).help = help;
    None
}

fn compile(node: &Node, is_regex: bool, how: How, reader: &mut Reader<'_>) -> Option<Regex> {
    let text = bounded(node, 1, how.sign, reader)?;
    let source = if is_regex { text.to_owned() } else { regex::escape(text) };
    let built = RegexBuilder::new(&source).case_insensitive(how.ignores_case).size_limit(COMPILED_MAX).build();
    match built {
        Ok(pattern) => Some(pattern),
        Err(regex::Error::CompiledTooBig(_)) => {
            invalid(node, format!("the pattern `{}` becomes too large", cut(text)), reader);
            None
        }
        Err(error) => {
            invalid(node, format!("not a regular expression: {}", why_refused(&error)), reader);
            None
        }
    }
}

/// A replacement as JavaScript reads it, in the words of `regex`: `$&` is the match, `$$` a `$`, any other `$` itself.
fn from_javascript(replacement: &str) -> String {
    let mut text = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (meant, length) = match rest.chars().next() {
            Some('&') => ("${0}", 1),
            Some('$') => ("$$", 1),
            _ => ("$$", 0),
        };
        text.push_str(meant);
        rest = &rest[length..];
    }
    text + rest
}
