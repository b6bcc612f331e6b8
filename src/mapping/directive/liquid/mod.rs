//! `$liquid`: a text template with filters and conditions.
//!
//! # Why
//! The language is parsed by the `liquid` crates. What it reads, what its filters do and how values become text is ours
//! (`runtime`, `filters`, `view`), so that the event is not copied, a missing value is nothing, objects keep their order,
//! and no template can hang or fill the memory: there are no loops, no value grows beyond [`VALUE_MAX`], and what is read
//! and made counts as work of the mapping ([`Scope`]).

use std::borrow::Cow;
use std::io;
use std::sync::LazyLock;

use liquid_core::{Language, Renderable, Template};
use serde_json::json;

use super::{Directive, Example, Kind, Sign, VALUE_LOST, made, refuse};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::{Node, cut};

use self::runtime::Variables;

mod check;
mod dates;
mod filters;
mod language;
mod numbers;
mod runtime;
mod texts;
mod view;

pub use self::check::{FILTERS_REFUSED, TAGS, TAGS_REFUSED};
pub use self::dates::is_utc;
pub use self::filters::names as filter_names;

/// How long a template may be, in characters.
const TEMPLATE_MAX: usize = 4_000;
/// How long any value in a template may become, and the result, in bytes.
const VALUE_MAX: usize = 256 * 1024;

/// `$liquid`
pub const KIND: Kind = Kind {
    name: "liquid",
    docs: "A Liquid template over the event: `{{ properties.x }}`, or `{{ event.properties.x }}`, with filters, and the tags \
           `if`, `unless`, `assign`, `capture`, `increment`, `decrement`, `raw` and `comment`. Always text; what is missing \
           is empty. As at Segment there are no loops. A template has 4,000 characters at most; where a filter fails (a \
           number of a word, more than 256 KB) the result is nothing, with a warning.",
    examples: &[
        Example {
            mapping: r#"{ $liquid: "{% if traits.plan == 'pro' %}PRO {% endif %}{{ traits.name | upcase }}" }"#,
            event: r#"{"traits":{"plan":"pro","name":"Ann"}}"#,
            gives: r#""PRO ANN""#,
        },
        Example {
            mapping: r#"{ $liquid: "{{ event.properties.total | times: 100 | round }} cents" }"#,
            event: r#"{"properties":{"total":19.99}}"#,
            gives: r#""1999 cents""#,
        },
    ],
    schema: || json!({ "type": "string", "maxLength": TEMPLATE_MAX }),
    parse,
};

static LANGUAGE: LazyLock<Language> = LazyLock::new(language::language);

#[derive(Debug)]
struct Liquid {
    template: Template,
    /// How long the template is, in bytes.
    length: usize,
}

impl Directive for Liquid {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        scope.work(self.length.saturating_mul(4))?;
        let variables = Variables::new(scope.event(), scope.left().get());
        let mut out = Out(Vec::new());
        let rendered = self.template.render_to(&mut out, &variables);
        scope.left().set(variables.left());
        scope.work(out.0.len())?;
        let failure = match rendered {
            _ if out.0.len() > VALUE_MAX || variables.is_full() => Some("more than 256 KB".to_owned()),
            Err(error) => Some(reason(&error)),
            Ok(()) => None,
        };
        if let Some(reason) = failure {
            scope.note(VALUE_LOST, format!("`$liquid` came to nothing: {reason}"), &Json::Null);
            return None;
        }
        String::from_utf8(out.0).ok().map(|text| Cow::Owned(Json::from(text)))
    }

    fn gives(&self) -> Option<&'static str> {
        Some("string")
    }
}

/// The result, up to its bound.
struct Out(Vec<u8>);

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() > VALUE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first line of an error: the others show values.
fn reason(error: &liquid_core::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    cut(line.trim_start_matches("liquid: "))
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    reader.depends_on_event();
    let Some(text) = node.as_text() else {
        refuse(node, "text, a Liquid template", reader);
        return None;
    };
    let length = text.chars().count();
    if length > TEMPLATE_MAX {
        super::invalid(node, format!("a template has {TEMPLATE_MAX} characters at most, this has {length}"), reader);
        return None;
    }
    let checked = match check::check(text) {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                let place = reader.problems.inside(node, fault.span);
                let problem = reader.problems.error("liquid_invalid", &place, &reader.path, fault.message);
                problem.help = fault.help;
            }
            return None;
        }
    };
    match liquid_core::parser::parse(&checked, &LANGUAGE) {
        Ok(elements) => made(Liquid { template: Template::new(elements), length: text.len() }),
        Err(error) => {
            let span = check::position(&error.to_string(), &checked).filter(|at| *at <= text.len()).unwrap_or(0);
            let place = reader.problems.inside(node, span..text.len());
            let message = format!("not a Liquid template: {}", check::why(&error.to_string()));
            reader.problems.error("liquid_invalid", &place, &reader.path, message);
            None
        }
    }
}

#[cfg(test)]
mod tests;
