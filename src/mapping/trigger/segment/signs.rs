//! Differences that show in the words and signs of a trigger.

use std::ops::Range;

use super::super::lex::{Token, TokenKind};
use super::super::path::Key;
use super::{Found, Misreading};

/// Up to here a double holds every integer.
const EXACT_MAX: u128 = 1 << 53;

pub(super) fn find(text: &str, tokens: &[Token], found: &mut Found) {
    spaces(text, tokens, found);
    levels(tokens, found);
    for (at, token) in tokens.iter().enumerate() {
        let written = &text[token.span.clone()];
        match &token.kind {
            TokenKind::Text(_) => quotes(text, written, &token.span, found),
            TokenKind::Number(number) => {
                if written.contains(['e', 'E']) {
                    found.add(Misreading::Exponent, &token.span);
                }
                if number.as_i128().is_some_and(|number| number.unsigned_abs() > EXACT_MAX) {
                    found.add(Misreading::LargeNumber, &token.span);
                }
            }
            TokenKind::Path { path: keys, .. } => path(text, written, &token.span, keys.keys(), found),
            TokenKind::Not => negation(token, &tokens[at + 1..], text, found),
            _ => {}
        }
    }
}

/// What separates tokens.
fn spaces(text: &str, tokens: &[Token], found: &mut Found) {
    let mut end = 0;
    for token in tokens {
        let gap = end..token.span.start;
        if let Some(at) = text[gap.clone()].find(|character| !" \t\n".contains(character)) {
            found.add(Misreading::CarriageReturn, &(gap.start + at..gap.end));
        }
        end = token.span.end;
    }
}

fn quotes(text: &str, written: &str, span: &Range<usize>, found: &mut Found) {
    if written.starts_with('\'') {
        found.add(Misreading::SingleQuotes, span);
    }
    let has_escape = written[1..written.len() - 1].char_indices().any(|(at, character)| {
        character == '\\' && written[at + 2..].starts_with(['\\', '"', '\'']) && at + 2 < written.len() - 1
    });
    if has_escape {
        found.add(Misreading::Escapes, span);
    }
    if !ends_word(&text[span.end..]) {
        found.add(Misreading::UnseenQuote, &(span.end - 1..span.end));
    }
}

/// Whether a word before `rest` is at its end there. A carriage return is told of on its own.
fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(|next| next.is_whitespace() || ",])".contains(next))
}

fn path(text: &str, written: &str, span: &Range<usize>, keys: &[Key], found: &mut Found) {
    if text[span.end..].starts_with(['<', '>']) {
        found.add(Misreading::Spacing, &(span.end..span.end + 1));
    }
    if let Some(Key::Name { name, .. }) = keys.last() {
        if matches!(&**name, "and" | "or" | "null") && ends_word(&text[span.end..]) {
            found.add(Misreading::WordInPath, span);
        }
        if keys.len() > 2 && &**name == "length" {
            found.add(Misreading::Length, span);
        }
    }
    if keys.iter().any(|key| matches!(key, Key::Index(_))) {
        found.add(Misreading::ItemInPath, span);
    }
    let mut before = '.';
    for character in written.chars() {
        if let Some(misreading) = character_in_path(before, character) {
            found.add(misreading, span);
        }
        before = if before == '\\' { ' ' } else { character };
    }
}

fn character_in_path(before: char, character: char) -> Option<Misreading> {
    match (before, character) {
        ('.', '0'..='9' | '-') => Some(Misreading::DigitInPath),
        ('\\', '.') => Some(Misreading::DotInPath),
        ('\\', '[' | ']') => Some(Misreading::BracketInPath),
        ('\\', _) => None,
        (_, other) if !other.is_ascii() => Some(Misreading::LetterInPath),
        _ => None,
    }
}

fn negation(not: &Token, after: &[Token], text: &str, found: &mut Found) {
    let Some(next) = after.first() else { return };
    let word = &text[next.span.clone()];
    let is_call = after.get(1).is_some_and(|token| token.kind == TokenKind::Open);
    let is_known = is_call && matches!(word, "contains" | "match");
    if !is_known {
        found.add(Misreading::Negation, &not.span);
    } else if not.span.end != next.span.start {
        found.add(Misreading::NegationSpace, &(not.span.start..next.span.start));
    }
}

/// What one level of parentheses has shown so far.
#[derive(Default)]
struct Level {
    is_group: bool,
    joined: Vec<(TokenKind, Range<usize>)>,
}

impl Level {
    /// The last word of a level that has both.
    fn report(self, found: &mut Found) {
        let Some((last, span)) = self.joined.last() else { return };
        if self.joined.iter().any(|(kind, _)| kind != last) {
            found.add(Misreading::MixedConnectives, span);
        }
    }
}

fn levels(tokens: &[Token], found: &mut Found) {
    let mut levels = vec![Level::default()];
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => {
                let is_group = at == 0 || !matches!(tokens[at - 1].kind, TokenKind::Path { .. });
                if is_group && levels.iter().any(|level| level.is_group) {
                    found.add(Misreading::NestedParentheses, &token.span);
                }
                levels.push(Level { is_group, joined: Vec::new() });
            }
            TokenKind::Close => {
                let closed = levels.pop().unwrap_or_default();
                let is_last = tokens.get(at + 1).is_some_and(|next| next.kind == TokenKind::Close);
                if !closed.is_group && !is_last && levels.iter().any(|level| level.is_group) {
                    found.add(Misreading::FunctionInGroup, &token.span);
                }
                closed.report(found);
            }
            TokenKind::And | TokenKind::Or => {
                let level = levels.last_mut().expect("the level of the whole text is never closed");
                level.joined.push((token.kind.clone(), token.span.clone()));
            }
            _ => {}
        }
    }
    levels.into_iter().for_each(|level| level.report(found));
}
