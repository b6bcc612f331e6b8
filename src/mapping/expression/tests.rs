//! Expressions over events.

use super::*;
use crate::json;
use crate::yaml;

const EVENT: &str = r#"{"type":"track","userId":"u1","properties":{"s":"Hello World","e":"","z":0,"f":false,"t":true,
"n":null,"num":12.5,"whole":12.0,"arr":[1,2,3],"empty":[],"obj":{"a":1,"n":null},"products":[{"id":1},{"id":2}],
"dollar":"$5.00","key":"s"},"traits":{"email":"A@B.co"}}"#;

fn read(text: &str) -> (Option<Expression>, Problems) {
    let mut problems = Problems::new("f", text);
    let node = yaml::parse(&mut problems).unwrap_or_else(|| panic!("{text}: not YAML"));
    let mut reader = Reader { problems: &mut problems, path: "fields.x".to_owned(), at_event: true };
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
fn paths_stand_alone_or_as_a_directive() {
    check("$.properties.s", r#""Hello World""#);
    check("$.properties.nope", "-");
    check("{ $path: $.properties.s }", r#""Hello World""#);
    check("{ '@path': properties.s }", r#""Hello World""#);
    check("{ '@path': $.type, _metadata: { a: 1 } }", r#""track""#);
    check("{ '@path': { '@template': 'properties.{{properties.key}}' } }", r#""Hello World""#);
    check("{ '@path': { '@path': $.nope } }", "-");
    check("{ '@path': { '@template': 'properties.{{ nope }}' } }", "-");
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
