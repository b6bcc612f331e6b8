//! Whether what became of an event is what a test expects, and where it is not.

use serde_json::json;

use super::{Explained, Explanation, KeptOut, Sent};
use crate::json::{self, Json};
use crate::mapping::case::{Expected, Request, Test};
use crate::mapping::trigger;

use self::compare::compare;

mod compare;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The mapping.
    pub mapping: String,
    /// What of it: `payload.metadata.price`, `requests[0].body`; empty for the mapping itself.
    pub path: String,
    /// What the test expects.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Difference {
    fn new(mapping: &str, path: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Difference { mapping: mapping.to_owned(), path: path.into(), expected: expected.into(), found: found.into() }
    }
}

/// Everything that is not as the test expects, in the order of its `expect`.
pub fn judge(test: &Test, explanation: &Explanation) -> Vec<Difference> {
    let mut differences = Vec::new();
    for expected in &test.expect {
        match explanation.mappings.iter().find(|one| one.name == expected.mapping) {
            Some(one) => mapping(expected, one, explanation, &mut differences),
            None => differences.push(Difference::new(&expected.mapping, "", "a mapping of this name", "none")),
        }
    }
    if test.only && explanation.kept_out.is_none() {
        let is_named = |one: &Explained| test.expect.iter().any(|expected| expected.mapping == one.name);
        let others = explanation.mappings.iter().filter(|one| one.matched && one.enabled && !is_named(one));
        differences.extend(others.map(|one| {
            let found = "it matches too (name it in `expect`, or write `only: false`)";
            Difference::new(&one.name, "", "no other mapping to match", found)
        }));
    }
    differences
}

fn mapping(expected: &Expected, one: &Explained, explanation: &Explanation, differences: &mut Vec<Difference>) {
    let mut differ =
        |path: &str, expected: &str, found: String| differences.push(Difference::new(&one.name, path, expected, found));
    if !expected.matched {
        if one.matched && explanation.kept_out.is_none() {
            differ("", "no match", "it matches".to_owned());
        }
        return;
    }
    if let Some(kept_out) = explanation.kept_out {
        return differ("", "a match", kept_out_of(kept_out, explanation));
    }
    if !one.matched {
        return differ("", "a match", format!("no match: {}", refusal(&one.trigger)));
    }
    match (&expected.error, &one.error) {
        (None, Some(error)) => {
            return differ("", "a payload", format!("a dead letter: {}: {}", error.code, error.message));
        }
        (Some(_), None) => return differ("error", "no payload", "there is a payload".to_owned()),
        (Some(part), Some(error)) => compare_with(one, "error", part, &json!(error), differences),
        (None, None) => {}
    }
    if let (Some(part), Some(payload)) = (&expected.payload, &one.payload) {
        let payload = Json::Object(payload.clone());
        differences.extend(compare(&part.to_json(), Some(&payload)).into_iter().map(|at| at.of(&one.name, "payload")));
    }
    if let (Some(part), Some(outcome)) = (&expected.outcome, &one.outcome) {
        compare_with(one, "outcome", part, &json!(outcome), differences);
    }
    warnings(expected, one, differences);
    if let Some(expected) = &expected.requests {
        requests(expected, one, differences);
    }
}

fn compare_with(
    one: &Explained,
    path: &str,
    part: &Json<'_>,
    found: &serde_json::Value,
    differences: &mut Vec<Difference>,
) {
    differences.extend(compare(part, Some(&Json::from(found))).into_iter().map(|at| at.of(&one.name, path)));
}

fn kept_out_of(kept_out: KeptOut, explanation: &Explanation) -> String {
    match explanation.filter.as_ref().filter(|_| kept_out == KeptOut::Filter) {
        Some(filter) => format!("nothing: {}: {}", kept_out.reason(), refusal(filter)),
        None => format!("nothing: {}", kept_out.reason()),
    }
}

/// Each warning that is expected is among them; when none is expected, there is none.
fn warnings(expected: &Expected, one: &Explained, differences: &mut Vec<Difference>) {
    let Some(parts) = &expected.warnings else { return };
    let found: Vec<Json<'_>> = one.warnings.iter().map(|warning| Json::from(&json!(warning))).collect();
    let said = |found: &[Json<'_>]| match found {
        [] => "none".to_owned(),
        found => found.iter().map(Json::to_string).collect::<Vec<_>>().join(", "),
    };
    if parts.is_empty() && !found.is_empty() {
        differences.push(Difference::new(&one.name, "warnings", "none", said(&found)));
    }
    for (at, part) in parts.iter().enumerate() {
        if !found.iter().any(|found| compare(part, Some(found)).is_empty()) {
            differences.push(Difference::new(&one.name, format!("warnings[{at}]"), part.to_string(), said(&found)));
        }
    }
}

fn requests(expected: &[Request], one: &Explained, differences: &mut Vec<Difference>) {
    for at in 0..expected.len().max(one.requests.len()) {
        let path = format!("requests[{at}]");
        match (expected.get(at), one.requests.get(at)) {
            (Some(expected), Some(found)) => request(expected, found, one, &path, differences),
            (Some(expected), None) => {
                let expected = format!("{} {}", expected.method, expected.path);
                differences.push(Difference::new(&one.name, path, expected, "no such request"));
            }
            (None, Some(found)) => {
                let found = format!("{} {}", found.method, found.path);
                differences.push(Difference::new(&one.name, path, "no further request", found));
            }
            (None, None) => {}
        }
    }
}

fn request(expected: &Request, found: &Sent, one: &Explained, path: &str, differences: &mut Vec<Difference>) {
    if expected.method != found.method || !same_path(&expected.path, &found.path) {
        let line = |method: &str, path: &str| format!("{method} {path}");
        let (expected, found) = (line(&expected.method, &expected.path), line(&found.method, &found.path));
        return differences.push(Difference::new(&one.name, path, expected, found));
    }
    let Some(part) = &expected.body else { return };
    let body = found.body.as_ref().and_then(|body| json::parse(body.get().as_bytes()).ok());
    let path = format!("{path}.body");
    match (part, &body) {
        (Json::Null, None) => {}
        (part, body) => differences.extend(compare(part, body.as_ref()).into_iter().map(|at| at.of(&one.name, &path))),
    }
}

/// Whether a path is the one that is expected, in which `*` stands for any one part.
fn same_path(expected: &str, found: &str) -> bool {
    let (mut expected, mut found) = (expected.split('/'), found.split('/'));
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other || (one == "*" && !other.is_empty()) => {}
            _ => return false,
        }
    }
}

/// The smallest parts of a condition that are to blame, with what they look at.
pub fn refusal(condition: &trigger::Explained) -> String {
    let mut parts = Vec::new();
    blame(condition, condition.holds, &mut parts);
    parts.join("; ")
}

fn blame(condition: &trigger::Explained, holds: bool, parts: &mut Vec<String>) {
    // Below a `!`, which has one part, it is the other way round.
    if let [part] = condition.parts.as_slice() {
        return blame(part, !holds, parts);
    }
    let to_blame: Vec<_> = condition.parts.iter().filter(|part| part.holds == holds).collect();
    if !to_blame.is_empty() {
        return to_blame.into_iter().for_each(|part| blame(part, holds, parts));
    }
    parts.push(format!("`{}` is {holds}{}", condition.source.trim(), values(condition)));
}

fn values(condition: &trigger::Explained) -> String {
    let paths = condition.values.iter().filter(|value| value.source != value.value && !is_quoted(&value.source));
    let said: Vec<String> = paths
        .map(|value| match value.kind {
            "missing" => format!("{} is missing", value.source),
            _ => format!("{} is {}", value.source, value.value),
        })
        .collect();
    match said.is_empty() {
        true => String::new(),
        false => format!(" ({})", said.join(", ")),
    }
}

fn is_quoted(source: &str) -> bool {
    source.starts_with(['"', '\'', '['])
}

#[cfg(test)]
mod tests {
    use super::same_path;

    #[test]
    fn a_star_is_any_one_part_of_a_path() {
        for (expected, found, same) in [
            ("/contacts", "/contacts", true),
            ("/contacts/*", "/contacts/5", true),
            ("/contacts/*/notes", "/contacts/5/notes", true),
            ("/contacts/*", "/contacts/5/notes", false),
            ("/contacts/*", "/contacts/", false),
            ("/contacts", "/contacts/5", false),
        ] {
            assert_eq!(same_path(expected, found), same, "{expected} {found}");
        }
    }
}
