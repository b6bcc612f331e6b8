//! Calls as people have them at hand: one, several one after the other, a list, or the body of a batch.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Batch<'b> {
    #[serde(borrow)]
    batch: Vec<&'b RawValue>,
}

/// The text of each call. What cannot be taken apart is one call, for the door to refuse with its reason.
pub(super) fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_slice(bytes).into_iter().collect();
    let Some(values) = values.ok().filter(|values| !values.is_empty()) else { return vec![bytes] };
    match values.as_slice() {
        [one] => inside(one.get()).unwrap_or_else(|| vec![bytes]),
        several => several.iter().map(|call| call.get().as_bytes()).collect(),
    }
}

/// The items of a list or a batch; `None` when it is neither, or empty.
fn inside(text: &str) -> Option<Vec<&[u8]>> {
    let list = serde_json::from_str::<Vec<&RawValue>>(text);
    let items = list.or_else(|_| serde_json::from_str::<Batch<'_>>(text).map(|batch| batch.batch)).ok()?;
    let items: Vec<&[u8]> = items.into_iter().map(|call| call.get().as_bytes()).collect();
    Some(items).filter(|items| !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let calls: Vec<&str> =
            split(text.as_bytes()).into_iter().map(|call| std::str::from_utf8(call).unwrap()).collect();
        assert_eq!(calls, expected, "{text}");
    }

    #[test]
    fn calls_come_alone_in_lines_in_lists_and_in_batches() {
        check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
        check("{\"a\":1}\n{\"b\":2}\n", &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"[{"a":1}, {"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"{"batch":[{"a":1}],"sentAt":"x"}"#, &[r#"{"a":1}"#]);
        check("{\"a\":1}\n{\"b\":", &["{\"a\":1}\n{\"b\":"]);
        check("[]", &["[]"]);
        check("", &[""]);
    }
}
