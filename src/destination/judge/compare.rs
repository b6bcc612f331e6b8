//! Whether a value has a part, and every place where it has not.
//!
//! An object has the part when it has each of its members; other members do not matter. A list has as many items, each
//! compared with the one at its position. Numbers compare by value (`1` is `1.0`), and nothing else is the same across
//! types. A member that is expected to be `null` is there and `null`; one that must not be there is expected to be
//! `{ $absent: true }`.

use super::Difference;
use crate::json::Json;

/// The member that says that something is not there.
const ABSENT: &str = "$absent";
/// How much of a value is shown, in characters.
const SHOWN_MAX: usize = 200;

/// A place where a value is not as expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    path: String,
    expected: String,
    found: String,
}

impl Place {
    /// The difference this is, for what stands at `path` of a mapping.
    pub(super) fn of(self, mapping: &str, path: &str) -> Difference {
        Difference::new(mapping, format!("{path}{}", self.path), self.expected, self.found)
    }
}

/// Every place where `found` does not have the part `expected`.
pub(super) fn compare(expected: &Json<'_>, found: Option<&Json<'_>>) -> Vec<Place> {
    let mut places = Vec::new();
    walk(expected, found, &mut String::new(), &mut places);
    places
}

fn walk(expected: &Json<'_>, found: Option<&Json<'_>>, path: &mut String, places: &mut Vec<Place>) {
    let mut differ = |expected: String, found: String| places.push(Place { path: path.clone(), expected, found });
    match (expected, found) {
        (expected, found) if is_absent(expected) => {
            if let Some(found) = found {
                differ("nothing".to_owned(), shown(found));
            }
        }
        (expected, None) => differ(shown(expected), "nothing".to_owned()),
        (Json::Object(members), Some(found @ Json::Object(_))) => {
            for (name, expected) in members.iter() {
                within(&step(name), path, |path| walk(expected, found.get(name), path, places));
            }
        }
        (Json::List(items), Some(Json::List(found))) => {
            if items.len() != found.len() {
                let count = |number: usize| if number == 1 { "1 item".to_owned() } else { format!("{number} items") };
                differ(count(items.len()), format!("{}: {}", count(found.len()), shown(&Json::List(found.clone()))));
            }
            for (at, (expected, found)) in items.iter().zip(found).enumerate() {
                within(&format!("[{at}]"), path, |path| walk(expected, Some(found), path, places));
            }
        }
        (expected, Some(found)) if same(expected, found) => {}
        (expected, Some(found)) => differ(shown(expected), shown(found)),
    }
}

fn within(step: &str, path: &mut String, walk: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push_str(step);
    walk(path);
    path.truncate(length);
}

fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if is_plain { format!(".{name}") } else { format!("[{:?}]", name) }
}

fn is_absent(expected: &Json<'_>) -> bool {
    matches!(expected, Json::Object(members) if members.len() == 1 && members.get(ABSENT) == Some(&Json::Bool(true)))
}

fn same(expected: &Json<'_>, found: &Json<'_>) -> bool {
    let number = |json: &Json<'_>| match json {
        Json::Number(number) => Some((number.as_i128(), number.as_f64())),
        _ => None,
    };
    match (number(expected), number(found)) {
        (Some((Some(expected), _)), Some((Some(found), _))) => expected == found,
        (Some((_, expected)), Some((_, found))) => expected == found,
        _ => expected == found,
    }
}

fn shown(json: &Json<'_>) -> String {
    let text = json.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    /// Every difference, as `path: expected / found`.
    #[track_caller]
    fn check(expected: &str, found: &str, differences: &[&str]) {
        let parse = |text: &str| json::parse(text.as_bytes()).unwrap().into_owned();
        let places = compare(&parse(expected), Some(&parse(found)));
        let said: Vec<String> =
            places.into_iter().map(|place| format!("{}: {} / {}", place.path, place.expected, place.found)).collect();
        assert_eq!(said, differences, "{expected} in {found}");
    }

    #[test]
    fn an_object_has_the_members_that_are_expected() {
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, &[]);
        check(r#"{"a":{"b":{}}}"#, r#"{"a":{"b":{"c":1}}}"#, &[]);
        check(r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":2}}"#, &[".a.b: 1 / 2", ".a.c: 2 / nothing"]);
        check(r#"{"a b":1,"":2}"#, r#"{"a b":2}"#, &[r#"["a b"]: 1 / 2"#, r#"[""]: 2 / nothing"#]);
        check(r#"{"a":{}}"#, r#"{"a":[]}"#, &[".a: {} / []"]);
    }

    #[test]
    fn a_list_is_compared_item_by_item() {
        check("[1,{\"a\":1}]", "[1,{\"a\":1,\"b\":2}]", &[]);
        check("[1,2]", "[2,1]", &["[0]: 1 / 2", "[1]: 2 / 1"]);
        check("[1]", "[1,2]", &[": 1 item / 2 items: [1,2]"]);
        check("[[1,2]]", "[[1]]", &["[0]: 2 items / 1 item: [1]"]);
    }

    #[test]
    fn numbers_compare_by_value_and_nothing_across_types() {
        check("[1,1.0,-0.0,1e2]", "[1.0,1,0,100]", &[]);
        check("9007199254740993", "9007199254740992", &[": 9007199254740993 / 9007199254740992"]);
        check("18446744073709551615", "18446744073709551614", &[": 18446744073709551615 / 18446744073709551614"]);
        check("5", "\"5\"", &[": 5 / \"5\""]);
        check("false", "0", &[": false / 0"]);
        check("\"\"", "null", &[": \"\" / null"]);
    }

    #[test]
    fn a_missing_member_is_not_null() {
        check(r#"{"a":null}"#, r#"{"a":null}"#, &[]);
        check(r#"{"a":null}"#, "{}", &[".a: null / nothing"]);
        check(r#"{"a":{"$absent":true}}"#, "{}", &[]);
        check(r#"{"a":{"$absent":true}}"#, r#"{"a":null}"#, &[".a: nothing / null"]);
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let long = format!("\"{}\"", "é".repeat(300));
        let places = compare(&Json::Null, Some(&json::parse(long.as_bytes()).unwrap()));
        assert_eq!(places[0].found.chars().count(), SHOWN_MAX + 1);
    }
}
