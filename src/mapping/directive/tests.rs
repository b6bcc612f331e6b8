//! Every directive does what its docs say.

use super::*;
use crate::json;
use crate::mapping::expression::Expression;
use crate::yaml::{self, Problems};

/// What an expression, written in YAML, comes to for an event; `-` for nothing.
fn resolved(mapping: &str, event: &str) -> String {
    let mut problems = Problems::new("f", mapping);
    let node = yaml::parse(&mut problems).unwrap_or_else(|| panic!("{mapping}: not YAML"));
    let mut reader = Reader::new(&mut problems, "x", crate::mapping::trigger::KindSet::ALL);
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

/// What a whole field comes to, what was noted, and how much work is left.
fn worked(mapping: &str, event: &str) -> (Option<usize>, String, u32) {
    let mut problems = Problems::new("f", mapping);
    let node = yaml::parse(&mut problems).unwrap_or_else(|| panic!("{mapping}: not YAML"));
    let mut reader = Reader::new(&mut problems, "x", crate::mapping::trigger::KindSet::ALL);
    let expression = Expression::parse(&node, &mut reader).unwrap_or_else(|| panic!("{problems}"));
    let event = json::parse(event.as_bytes()).unwrap();
    let scope = Scope::new(&event);
    let weight = scope.resolve(&expression).map(|found| found.weight());
    let notes: Vec<String> = scope.take_notes().iter().map(|note| note.message.to_string()).collect();
    (weight, notes.join("; "), scope.left().get())
}

/// An event with what makes work: a long text, many numbers, many texts, deep objects, texts that open and never close.
fn hostile() -> String {
    let numbers = (0..10_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let texts =
        (0..500).map(|number| format!(r#"{{"t":"{}{number}"}}"#, "a".repeat(100))).collect::<Vec<_>>().join(",");
    let patterns = (0..100).map(|number| format!(r#"{{"t":"a","p":"a{number}"}}"#)).collect::<Vec<_>>().join(",");
    let (long, quotes, tags) = ("k".repeat(50_000), r#"\""#.repeat(50_000), "<script>".repeat(15_500));
    format!(
        r#"{{"long":"{long}","quotes":"{quotes}","tags":"{tags}","deep":{{"{long}":[{numbers}]}},"list":[{numbers}],
           "texts":[{texts}],"patterns":[{patterns}],"p":"(\\w{{60}}|\\d{{50}}){{3}}"}}"#
    )
}

#[test]
fn what_is_too_much_work_comes_to_nothing_as_a_whole() {
    let event = hostile();
    let encoded =
        (0..20).fold("$.quotes".to_owned(), |inner, _| format!("{{ $json: {{ mode: encode, value: {inner} }} }}"));
    let template = format!("\"{}\"", "{{$}}".repeat(1_000));
    let members: String = (0..500).map(|at| format!("m{at}: $, ")).collect();
    let joined = "{ $join: { value: $.list, separator: \"0123456789012345678901234567890123456789\" } }";
    let joined = format!("[ {} ]", [joined; 20].join(", "));
    let filters = format!("{{ $liquid: \"{}\" }}", "{{ list | join | size }}".repeat(150));
    let conditions = format!("{{ $liquid: \"{}\" }}", "{% if deep == deep %}{% endif %}".repeat(120));
    for mapping in [
        "{ $flatten: { value: $.deep } }",
        "{ $map: { over: $.list, with: { long: $.long }, to: $.long } }",
        "{ $map: { over: $.list, with: { long: $.long }, to: x } }",
        "{ $map: { over: $.list, with: { all: $.list }, to: $.item } }",
        "{ $map: { over: $.list, with: { all: $.list }, to: { $map: { over: $.all, to: x } } } }",
        "{ $map: { over: $.list, with: { all: $.list }, to: \"$.all[?@ == 1]\" } }",
        "{ $arrayPath: [ { $map: { over: $.list, with: { l: $.long }, to: $ } }, { a: $.l } ] }",
        "{ $replace: { regex: \"<script.*?</script>|<\", value: $.tags } }",
        "\"$.patterns[?match(@.t, @.p)]\"",
        "\"$..[?$ == $]\"",
        "\"$.list[?length($.long) > @]\"",
        "\"$.list[?$.long < $.quotes]\"",
        "\"$.list[?search($.long, 'z')]\"",
        "\"$.list[?count($.list[?@ == 1]) > 0]\"",
        &*encoded,
        &*template,
        &*format!("{{ {members} }}"),
        &*joined,
        &*filters,
        &*conditions,
    ] {
        let (weight, notes, left) = worked(mapping, &event);
        let shown = crate::yaml::cut(mapping);
        assert_eq!(weight, None, "{shown}");
        let is_said = notes.contains("given up: this event is too much work") || notes.contains("longer than 1 MB");
        assert!(is_said && (left == 0 || notes.contains("1 MB")), "{shown}: {notes}, {left} left");
    }
}

#[test]
fn what_is_much_but_not_too_much_is_done() {
    let event = hostile();
    for mapping in [
        "{ $liquid: \"{{ tags | strip_html | size }}\" }",
        "{ $map: { over: $.list, to: { n: $ } } }",
        "{ $map: { over: $.texts, with: { first: \"$.list[0]\" }, to: \"{{ first }}{{ t }}\" } }",
        "\"$.texts[?search(@.t, $.p)]\"",
        "{ $replace: { pattern: \"<\", replacement: \"[\", value: $.tags } }",
        "{ $replace: { regex: \"k\", global: false, value: $.long } }",
        "\"{{ list }}\"",
        "{ $json: { mode: encode, value: $.list } }",
        "{ $join: { value: $.list } }",
    ] {
        let (weight, notes, left) = worked(mapping, &event);
        assert!(weight.is_some() && notes.is_empty() && left > 100_000, "{mapping}: {weight:?} {notes}, {left} left");
    }
}

#[test]
fn the_fields_of_a_mapping_share_their_work() {
    let event = json::parse(br#"{"a":"x"}"#).unwrap();
    let scope = Scope::new(&event);
    scope.work(1_000).unwrap();
    let left = scope.left().get();
    scope.take_notes();
    assert_eq!(scope.left().get(), left);
}
