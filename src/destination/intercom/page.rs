//! Lists as Intercom writes them: with a cursor, with page numbers, or whole.

use serde_json::{Map, Value};

use crate::action::Page;

/// A page whose next one begins after a cursor.
pub fn after_cursor(answer: &Value) -> Page {
    let next = cursor(&answer["pages"]["next"]).map(|cursor| field("starting_after", cursor.into()));
    Page { next, ..whole(answer) }
}

/// A page that has a number.
pub fn numbered(answer: &Value) -> Page {
    let (page, last) = (answer["pages"]["page"].as_u64(), answer["pages"]["total_pages"].as_u64());
    let next = page.zip(last).filter(|(page, last)| page < last).map(|(page, _)| field("page", (page + 1).into()));
    Page { next, ..whole(answer) }
}

/// A part of a scroll; an empty one is its end.
pub fn scrolled(answer: &Value) -> Page {
    let page = whole(answer);
    let scroll = answer["scroll_param"].as_str().filter(|_| !page.items.is_empty());
    Page { next: scroll.map(|scroll| field("scroll_param", scroll.into())), ..page }
}

/// A list that has no pages.
pub fn whole(answer: &Value) -> Page {
    Page {
        items: answer["data"].as_array().cloned().unwrap_or_default(),
        total: answer["total_count"].as_u64(),
        next: None,
    }
}

/// The cursor of the next page: in an object, or, as older versions write it, in an address.
fn cursor(next: &Value) -> Option<String> {
    if let Some(address) = next.as_str() {
        let query = address.split_once('?')?.1;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        return pairs.find(|(name, _)| name == "starting_after").map(|(_, value)| value.into_owned());
    }
    next["starting_after"].as_str().map(str::to_owned)
}

fn field(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(page: Page, items: usize, next: Value) {
        assert_eq!((page.items.len(), page.next.map_or(Value::Null, Value::Object)), (items, next));
    }

    #[test]
    fn every_form_of_list_says_what_comes_next() {
        let list = |pages: Value| json!({ "type": "list", "data": [{}, {}], "total_count": 9, "pages": pages });
        check(after_cursor(&list(json!({ "next": { "starting_after": "c" } }))), 2, json!({ "starting_after": "c" }));
        let address = json!({ "next": "https://x/contacts?per_page=2&starting_after=a%3D" });
        check(after_cursor(&list(address)), 2, json!({ "starting_after": "a=" }));
        check(after_cursor(&list(json!({ "next": null }))), 2, Value::Null);
        check(numbered(&list(json!({ "page": 1, "total_pages": 2 }))), 2, json!({ "page": 2 }));
        check(numbered(&list(json!({ "page": 2, "total_pages": 2 }))), 2, Value::Null);
        check(scrolled(&json!({ "data": [{}], "scroll_param": "s" })), 1, json!({ "scroll_param": "s" }));
        check(scrolled(&json!({ "data": [], "scroll_param": "s" })), 0, Value::Null);
        check(whole(&json!({ "type": "list" })), 0, Value::Null);
    }
}
