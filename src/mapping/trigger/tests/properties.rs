//! What holds for every trigger and every event.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::functions::Function;
use super::super::glob::Glob;
use super::super::tree::{Call, Comparison, Expr, Operator};
use super::*;
use crate::event::Kind;

fn node(expr: Expr) -> Node {
    Node { expr, span: 0..0 }
}

fn any_name() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => select(vec!["type", "event", "properties", "a", "b", "0", "in", "true", "NOT", "1x", "-x", "a.b", "日"])
            .prop_map(Key::name),
        1 => "\\PC{1,4}".prop_map(|name| Key::name(&name)),
        1 => any::<char>().prop_map(|name| Key::name(&name.to_string())),
    ]
}

fn any_path() -> impl Strategy<Value = Node> {
    let key = prop_oneof![4 => any_name(), 1 => (0_usize..3).prop_map(Key::Index)];
    (any_name(), prop::collection::vec(key, 0..3)).prop_map(|(root, mut keys)| {
        keys.insert(0, root);
        node(Expr::Path(Path::new(keys)))
    })
}

fn any_scalar() -> impl Strategy<Value = Json<'static>> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-2_i64..3).prop_map(|number| Json::Number(number.into())),
        any::<i64>().prop_map(|number| Json::Number(number.into())),
        any::<u64>().prop_map(|number| Json::Number(number.into())),
        any::<f64>().prop_filter_map("JSON has no infinity", |number| {
            crate::json::Number::from_f64(number).map(Json::Number)
        }),
        select(vec!["", "a", "ab", "track", "5", "a*", "\\", "\"", "it's", "a\\n"]).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ]
}

fn any_literal() -> impl Strategy<Value = Json<'static>> {
    any_scalar().prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Json::List))
}

fn any_call(argument: impl Strategy<Value = Node> + Clone) -> impl Strategy<Value = Node> {
    let parts = (select(Function::ALL.to_vec()), argument.clone(), argument);
    parts.prop_filter_map("a literal pattern is well formed", |(function, first, second)| {
        let mut arguments = vec![first, second];
        arguments.truncate(function.arity());
        let pattern = arguments.get(1).and_then(|second| second.as_literal()?.as_str()).map(str::to_owned);
        let glob = match pattern.filter(|_| function == Function::Match) {
            Some(pattern) => Some(Glob::parse(&pattern).ok()?),
            None => None,
        };
        Some(node(Expr::Call(Call { function, arguments, glob })))
    })
}

fn any_list(item: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    (any_path(), prop::collection::vec(item, 0..3)).prop_map(|(path, mut items)| {
        items.push(path);
        node(Expr::List(items))
    })
}

fn any_operand() -> impl Strategy<Value = Node> + Clone {
    let leaf = prop_oneof![any_path(), any_literal().prop_map(|literal| node(Expr::Literal(literal)))];
    leaf.prop_recursive(2, 8, 3, |inner| prop_oneof![any_call(inner.clone()), any_list(inner)]).boxed()
}

fn any_comparison(side: impl Strategy<Value = Node> + Clone) -> impl Strategy<Value = Node> {
    use Operator::*;
    let lists = prop_oneof![
        any_path(),
        any_list(any_operand()),
        prop::collection::vec(any_literal(), 0..3).prop_map(|items| node(Expr::Literal(Json::List(items)))),
    ];
    let operators = select(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast]);
    let compare = |(left, operator, right)| node(Expr::Compare(Box::new(Comparison { left, operator, right })));
    prop_oneof![
        6 => (side.clone(), operators, side.clone()).prop_map(compare),
        1 => (side, Just(In), lists).prop_map(compare),
    ]
}

fn is_condition(node: &Node) -> bool {
    match &node.expr {
        Expr::Literal(literal) => matches!(literal, Json::Null | Json::Bool(_)),
        Expr::Call(call) => call.function.gives() == "bool",
        Expr::List(_) => false,
        _ => true,
    }
}

fn any_condition() -> impl Strategy<Value = Node> {
    let alone = any_operand().prop_map(|operand| match is_condition(&operand) {
        true => operand,
        false => node(Expr::Call(Call { function: Function::Bool, arguments: vec![operand], glob: None })),
    });
    let leaf = prop_oneof![alone, any_comparison(any_operand())].boxed();
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| node(Expr::And(parts))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| node(Expr::Or(parts))),
            inner.clone().prop_map(|part| node(Expr::Not(Box::new(part)))),
            any_comparison(inner),
        ]
    })
}

fn any_event() -> impl Strategy<Value = Json<'static>> {
    let value = any_scalar().prop_recursive(3, 24, 4, |inner| {
        let key = select(vec!["type", "a", "b", "0", "in", "1x", "a.b"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::List),
            prop::collection::vec((key, inner), 0..4).prop_map(|members| {
                Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
            }),
        ]
    });
    let kinds = select(Kind::ALL.to_vec());
    prop_oneof![
        1 => value.clone(),
        5 => (kinds, value.clone(), value.clone(), value).prop_map(|(kind, event, properties, a)| {
            let members = [("type", kind.name().into()), ("event", event), ("properties", properties), ("a", a)];
            Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
        }),
    ]
}

/// Something between noise and a trigger.
fn any_text() -> impl Strategy<Value = String> {
    let words = vec![
        "type",
        "event",
        "properties.a",
        "items[0]",
        "a\\.b",
        "\"track\"",
        "'x'",
        "\"",
        "'",
        "\\",
        "5",
        "-1.5e3",
        "1.2.3",
        "true",
        "null",
        "and",
        "or",
        "!",
        "=",
        "!=",
        "<=",
        ">",
        "==",
        "in",
        "(",
        ")",
        "[",
        "]",
        ",",
        "contains(",
        "match(",
        "length(",
        "foo(",
        ".",
        "$",
        " ",
        "\r\n",
        "日",
        "\u{301}",
        "\u{200b}",
        "NOT",
        "/x/",
        "[*]",
        "é",
        "“",
    ];
    prop_oneof![
        "\\PC{0,40}",
        any::<String>(),
        prop::collection::vec(select(words), 0..24).prop_map(|words| words.concat()),
    ]
}

/// A condition whose parts often exclude or imply each other.
fn any_tight() -> impl Strategy<Value = String> {
    let parts = vec![
        "type = \"track\"",
        "type != \"page\"",
        "event = \"A\"",
        "event in [\"A\", \"AB\"]",
        "match(event, \"A*\")",
        "event != null",
        "properties.n > 1",
        "properties.n <= 1",
        "properties.n = 1",
        "properties.n != 2",
        "properties.n in [1, 2, \"2\"]",
        "typeof(properties.n) = \"number\"",
        "properties.n",
        "!(properties.n >= 2)",
        "event = properties.n",
        "1 < properties.n",
        "length(event) = 2",
    ];
    let joined = (prop::collection::vec(select(parts), 1..5), any::<bool>(), any::<bool>());
    joined.prop_map(|(parts, is_and, negated)| {
        let text = parts.join(if is_and { " and " } else { " or " });
        if negated { format!("!({text})") } else { text }
    })
}

fn any_small_event() -> impl Strategy<Value = Json<'static>> {
    let n = vec!["1", "1.0", "1.5", "2", "3", "0", "true", "false", "null", "\"2\"", "\"A\"", "[]"];
    let parts = (select(vec!["track", "page"]), select(vec!["\"A\"", "\"AB\"", "\"b\"", "null"]), select(n));
    parts.prop_map(|(kind, event, n)| {
        let text = format!("{{\"type\":\"{kind}\",\"event\":{event},\"properties\":{{\"n\":{n}}}}}");
        crate::json::parse(text.as_bytes()).unwrap().into_owned()
    })
}

/// The trigger that is this tree, as its own text is read.
fn read(tree: &Node) -> Trigger {
    let text = tree.to_string();
    Trigger::parse(&text).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).trigger
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_normal_form_reads_back(tree in any_condition()) {
        let trigger = read(&tree);
        prop_assert_eq!(&trigger.root, &tree);
        prop_assert_eq!(trigger.to_string(), trigger.text());
    }

    #[test]
    fn an_explanation_comes_to_the_same_end(tree in any_condition(), event in any_event()) {
        let trigger = read(&tree);
        let explained = trigger.explain(&event);
        prop_assert_eq!(explained.holds, trigger.holds(&event));
        prop_assert_eq!(explained.source, trigger.text());
    }

    #[test]
    fn a_trigger_holds_only_for_its_kinds(tree in any_condition(), event in any_event()) {
        let trigger = read(&tree);
        let kind = event.get("type").and_then(Json::as_str).and_then(|name| {
            Kind::ALL.into_iter().find(|kind| kind.name() == name)
        });
        if let Some(kind) = kind && trigger.holds(&event) {
            prop_assert!(trigger.kinds().contains(kind));
        }
    }

    #[test]
    fn what_is_impossible_holds_for_no_event(tree in any_condition(), event in any_event()) {
        let trigger = read(&tree);
        let is_call = event.get("type").and_then(Json::as_str).is_some_and(|name| Kind::from_view(name).is_some());
        if is_call && trigger.holds(&event) {
            prop_assert!(trigger.may_hold_with(&trigger));
        }
    }

    #[test]
    fn what_is_implied_holds_as_well((one, other) in (any_tight(), any_tight()), event in any_small_event()) {
        let read = |text: &str| Trigger::parse(text).unwrap().trigger;
        let (one, other) = (read(&one), read(&other));
        if one.holds(&event) {
            prop_assert!(one.may_hold_with(&one));
            prop_assert!(!one.implies(&other) || other.holds(&event), "{} / {}", one, other);
            prop_assert!(!other.holds(&event) || one.may_hold_with(&other), "{} / {}", one, other);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(text in any_text(), event in any_event()) {
        let problems = match Trigger::parse(&text) {
            Ok(parsed) => {
                let (trigger, event) = (parsed.trigger, &event);
                prop_assert_eq!(trigger.explain(event).holds, trigger.holds(event));
                let printed = trigger.to_string();
                prop_assert_eq!(&Trigger::parse(&printed).unwrap().trigger, &trigger, "{}", printed);
                parsed.warnings
            }
            Err(problem) => vec![problem],
        };
        for problem in problems {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
        }
    }
}
