//! The tree of a trigger, and its normal form.

use std::fmt::{self, Display};
use std::ops::Range;

use crate::json::Json;

use super::functions::Function;
use super::glob::Glob;
use super::path::Path;

/// A part of a trigger and where it stands in the text. Where it stands does not count when two are compared.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) expr: Expr,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// A value that stands in the text itself; never an object.
    Literal(Json<'static>),
    /// A list of which not every item is a literal.
    List(Vec<Node>),
    Path(Path),
    Call(Call),
    Not(Box<Node>),
    /// Two or more.
    And(Vec<Node>),
    /// Two or more.
    Or(Vec<Node>),
    Compare(Box<Comparison>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) function: Function,
    /// As many as the function takes.
    pub(super) arguments: Vec<Node>,
    /// The pattern of a `match`, where it stands in the text.
    pub(super) glob: Option<Glob>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) left: Node,
    pub(super) operator: Operator,
    pub(super) right: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
}

/// How tightly a part binds; one that binds less than its place asks for stands in parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Compare,
    Operand,
}

impl Operator {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::Greater => ">",
            Operator::AtLeast => ">=",
            Operator::In => "in",
        }
    }

    /// Whether this asks which of two numbers is larger.
    pub(super) fn orders(self) -> bool {
        matches!(self, Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast)
    }
}

impl Node {
    pub(super) fn as_path(&self) -> Option<&Path> {
        match &self.expr {
            Expr::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(super) fn as_literal(&self) -> Option<&Json<'static>> {
        match &self.expr {
            Expr::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// The parts directly under this one, in the order of the text.
    pub(super) fn children(&self) -> Vec<&Node> {
        match &self.expr {
            Expr::Literal(_) | Expr::Path(_) => Vec::new(),
            Expr::List(nodes) | Expr::And(nodes) | Expr::Or(nodes) => nodes.iter().collect(),
            Expr::Call(call) => call.arguments.iter().collect(),
            Expr::Not(node) => vec![node],
            Expr::Compare(comparison) => vec![&comparison.left, &comparison.right],
        }
    }

    /// Shows this part and every part under it, in the order of the text.
    pub(super) fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Node)) {
        see(self);
        for child in self.children() {
            child.visit(see);
        }
    }

    fn binding(&self) -> Binding {
        match &self.expr {
            Expr::Or(_) => Binding::Or,
            Expr::And(_) => Binding::And,
            Expr::Not(_) => Binding::Not,
            Expr::Compare(_) => Binding::Compare,
            Expr::Literal(_) | Expr::List(_) | Expr::Path(_) | Expr::Call(_) => Binding::Operand,
        }
    }

    fn write(&self, least: Binding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.binding() < least {
            true => write!(f, "({self})"),
            false => self.fmt(f),
        }
    }

    /// Writes this where a word without quotes would be refused.
    fn write_as_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Expr::Path(path) => path.write_as_value(f),
            _ => self.write(Binding::Operand, f),
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Expr::Literal(literal) => write_literal(literal, f),
            Expr::List(items) => {
                f.write_str("[")?;
                write_values(items, f)?;
                f.write_str("]")
            }
            Expr::Path(path) => path.fmt(f),
            Expr::Call(call) => {
                let (first, others) = call.arguments.split_first().expect("every function takes something");
                write!(f, "{}(", call.function.name())?;
                first.write(Binding::Operand, f)?;
                f.write_str(if others.is_empty() { "" } else { ", " })?;
                write_values(others, f)?;
                f.write_str(")")
            }
            Expr::Not(node) => {
                f.write_str("!")?;
                let bare = matches!(node.expr, Expr::Not(_));
                node.write(if bare { Binding::Not } else { Binding::Operand }, f)
            }
            Expr::And(parts) => write_joined(parts, " and ", Binding::Not, f),
            Expr::Or(parts) => write_joined(parts, " or ", Binding::And, f),
            Expr::Compare(comparison) => {
                comparison.left.write(Binding::Operand, f)?;
                write!(f, " {} ", comparison.operator.symbol())?;
                comparison.right.write_as_value(f)
            }
        }
    }
}

fn write_joined(parts: &[Node], word: &str, least: Binding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { word })?;
        part.write(least, f)?;
    }
    Ok(())
}

fn write_values(nodes: &[Node], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, node) in nodes.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        node.write_as_value(f)?;
    }
    Ok(())
}

fn write_literal(literal: &Json<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match literal {
        Json::String(text) => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Json::List(items) => {
            f.write_str("[")?;
            for (at, item) in items.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { ", " })?;
                write_literal(item, f)?;
            }
            f.write_str("]")
        }
        other => other.fmt(f),
    }
}
