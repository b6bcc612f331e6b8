//! One attribute: its type, and which values fit it.

use serde_json::{Value, json};

use super::reply::Refusal;
use super::settings::{Settings, Strictness};
use super::shape;
use crate::json::Json;

/// Longest text of a custom attribute, in characters.
const TEXT_MAX: usize = 255;

/// What an attribute describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// People.
    Contact,
    /// Companies.
    Company,
}

/// Type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// Text.
    Text,
    /// An integer.
    Integer,
    /// Any number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Unix seconds.
    Date,
}

/// One definition.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its number; only a custom one has it.
    pub id: Option<u64>,
    /// What it describes.
    pub model: Model,
    /// Its own name.
    pub name: String,
    /// Its path in a reply.
    pub full_name: String,
    /// Its name for people.
    pub label: String,
    /// Type of its values.
    pub data_type: DataType,
    /// The texts of a list attribute.
    pub options: Vec<String>,
    /// Whether a write may set it.
    pub api_writable: bool,
    /// Whether the Messenger may set it.
    pub messenger_writable: bool,
    /// Whether it is out of use.
    pub archived: bool,
    /// Made by a write, not by a definition: its type widens when a value does not fit.
    pub inferred: bool,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// When it was defined, in Unix seconds.
    pub at: i64,
    /// When its definition was last changed, in Unix seconds.
    pub updated_at: i64,
}

impl Model {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Model::Contact => "contact",
            Model::Company => "company",
        }
    }

    /// The word in messages.
    pub fn people(self) -> &'static str {
        match self {
            Model::Contact => "people",
            Model::Company => "company",
        }
    }

    /// Reads the word on the wire.
    pub fn parse(text: &str) -> Option<Model> {
        [Model::Contact, Model::Company].into_iter().find(|model| model.word() == text)
    }
}

impl DataType {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            DataType::Text => "string",
            DataType::Integer => "integer",
            DataType::Float => "float",
            DataType::Boolean => "boolean",
            DataType::Date => "date",
        }
    }

    /// The type a definition names; a date may be called `datetime`, a list of texts `options`.
    pub fn parse(text: &str) -> Option<DataType> {
        match text {
            "string" | "options" => Some(DataType::Text),
            "integer" => Some(DataType::Integer),
            "float" => Some(DataType::Float),
            "boolean" => Some(DataType::Boolean),
            "date" | "datetime" => Some(DataType::Date),
            _ => None,
        }
    }

    /// The type a value has; an integer called `…_at` is a date.
    pub fn of(name: &str, value: &Json<'_>) -> DataType {
        match value {
            Json::Bool(_) => DataType::Boolean,
            Json::Number(number) if number.is_f64() => DataType::Float,
            Json::Number(_) if name.ends_with("_at") => DataType::Date,
            Json::Number(_) => DataType::Integer,
            _ => DataType::Text,
        }
    }
}

impl Attribute {
    /// The value as it is kept, or why it does not fit; `null` fits always.
    pub fn fitted(&self, value: &Json<'_>, settings: &Settings) -> Result<Value, Refusal> {
        let place = format!("custom_attributes.{}", self.name);
        match (self.data_type, value) {
            (_, Json::Null) => Ok(Value::Null),
            (_, Json::Object(_)) => Err(nested(&self.name)),
            (_, Json::List(items)) if !items.iter().all(|item| item.as_str().is_some()) => Err(nested(&self.name)),
            (DataType::Text, Json::String(text)) => self.text(text, settings).map(Value::from),
            (DataType::Text, Json::Bool(_) | Json::Number(_)) if self.inferred => Ok(value.to_value()),
            (DataType::Text, Json::List(_))
            | (DataType::Boolean, Json::Bool(_))
            | (DataType::Float, Json::Number(_)) => Ok(value.to_value()),
            (DataType::Integer, Json::Number(number)) if !number.is_f64() => Ok(value.to_value()),
            (DataType::Date, Json::Number(_)) => shape::seconds(&place, value, settings).map(Value::from),
            (DataType::Integer | DataType::Float, Json::String(text))
                if settings.numeric_text == Strictness::Accept =>
            {
                text.parse().map(Value::Number).map_err(|_| self.misfit(value))
            }
            _ => Err(self.misfit(value)),
        }
    }

    /// The definition as replies show it.
    pub fn view(&self) -> Value {
        let mut view = json!({
            "type": "data_attribute",
            "model": self.model.word(),
            "name": self.name,
            "full_name": self.full_name,
            "label": self.label,
            "data_type": self.data_type.word(),
            "api_writable": self.api_writable,
            "messenger_writable": self.messenger_writable,
            "ui_writable": false,
            "custom": self.id.is_some(),
            "archived": self.archived,
        });
        if let Some(id) = self.id {
            view["id"] = id.into();
            view["created_at"] = self.at.into();
            view["updated_at"] = self.updated_at.into();
        }
        if let Some(description) = &self.description {
            view["description"] = description.as_str().into();
        }
        if !self.options.is_empty() {
            view["options"] = self.options.clone().into();
        }
        view
    }

    fn text<'t>(&self, text: &'t str, settings: &Settings) -> Result<&'t str, Refusal> {
        if text.chars().count() > TEXT_MAX {
            let message = format!("Custom attribute '{}' is longer than {TEXT_MAX} characters", self.name);
            return Err(Refusal::invalid("custom_attributes", message));
        }
        let listed = self.options.is_empty() || self.options.iter().any(|option| option == text);
        match listed || settings.unlisted_values == Strictness::Accept {
            true => Ok(text),
            false => Err(self.misfit(&Json::from(text))),
        }
    }

    /// Takes the type that this scalar fits too.
    pub fn widen(&mut self, value: &Json<'_>) {
        let numeric = matches!(value, Json::Number(_)) && self.data_type == DataType::Integer;
        self.data_type = if numeric { DataType::Float } else { DataType::Text };
    }

    fn misfit(&self, value: &Json<'_>) -> Refusal {
        let (name, wanted) = (&self.name, self.data_type.word());
        let message = format!("Custom attribute '{name}' must be of type {wanted}, not {}", value.kind());
        Refusal::invalid("custom_attributes", message)
    }
}

/// Whether the value is text, a number or a flag.
pub fn is_scalar(value: &Json<'_>) -> bool {
    matches!(value, Json::Bool(_) | Json::Number(_) | Json::String(_))
}

/// The refusal of lists and objects.
pub fn nested(name: &str) -> Refusal {
    Refusal::invalid("custom_attributes", format!("Custom attribute '{name}' cannot hold nested values"))
}
