//! What triggers mean.

mod messages;
mod properties;

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(trigger: &str, event: Value, expected: bool) {
    let parsed = Trigger::parse(trigger).unwrap_or_else(|problem| panic!("{trigger}: {problem:?}"));
    assert_eq!(parsed.trigger.holds(&Json::from(&event)), expected, "{trigger} on {event}");
}

/// The condition alone, on an event that has `properties`.
#[track_caller]
fn with(trigger: &str, properties: Value, expected: bool) {
    check(trigger, json!({"type": "track", "properties": properties}), expected);
}

#[track_caller]
fn refused(trigger: &str) {
    assert!(Trigger::parse(trigger).is_err(), "{trigger}");
}

/// Rows of the table of cases (reference "Segment" 1.5), by their numbers; the answer is that of the documented language.
#[test]
fn rows_1_to_19_connectives_and_negation() {
    let track = || json!({"type": "track"});
    let event = |kind: &str, name: &str| json!({"type": kind, "event": name});
    check("type = \"track\"", track(), true);
    check("type = 'track'", track(), true);
    check("type=\"track\"", track(), true);
    refused("type = track");
    check("type = \"Track\"", track(), false);
    refused("type == \"track\"");
    check("type = \"track\" and event = \"A\" or event = \"B\"", event("track", "C"), false);
    check("event = \"A\" or type = \"track\" and event = \"B\"", event("identify", "A"), true);
    check("type = \"track\" or type = \"page\" and userId != null", track(), true);
    check("type = \"track\" and (event = \"A\" or event = \"B\")", event("track", "C"), false);
    check("type = \"track\" and ((event = \"A\") or (event = \"B\"))", event("track", "B"), true);
    check("((type = \"track\"))", track(), true);
    check("type = \"track\" and (contains(event,\"x\") or event = \"B\")", event("track", "zzz"), false);
    check("type = \"track\" and (event = \"A\" or contains(event,\"x\"))", event("track", "zzz"), false);
    let emails = "type = \"identify\" and (match(traits.email,\"*@a.com\") or match(traits.email,\"*@b.com\"))";
    check(emails, json!({"type": "identify", "traits": {"email": "z@c.com"}}), false);
    check("!(type = \"track\")", track(), false);
    check("!(type = \"track\")", json!({"type": "page"}), true);
    check("!type = \"track\"", track(), false);
    check("!type = \"track\"", json!({"type": "page"}), true);
    let negated = "properties.a = \"b\" and !userId = null";
    check(negated, json!({"userId": "u", "properties": {"a": "b"}}), true);
    check(negated, json!({"properties": {"a": "b"}}), false);
}

#[test]
fn rows_20_to_37_types_and_null() {
    check("event = null", json!({"type": "page"}), true);
    check("event != null", json!({"type": "page"}), false);
    check("name != null", json!({"type": "page"}), false);
    check("userId != null", json!({"userId": ""}), true);
    check("userId = 1", json!({"userId": 1}), true);
    check("userId = 1", json!({"userId": "1"}), false);
    with("properties.plan != \"pro\"", json!({}), true);
    with("properties.n = 5", json!({"n": "5"}), false);
    with("properties.n = \"5\"", json!({"n": 5}), false);
    with("properties.n != 5", json!({}), true);
    with("properties.n != 5", json!({"n": "6"}), true);
    with("properties.n > \"5\"", json!({"n": 6}), false);
    with("properties.n<5", json!({"n": 4}), true);
    with("properties.n > 1e3", json!({"n": 2}), false);
    with("properties.n > 1e3", json!({"n": 1000.5}), true);
    with("properties.b = true", json!({"b": "true"}), false);
    with("properties.b != true", json!({"b": true}), false);
    with("properties.x = null", json!({}), true);
    with("properties.x = null", json!({"x": null}), true);
    for present in [json!(""), json!(0), json!(false)] {
        with("properties.x != null", json!({"x": present}), true);
    }
}

#[test]
fn rows_38_to_50_paths() {
    with("properties.a.b = \"c\"", json!({"a": {"b": "c"}}), true);
    with("properties.a\\.b = \"c\"", json!({"a.b": "c"}), true);
    with("properties.a\\.b = \"c\"", json!({"a": {"b": "c"}}), false);
    with("properties.product\\ 1.price = \"19\"", json!({"product 1": {"price": "19"}}), true);
    with("properties.items[0].id = \"x\"", json!({"items": [{"id": "x"}]}), true);
    with("properties.items[0].id = \"x\"", json!({"items": {"0": {"id": "x"}}}), false);
    with("properties.items\\[0\\].id = \"x\"", json!({"items[0]": {"id": "x"}}), true);
    with("properties.items\\[0\\].id = \"x\"", json!({"items": [{"id": "x"}]}), false);
    with("properties.items.0.id = \"x\"", json!({"items": [{"id": "x"}]}), true);
    with("properties.items.0.id = \"x\"", json!({"items": {"0": {"id": "x"}}}), true);
    with("properties.items.00.id = \"x\"", json!({"items": [{"id": "x"}]}), false);
    with("properties.items[7] = null", json!({"items": []}), true);
    with("properties.1x = \"1\"", json!({"1x": "1"}), true);
    with("properties.naïve = \"x\"", json!({"naïve": "x"}), true);
    with("properties.日 = \"1\" and properties.\\日 = \"1\"", json!({"日": "1"}), true);
    with("properties.-x_Y-9 = \"1\"", json!({"-x_Y-9": "1"}), true);
    check("groupId = \"nope\" and type = \"group\"", json!({"type": "group", "groupId": "x"}), false);
    check("anonymousId = \"x\"", json!({"anonymousId": "x"}), true);
    check("integrations.All = true", json!({"integrations": {"All": true}}), true);
    check("messageId = \"x\" or type=\"track\"", json!({"type": "page"}), false);
    check("contains(type, \"rack\")", json!({"type": "track"}), true);
}

#[test]
fn rows_51_to_66_functions_and_lists() {
    let name = |name: &str| json!({"type": "track", "event": name});
    check("contains(event, \"ord\")", name("Reorder"), true);
    check("contains(event, \"Ord\")", name("Reorder"), false);
    with("contains(properties.tags, \"x\")", json!({"tags": ["x"]}), false);
    check("!contains(event, \"ord\")", json!({}), true);
    check("! contains(event, \"x\")", name("y"), true);
    check("contains(event, \"a\") = false", name("abc"), false);
    for (pattern, text, expected) in [
        ("\"Order*\"", "Order Done", true),
        ("\"*Done\"", "Order Done", true),
        ("\"Order Done\"", "Xrder Done", false),
        ("\"*rder*\"", "Order Done", true),
        ("\"O*e\"", "Order Done", true),
        ("\"O?der*\"", "Order Done", true),
        ("'Order*'", "Order Done", true),
        ("\"\"", "anything", false),
        ("\"a\\*b\"", "a*b", true),
        ("\"a\\*b\"", "axb", false),
    ] {
        check(&format!("match(event, {pattern})"), name(text), expected);
    }
    check("lowercase(event) = \"order\"", name("ORDER"), true);
    check("length(userId) > 0", json!({"userId": "u"}), true);
    check("typeof(userId) = \"string\"", json!({"userId": "u"}), true);
    check("type in [\"track\"]", json!({"type": "track"}), true);
    with("\"x\" in properties.tags", json!({"tags": ["x"]}), true);
    with("properties.enabled", json!({"enabled": true}), true);
    with("properties.enabled", json!({"enabled": "true"}), false);
    check("event = \"He said \\\"hi\\\"\"", name("He said \"hi\""), true);
}

#[test]
fn rows_67_to_76_what_is_dropped_elsewhere() {
    let y = || json!({"type": "track", "event": "y"});
    check("type = \"track\"and event = \"x\"", y(), false);
    check("type = \"track\"\r\nand event = \"x\"", y(), false);
    for wrong in [
        "type = \"track\" event = \"x\"",
        "type = \"track\" AND event = \"x\"",
        "type = \"track\")",
        "type = \"track\" and",
        "(type = \"track\"",
        "type = \"track",
        "",
        "  \n",
        "all",
    ] {
        refused(wrong);
    }
    check("foo = \"bar\" and type = \"track\"", y(), false);
    with("properties.d < \"2024-01-01\"", json!({"d": "2023-01-01"}), false);
    with("properties.s.length = 3", json!({"s": "abc"}), false);
    with("properties.n = 9007199254740993", json!({"n": 9_007_199_254_740_992_u64}), false);
    with("properties.n = 9007199254740993", json!({"n": 9_007_199_254_740_993_u64}), true);
}

#[test]
fn texts_know_three_escapes() {
    let name = |name: &str| json!({"event": name});
    check(r#"event = "a\nb""#, name("a\\nb"), true);
    check(r#"event = "a\\nb""#, name("a\\nb"), true);
    check(r#"event = 'it\'s "x"'"#, name("it's \"x\""), true);
    check(r#"event = "it's""#, name("it's"), true);
    check(r#"event = "C:\\""#, name("C:\\"), true);
    check("event = \"a\nb\"", name("a\nb"), true);
    check(r#"match(event, "a\\\\b")"#, name("a\\b"), true);
}

#[test]
fn numbers_have_signs_fractions_and_exponents() {
    for written in ["-5", "-5.0", "-0.5e1", "-50E-1", "-5e+0"] {
        with(&format!("properties.n = {written}"), json!({"n": -5}), true);
        with(&format!("properties.n={written}"), json!({"n": -5.0}), true);
    }
    with("properties.n = +5", json!({"n": 5}), true);
    with("properties.n >= -1 and properties.n <= 1", json!({"n": 0}), true);
    with("properties.n < 18446744073709551615", json!({"n": 18_446_744_073_709_551_614_u64}), true);
    with("5 < properties.n", json!({"n": 6}), true);
}

#[test]
fn lists_hold_values_and_paths() {
    with("properties.n in [1, \"1\", null]", json!({"n": 1.0}), true);
    with("properties.n in [1, \"1\"]", json!({"n": true}), false);
    with("properties.n in [1, null]", json!({}), true);
    with("properties.n in []", json!({"n": 1}), false);
    with("properties.a in [properties.b, properties.c]", json!({"a": 1, "b": 2, "c": 1}), true);
    with("properties.n in properties.m", json!({"n": 1, "m": 1}), false);
    with("properties.l = [1, \"a\", [true]]", json!({"l": [1, "a", [true]]}), true);
    with("properties.l = [1]", json!({"l": [1, 2]}), false);
    with("properties.a = properties.b", json!({"a": {"x": 1, "y": 2}, "b": {"y": 2, "x": 1}}), true);
}

#[test]
fn functions_treat_null_kindly() {
    for (trigger, expected) in [
        ("contains(null, \"\")", false),
        ("length(properties.x) = 0", true),
        ("lowercase(null) = null", true),
        ("typeof(null) = \"null\"", true),
        ("match(null, \"*\")", false),
        ("bool(properties.x)", false),
        ("string(properties.x) = null", true),
        ("number(properties.x) = null", true),
        ("uppercase(null) = null and snakecase(null) = null and kebabcase(null) = null", true),
        ("titlecase(null) = null", true),
    ] {
        with(trigger, json!({}), expected);
    }
}

#[test]
fn functions_make_values() {
    for (trigger, x) in [
        ("length(properties.x) = 3", json!("ア")),
        ("length(properties.x) = 2", json!([1, 2])),
        ("length(properties.x) = null", json!({"a": 1})),
        ("length(properties.x) = null", json!(5)),
        ("lowercase(properties.x) = \"äb1\"", json!("ÄB1")),
        ("uppercase(properties.x) = \"ÄB1\"", json!("äb1")),
        ("snakecase(properties.x) = \"Test_string\"", json!("Test string")),
        ("kebabcase(properties.x) = \"Test-string\"", json!("Test string")),
        ("titlecase(properties.x) = \"Test String McX  Y\"", json!("test string mcX  y")),
        ("lowercase(properties.x) = null", json!(5)),
        ("typeof(properties.x) = \"list\"", json!([])),
        ("typeof(properties.x) = \"bool\"", json!(false)),
        ("typeof(properties.x) = \"number\"", json!(1.5)),
        ("typeof(properties.x) = \"object\"", json!({})),
        ("bool(properties.x)", json!("yes")),
        ("bool(properties.x)", json!(-1)),
        ("bool(properties.x) = false", json!("false")),
        ("bool(properties.x) = false", json!(0.0)),
        ("bool(properties.x) = false", json!([])),
        ("string(properties.x) = \"5\"", json!(5.0)),
        ("string(properties.x) = \"5.25\"", json!(5.25)),
        ("string(properties.x) = \"true\"", json!(true)),
        ("string(properties.x) = \"[1,\\\"a\\\"]\"", json!([1, "a"])),
        ("number(properties.x) = 5", json!("5.0")),
        ("number(properties.x) > 999", json!("1e3")),
        ("number(properties.x) = null", json!("5 apples")),
        ("number(properties.x) = null", json!("inf")),
        ("number(properties.x) = null", json!(true)),
        ("contains(lowercase(string(properties.x)), \"tru\")", json!(true)),
        ("match(\"abc\", properties.x)", json!("a*")),
        ("!match(\"abc\", properties.x)", json!("a[")),
        ("\"A\" in [uppercase(properties.x)]", json!("a")),
    ] {
        with(trigger, json!({ "x": x }), true);
    }
}

#[test]
fn conditions_nest_and_compare() {
    with("!!properties.a and !(!(properties.b))", json!({"a": true, "b": true}), true);
    with("!properties.a", json!({"a": "yes"}), true);
    with("(properties.a = 1) = (properties.b = 1)", json!({"a": 2, "b": 2}), true);
    with("(properties.a or properties.b) and !null and true", json!({"b": true}), true);
    let deep = format!("{}properties.a{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX));
    with(&deep, json!({"a": true}), true);
    refused(&format!("({deep})"));
    let wide = ["properties.a"; 600].join(" or ");
    with(&wide, json!({"a": true}), true);
}

#[test]
fn events_of_any_shape_are_looked_at() {
    for event in [json!(null), json!([]), json!("track"), json!(5), json!({})] {
        check("type = \"track\" or properties.a.b[0] > 1", event.clone(), false);
        check("type = null", event, true);
    }
}

#[test]
fn tells_which_paths_it_reads() {
    let trigger =
        Trigger::parse("traits.a = 1 and !(contains(event, \"x\") or \"y\" in context.b\\.c[0])").unwrap().trigger;
    let paths: Vec<String> = trigger.paths().into_iter().map(Path::to_string).collect();
    assert_eq!(paths, ["traits.a", "event", "context.b\\.c[0]"]);
}

#[test]
fn the_normal_form_keeps_only_the_parentheses_that_count() {
    #[track_caller]
    fn normal(trigger: &str, expected: &str) {
        let parsed = Trigger::parse(trigger).unwrap().trigger;
        assert_eq!(parsed.to_string(), expected);
        assert_eq!(Trigger::parse(expected).unwrap().trigger, parsed);
    }
    normal("((type='track'))", "type = \"track\"");
    normal("a=1 and(b=2 and c=3)or d", "a = 1 and (b = 2 and c = 3) or d");
    normal("(a=1 or b)and c", "(a = 1 or b) and c");
    normal("!a='x\"\\y'", "!(a = \"x\\\"\\\\y\")");
    normal("! ! ( a )", "!!a");
    normal("(!a) = (b = c.d)", "(!a) = (b = c.d)");
    normal("x in[ 1,-2.50,\\y ]", "x in [1, -2.5, \\y]");
    normal("contains( \\foo , 'a' )", "contains(foo, \"a\")");
    normal("\\1x.\\in.a\\.b = \\in and \\true", "\\1x.in.a\\.b = \\in and \\true");
}
