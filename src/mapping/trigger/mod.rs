//! The trigger of a mapping: a condition on one event, in FQL as Segment documents it.
//!
//! # The language
//! - **Paths** name a member of the event: `type`, `properties.plan`, `context.page.url`. A segment holds letters, digits,
//!   `_` and `-`; anything else stands behind a backslash: `properties.product\ 1`, `properties.a\.b` (the key `a.b`).
//!   `items[0]` is the first item of a list; `items.0` is the member `0` of an object, or the first item of a list.
//! - **Values** are texts in `"…"` or `'…'`, numbers, `true`, `false`, `null`, and lists `["a", 1]`. In a text `\"`, `\'`
//!   and `\\` stand for the second character; before any other character a backslash is itself, as Segment reads it.
//! - **Comparisons** are `=` `!=` `<` `<=` `>` `>=` and `in`. They are strict: `5` is not `"5"`; a missing member is `null`;
//!   the four that order compare numbers only and are false for anything else. Numbers compare by value (`5` = `5.0`),
//!   exactly, also beyond 2⁵³.
//! - **Functions** stand wherever a value may: see [`FUNCTIONS`].
//! - **Conditions** are joined by `!`, `and`, `or`, binding in this order, and by parentheses to any depth. `!` negates the
//!   comparison that follows it: `!userId = null` is `!(userId = null)`. For booleans that is the same as negating the
//!   left side; for anything else it is the only reading that says something. A path or a function alone is a condition
//!   that holds when its value is `true` and nothing else.
//!
//! # Why
//! The evaluator Segment publishes for triggers differs from the language it documents, mostly without an error. The
//! documented language is what authors mean, so it is what is read here; what Segment would make of the same text is told
//! in a warning (`segment.rs`).

mod evaluate;
mod example;
mod explain;
mod functions;
mod glob;
mod kinds;
mod lex;
mod lint;
mod parse;
mod path;
mod possible;
mod refuse;
mod segment;
mod tree;

use std::fmt;
use std::ops::Range;

use crate::json::Json;

pub use self::explain::{Explained, Operand};
pub use self::functions::{FUNCTIONS, FunctionFacts};
pub use self::kinds::KindSet;
pub use self::path::{Key, Path};
use self::tree::Node;

/// The longest text that is read as a trigger, in bytes.
pub const LENGTH_MAX: usize = 10_000;

/// How deep parentheses, lists, calls and `!` may stand in each other.
pub const DEPTH_MAX: usize = 64;

/// A condition on an event, compiled. Two triggers are equal when they are the same condition, however written.
#[derive(Debug, Clone)]
pub struct Trigger {
    text: Box<str>,
    root: Node,
}

/// A trigger that was read, and what its author should know about it.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The condition.
    pub trigger: Trigger,
    /// What is legal but surely wrong, and what Segment would read differently; in the order of the text.
    pub warnings: Vec<Problem>,
}

/// Something about the text of a trigger, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The bytes of the text it is about; empty at the end of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether it is about what Segment would make of the text, rather than about what it means here.
    pub is_of_segment: bool,
}

impl Trigger {
    /// Reads a trigger, or says what is wrong with the first thing in it that cannot be read.
    pub fn parse(text: &str) -> Result<Parsed, Problem> {
        if text.len() > LENGTH_MAX {
            let message = format!("trigger is {} bytes long, {LENGTH_MAX} are allowed", text.len());
            return Err(Problem::new(0..text.len(), message).help("split it into several mappings"));
        }
        let tokens = lex::tokens(text)?;
        let trigger = Trigger { text: text.into(), root: parse::tree(text, &tokens)? };
        let mut warnings = lint::warnings(&trigger);
        let of_segment = segment::warnings(text, &tokens, &trigger.root).into_iter();
        warnings.extend(of_segment.map(|warning| Problem { is_of_segment: true, ..warning }));
        warnings.sort_by_key(|warning| warning.span.start);
        Ok(Parsed { trigger, warnings })
    }

    /// Whether the event fulfils the condition. Cannot fail: what has the wrong type does not fulfil it.
    pub fn holds(&self, event: &Json<'_>) -> bool {
        self.root.holds(event)
    }

    /// The same answer as [`holds`](Self::holds), with the truth and the values of every part. No part is left out
    /// because an earlier one already decided.
    pub fn explain(&self, event: &Json<'_>) -> Explained {
        explain::explain(&self.text, &self.root, event)
    }

    /// The calls that can fulfil this: for an event whose `type` is not among them the trigger does not hold.
    pub fn kinds(&self) -> KindSet {
        kinds::possible(&self.root)
    }

    /// Whether some event may fulfil both; where this is false there is none.
    pub fn may_hold_with(&self, other: &Trigger) -> bool {
        possible::possible(&[(&self.root, true), (&other.root, true)])
    }

    /// Whether every event that fulfils this is known to fulfil `other` as well.
    pub fn implies(&self, other: &Trigger) -> bool {
        !possible::possible(&[(&self.root, true), (&other.root, false)])
    }

    /// An event like `base`, of the same `type`, that fulfils this and all of `others`; where there is none, none was
    /// found.
    pub fn example(&self, others: &[&Trigger], base: &Json<'static>) -> Option<Json<'static>> {
        example::example(&[&[self], others].concat(), base)
    }

    /// The paths this reads, in the order of the text.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.root.visit(&mut |node| paths.extend(node.as_path()));
        paths
    }

    /// The text as its author wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Writes the normal form, which reads back as the same condition as long as it is within [`LENGTH_MAX`] and
/// [`DEPTH_MAX`]; it may be a little longer than the text.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl PartialEq for Trigger {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Problem {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Problem { span, message: message.into(), help: None, is_of_segment: false }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The known word nearest to `word`, when one is near enough to be what was meant.
fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |word: &str| word.replace(['_', '-', ' '], "").to_lowercase();
    let meant = plain(word);
    let distances = known.into_iter().map(|known| (strsim::osa_distance(&meant, &plain(known)), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 2 < meant.chars().count()).then_some(known)
}

#[cfg(test)]
mod tests;
