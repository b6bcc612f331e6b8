//! Segment's recorded answers to triggers: each is ours as well, or stands below with the reason why it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use interline::json::{self, Json};
use interline::mapping::trigger::Trigger;

/// Why the documented language says something else than Segment's published evaluator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// It keeps single quotes as part of the text.
    SingleQuotes,
    /// Its texts have no escapes.
    Escapes,
    /// It needs a space after a text, and reads on into the next one without it.
    Spacing,
    /// It reads a number up to its exponent.
    Exponent,
    /// It compares integers as doubles.
    ExactNumbers,
    /// The last `and` or `or` decides for the whole level.
    Precedence,
    /// It refuses parentheses in parentheses.
    NestedParentheses,
    /// The `)` of a function ends the group round it.
    FunctionInGroup,
    /// It drops a `!` that is not before `contains` or `match`.
    NegationDropped,
    /// It drops conditions on members it does not know.
    UnsupportedRoot,
    /// It drops functions it does not know, and arguments it does not expect.
    Functions,
    /// It drops what a function is compared with.
    ComparisonDropped,
    /// It has no lists and no `in`.
    Lists,
    /// It has no condition without an operator.
    BareCondition,
    /// It compares `event` and `type` with the text "null".
    NullText,
    /// It takes numbers for texts.
    NumericType,
    /// It says no to `!=` and `!contains` where the member is missing.
    Missing,
    /// It knows one star at the end or the start of a pattern.
    Globs,
    /// It reads names with dots, digits, letters of other scripts or words of the language in them differently.
    Paths,
    /// It drops what it cannot read and goes on; that is refused here.
    RefusedAtLoad,
}

/// What a trigger says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    True,
    False,
    Refused,
}

use Answer::{False, Refused, True};
use Reason::*;

/// The trigger, the event as compact JSON, why, and our answer.
#[rustfmt::skip]
const DIFFERENCES: &[(&str, &str, Reason, Answer)] = &[
    ("type = 'track'", r#"{"type":"track"}"#, SingleQuotes, True),
    ("match(event, '*Done')", r#"{"event":"Order Done"}"#, SingleQuotes, True),
    ("event = 'it'", r#"{"event":"it"}"#, SingleQuotes, True),
    (r#"event = "He said \"hi\"""#, r#"{"event":"He said \"hi\""}"#, Escapes, True),
    (r#"type = "track" and event = "x"or event = "y""#, r#"{"type":"track","event":"y"}"#, Spacing, True),
    ("properties.n > 1e3", r#"{"properties":{"n":2}}"#, Exponent, False),
    ("properties.n = 9007199254740993", r#"{"properties":{"n":9007199254740992}}"#, ExactNumbers, False),
    (r#"type = "track" and event = "A" or event = "B""#, r#"{"type":"track","event":"C"}"#, Precedence, False),
    (r#"event = "A" or type = "track" and event = "B""#, r#"{"type":"identify","event":"A"}"#, Precedence, True),
    (r#"type = "track" or type = "page" and userId != null"#, r#"{"type":"track"}"#, Precedence, True),
    (r#"type = "track" and ((event = "A") or (event = "B"))"#, r#"{"type":"track","event":"B"}"#, NestedParentheses, True),
    (r#"(type = "track" and (event = "A" or event = "B")) or event = "Z""#, r#"{"type":"track","event":"B"}"#, NestedParentheses, True),
    (r#"(type = "track" and (event = "A" or event = "B")) or event = "Z""#, r#"{"type":"page","event":"Z"}"#, NestedParentheses, True),
    (r#"type = "track" and (contains(event, "x") or event = "B")"#, r#"{"type":"track","event":"zzz"}"#, FunctionInGroup, False),
    (r#"type = "track" and (event = "A" or contains(event, "x") or event = "B")"#, r#"{"type":"track","event":"zzz"}"#, FunctionInGroup, False),
    (r#"type = "track" and (contains(event, "x") or contains(event, "y"))"#, r#"{"type":"track","event":"zzz"}"#, FunctionInGroup, False),
    (r#"!type = "track""#, r#"{"type":"track"}"#, NegationDropped, False),
    (r#"!properties.a = "b""#, r#"{"properties":{"a":"b"}}"#, NegationDropped, False),
    (r#"properties.a = "b" and !userId = null"#, r#"{"userId":"u","properties":{"a":"b"}}"#, NegationDropped, True),
    (r#"properties = "x""#, r#"{"properties":"x"}"#, UnsupportedRoot, True),
    (r#"anonymousId = "x""#, r#"{"anonymousId":"x"}"#, UnsupportedRoot, True),
    (r#"groupId = "nope" and type = "group""#, r#"{"groupId":"x","type":"group"}"#, UnsupportedRoot, False),
    (r#"foo = "bar" and type = "track""#, r#"{"type":"track"}"#, UnsupportedRoot, False),
    (r#"receivedAt >= "2023-04-21""#, r#"{"receivedAt":"2023-05-01"}"#, UnsupportedRoot, False),
    (r#"contains(propertiesfoo, "x")"#, r#"{"properties":{"propertiesfoo":"x"}}"#, UnsupportedRoot, False),
    (r#"contains("order placed", "order")"#, r#"{"event":"x"}"#, Functions, True),
    (r#"contains(lowercase(event), "ord")"#, r#"{"event":"ORDER"}"#, Functions, True),
    ("length(userId) > 0", r#"{"userId":"x"}"#, Functions, True),
    (r#"typeof(userId) = "string""#, r#"{"userId":"x"}"#, Functions, True),
    (r#"match("Order*", event)"#, r#"{"event":"Order X"}"#, Functions, False),
    (r#"contains(event, "a") = false"#, r#"{"event":"abc"}"#, ComparisonDropped, False),
    (r#"type in ["track"]"#, r#"{"type":"track"}"#, Lists, True),
    (r#"properties.a = ["x"]"#, r#"{"properties":{"a":"["}}"#, Lists, False),
    ("type", r#"{"type":"track"}"#, BareCondition, False),
    ("type = null", "{}", NullText, True),
    ("event = null", r#"{"type":"track","event":"null"}"#, NullText, False),
    ("event = null", r#"{"event":null}"#, NullText, True),
    ("userId = 1", r#"{"userId":"1"}"#, NumericType, False),
    ("contains(event, 5)", r#"{"event":"a5"}"#, NumericType, False),
    ("properties.n != 5", r#"{"properties":{}}"#, Missing, True),
    (r#"!contains(event, "ord")"#, "{}", Missing, True),
    (r#"!match(event, "Order*")"#, "{}", Missing, True),
    (r#"type = "track" and !contains(properties.email, "@acme.com")"#, r#"{"type":"track","properties":{}}"#, Missing, True),
    (r#"match(event, "*rder*")"#, r#"{"event":"Order Done"}"#, Globs, True),
    (r#"match(event, "O*e")"#, r#"{"event":"Order Done"}"#, Globs, True),
    (r#"match(event, "")"#, r#"{"event":"anything"}"#, Globs, False),
    (r#"properties.a\.b = "c""#, r#"{"properties":{"a":{"b":"c"}}}"#, Paths, False),
    (r#"properties.a\.b = "c""#, r#"{"properties":{"a.b":"c"}}"#, Paths, True),
    (r#"properties.items.0.id = "x""#, r#"{"properties":{"items":[{"id":"x"}]}}"#, Paths, True),
    ("properties.s.length = 3", r#"{"properties":{"s":"abc"}}"#, Paths, False),
    (r#"properties.naïve = "x""#, r#"{"properties":{"naïve":"x"}}"#, Paths, True),
    (r#"properties.and = "x""#, r#"{"properties":{"and":"x"}}"#, Paths, True),
    (r#"properties.or = "x""#, r#"{"properties":{"or":"x"}}"#, Paths, True),
    (r#"properties.日 = "1""#, r#"{"properties":{"日":"1"}}"#, Paths, True),
    ("type = track", r#"{"type":"track"}"#, RefusedAtLoad, Refused),
    ("properties.n < abc", r#"{"properties":{"n":4}}"#, RefusedAtLoad, Refused),
    ("type =", r#"{"type":"track"}"#, RefusedAtLoad, Refused),
    (r#"type = "track")"#, r#"{"type":"track"}"#, RefusedAtLoad, Refused),
    (r#"type = "track" event = "x""#, r#"{"type":"track","event":"y"}"#, RefusedAtLoad, Refused),
    ("event = o", r#"{"event":"o"}"#, RefusedAtLoad, Refused),
    ("event = a", r#"{"event":"a"}"#, RefusedAtLoad, Refused),
    (r#"properties.a = n and type = "track""#, r#"{"type":"track","properties":{"a":"n"}}"#, RefusedAtLoad, Refused),
    (r#"event = "say "hi"""#, r#"{"event":"say "}"#, RefusedAtLoad, Refused),
    (r#"not type = "track""#, r#"{"type":"page"}"#, RefusedAtLoad, Refused),
    ("traits.x = TRUE", r#"{"traits":{"x":true}}"#, RefusedAtLoad, Refused),
    ("traits.x = NULL", r#"{"traits":{}}"#, RefusedAtLoad, Refused),
];

#[test]
fn every_recorded_case_is_accounted_for() {
    let Some(folder) = std::env::var_os("INTERLINE_VECTORS") else {
        println!("vectors not given");
        return;
    };
    let path = PathBuf::from(folder).join("segment_fql.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut used = BTreeSet::new();
    let (mut equal, mut counts, mut wrong) = (0, BTreeMap::<Reason, u32>::new(), Vec::new());
    for line in text.lines() {
        let case = json::parse(line.as_bytes()).expect("a case is JSON");
        let (trigger, event) =
            (case.get("trigger").and_then(Json::as_str).expect("a text"), &case.get("event").unwrap());
        let (ours, theirs) = (our_answer(trigger, event), their_answer(&case));
        match listed(trigger, &event.to_string()) {
            None if ours == theirs => equal += 1,
            Some((at, reason, answer)) if ours == answer && ours != theirs && used.insert(at) => {
                *counts.entry(reason).or_default() += 1;
            }
            listed => wrong.push(format!("{trigger} on {event}: {ours:?}, Segment's {theirs:?}, listed {listed:?}")),
        }
    }
    let stale = (0..DIFFERENCES.len()).filter(|at| !used.contains(at));
    wrong.extend(stale.map(|at| format!("listed, but no such case: {:?}", DIFFERENCES[at])));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{equal} equal to Segment's answer, {} not: {counts:?}", used.len());
}

/// The place of a case in the list, with its reason and our answer.
fn listed(trigger: &str, event: &str) -> Option<(usize, Reason, Answer)> {
    let at = DIFFERENCES.iter().position(|listed| (listed.0, listed.1) == (trigger, event))?;
    Some((at, DIFFERENCES[at].2, DIFFERENCES[at].3))
}

/// A trigger with another meaning at Segment says so when it is read.
#[test]
fn every_difference_is_told_to_the_author() {
    for (trigger, event, _, answer) in DIFFERENCES.iter().filter(|(.., answer)| *answer != Refused) {
        let warnings = Trigger::parse(trigger).expect(trigger).warnings;
        let is_told = warnings.iter().any(|warning| warning.message.starts_with("Segment reads this as "));
        assert!(is_told, "{trigger} on {event} is {answer:?}: {warnings:?}");
    }
}

fn our_answer(trigger: &str, event: &Json<'_>) -> Answer {
    match Trigger::parse(trigger) {
        Ok(parsed) if parsed.trigger.holds(event) => True,
        Ok(_) => False,
        Err(_) => Refused,
    }
}

fn their_answer(case: &Json<'_>) -> Answer {
    let is = |key: &str| case.get(key) == Some(&Json::Bool(true));
    match (is("parse_error"), is("segment_ts")) {
        (true, _) => Refused,
        (_, true) => True,
        _ => False,
    }
}
