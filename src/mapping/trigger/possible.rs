//! Whether any event can fulfil conditions together. Where this says no there is none; where it says yes there may be.
//!
//! # Why
//! Conditions are taken apart into what must hold and what must not. Then each path is looked at alone: when it has to
//! equal one of some values, those are tried; else its comparisons with literals can only tell apart the literals, what
//! lies between them, and one value of every other type, so those are tried. Conditions on several paths at once are
//! left out, which errs on the side of yes.

use crate::event::Kind;
use crate::json::{Json, Number, Object};

use super::path::{Key, Path};
use super::tree::{Comparison, Expr, Node, Operator};

/// Conditions that are tried, at most; what needs more counts as possible. Bounds the time that any file takes.
const TRIES_MAX: usize = 5_000;
/// Numbers beyond this have neighbours that a double cannot tell apart.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Lists that are made to hold an item at a place, at most so long.
pub(super) const INDEX_MAX: usize = 100;

/// A part, and whether it must hold or must not.
pub(super) type Wanted<'n> = (&'n Node, bool);

/// Whether some event fulfils all of these.
pub(super) fn possible(conditions: &[Wanted<'_>]) -> bool {
    let mut tries = TRIES_MAX;
    search(conditions.to_vec(), Vec::new(), Vec::new(), &mut tries)
}

/// Takes conditions apart: `atoms` are apart already, of each of `choices` one will do.
fn search<'n>(
    mut conditions: Vec<Wanted<'n>>,
    mut atoms: Vec<Wanted<'n>>,
    mut choices: Vec<Vec<Wanted<'n>>>,
    tries: &mut usize,
) -> bool {
    while let Some((node, wanted)) = conditions.pop() {
        let all = |parts: &'n [Node]| parts.iter().map(move |part| (part, wanted));
        match &node.expr {
            Expr::And(parts) if wanted => conditions.extend(all(parts)),
            Expr::Or(parts) if !wanted => conditions.extend(all(parts)),
            Expr::And(parts) | Expr::Or(parts) => choices.push(all(parts).collect()),
            Expr::Not(part) => conditions.push((part, !wanted)),
            _ => atoms.push((node, wanted)),
        }
    }
    *tries = tries.saturating_sub(atoms.len() + 1);
    if *tries > 0 && !consistent(&atoms, tries) {
        return false;
    }
    let Some(choice) = choices.pop().filter(|_| *tries > 0) else { return true };
    choice.into_iter().any(|one| search(vec![one], atoms.clone(), choices.clone(), tries))
}

fn consistent(atoms: &[Wanted<'_>], tries: &mut usize) -> bool {
    let nothing = Json::Object(Object::new());
    let mut paths: Vec<&Path> = Vec::new();
    for (node, wanted) in atoms {
        match only_path(node) {
            Reads::Nothing if node.holds(&nothing) != *wanted => return false,
            Reads::One(path) if !paths.contains(&path) => paths.push(path),
            _ => {}
        }
    }
    paths.into_iter().all(|path| {
        let own: Vec<Wanted<'_>> = atoms
            .iter()
            .copied()
            .filter(|(node, _)| matches!(only_path(node), Reads::One(one) if one == path))
            .collect();
        may_have_value(path, &own, tries)
    })
}

/// How many paths a part reads.
pub(super) enum Reads<'n> {
    Nothing,
    One(&'n Path),
    Several,
}

/// Which path a part reads.
pub(super) fn only_path(node: &Node) -> Reads<'_> {
    let mut reads = Reads::Nothing;
    node.visit(&mut |part| {
        let Some(path) = part.as_path() else { return };
        match reads {
            Reads::Nothing => reads = Reads::One(path),
            Reads::One(one) if one == path => {}
            _ => reads = Reads::Several,
        }
    });
    reads
}

/// Whether some value at `path` fulfils all of these, which read nothing else.
fn may_have_value(path: &Path, atoms: &[Wanted<'_>], tries: &mut usize) -> bool {
    let mut fulfils = |value: &Json<'static>, atoms: &[Wanted<'_>]| {
        let event = event_with(path, value).filter(|_| *tries > 0);
        event.is_none_or(|event| {
            atoms.iter().all(|(node, wanted)| {
                *tries = tries.saturating_sub(1);
                node.holds(&event) == *wanted
            })
        })
    };
    if path.is("type") {
        return Kind::ALL.iter().any(|kind| fulfils(&kind.name().into(), atoms));
    }
    if let Some(values) = atoms.iter().find_map(|atom| pinned(atom)) {
        return values.iter().any(|value| fulfils(value, atoms));
    }
    let plain: Vec<Wanted<'_>> = atoms.iter().copied().filter(|(node, _)| literals(node).is_some()).collect();
    let literals: Vec<&Json<'static>> = plain.iter().filter_map(|(node, _)| literals(node)).flatten().collect();
    let Some(values) = telling_apart(&literals) else { return true };
    values.iter().any(|value| fulfils(value, &plain))
}

/// The values that the path of a part must have one of, where it says so.
fn pinned(&(node, wanted): &Wanted<'_>) -> Option<Vec<Json<'static>>> {
    let Expr::Compare(comparison) = &node.expr else { return None };
    let is_equal = matches!(comparison.operator, Operator::Equal | Operator::In) && wanted;
    let is_not_unequal = comparison.operator == Operator::NotEqual && !wanted;
    let values = literals(node).filter(|_| is_equal || is_not_unequal)?;
    Some(values.into_iter().cloned().collect())
}

/// The literals that a part compares a path with, when it does nothing else.
fn literals(node: &Node) -> Option<Vec<&Json<'static>>> {
    let Expr::Compare(comparison) = &node.expr else {
        return node.as_path().map(|_| Vec::new());
    };
    let Comparison { left, operator, right } = &**comparison;
    match (left.as_path(), right.as_literal(), operator) {
        (Some(_), Some(Json::List(items)), Operator::In) => Some(items.iter().collect()),
        (Some(_), Some(literal), _) => Some(vec![literal]),
        _ if *operator == Operator::In => None,
        _ => right.as_path().and(left.as_literal()).map(|literal| vec![literal]),
    }
}

/// A value of every sort that comparisons with these literals can tell apart; `None` when there is no knowing.
fn telling_apart(literals: &[&Json<'static>]) -> Option<Vec<Json<'static>>> {
    let mut values = vec![Json::Null, Json::Bool(true), Json::Bool(false), Json::Object(Object::new())];
    values.extend(literals.iter().map(|literal| (*literal).clone()));
    let mut other = String::from("?");
    while literals.iter().any(|literal| literal.as_str() == Some(&other)) {
        other.push('?');
    }
    values.push(other.into());
    let mut numbers = Vec::new();
    for literal in literals {
        if let Json::Number(number) = literal {
            numbers.push(number.as_f64().filter(|number| number.abs() < EXACT_MAX)?);
        }
    }
    numbers.sort_by(f64::total_cmp);
    let between = numbers.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0);
    let outside = [numbers.first().map_or(0.0, |first| first - 1.0), numbers.last().map_or(0.0, |last| last + 1.0)];
    values.extend(between.chain(outside).filter_map(Number::from_f64).map(Json::Number));
    Some(values)
}

/// An event with nothing but a value at a path.
pub(super) fn event_with(path: &Path, value: &Json<'static>) -> Option<Json<'static>> {
    path.keys().iter().rev().try_fold(value.clone(), |value, key| match key {
        Key::Name { name, .. } => {
            let mut object = Object::new();
            object.push_new(name.to_string(), value);
            Some(Json::Object(object))
        }
        Key::Index(index) if *index <= INDEX_MAX => {
            let mut items = vec![Json::Null; *index];
            items.push(value);
            Some(Json::List(items))
        }
        Key::Index(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::mapping::trigger::Trigger;

    #[track_caller]
    fn check(trigger: &str, expected: bool) {
        let trigger = Trigger::parse(trigger).unwrap().trigger;
        assert_eq!(super::possible(&[(&trigger.root, true)]), expected, "{trigger}");
    }

    #[test]
    fn parts_that_exclude_each_other_are_found() {
        check(r#"type = "track" and type = "page""#, false);
        check(r#"type = "track" and (type = "page" or type = "group")"#, false);
        check(r#"type = "track" and event = "A" and event = "B""#, false);
        check(r#"event = "A" and event in ["B", "C"]"#, false);
        check(r#"event = "A" and event in ["B", "A"]"#, true);
        check(r#"event = "A" and event != "A""#, false);
        check(r#"event = "Order Completed" and match(event, "Order *")"#, true);
        check(r#"event = "Order Completed" and match(event, "order *")"#, false);
        check(r#"lowercase(event) = "a" and event = "B""#, false);
        check(r#"lowercase(event) = "a" and lowercase(event) = "b""#, true);
        check("properties.n > 10 and properties.n < 5", false);
        check("properties.n > 5 and properties.n < 6", true);
        check("properties.n > 5 and properties.n <= 5", false);
        check("properties.n >= 5 and properties.n <= 5", true);
        check("properties.n >= 5 and properties.n <= 5 and properties.n != 5.0", false);
        check("properties.n > 9007199254740992 and properties.n < 9007199254740994", true);
        check("userId = null and userId != null", false);
        check("userId != null and !(userId = null)", true);
        check("properties.ok and !properties.ok", false);
        check("properties.ok and properties.ok = false", false);
        check("properties.items[3].id = 1 and properties.items[3].id = 2", false);
        check("properties.a = properties.b and properties.a != properties.b", true);
        check("event != \"A\" and event != \"B\"", true);
        check("false or properties.n > 1 and properties.n < 1", false);
        check("!(event = \"A\" or event != \"A\")", false);
    }

    #[test]
    fn what_would_take_long_counts_as_possible() {
        let choices = |n: usize| format!("(properties.a{n} = 1 or properties.b{n} = 1)");
        let many: Vec<String> = (0..40).map(choices).collect();
        check(&format!("event = \"A\" and event = \"B\" and {}", many.join(" and ")), false);
        check(&format!("{} and (event = \"A\" or event = \"B\") and event = \"C\"", many.join(" and ")), true);
        let names: Vec<String> = (0..400).map(|n| format!("event != \"{n}\"")).collect();
        check(&names.join(" and "), true);
    }
}
