//! `$template`: text with values of the event in it. Any text that holds `{{ … }}` is one.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::json;

use super::{Directive, Example, Kind, Sign, made, refuse};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::{Path, Scope, Spelling, TEXT_MAX};
use crate::mapping::text::push;
use crate::yaml::{Node, Value};

/// `$template`
pub const KIND: Kind = Kind {
    name: "template",
    docs: "Text in which each `{{ path }}` is replaced by what stands there, or by nothing. Always gives text: numbers \
           and truth values as they are written, lists joined by commas, objects as JSON. Space left over at an end \
           where nothing was put in is taken away; with nothing to put in anywhere, all of it is empty. Segment's \
           `@template` leaves all of its own text.",
    examples: &[
        Example {
            mapping: r#""{{ traits.firstName }} {{ traits.lastName }}""#,
            event: r#"{"traits":{"firstName":"Ann","lastName":"Lee"}}"#,
            gives: r#""Ann Lee""#,
        },
        Example {
            mapping: r#"{ $template: "Order {{ properties.order_id }}" }"#,
            event: r#"{"properties":{}}"#,
            gives: r#""""#,
        },
    ],
    schema: || json!({ "type": "string" }),
    parse,
};

#[derive(Debug)]
struct Template {
    parts: Vec<Part>,
    /// Whether its own text stands where nothing is put in.
    keeps_text: bool,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    Path(Path),
}

impl Directive for Template {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        match self.render(scope)? {
            Cow::Borrowed(text) => Some(Cow::Owned(Json::String(Cow::Borrowed(text)))),
            Cow::Owned(text) => scope.text("$template", text),
        }
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

impl Template {
    fn render<'e>(&'e self, scope: &Scope<'e>) -> Option<Cow<'e, str>> {
        if let [Part::Path(path)] = self.parts.as_slice() {
            return match path.resolve(scope) {
                Some(Cow::Borrowed(Json::String(text))) => Some(Cow::Borrowed(text.as_ref())),
                Some(found) => {
                    let mut text = String::new();
                    scope.work(found.weight())?;
                    push(&mut text, &found);
                    Some(text.into())
                }
                None => Some("".into()),
            };
        }
        let mut text = String::with_capacity(32);
        let (mut filled, mut left_out) = (false, false);
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Path(path) => match path.resolve(scope) {
                    None => left_out = true,
                    Some(value) if value.is_null() => left_out = true,
                    Some(value) => {
                        filled = true;
                        scope.work(value.weight())?;
                        push(&mut text, &value);
                    }
                },
            }
            if text.len() > TEXT_MAX {
                scope.too_long("$template");
                return None;
            }
        }
        Some(match (filled, left_out) {
            _ if self.keeps_text => text.into(),
            (true, false) => text.into(),
            (true, true) => text.trim().to_owned().into(),
            (false, _) => "".into(),
        })
    }
}

/// Reads a text with `{{ … }}` in it; text without is a literal.
pub(in crate::mapping) fn read(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    let text = node.as_text()?;
    let mut parts = Vec::new();
    let mut at = 0;
    let mut literal = String::new();
    let mut complete = true;
    while let Some(hole) = next_hole(text, at) {
        literal.push_str(&text[at..hole.whole.start]);
        at = hole.whole.end;
        if hole.path.is_empty() {
            literal.push_str(&text[hole.whole]);
            continue;
        }
        if let Some(at) = text[hole.path.clone()].find(" | ") {
            let place = reader.problems.inside(node, hole.path.start + at + 1..hole.path.end);
            let message = "filters are not applied here, and this is read as part of a name";
            let help = "write { $liquid: \"…\" } for text with filters";
            reader.problems.warning("path_mistaken", &place, &reader.path, message).help(help);
        }
        let Some(path) = reader.path(node, hole.path, Spelling::Loose) else {
            complete = false;
            continue;
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
        }
        parts.push(Part::Path(path));
    }
    literal.push_str(&text[at..]);
    if let Some(open) = literal.contains("{{").then(|| text.rfind("{{").unwrap_or(0)) {
        let place = reader.problems.inside(node, open..text.len());
        let message = "`{{` that holds no path is left as it is";
        reader
            .problems
            .warning("template_open", &place, &reader.path, message)
            .help("write `{{ traits.name }}`, or {$literal: …} for text with braces");
    }
    if !complete {
        return None;
    }
    if parts.is_empty() {
        return Some(Expression::Literal(literal.into()));
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    // Alone, what is put in is all there is.
    let keeps_text = sign == Sign::At && !matches!(parts.as_slice(), [Part::Path(_)]);
    made(Template { parts, keeps_text })
}

/// One `{{ … }}`.
struct Hole {
    whole: Range<usize>,
    /// What is inside, without the blanks around it.
    path: Range<usize>,
}

fn next_hole(text: &str, from: usize) -> Option<Hole> {
    let start = from + text[from..].find("{{")?;
    let (open, close) = match text[start..].starts_with("{{{") && text[start..].contains("}}}") {
        true => (start + 3, "}}}"),
        false => (start + 2, "}}"),
    };
    let end = open + text[open..].find(close)?;
    let inner = &text[open..end];
    let blank = inner.len() - inner.trim_start().len();
    let path = open + blank..open + blank + inner.trim().len();
    Some(Hole { whole: start..end + close.len(), path })
}

fn parse(node: &Node, sign: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    match &node.value {
        Value::Text(_) => read(node, sign, reader),
        _ => {
            refuse(node, "text", reader);
            None
        }
    }
}
