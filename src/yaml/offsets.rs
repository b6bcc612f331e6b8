//! From an offset in a scalar's value to the byte in the file where it was written.

use std::ops::Range;

use super::{Node, Value};

/// Where a part of a scalar's value stands in the file; `None` when the value is not what was written there.
pub(super) fn locate(text: &str, node: &Node, range: Range<usize>) -> Option<Range<usize>> {
    let Value::Text(value) = &node.value else { return None };
    if node.written.is_some() || range.start > value.len() {
        return None;
    }
    let written = text.get(node.place.span.clone())?;
    let starts = align(written, value)?;
    let from = starts[range.start];
    let to = starts[range.end.clamp(range.start, value.len())].max(from);
    Some(node.place.span.start + from..node.place.span.start + to)
}

/// For every byte of the value and its end: the byte of the written form it came from.
fn align(written: &str, value: &str) -> Option<Vec<usize>> {
    let quote = written.chars().next().filter(|first| matches!(first, '"' | '\''));
    let mut at = quote.map_or(0, char::len_utf8);
    let mut starts = Vec::with_capacity(value.len() + 1);
    for expected in value.chars() {
        let start = next(written, at, expected, quote)?;
        starts.extend(std::iter::repeat_n(start.from, expected.len_utf8()));
        at = start.to;
    }
    starts.push(at);
    Some(starts)
}

/// One character as it was written.
struct Written {
    from: usize,
    to: usize,
}

/// Finds one character of the value. Folding turns line ends and indentation into one space or a line end, so blank
/// runs are matched loosely and everything else exactly.
fn next(written: &str, at: usize, expected: char, quote: Option<char>) -> Option<Written> {
    let rest = &written[at..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    if expected == ' ' || expected == '\n' || expected == '\t' {
        let folded = rest[..blank].contains('\n');
        return Some(match rest.chars().next() {
            Some(first) if first == expected && !folded => Written { from: at, to: at + 1 },
            Some('\\') if quote == Some('"') => Written { from: at, to: at + escape(rest) },
            _ => Written { from: at, to: at + blank },
        });
    }
    let from = at + blank;
    let rest = &written[from..];
    let first = rest.chars().next()?;
    if quote == Some('"') && first == '\\' {
        let continued = rest[1..].starts_with(['\n', '\r']);
        return match continued {
            true => next(written, from + 1, expected, quote),
            false => Some(Written { from, to: from + escape(rest) }),
        };
    }
    if first != expected {
        return None;
    }
    let doubled = quote == Some('\'') && first == '\'';
    Some(Written { from, to: from + first.len_utf8() * if doubled { 2 } else { 1 } })
}

/// The length of an escape in double quotes.
fn escape(rest: &str) -> usize {
    let length = match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
    };
    length.min(rest.len())
}

#[cfg(test)]
mod tests {
    use crate::yaml::{Problems, Value, parse};

    /// Reads `text`, finds `part` in the value of `a`, and checks what stands at its place in the text.
    #[track_caller]
    fn check(text: &str, part: &str, expected: &str) {
        let mut problems = Problems::new("f", text);
        let node = parse(&mut problems).expect("readable");
        let scalar = node.get("a").expect("has `a`");
        let Value::Text(value) = &scalar.value else { panic!("{scalar:?}") };
        let start = value.find(part).unwrap();
        let place = problems.inside(scalar, start..start + part.len());
        assert_eq!(&text[place.span], expected, "{value:?}");
    }

    #[test]
    fn a_part_is_found_where_it_was_written() {
        check("a: type = track", "track", "track");
        check("a: 'it''s = bad'", "= bad", "= bad");
        check("a: 'it''s'", "'s", "''s");
        check(r#"a: "x \"y\" z""#, "z", "z");
        check(r#"a: "x \u00e9 z""#, "z", "z");
        check("a: \"one\n  two\"", "two", "two");
        check("a: \"one \\\n  two\"", "two", "two");
        check("a: |\n  one\n    two\n", "two", "two");
        check("a: >-\n  one\n  two\n", "two", "two");
        check("a: plain\n  over two", "over two", "over two");
        check("b: é\na: é x", "x", "x");
    }
}
