//! What an app must be allowed to do for a request. The names are ours: the API never tells what a token may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One permission of an app, as its owner grants it in the developer hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Read and list users, leads and companies.
    ReadPeople,
    /// Write users, leads and companies.
    WritePeople,
    /// Read tags.
    ReadTags,
    /// Write tags, and tag people and companies.
    WriteTags,
    /// Read events.
    ReadEvents,
    /// Write events.
    WriteEvents,
    /// Read data attributes.
    ReadAttributes,
    /// Write data attributes.
    WriteAttributes,
    /// Read tickets and their types.
    ReadTickets,
    /// Write tickets and their types.
    WriteTickets,
    /// Read admins.
    ReadAdmins,
}

impl Permission {
    /// What a request needs; nothing for the connection test.
    pub fn needed(method: &str, path: &str) -> Option<Permission> {
        use Permission::{
            ReadAdmins, ReadAttributes, ReadEvents, ReadPeople, ReadTags, ReadTickets, WriteAttributes, WriteEvents,
            WritePeople, WriteTags, WriteTickets,
        };
        let reads = method == "GET" || path.ends_with("/search") || path == "/companies/list";
        let either = |read, write| Some(if reads { read } else { write });
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["tags", ..] | ["contacts", _, "tags", ..] => either(ReadTags, WriteTags),
            ["contacts" | "companies", ..] => either(ReadPeople, WritePeople),
            ["events", ..] => either(ReadEvents, WriteEvents),
            ["data_attributes", ..] => either(ReadAttributes, WriteAttributes),
            ["tickets" | "ticket_types" | "jobs", ..] => either(ReadTickets, WriteTickets),
            ["admins", ..] => Some(ReadAdmins),
            _ => None,
        }
    }

    /// The word of settings.
    pub fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Option<&str>) {
        let needed = Permission::needed(method, path).map(Permission::word);
        assert_eq!(needed.as_deref(), expected, "{method} {path}");
    }

    #[test]
    fn requests_need_what_they_touch() {
        check("GET", "/me", None);
        check("GET", "/contacts/7", Some("read_people"));
        check("POST", "/contacts/search", Some("read_people"));
        check("POST", "/companies/list", Some("read_people"));
        check("POST", "/contacts", Some("write_people"));
        check("POST", "/contacts/7/tags", Some("write_tags"));
        check("DELETE", "/contacts/7/companies/8", Some("write_people"));
        check("GET", "/tags", Some("read_tags"));
        check("POST", "/events", Some("write_events"));
        check("GET", "/ticket_types", Some("read_tickets"));
        check("POST", "/tickets/search", Some("read_tickets"));
    }
}
