//! YAML text, its places and its problems.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

fn read(text: &str) -> (Option<Node>, Problems) {
    let mut problems = Problems::new("f.yaml", text);
    let node = parse(&mut problems);
    (node, problems)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let (node, problems) = read(text);
    assert_eq!(node.map(|node| node.to_json().to_string()).as_deref(), Some(expected), "{problems}");
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let (node, problems) = read(text);
    assert_eq!((node, problems.to_string().lines().next().unwrap_or_default()), (None, expected));
}

#[test]
fn yaml_is_read_as_authors_mean_it() {
    check("n: 1\ny: yes\non: no\nt: true", r#"{"n":1,"y":"yes","on":"no","t":true}"#);
    check("- 007\n- 0x10\n- 1_000\n- +5\n- 12:30", r#"["007","0x10","1_000","+5","12:30"]"#);
    check("- 19.990\n- -3\n- 1e3", "[19.99,-3,1000.0]");
    check("- 123456789012345678901234\n- 18446744073709551615", r#"["123456789012345678901234",18446744073709551615]"#);
    check("a: 2024-01-01\nb: ~\nc:\nd: 'null'", r#"{"a":"2024-01-01","b":null,"c":null,"d":"null"}"#);
    check("a: &x {k: v}\nb: *x", r#"{"a":{"k":"v"},"b":{"k":"v"}}"#);
    check("", "null");
}

#[test]
fn variables_need_no_quotes_within_braces() {
    check("a: { b: ${B}, c: [${C:-d}, e] }", r#"{"a":{"b":"${B}","c":["${C:-d}","e"]}}"#);
    check("a: [${B}x${C}, \"${D}\"]", r#"{"a":["${B}x${C}","${D}"]}"#);
    check("a: ${B}\nc: { ${D}: '`' }", r#"{"a":"${B}","c":{"${D}":"`"}}"#);
    refused("a: { b: ${B}, c: [${C} }", "f.yaml:1:18: error: mismatched bracket '[' closed by '}'");
    let (node, problems) = read("a: { b: ${B} }");
    let node = node.unwrap();
    let b = node.get("a").unwrap().get("b").unwrap();
    assert_eq!(problems.inside(b, 2..3).span, 10..11);
}

#[test]
fn places_are_those_of_the_text() {
    let (node, _) = read("ä: 1\nb:\n  - 'x y'\n  - { c: |\n");
    assert_eq!(node, None);
    let text = "ä: 1\nb:\n  - 'x y'\n  - { c: d }\n";
    let node = read(text).0.unwrap();
    let item = |at: usize| &node.get("b").unwrap().as_list().unwrap()[at];
    assert_eq!(&text[item(0).place.span.clone()], "'x y'");
    assert_eq!((item(0).place.line, item(0).place.column), (3, 5));
    assert_eq!(&text[item(1).get("c").unwrap().place.span.clone()], "d");
    let key = &item(1).as_map().unwrap()[0].0;
    assert_eq!(&text[key.place.span.clone()], "c");
}

#[test]
fn what_is_not_yaml_is_refused_with_its_place() {
    refused("a: 1\na: 2", "f.yaml:2:1: error: key `a` appears twice");
    refused("a: 1\n---\nb: 2", "f.yaml:3:1: error: a second document begins here");
    refused("a: {{ traits.x }}", "f.yaml:1:5: error: `{{` without quotes is not text");
    refused("a: !other x", "f.yaml:1:11: error: `!other` is read as a tag");
    refused("a: .nan", "f.yaml:1:4: error: `.nan` is beyond a double");
    refused("? [a]\n: b", "f.yaml:1:3: error: a key must be text");
    refused("null: b", "f.yaml:1:1: error: a key must be text");
    refused("a: *b", "f.yaml:1:4: error: alias references unknown anchor");
    assert!(read("a: \"b\nc: d").1.to_string().contains("is not closed"));
    assert!(read("a: !contains(x, y)").1.to_string().contains("begins with `!`"));
    assert!(read("a: @b").1.to_string().contains("begins with such a sign"));
    assert!(read("a: b: c").1.to_string().contains("contains `: `"));
}

#[test]
fn bombs_cost_little() {
    let bomb: String = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(",");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    for text in [bomb, "[".repeat(100_000), "- ".repeat(100_000), "x".repeat(2_000_000), "{a: ".repeat(200)] {
        let (node, problems) = read(&text);
        assert!(node.is_none() && problems.has_errors(), "{}", cut(&text));
    }
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    port: u16,
    on: bool,
    kind: Kind,
    sources: BTreeMap<String, Source>,
    list: Vec<Source>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { port: 1, on: true, kind: Kind::Plain, sources: BTreeMap::new(), list: Vec::new() }
    }
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    Tuned { level: f64 },
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Source {
    write_key: String,
}

fn decoded(text: &str) -> (Option<Settings>, Problems) {
    let mut problems = Problems::new("f.yaml", text);
    let mut node = parse(&mut problems).unwrap();
    let environment = |name: &str| (name == "PORT").then(|| "8080".to_owned());
    let file = |_: &str| Ok("topsecret".to_owned());
    interpolate(&mut node, Lookup { environment: &environment, file: &file, missing: Missing::Refused }, &mut problems);
    (decode(&node, "", &mut problems), problems)
}

#[test]
fn a_type_is_read_from_a_tree() {
    let (settings, problems) =
        decoded("port: ${PORT}\nkind: { tuned: { level: 2 } }\nsources: { web: { write_key: k } }\n");
    let sources = BTreeMap::from([("web".to_owned(), Source { write_key: "k".to_owned() })]);
    let expected = Settings { port: 8080, kind: Kind::Tuned { level: 2.0 }, sources, ..Settings::default() };
    assert_eq!(settings, Some(expected), "{problems}");
    assert_eq!(decoded("kind: plain\nsources:\nlist: [ {} ]").0.unwrap().list.len(), 1);
}

#[test]
fn every_unknown_key_and_what_does_not_fit_is_noted() {
    let (settings, problems) = decoded(
        "prot: 1\nsources:\n  web: { wirte_key: k }\nlist:\n  - { other: 1 }\nport: 70000\nkind: { tuned: { level: 1 } }",
    );
    assert_eq!(settings, None);
    let found: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        found,
        [
            "f.yaml:1:1: error: unknown key `prot` (prot)",
            "  did you mean `port`?",
            "f.yaml:3:10: error: unknown key `wirte_key` (sources.web.wirte_key)",
            "  did you mean `write_key`?",
            "f.yaml:5:7: error: unknown key `other` (list[0].other)",
            "  there are: write_key",
            "f.yaml:6:7: error: expected a whole number from 0 to 65535, found `70000` (port)",
        ]
    );
}

#[test]
fn a_secret_is_not_shown() {
    let (_, problems) = decoded("port: ${file:x}");
    let text = problems.to_string();
    assert!(text.contains("${file:x}") && !text.contains("topsecret"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn reading_never_panics(text in "[-a{}\\[\\]:,'\"|>&*!#%@$ .\n0-9é]{0,60}") {
        let mut problems = Problems::new("f", text);
        if let Some(mut node) = parse(&mut problems) {
            let environment = |_: &str| Some("x".to_owned());
            let file = |_: &str| Ok(String::new());
            interpolate(&mut node, Lookup { environment: &environment, file: &file, missing: Missing::Refused }, &mut problems);
            let _ = decode::<Settings>(&node, "", &mut problems);
        }
    }
}
