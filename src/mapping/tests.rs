//! Mappings over events: what becomes of them, and that nothing can panic.

use proptest::prelude::*;
use serde_json::json;

use super::compile::Compiled;
use super::fake::compiled;
use super::*;
use crate::json as text;

/// A file of one mapping of `greet` with these keys.
fn one(rest: &str) -> Compiled {
    let file = format!("destination: fake\nmappings:\n  - name: m\n    action: greet\n{rest}");
    compiled(&file).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The payload, or `code field` of why there is none.
#[track_caller]
fn check(rest: &str, event: &str, expected: &str, warnings: &[&str]) {
    let file = one(rest);
    let event = text::parse(event.as_bytes()).unwrap();
    let (found, said) = match file.mappings.mappings[0].payload(&event) {
        Ok(payload) => (payload.object, payload.warnings),
        Err(unfit) => {
            assert_eq!(format!("{} {}: {}", unfit.code, unfit.field, unfit.message), expected);
            return;
        }
    };
    assert_eq!(Json::Object(found).to_string(), expected);
    let said: Vec<String> = said.iter().map(|warning| format!("{} {}", warning.code, warning.field)).collect();
    assert_eq!(said, warnings);
}

const NOBODY_ELSE: &str = "    fields: { role: user, seen_at: 1, ";

#[test]
fn fields_are_filled_by_their_defaults_in_the_actions_order() {
    check(
        "",
        r#"{"type":"identify","timestamp":"2026-01-01T00:00:00Z","properties":{"b":1,"a":null},"userId":"u1",
            "traits":{"seats":3},"context":{"traits":{"email":"a@b.co"}}}"#,
        r#"{"role":"user","id":"u1","email":"a@b.co","seats":3,"seen_at":1767225600,"facts":{"b":1,"a":null}}"#,
        &[],
    );
    check(
        "",
        r#"{"timestamp":"2026-01-01","anonymousId":"x","traits":{"email":"a@b.co"}}"#,
        r#"{"role":"lead","email":"a@b.co","seen_at":1767225600}"#,
        &[],
    );
}

#[test]
fn a_given_field_replaces_its_default_and_null_unsets_it() {
    let event = r#"{"userId":"u1","timestamp":1,"traits":{"email":"a@b.co","seats":2},"properties":{"n":"x"}}"#;
    check(
        "    fields: { email: null, seats: 5, facts: { n: $.properties.n, gone: $.nope }, role: lead }",
        event,
        r#"{"role":"lead","id":"u1","seats":5,"seen_at":1,"facts":{"n":"x"}}"#,
        &[],
    );
    check(
        "    defaults: false\n    fields: { id: $.userId, role: user, seen_at: $.timestamp }",
        event,
        r#"{"role":"user","id":"u1","seen_at":1}"#,
        &[],
    );
}

#[test]
fn null_clears_what_can_be_cleared_and_empty_text_is_missing() {
    let event = r#"{"userId":"u1","timestamp":1,"traits":{"seats":null,"email":null}}"#;
    check("", event, r#"{"role":"user","id":"u1","seen_at":1}"#, &[]);
    check("    fields: { email: $.traits.email }", event, r#"{"role":"user","id":"u1","email":null,"seen_at":1}"#, &[]);
    check(
        "    fields: { email: $.traits.email }",
        r#"{"userId":"","timestamp":1,"traits":{"email":"a@b.co","avatar":""}}"#,
        r#"{"role":"user","email":"a@b.co","seen_at":1}"#,
        &[],
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let event = r#"{"userId":17,"timestamp":1,"traits":{"email":"nope","avatar":"/x.png","seats":"20-50"}}"#;
    check(
        "",
        event,
        r#"{"role":"user","id":"17","seen_at":1}"#,
        &["value_converted id", "field_dropped email", "field_dropped avatar", "field_dropped seats"],
    );
    check(
        "    on_invalid: reject",
        event,
        "field_invalid email: field `email`: expected an e-mail address, found \"nope\"",
        &[],
    );
}

#[test]
fn a_warning_says_what_a_value_was_and_what_it_became() {
    let file = one(&format!("{NOBODY_ELSE} id: $.n, score: $.s, seats: {{ $number: $.s }}, email: $.e }}\n"));
    let event = text::parse(br#"{"n":17,"s":"many","e":["a@b.co"]}"#).unwrap();
    let said = file.mappings.mappings[0].payload(&event).unwrap().warnings;
    let said: Vec<_> =
        said.iter().map(|one| (&*one.field, &*one.code, one.from.as_deref(), one.to.as_deref())).collect();
    assert_eq!(
        said,
        [
            ("id", "value_converted", Some("17"), Some("\"17\"")),
            ("email", "value_converted", Some("[\"a@b.co\"]"), Some("\"a@b.co\"")),
            ("score", "field_dropped", Some("\"many\""), None),
            ("seats", "value_lost", Some("\"many\""), None),
        ]
    );
}

#[test]
fn without_a_required_field_there_is_no_payload() {
    check(
        "",
        r#"{"userId":"u"}"#,
        "field_missing seen_at: required field `seen_at` is missing: `$.timestamp` came to nothing",
        &[],
    );
    check(
        "",
        r#"{"userId":"u","timestamp":"soon"}"#,
        "field_invalid seen_at: field `seen_at`: expected a date, found \"soon\"",
        &[],
    );
}

#[test]
fn the_actions_own_rules_come_last() {
    check("", r#"{"timestamp":1}"#, "nobody id: neither id nor email", &[]);
    check(
        &format!("{NOBODY_ELSE} quiet: true }}"),
        r#"{"userId":"u"}"#,
        r#"{"role":"user","id":"u","seen_at":1}"#,
        &["unheard quiet"],
    );
}

#[test]
fn every_kind_of_field_takes_its_expressions() {
    check(
        &format!(
            "{NOBODY_ELSE} score: '{{{{ traits.score }}}}', quiet: null, tags: [ $.traits.tag, $.nope, fix ], \
             extra: {{ $literal: $.x }} }}"
        ),
        r#"{"userId":"u","traits":{"score":"1.5","tag":"a"}}"#,
        r#"{"role":"user","id":"u","score":1.5,"seen_at":1,"tags":["a","fix"],"extra":"$.x"}"#,
        &["value_converted score", "value_converted tags"],
    );
}

#[test]
fn an_event_is_for_the_mappings_whose_trigger_holds() {
    let file = r#"
destination: fake
sources: [web]
filter: channel = "server"
mappings:
  - { name: a, action: greet }
  - { name: b, action: leave, fields: { id: $.userId } }
  - { name: c, action: leave, trigger: 'type = "identify"', fields: { id: $.userId } }
  - { name: d, action: greet, enabled: false }
"#;
    let mappings = compiled(file).unwrap_or_else(|problems| panic!("{problems}")).mappings;
    for (event, expected) in [
        (r#"{"type":"identify","channel":"server"}"#, vec!["a", "c"]),
        (r#"{"type":"identify","channel":"client"}"#, vec![]),
        (r#"{"type":"track","event":"Left","channel":"server"}"#, vec!["b"]),
    ] {
        let event = text::parse(event.as_bytes()).unwrap();
        let found: Vec<&str> = mappings.matching(&event).map(|mapping| mapping.name.as_str()).collect();
        assert_eq!(found, expected);
    }
    assert!(mappings.takes("web") && !mappings.takes("app"));
    assert_eq!((mappings.name.as_str(), mappings.kind.as_str()), ("people", "fake"));
    assert_eq!(mappings.get("c").map(|mapping| mapping.action.name), Some("leave"));
}

#[test]
fn an_explanation_shows_each_field_from_expression_to_value() {
    let file = one("    fields: { seats: '{{ traits.seats }}' }");
    let event = text::parse(br#"{"type":"identify","userId":"u","timestamp":1,"traits":{"seats":"2","email":"x"}}"#);
    let explained = serde_json::to_value(file.mappings.explain(&event.unwrap())).unwrap();
    let mapping = &explained["mappings"][0];
    assert_eq!(mapping["matched"], true);
    assert_eq!(mapping["payload"], json!({"role": "user", "id": "u", "seats": 2, "seen_at": 1}));
    let field = |name: &str| mapping["fields"].as_array().unwrap().iter().find(|field| field["field"] == name).cloned();
    let seats = field("seats").unwrap();
    assert_eq!((&seats["expression"], &seats["default"]), (&json!("{{ traits.seats }}"), &json!(false)));
    assert_eq!((&seats["value"], &seats["coerced"]), (&json!("2"), &json!(2)));
    let email = field("email").unwrap();
    assert_eq!((&email["value"], &email["coerced"]), (&json!("x"), &json!(null)));
    assert_eq!(email["warnings"][0]["code"], "field_dropped");
    assert_eq!(mapping["error"], json!(null));

    let event = text::parse(br#"{"type":"identify"}"#).unwrap();
    let explained = serde_json::to_value(file.mappings.explain(&event)).unwrap();
    assert_eq!(explained["mappings"][0]["error"]["code"], "field_missing");
    let event = text::parse(br#"{"type":"track"}"#).unwrap();
    let explained = serde_json::to_value(file.mappings.explain(&event)).unwrap();
    assert_eq!(
        (&explained["mappings"][0]["matched"], &explained["mappings"][0]["fields"]),
        (&json!(false), &json!([]))
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop_oneof!["\\PC{0,8}", Just("a@b.co".to_owned()), Just("2026-01-01".to_owned()), Just("12".to_owned())]
            .prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c]|email|seats", inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_event_gives_the_same_payload_twice_or_a_named_reason(
        (user, traits, properties, time) in (any_json(), any_json(), any_json(), any_json()),
    ) {
        thread_local! {
            static FILE: Compiled = compiled(r#"
destination: fake
mappings:
  - { name: plain, action: greet, trigger: 'type = "identify"' }
  - name: rich
    action: greet
    trigger: type = "identify"
    fields:
      id: "{{ userId }}-{{ traits.a[0] }}"
      score: { $first: [ $.traits.a, $.traits.b.c, 1 ] }
      quiet: { $if: { blank: $.traits.a, then: $.traits.b } }
      facts: { all: $..a, some: "$.properties[?@.a > 1]", deep: [ $.properties, '$.traits.a[-1]' ] }
      tags: $.properties[*]
      extra: { '@path': { '@template': 'traits.{{ userId }}' } }
  - { name: strict, action: greet, on_invalid: reject, trigger: 'type = "identify"' }
"#).unwrap();
        }
        let event = json!({ "type": "identify", "userId": user, "traits": traits, "properties": properties, "timestamp": time });
        let event = Json::from(&event);
        FILE.with(|file| {
            for mapping in file.mappings.matching(&event) {
                let payload = mapping.payload(&event);
                prop_assert_eq!(&payload, &mapping.payload(&event));
                match payload {
                    Ok(payload) => {
                        let names: Vec<&str> = payload.object.iter().map(|(name, _)| name).collect();
                        let order = mapping.action.fields.iter().map(|field| field.name.as_str());
                        let expected: Vec<&str> = order.filter(|name| names.contains(name)).collect();
                        prop_assert_eq!(names, expected);
                        prop_assert!(payload.warnings.iter().all(|warning| CODES.contains(&&*warning.code) || warning.code == "unheard"));
                    }
                    Err(unfit) => prop_assert!(CODES.contains(&&*unfit.code) || unfit.code == "nobody"),
                }
                serde_json::to_string(&mapping.explain(&event)).unwrap();
            }
            Ok(())
        })?;
    }
}
