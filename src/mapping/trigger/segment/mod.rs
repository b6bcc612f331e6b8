//! Where Segment's published evaluator reads a trigger as something else than what it says.
//!
//! # Why
//! Triggers are pasted from one product to the other. The evaluator that Segment runs for triggers covers a part of the
//! language it documents and drops the rest without an error, so a trigger can mean two things. Each kind of difference
//! is told once. The differences were measured: reference "Segment", table of cases 1.5.

mod conditions;
mod signs;

use std::collections::BTreeMap;
use std::ops::Range;

use super::Problem;
use super::lex::Token;
use super::tree::Node;

/// What Segment does with a part of a trigger. The order is that of the texts below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Misreading {
    SingleQuotes,
    Escapes,
    UnseenQuote,
    CarriageReturn,
    Spacing,
    Exponent,
    LargeNumber,
    MixedConnectives,
    NestedParentheses,
    FunctionInGroup,
    Negation,
    NegationSpace,
    UnknownField,
    WholeObject,
    TypeInFunction,
    Functions,
    FunctionArguments,
    ComparedFunction,
    ComparedCondition,
    Lists,
    BareCondition,
    ValueFirst,
    PathAsText,
    NullAsText,
    NumberAsText,
    TextAsNumber,
    MissingNumber,
    MissingText,
    BooleanAsText,
    Glob,
    WordInPath,
    ItemInPath,
    DigitInPath,
    LetterInPath,
    DotInPath,
    BracketInPath,
    Length,
}

/// The differences found, each kind where it first stands.
#[derive(Default)]
struct Found(BTreeMap<Misreading, Range<usize>>);

impl Found {
    fn add(&mut self, misreading: Misreading, span: &Range<usize>) {
        let place = self.0.entry(misreading).or_insert_with(|| span.clone());
        if span.start < place.start {
            *place = span.clone();
        }
    }
}

/// One warning for each kind of difference.
pub(super) fn warnings(text: &str, tokens: &[Token], root: &Node) -> Vec<Problem> {
    let mut found = Found::default();
    signs::find(text, tokens, &mut found);
    conditions::find(root, &mut found);
    found.0.into_iter().map(|(misreading, span)| warning(misreading, span, text)).collect()
}

fn warning(misreading: Misreading, span: Range<usize>, text: &str) -> Problem {
    let (reading, help) = reading(misreading);
    let reading = reading.replace("{}", &text[span.clone()]);
    let problem = Problem::new(span, format!("Segment reads this as {reading}"));
    if help.is_empty() { problem } else { problem.help(help) }
}

/// What Segment makes of it, and how to write it so that both read the same; empty where there is no way.
#[rustfmt::skip]
fn reading(misreading: Misreading) -> (&'static str, &'static str) {
    match misreading {
        Misreading::SingleQuotes => ("a text that includes the quotes, which never matches", "double quotes read the same in both"),
        Misreading::Escapes => ("two characters: its texts have no escapes", ""),
        Misreading::UnseenQuote => ("the start of another text: it needs a space after a quote", "put a space after it"),
        Misreading::CarriageReturn => ("part of the word before it: only spaces, tabs and line feeds separate", "use a space"),
        Misreading::Spacing => ("invalid and never fires: `<` and `>` need a space before them", "put spaces round it"),
        Misreading::Exponent => ("the digits before the `e` alone", "write the number out"),
        Misreading::LargeNumber => ("the nearest double: integers are exact up to 2^53 there", ""),
        Misreading::MixedConnectives => ("all joined by `{}`: the last `and` or `or` decides for its whole level", "put the conditions joined by `and` in parentheses"),
        Misreading::NestedParentheses => ("invalid and never fires: parentheses may not stand in parentheses there", ""),
        Misreading::FunctionInGroup => ("the end of the group: it closes at the `)` of a function", "put the function last in the group"),
        Misreading::Negation => ("if the `!` were not there: it negates only `contains` and `match`", "use `!=`, or turn the condition round"),
        Misreading::NegationSpace => ("invalid and never fires: nothing may stand between `!` and a function", "remove what stands between"),
        Misreading::UnknownField => ("nothing: in triggers it knows type, event, name, userId, properties, traits and context", ""),
        Misreading::WholeObject => ("missing: it looks only at the members of `{}`", ""),
        Misreading::TypeInFunction => ("invalid and drops it: functions there do not take `type`", "compare `type` with `=`"),
        Misreading::Functions => ("nothing: of the functions it knows `contains` and `match`", ""),
        Misreading::FunctionArguments => ("invalid and drops it: functions there take a path, then a text", ""),
        Misreading::ComparedFunction => ("the function alone: it drops the comparison", "write `!` before the function, or nothing"),
        Misreading::ComparedCondition => ("invalid and never fires: conditions are not compared there", ""),
        Misreading::Lists => ("something else: there are no lists and no `in` there", "write one `=` for each value, joined by `or`"),
        Misreading::BareCondition => ("invalid and drops it: a condition there needs an operator", "write `= true`"),
        Misreading::ValueFirst => ("invalid and drops it: the path comes first there", "put the path on the left"),
        Misreading::PathAsText => ("the text \"{}\": a path is read only on the left there", ""),
        Misreading::NullAsText => ("the text \"null\" for `event` and `type`", ""),
        Misreading::NumberAsText => ("the text \"{}\"", "put it in quotes if a text is meant"),
        Misreading::TextAsNumber => ("a number: `<` and the like convert what they compare with there", "compare with a number"),
        Misreading::MissingNumber => ("false where the member is missing or is no number", ""),
        Misreading::MissingText => ("false where the member is missing or is no text", ""),
        Misreading::BooleanAsText => ("not being the text \"{}\", which is always true of a boolean", "compare with the other boolean by `=`"),
        Misreading::Glob => ("other than a glob: one `*` at the end or at the start is all it knows", ""),
        Misreading::WordInPath => ("a word of the language, not the end of a path", ""),
        Misreading::ItemInPath => ("invalid and never fires: items of lists cannot be named there", ""),
        Misreading::DigitInPath => ("a number, not a name: names there begin with a letter or `_`", "put `\\` before the digit"),
        Misreading::LetterInPath => ("invalid and never fires: other letters than a to z need a `\\` there", "put `\\` before each"),
        Misreading::DotInPath => ("a dot between two names: a dot in a name cannot be reached there", ""),
        Misreading::BracketInPath => ("an item of a list, and here it is a name with brackets in it", "write `items[0]` for an item"),
        Misreading::Length => ("the length of the text or list, when it has no such member", "write `length(…)` for that"),
    }
}
