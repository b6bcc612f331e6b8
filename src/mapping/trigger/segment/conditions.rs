//! Differences that show in what the conditions of a trigger are made of.

use crate::json::Json;

use super::super::functions::Function;
use super::super::path::Path;
use super::super::tree::{Call, Comparison, Expr, Node, Operator};
use super::{Found, Misreading};

/// The members a condition there may be on; the first ones hold texts.
const TEXTS: [&str; 4] = ["type", "event", "name", "userId"];
const OBJECTS: [&str; 3] = ["properties", "traits", "context"];

/// Looks at a part that is a condition.
pub(super) fn find(node: &Node, found: &mut Found) {
    match &node.expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| find(part, found)),
        Expr::Not(part) => {
            if let Expr::Call(Call { function: Function::Contains | Function::Match, .. }) = part.expr {
                found.add(Misreading::MissingText, &node.span);
            }
            find(part, found);
        }
        Expr::Compare(comparison) => compare(node, comparison, found),
        Expr::Call(call) => function(node, call, found),
        Expr::Path(path) => {
            field(node, path, found);
            found.add(Misreading::BareCondition, &node.span);
        }
        Expr::Literal(_) | Expr::List(_) => found.add(Misreading::BareCondition, &node.span),
    }
}

fn compare(node: &Node, comparison: &Comparison, found: &mut Found) {
    let Comparison { left, operator, right } = comparison;
    match (&left.expr, &right.expr) {
        _ if *operator == Operator::In => found.add(Misreading::Lists, &node.span),
        (Expr::List(_) | Expr::Literal(Json::List(_)), _) | (_, Expr::List(_) | Expr::Literal(Json::List(_))) => {
            found.add(Misreading::Lists, &node.span);
        }
        (Expr::Call(call), _) if is_known(call) => {
            function(left, call, found);
            found.add(Misreading::ComparedFunction, &node.span);
        }
        (Expr::Call(_), _) => found.add(Misreading::Functions, &left.span),
        (_, Expr::Call(_)) => found.add(Misreading::Functions, &right.span),
        (Expr::Literal(_), _) => found.add(Misreading::ValueFirst, &left.span),
        (Expr::Path(path), Expr::Path(_)) => {
            field(left, path, found);
            found.add(Misreading::PathAsText, &right.span);
        }
        (Expr::Path(path), Expr::Literal(literal)) => {
            field(left, path, found);
            literal_right(path, *operator, literal, right, found);
        }
        _ => found.add(Misreading::ComparedCondition, &node.span),
    }
}

fn literal_right(path: &Path, operator: Operator, literal: &Json<'_>, right: &Node, found: &mut Found) {
    let root = path.root();
    let is_text = TEXTS.contains(&root);
    let misreading = match literal {
        Json::Null if matches!(root, "event" | "type") => Misreading::NullAsText,
        Json::Number(_) if is_text => Misreading::NumberAsText,
        Json::Bool(_) if is_text && root != "userId" => Misreading::NumberAsText,
        Json::Number(_) if operator == Operator::NotEqual => Misreading::MissingNumber,
        Json::Bool(_) if operator == Operator::NotEqual => Misreading::BooleanAsText,
        Json::Number(_) => return,
        _ if operator.orders() => Misreading::TextAsNumber,
        _ => return,
    };
    found.add(misreading, &right.span);
}

fn is_known(call: &Call) -> bool {
    matches!(call.function, Function::Contains | Function::Match)
}

fn function(node: &Node, call: &Call, found: &mut Found) {
    if !is_known(call) {
        return found.add(Misreading::Functions, &node.span);
    }
    let (Expr::Path(path), Expr::Literal(literal)) = (&call.arguments[0].expr, &call.arguments[1].expr) else {
        return found.add(Misreading::FunctionArguments, &node.span);
    };
    let Json::String(text) = literal else {
        return found.add(Misreading::NumberAsText, &call.arguments[1].span);
    };
    match path.is("type") {
        true => found.add(Misreading::TypeInFunction, &call.arguments[0].span),
        false => field(&call.arguments[0], path, found),
    }
    if call.function == Function::Match && !is_start_or_end(text) {
        found.add(Misreading::Glob, &call.arguments[1].span);
    }
}

/// Whether a pattern is a text with one star before or after it, and nothing else that means something in a glob.
fn is_start_or_end(pattern: &str) -> bool {
    let text = pattern.strip_suffix('*').or_else(|| pattern.strip_prefix('*'));
    text.is_some_and(|text| !text.contains(['*', '?', '[', '\\']))
}

fn field(node: &Node, path: &Path, found: &mut Found) {
    let is_single = path.keys().len() == 1;
    match path.root() {
        root if OBJECTS.contains(&root) && is_single => found.add(Misreading::WholeObject, &node.span),
        root if OBJECTS.contains(&root) => {}
        root if TEXTS.contains(&root) && is_single => {}
        _ => found.add(Misreading::UnknownField, &node.span),
    }
}
