//! Answers as tables and JSON.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::Form;
use crate::cli::print;
use crate::cli::table::{self, Table};
use crate::instant::Timestamp;

/// The columns of things whose type is known.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("contact", &["id", "role", "external_id", "email", "name", "last_seen_at"]),
    ("company", &["id", "company_id", "name", "plan.name", "user_count", "website"]),
    ("tag", &["id", "name"]),
    ("ticket_type", &["id", "name", "category", "description"]),
    ("ticket", &["id", "ticket_id", "ticket_state.category", "category", "created_at"]),
];
/// Most columns of things of another type.
const COLUMNS_MAX: usize = 6;

/// A list as it comes in.
pub(super) struct Rows {
    form: Form,
    items: Vec<Value>,
    count: usize,
    total: Option<u64>,
    more: bool,
    next: Option<Value>,
}

impl Rows {
    /// An empty list.
    pub(super) fn new(form: Form) -> Rows {
        Rows { form, items: Vec::new(), count: 0, total: None, more: false, next: None }
    }

    /// Takes a page.
    pub(super) fn take(&mut self, mut page: Value) {
        let items = match page["items"].take() {
            Value::Array(items) => items,
            Value::Null if page.is_array() => page.as_array().cloned().unwrap_or_default(),
            _ => vec![page.clone()],
        };
        self.count += items.len();
        self.total = page["total"].as_u64().or(self.total);
        self.next = Some(page["next"].clone()).filter(|next| !next.is_null());
        self.more = self.next.is_some();
        match self.form {
            Form::Jsonl => items.into_iter().for_each(print),
            _ => self.items.extend(items),
        }
        self.progress();
    }

    /// Prints what there is of a list that could not be read to its end.
    pub(super) fn break_off(self) {
        if self.count > 0 {
            self.show();
        }
    }

    fn show(&self) {
        if self.shows_progress() {
            eprint!("\r\x1b[K");
        }
        match self.form {
            Form::Table if self.items.is_empty() => {}
            Form::Table => rows(&self.items).lines(table::width()).into_iter().for_each(print),
            Form::Json => print(json!({"items": self.items, "total": self.total, "next": self.next})),
            Form::Jsonl => {}
        }
    }

    /// Prints what is still to be printed, and tells how many there were.
    pub(super) fn finish(self) -> usize {
        self.show();
        if self.more {
            let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            eprintln!("{}{of} shown; --all gets the rest", self.count);
        } else if self.form == Form::Table {
            eprintln!("{}", crate::cli::report::counted(self.count, "row"));
        }
        self.count
    }

    fn progress(&self) {
        if self.shows_progress() {
            let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            eprint!("\r\x1b[K{}{of}", self.count);
            // A count that is not seen harms nothing.
            let _ = std::io::stderr().flush();
        }
    }

    fn shows_progress(&self) -> bool {
        self.form != Form::Jsonl && std::io::stderr().is_terminal()
    }
}

/// A table of things.
fn rows(items: &[Value]) -> Table {
    let kind = items.first().and_then(|item| item["type"].as_str()).unwrap_or_default();
    let known = COLUMNS.iter().find(|(name, _)| *name == kind);
    let columns: Vec<String> = match known {
        Some((_, columns)) => columns.iter().map(|name| (*name).to_owned()).collect(),
        None => plain_members(items.first()),
    };
    let cells = |item: &Value| columns.iter().map(|column| cell(column, at(item, column))).collect();
    let heads = columns.iter().map(|name| name.split('.').next().unwrap_or(name).to_owned());
    Table::new(heads.collect(), items.iter().map(cells).collect())
}

fn plain_members(item: Option<&Value>) -> Vec<String> {
    let members = item.and_then(Value::as_object).into_iter().flatten();
    let plain = members.filter(|(name, value)| *name != "type" && !value.is_object() && !value.is_array());
    plain.map(|(name, _)| name.clone()).take(COLUMNS_MAX).collect()
}

fn at<'v>(item: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(item, |value, name| &value[name])
}

/// A value in a cell. Times are shown as dates.
fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if name.ends_with("_at") => {
            let at = number.as_i64().and_then(|second| Timestamp::from_second(second).ok());
            at.map_or_else(|| number.to_string(), |at| at.to_string())
        }
        other => other.to_string(),
    }
}

/// One thing: a line for each member that says something; what is in it of other things by their names, or as it is.
pub(super) fn one(document: &Value, as_it_is: bool) -> Vec<String> {
    let Some(members) = document.as_object() else { return vec![document.to_string()] };
    let said = members.iter().filter(|(_, value)| !is_empty(value));
    let text = |name, value| if as_it_is { cell(name, value) } else { brief(name, value) };
    let rows = said.map(|(name, value)| vec![name.clone(), text(name, value)]).collect();
    Table::without_head(rows).lines(table::width())
}

/// Another thing by its name, a list by the names of what is in it, and values under names one after the other.
fn brief(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| brief(name, item)).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let list = members.iter().find(|(_, value)| value.is_array());
            let named = ["name", "external_label", "id"].iter().find_map(|name| members.get(*name)?.as_str());
            match (list, named, members.contains_key("type")) {
                (_, Some(named), true) => named.to_owned(),
                (Some((name, list)), _, _) if members.keys().all(|key| key == name || is_about(key)) => {
                    brief(name, list)
                }
                _ => {
                    let said = members.iter().filter(|(_, value)| !is_empty(value));
                    let said = said.map(|(name, value)| format!("{name} {}", cell(name, value)));
                    format!("({})", said.collect::<Vec<_>>().join(", "))
                }
            }
        }
        plain => cell(name, plain),
    }
}

/// Whether a member says only how a list is called, or where it could be read.
fn is_about(name: &str) -> bool {
    matches!(name, "type" | "url" | "has_more" | "total_count")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.iter().all(|(name, value)| is_about(name) || is_empty(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_contacts_has_their_columns() {
        let items = [
            json!({"type": "contact", "id": "1", "role": "user", "email": "a@b.c", "last_seen_at": 1_767_225_600, "tags": {}}),
        ];
        let lines = rows(&items).lines(None);
        assert_eq!(lines[0], "id  role  external_id  email  name  last_seen_at");
        assert_eq!(lines[1], "1   user               a@b.c        2026-01-01T00:00:00Z");
        let other = rows(&[json!({"type": "other", "a": 1, "b": {"c": 1}})]).lines(None);
        assert_eq!(other, ["a", "1"]);
    }

    #[test]
    fn what_is_in_a_thing_is_shown_by_its_name() {
        let contacts = json!({"type": "contact.list", "contacts": [{"type": "contact", "id": "c1"}, {"type": "contact", "id": "c2"}]});
        let document = json!({
            "state": {"type": "ticket_state", "id": "10", "external_label": "Submitted"}, "contacts": contacts,
            "tags": {"data": [{"type": "tag", "id": "1", "url": "/tags/1"}], "url": "/x", "has_more": false, "total_count": 1},
            "ticket_attributes": {"name": "Hello", "seats": 5}, "list": ["a", "b"],
        });
        let lines = [
            "contacts           c1, c2",
            "list               a, b",
            "state              Submitted",
            "tags               1",
            "ticket_attributes  (name Hello, seats 5)",
        ];
        assert_eq!(one(&document, false), lines);
        assert!(one(&document, true)[0].starts_with(r#"contacts           {"contacts""#));
    }

    #[test]
    fn one_thing_is_shown_without_what_is_empty() {
        let document = json!({"id": "1", "name": null, "tags": {"data": [], "url": "/x", "has_more": false}, "created_at": 0, "n": false});
        assert_eq!(one(&document, false), ["created_at  1970-01-01T00:00:00Z", "id          1", "n           false"]);
    }
}
