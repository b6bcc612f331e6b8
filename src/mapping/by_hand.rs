//! The payload of an action that a person runs by hand: values by field, instead of expressions over an event.

use std::borrow::Cow;

use super::coerce::CONVERTED;
use super::{FIELD_INVALID, FIELD_MISSING, Misfit, Payload, coerce};
use crate::action::{Facts, Field, FieldKind, Unfit};
use crate::json::{self, Json, Object};
use crate::yaml::{cut, meant};

/// Fills an action's fields with what a person gave. Values are fitted as those of events are; a text that holds a list or
/// an object, as a command line gives it, is read as that where the field takes one. Defaults are expressions over an
/// event, so there are none here. Fails on a field the action does not have, one that does not fit, and a required one
/// that is missing.
pub fn by_hand(facts: &Facts, given: &Object<'_>) -> Result<Payload<'static>, Unfit> {
    let known = || facts.fields.iter().map(|field| field.name.as_str());
    if let Some((name, _)) = given.iter().find(|(name, _)| facts.field(name).is_none()) {
        let help = meant(name, known());
        let message = format!("`{}` has no field `{}`; {help}", facts.name, cut(name));
        return Err(Unfit::new("field_unknown", name, message));
    }
    let mut payload = Payload { object: Object::new(), warnings: Vec::new() };
    for field in &facts.fields {
        let value = given.get(&field.name).map(|value| read(field, value));
        let fitted = coerce(field, value, &mut payload.warnings).map_err(|Misfit { why, .. }| {
            Unfit::new(FIELD_INVALID, field.name.as_str(), format!("field `{}`: {why}", field.name))
        })?;
        match fitted {
            Some(value) => payload.object.push_new(field.name.clone(), value.into_owned()),
            None if field.required => {
                let message = format!("required field `{}` is missing: {}", field.name, field.docs);
                return Err(Unfit::new(FIELD_MISSING, field.name.as_str(), message));
            }
            None => {}
        }
    }
    // A command line gives everything as text: that it became something else is no news.
    payload.warnings.retain(|warning| warning.code != CONVERTED);
    (facts.fit)(&mut payload.object, &mut payload.warnings)?;
    Ok(payload)
}

fn read<'v>(field: &Field, value: &'v Json<'v>) -> Cow<'v, Json<'v>> {
    let takes_more = matches!(field.kind, FieldKind::Object | FieldKind::Texts | FieldKind::Any);
    let text = value.as_str().filter(|text| takes_more && text.trim_start().starts_with(['{', '[']));
    match text.and_then(|text| json::parse(text.as_bytes()).ok()) {
        Some(read) => Cow::Owned(read.into_owned()),
        None => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::fake::facts;

    #[track_caller]
    fn check(given: &str, expected: Result<&str, &str>) {
        let Ok(Json::Object(given)) = json::parse(given.as_bytes()) else { panic!("an object is given") };
        let came = by_hand(facts(), &given).map(|payload| Json::Object(payload.object).to_string());
        let came = came.map_err(|unfit| unfit.message);
        assert_eq!(came.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn values_are_fitted_as_those_of_events_are() {
        let expected = r#"{"role":"user","id":"1","seats":3,"seen_at":1767225600,"facts":{"a":1},"tags":["x","y"]}"#;
        check(
            r#"{"tags":"[\"x\",\"y\"]","facts":"{\"a\":1}","id":1,"seats":"3","role":"user","seen_at":"2026-01-01"}"#,
            Ok(expected),
        );
        check(
            r#"{"role":"user","id":"1","seen_at":1767225600,"extra":"12","email":null}"#,
            Ok(r#"{"role":"user","id":"1","email":null,"seen_at":1767225600,"extra":"12"}"#),
        );
    }

    #[test]
    fn a_mistake_is_named() {
        check(r#"{"emial":"a@b.co"}"#, Err("`greet` has no field `emial`; did you mean `email`?"));
        check(r#"{"role":"usr"}"#, Err("field `role`: expected `user` or `lead`, found \"usr\""));
        check(r#"{"role":"user","id":"1"}"#, Err("required field `seen_at` is missing: When."));
        check(r#"{"role":"user","seen_at":1767225600}"#, Err("neither id nor email"));
    }
}
