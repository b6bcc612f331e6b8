//! Every directive does what its docs say.

use super::*;
use crate::json;
use crate::mapping::expression::Expression;
use crate::yaml::{self, Problems};

/// What an expression, written in YAML, comes to for an event; `-` for nothing.
fn resolved(mapping: &str, event: &str) -> String {
    let mut problems = Problems::new("f", mapping);
    let node = yaml::parse(&mut problems).unwrap_or_else(|| panic!("{mapping}: not YAML"));
    let mut reader = Reader {
        problems: &mut problems,
        path: "x".to_owned(),
        at_event: true,
        kinds: crate::mapping::trigger::KindSet::ALL,
    };
    let expression = Expression::parse(&node, &mut reader).unwrap_or_else(|| panic!("{problems}"));
    let event = json::parse(event.as_bytes()).unwrap();
    expression.resolve(&Scope::new(&event)).map_or("-".to_owned(), |json| json.to_string())
}

#[test]
fn every_example_gives_what_it_says() {
    for kind in ALL {
        assert!(!kind.examples.is_empty(), "{} has no example", kind.name);
        for example in kind.examples {
            let expected = if example.gives.is_empty() { "-" } else { example.gives };
            assert_eq!(resolved(example.mapping, example.event), expected, "{}", example.mapping);
            let uses = [format!("${}", kind.name), format!("@{}", kind.name), "{{".to_owned()];
            assert!(uses.iter().any(|use_| example.mapping.contains(use_.as_str())), "{}", example.mapping);
        }
    }
}

#[test]
fn the_list_is_in_order_and_every_schema_is_one() {
    let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for kind in ALL {
        let schema = (kind.schema)();
        assert!(schema.is_object() || schema == true, "{}: {schema}", kind.name);
    }
}

#[test]
fn no_event_makes_a_mapping_run_long_or_fill_the_memory() {
    let long = "k".repeat(50_000);
    let numbers = (0..10_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let event = format!(r#"{{"long":"{long}","deep":{{"{long}":[{numbers}]}},"list":[{numbers}]}}"#);
    let event = json::parse(event.as_bytes()).unwrap();
    for mapping in [
        "{ $flatten: { value: $.deep } }",
        "{ $map: { over: $.list, with: { long: $.long }, to: $.long } }",
        "{ $map: { over: $.list, with: { all: $.list }, to: { $map: { over: $.all, to: x } } } }",
        "{ $map: { over: $.list, with: { all: $.list }, to: \"$.all[?@ == 1]\" } }",
        "{ $map: { over: $.list, to: { $map: { over: [1, 2, 3], to: \"{{ $ }}\" } } } }",
    ] {
        let mut problems = Problems::new("f", mapping);
        let node = yaml::parse(&mut problems).unwrap();
        let mut reader = Reader {
            problems: &mut problems,
            path: "x".to_owned(),
            at_event: true,
            kinds: crate::mapping::trigger::KindSet::ALL,
        };
        let expression = Expression::parse(&node, &mut reader).unwrap_or_else(|| panic!("{problems}"));
        let scope = Scope::new(&event);
        let found = expression.resolve(&scope);
        let weight = found.map_or(0, |found| found.weight());
        assert!(weight < 5_000_000, "{mapping}: {weight}");
        let is_heavy = mapping.contains("long") || mapping.contains("all") || mapping.contains("deep");
        assert_eq!(scope.take_notes().len(), usize::from(is_heavy), "{mapping}");
    }
}
