//! Values as YAML that a person would have written: on one line where it fits, quoted only where it must be.

use std::fmt::Write;

use crate::json::Json;

/// Lines are at most this long where they can be.
pub const WIDTH: usize = 110;

/// Words that older YAML takes for something else than text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// The lines of `key: value`, at an indentation.
pub fn entry(indent: usize, key: &str, value: &Json<'_>) -> Vec<String> {
    let head = format!("{:indent$}{}:", "", key_text(key));
    let (nested, lines) = body(indent, head.chars().count() + 1, value);
    let mut all = vec![if nested { head } else { format!("{head} {}", lines[0]) }];
    all.extend(lines.into_iter().skip(usize::from(!nested)));
    all
}

/// A value's one line, to stand behind what takes `before` characters; or its lines below that.
fn body(indent: usize, before: usize, value: &Json<'_>) -> (bool, Vec<String>) {
    let line = match value {
        Json::String(text) => scalar(text),
        value => flow(value),
    };
    let is_flat = match value {
        Json::Object(object) => object.is_empty() || before + line.chars().count() <= WIDTH,
        Json::List(items) => items.is_empty() || before + line.chars().count() <= WIDTH,
        _ => true,
    };
    match value {
        Json::Object(object) if !is_flat => {
            (true, object.iter().flat_map(|(key, value)| entry(indent + 2, key, value)).collect())
        }
        Json::List(items) if !is_flat => (true, items.iter().flat_map(|item| list_item(indent + 2, item)).collect()),
        _ => (false, vec![line]),
    }
}

fn list_item(indent: usize, item: &Json<'_>) -> Vec<String> {
    let (nested, mut lines) = body(indent, indent + 2, item);
    if nested {
        // The first line of what is nested stands behind the dash, and its own indentation is just as wide.
        let first = lines[0].split_off(indent + 2);
        lines[0] = format!("{:indent$}- {first}", "");
    } else {
        lines[0] = format!("{:indent$}- {}", "", lines[0]);
    }
    lines
}

/// A value on one line.
pub fn flow(value: &Json<'_>) -> String {
    match value {
        Json::String(text) if is_plain(text) && !text.contains([',', '"', '\'', ':', '?']) => text.to_string(),
        Json::String(text) => quoted(text),
        Json::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            if items.is_empty() { "[]".to_owned() } else { format!("[{}]", items.join(", ")) }
        }
        Json::Object(object) => {
            let members: Vec<String> =
                object.iter().map(|(key, value)| format!("{}: {}", key_text(key), flow(value))).collect();
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
        }
        value => value.to_string(),
    }
}

/// A text as it stands behind `key:` on a line of its own.
pub fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn key_text(key: &str) -> String {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = key.strip_prefix('$').unwrap_or(key);
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(inner) && !is_word(key);
    if is_plain { key.to_owned() } else { quoted(key) }
}

fn is_word(text: &str) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.starts_with("$.");
    let ends = text.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, ')' | '"' | '\'' | '.' | '_'));
    let inner = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                ' ' | '_' | '-' | '.' | '$' | '/' | '(' | ')' | '=' | '<' | '>' | '!' | '"' | '\'' | ',' | '?' | ':'
            )
    };
    begins && ends && text.chars().all(inner) && !text.contains(": ") && !text.contains(" !") && !is_word(text)
}

/// Whether a character cannot stand in YAML as it is, ends a line there, cannot be seen, or turns the order of what is
/// around it (Unicode's bidirectional controls).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with what cannot be seen in it shown: `<U+202E>`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            // Writing into a `String` cannot fail.
            true => drop(write!(out, "<U+{:04X}>", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// In single quotes where that spares escapes, else in double quotes.
fn quoted(text: &str) -> String {
    if !text.contains(is_hidden) && text.contains(['"', '\\']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hidden(c) && u32::from(c) > 0xffff => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c if is_hidden(c) => {
                // Writing into a `String` cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Lines of a comment at an indentation, broken between words.
pub fn comment(indent: usize, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        // What is indented stays so.
        let start = paragraph.len() - paragraph.trim_start_matches(' ').len();
        let mut line = paragraph[..start].to_owned();
        for (at, word) in paragraph[start..].split(' ').enumerate() {
            if at > 0 && indent + 2 + line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if at > 0 && !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.iter().map(|line| remark(indent, line)).collect()
}

/// One line of a comment, as it is: what would end the line, or cannot be seen, is shown instead.
pub fn remark(indent: usize, line: &str) -> String {
    let mut out = format!("{:indent$}# {}", "", visible(line));
    out.truncate(out.trim_end().len());
    out
}

/// The text, so that `${` in it stays what it is when the file is read.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let is_template = rest[at + 2..].starts_with('{') && !rest[..at].ends_with('$');
        out.push_str(&rest[..at]);
        out.push_str(if is_template { "${" } else { "$${" });
        rest = &rest[at + 2..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Object;
    use crate::yaml::{Lookup, Missing, Problems, interpolate, parse};

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let value = crate::json::parse(value.as_bytes()).unwrap();
        assert_eq!(entry(2, "key", &value).join("\n"), expected);
    }

    #[test]
    fn what_is_short_stands_on_one_line_and_needs_few_quotes() {
        check(r#""$.properties.plan""#, "  key: $.properties.plan");
        check(r#""$.a['b c']""#, r#"  key: "$.a['b c']""#);
        check(r#""type = \"track\"""#, r#"  key: type = "track""#);
        check(r#""!contains(event, \"x\")""#, r#"  key: '!contains(event, "x")'"#);
        check(r#""{{ traits.first }} x""#, r#"  key: "{{ traits.first }} x""#);
        check(r#"{"a":1,"$b":["$.c","yes",null,"1"]}"#, r#"  key: { a: 1, $b: [$.c, "yes", null, "1"] }"#);
        check(r#"{"@if":{}}"#, r#"  key: { "@if": {} }"#);
        check(r#""a\nb""#, r#"  key: "a\nb""#);
        check("\"a\u{202e}b\u{200b}\u{e0041}\"", r#"  key: "a\u202Eb\u200B\U000E0041""#);
    }

    #[test]
    fn what_is_long_is_indented() {
        let long = "x".repeat(90);
        check(
            &format!(r#"{{"a":["{long}",{{"b":"{long}","c":["{long}","{long}"]}}],"d":true}}"#),
            &format!(
                "  key:\n    a:\n      - {long}\n      - b: {long}\n        c:\n          - {long}\n          - {long}\n    d: true"
            ),
        );
    }

    #[test]
    fn a_comment_cannot_end_before_its_line_does() {
        assert_eq!(comment(2, "a\n  b"), ["  # a", "  #   b"]);
        assert_eq!(comment(2, "a\nb\rc\u{2028}d "), ["  # a", "  # b<U+000D>c<U+2028>d"]);
        assert!(comment(0, &"word ".repeat(60)).iter().all(|line| line.len() <= WIDTH));
    }

    fn value() -> impl Strategy<Value = Json<'static>> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~]{0,12}",
            "\\$\\.[a-z.\\[\\]']{0,10}",
            "[$]{0,3}[{]{0,2}[a-z}]{0,4}[:#, -]{0,3}",
            Just("0x10".to_owned()),
            Just("Null".to_owned()),
        ];
        let text = text.prop_map(|text| text.replace('\0', ""));
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            text.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let members = prop::collection::btree_map(text.clone(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Json::List),
                members.prop_map(|members| {
                    let mut object = Object::new();
                    members.into_iter().for_each(|(key, value)| object.push_new(key, value));
                    Json::Object(object)
                }),
            ]
        })
    }

    fn escaped(value: Json<'static>) -> Json<'static> {
        match value {
            Json::String(text) => escape(&text).into(),
            Json::List(items) => Json::List(items.into_iter().map(escaped).collect()),
            Json::Object(object) => {
                Json::Object(object.into_iter().map(|(key, value)| (key, escaped(value))).collect())
            }
            value => value,
        }
    }

    proptest! {
        /// Whatever is written reads back equal, with a comment before it and something behind it.
        #[test]
        fn what_is_written_reads_back(value in value(), remark in any::<String>()) {
            let mut lines = comment(0, &remark);
            lines.extend(entry(0, "key", &escaped(value.clone())));
            lines.push("after: 1".to_owned());
            let text = lines.join("\n") + "\n";
            let mut problems = Problems::new("f", text.as_str());
            let mut node = parse(&mut problems).unwrap_or_else(|| panic!("{problems}\n{text}"));
            let lookup = Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Refused };
            interpolate(&mut node, lookup, &mut problems);
            prop_assert!(problems.is_empty(), "{problems}\n{text}");
            prop_assert_eq!(node.get("key").unwrap().to_json(), value, "{}", text);
            prop_assert_eq!(node.get("after").unwrap().to_json(), Json::from(1));
        }
    }
}
