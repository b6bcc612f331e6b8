//! Paths as Segment writes them: dots between names, numbers as indexes, any character in a name.

use std::ops::Range;

use super::Step;

/// A path in that dialect.
pub(super) struct Dotted {
    /// Its steps.
    pub steps: Vec<Step>,
    /// The first character that JSONPath wants in brackets and quotes, other than a space or a leading digit.
    pub odd: Option<Range<usize>>,
}

/// Reads a dotted path. `None` when it is more than names and indexes.
pub(super) fn read(text: &str) -> Option<Dotted> {
    let mut dotted = Dotted { steps: Vec::new(), odd: None };
    let mut at = if text.starts_with('$') { 1 } else { 0 };
    while at < text.len() {
        let rest = &text[at..];
        at += match rest.as_bytes()[0] {
            b'.' => 1,
            b'[' => bracket(rest, &mut dotted)?,
            _ => name(rest, at, &mut dotted)?,
        };
    }
    Some(dotted)
}

/// Reads `[0]`, `['x']` or `["x"]`; gives its length.
fn bracket(rest: &str, dotted: &mut Dotted) -> Option<usize> {
    let inner = &rest[1..];
    if let Some(quote) = inner.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let end = inner[1..].find(&format!("{quote}]"))?;
        dotted.steps.push(Step::Key(inner[1..1 + end].into()));
        return Some(end + 4);
    }
    let end = inner.find(']')?;
    dotted.steps.push(Step::Index(inner[..end].trim().parse().ok()?));
    Some(end + 2)
}

/// Reads a bare name; gives its length.
fn name(rest: &str, at: usize, dotted: &mut Dotted) -> Option<usize> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let name = rest[..end].trim();
    if name.is_empty() || name.contains(['*', '?', ',', ':', '(', ')', ']', '\'', '"']) {
        return None;
    }
    if dotted.odd.is_none() {
        let is_odd = |c: char| !(c.is_alphanumeric() || c == '_' || c == ' ');
        dotted.odd = rest[..end].char_indices().find(|(_, c)| is_odd(*c)).map(|(offset, c)| {
            let start = at + offset;
            start..start + c.len_utf8()
        });
    }
    dotted.steps.push(match name.parse() {
        Ok(index) => Step::Either(name.into(), index),
        Err(_) => Step::Key(name.into()),
    });
    Some(end)
}

/// The steps as RFC 9535 writes them.
pub(super) fn canonical(steps: &[Step]) -> String {
    let mut text = "$".to_owned();
    for step in steps {
        match step {
            Step::Key(name) if is_shorthand(name) => text.push_str(&format!(".{name}")),
            Step::Key(name) => text.push_str(&format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Either(_, index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn is_shorthand(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}
