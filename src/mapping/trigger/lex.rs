//! The text of a trigger, cut into its words and signs.

use std::ops::Range;

use crate::json::Number;

use super::Problem;
use super::functions::read_number;
use super::path::{Key, Path, is_plain, is_reserved, is_start};
use super::tree::Operator;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A path, or the name of a function.
    Path {
        path: Path,
        /// Whether a backslash stands in it: then it is a path for sure.
        escaped: bool,
    },
    Text(String),
    Number(Number),
    True,
    False,
    Null,
    And,
    Or,
    Not,
    Operator(Operator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// The tokens of a text, or the first thing in it that is none.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip(char::is_whitespace);
        let start = lexer.at;
        let Some(first) = lexer.peek() else { return Ok(tokens) };
        let kind = lexer.token(first)?;
        tokens.push(Token { kind, span: start..lexer.at });
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.at = self.text.len() - self.rest().trim_start_matches(unwanted).len();
    }

    fn token(&mut self, first: char) -> Result<TokenKind, Problem> {
        let second = self.rest().chars().nth(1);
        match first {
            '"' | '\'' => self.quoted(first),
            '0'..='9' => self.number(),
            '-' | '+' if second.is_some_and(|second| second.is_ascii_digit()) => self.number(),
            '\\' => self.path(),
            _ if is_start(first) => self.path(),
            _ => self.sign(),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, Problem> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(character) = self.next() {
            match (character, self.peek()) {
                ('\\', Some(escaped @ ('"' | '\'' | '\\'))) => {
                    text.push(escaped);
                    self.at += 1;
                }
                _ if character == quote => return Ok(TokenKind::Text(text)),
                _ => text.push(character),
            }
        }
        let hidden = self.text[start + 1..].contains(quote);
        let help = match hidden {
            true => format!("a backslash before {quote} keeps the text open; write `\\\\` for the backslash itself"),
            false => format!("close it with {quote}"),
        };
        Err(Problem::new(start..self.text.len(), "text is not closed").help(help))
    }

    fn number(&mut self) -> Result<TokenKind, Problem> {
        let start = self.at;
        self.at += 1;
        self.skip(|character| is_plain(character) || matches!(character, '.' | '+' | ':'));
        let word = &self.text[start..self.at];
        read_number(word).map(TokenKind::Number).ok_or_else(|| not_a_number(word, start..self.at))
    }

    fn path(&mut self) -> Result<TokenKind, Problem> {
        let start = self.at;
        let first = self.segment()?;
        let word = &self.text[start..self.at];
        if self.peek() != Some('.')
            && let Some(kind) = keyword(word)
        {
            return Ok(kind);
        }
        if self.peek() != Some('.') && is_reserved(word) {
            return Err(misspelt_keyword(word, start..self.at));
        }
        let mut keys = vec![Key::name(&first)];
        loop {
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    keys.push(Key::name(&self.segment()?));
                }
                Some('[') => keys.push(self.index()?),
                _ => break,
            }
        }
        Ok(TokenKind::Path { path: Path::new(keys), escaped: self.text[start..self.at].contains('\\') })
    }

    fn segment(&mut self) -> Result<String, Problem> {
        let start = self.at;
        let mut name = String::new();
        loop {
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    let escaped = self.next();
                    name.push(escaped.ok_or_else(|| lone_backslash(self.at - 1..self.at))?);
                }
                Some(character) if is_plain(character) => {
                    self.at += character.len_utf8();
                    name.push(character);
                }
                next if name.is_empty() => return Err(no_segment(start, next)),
                _ => return Ok(name),
            }
        }
    }

    fn index(&mut self) -> Result<Key, Problem> {
        let start = self.at;
        let inside = &self.text[start + 1..];
        let Some(length) = inside.find(']') else {
            return Err(Problem::new(start..start + 1, "`[` is not closed").help("close it with `]`"));
        };
        self.at = start + 1 + length + 1;
        let inside = &inside[..length];
        let is_index = !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_digit());
        match inside.parse() {
            Ok(index) if is_index => Ok(Key::Index(index)),
            _ => Err(not_an_index(inside, start..self.at)),
        }
    }

    /// Operators, brackets and commas.
    fn sign(&mut self) -> Result<TokenKind, Problem> {
        let rest = self.rest();
        let run = &rest[..rest.find(|character| !"=!<>~&|".contains(character)).unwrap_or(rest.len())];
        let (kind, length) = match run {
            "" => (bracket(self.peek()), 1),
            "=" => (Some(TokenKind::Operator(Operator::Equal)), 1),
            "!=" => (Some(TokenKind::Operator(Operator::NotEqual)), 2),
            "<" => (Some(TokenKind::Operator(Operator::Less)), 1),
            "<=" => (Some(TokenKind::Operator(Operator::AtMost)), 2),
            ">" => (Some(TokenKind::Operator(Operator::Greater)), 1),
            ">=" => (Some(TokenKind::Operator(Operator::AtLeast)), 2),
            _ if run.bytes().all(|byte| byte == b'!') => (Some(TokenKind::Not), 1),
            _ => (None, 0),
        };
        let Some(kind) = kind else { return Err(unknown_sign(rest, run, self.at)) };
        self.at += length;
        Ok(kind)
    }
}

fn keyword(word: &str) -> Option<TokenKind> {
    Some(match word {
        "and" => TokenKind::And,
        "or" => TokenKind::Or,
        "in" => TokenKind::Operator(Operator::In),
        "true" => TokenKind::True,
        "false" => TokenKind::False,
        "null" => TokenKind::Null,
        _ => return None,
    })
}

fn bracket(character: Option<char>) -> Option<TokenKind> {
    Some(match character? {
        '(' => TokenKind::Open,
        ')' => TokenKind::Close,
        '[' => TokenKind::OpenList,
        ']' => TokenKind::CloseList,
        ',' => TokenKind::Comma,
        _ => return None,
    })
}

fn misspelt_keyword(word: &str, span: Range<usize>) -> Problem {
    let right = word.to_lowercase();
    if right == "not" {
        return Problem::new(span, format!("`{word}` is not a word of triggers"))
            .help("write `!` before the condition, for example `!(type in [\"page\", \"screen\"])`");
    }
    Problem::new(span, format!("`{word}` is written in small letters")).help(format!("write `{right}`"))
}

fn not_a_number(word: &str, span: Range<usize>) -> Problem {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let quote = format!("write \"{word}\" if it is a text");
    if let Some(whole) = word.strip_suffix('.').filter(|whole| read_number(whole).is_some()) {
        return Problem::new(span, format!("number `{word}` ends with a dot")).help(format!("write `{whole}`"));
    }
    if word.matches('.').count() > 1 && word.split('.').all(digits) {
        return Problem::new(span, format!("number `{word}` has more than one dot")).help(quote);
    }
    if word.parse::<f64>().is_ok_and(f64::is_infinite) {
        return Problem::new(span, format!("number `{word}` is too large")).help("1.7e308 is about the largest");
    }
    Problem::new(span, format!("`{word}` is not a number")).help(quote)
}

fn lone_backslash(span: Range<usize>) -> Problem {
    Problem::new(span, "a backslash at the end escapes nothing").help("remove it")
}

fn no_segment(at: usize, next: Option<char>) -> Problem {
    let span = at..at + next.map_or(0, char::len_utf8);
    match next {
        Some(wild @ ('*' | '$')) => Problem::new(span, format!("`{wild}` is not part of a path in a trigger"))
            .help("name one item, as in `items[0]`, or use `\"x\" in properties.items`"),
        Some('.') => Problem::new(span, "two dots in a row in a path").help("remove one; a dot in a name is `\\.`"),
        Some(quote @ ('"' | '\'')) => Problem::new(span, format!("{quote} in a path"))
            .help("write names without quotes, other characters behind a backslash: `properties.product\\ 1`"),
        Some(other) if !other.is_whitespace() && !")],=!<>".contains(other) => {
            Problem::new(span, format!("`{other}` in a path needs a backslash")).help(format!("write `\\{other}`"))
        }
        _ => Problem::new(at - 1..at, "path ends with a dot").help("name a member after the dot, or remove it"),
    }
}

fn not_an_index(inside: &str, span: Range<usize>) -> Problem {
    let name = inside.strip_prefix(['"', '\'']).and_then(|name| name.strip_suffix(['"', '\'']));
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        let segment: String =
            name.chars().flat_map(|one| (!is_plain(one)).then_some('\\').into_iter().chain([one])).collect();
        return Problem::new(span, "names in brackets are not read").help(format!("write `.{segment}`"));
    }
    Problem::new(span, "brackets after a path hold the number of an item").help("write `[0]` for the first item")
}

fn unknown_sign(rest: &str, run: &str, at: usize) -> Problem {
    const WRONG: [(&str, &str); 21] = [
        ("===", "="),
        ("!==", "!="),
        ("=~", "match(path, \"pattern\")"),
        ("!~", "!match(path, \"pattern\")"),
        ("==", "="),
        ("=!", "!="),
        ("<>", "!="),
        ("=>", ">="),
        ("=<", "<="),
        ("&&", "and"),
        ("||", "or"),
        ("&", "and"),
        ("|", "or"),
        ("~", "match(path, \"pattern\")"),
        ("≠", "!="),
        ("≤", "<="),
        ("≥", ">="),
        ("＝", "="),
        ("“", "\""),
        ("”", "\""),
        ("`", "\""),
    ];
    let known = WRONG.iter().find(|(sign, _)| rest.starts_with(sign));
    if let Some((sign, right)) = known {
        let problem = Problem::new(at..at + sign.len(), wrong_sign(sign));
        return problem.help(format!("write `{right}`"));
    }
    if !run.is_empty() {
        return Problem::new(at..at + run.len(), wrong_sign(run)).help("the operators are = != < <= > >= in");
    }
    let character = rest.chars().next().unwrap_or_default();
    let problem = Problem::new(at..at + character.len_utf8(), format!("unexpected {}", shown(character)));
    problem.help(match character {
        '‘' | '’' | '‚' | '‛' | '„' | '‟' | '«' | '»' => "write texts in plain quotes, `\"` or `'`",
        '/' => "regular expressions are not read; write `match(path, \"pattern*\")`",
        '$' | '@' => "write a path without `$.`, for example `properties.plan`; in a name it needs a backslash",
        '{' | '}' => "templates are not read here; write a path, for example `properties.plan`",
        '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => "write a zero before the dot",
        '*' | '%' | '^' | '+' | '-' => "there is no arithmetic, and patterns stand in `match(path, \"pattern\")`",
        _ => "in a text it stands in quotes, in a path behind a backslash",
    })
}

fn wrong_sign(sign: &str) -> String {
    match sign {
        "“" | "”" => format!("{sign} is a typographic quote"),
        "`" => "a backtick is not a quote".to_owned(),
        "=~" | "!~" | "~" => format!("`{sign}` is not an operator, and regular expressions are not read"),
        _ => format!("`{sign}` is not an operator"),
    }
}

/// A character as messages show it: by its number when it cannot be seen.
fn shown(character: char) -> String {
    let code = u32::from(character);
    match character.is_control() || ('\u{200b}'..='\u{200f}').contains(&character) || character == '\u{feff}' {
        true => format!("invisible character U+{code:04X}"),
        false => format!("`{character}`"),
    }
}
