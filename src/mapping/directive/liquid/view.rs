//! Our values to the template engine, and its values to us.

use std::fmt;

use liquid_core::model::{ArrayView, DisplayCow, KStringCow, ObjectView, Scalar, ScalarCow, State, Value, ValueView};

use crate::json::{Json, Number, Object};
use crate::mapping::path::item;
use crate::mapping::text::push;

/// What our objects say they are: unlike the engine's own, their members have an order.
const ORDERED: &str = "members in order";

impl ValueView for Json<'_> {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        DisplayCow::Owned(Box::new(text(self)))
    }

    fn source(&self) -> DisplayCow<'_> {
        DisplayCow::Borrowed(self)
    }

    fn type_name(&self) -> &'static str {
        match self {
            Json::Object(_) => ORDERED,
            other => other.kind(),
        }
    }

    fn query_state(&self, state: State) -> bool {
        let is_empty = match self {
            Json::Null => true,
            Json::Bool(value) => !value,
            Json::Number(_) => false,
            Json::String(text) if state == State::Blank => text.trim().is_empty(),
            Json::String(text) => text.is_empty(),
            Json::List(items) => items.is_empty(),
            Json::Object(members) => members.is_empty(),
        };
        match state {
            State::Truthy => !matches!(self, Json::Null | Json::Bool(false)),
            State::DefaultValue | State::Empty | State::Blank => is_empty,
        }
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        match self {
            Json::String(text) => KStringCow::from_ref(text),
            other => KStringCow::from_string(text(other)),
        }
    }

    fn to_value(&self) -> Value {
        value_of(self)
    }

    fn as_scalar(&self) -> Option<ScalarCow<'_>> {
        match self {
            Json::Bool(value) => Some(ScalarCow::new(*value)),
            Json::Number(number) => Some(scalar(number)),
            Json::String(text) => Some(ScalarCow::new(&**text)),
            Json::Null | Json::List(_) | Json::Object(_) => None,
        }
    }

    fn as_array(&self) -> Option<&dyn ArrayView> {
        matches!(self, Json::List(_)).then_some(self)
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        matches!(self, Json::Object(_)).then_some(self)
    }

    fn is_nil(&self) -> bool {
        self.is_null()
    }
}

impl ArrayView for Json<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        self.as_list().map_or(0, |items| items.len() as i64)
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(self.as_list().unwrap_or_default().iter().map(|item| item as &dyn ValueView))
    }

    fn contains_key(&self, index: i64) -> bool {
        ArrayView::get(self, index).is_some()
    }

    fn get(&self, index: i64) -> Option<&dyn ValueView> {
        item(self.as_list()?, index).map(|item| item as &dyn ValueView)
    }
}

impl ObjectView for Json<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        Json::as_object(self).map_or(0, |members| members.len() as i64)
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(ObjectView::iter(self).map(|(key, _)| key))
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(ObjectView::iter(self).map(|(_, value)| value))
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        let members = Json::as_object(self).into_iter().flat_map(Object::iter);
        Box::new(members.map(|(key, value)| (KStringCow::from_ref(key), value as &dyn ValueView)))
    }

    fn contains_key(&self, index: &str) -> bool {
        Json::get(self, index).is_some()
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        Json::get(self, index).map(|value| value as &dyn ValueView)
    }
}

fn scalar<'s>(number: &Number) -> ScalarCow<'s> {
    match number.as_i64() {
        Some(number) => Scalar::new(number),
        None => Scalar::new(number.as_f64().unwrap_or_default()),
    }
}

/// A value as text: lists as their items one after the other, objects as JSON.
pub(super) fn text(json: &Json<'_>) -> String {
    let mut text = String::new();
    match json {
        Json::List(items) => items.iter().for_each(|item| text.push_str(&self::text(item))),
        other => push(&mut text, other),
    }
    text
}

/// What a copy of a value costs, more or less (see [`Json::weight`]).
pub(super) fn weight(view: &dyn ValueView) -> usize {
    if let Some(items) = view.as_array() {
        return 8 + items.values().map(weight).sum::<usize>();
    }
    if let Some(object) = view.as_object() {
        return 8 + object.iter().map(|(key, value)| key.len() + weight(value)).sum::<usize>();
    }
    let is_text = view.type_name() == "string";
    8 + if is_text { view.to_kstr().len() } else { 0 }
}

/// A value as the engine holds it.
pub(super) fn value_of(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::scalar(*value),
        Json::Number(number) => Value::Scalar(scalar(number)),
        Json::String(text) => Value::scalar(text.to_string()),
        Json::List(items) => Value::Array(items.iter().map(value_of).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.to_owned().into(), value_of(value))).collect())
        }
    }
}

/// A value of the engine as we hold it. Its own objects have no order: their members are sorted.
pub(super) fn json_of(view: &dyn ValueView) -> Json<'static> {
    if let Some(items) = view.as_array() {
        return Json::List(items.values().map(json_of).collect());
    }
    if let Some(object) = view.as_object() {
        let members = object.iter().map(|(key, value)| (key.to_string(), json_of(value)));
        let mut members: Vec<(String, Json<'static>)> = members.collect();
        if view.type_name() != ORDERED {
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        return Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect());
    }
    let Some(scalar) = view.as_scalar() else { return Json::Null };
    match view.type_name() {
        "boolean" => Json::Bool(scalar.to_bool().unwrap_or_default()),
        "string" => Json::from(scalar.into_string().to_string()),
        _ => {
            let whole = scalar.to_integer().map(Json::from);
            let number = || scalar.to_float().and_then(Number::from_f64).map(Json::Number);
            whole.or_else(number).unwrap_or_else(|| Json::from(scalar.to_kstr().to_string()))
        }
    }
}
