//! Paths: cases of RFC 9535, and the same results as a second implementation of it for whatever is made up.

use interline::json;
use interline::mapping::path::{Path, Scope, Spelling};
use proptest::prelude::*;
use serde_json::Value;
use serde_json_path::JsonPath;

/// A path; the values it finds in a document, in order, or that it is none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    path: String,
    #[serde(default)]
    document: Option<Value>,
    #[serde(default)]
    finds: Option<Vec<Value>>,
    #[serde(default)]
    invalid: bool,
    /// Whether the other implementation is known to be wrong.
    #[serde(default)]
    disputed: bool,
}

/// What a path finds; `None` when it is refused, or is no JSONPath but of Segment's dialect.
fn ours(path: &str, document: &Value) -> Option<Vec<Value>> {
    let parsed = Path::parse(path, Spelling::Strict).ok()?;
    if parsed.notes.iter().any(|(code, _)| *code == "path_rewritten") {
        return None;
    }
    // As text and back, so that what is found borrows from the document as an event's does.
    let text = document.to_string();
    let document = json::parse(text.as_bytes()).expect("a document is JSON");
    let scope = Scope::new(&document);
    let found = parsed.path.resolve(&scope).map(|found| found.to_value());
    assert!(scope.take_notes().is_empty(), "{path}");
    match (found, parsed.path.is_list()) {
        (Some(Value::Array(found)), true) => Some(found),
        (found, _) => Some(found.into_iter().collect()),
    }
}

fn theirs(path: &str, document: &Value) -> Option<Vec<Value>> {
    let path = JsonPath::parse(path).ok()?;
    Some(path.query(document).iter().map(|value| (*value).clone()).collect())
}

#[test]
fn every_case_finds_what_it_says() {
    let text = include_str!("../../cases/paths.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the cases are JSON");
    let mut document = Value::Null;
    let mut wrong = Vec::new();
    for case in &cases {
        document = case.document.clone().unwrap_or(document);
        let expected =
            if case.invalid { None } else { Some(case.finds.clone().expect("a case finds something or is invalid")) };
        for (who, found) in [("ours", ours(&case.path, &document)), ("the other", theirs(&case.path, &document))] {
            if found != expected && !(case.disputed && who != "ours") {
                wrong.push(format!("{}: {who} {found:?}, expected {expected:?}", case.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} cases", cases.len());
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "ü", "_d1"]).prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop::sample::select(vec![0.5, 1.0, -2.5, 1e3]).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "b", "ab", "aab", "é", "a\nb"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", "", " ", "\t"])
}

/// An index within a comparison: of negative ones the other implementation says there that nothing is found, against
/// RFC 9535 §2.3.3.2. `tests/cases/paths.json` has them.
fn index_compared() -> impl Strategy<Value = String> {
    (0_i64..5).prop_map(|index| index.to_string())
}

fn index() -> impl Strategy<Value = String> {
    (-4_i64..5).prop_map(|index| index.to_string())
}

fn slice() -> impl Strategy<Value = String> {
    let part = || prop::option::of(-6_i64..7);
    (part(), part(), prop::option::of(-3_i64..4)).prop_map(|(start, end, step)| {
        let text = |part: Option<i64>| part.map_or(String::new(), |part| part.to_string());
        let step = step.map_or(String::new(), |step| format!(":{step}"));
        format!("{}:{}{step}", text(start), text(end))
    })
}

fn quoted() -> impl Strategy<Value = String> {
    (name(), any::<bool>()).prop_map(|(name, double)| if double { format!("\"{name}\"") } else { format!("'{name}'") })
}

fn literal() -> impl Strategy<Value = String> {
    let words = vec![
        "1", "-1", "0", "0.5", "-2.5", "1e3", "1.0", "true", "false", "null", "'a'", "\"ab\"", "''", "-0", "10E-1",
    ];
    prop::sample::select(words).prop_map(str::to_owned)
}

/// A literal that has an order.
fn ordered() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["1", "-1", "0", "0.5", "1e3", "'a'", "\"ab\"", "''"]).prop_map(str::to_owned)
}

fn singular() -> impl Strategy<Value = String> {
    path_with(index())
}

fn compared() -> impl Strategy<Value = String> {
    path_with(index_compared())
}

fn path_with(index: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let step = prop_oneof![
        name().prop_map(|name| format!(".{name}")),
        quoted().prop_map(|name| format!("[{name}]")),
        index.prop_map(|index| format!("[{index}]")),
    ];
    (prop::sample::select(vec!["@", "@", "@", "$"]), prop::collection::vec(step, 0..3))
        .prop_map(|(root, steps)| format!("{root}{}", steps.concat()))
}

fn function() -> impl Strategy<Value = String> {
    let query = prop_oneof![
        compared(),
        compared().prop_map(|path| format!("{path}.*")),
        compared().prop_map(|path| format!("{path}..a"))
    ];
    prop_oneof![
        compared().prop_map(|path| format!("length({path})")),
        query.clone().prop_map(|path| format!("count({path})")),
        query.prop_map(|path| format!("value({path})")),
    ]
}

fn comparable() -> impl Strategy<Value = String> {
    prop_oneof![2 => literal(), 4 => compared(), 1 => function()]
}

fn condition() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let pattern = prop::sample::select(vec!["'a.*'", "'a'", "'[ab]+'", "'.'", "'('", "@.a"]);
    let leaf = prop_oneof![
        4 => (comparable(), blank(), operator, blank(), comparable(), ordered()).prop_map(
            |(left, a, operator, b, right, ordered)| {
                // The other implementation gives truth values an order, and says that of two that are not there
                // `<=` does not hold, against RFC 9535 §2.3.5.2.2.
                let right = if operator.starts_with(['<', '>']) { ordered } else { right };
                format!("{left}{a}{operator}{b}{right}")
            }
        ),
        2 => (singular(), prop::sample::select(vec!["", ".*", "[0,1]", "[:2]", "..b", "[?@.a]", "[?@>0]", "[?!@.b]"])).prop_map(|(path, more)| format!("{path}{more}")),
        1 => (prop::sample::select(vec!["match", "search"]), singular(), pattern).prop_map(|(name, path, pattern)| format!("{name}({path}, {pattern})")),
        // What the types of the RFC refuse.
        1 => function(),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), blank(), inner.clone())
                .prop_map(|(left, blank, right)| format!("{left}{blank}&&{blank}{right}")),
            (inner.clone(), blank(), inner.clone())
                .prop_map(|(left, blank, right)| format!("{left}{blank}||{blank}{right}")),
            (blank(), inner).prop_map(|(blank, inner)| format!("!{blank}({blank}{inner}{blank})")),
        ]
    })
}

fn selector() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => quoted(),
        2 => index(),
        1 => Just("*".to_owned()),
        2 => slice(),
        3 => (blank(), condition()).prop_map(|(blank, condition)| format!("?{blank}{condition}")),
    ]
}

fn segment() -> impl Strategy<Value = String> {
    let several = || {
        (blank(), prop::collection::vec(selector(), 1..4), blank())
            .prop_map(|(a, selectors, b)| format!("[{a}{}{b}]", selectors.join(&format!("{b},{a}"))))
    };
    prop_oneof![
        3 => name().prop_map(|name| format!(".{name}")),
        1 => Just(".*".to_owned()),
        3 => several(),
        1 => name().prop_map(|name| format!("..{name}")),
        1 => Just("..*".to_owned()),
        1 => several().prop_map(|selectors| format!("..{selectors}")),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec((blank(), segment()), 0..4).prop_map(|segments| {
        // The other implementation refuses a blank before `..`, which RFC 9535 §2.1.1 allows.
        let blank = |blank, segment: &str| if segment.starts_with("..") { "" } else { blank };
        let segments: Vec<String> =
            segments.into_iter().map(|(before, segment)| format!("{}{segment}", blank(before, &segment))).collect();
        format!("${}", segments.concat())
    })
}

/// How many paths are made up: `PROPTEST_CASES`, where somebody wants more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_another_implementation_finds(path in path(), document in document()) {
        prop_assert_eq!(ours(&path, &document), theirs(&path, &document), "{} on {}", path, document);
    }

    /// One character more, less or other: what is a path must be one to both.
    #[test]
    fn refuses_what_another_implementation_refuses(
        path in path(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", " ", ".", "[", "]", "'", "?", "@", "$", "!", "(", ")", "-", "0", "1", "a", ",", ":", "*", "=", "&", "|", "\\"]),
        replaces in any::<bool>(),
        document in document(),
    ) {
        let mut letters: Vec<String> = path.chars().map(String::from).collect();
        let at = at.index(letters.len() + 1).max(1);
        match letters.get_mut(at) {
            Some(letter) if replaces => *letter = with.to_owned(),
            _ => letters.insert(at, with.to_owned()),
        }
        let path = letters.concat();
        if path.contains(" ..") || path.contains("\t..") {
            return Ok(());
        }
        prop_assert_eq!(ours(&path, &document).is_some(), theirs(&path, &document).is_some(), "{}", path);
    }
}

#[test]
fn a_singular_path_gives_a_value_and_any_other_a_list() {
    let document = json::parse(br#"{"a":[1,2]}"#).expect("JSON");
    let scope = Scope::new(&document);
    for (text, expected) in [("$.a[0]", Some("1")), ("$.a[0:1]", Some("[1]")), ("$.b[*]", Some("[]")), ("$.b", None)] {
        let path = Path::parse(text, Spelling::Strict).expect(text).path;
        let found = path.resolve(&scope).map(|found| found.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}
