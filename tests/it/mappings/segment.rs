//! Segment's recorded mappings and coercions: each result is ours as well, or stands below with the deviation it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use interline::action::{Field, FieldKind};
use interline::json::Json;
use interline::mapping::coerce::coerce;
use interline::mapping::expression::{Expression, Reader};
use interline::mapping::path::Scope;
use interline::mapping::segment::{COERCION, Deviation, MAPPING};
use interline::yaml::{Node, Place, Problems};
use serde_json::{Value, json};

/// What became of a recorded case.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Gives(Value),
    Nothing,
    Refused,
}

use Outcome::{Nothing, Refused};

fn gives(value: Value) -> Outcome {
    Outcome::Gives(value)
}

/// The recorded mappings that come to something else: the case, which deviation that is, and our outcome.
#[rustfmt::skip]
fn mapping_differences() -> Vec<(&'static str, &'static str, Outcome)> {
    vec![
        ("path through null", "through_empty", Nothing),
        ("path through empty string", "through_empty", Nothing),
        ("path through 0", "through_empty", Nothing),
        ("path [-1]", "jsonpath", gives(json!(3))),
        ("path [*]", "jsonpath", gives(json!([1, 2]))),
        ("path double dots", "jsonpath", gives(json!(["Hello World"]))),
        ("path length of array", "javascript", Nothing),
        ("path length of string", "javascript", Nothing),
        ("path string index", "javascript", Nothing),
        ("path __proto__", "javascript", Nothing),
        ("path constructor.name", "javascript", Nothing),
        ("path quoted key", "quoted_name", Refused),
        ("path directive->missing", "computed_path", Nothing),
        ("template $.", "template_dollar", gives(json!("Hi Hello World!"))),
        ("if else false", "falsy_else", gives(json!(false))),
        ("if else 0", "falsy_else", gives(json!(0))),
        ("if else \"\"", "falsy_else", gives(json!(""))),
        ("arrayPath shape primitives", "root", gives(json!([{"i": 1}, {"i": 2}, {"i": 3}]))),
        ("merge undefined override", "merge_missing", gives(json!({"a": 1}))),
        ("merge string", "javascript", gives(json!({}))),
        ("merge array", "javascript", gives(json!({}))),
        ("merge DIR case", "misspelt_word", Refused),
        ("json MODE upper", "misspelt_word", Refused),
        ("liquid event. prefix", "liquid_event", gives(json!("Hi Hello World"))),
        ("liquid object", "object_text", gives(json!("{\"a\":1,\"b\":{\"c\":\"x\"},\"n\":null}"))),
    ]
}

#[test]
fn every_recorded_mapping_is_accounted_for() {
    let Some(cases) = recorded("segment_mapping.jsonl") else { return };
    let event = cases[0]["event"].clone();
    let mut listed = mapping_differences();
    listed.push(("path $", "root", gives(event.clone())));
    let event = Json::from(&event);
    let mut table = Table::new(MAPPING, listed);
    for case in &cases[1..] {
        table.account(case["name"].as_str().expect("a name"), theirs(case), ours(&case["mapping"], &event));
    }
    table.close("mappings");
}

fn ours(mapping: &Value, event: &Json<'_>) -> Outcome {
    let mut problems = Problems::new("case", "");
    let node = Node::from_json(mapping, &Place { line: 1, column: 1, ..Place::default() });
    let mut reader = Reader::new(&mut problems, "v", interline::mapping::trigger::KindSet::ALL);
    let Some(expression) = Expression::parse(&node, &mut reader) else { return Refused };
    assert!(!problems.has_errors(), "{mapping}: an expression, and errors: {problems}");
    expression.resolve(&Scope::new(event)).map_or(Nothing, |found| gives(found.to_value()))
}

/// The recorded coercions that come to something else: the field's type, the value as JSON, the deviation, our outcome.
#[rustfmt::skip]
fn coercion_differences() -> Vec<(&'static str, &'static str, Outcome)> {
    vec![
        ("integer \"0x10\"", "number_forms", Refused),
        ("datetime -1", "odd_date", Refused),
        ("datetime [1]", "unix_date", gives(json!(1))),
        ("datetime \"2024-01-02\"", "unix_date", gives(json!(1704153600))),
        ("datetime \"1700000000\"", "unix_date", gives(json!(1700000000))),
        ("datetime \"1700000000000\"", "unix_date", gives(json!(1700000000))),
    ]
}

#[test]
fn every_recorded_coercion_is_accounted_for() {
    let Some(cases) = recorded("segment_coercion.jsonl") else { return };
    let mut table = Table::new(COERCION, coercion_differences());
    for case in &cases {
        let kind = case["type"].as_str().expect("a type");
        let value = Json::from(&case["input"]);
        table.account(&format!("{kind} {value}"), theirs(case), fitted(kind, &value));
    }
    table.close("coercions");
}

fn fitted(kind: &str, value: &Json<'_>) -> Outcome {
    match coerce(&field(kind), Some(std::borrow::Cow::Borrowed(value)), &mut Vec::new()) {
        Ok(Some(value)) => gives(value.to_value()),
        Ok(None) => Nothing,
        Err(_) => Refused,
    }
}

fn field(kind: &str) -> Field {
    Field {
        name: "v".to_owned(),
        kind: match kind {
            "string" | "string+null" | "choices" => FieldKind::Text,
            "string/email" => FieldKind::Email,
            "string/uri" => FieldKind::Url,
            "number" => FieldKind::Number,
            "integer" => FieldKind::Integer,
            "boolean" => FieldKind::Boolean,
            "datetime" => FieldKind::Timestamp,
            "object" => FieldKind::Object,
            "string[]" => FieldKind::Texts,
            other => panic!("no such type: {other}"),
        },
        required: false,
        clears: kind == "string+null",
        choices: if kind == "choices" { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() },
        default: None,
        docs: String::new(),
    }
}

/// Cases of our own: every named deviation has some, with what Segment gives and what is given here; a deviation without
/// a case, a case without a difference, or a result that is another one fails.
#[test]
fn every_deviation_has_cases_of_its_own() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/segment/deviations.json");
    let own: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let event = &own["event"];
    let whole = Json::from(event);
    let mut wrong = Vec::new();
    for (part, deviations) in [("mapping", MAPPING), ("coercion", COERCION)] {
        let cases = own[part].as_object().expect("cases by deviation");
        let known = |name: &str| deviations.iter().any(|one| one.name == name);
        wrong.extend(cases.keys().filter(|name| !known(name)).map(|name| format!("no such deviation: {name}")));
        for one in deviations {
            let cases = cases.get(one.name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let mut differ = 0;
            for case in cases {
                let ours = match part {
                    "mapping" => ours(&spread(&case["mapping"]), &whole),
                    _ => fitted(case["type"].as_str().expect("a type"), &Json::from(&case["input"])),
                };
                let (here, segment) = (stated(&case["here"], event), stated(&case["segment"], event));
                if ours != here {
                    wrong.push(format!("{}: {case}: it is {ours:?}", one.name));
                }
                differ += usize::from(!same(&ours, &segment));
            }
            if differ == 0 {
                wrong.push(format!("{}: no case shows it", one.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `{"repeat": n}` stands for a text of that many characters.
fn spread(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("repeat") => {
            "x".repeat(members["repeat"].as_u64().expect("a number") as usize).into()
        }
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), spread(value))).collect(),
        other => other.clone(),
    }
}

fn stated(outcome: &Value, event: &Value) -> Outcome {
    match outcome.as_str() {
        Some("nothing") => Nothing,
        Some("refused") => Refused,
        Some(other) => panic!("no such outcome: {other}"),
        None if outcome["gives"] == "the event" => gives(event.clone()),
        None => gives(spread(&outcome["gives"])),
    }
}

fn recorded(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("INTERLINE_VECTORS") else {
        println!("vectors not given");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect())
}

fn theirs(case: &Value) -> Outcome {
    match (case.get("output"), case.get("error")) {
        (Some(output), _) => gives(output.clone()),
        (_, Some(_)) => Refused,
        _ => Nothing,
    }
}

/// The account of one file of recorded cases.
struct Table {
    deviations: &'static [Deviation],
    listed: Vec<(&'static str, &'static str, Outcome)>,
    equal: usize,
    used: BTreeSet<usize>,
    wrong: Vec<String>,
}

impl Table {
    fn new(deviations: &'static [Deviation], listed: Vec<(&'static str, &'static str, Outcome)>) -> Self {
        Table { deviations, listed, equal: 0, used: BTreeSet::new(), wrong: Vec::new() }
    }

    fn account(&mut self, name: &str, theirs: Outcome, ours: Outcome) {
        let at = self.listed.iter().position(|(listed, ..)| *listed == name);
        match at.map(|at| (at, &self.listed[at].2)) {
            None if same(&ours, &theirs) => self.equal += 1,
            Some((at, listed)) if *listed == ours && !same(&ours, &theirs) && self.used.insert(at) => {}
            listed => self.wrong.push(format!("{name}: {ours:?}, Segment's {theirs:?}, listed {listed:?}")),
        }
    }

    /// Fails when a case is not accounted for, or a deviation is named that is none; prints the account.
    fn close(mut self, what: &str) {
        let stale = (0..self.listed.len()).filter(|at| !self.used.contains(at));
        self.wrong.extend(stale.map(|at| format!("listed, but no such case: {:?}", self.listed[at])));
        let mut counts = BTreeMap::<&str, usize>::new();
        for (_, name, _) in &self.listed {
            *counts.entry(name).or_default() += 1;
            if !self.deviations.iter().any(|one| one.name == *name) {
                self.wrong.push(format!("no such deviation: {name}"));
            }
        }
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        println!("{what}: {} equal, {} named", self.equal, self.used.len());
        for one in self.deviations {
            let count = counts.get(one.name).copied().unwrap_or_default();
            println!("  {count:3}  {}: at Segment {}; here {}", one.name, one.segment, one.here);
        }
    }
}

/// Equal as JavaScript has it, which knows one kind of number.
fn same(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Gives(ours), Outcome::Gives(theirs)) => match (ours.as_f64(), theirs.as_f64()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => ours == theirs,
        },
        (ours, theirs) => ours == theirs,
    }
}
