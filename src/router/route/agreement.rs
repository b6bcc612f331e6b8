//! What explaining an event says is what routing it records, whatever the event and the mappings.

use futures_util::future::BoxFuture;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::*;
use crate::action::Failure;
use crate::delivery::{Position, Steps};
use crate::destination::{self, Circumstances, Destination, Explanation, Performed};
use crate::event::{Channel, Envelope, Event, Kind};
use crate::mapping::Mappings;
use crate::metrics::Metrics;
use crate::yaml::{Lookup, Missing};

const TRIGGERS: [&str; 10] = [
    r#"type = "track""#,
    r#"type = "identify""#,
    r#"type != "group" and userId != null"#,
    r#"type = "track" and event = "A" or type = "identify" and traits.email != null"#,
    r#"match(event, "A*") and !(properties.n > 5)"#,
    "properties.ok",
    r#"contains(lowercase(event), "b") or properties.n in [1, 2.0, "3"]"#,
    r#"type in ["group", "page"]"#,
    "true",
    "false",
];

/// Expressions that fit, that do not, and that come to nothing.
const VALUES: [&str; 9] = [
    "$.userId",
    "$.properties.n",
    "$.traits.email",
    "\"{{ event }} {{ properties.n }}\"",
    "{ $first: [ $.traits.email, $.properties ] }",
    "{ $if: { exists: $.properties.ok, then: $.timestamp, else: nobody } }",
    "$.properties.list[*]",
    "[ $.event, 1 ]",
    "null",
];

fn any_mapping() -> impl Strategy<Value = String> {
    let fields = select(vec![
        ("identify_contact", vec!["role", "email", "name", "signed_up_at", "custom_attributes"]),
        ("identify_company", vec!["company_id", "size", "remove", "name"]),
        ("track_event", vec!["event_name", "created_at", "user_id", "revenue", "metadata", "keep"]),
    ]);
    let fields = fields.prop_flat_map(|(action, names)| {
        let some = subsequence(names.clone(), 0..names.len());
        (Just(action), some, prop::collection::vec(select(&VALUES[..]), 6))
    });
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.8), select(vec!["drop", "reject"]));
    (fields, select(&TRIGGERS[..]), flags).prop_map(|((action, names, values), trigger, (own, defaults, enabled, on_invalid))| {
        let fields: Vec<String> = names.iter().zip(values).map(|(name, value)| format!("{name}: {value}")).collect();
        let trigger = if own { format!(", trigger: '{trigger}'") } else { String::new() };
        format!(
            "{{ action: {action}{trigger}, enabled: {enabled}, defaults: {defaults}, on_invalid: {on_invalid}, fields: {{ {} }} }}",
            fields.join(", ")
        )
    })
}

/// A destination file; its mappings are those of the generated that compile.
fn any_file() -> impl Strategy<Value = Mappings> {
    let head = (prop::bool::weighted(0.9), prop::option::of(select(&TRIGGERS[..])), any::<bool>());
    (head, prop::collection::vec(any_mapping(), 1..6)).prop_map(|((enabled, filter, website_only), mappings)| {
        let mut head =
            format!("destination: intercom\nenabled: {enabled}\nsettings: {{ region: us, access_token: t }}\n");
        filter.into_iter().for_each(|filter| head.push_str(&format!("filter: '{filter}'\n")));
        if website_only {
            head.push_str("sources: [website]\n");
        }
        let compiles = |mapping: &String| compiled(&format!("{head}mappings: [ {} ]", named(0, mapping))).is_some();
        let mappings = mappings.into_iter().filter(compiles).enumerate().map(|(at, mapping)| named(at, &mapping));
        compiled(&format!("{head}mappings: [ {} ]", mappings.collect::<Vec<_>>().join(", "))).unwrap()
    })
}

fn named(at: usize, mapping: &str) -> String {
    mapping.replacen('{', &format!("{{ name: m{at},"), 1)
}

fn compiled(text: &str) -> Option<Mappings> {
    let lookup = Lookup { environment: &|_| None, file: &|_| Err("none".to_owned()), missing: Missing::Refused };
    Some(destination::compile(text, "it.yaml", None, lookup).ok()?.mappings)
}

fn any_event() -> impl Strategy<Value = Stored> {
    let n = select(vec![json!(null), json!(1), json!(2), json!(5.5), json!(70), json!("3"), json!([1]), json!("soon")]);
    let email = select(vec![json!(null), json!("a@b.co"), json!("no address"), json!(7)]);
    let integrations =
        select(vec![json!({}), json!({"All": false}), json!({"All": false, "Intercom": true}), json!(null)]);
    let call = (select(vec!["A", "AB", "b", ""]), n, email, prop::option::of(any::<bool>()), integrations);
    let from = (select(&Kind::ALL[..]), select(vec!["website", "backend"]), any::<bool>());
    (call, from).prop_map(|((event, n, email, ok, integrations), (kind, source, known))| {
        let body = json!({
            "userId": if known { json!("u1") } else { Value::Null }, "anonymousId": "a1", "groupId": "g1",
            "event": event, "traits": { "email": email }, "integrations": integrations,
            "properties": { "n": n, "ok": ok, "list": [1, "x", null] },
        });
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let envelope = Envelope {
            source: source.into(),
            kind,
            message_id: "m1".to_owned(),
            received_at: at,
            timestamp: at,
            original_timestamp: None,
            sent_at: None,
            channel: Channel::Server,
            ip: None,
            shared: None,
            replay: None,
        };
        Stored { position: Position(1), event: Event { envelope, body: body.to_string().into_bytes().into() } }
    })
}

/// A destination that nothing is brought to.
struct Nowhere;

impl Destination for Nowhere {
    fn perform<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        Box::pin(async { Performed::failed(Failure::rejected("nowhere", "nothing is brought here")) })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// One delivery, as routing and explaining put it: its mapping, its action, its payload or why there is none.
type Owed = (String, String, Result<String, Unfit>);

fn routed(stored: &Stored, connection: &Arc<Connection>) -> Vec<Owed> {
    let routed = route(stored, std::slice::from_ref(connection), stored.event.envelope.received_at);
    let owed = routed.deliveries.into_iter().map(|(delivery, progress)| {
        assert_eq!(delivery.payload.is_err(), matches!(progress.status, Status::DeadLetter { .. }));
        (
            delivery.mapping.to_string(),
            delivery.action.to_string(),
            delivery.payload.map(|payload| payload.get().to_owned()),
        )
    });
    owed.collect()
}

fn explained(explanation: Explanation) -> Vec<Owed> {
    let kept_out = explanation.kept_out.is_some();
    let owed = explanation.mappings.into_iter().filter(|one| one.matched && one.enabled && !kept_out);
    let owed = owed.map(|one| {
        let payload = match one.error {
            Some(unfit) => Err(unfit),
            None => Ok(serde_json::to_string(&one.payload.expect("a payload or an error")).unwrap()),
        };
        (one.name, one.action.to_owned(), payload)
    });
    owed.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn explaining_an_event_says_what_routing_it_records(
        mappings in any_file(),
        events in prop::collection::vec(any_event(), 1..8),
    ) {
        let connection = Arc::new(Connection {
            name: "it".into(),
            mappings,
            destination: Arc::new(Nowhere),
            integrations: destination::intercom::KIND.integrations,
            metrics: Metrics::new(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for stored in &events {
            let event = stored.event.view().unwrap();
            let circumstances = Circumstances { source: Some(&stored.event.envelope.source), ..Circumstances::default() };
            let explanation = runtime.block_on(destination::explain(&connection.mappings, &event, circumstances));
            for one in &explanation.mappings {
                let is_owed = one.matched && one.enabled && explanation.kept_out.is_none();
                prop_assert_eq!(one.outcome.is_some(), is_owed && one.error.is_none(), "{:?}", one);
            }
            prop_assert_eq!(explained(explanation), routed(stored, &connection));
        }
    }
}
