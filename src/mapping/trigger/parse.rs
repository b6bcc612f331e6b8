//! The tokens of a trigger, put together into a tree, by precedence.

use std::ops::Range;

use crate::json::Json;

use super::functions::{Function, type_name};
use super::glob::Glob;
use super::lex::{Token, TokenKind};
use super::path::Path;
use super::tree::{Call, Comparison, Expr, Node, Operator};
use super::{DEPTH_MAX, Problem, refuse};

/// The tree of a text, or the first thing in it that does not fit.
pub(super) fn tree(text: &str, tokens: &[Token]) -> Result<Node, Problem> {
    if tokens.is_empty() {
        return Err(Problem::new(0..text.len(), "trigger is empty").help("write `true` to take every event"));
    }
    let mut parser = Parser { text, tokens, at: 0, depth: 0 };
    let root = parser.any_of()?;
    match parser.peek() {
        None => parser.condition(root),
        Some(_) => Err(parser.stuck()),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Conditions joined by `or`, or a single operand.
    fn any_of(&mut self) -> Result<Node, Problem> {
        self.joined(&TokenKind::Or, Expr::Or, Self::all_of)
    }

    /// Conditions joined by `and`, or a single operand.
    fn all_of(&mut self) -> Result<Node, Problem> {
        self.joined(&TokenKind::And, Expr::And, Self::negated)
    }

    fn joined(
        &mut self,
        word: &TokenKind,
        join: fn(Vec<Node>) -> Expr,
        part: fn(&mut Self) -> Result<Node, Problem>,
    ) -> Result<Node, Problem> {
        let first = part(self)?;
        if self.peek() != Some(word) {
            return Ok(first);
        }
        let mut parts = vec![self.condition(first)?];
        while self.peek() == Some(word) {
            self.at += 1;
            let next = part(self)?;
            parts.push(self.condition(next)?);
        }
        let span = parts[0].span.start..parts[parts.len() - 1].span.end;
        Ok(Node { expr: join(parts), span })
    }

    /// A comparison, with a `!` before it or not.
    fn negated(&mut self) -> Result<Node, Problem> {
        if self.peek() != Some(&TokenKind::Not) {
            return self.comparison();
        }
        let start = self.span().start;
        let part = self.deeper(|parser| {
            parser.at += 1;
            parser.negated()
        })?;
        let part = self.condition(part)?;
        let span = start..part.span.end;
        Ok(Node { expr: Expr::Not(Box::new(part)), span })
    }

    fn comparison(&mut self) -> Result<Node, Problem> {
        let left = self.operand()?;
        let Some(&TokenKind::Operator(operator)) = self.peek() else { return Ok(left) };
        self.at += 1;
        let right = match operator {
            Operator::In => self.listed()?,
            _ => self.value()?,
        };
        if let Some(TokenKind::Operator(_)) = self.peek() {
            return Err(refuse::chained(self.span()));
        }
        let span = left.span.start..right.span.end;
        Ok(Node { expr: Expr::Compare(Box::new(Comparison { left, operator, right })), span })
    }

    /// What stands right of `in`.
    fn listed(&mut self) -> Result<Node, Problem> {
        if self.peek() == Some(&TokenKind::Open) {
            return Err(refuse::round_list(self.span()));
        }
        let right = self.value()?;
        match &right.expr {
            Expr::Path(_) | Expr::List(_) | Expr::Literal(Json::List(_)) => Ok(right),
            _ => Err(refuse::not_a_list(right.span.clone(), &self.text[right.span])),
        }
    }

    /// An operand where one word would be a text without its quotes.
    fn value(&mut self) -> Result<Node, Problem> {
        if let Some(Token { kind: TokenKind::Path { path, escaped: false }, span }) = self.tokens.get(self.at)
            && self.tokens.get(self.at + 1).map(|token| &token.kind) != Some(&TokenKind::Open)
            && path.is_bare_word()
        {
            return Err(refuse::bare_word(span.clone(), &self.text[span.clone()]));
        }
        self.operand()
    }

    fn operand(&mut self) -> Result<Node, Problem> {
        let Some(token) = self.tokens.get(self.at) else { return Err(self.stuck()) };
        let literal = match &token.kind {
            TokenKind::Path { path, escaped } => return self.path_or_call(path, *escaped),
            TokenKind::OpenList => return self.list(),
            TokenKind::Open => return self.group(),
            TokenKind::Text(text) => Json::String(text.clone().into()),
            TokenKind::Number(number) => Json::Number(number.clone()),
            TokenKind::True => Json::Bool(true),
            TokenKind::False => Json::Bool(false),
            TokenKind::Null => Json::Null,
            _ => return Err(self.stuck()),
        };
        self.at += 1;
        Ok(Node { expr: Expr::Literal(literal), span: token.span.clone() })
    }

    fn group(&mut self) -> Result<Node, Problem> {
        let open = self.span();
        let mut inner = self.deeper(|parser| {
            parser.at += 1;
            parser.any_of()
        })?;
        self.close(&TokenKind::Close, &open)?;
        inner.span = open.start..self.tokens[self.at - 1].span.end;
        Ok(inner)
    }

    fn list(&mut self) -> Result<Node, Problem> {
        let open = self.span();
        self.at += 1;
        let items = self.deeper(|parser| parser.separated(&TokenKind::CloseList, Self::value))?;
        self.close(&TokenKind::CloseList, &open)?;
        let span = open.start..self.tokens[self.at - 1].span.end;
        let literals: Option<Vec<Json<'static>>> = items.iter().map(|item| item.as_literal().cloned()).collect();
        Ok(Node { expr: literals.map_or(Expr::List(items), |literals| Expr::Literal(Json::List(literals))), span })
    }

    fn path_or_call(&mut self, path: &Path, escaped: bool) -> Result<Node, Problem> {
        let name = self.span();
        self.at += 1;
        if self.peek() == Some(&TokenKind::Open) {
            return self.call(name, escaped);
        }
        Ok(Node { expr: Expr::Path(path.clone()), span: name })
    }

    fn call(&mut self, name: Range<usize>, escaped: bool) -> Result<Node, Problem> {
        let word = &self.text[name.clone()];
        let function = if escaped { None } else { Function::named(word) };
        let function = function.ok_or_else(|| refuse::unknown_function(name.clone(), word))?;
        let open = self.span();
        self.at += 1;
        let arguments = self.deeper(|parser| parser.arguments(function))?;
        self.close(&TokenKind::Close, &open)?;
        let span = name.start..self.tokens[self.at - 1].span.end;
        if arguments.len() != function.arity() {
            return Err(refuse::wrong_count(span, function, arguments.len()));
        }
        let glob = self.glob(function, &arguments)?;
        Ok(Node { expr: Expr::Call(Call { function, arguments, glob }), span })
    }

    fn arguments(&mut self, function: Function) -> Result<Vec<Node>, Problem> {
        let mut is_first = true;
        self.separated(&TokenKind::Close, |parser| {
            // `contains(evnt, "x")` is a misspelt path, `contains(event, x)` a text without quotes.
            let reads_path = std::mem::take(&mut is_first) || function.arity() == 1;
            if reads_path { parser.operand() } else { parser.value() }
        })
    }

    /// The pattern of a `match`, where it is known now.
    fn glob(&self, function: Function, arguments: &[Node]) -> Result<Option<Glob>, Problem> {
        let pattern = match arguments {
            [_, Node { expr: Expr::Literal(Json::String(pattern)), span }] if function == Function::Match => {
                (pattern, span)
            }
            _ => return Ok(None),
        };
        let parsed = Glob::parse(pattern.0);
        parsed.map(Some).map_err(|malformed| refuse::pattern(self.text, pattern.1.clone(), malformed))
    }

    /// Items with commas between them, up to but without what ends them.
    fn separated(
        &mut self,
        end: &TokenKind,
        mut item: impl FnMut(&mut Self) -> Result<Node, Problem>,
    ) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        if self.peek() == Some(end) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.peek() != Some(&TokenKind::Comma) {
                return Ok(items);
            }
            self.at += 1;
        }
    }

    fn close(&mut self, end: &TokenKind, open: &Range<usize>) -> Result<(), Problem> {
        match self.peek() {
            Some(next) if next == end => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.stuck()),
            None => Err(refuse::unclosed(open.clone(), end)),
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == DEPTH_MAX {
            return Err(refuse::too_deep(self.span()));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// The same part, when it can be true or false.
    fn condition(&self, node: Node) -> Result<Node, Problem> {
        let text = &self.text[node.span.clone()];
        let gives = match &node.expr {
            Expr::Literal(Json::Bool(_) | Json::Null) => return Ok(node),
            Expr::Literal(literal) => type_name(literal),
            Expr::List(_) => "list",
            Expr::Call(call) if call.function.gives() != "bool" => call.function.gives(),
            Expr::Path(path) if path.is("all") => return Err(refuse::all(node.span)),
            _ => return Ok(node),
        };
        Err(refuse::not_a_condition(node.span.clone(), text, gives))
    }

    fn peek(&self) -> Option<&'t TokenKind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// Where the next token stands, or the end of the text.
    fn span(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.tokens.get(self.at).map_or(end..end, |token| token.span.clone())
    }

    fn stuck(&self) -> Problem {
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        refuse::unexpected(self.text, before, self.tokens.get(self.at), self.span())
    }
}
