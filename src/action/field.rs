//! The field table of an action, read from its JSON Schema.

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde_json::Value;

/// One input of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The third party's own name for it.
    pub name: String,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether a payload without it is unfit.
    pub required: bool,
    /// Whether an explicit `null` clears it at the destination.
    pub clears: bool,
    /// The words it takes, where only some are taken.
    pub choices: Vec<String>,
    /// The expression used when a mapping says nothing, as it would stand in YAML.
    pub default: Option<Value>,
    /// What it is, for people.
    pub docs: String,
}

/// What a field takes. Coercion goes by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text.
    Text,
    /// An e-mail address.
    Email,
    /// An absolute URL.
    Url,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A moment; becomes Unix seconds.
    Timestamp,
    /// An object with keys of its own.
    Object,
    /// A list of texts.
    Texts,
    /// Anything.
    Any,
}

impl FieldKind {
    /// The kind's word in docs and messages.
    pub fn name(self) -> &'static str {
        match self {
            FieldKind::Text => "text",
            FieldKind::Email => "e-mail address",
            FieldKind::Url => "URL",
            FieldKind::Number => "number",
            FieldKind::Integer => "whole number",
            FieldKind::Boolean => "true or false",
            FieldKind::Timestamp => "date",
            FieldKind::Object => "object",
            FieldKind::Texts => "list of texts",
            FieldKind::Any => "anything",
        }
    }
}

/// Reads the table of an action's type from its schema; fields stand in the order of the type.
pub(super) fn read<A: DeserializeOwned>(schema: &Value) -> Vec<Field> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // A struct without fields has no properties.
    let mut fields: Vec<Field> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| Field {
            name: name.clone(),
            kind: kind(schema),
            required: required.contains(&name.as_str()),
            clears: schema["x-clears"] == true,
            choices: choices(schema),
            default: schema.get("x-default").cloned(),
            docs: schema["description"].as_str().unwrap_or_default().replace('\n', " "),
        })
        .collect();
    let order = declared::<A>();
    fields.sort_by_key(|field| order.iter().position(|name| *name == field.name));
    fields
}

/// The names of a struct's fields as they were declared: a schema holds them sorted, serde knows them in order.
fn declared<A: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The probe answers every request with an error; only what it was asked for matters.
    let _ = A::deserialize(Probe(&mut names));
    names
}

struct Probe<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Self::Error::custom("only a probe"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only a probe"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn kind(schema: &Value) -> FieldKind {
    match (type_of(schema), schema["format"].as_str()) {
        (_, Some("email")) => FieldKind::Email,
        (_, Some("uri")) => FieldKind::Url,
        (_, Some("unix-time")) => FieldKind::Timestamp,
        (Some("string"), _) => FieldKind::Text,
        (Some("number"), _) => FieldKind::Number,
        (Some("integer"), _) => FieldKind::Integer,
        (Some("boolean"), _) => FieldKind::Boolean,
        (Some("array"), _) => FieldKind::Texts,
        (Some("object"), _) => FieldKind::Object,
        _ if !choices(schema).is_empty() => FieldKind::Text,
        _ => FieldKind::Any,
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => schema["anyOf"].as_array()?.iter().find_map(type_of).filter(|name| *name != "null"),
    }
}

fn choices(schema: &Value) -> Vec<String> {
    let words = |list: &Value, key: Option<&str>| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| key.map_or(item, |key| &item[key]).as_str().map(str::to_owned)).collect()
    };
    if let Some(list) = schema.get("enum") {
        return words(list, None);
    }
    if let Some(list) = schema.get("oneOf") {
        return words(list, Some("const"));
    }
    let nested = schema["anyOf"].as_array().into_iter().flatten().map(choices);
    nested.into_iter().flatten().collect()
}
