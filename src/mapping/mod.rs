//! What authors write, compiled; no I/O.
//!
//! # Why
//! Everything that can be decided before an event is: paths are lists of keys, literals are already fitted, defaults
//! are expressions like any other. What is left per event is following keys and fitting values, and it can only fail
//! with a named reason.

use serde::Serialize;

use crate::action::{Facts, Field, Unfit, Warning};
use crate::event::Kind;
use crate::json::{Json, Object};
use crate::yaml::Node;

use self::coerce::{Misfit, coerce};
use self::expression::Expression;
use self::file::OnInvalid;
use self::path::Scope;
use self::trigger::{KindSet, Trigger};

mod by_hand;
pub mod case;
pub mod coerce;
pub mod compile;
pub mod directive;
pub mod expression;
pub mod file;
mod number;
pub mod path;
pub mod segment;
mod text;
pub mod trigger;

pub use self::by_hand::by_hand;

/// The codes an [`Unfit`] or [`Warning`] of this room may have; an action's `fit` adds its own.
pub const CODES: [&str; 6] =
    [FIELD_MISSING, FIELD_INVALID, FIELD_DROPPED, MORE_WARNINGS, coerce::CONVERTED, directive::VALUE_LOST];

/// A required field came to nothing.
const FIELD_MISSING: &str = "field_missing";
/// A required field, or any under `on_invalid: reject`, does not fit.
const FIELD_INVALID: &str = "field_invalid";
/// An optional field does not fit and was left out.
const FIELD_DROPPED: &str = "field_dropped";
/// There were more warnings than are kept.
const MORE_WARNINGS: &str = "more_warnings";

/// One destination file, compiled.
#[derive(Debug)]
pub struct Mappings {
    /// The destination instance: the file's name without its ending.
    pub name: String,
    /// The kind of destination.
    pub kind: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// The sources whose events it takes; `None` for all.
    pub sources: Option<Vec<String>>,
    /// The destination's own settings, for it to check.
    pub settings: Node,
    /// What an event must meet to be for this destination.
    pub filter: Option<Trigger>,
    /// Its mappings, in the order of the file.
    pub mappings: Vec<Mapping>,
}

/// A trigger, an action, and how each field is filled.
#[derive(Debug)]
pub struct Mapping {
    /// Its name; unique in its file.
    pub name: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// Its condition.
    pub trigger: Trigger,
    /// The calls that can fulfil it: for the others it is not looked at.
    kinds: KindSet,
    /// The text of its condition.
    pub trigger_text: String,
    /// Its action.
    pub action: &'static Facts,
    on_invalid: OnInvalid,
    fields: Vec<Filled>,
}

/// How one field is filled.
#[derive(Debug)]
struct Filled {
    field: &'static Field,
    expression: Expression,
    /// The expression as it was written.
    text: String,
    is_default: bool,
}

/// The filled fields, ready to be performed.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload<'e> {
    /// The fields in the action's order.
    pub object: Object<'e>,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
}

impl Mappings {
    /// Whether this destination takes events of a source.
    pub fn takes(&self, source: &str) -> bool {
        self.enabled && self.names(source)
    }

    /// Whether a source is among those whose events it takes when it is switched on.
    pub fn names(&self, source: &str) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.iter().any(|name| name == source))
    }

    /// The mappings an event is for, in the order of the file; none when the filter keeps it out.
    pub fn matching<'m>(&'m self, event: &'m Json<'_>) -> impl Iterator<Item = &'m Mapping> {
        let is_for_us = self.filter.as_ref().is_none_or(|filter| filter.holds(event));
        let mappings = if is_for_us { self.mappings.as_slice() } else { &[] };
        let kind = event.get("type").and_then(Json::as_str).and_then(Kind::from_view);
        let may_hold = move |mapping: &Mapping| kind.is_none_or(|kind| mapping.kinds.contains(kind));
        mappings.iter().filter(move |mapping| mapping.enabled && may_hold(mapping) && mapping.trigger.holds(event))
    }

    /// The mapping called `name`.
    pub fn get(&self, name: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.name == name)
    }

    /// What would become of an event, mapping by mapping.
    pub fn explain(&self, event: &Json<'_>) -> Explained {
        Explained {
            filter: self.filter.as_ref().map(|filter| filter.explain(event)),
            mappings: self.mappings.iter().map(|mapping| mapping.explain(event)).collect(),
        }
    }
}

impl Mapping {
    /// Fills the action's fields from an event. Pure: the same event always gives the same payload.
    pub fn payload<'e>(&'e self, event: &'e Json<'_>) -> Result<Payload<'e>, Unfit> {
        let scope = Scope::new(event);
        let mut payload = Payload { object: Object::new(), warnings: Vec::new() };
        for filled in &self.fields {
            let value = filled.fill(&scope, self.on_invalid, &mut payload.warnings)?;
            if let Some(value) = value {
                payload.object.push_new(filled.field.name.as_str(), value);
            }
        }
        (self.action.fit)(&mut payload.object, &mut payload.warnings)?;
        bound(&mut payload.warnings);
        Ok(payload)
    }

    /// What would become of an event: which part of the trigger holds, and how each field is filled.
    pub fn explain(&self, event: &Json<'_>) -> ExplainedMapping {
        let trigger = self.trigger.explain(event);
        let mut explained = ExplainedMapping {
            name: self.name.clone(),
            action: self.action.name,
            enabled: self.enabled,
            matched: self.trigger.holds(event),
            trigger,
            fields: Vec::new(),
            payload: None,
            error: None,
            warnings: Vec::new(),
        };
        if !explained.matched {
            return explained;
        }
        let scope = Scope::new(event);
        explained.fields = self.fields.iter().map(|filled| filled.explain(&scope, self.on_invalid)).collect();
        match self.payload(event) {
            Ok(payload) => {
                explained.payload = Some(payload.object.into_owned());
                explained.warnings = payload.warnings;
            }
            Err(unfit) => explained.error = Some(unfit),
        }
        explained
    }
}

/// A delivery's warnings, at most; one more says how many were left out.
const WARNINGS_MAX: usize = 50;

fn bound(warnings: &mut Vec<Warning>) {
    let beyond = warnings.len().saturating_sub(WARNINGS_MAX);
    if beyond > 0 {
        warnings.truncate(WARNINGS_MAX);
        let message = format!("{beyond} more warnings are not kept");
        warnings.push(Warning::new("", MORE_WARNINGS, message).about(beyond));
    }
}

impl Filled {
    fn fill<'e>(
        &'e self,
        scope: &Scope<'e>,
        on_invalid: OnInvalid,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Json<'e>>, Unfit> {
        let field = self.field;
        let found = scope.resolve(&self.expression);
        warnings.extend(scope.take_notes().into_iter().map(|note| note.about(&field.name)));
        match coerce(field, found, warnings) {
            Ok(None) if field.required => {
                let message = format!("required field `{}` is missing: `{}` came to nothing", field.name, self.text);
                Err(Unfit::new(FIELD_MISSING, field.name.as_str(), message))
            }
            Ok(value) => Ok(value),
            Err(Misfit { why, .. }) if field.required || on_invalid == OnInvalid::Reject => {
                Err(Unfit::new(FIELD_INVALID, field.name.as_str(), format!("field `{}`: {why}", field.name)))
            }
            Err(Misfit { why, value }) => {
                let warning = Warning::new(field.name.as_str(), FIELD_DROPPED, format!("left out: {why}"));
                warnings.push(warning.changing(&value, None));
                Ok(None)
            }
        }
    }

    fn explain<'e>(&'e self, scope: &Scope<'e>, on_invalid: OnInvalid) -> ExplainedField {
        let mut warnings = Vec::new();
        let (coerced, error) = match self.fill(scope, on_invalid, &mut warnings) {
            Ok(value) => (value.map(Json::into_owned), None),
            Err(unfit) => (None, Some(unfit)),
        };
        ExplainedField {
            field: &self.field.name,
            expression: self.text.clone(),
            is_default: self.is_default,
            value: Scope::new(scope.event()).resolve(&self.expression).map(|value| value.into_owned().into_owned()),
            coerced,
            error,
            warnings,
        }
    }
}

/// What would become of an event at one destination.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// Which part of the filter holds, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<trigger::Explained>,
    /// What each mapping would do, whether or not the filter holds.
    pub mappings: Vec<ExplainedMapping>,
}

/// What one mapping would do with an event.
#[derive(Debug, Serialize)]
pub struct ExplainedMapping {
    /// The mapping.
    pub name: String,
    /// Its action.
    pub action: &'static str,
    /// Whether it takes part.
    pub enabled: bool,
    /// Whether its trigger holds.
    pub matched: bool,
    /// Which part of the trigger holds.
    pub trigger: trigger::Explained,
    /// How each field is filled, when the trigger holds.
    pub fields: Vec<ExplainedField>,
    /// The payload, when there is one.
    pub payload: Option<Object<'static>>,
    /// Why there is none, when the trigger holds.
    pub error: Option<Unfit>,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
}

/// How one field is filled.
#[derive(Debug, Serialize)]
pub struct ExplainedField {
    /// The field.
    pub field: &'static str,
    /// Its expression, as it was written.
    pub expression: String,
    /// Whether that is the action's default.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// What the expression came to.
    pub value: Option<Json<'static>>,
    /// What that was fitted to.
    pub coerced: Option<Json<'static>>,
    /// Why it does not fit, where that makes the payload unfit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Unfit>,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
