//! Paths over one event; `tests/cases/paths.json` has the cases of RFC 9535.

use super::*;
use crate::json;

const EVENT: &str =
    r#"{"a":{"b":[{"z":1,"c":"x"},{"c":null},3],"0":"zero"},"sp ace":"sp","foo-bar":1,"dot.key":2,"it's":3}"#;

#[track_caller]
fn check_as(spelling: Spelling, text: &str, expected: Option<&str>) {
    let event = json::parse(EVENT.as_bytes()).unwrap();
    let path = Path::parse(text, spelling).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).path;
    let found = path.resolve(&Scope::new(&event)).map(|json| json.to_string());
    assert_eq!(found.as_deref(), expected, "{text}");
}

#[track_caller]
fn check(text: &str, expected: Option<&str>) {
    check_as(Spelling::Strict, text, expected);
}

#[test]
fn a_singular_path_gives_its_value_or_nothing() {
    check("$.a.b[0].c", Some(r#""x""#));
    check("$['a']['b'][-1]", Some("3"));
    check("$.a.b[-4]", None);
    check("$.a.b[9]", None);
    check("$.a.b[1].c", Some("null"));
    check("$.a.b[1].c.d", None);
    check("$.nope.deep", None);
    check("$.a.b.length", None);
    check("$['dot.key']", Some("2"));
    check(r"$['it\'s']", Some("3"));
    check("$", Some(EVENT));
}

#[test]
fn other_paths_give_the_list_of_matches_in_the_order_of_the_source() {
    check("$.a.b[*].c", Some(r#"["x",null]"#));
    check("$.a.b[:1]", Some(r#"[{"z":1,"c":"x"}]"#));
    check("$.a.b[?@.c == 'x'].z", Some("[1]"));
    check("$.a.b[?@.c == null]", Some(r#"[{"c":null}]"#));
    check("$..c", Some(r#"["x",null]"#));
    check("$.a.b[0,2]", Some(r#"[{"z":1,"c":"x"},3]"#));
    check("$.nope[*]", Some("[]"));
}

#[test]
fn segments_dialect_is_accepted_and_said() {
    check("$.a.b.0.c", Some(r#""x""#));
    check("$.a.0", Some(r#""zero""#));
    check("$.sp ace", Some(r#""sp""#));
    for (text, canonical) in [("$.a.b.0.c", "$.a.b[0].c"), ("$.sp ace", "$['sp ace']"), ("$.", "$")] {
        let notes = Path::parse(text, Spelling::Strict).unwrap().notes;
        assert_eq!(notes, [("path_rewritten", format!("`{text}` is read as `{canonical}`"))]);
    }
}

#[test]
fn in_segments_own_directives_names_hold_anything_and_the_root_may_be_missing() {
    check_as(Spelling::Loose, "foo-bar", Some("1"));
    check_as(Spelling::Loose, "$.foo-bar", Some("1"));
    check_as(Spelling::Loose, "a.b[0].c", Some(r#""x""#));
    check_as(Spelling::Loose, "['sp ace']", Some(r#""sp""#));
    check_as(Spelling::Loose, "a.b[*].c", Some(r#"["x",null]"#));
    assert!(Path::parse("foo-bar", Spelling::Loose).unwrap().notes.is_empty());
}

#[track_caller]
fn refused(text: &str, at: &str, message: &str, help: &str) {
    let fault = Path::parse(text, Spelling::Strict).unwrap_err();
    assert_eq!((&text[fault.span.clone()], fault.message.as_str()), (at, message), "{text}");
    assert!(fault.help.as_deref().unwrap_or_default().contains(help), "{fault:?}");
}

#[test]
fn what_is_not_a_path_is_refused_with_the_way_to_write_it() {
    let quotes = "`-` needs quotes and brackets in a path";
    refused("$.properties.foo-bar", "-", quotes, "write `$.properties['foo-bar']`");
    refused("$.properties.foo-bar[0]", "-", quotes, "write `$.properties['foo-bar'][0]`");
    refused("$.a.$b", "$", "`$` needs quotes and brackets in a path", "write `$.a['$b']`");
    refused("$.a[", "", "the path `$.a[` ends too early", "$literal");
    refused("$.a[?]", "]", "unexpected `]` in the path `$.a[?]`", "$literal");
    refused("$.a[?in(@.b, @.c)]", "in", "`in` is not a function of JSONPath", "==");
    refused("$.a[?@.b in [1,2]]", "in", "`in` is not an operator of JSONPath", "==");
    refused("$.a[?@.b subsetof $.c]", "subsetof", "`subsetof` is not an operator of JSONPath", "==");
    refused("$.a[?subset_of(@.b, @.c)]", "subset_of", "`subset_of` is not a function of JSONPath", "==");
    refused("$.a[?length(@.b)]", "length", "`length` gives a value, not a condition", "compare it");
    refused("$.a[?value(@.b)]", "value", "`value` gives a value, not a condition", "compare it");
    refused("$.a[?length(@.*) < 3]", "length", "`length` takes one value, and this path may give many", "count");
    refused("$.a[?@.b c == 1]", " ", "a blank has no place here in the path `$.a[?@.b c == 1]`", "['a b']");
    refused("$.a[?nin(@.b, @.c)]", "nin", "`nin` is not a function of JSONPath", "==");
}

#[test]
fn what_takes_too_much_work_comes_to_nothing_and_is_said() {
    let list = |item: &str| format!("[{}]", vec![item; 60].join(","));
    let text = list(&list(&list("1")));
    let event = json::parse(text.as_bytes()).unwrap();
    let scope = Scope::new(&event);
    let path = Path::parse("$..[?count($..*) > 0]", Spelling::Strict).unwrap().path;
    let expression = crate::mapping::expression::Expression::Path(path);
    assert!(scope.resolve(&expression).is_none());
    assert!(scope.take_notes()[0].message.starts_with("given up: this event is too much work"));
}

#[test]
fn patterns_are_checked_at_load() {
    let event = json::parse(br#"{"a":[{"t":"zzz"}]}"#).unwrap();
    for pattern in ["(", "a)|(?:.*", r"\\p{Nope}", "x{1000}{1000}"] {
        for name in ["match", "search"] {
            let text = format!("$.a[?{name}(@.t, '{pattern}')]");
            let parsed = Path::parse(&text, Spelling::Strict).unwrap();
            assert_eq!(parsed.path.resolve(&Scope::new(&event)).unwrap().to_string(), "[]", "{text}");
            let [("path_pattern", message)] = parsed.notes.as_slice() else { panic!("{text}: {:?}", parsed.notes) };
            assert!(message.contains("fits nothing: "), "{message}");
        }
    }
    assert!(Path::parse("$.a[?match(@.t, 'a|b')]", Spelling::Strict).unwrap().notes.is_empty());
}

#[test]
fn a_dollar_in_quotes_or_a_filter_is_not_taken_away() {
    let event = json::parse(br#"{"p":{"$.b":"right","b":"wrong","l":[{"s":1,"n":"x"}],"s":1}}"#).unwrap();
    for (text, expected) in [("p['$.b']", r#""right""#), ("p.l[?@.s == $.p.s].n", r#"["x"]"#), ("p.$.b", r#""wrong""#)]
    {
        let path = Path::parse(text, Spelling::Loose).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).path;
        assert_eq!(path.resolve(&Scope::new(&event)).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn slow_filters_are_said() {
    let notes = |text: &str| Path::parse(text, Spelling::Strict).unwrap().notes;
    assert_eq!(notes("$.a[?match(@.b, $.pattern)]")[0].0, "path_slow");
    assert_eq!(notes("$.a[?@.c && @.d[?!search(@.b, @.c)]]")[0].0, "path_slow");
    assert_eq!(notes("$.a[?count(@.c[?match(@.t, $.pattern)]) > 0]")[0].0, "path_slow");
    assert!(notes("$.a[?match(@.b, 'x.*')]").is_empty(), "a pattern that is written there is compiled once");
    assert!(notes("$.a[?@.b == 1]").is_empty());
}
