//! `$path`: what stands at a place in the event.

use serde_json::json;

use super::{Example, Kind, arguments};

/// `$path`
pub const KIND: Kind = Kind {
    name: "path",
    docs: "What stands at a place in the event; the same as the path alone. `$.` may be missing. An expression that \
           gives text is followed as a path of names and indexes.",
    examples: &[
        Example {
            mapping: "{ $path: $.properties.plan }",
            event: r#"{"properties":{"plan":"pro"}}"#,
            gives: r#""pro""#,
        },
        Example {
            mapping: "{ $path: { $template: \"traits.{{ properties.key }}\" } }",
            event: r#"{"properties":{"key":"seats"},"traits":{"seats":3}}"#,
            gives: "3",
        },
    ],
    schema: || json!({ "type": ["string", "object"] }),
    parse: arguments::path,
};
