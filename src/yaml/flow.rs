//! `${NAME}` without quotes inside `{ … }` and `[ … ]`, where YAML itself takes its braces for a map.
//!
//! # Why
//! `{ write_key: ${WEBSITE_WRITE_KEY} }` is what everybody writes. A backtick takes no more room than a brace and means
//! nothing to YAML within a word, so the braces are written as backticks for the parser and put back afterwards: every
//! place in the text stays the same.

use super::{Key, Node, Value};

/// What a masked `${` begins with.
const MASK: &str = "$`";

/// The text with `` $`NAME` `` for every `${NAME}`. `None` when there is none, or when the two could be confused.
pub(super) fn mask(text: &str) -> Option<String> {
    if text.contains(MASK) {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let inner = &rest[start + 2..];
        let end = inner.find(['}', '{', '`', '[', ']', ',', '\n']).filter(|end| inner[*end..].starts_with('}'));
        masked.push_str(&rest[..start]);
        match end {
            Some(end) => {
                masked.extend([MASK, &inner[..end], "`"]);
                rest = &inner[end + 1..];
            }
            None => {
                masked.push_str("${");
                rest = inner;
            }
        }
    }
    masked.push_str(rest);
    (masked != text).then_some(masked)
}

/// The text that was masked.
pub(super) fn unmask_text(text: &str) -> String {
    let mut parts = text.split(MASK);
    let mut unmasked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        unmasked.push_str("${");
        unmasked.push_str(&part.replacen('`', "}", 1));
    }
    unmasked
}

/// Puts the braces back in every key and text under a node.
pub(super) fn unmask(node: &mut Node) {
    match &mut node.value {
        Value::Text(text) => *text = unmask_text(text),
        Value::List(items) => items.iter_mut().for_each(unmask),
        Value::Map(members) => members.iter_mut().for_each(|(Key { name, .. }, value)| {
            *name = unmask_text(name);
            unmask(value);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let masked = mask(text);
        assert_eq!(masked.as_deref(), expected);
        if let Some(masked) = masked {
            assert_eq!((masked.len(), unmask_text(&masked)), (text.len(), text.to_owned()));
        }
    }

    #[test]
    fn braces_of_variables_become_backticks_and_nothing_else() {
        check("{ a: ${A}, b: '${B:-c}' }", Some("{ a: $`A`, b: '$`B:-c`' }"));
        check("{ a: ${file:/x}y${B} }", Some("{ a: $`file:/x`y$`B` }"));
        check("{ a: `b`, c: ${D} }", Some("{ a: `b`, c: $`D` }"));
        check("{ a: b }", None);
        check("{ a: \"${{ b }}\" }", None);
        check("{ a: ${B:-[c]} }", None);
        check("{ a: ${B\n} }", None);
        check("{ a: ${B}, c: $`d }", None);
    }
}
