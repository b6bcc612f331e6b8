//! What is said of a trigger whose words do not fit together.

use std::ops::Range;

use super::functions::Function;
use super::glob::Malformed;
use super::lex::{Token, TokenKind};
use super::{DEPTH_MAX, Problem, nearest};

/// Words that others use for what is a sign or a function here.
const OPERATORS: [(&str, &str); 22] = [
    ("is", "="),
    ("equals", "="),
    ("eq", "="),
    ("isnt", "!="),
    ("ne", "!="),
    ("neq", "!="),
    ("gt", ">"),
    ("gte", ">="),
    ("lt", "<"),
    ("lte", "<="),
    ("xor", "!="),
    ("contains", "contains(path, \"part\")"),
    ("includes", "contains(path, \"part\")"),
    ("has", "contains(path, \"part\")"),
    ("match", "match(path, \"pattern*\")"),
    ("matches", "match(path, \"pattern*\")"),
    ("like", "match(path, \"pattern*\")"),
    ("starts", "match(path, \"start*\")"),
    ("startsWith", "match(path, \"start*\")"),
    ("ends", "match(path, \"*end\")"),
    ("endsWith", "match(path, \"*end\")"),
    ("exists", "path != null"),
];

/// Functions of other languages, and what to write here.
const FUNCTIONS: [(&str, &str); 14] = [
    ("startsWith", "match(path, \"start*\")"),
    ("starts_with", "match(path, \"start*\")"),
    ("endsWith", "match(path, \"*end\")"),
    ("ends_with", "match(path, \"*end\")"),
    ("regex", "match(path, \"pattern*\")"),
    ("like", "match(path, \"pattern*\")"),
    ("includes", "contains(path, \"part\")"),
    ("exists", "path != null"),
    ("isNull", "path = null"),
    ("toLowerCase", "lowercase(path)"),
    ("toUpperCase", "uppercase(path)"),
    ("lower", "lowercase(path)"),
    ("upper", "uppercase(path)"),
    ("type", "typeof(path)"),
];

fn meaning(words: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

pub(super) fn chained(span: Range<usize>) -> Problem {
    Problem::new(span, "comparisons do not chain").help("join two with `and`, or put one in parentheses")
}

pub(super) fn round_list(span: Range<usize>) -> Problem {
    Problem::new(span, "`in` is followed by a list in square brackets").help("write `[\"a\", \"b\"]`")
}

pub(super) fn not_a_list(span: Range<usize>, text: &str) -> Problem {
    Problem::new(span, "`in` needs a list on its right").help(format!("write `[{text}]`, or the path of a list"))
}

pub(super) fn bare_word(span: Range<usize>, word: &str) -> Problem {
    let help = match word.to_lowercase().as_str() {
        "nil" | "none" | "undefined" | "missing" | "empty" => "write `null`".to_owned(),
        "yes" | "on" => format!("write `true`, or \"{word}\" for the text"),
        "no" | "off" => format!("write `false`, or \"{word}\" for the text"),
        _ => format!("write \"{word}\" for the text, `\\{word}` for a member of the event"),
    };
    Problem::new(span, format!("`{word}` has no quotes")).help(help)
}

pub(super) fn unknown_function(span: Range<usize>, word: &str) -> Problem {
    let known = Function::ALL.map(Function::name);
    let problem = Problem::new(span, format!("unknown function `{word}`"));
    if word == "semver" {
        return problem.help("versions are not compared; use `match(path, \"2.*\")`");
    }
    if let Some(meaning) = meaning(&FUNCTIONS, word) {
        return problem.help(format!("write `{meaning}`"));
    }
    match nearest(word, known) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => problem.help(format!("the functions are {}", known.join(", "))),
    }
}

pub(super) fn wrong_count(span: Range<usize>, function: Function, count: usize) -> Problem {
    let takes = if function.arity() == 1 { "1 argument" } else { "2 arguments" };
    let message = format!("`{}` takes {takes}, {count} given", function.name());
    Problem::new(span, message).help(format!("write `{}`", function.usage()))
}

/// Points into the text of the pattern where nothing in it was escaped, else at the whole of it.
pub(super) fn pattern(text: &str, span: Range<usize>, malformed: Malformed) -> Problem {
    let inside = span.start + 1..span.end - 1;
    let is_as_written = !text[inside.clone()].contains('\\');
    let place = match is_as_written {
        true => inside.start + malformed.span.start..inside.start + malformed.span.end,
        false => span,
    };
    Problem::new(place, malformed.message).help(malformed.help)
}

pub(super) fn unclosed(open: Range<usize>, end: &TokenKind) -> Problem {
    let (open_sign, close_sign) = if *end == TokenKind::Close { ("(", ")") } else { ("[", "]") };
    Problem::new(open, format!("`{open_sign}` is not closed")).help(format!("add a `{close_sign}`"))
}

pub(super) fn too_deep(span: Range<usize>) -> Problem {
    Problem::new(span, format!("nested deeper than {DEPTH_MAX} levels")).help("split it into several mappings")
}

pub(super) fn all(span: Range<usize>) -> Problem {
    Problem::new(span, "`all` is not a condition").help("write `true` to take every event")
}

pub(super) fn not_a_condition(span: Range<usize>, text: &str, gives: &str) -> Problem {
    let what = if gives == "string" { "text" } else { gives };
    let help = match gives {
        "number" => format!("compare it, for example `{text} > 0`"),
        "list" => format!("ask whether it holds a value: `type in {text}`"),
        _ if text.ends_with(')') => format!("compare it, for example `{text} = \"a\"`"),
        _ => format!("compare it, for example `event = {text}`"),
    };
    Problem::new(span, format!("a {what} alone is neither true nor false")).help(help)
}

/// The next token does not fit after the one before; either may be the edge of the text.
pub(super) fn unexpected(text: &str, before: Option<&Token>, next: Option<&Token>, span: Range<usize>) -> Problem {
    let written = |token: &Token| text[token.span.clone()].to_owned();
    let Some(before) = before else { return at_start(next, span, text) };
    let is_complete = ends_operand(&before.kind);
    match next {
        None if is_complete => Problem::new(span, "trigger ends too early"),
        None => nothing_after(&written(before), before, span),
        Some(next) if is_complete => after_operand(next, &written(next)),
        Some(next) => in_place_of_operand(before, next, &written(before), &written(next)),
    }
}

fn ends_operand(kind: &TokenKind) -> bool {
    !matches!(
        kind,
        TokenKind::And
            | TokenKind::Or
            | TokenKind::Not
            | TokenKind::Operator(_)
            | TokenKind::Open
            | TokenKind::OpenList
            | TokenKind::Comma
    )
}

fn at_start(next: Option<&Token>, span: Range<usize>, text: &str) -> Problem {
    let word = &text[span.clone()];
    let problem = Problem::new(span, format!("nothing stands before `{word}`"));
    match next.map(|next| &next.kind) {
        Some(TokenKind::Operator(_)) => problem.help(format!("write what to compare, for example `type {word} …`")),
        Some(TokenKind::And | TokenKind::Or) => problem.help("remove it, or write a condition before it"),
        _ => problem.help("remove it"),
    }
}

fn nothing_after(word: &str, before: &Token, span: Range<usize>) -> Problem {
    let problem = Problem::new(span, format!("nothing stands after `{word}`"));
    match before.kind {
        TokenKind::Operator(super::tree::Operator::In) => problem.help("write a list, for example `[\"a\", \"b\"]`"),
        TokenKind::Operator(_) => problem.help("write a value, for example `\"a\"`, `5` or `null`"),
        TokenKind::And | TokenKind::Or => problem.help("remove it, or write a condition after it"),
        _ => problem.help("write a condition after it"),
    }
}

fn after_operand(next: &Token, word: &str) -> Problem {
    let span = next.span.clone();
    match &next.kind {
        TokenKind::Close => Problem::new(span, "`)` closes nothing").help("remove it, or open with `(` before"),
        TokenKind::CloseList => Problem::new(span, "`]` closes nothing").help("remove it, or open with `[` before"),
        TokenKind::Comma => {
            Problem::new(span, "unexpected `,`").help("join conditions with `and` or `or`; lists stand in `[…]`")
        }
        TokenKind::Path { .. } => match meaning(&OPERATORS, word) {
            Some(meaning) => {
                Problem::new(span, format!("unknown operator `{word}`")).help(format!("write `{meaning}`"))
            }
            None => unexpected_word(span, word),
        },
        TokenKind::And | TokenKind::Or | TokenKind::Operator(_) => {
            Problem::new(span, format!("`{word}` cannot stand here")).help("put the condition in parentheses")
        }
        _ => unexpected_word(span, word),
    }
}

fn unexpected_word(span: Range<usize>, word: &str) -> Problem {
    Problem::new(span, format!("unexpected `{word}`"))
        .help("join conditions with `and` or `or`; a quote inside a text is written `\\\"`")
}

fn in_place_of_operand(before: &Token, next: &Token, before_word: &str, word: &str) -> Problem {
    let span = before.span.start..next.span.end;
    match (&before.kind, &next.kind) {
        (TokenKind::Operator(_), TokenKind::Operator(_)) => {
            let problem = Problem::new(span, format!("`{before_word} {word}` is not an operator"));
            match format!("{before_word}{word}").as_str() {
                "==" => problem.help("write `=`"),
                joined @ (">=" | "<=") => problem.help(format!("write `{joined}` without a space")),
                "=>" => problem.help("write `>=`"),
                "=<" => problem.help("write `<=`"),
                _ => problem.help("the operators are = != < <= > >= in"),
            }
        }
        (TokenKind::Not, TokenKind::Operator(_)) => {
            Problem::new(span, format!("`{before_word} {word}` is not an operator"))
                .help("write `!=` without a space, or `!` before the whole condition")
        }
        (_, TokenKind::Not) => Problem::new(next.span.clone(), "`!` cannot stand before a value")
            .help("write it before the whole condition, or put the value in parentheses: `(!…)`"),
        (TokenKind::Open, TokenKind::Close) => {
            Problem::new(span, "nothing stands in the parentheses").help("remove them, or write a condition in them")
        }
        _ => Problem::new(next.span.clone(), format!("nothing stands between `{before_word}` and `{word}`"))
            .help("write what is missing, or remove one of the two"),
    }
}
