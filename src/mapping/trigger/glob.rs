//! Glob patterns, as `match` reads them.
//!
//! # Why
//! A pattern is cut at its stars, and each piece takes the first place it fits: no choice is ever taken back, so the
//! time grows with the text and not with the number of stars.

use std::ops::Range;

/// The longest pattern that is taken from an event; the trigger's own are bounded by its length.
const EVENT_PATTERN_MAX: usize = 1_000;

/// A compiled pattern. It fits whole texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Glob {
    /// What stands before the first star; all of it where there is none.
    head: Piece,
    /// What stands between the stars, and after the last one; absent where there is no star.
    tail: Option<(Vec<Piece>, Piece)>,
}

/// What stands between two stars.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// Nothing: what stands beside a star at the edge of a pattern.
    Empty,
    Plain(String),
    Mixed(Vec<One>),
}

impl Piece {
    fn sample(&self) -> String {
        match self {
            Piece::Empty => String::new(),
            Piece::Plain(text) => text.clone(),
            Piece::Mixed(ones) => ones.iter().filter_map(One::sample).collect(),
        }
    }
}

/// What one character may be.
#[derive(Debug, Clone, PartialEq)]
enum One {
    Exactly(char),
    Any,
    Among { ranges: Vec<(char, char)>, negated: bool },
}

impl One {
    /// A character that this may be; of what excludes some, the first letter or sign that it leaves.
    fn sample(&self) -> Option<char> {
        match self {
            One::Exactly(character) => Some(*character),
            One::Any => Some('a'),
            One::Among { ranges, negated: false } => ranges.first().map(|(first, _)| *first),
            One::Among { ranges, negated: true } => {
                let excludes = |c: &char| ranges.iter().any(|(first, last)| (first..=last).contains(&c));
                ('a'..='z').chain(' '..='~').find(|character| !excludes(character))
            }
        }
    }
}

/// Why a pattern cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The bytes of the pattern it is about.
    pub(super) span: Range<usize>,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

impl Glob {
    /// A text that fits, with nothing for each star.
    pub(super) fn sample(&self) -> String {
        let (middle, last) = match &self.tail {
            Some((middle, last)) => (middle.as_slice(), Some(last)),
            None => (&[] as &[Piece], None),
        };
        std::iter::once(&self.head).chain(middle).chain(last).map(Piece::sample).collect()
    }

    /// Reads a pattern.
    pub(super) fn parse(pattern: &str) -> Result<Glob, Malformed> {
        let mut reader = Reader { pattern, at: 0 };
        let mut pieces = vec![Vec::new()];
        while let Some(character) = reader.next() {
            let piece = pieces.last_mut().expect("there is always a piece");
            match character {
                '*' => pieces.push(Vec::new()),
                '?' => piece.push(One::Any),
                '[' => piece.push(reader.class()?),
                '\\' => piece.push(One::Exactly(reader.escaped()?)),
                other => piece.push(One::Exactly(other)),
            }
        }
        let mut pieces = pieces.into_iter().map(Piece::of);
        let head = pieces.next().expect("there is always a piece");
        let mut between: Vec<Piece> = pieces.collect();
        let tail = between.pop().map(|last| (between, last));
        Ok(Glob { head, tail })
    }

    /// Reads a pattern that an event holds. Those that cannot be read, or are very long, fit nothing.
    pub(super) fn of_event(pattern: &str) -> Option<Glob> {
        if pattern.len() > EVENT_PATTERN_MAX { None } else { Glob::parse(pattern).ok() }
    }

    /// Whether the whole text fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(mut rest) = self.head.strip_from(text) else { return false };
        let Some((between, last)) = &self.tail else { return rest.is_empty() };
        for piece in between {
            match piece.strip_first(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        last.ends(rest)
    }
}

impl Piece {
    fn of(ones: Vec<One>) -> Piece {
        if ones.is_empty() {
            return Piece::Empty;
        }
        let plain = ones.iter().map(|one| if let One::Exactly(character) = one { Some(*character) } else { None });
        plain.collect::<Option<String>>().map_or(Piece::Mixed(ones), Piece::Plain)
    }

    /// What follows when the text begins with this.
    fn strip_from<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Piece::Empty => Some(text),
            Piece::Plain(plain) => text.strip_prefix(plain.as_str()),
            Piece::Mixed(ones) => {
                let mut characters = text.chars();
                ones.iter().all(|one| characters.next().is_some_and(|character| one.fits(character))).then_some(())?;
                Some(characters.as_str())
            }
        }
    }

    /// What follows the first place where the text has this.
    fn strip_first<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Piece::Empty => Some(text),
            Piece::Plain(plain) => text.find(plain.as_str()).map(|at| &text[at + plain.len()..]),
            Piece::Mixed(_) => text.char_indices().find_map(|(at, _)| self.strip_from(&text[at..])),
        }
    }

    /// Whether the text ends with this.
    fn ends(&self, text: &str) -> bool {
        match self {
            Piece::Empty => true,
            Piece::Plain(plain) => text.ends_with(plain.as_str()),
            Piece::Mixed(ones) => {
                let mut characters = text.chars().rev();
                ones.iter().rev().all(|one| characters.next().is_some_and(|character| one.fits(character)))
            }
        }
    }
}

impl One {
    fn fits(&self, character: char) -> bool {
        match self {
            One::Exactly(expected) => *expected == character,
            One::Any => true,
            One::Among { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&character)) != *negated
            }
        }
    }
}

struct Reader<'p> {
    pattern: &'p str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.pattern[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        let start = self.at - 1;
        self.next().ok_or(Malformed {
            span: start..self.at,
            message: "pattern ends with a backslash",
            help: "write `\\\\\\\\` for the character itself",
        })
    }

    /// The rest of a class, after its `[`.
    fn class(&mut self) -> Result<One, Malformed> {
        let start = self.at - 1;
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            match self.peek() {
                None => return Err(unclosed(start..self.at)),
                Some(']') if ranges.is_empty() => return Err(empty(start..self.at + 1)),
                Some(']') => break,
                Some(_) => ranges.push(self.range(start)?),
            }
        }
        self.at += 1;
        Ok(One::Among { ranges, negated })
    }

    fn range(&mut self, class: usize) -> Result<(char, char), Malformed> {
        let start = self.at;
        let from = self.bound(class)?;
        if self.peek() != Some('-') {
            return Ok((from, from));
        }
        self.at += 1;
        let to = self.bound(class)?;
        if from <= to {
            return Ok((from, to));
        }
        let message = "range in a pattern runs backwards";
        Err(Malformed { span: start..self.at, message, help: "put the smaller character first" })
    }

    fn bound(&mut self, class: usize) -> Result<char, Malformed> {
        let start = self.at;
        match self.next() {
            None => Err(unclosed(class..self.at)),
            Some('-') => Err(dash(start..self.at)),
            Some(']') => Err(dash(start - 1..start)),
            Some('\\') => self.escaped(),
            Some(other) => Ok(other),
        }
    }
}

fn unclosed(span: Range<usize>) -> Malformed {
    let help = "close it with `]`, or write `\\[` for the character itself";
    Malformed { span, message: "`[` in a pattern is not closed", help }
}

fn empty(span: Range<usize>) -> Malformed {
    let help = "write the characters between the brackets, a `]` as `\\]`";
    Malformed { span, message: "`[]` in a pattern names no character", help }
}

fn dash(span: Range<usize>) -> Malformed {
    Malformed {
        span,
        message: "`-` in a pattern is not between two characters",
        help: "write `\\-` for the dash itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Glob::parse(pattern).unwrap().matches(text), expected, "{pattern:?} on {text:?}");
    }

    #[track_caller]
    fn refused(pattern: &str, place: &str, message: &str) {
        let malformed = Glob::parse(pattern).unwrap_err();
        assert_eq!((&pattern[malformed.span], malformed.message), (place, message), "{pattern:?}");
    }

    #[test]
    fn fits_whole_texts() {
        check("abc", "abc", true);
        check("ab", "abc", false);
        check("bc", "abc", false);
        check("", "", true);
        check("", "a", false);
        check("Abc", "abc", false);
    }

    #[test]
    fn a_star_takes_any_characters() {
        check("*", "", true);
        check("*", "a/b", true);
        check("**", "ab", true);
        check("a*d", "abcd", true);
        check("a*d", "ad", true);
        check("*d", "abcd", true);
        check("a*", "abcd", true);
        check("*b*", "abc", true);
        check("a*a", "a", false);
        check("a*ba*b", "ab", false);
        check("a*b*c", "abbcbc", true);
        check("*ab", "aab", true);
        check("*é", "caffé", true);
    }

    #[test]
    fn a_question_mark_takes_one_character() {
        check("a??d", "abcd", true);
        check("a??d", "abd", false);
        check("?", "é", true);
        check("?", "", false);
        check("*?", "", false);
        check("*?b?", "aabb", true);
        check("O?der*", "Order Done", true);
        check("*a?c*d", "aaxaxcd", true);
    }

    #[test]
    fn brackets_take_one_of_some() {
        check("ab[cC]d", "abCd", true);
        check("ab[a-z]d", "abcd", true);
        check("ab[A-Z]d", "abcd", false);
        check("[^a-c]", "d", true);
        check("[^a-c]", "b", false);
        check("[^a]", "", false);
        check("[a^]", "^", true);
        check("[\\]]", "]", true);
        check("[\\-a]", "-", true);
        check("[*?]", "*", true);
        check("[a-cx-z]*", "yes", true);
        check("a]", "a]", true);
    }

    #[test]
    fn a_backslash_takes_the_next_character_as_it_is() {
        check("ab\\*d", "ab*d", true);
        check("ab\\*d", "abxd", false);
        check("\\\\", "\\", true);
        check("\\[a]", "[a]", true);
    }

    #[test]
    fn malformed_patterns_say_where() {
        refused("a[bc", "[bc", "`[` in a pattern is not closed");
        refused("a[", "[", "`[` in a pattern is not closed");
        refused("a[b-", "[b-", "`[` in a pattern is not closed");
        refused("a[]", "[]", "`[]` in a pattern names no character");
        refused("a[^]", "[^]", "`[]` in a pattern names no character");
        refused("[z-a]", "z-a", "range in a pattern runs backwards");
        refused("[-a]", "-", "`-` in a pattern is not between two characters");
        refused("[a-]", "-", "`-` in a pattern is not between two characters");
        refused("a\\", "\\", "pattern ends with a backslash");
    }

    #[test]
    fn many_stars_do_not_multiply_the_work() {
        let text = "a".repeat(100_000);
        check(&format!("{}b", "*a".repeat(1_000)), &text, false);
        check(&format!("{}*", "*a".repeat(1_000)), &text, true);
        check(&format!("*{}b*", "a".repeat(5_000)), &text, false);
        check(&format!("{}b", "*[ab]?".repeat(1_000)), &text, false);
    }
}
