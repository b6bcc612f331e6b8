//! `${NAME}`, `${NAME:-default}` and `${file:PATH}` in the text of a file; `$${` writes `${`.
//!
//! What comes in stays text, whatever it looks like. `${{` is left alone: a template after a dollar sign.

use super::{Node, Problems, Value};

/// Where names and files are looked up.
#[derive(Clone, Copy)]
pub struct Lookup<'l> {
    /// The value of an environment variable, if it is set.
    pub environment: &'l dyn Fn(&str) -> Option<String>,
    /// The content of a file, or why it cannot be read.
    pub file: &'l dyn Fn(&str) -> Result<String, String>,
    /// What it means that one of them is not there.
    pub missing: Missing,
}

/// What a name or a file that is not there means. One with a default is never missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A mistake.
    Refused,
    /// A mistake, except in the file of a destination that is switched off.
    RefusedWhenOn,
    /// Nothing, because nothing is sent: a word stands for it.
    Ignored,
}

/// What stands for a value that is not there and is not needed.
const STAND_IN: &str = "unset";

/// Replaces every `${…}` in the texts under `node` (not in keys). What cannot be replaced is noted at its place, or is
/// made good by a word, as the lookup says: then its path is among those that are given back.
pub fn interpolate(node: &mut Node, lookup: Lookup<'_>, problems: &mut Problems) -> Vec<String> {
    let mut stood_in = Vec::new();
    walk(node, lookup, problems, "", &mut stood_in);
    stood_in
}

fn walk(node: &mut Node, lookup: Lookup<'_>, problems: &mut Problems, path: &str, stood_in: &mut Vec<String>) {
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, lookup, problems, &format!("{path}[{index}]"), stood_in);
            }
        }
        Value::Map(members) => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, lookup, problems, &format!("{path}{dot}{}", key.name), stood_in);
            }
        }
        Value::Text(text) if text.contains("${") => {
            let replaced = replace(node, lookup, problems, path, stood_in);
            let Value::Text(text) = &mut node.value else { return };
            if *text != replaced {
                node.written = Some(std::mem::replace(text, replaced).into());
            }
        }
        _ => {}
    }
}

/// The text with everything replaced; what could not be is left out.
fn replace(node: &Node, lookup: Lookup<'_>, problems: &mut Problems, path: &str, stood_in: &mut Vec<String>) -> String {
    let text = node.as_text().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        out.push_str(&text[at..start]);
        if text[at..start].ends_with('$') {
            // `$${` is an escape: its first dollar is already there.
            out.push('{');
            at = start + 2;
            continue;
        }
        if text[start + 2..].starts_with('{') {
            out.push_str("${{");
            at = start + 3;
            continue;
        }
        let Some(end) = text[start..].find('}').map(|end| start + end) else {
            let place = problems.inside(node, start..text.len());
            problems.error(INVALID, &place, path, "`${` without `}`").help("write `$${` for a literal `${`");
            return out;
        };
        match value(&text[start + 2..end], lookup) {
            Ok(value) => {
                let written = &text[start..=end];
                if !written.contains(":-") || !written.ends_with(&format!(":-{value}}}")) {
                    problems.hide(&value, written);
                }
                out.push_str(&value);
            }
            Err((code, ..)) if code != INVALID && lookup.missing == Missing::Ignored => {
                out.push_str(STAND_IN);
                stood_in.push(path.to_owned());
            }
            Err((code, message, help)) => {
                let place = problems.inside(node, start..end + 1);
                problems.error(code, &place, path, message).help(help);
            }
        }
        at = end + 1;
    }
    out.push_str(&text[at..]);
    out
}

/// The code of what does not even say what is to be looked up.
const INVALID: &str = "interpolation_invalid";

type Refusal = (&'static str, String, String);

fn value(inner: &str, lookup: Lookup<'_>) -> Result<String, Refusal> {
    if let Some(file) = inner.strip_prefix("file:") {
        let content = (lookup.file)(file).map_err(|why| {
            ("file_unreadable", format!("cannot read `{file}`: {why}"), "make the file readable here".to_owned())
        })?;
        return Ok(content.trim_end_matches(['\n', '\r']).to_owned());
    }
    let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.starts_with(|first: char| !first.is_ascii_digit());
    if !is_name {
        return Err((
            INVALID,
            format!("`${{{inner}}}` does not name an environment variable"),
            "write ${NAME}, ${NAME:-default} or ${file:PATH}; `$${` for a literal `${`".to_owned(),
        ));
    }
    match ((lookup.environment)(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            "variable_unset",
            format!("environment variable `{name}` is not set"),
            format!("set it, or give a default: ${{{name}:-…}}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    fn read(text: &str) -> (Node, Problems) {
        let environment = |name: &str| match name {
            "TOKEN" => Some("a: [b".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let file = |path: &str| match path {
            "/run/secret" => Ok("hidden\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let mut problems = Problems::new("f", text);
        let mut node = parse(&mut problems).expect("readable");
        interpolate(
            &mut node,
            Lookup { environment: &environment, file: &file, missing: Missing::Refused },
            &mut problems,
        );
        (node, problems)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (node, problems) = read(&format!("a: '{text}'"));
        assert_eq!(node.get("a").unwrap().as_text(), Some(expected), "{problems}");
        assert!(problems.is_empty(), "{problems}");
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let (_, problems) = read(text);
        let found = problems.iter().map(|problem| {
            format!("{}:{} {} {}", problem.place.line, problem.place.column, problem.code, problem.path)
        });
        assert_eq!(found.collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn names_defaults_and_files_are_put_in_as_text() {
        check("${TOKEN}", "a: [b");
        check("x${TOKEN}y${TOKEN}", "xa: [bya: [b");
        check("${NONE:-d}", "d");
        check("${NONE:-}", "");
        check("${EMPTY:-d}", "d");
        check("${EMPTY}", "");
        check("${file:/run/secret}", "hidden");
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        check("$${TOKEN}", "${TOKEN}");
        check("Total ${{ properties.x }}", "Total ${{ properties.x }}");
        check("$.a $b", "$.a $b");
    }

    #[test]
    fn what_cannot_be_put_in_is_noted_at_its_place() {
        refused("a: 1\nb:\n  - x ${NONE} y", "3:7 variable_unset b[0]");
        refused("a: { b: '${file:/none}' }", "1:10 file_unreadable a.b");
        refused("a: ${no name}", "1:4 interpolation_invalid a");
        refused("a: ${1X}", "1:4 interpolation_invalid a");
        refused("a: x ${TOKEN", "1:6 interpolation_invalid a");
    }

    #[test]
    fn what_is_not_needed_may_be_missing_and_defaults_stay() {
        let text = "a: ${NONE}\nb: ${NONE:-d}\nc: ${file:/none}\n";
        let mut problems = Problems::new("f", text);
        let mut node = parse(&mut problems).expect("readable");
        let missing = Missing::Ignored;
        let lookup = Lookup { environment: &|_| None, file: &|_| Err("none".to_owned()), missing };
        assert_eq!(interpolate(&mut node, lookup, &mut problems), ["a", "c"]);
        assert_eq!(["a", "b", "c"].map(|key| node.get(key).unwrap().as_text().unwrap()), ["unset", "d", "unset"]);
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn messages_show_what_was_written_and_not_the_secret() {
        let (node, _) = read("a: ${TOKEN}");
        assert_eq!(node.get("a").unwrap().shown(), "${TOKEN}");
    }
}
