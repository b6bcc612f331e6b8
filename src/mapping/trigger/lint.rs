//! What is legal in a trigger but surely not meant.

use crate::event::{Kind, MEMBERS};
use crate::json::Json;

use super::functions::Function;
use super::path::{CONTAINERS, Path};
use super::possible::possible;
use super::tree::{Call, Comparison, Expr, Node, Operator};
use super::{Problem, Trigger, nearest};

/// The warnings of a trigger, whoever reads it.
pub(super) fn warnings(trigger: &Trigger) -> Vec<Problem> {
    let mut warnings = Vec::new();
    trigger.root.visit(&mut |node| part(node, &trigger.text, &mut warnings));
    conditions(&trigger.root, &mut warnings);
    members(trigger, &mut warnings);
    undecided(&trigger.root, &trigger.text, &mut warnings);
    warnings
}

/// Members that no call has which can fulfil the trigger.
fn members(trigger: &Trigger, warnings: &mut Vec<Problem>) {
    let kinds = trigger.kinds();
    trigger.root.visit(&mut |node| {
        let Some(path) = node.as_path().filter(|_| !kinds.is_empty()) else { return };
        let root = path.root();
        if MEMBERS.contains(&root) && !kinds.have(root) {
            let mut problem = Problem::new(node.span.clone(), format!("{kinds} calls have no `{root}`"));
            problem.help = kinds.iter().next().and_then(|kind| kind.has_instead(root)).map(|instead| {
                let rest = trigger.text[node.span.clone()].strip_prefix(root).unwrap_or_default();
                format!("did you mean `{instead}{rest}`?")
            });
            warnings.push(problem);
        }
    });
}

/// Parts that no event fulfils because they exclude each other, and parts that every event fulfils. `true` and `false`
/// are meant. Whether there was one.
fn undecided(node: &Node, text: &str, warnings: &mut Vec<Problem>) -> bool {
    let below = node.children().into_iter().fold(false, |found, child| undecided(child, text, warnings) | found);
    let is_meant = |parts: &[Node]| parts.iter().any(|part| part.as_literal().is_some());
    match &node.expr {
        _ if below => true,
        Expr::And(parts) if !is_meant(parts) && !possible(&[(node, true)]) => {
            warnings.extend(excluded(node, parts, text, warnings));
            true
        }
        Expr::Or(parts) if !is_meant(parts) && !possible(&[(node, false)]) => {
            let unequal = |part: &Node| matches!(&part.expr, Expr::Compare(one) if one.operator == Operator::NotEqual);
            let help = if parts.iter().all(unequal) {
                "did you mean `and`?"
            } else {
                "what one part excludes, another allows"
            };
            warnings.push(Problem::new(node.span.clone(), "every event fulfils this").help(help));
            true
        }
        _ => false,
    }
}

/// Says which two of the parts exclude each other, where it is two. `None` when what is wrong with one is told already.
fn excluded(node: &Node, parts: &[Node], text: &str, warnings: &[Problem]) -> Option<Problem> {
    let pairs = (0..parts.len()).flat_map(|at| (0..at).map(move |before| (&parts[before], &parts[at])));
    let mut alone_then_pairs = parts.iter().map(|part| (part, part)).chain(pairs);
    let Some((one, other)) = alone_then_pairs.find(|(one, other)| !possible(&[(one, true), (other, true)])) else {
        let help = "some parts of it exclude each other";
        return Some(Problem::new(node.span.clone(), "no event fulfils this").help(help));
    };
    let within =
        |part: &Node, warning: &Problem| part.span.start <= warning.span.start && warning.span.end <= part.span.end;
    if warnings.iter().any(|warning| within(one, warning) || within(other, warning)) {
        return None;
    }
    if std::ptr::eq(one, other) {
        return Some(Problem::new(one.span.clone(), "no event fulfils this").help("no value is as it asks for"));
    }
    let first = crate::yaml::cut(text[one.span.clone()].trim());
    let problem = Problem::new(other.span.clone(), format!("no event fulfils both this and `{first}`"));
    Some(problem.help("join the two by `or`, or take one out"))
}

fn part(node: &Node, text: &str, warnings: &mut Vec<Problem>) {
    match &node.expr {
        Expr::Path(path) => warnings.extend(unknown_root(node, path, text)),
        Expr::Compare(comparison) => {
            warnings.extend(never_ordered(comparison));
            warnings.extend(never_type(comparison));
            warnings.extend(line_break(&comparison.right, text));
        }
        Expr::Call(call) => warnings.extend(argument(call)),
        _ => {}
    }
}

fn unknown_root(node: &Node, path: &Path, text: &str) -> Option<Problem> {
    let root = path.root();
    if MEMBERS.contains(&root) {
        return None;
    }
    let start = node.span.start;
    let is_as_written = text[start..].starts_with(root);
    let end = if is_as_written { start + root.len() } else { node.span.end };
    let problem = Problem::new(start..end, format!("events of the spec have no member `{root}`"));
    Some(match nearest(root, MEMBERS) {
        Some(known) => problem.help(format!("did you mean `{known}`?")),
        None => {
            problem.help("a call's own facts stand in `properties`, a person's in `traits`; a text stands in quotes")
        }
    })
}

/// A side of `<` and the like that cannot be a number.
fn never_ordered(comparison: &Comparison) -> Option<Problem> {
    if !comparison.operator.orders() {
        return None;
    }
    let side = [&comparison.right, &comparison.left].into_iter().find(|side| !may_be_number(side))?;
    let symbol = comparison.operator.symbol();
    let problem = Problem::new(side.span.clone(), format!("`{symbol}` compares numbers only, so this is never true"));
    Some(match side.as_literal() {
        Some(Json::String(text)) if super::functions::read_number(text).is_some() => {
            problem.help(format!("write `{text}` without quotes"))
        }
        Some(Json::String(_)) => problem.help("dates and texts have no order in triggers"),
        _ => problem.help("compare with a number"),
    })
}

fn may_be_number(node: &Node) -> bool {
    match &node.expr {
        Expr::Path(_) | Expr::Literal(Json::Number(_)) => true,
        Expr::Call(call) => call.function.gives() == "number",
        _ => false,
    }
}

/// A `type` that no call has.
fn never_type(comparison: &Comparison) -> Option<Problem> {
    if comparison.operator.orders() || !comparison.left.as_path()?.is("type") {
        return None;
    }
    let literal = comparison.right.as_literal()?;
    let texts = match literal {
        Json::List(items) if comparison.operator == Operator::In => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let names = Kind::ALL.map(Kind::name);
    let wrong = texts.iter().filter_map(Json::as_str).find(|text| !names.contains(text))?;
    let problem = Problem::new(comparison.right.span.clone(), format!("`type` is never \"{wrong}\""));
    Some(match nearest(wrong, names) {
        Some(known) => problem.help(format!("did you mean \"{known}\"?")),
        None => problem.help(format!("it is one of {}", names.join(", "))),
    })
}

/// `\n` and the like, which other languages read as one character.
fn line_break(node: &Node, text: &str) -> Option<Problem> {
    let literal = node.as_literal()?.as_str()?;
    let escape = ["\\n", "\\r", "\\t"].into_iter().find(|escape| literal.contains(escape))?;
    let written = text[node.span.clone()].replace("\\\\", "");
    written.contains(escape).then(|| {
        Problem::new(node.span.clone(), format!("`{escape}` is a backslash and a letter here"))
            .help("write `\\\\` for the backslash if that is meant; a line break stands in the quotes as it is")
    })
}

fn argument(call: &Call) -> Option<Problem> {
    let [first, second] = call.arguments.as_slice() else { return None };
    let name = call.function.name();
    if let Some(literal) = second.as_literal().filter(|literal| literal.as_str().is_none()) {
        return Some(
            Problem::new(second.span.clone(), format!("`{name}` looks for texts, so this is never true"))
                .help(format!("write \"{literal}\"")),
        );
    }
    if call.function != Function::Match {
        return None;
    }
    if first.as_literal().is_some() && second.as_path().is_some() {
        return Some(
            Problem::new(first.span.start..second.span.end, "the text comes first in `match`, then the pattern")
                .help("swap the two"),
        );
    }
    pattern(second, second.as_literal()?.as_str()?)
}

fn pattern(node: &Node, pattern: &str) -> Option<Problem> {
    let has = |parts: &[&str]| parts.iter().any(|part| pattern.contains(part));
    let is_regular =
        pattern.starts_with('^') || pattern.ends_with('$') || has(&[".*", ".+", "\\d", "\\w", "\\s", "(?"]);
    if is_regular {
        return Some(
            Problem::new(node.span.clone(), "this looks like a regular expression, and `match` reads globs")
                .help("`*` is any characters, `?` is one, `[a-z]` one of these; the whole text has to fit"),
        );
    }
    has(&["[!"]).then(|| {
        Problem::new(node.span.clone(), "`[!…]` takes `!` as one of the characters")
            .help("write `[^…]` for none of these")
    })
}

/// Paths that hold a text or an object in every event, taken as conditions.
fn conditions(node: &Node, warnings: &mut Vec<Problem>) {
    match &node.expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| conditions(part, warnings)),
        Expr::Not(part) => conditions(part, warnings),
        Expr::Path(path) if path.keys().len() == 1 && MEMBERS.contains(&path.root()) => {
            let holds = if CONTAINERS.contains(&path.root()) { "an object" } else { "a text" };
            warnings.push(
                Problem::new(node.span.clone(), format!("`{path}` is {holds}, and only `true` fulfils a condition"))
                    .help(format!("write `{path} != null` to ask whether it is there")),
            );
        }
        _ => {}
    }
}
