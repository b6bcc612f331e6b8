//! Destination files and every problem in them.

use super::*;
use crate::mapping::fake::compiled;

/// Every problem of a file, as `line:column severity code path`.
#[track_caller]
fn check(text: &str, expected: &[&str]) -> Problems {
    let problems = match compiled(text) {
        Ok(compiled) => compiled.problems,
        Err(problems) => problems,
    };
    let found: Vec<String> = problems
        .iter()
        .map(|problem| {
            let severity = format!("{:?}", problem.severity).to_lowercase();
            format!("{}:{} {severity} {} {}", problem.place.line, problem.place.column, problem.code, problem.path)
        })
        .collect();
    assert_eq!(found, expected, "{problems}");
    problems
}

/// The same, with a text that must appear among them.
#[track_caller]
fn says(text: &str, expected: &[&str], part: &str) {
    let problems = check(text, expected).to_string();
    assert!(problems.contains(part), "{problems}");
}

/// A file of one mapping of `greet` with these fields.
fn fields(fields: &str) -> String {
    format!("destination: fake\nmappings:\n  - name: m\n    action: greet\n    fields:\n      {fields}\n")
}

#[test]
fn a_good_file_has_no_problem() {
    let text = r#"
destination: fake
enabled: true
sources: [web, app]
settings: { access_token: "${TOKEN}" }
filter: context.environment = "live"
on_invalid: reject
mappings:
  - { name: a, action: greet }
  - name: b
    enabled: false
    trigger: type = "track"
    action: leave
    on_invalid: drop
    defaults: false
    fields: { id: $.userId }
tests:
  - name: t
    event: { type: identify }
    expect: [ { mapping: a } ]
"#;
    check(text, &[]);
    let compiled = compiled(text).unwrap();
    assert_eq!(compiled.mappings.settings.get("access_token").and_then(Node::as_text), Some("s3cret"));
    assert_eq!((compiled.tests.len(), compiled.mappings.mappings.len()), (1, 2));
}

#[test]
fn every_problem_is_shown_at_once_at_its_place() {
    let text = r#"destination: fake
sources: [web, ap]
filer: x
mappings:
  - name: a
    action: greet
    trigger: type = "identify
    fields:
      emial: $.traits.email
      role: usr
      seats: { $frist: [1] }
      facts: { a: $.properties.foo-bar }
      tags: { $first: [ $.a ], x: 1 }
  - name: a
    action: grete
    fields: {}
  - name: c
    action: leave
    defauts: false
"#;
    let problems = check(
        text,
        &[
            "2:16 error unknown_source sources[1]",
            "3:1 error unknown_key filer",
            "7:21 error trigger_invalid mappings[0].trigger",
            "9:7 error unknown_field mappings[0].fields.emial",
            "10:13 error value_invalid mappings[0].fields.role",
            "11:16 error unknown_directive mappings[0].fields.seats",
            "12:35 error path_invalid mappings[0].fields.facts.a",
            "13:15 error directive_not_alone mappings[0].fields.tags",
            "14:11 error duplicate_name mappings[1].name",
            "15:13 error unknown_action mappings[1].action",
            "17:5 error field_missing mappings[2].fields",
            "19:5 error unknown_key mappings[2].defauts",
        ],
    )
    .to_string();
    for part in [
        "did you mean `app`?",
        "did you mean `filter`?",
        "`greet` has no field `emial`",
        "did you mean `email`?",
        "field `role`: expected `user` or `lead`, found \"usr\"",
        "did you mean `user`?",
        "did you mean `$first`?",
        "write `$.properties['foo-bar']`",
        "a mapping on line 5 is already called `a`",
        "did you mean `greet`?",
        "field `id` is required and has no default here",
        "did you mean `defaults`?",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
    assert!(problems.starts_with("mappings/people.yaml:2:16: error: unknown source `ap` (sources[1])\n"), "{problems}");
}

#[test]
fn the_fifty_first_mapping_is_refused_by_name() {
    let mappings: String =
        (1..=52).map(|n| format!("  - {{ name: m{n}, action: greet, fields: {{ seats: {n} }} }}\n")).collect();
    says(
        &format!("destination: fake\nmappings:\n{mappings}"),
        &["53:13 error too_many_mappings mappings[50]"],
        "mapping `m51` is number 51 of at most 50",
    );
}

#[test]
fn keys_must_be_there_and_of_their_kind() {
    says(
        "destination: fak\nmappings: []",
        &["1:1 warning no_mappings ", "1:14 error unknown_destination destination"],
        "`fake`",
    );
    says("mappings: []", &["1:1 error key_missing ", "1:1 warning no_mappings "], "`destination` is missing");
    says("- a", &["1:1 error value_invalid "], "expected a map, found a list");
    says("", &["1:1 error value_invalid "], "expected a map, found null");
    says(
        "destination: fake\nenabled: yes\nmappings:\n  - { name: 1, action: greet, on_invalid: dorp }\ntests: [ { name: x } ]",
        &[
            "2:10 error value_invalid enabled",
            "4:13 error value_invalid mappings[0].name",
            "4:43 error value_invalid mappings[0].on_invalid",
            "5:10 error key_missing tests[0]",
            "5:10 error key_missing tests[0]",
        ],
        "did you mean `drop`?",
    );
}

#[test]
fn literals_are_fitted_at_load() {
    says(
        &fields("seats: many"),
        &["6:14 error value_invalid mappings[0].fields.seats"],
        "expected a whole number, found \"many\"",
    );
    says(
        &fields("email: traits.email"),
        &["6:14 error value_invalid mappings[0].fields.email"],
        "did you mean `$.traits.email`?",
    );
    says(
        &fields("id: traits.id"),
        &["6:11 warning path_mistaken mappings[0].fields.id"],
        "did you mean `$.traits.id`?",
    );
    says(&fields("id: ''"), &["6:11 warning value_empty mappings[0].fields.id"], "write null to unset");
    says(
        &fields("facts: '{{ a }}'"),
        &["6:14 error value_invalid mappings[0].fields.facts"],
        "takes object, and this always gives text",
    );
    says(&fields("id: { a: $.b }"), &["6:11 error value_invalid mappings[0].fields.id"], "always gives object");
    says(&fields("role: null"), &["6:13 error field_missing mappings[0].fields"], "cannot be unset");
    says(&fields("seats: ${TOKEN}"), &["6:14 error value_invalid mappings[0].fields.seats"], "found \"${TOKEN}\"");
    check(&fields("seats: '12'"), &[]);
}

#[test]
fn what_is_the_same_for_every_event_is_looked_at_at_load() {
    let lost = |expression: &str| fields(&format!("facts: {{ a: {expression} }}"));
    says(
        &lost("{ $date: now }"),
        &["6:21 warning constant_lost mappings[0].fields.facts.a.$date"],
        "`$date` finds no date: \"now\", for every event",
    );
    says(
        &lost("{ $first: [{ $number: abc }, $.userId] }"),
        &["6:32 warning constant_lost mappings[0].fields.facts.a.$first[0].$number"],
        "\"abc\", for every event",
    );
    says(
        &lost("{ $lookup: { value: p9, table: { p1: Free } } }"),
        &["6:21 warning constant_lost mappings[0].fields.facts.a.$lookup"],
        "no such entry and no default",
    );
    check(&lost("{ $date: 2026-01-31 }"), &[]);
    check(&lost("{ $date: '2026-{{ traits.month }}-01' }"), &[]);
    check(&lost("{ $map: { over: [1, x], to: { $number: $ } } }"), &[]);
    says(
        &fields("email: ada@example.com"),
        &["6:14 warning identity_constant mappings[0].fields.email"],
        "everybody becomes one person",
    );
}

#[test]
fn what_a_destination_that_is_off_names_need_not_be_there() {
    let text = |enabled: &str| {
        format!(
            "destination: fake\nenabled: {enabled}\nsettings: {{ token: '${{NONE}}', key: '${{file:/none}}' }}\n\
             mappings: [{{ name: a, action: greet }}]\n"
        )
    };
    check(&text("false"), &[]);
    let (unset, unreadable) = ("3:21 error variable_unset settings.token", "3:37 error file_unreadable settings.key");
    check(&text("true"), &[unset, unreadable]);
}

#[test]
fn an_unset_variable_is_shown_with_its_line() {
    says(
        "destination: fake\nsettings:\n  token: x-${NONE}\nmappings: [ { name: a, action: greet } ]",
        &["3:12 error variable_unset settings.token"],
        "environment variable `NONE` is not set",
    );
}

#[test]
fn a_trigger_over_several_lines_is_pointed_into() {
    let text = "destination: fake\nmappings:\n  - name: a\n    action: greet\n    trigger: >-\n      type = \"track\"\n      and event = \"x\n";
    check(text, &["7:19 error trigger_invalid mappings[0].trigger"]);
}

#[test]
fn warnings_travel_with_success() {
    let compiled = compiled(&fields("id: $.traits.ids.0")).unwrap();
    assert_eq!(compiled.problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["path_rewritten"]);
}

/// A file of these mappings, each one line, from line 3 on.
fn mappings(mappings: &[&str]) -> String {
    let lines: Vec<String> = mappings.iter().map(|mapping| format!("  - {{ {mapping} }}\n")).collect();
    format!("destination: fake\nmappings:\n{}", lines.concat())
}

#[test]
fn mappings_that_do_the_same_are_named() {
    let twins = [
        "name: a, action: leave, trigger: 'type = \"track\" and event = \"A\"', fields: { id: $.userId }",
        "name: b, action: leave, trigger: '(type = \"track\") and event=\"A\"', fields: { id: $.userId }",
        "name: c, action: leave, trigger: 'type = \"track\" and event = \"A\"', fields: { id: $.anonymousId }",
        "name: d, action: leave, enabled: false, trigger: 'type = \"track\" and event = \"A\"', fields: { id: $.userId }",
    ];
    says(&mappings(&twins), &["4:13 warning duplicate_mapping mappings[1].name"], "`b` does the same as `a`");
}

#[test]
fn mappings_whose_events_the_filter_keeps_out_are_named() {
    let file = mappings(&[
        "name: a, action: greet, trigger: 'type = \"identify\" and context.env = \"test\"'",
        "name: b, action: greet",
        "name: c, action: greet, trigger: 'type = \"track\" and type = \"page\"'",
    ]);
    let file = file.replace("mappings:", "filter: context.env != \"test\"\nmappings:");
    let expected =
        ["4:13 warning mapping_unreachable mappings[0].name", "6:60 warning trigger_doubtful mappings[2].trigger"];
    says(&file, &expected, "`a` never runs");
}

#[test]
fn paths_that_no_call_of_the_trigger_has_are_named() {
    let file = mappings(&[
        "name: a, action: greet, fields: { extra: $.properties.name, facts: { x: '{{ groupId }}', y: $.context.traits.x } }",
        "name: b, action: greet, trigger: 'type = \"track\" or type = \"identify\"', fields: { extra: $.properties.name }",
        "name: c, action: greet, trigger: 'userId != null', fields: { extra: { $first: [ $.traits.name, $.properties.name ] } }",
    ]);
    let expected = [
        "3:48 warning path_unlikely mappings[0].fields.extra",
        "3:83 warning path_unlikely mappings[0].fields.facts.x",
    ];
    says(&file, &expected, "did you mean `$.traits.name`?");
    let filtered = mappings(&["name: a, action: greet, trigger: 'userId != null', fields: { extra: $.traits.name }"]);
    let filtered = filtered.replace("mappings:", "filter: type = \"page\"\nmappings:");
    says(&filtered, &["4:75 warning path_unlikely mappings[0].fields.extra"], "page calls have no `traits`");
}

#[test]
fn members_of_other_calls_are_named() {
    let file = mappings(&["name: a, action: leave, trigger: 'type = \"identify\"', fields: { id: $.event }"]);
    says(&file, &["3:75 warning path_unlikely mappings[0].fields.id"], "identify calls have no `event`");
}

#[test]
fn tests_speak_of_what_the_file_has() {
    let file = mappings(&["name: a, action: greet", "name: b, enabled: false, action: greet"]);
    let tests = r#"tests:
  - { name: t, event: { type: identify }, expect: [ { mapping: z9 } ] }
  - { name: t, event: { type: identify }, expect: [ { mapping: b }, { mapping: a, payload: { emial: x } } ] }
  - { name: u, event: { type: identify }, only: false, expect: [] }
  - { name: v, event: { type: identify }, expect: [ { mapping: a, error: e, payload: { id: x } }, { mapping: a } ] }
  - { name: w, event: x, expect: [ { mapping: a, matched: false, warnings: [] }, { mapping: b, outcome: done } ] }
  - { name: x }
"#;
    let expected = [
        "6:64 error unknown_mapping tests[0].expect[0].mapping",
        "7:5 warning duplicate_name tests[1]",
        "7:64 warning test_of_disabled tests[1].expect[0].mapping",
        "7:94 error unknown_field tests[1].expect[1].payload.emial",
        "8:5 warning test_empty tests[2]",
        "9:64 error value_invalid tests[3].expect[0].mapping",
        "9:110 error duplicate_name tests[3].expect[1].mapping",
        "10:23 error value_invalid tests[4].event",
        "10:105 error value_invalid tests[4].expect[1].outcome",
        "11:5 error key_missing tests[5]",
        "11:5 error key_missing tests[5]",
    ];
    says(&format!("{file}{tests}"), &expected, "there are: delivered, skipped");
}

#[test]
fn what_a_variable_stands_for_is_never_shown() {
    let shown_as = |text: &str| match compiled(text) {
        Ok(compiled) => compiled.problems.to_string(),
        Err(problems) => problems.to_string(),
    };
    let trigger = |trigger: &str| {
        format!("destination: fake\nmappings:\n  - {{ name: m, action: greet, trigger: '{trigger}' }}\n")
    };
    for text in [
        fields("email: [\"${TOKEN}\"]"),
        fields("email: { $literal: \"${TOKEN}\" }"),
        fields("email: \"${TOKEN}\""),
        fields("email: { $liquid: \"{{ a | ${TOKEN} }}\" }"),
        fields("email: { $liquid: \"{% ${TOKEN} %}\" }"),
        fields("email: \"$.a[${TOKEN}\""),
        fields("email: { $date: $.a, format: \"${TOKEN}\", mode: \"${TOKEN}\" }"),
        trigger("type = \"track\" and event = ${TOKEN}"),
        trigger("userId = \"${TOKEN}\" and userId = \"b\""),
        trigger("${TOKEN}.x = 1"),
        trigger("${TOKEN}(event)"),
    ] {
        let shown = shown_as(&text);
        assert!(!shown.is_empty() && !shown.contains("s3cret"), "{text}{shown}");
    }
}

#[test]
fn a_token_is_not_shown_under_another_name_either() {
    let text = "destination: fake\nsettings: { access_token: &t sekrittoken, port: *t, api_kee: \"Bearer abcdef\" }\nmappings:\n  - { name: *t, action: gret }\n  - { name: *t, action: greet }\n";
    let problems = compiled(text).unwrap_err();
    let shown = problems.to_string();
    assert!(shown.contains("`***`") && !shown.contains("sekrit"), "{shown}");
    assert!(!problems.excerpt().contains("sekrit"), "{}", problems.excerpt());
    assert_eq!(problems.excerpt().len(), text.len());
}
