//! The language the parser is given: the tags of the standard library that are supported, and our filters.

use std::fmt;

use liquid_core::model::{Value, ValueView};
use liquid_core::parser::{FilterArguments, ParameterReflection};
use liquid_core::{Error, Expression, Filter, FilterReflection, Language, ParseFilter, Result, Runtime};
use liquid_lib::stdlib;

use super::VALUE_MAX;
use super::filters::{self, Facts};
use super::runtime::Meter;
use super::view::{json_of, value_of, weight};
use crate::json::Json;

/// The filter that every output ends with: it writes values as templates do.
pub(super) const TEXT: &str = "interline_text";

pub(super) fn language() -> Language {
    let mut language = Language::empty();
    language.tags.register("assign".to_owned(), stdlib::AssignTag.into());
    language.tags.register("increment".to_owned(), stdlib::IncrementTag.into());
    language.tags.register("decrement".to_owned(), stdlib::DecrementTag.into());
    language.blocks.register("capture".to_owned(), stdlib::CaptureBlock.into());
    language.blocks.register("comment".to_owned(), stdlib::CommentBlock.into());
    language.blocks.register("if".to_owned(), stdlib::IfBlock.into());
    language.blocks.register("raw".to_owned(), stdlib::RawBlock.into());
    language.blocks.register("unless".to_owned(), stdlib::UnlessBlock.into());
    for facts in filters::ALL.iter().chain([&filters::LAST]) {
        language.filters.register(facts.name.to_owned(), Box::new(Ours(facts)));
    }
    language
}

/// A filter of ours, to the parser.
#[derive(Clone, Copy)]
struct Ours(&'static Facts);

impl FilterReflection for Ours {
    fn name(&self) -> &str {
        self.0.name
    }

    fn description(&self) -> &str {
        ""
    }

    fn positional_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }
}

impl ParseFilter for Ours {
    fn parse(&self, arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        let mut given: Vec<Expression> = arguments.positional.collect();
        if !self.0.takes.contains(&given.len()) {
            let (least, most) = (self.0.takes.start(), self.0.takes.end());
            let takes = if least == most { most.to_string() } else { format!("{least} to {most}") };
            let message = format!("the filter `{}` takes {takes} arguments, found {}", self.0.name, given.len());
            return Error::with_msg(message).into_err();
        }
        for (name, value) in arguments.keyword {
            if self.0.named != Some(name) {
                return Error::with_msg(format!("the filter `{}` has no argument `{name}`", self.0.name)).into_err();
            }
            given.push(value);
        }
        Ok(Box::new(Call { facts: self.0, arguments: given }))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}

/// A use of a filter.
struct Call {
    facts: &'static Facts,
    arguments: Vec<Expression>,
}

impl Filter for Call {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        Meter::work(runtime, weight(input))?;
        for argument in &self.arguments {
            arguments.push(json_of(argument.evaluate(runtime)?.as_view()));
        }
        let failed = |why: String| Error::with_msg(format!("`{}`: {why}", self.facts.name));
        let found: Json<'static> = (self.facts.run)(json_of(input), &arguments).map_err(failed)?;
        match found.weight() <= VALUE_MAX {
            true => {
                Meter::work(runtime, found.weight())?;
                Ok(value_of(&found))
            }
            false => Err(failed(filters::TOO_LONG.to_owned())),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.facts.name, self.arguments)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts.name)
    }
}
