//! The part of the docs about values: how a field is filled, and what it takes.

use super::table;
use crate::action::FieldKind;
use crate::mapping::directive::Example;

const BEFORE: &str = "
## Filling fields

Under `fields` stands, for each field of the action, where its value comes from:

";

const DEFAULTS: &str = "
A field that is left out has its default, which the table of its action shows: `email` of `identify_contact` is
`$.traits.email` without a word. `email: null` switches that off, and `defaults: false` on the mapping switches all of them
off. That is about the mapping; a `null` that an event brings is a value: it clears the field at the third party where the
table says so, and counts as missing where it does not.

What a field cannot take is made to fit where that is plain (`\"12\"` for a number), else left out with a warning, and the rest
is delivered. `on_invalid: reject` makes the whole delivery a dead letter instead. A required field that is missing or does
not fit always does.

";

/// The kinds of expression, each with what it is called.
const KINDS: [(&str, Example); 9] = [
    ("a path", Example { mapping: "$.traits.email", event: r#"{"traits":{"email":"a@b.co"}}"#, gives: r#""a@b.co""# }),
    (
        "a path to many",
        Example {
            mapping: "\"$.properties.products[*].sku\"",
            event: r#"{"properties":{"products":[{"sku":"a"},{"sku":"b"}]}}"#,
            gives: r#"["a","b"]"#,
        },
    ),
    (
        "a template",
        Example {
            mapping: "\"{{ traits.firstName }} {{ traits.lastName }}\"",
            event: r#"{"traits":{"firstName":"Ada"}}"#,
            gives: r#""Ada""#,
        },
    ),
    (
        "a directive",
        Example {
            mapping: "{ $first: [ $.traits.createdAt, $.traits.created_at ] }",
            event: r#"{"traits":{"created_at":"2026-01-31"}}"#,
            gives: r#""2026-01-31""#,
        },
    ),
    (
        "an object of these",
        Example {
            mapping: "{ plan: $.traits.plan, seats: $.traits.seats, from: app }",
            event: r#"{"traits":{"plan":"pro"}}"#,
            gives: r#"{"plan":"pro","from":"app"}"#,
        },
    ),
    (
        "a list of these",
        Example { mapping: "[ $.traits.plan, vip ]", event: r#"{"traits":{"plan":"pro"}}"#, gives: r#"["pro","vip"]"# },
    ),
    ("itself", Example { mapping: "user", event: "{}", gives: r#""user""# }),
    ("itself, as it is a number", Example { mapping: "5", event: "{}", gives: "5" }),
    ("itself, although it looks like a path", Example { mapping: "{ $literal: $.5 }", event: "{}", gives: r#""$.5""# }),
];

/// Every kind of field.
const ALL: [FieldKind; 10] = [
    FieldKind::Text,
    FieldKind::Email,
    FieldKind::Url,
    FieldKind::Number,
    FieldKind::Integer,
    FieldKind::Boolean,
    FieldKind::Timestamp,
    FieldKind::Object,
    FieldKind::Texts,
    FieldKind::Any,
];

/// What fits a kind of field, beside a list of one that does.
fn fits(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "Text; numbers and truth values become it. Empty text counts as missing, everywhere.",
        FieldKind::Email => "One `@`, a dotted domain, printable ASCII.",
        FieldKind::Url => "An absolute address with a scheme: `https://example.com/a.png`, not `/a.png`.",
        FieldKind::Number => {
            "Numbers, text that is a decimal number (`\"12.5\"`, `\"1e3\"`), `true` and `false` as 1 and 0."
        }
        FieldKind::Integer => "The same, without a fraction.",
        FieldKind::Boolean => "`true` and `false`, also as text; 1 and 0.",
        FieldKind::Timestamp => {
            "RFC 3339 (`2026-01-31T12:00:00Z`), a date (`2026-01-31`), or a Unix time in seconds, milliseconds or \
             microseconds, told apart by size; also as text. Becomes Unix seconds. Nothing else is a date."
        }
        FieldKind::Object => "Objects.",
        FieldKind::Texts => "A list of texts, or one text. What is missing in it is left out.",
        FieldKind::Any => "Anything.",
    }
}

/// Appends it.
pub(super) fn write(page: &mut String) {
    page.push_str(BEFORE);
    table(
        page,
        &["", "written", "event", "gives"],
        KINDS.iter().map(|(what, one)| {
            vec![
                (*what).to_owned(),
                format!("`{}`", one.mapping),
                format!("`{}`", one.event),
                format!("`{}`", one.gives),
            ]
        }),
    );
    page.push_str(DEFAULTS);
    table(page, &["takes", "what fits"], ALL.iter().map(|kind| vec![kind.name().to_owned(), fits(*kind).to_owned()]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::mapping::expression::{Expression, Reader};
    use crate::mapping::path::Scope;
    use crate::mapping::trigger::KindSet;
    use crate::yaml::{self, Problems};

    #[test]
    fn every_example_gives_what_it_says() {
        for (_, example) in KINDS {
            let mut problems = Problems::new("f", example.mapping);
            let node = yaml::parse(&mut problems).unwrap();
            let mut reader = Reader::new(&mut problems, "", KindSet::ALL);
            let expression = Expression::parse(&node, &mut reader).unwrap();
            let event = json::parse(example.event.as_bytes()).unwrap();
            let found = expression.resolve(&Scope::new(&event)).map(|json| json.to_string());
            assert_eq!(found.as_deref(), Some(example.gives), "{}", example.mapping);
        }
    }
}
