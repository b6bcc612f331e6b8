//! Expressions over events.

use super::*;
use crate::json;
use crate::mapping::trigger::KindSet;
use crate::yaml;

mod properties;

const EVENT: &str = r#"{"type":"track","userId":"u1","properties":{"s":"Hello World","e":"","z":0,"f":false,"t":true,
"n":null,"num":12.5,"whole":12.0,"arr":[1,2,3],"empty":[],"obj":{"a":1,"n":null},"products":[{"id":1},{"id":2}],
"dollar":"$5.00","key":"s"},"traits":{"email":"A@B.co"}}"#;

fn read(text: &str) -> (Option<Expression>, Problems) {
    let mut problems = Problems::new("f", text);
    let node = yaml::parse(&mut problems).unwrap_or_else(|| panic!("{text}: not YAML"));
    let mut reader = Reader::new(&mut problems, "fields.x", KindSet::ALL);
    let expression = Expression::parse(&node, &mut reader);
    (expression, problems)
}

/// What an expression, written in YAML, comes to for the event; `-` for nothing.
#[track_caller]
fn check(text: &str, expected: &str) {
    let (expression, problems) = read(text);
    let expression = expression.unwrap_or_else(|| panic!("{problems}"));
    let event = json::parse(EVENT.as_bytes()).unwrap();
    let scope = Scope::new(&event);
    let found = expression.resolve(&scope).map_or("-".to_owned(), |json| json.to_string());
    assert_eq!(found, expected, "{text}");
}

/// The first problem of an expression: `line:column severity code`, and a part of its text and help.
#[track_caller]
fn noted(text: &str, expected: &str, part: &str) {
    let (_, problems) = read(text);
    let problem = problems.iter().next().unwrap_or_else(|| panic!("{text}: nothing noted"));
    let place = &problem.place;
    let severity = format!("{:?}", problem.severity).to_lowercase();
    assert_eq!(format!("{}:{} {severity} {}", place.line, place.column, problem.code), expected, "{problem:?}");
    assert!(problems.to_string().contains(part), "{problems}");
}

#[test]
fn literals_are_themselves() {
    check("plain text", r#""plain text""#);
    check("12", "12");
    check("null", "null");
    check("$5.00", r#""$5.00""#);
    check("{ a: [1, x] }", r#"{"a":[1,"x"]}"#);
    check("{ $a: 1, b: 2 }", r#"{"$a":1,"b":2}"#);
    check("[]", "[]");
}

#[test]
fn what_is_lost_is_said_of_the_part_it_was_lost_from() {
    let text = "{ a: { b: [x, { $number: $.properties.s }] }, c: { $date: $.properties.s } }";
    let (expression, _) = read(text);
    let event = json::parse(br#"{"properties":{"s":"soon"}}"#).unwrap();
    let scope = Scope::new(&event);
    expression.unwrap().resolve(&scope);
    let parts: Vec<String> = scope.take_notes().iter().map(|note| note.about("facts").field.to_string()).collect();
    assert_eq!(parts, ["facts.a.b[1]", "facts.c"]);
}

#[test]
fn paths_stand_alone_or_as_a_directive() {
    check("$.properties.s", r#""Hello World""#);
    check("$.properties.nope", "-");
    check("{ $path: $.properties.s }", r#""Hello World""#);
    check("{ '@path': properties.s }", r#""Hello World""#);
    check("{ '@path': $.type, _metadata: { a: 1 } }", r#""track""#);
    check("{ '@path': { '@template': 'properties.{{properties.key}}' } }", r#""Hello World""#);
    check("{ '@path': { '@path': $.nope } }", "-");
    check("{ '@path': { $template: 'properties.{{ nope }}' } }", "-");
}

#[test]
fn objects_leave_out_what_is_missing_and_lists_keep_its_place() {
    check("{ a: $.properties.n, b: $.nope, c: $.type }", r#"{"a":null,"c":"track"}"#);
    check("{ a: { b: $.nope } }", r#"{"a":{}}"#);
    check("[ $.type, $.nope, null ]", r#"["track",null,null]"#);
}

#[test]
fn templates_give_text() {
    check("'Hi {{ properties.s }}!'", r#""Hi Hello World!""#);
    check("'Hi {{$.properties.s}}!'", r#""Hi Hello World!""#);
    check("'{{{properties.s}}}'", r#""Hello World""#);
    check("'{{properties.num}}'", r#""12.5""#);
    check("'{{properties.whole}}'", r#""12""#);
    check("'{{properties.z}} {{properties.f}}'", r#""0 false""#);
    check("'{{properties.arr}}'", r#""1,2,3""#);
    check("'{{properties.obj}}'", r#""{\"a\":1,\"n\":null}""#);
    check("'{{properties.dollar}}'", r#""$5.00""#);
    check("'{{properties.products[*].id}}'", r#""1,2""#);
    check("{ $template: 'x{{type}}' }", r#""xtrack""#);
    check("{ '@template': '' }", r#""""#);
}

#[test]
fn a_template_with_nothing_to_put_in_is_empty_and_leaves_no_space_at_its_ends() {
    check("'{{ nope }} {{ properties.n }}'", r#""""#);
    check("'Hi {{ nope }}!'", r#""""#);
    check("'{{ nope }} {{ type }}'", r#""track""#);
    check("'{{ type }} {{ nope }}'", r#""track""#);
    check("' {{ type }}'", r#"" track""#);
}

#[test]
fn braces_that_hold_nothing_are_left() {
    check("'a{{}}b'", r#""a{{}}b""#);
    check("'a{{properties.s}b'", r#""a{{properties.s}b""#);
    check("'a{{}}b{{type}}'", r#""a{{}}btrack""#);
    noted("'a{{properties.s}b'", "1:3 warning template_open", "left as it is");
}

#[test]
fn first_skips_what_is_empty() {
    check("{ $first: [ $.nope, $.properties.n, $.properties.e, $.type ] }", r#""track""#);
    check("{ $first: [ $.properties.z, $.type ] }", "0");
    check("{ $first: [ $.properties.f, $.type ] }", "false");
    check("{ $first: [ $.nope, $.properties.e ] }", "-");
    check("{ $first: [ '{{ nope }}', x ] }", r#""x""#);
    noted("{ $first: [ x, $.type ] }", "1:16 warning unreachable", "never reached");
    noted("{ $first: [] }", "1:11 error directive_invalid", "nothing to choose from");
    noted("{ $first: x }", "1:11 error directive_invalid", "expected a list to choose from, found text");
}

#[test]
fn if_chooses_by_what_is_there() {
    let choose = |test: &str| format!("{{ $if: {{ {test}, then: Y, else: N }} }}");
    for (test, expected) in [
        ("exists: $.nope", "N"),
        ("exists: $.properties.n", "N"),
        ("exists: $.properties.e", "Y"),
        ("exists: $.properties.z", "Y"),
        ("blank: $.properties.s", "Y"),
        ("blank: $.properties.e", "N"),
        ("blank: $.properties.z", "N"),
        ("blank: $.properties.f", "N"),
        ("blank: $.properties.empty", "N"),
        ("blank: $.properties.obj", "Y"),
        ("blank: $.nope", "N"),
    ] {
        check(&choose(test), &format!("{expected:?}"));
    }
    check("{ '@if': { exists: { '@path': $.nope }, then: Y, else: false } }", "false");
    check("{ $if: { exists: $.type, then: null, else: N } }", "null");
    check("{ $if: { exists: $.properties.s, else: N } }", "-");
    noted("{ $if: { then: Y } }", "1:8 error directive_invalid", "`exists` or `blank` is missing");
    noted("{ $if: { exist: $.a, then: Y } }", "1:10 error unknown_key", "did you mean `exists`?");
    noted("{ $if: x }", "1:8 error directive_invalid", "expected a map with exists, blank, then, else, found text");
}

#[test]
fn literal_escapes() {
    check("{ $literal: $.type }", r#""$.type""#);
    check("{ $literal: { '@path': $.type, b: '{{ type }}' } }", r#"{"@path":"$.type","b":"{{ type }}"}"#);
    check("{ '@literal': { a: { '@path': $.type }, b: $.type } }", r#"{"a":"track","b":"$.type"}"#);
    check("{ '@literal': { '@path': $.type } }", r#""track""#);
    check("{ '@literal': [1, { '@path': $.type }] }", r#"[1,"track"]"#);
    check("{ '@literal': null }", "null");
}

#[test]
fn case_leaves_alone_what_is_not_text() {
    check("{ $case: { operator: lower, value: $.properties.s } }", r#""hello world""#);
    check("{ $case: { operator: upper, value: $.properties.num } }", "12.5");
    check("{ $case: { operator: upper, value: $.nope } }", "-");
    check("{ '@case': { operator: lower, value: '' } }", "-");
    check("{ '@case': { operator: lower } }", "-");
    noted("{ $case: { operator: title, value: x } }", "1:22 error directive_invalid", "expected lower or upper");
    noted("{ $case: { operator: UPPER, value: x } }", "1:22 error directive_invalid", "did you mean `upper`?");
    noted("{ $case: { operator: lower } }", "1:10 error directive_invalid", "`value` is missing");
    noted("{ $case: { oparator: lower, value: x } }", "1:12 error unknown_key", "did you mean `operator`?");
}

#[test]
fn replace_takes_text_or_a_regular_expression() {
    let replace = |sign: &str, rest: &str| format!("{{ '{sign}replace': {{ {rest} }} }}");
    check(&replace("$", "pattern: l, value: $.properties.s"), r#""Heo Word""#);
    check(&replace("$", "pattern: l, value: $.properties.s, global: false"), r#""Helo World""#);
    check(&replace("$", "pattern: HELLO, replacement: Bye, ignorecase: true, value: $.properties.s"), r#""Bye World""#);
    check(&replace("$", "pattern: o, replacement: '[$&]', value: $.properties.s"), r#""Hell[$&] W[$&]rld""#);
    check(&replace("@", "pattern: o, replacement: '[$&]', value: $.properties.s"), r#""Hell[o] W[o]rld""#);
    check(&replace("@", "pattern: o, replacement: '$$$1', value: $.properties.s"), r#""Hell$$1 W$$1rld""#);
    check(&replace("$", "regex: '(\\w+) (\\w+)', replacement: '$2 $1', value: $.properties.s"), r#""World Hello""#);
    check(
        &replace("$", "pattern: Hello, replacement: a, pattern2: World, replacement2: b, value: $.properties.s"),
        r#""a b""#,
    );
    check(&replace("$", "pattern: '.', replacement: ',', value: $.properties.num"), r#""12,5""#);
    check(&replace("$", "pattern: a, value: $.nope"), "-");
    check(&replace("$", "pattern: a, value: $.properties.obj"), "-");
    check(&replace("@", "pattern: a, value: $.nope"), r#""""#);
    check(&replace("@", "pattern: a, value: $.properties.obj"), r#""""#);
    noted(
        &replace("@", "pattern: abcdefghijk, value: x"),
        "1:26 error directive_invalid",
        "Segment's `@replace` takes 10",
    );
    noted(&replace("$", "regex: '(', value: x"), "1:24 error directive_invalid", "unclosed group");
    noted(&replace("$", "regex: '(?:a{1000}){1000}', value: x"), "1:24 error directive_invalid", "becomes too large");
    noted(&replace("$", "pattern: a, regex: a, value: x"), "1:15 error directive_invalid", "give one");
    noted(&replace("$", "value: x"), "1:15 error directive_invalid", "`pattern` is missing");
}

#[test]
fn groups_that_a_replacement_names_are_there() {
    let with =
        |replacement: &str| format!("{{ $replace: {{ regex: '(?<n>a)b', value: ab, replacement: '{replacement}' }} }}");
    check(&with("$1-${n}-$0-$$1"), r#""a-a-ab-$1""#);
    noted(&with("$2"), "1:58 error directive_invalid", "has no group `2`");
    noted(&with("$1x"), "1:58 error directive_invalid", "write `$${1}x`");
    noted(&with("${m}"), "1:58 error directive_invalid", "has no group `m`");
}

#[test]
fn what_first_passes_over_reaches_the_next() {
    assert!(read("{ $first: [ '', null, $.type ] }").1.iter().next().is_none());
    noted("{ $first: [ x, $.type ] }", "1:16 warning unreachable", "never reached");
}

#[test]
fn no_replacement_makes_a_text_that_fills_the_memory() {
    let event = crate::json::parse(br#"{"s":"aaaaaaaaaa"}"#).unwrap();
    let twice = format!(
        "{{ $replace: {{ pattern: a, replacement: {0}, pattern2: a, replacement2: {0}, value: $.s }} }}",
        "a".repeat(999)
    );
    let again = format!("{{ $replace: {{ regex: a, replacement: '{}', value: {twice} }} }}", "$0".repeat(400));
    let (expression, problems) = read(&again);
    let expression = expression.unwrap_or_else(|| panic!("{problems}"));
    let scope = Scope::new(&event);
    assert!(expression.resolve(&scope).is_none());
    assert_eq!(scope.take_notes()[0].message, "`$replace` would make it longer than 1 MB");
}

#[test]
fn merge_is_shallow_and_leaves_what_is_there() {
    check("{ $merge: [ { a: 1, b: 2 }, { b: 3 }, $.nope ] }", r#"{"a":1,"b":3}"#);
    check("{ $merge: { direction: left, objects: [ { a: 1, b: 2 }, { b: 3 } ] } }", r#"{"b":2,"a":1}"#);
    check("{ $merge: [ { a: 1 }, { a: $.nope } ] }", r#"{"a":1}"#);
    check("{ $merge: [ { n: 1 }, $.properties.obj ] }", r#"{"n":null,"a":1}"#);
    check("{ $merge: [ $.properties.s, { a: 1 } ] }", r#"{"a":1}"#);
    noted("{ '@merge': { objects: [] } }", "1:13 error directive_invalid", "`direction` is missing");
    noted("{ $merge: { direction: LEFT, objects: [] } }", "1:24 error directive_invalid", "did you mean `left`?");
    noted("{ $merge: [ { $nope: 1 } ] }", "1:15 error unknown_directive", "fields.x.$merge[0]");
    noted("{ $merge: [ [1] ] }", "1:13 error directive_invalid", "expected an object, found a list");
}

#[test]
fn flatten_joins_keys() {
    check("{ $flatten: { value: { a: { b: [1, { c: 2 }] }, d: {} } } }", r#"{"a.b.0":1,"a.b.1.c":2}"#);
    check("{ '@flatten': { separator: _, omitArrays: true, value: $.properties.arr } }", r#"{"":[1,2,3]}"#);
    check("{ $flatten: { value: $.nope } }", "{}");
    check("{ $flatten: { value: { 'a.b': 1, a: { b: 2 } } } }", r#"{"a.b":2}"#);
    noted("{ '@flatten': { value: {} } }", "1:15 error directive_invalid", "`separator` is missing");
    noted("{ $flatten: { separator: '', value: {} } }", "1:26 error directive_invalid", "at least one character");
    noted(
        "{ $flatten: { value: {}, omitArrays: x } }",
        "1:38 error directive_invalid",
        "expected true or false, found text",
    );
}

#[test]
fn lists_are_shaped_item_by_item() {
    check("{ $arrayPath: [ $.properties.products, { i: $.id } ] }", r#"[{"i":1},{"i":2}]"#);
    check("{ $arrayPath: [ $.properties.obj, { i: $.a } ] }", r#"[{"i":1}]"#);
    check("{ '@arrayPath': [ properties.products, x ] }", r#"[{"id":1},{"id":2}]"#);
    check("{ $arrayPath: [ $.nope, { i: $.a } ] }", "-");
    noted(
        "{ $arrayPath: [ $.properties.arr, x ] }",
        "1:35 error directive_invalid",
        "expected a map, the shape of each item",
    );
    check("{ $map: { over: $.properties.arr, to: { n: $ } } }", r#"[{"n":1},{"n":2},{"n":3}]"#);
    check(
        "{ $map: { over: $.properties.products, with: { t: $.type }, to: [ $.id, $.t ] } }",
        r#"[[1,"track"],[2,"track"]]"#,
    );
    check("{ $map: { over: $.properties.obj, to: $.a } }", "[1]");
    check("{ $map: { over: $.nope, to: $ } }", "-");
    check("{ $map: { over: [1, 2], to: $ } }", "[1,2]");
    noted("{ $map: { over: $.properties.arr } }", "1:9 error directive_invalid", "`to` is missing");
}

#[test]
fn what_a_directive_cannot_use_is_said() {
    let notes = |text: &str| {
        let event = crate::json::parse(EVENT.as_bytes()).unwrap();
        let (expression, problems) = read(text);
        let scope = Scope::new(&event);
        let found = expression.unwrap_or_else(|| panic!("{problems}")).resolve(&scope).is_some();
        let notes: Vec<String> =
            scope.take_notes().iter().map(|note| format!("{}: {}", note.message, note.from)).collect();
        (found, notes.join("; "))
    };
    let lost = |message: &str| (false, message.to_owned());
    assert_eq!(notes("{ $number: $.properties.s }"), lost("`$number` finds no number: \"Hello World\""));
    assert_eq!(notes("{ $date: $.properties.s }"), lost("`$date` finds no date: \"Hello World\""));
    assert_eq!(notes("{ $hash: $.properties.arr }"), lost("`$hash` takes text: [1,2,3]"));
    assert_eq!(
        notes("{ $lookup: { value: $.type, table: { a: b } } }"),
        lost("`$lookup` has no such entry and no default: \"track\"")
    );
    assert_eq!(notes("{ $lookup: { value: $.nope, table: { a: b } } }"), lost(""));
    assert_eq!(notes("{ $map: { over: [a, 1], to: { $number: $ } } }").1, "`$number` finds no number: \"a\"");
    assert!(notes("{ $json: { mode: decode, value: $.properties.s } }").1.starts_with("`$json` leaves it as text: "));
}

#[test]
fn there_is_no_clock() {
    noted("{ $now: null }", "1:3 error unknown_directive", "a mapping has no clock");
    noted("{ '@now': null }", "1:3 error unknown_directive", "`$.timestamp` is when it happened");
    noted("{ $coalesce: [] }", "1:3 error unknown_directive", "that is `$first`");
    noted("{ '@templat': x }", "1:3 error unknown_directive", "did you mean `@template`?");
}

#[test]
fn what_is_wrong_is_noted_at_its_place() {
    noted("{ $frist: [a] }", "1:3 error unknown_directive", "did you mean `$first`?");
    noted("{ $nothing: [a] }", "1:3 error unknown_directive", "there are $arrayPath, $case, $date");
    noted("[ { '@nope': 1 } ]", "1:5 error unknown_directive", "unknown directive `@nope` (fields.x[0])");
    noted("{ '@path': a, x: 1 }", "1:3 error directive_not_alone", "`@path` stands alone; beside it: `x`");
    noted("{ '@path': a, '@template': b }", "1:3 error directive_not_alone", "`@template`");
    noted("$.properties.foo-bar", "1:17 error path_invalid", "write `$.properties['foo-bar']`");
    noted("{ a: 'x {{ properties[ }}' }", "1:23 error path_invalid", "(fields.x.a)");
    noted("$.properties.a.0", "1:1 warning path_rewritten", "is read as `$.properties.a[0]`");
    noted("$.propertys.a", "1:1 warning path_unlikely", "did you mean `properties`?");
    noted("{ $path: 5 }", "1:10 error directive_invalid", "expected a path, found a number");
    noted("{ $template: [] }", "1:14 error directive_invalid", "expected text, found a list");
}
