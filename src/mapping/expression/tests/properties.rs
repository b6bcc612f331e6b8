//! What holds for every expression and every event.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::*;
use crate::json::Json;
use crate::yaml::{Node, Place};

/// Text that means something in one place or another.
fn any_text() -> impl Strategy<Value = String> {
    let words = vec![
        "$",
        "$.a",
        "$.a.b",
        "$.list[*].a",
        "$.list[-1]",
        "$..a",
        "$.list[?@.a > 1]",
        "$.list[?match(@.s, 'a.*')]",
        "a.b",
        "{{ a.b }}",
        "{{ s }} x {{ list }}",
        "a{{}}b",
        "lower",
        "upper",
        "encode",
        "decode",
        "left",
        "right",
        "seconds",
        "rfc3339",
        "",
        " ",
        ".",
        "-",
        "12",
        "-1.5e3",
        "now",
        "2026-01-31",
        "(a+)+",
        "$1$&",
        "[1,2]",
        "{\"a\":1}",
        "é😀",
        "{{ s | upcase | replace: 'a', s }}",
        "{% if a %}{{ list | join: ',' }}{% endif %}",
        "{% assign s = list %}{{ s }}",
        "{{ n | times: n | divided_by: m | round: 2 | minus: 9223372036854775807 }}",
        "{{ s | slice: n, n | truncate: n }}",
        "{{ list | first | json | base64_encode | url_decode }}",
        "{{ at | date: '%Y %s %Q %5%' }}",
        "{% capture s %}{{ s }}{{ s }}{% endcapture %}{{ s | split: '' | size }}",
    ];
    prop_oneof![6 => select(words).prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => any::<String>()]
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => any_text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-3_i64..4).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ]
}

/// The keys that directives take, and others.
const KEYS: [&str; 26] = [
    "value",
    "operator",
    "pattern",
    "regex",
    "replacement",
    "pattern2",
    "replacement2",
    "global",
    "ignorecase",
    "direction",
    "objects",
    "separator",
    "omitArrays",
    "mode",
    "apply",
    "mapping",
    "exists",
    "blank",
    "then",
    "else",
    "over",
    "to",
    "with",
    "table",
    "default",
    "as",
];

/// An expression as a file may hold it: some are none.
fn any_expression() -> impl Strategy<Value = Value> {
    any_scalar().prop_recursive(4, 32, 4, |inner| {
        let names: Vec<&str> = directive::ALL.iter().map(|kind| kind.name).collect();
        let key = prop_oneof![6 => select(KEYS.to_vec()).prop_map(str::to_owned), 1 => any_text()];
        let members = prop::collection::vec((key, inner.clone()), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()));
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
        let argument = prop_oneof![2 => inner.clone(), 4 => members.clone(), 1 => list.clone()];
        prop_oneof![
            4 => (select(vec!["$", "@"]), select(names), argument)
                .prop_map(|(sign, name, argument)| json!({ (format!("{sign}{name}")): argument })),
            4 => whole(inner),
            1 => members,
            1 => list,
        ]
    })
}

/// A directive with the arguments it takes.
fn whole(inner: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    (select(vec!["$", "@"]), 0_usize..14, inner.clone(), inner.clone(), any_text()).prop_map(
        |(sign, which, one, other, text)| {
            let (name, argument) = match which {
                0 => ("case", json!({ "operator": "upper", "value": one })),
                1 => ("replace", json!({ "pattern": "a", "replacement": "$&", "value": one })),
                2 => ("replace", json!({ "regex": text, "replacement": "$0$1", "value": one })),
                3 => ("merge", json!({ "direction": "left", "objects": [one, other] })),
                4 => ("flatten", json!({ "separator": text, "value": one })),
                5 => ("json", json!({ "mode": "encode", "value": one })),
                6 => ("json", json!({ "mode": "decode", "value": one })),
                7 => ("transform", json!({ "apply": one, "mapping": other })),
                8 => ("map", json!({ "over": one, "to": other, "with": { "x": "$.a" } })),
                9 => ("lookup", json!({ "value": one, "table": { "a": other, "1": text } })),
                10 => ("join", json!({ "value": one, "separator": text })),
                11 => ("date", json!({ "value": one, "as": "microseconds" })),
                12 => ("if", json!({ "blank": one, "then": other, "else": text })),
                _ => ("arrayPath", json!([text, { "a": one }])),
            };
            json!({ (format!("{sign}{name}")): argument })
        },
    )
}

fn any_event() -> impl Strategy<Value = Value> {
    let value = any_scalar().prop_recursive(4, 24, 4, |inner| {
        let key = select(vec!["a", "b", "s", "n", "", "a.b"]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (value.clone(), value.clone(), value.clone(), any_scalar(), any_scalar(), any_scalar())
        .prop_map(|(a, b, list, n, m, at)| json!({ "a": a, "s": b, "list": [list, n], "n": n, "m": m, "at": at }))
}

fn parse(expression: &Value) -> (Option<Expression>, Problems) {
    let mut problems = Problems::new("f", "");
    let node = Node::from_json(expression, &Place { line: 1, column: 1, ..Place::default() });
    let mut reader = Reader::new(&mut problems, "", crate::mapping::trigger::KindSet::ALL);
    (Expression::parse(&node, &mut reader), problems)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_over_any_event_gives_the_same_twice(expression in any_expression(), event in any_event()) {
        let (read, problems) = parse(&expression);
        prop_assert_eq!(read.is_none(), problems.has_errors(), "{}: {}", expression, problems);
        let (Some(one), Some(other)) = (read, parse(&expression).0) else { return Ok(()) };
        let event = Json::from(&event);
        let (scope, again) = (Scope::new(&event), Scope::new(&event));
        let (found, found_again) = (one.resolve(&scope), other.resolve(&again));
        prop_assert_eq!(&found, &found_again, "{}", expression);
        prop_assert_eq!(scope.take_notes(), again.take_notes());
        if let (Some(kind), Some(found)) = (one.gives(), &found) {
            prop_assert_eq!(found.kind(), kind, "{}", expression);
        }
    }
}
