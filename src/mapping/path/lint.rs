//! What a JSONPath may not hold, although the parser takes it.

use std::ops::Range;

/// Why a query may not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The word of the path it is about, when it is about one.
    pub word: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: Option<&'static str>,
}

impl Refused {
    fn new(word: &str, message: String, help: &'static str) -> Self {
        Refused { word: Some(format!("{word}(")), message, help: Some(help) }
    }

    /// A function that RFC 9535 does not have.
    pub fn foreign(name: &str) -> Self {
        let message = format!("`{name}` is not a function of JSONPath");
        Refused::new(name, message, "compare with `==` and join with `||`")
    }

    /// A function that gives a value, where a condition is wanted.
    pub fn not_compared(name: &str) -> Self {
        let message = format!("`{name}` gives a value, not a condition");
        Refused::new(name, message, "compare it: `length(@.name) > 3`")
    }

    /// A function that gives a condition, where a value is wanted.
    pub fn compared(name: &str) -> Self {
        let message = format!("`{name}` is a condition, it cannot be compared");
        Refused::new(name, message, "write it alone: `?match(@.name, 'A.*')`, or with `!` before it")
    }

    /// A function of one value that is given a query with many.
    pub fn many_values(name: &str) -> Self {
        let message = format!("`{name}` takes one value, and this path may give many");
        Refused::new(name, message, "write a path without wildcards, slices and filters, or use `count`")
    }

    /// A function that is given a condition.
    pub fn condition(name: &str) -> Self {
        Refused::new(name, format!("`{name}` takes a value, not a condition"), "write a path or a literal")
    }

    /// A function of a query that is given something else.
    pub fn not_query(name: &str) -> Self {
        Refused::new(name, format!("`{name}` takes a path"), "write a path: `count(@.items[*])`")
    }
}

/// A blank where RFC 9535 has none; the parser skips it.
pub(super) fn blank(text: &str) -> Option<Range<usize>> {
    let mut quote = None;
    let mut is_escaped = false;
    let mut token_at = 0;
    let mut before = None;
    let mut blank: Option<usize> = None;
    for (at, c) in text.char_indices() {
        if let Some(open) = quote {
            (quote, is_escaped) = (Some(open).filter(|_| is_escaped || c != open), c == '\\' && !is_escaped);
            before = Some(c);
            continue;
        }
        if c.is_ascii_whitespace() {
            blank.get_or_insert(at);
            continue;
        }
        if let (Some(start), Some(before)) = (blank.take(), before) {
            let is_number = text[token_at..].starts_with(|c: char| c.is_ascii_digit() || c == '-');
            let parts = before == '.' || before == '-' || is_word(before) && (is_word(c) || c == '(');
            if parts || (is_number && is_word(before) && matches!(c, '.' | '+' | '-')) {
                return Some(start..at);
            }
        }
        if !(is_word(c) && before.is_some_and(|before| is_word(before) || before == '-')) {
            token_at = at;
        }
        if matches!(c, '\'' | '"') {
            quote = Some(c);
        }
        before = Some(c);
    }
    blank.map(|start| start..text.len())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// One of the operators of other dialects, spelled as a word between two values.
pub(super) fn operator(text: &str) -> Option<Range<usize>> {
    const OPERATORS: [&str; 12] =
        ["in", "nin", "noneof", "none_of", "anyof", "any_of", "subsetof", "subset_of", "size", "contains", "and", "or"];
    let mut at = 0;
    text.split_inclusive([' ', '\t']).find_map(|piece| {
        let start = at;
        at += piece.len();
        let word = piece.trim();
        let is_operator = text.contains('?') && start > 0 && OPERATORS.contains(&word.to_lowercase().as_str());
        is_operator.then(|| start..start + word.len())
    })
}
