//! Custom attributes: only those the workspace has are sent, as values of their type.
//!
//! # Why
//! Intercom refuses a whole write for one attribute that it does not know, and never makes one by itself. The workspace's
//! list is therefore remembered, and read again when a refusal says that it has changed. A list that cannot be read stops
//! nothing: everything is sent, and a refusal that names an attribute drops that one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::{Answer, Call, Client};
use super::error::{self, Refusal};
use super::fitting::{self, Type};
use crate::action::{Failure, Kind, Warning};

/// Seconds the list is believed.
const LIST_SECS: u64 = 600;
/// Seconds after which a list that could not be read is asked for again.
const UNLISTED_SECS: u64 = 60;
/// Attributes that are remembered as refused or not made, at most.
const ABSENT_MAX: u64 = 10_000;
/// How many refusals of one write are mended: each names one attribute.
const REPAIRS_MAX: usize = 10;

/// What becomes of an attribute that the workspace does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is left out with a warning, and the rest is delivered.
    #[default]
    Drop,
    /// It is made, with a type that fits its first value. That type can never be changed.
    Create,
    /// The delivery becomes a dead letter.
    Reject,
}

/// What an attribute describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// People.
    Contact,
    /// Companies.
    Company,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Model::Contact => "contact",
            Model::Company => "company",
        }
    }
}

/// An attribute of the workspace.
#[derive(Debug, Clone, Copy)]
struct Attribute {
    of_type: Type,
    writable: bool,
}

type List = HashMap<String, Attribute>;

/// A body that was taken.
#[derive(Debug)]
pub struct Sent {
    /// What Intercom answered.
    pub answer: Answer,
    /// The body as it was sent in the end.
    pub body: Map<String, Value>,
}

/// What is known of the attributes of a workspace.
pub struct Attributes {
    lists: Cache<Model, Arc<List>>,
    unlisted: Cache<Model, ()>,
    /// Names that were refused, or could not be made.
    absent: Cache<(Model, String), ()>,
}

impl Attributes {
    /// Nothing known yet.
    pub fn new() -> Attributes {
        let seconds = Duration::from_secs;
        Attributes {
            lists: Cache::builder().max_capacity(2).time_to_live(seconds(LIST_SECS)).build(),
            unlisted: Cache::builder().max_capacity(2).time_to_live(seconds(UNLISTED_SECS)).build(),
            absent: Cache::builder().max_capacity(ABSENT_MAX).time_to_live(seconds(LIST_SECS)).build(),
        }
    }
}

impl Attributes {
    /// Whether the workspace has an attribute that takes a value; also false when nobody knows.
    pub fn surely_take(&self, model: Model, name: &str, value: &Value) -> bool {
        let list = self.lists.iter().find(|(listed, _)| **listed == model).map(|(_, list)| list);
        let attribute = list.as_ref().and_then(|list| list.get(name));
        let is_absent = self.absent.contains_key(&(model, name.to_owned()));
        attribute.is_some_and(|known| !is_absent && known.writable && known.of_type.fit(value).is_some())
    }
}

impl Client {
    /// Sends a body whose custom attributes are made to fit. A refusal because of one that is not there is mended, and the
    /// body sent again without it.
    pub async fn write(&self, model: Model, call: Call, body: &Map<String, Value>) -> Result<Sent, Refusal> {
        if !body.contains_key(FIELD) {
            let answer = self.call(call.body(body)).await?;
            return Ok(Sent { answer, body: body.clone() });
        }
        let mut repairs = 0;
        loop {
            let (fitted, warnings) = self.fitted(model, body).await?;
            let refusal = match self.call(call.clone().body(&fitted)).await {
                Ok(answer) => {
                    warnings.into_iter().for_each(|warning| self.warn(warning));
                    return Ok(Sent { answer, body: fitted });
                }
                Err(refusal) => refusal,
            };
            let Some(name) = error::unknown_attribute(&refusal).filter(|name| has(&fitted, name)) else {
                return Err(refusal);
            };
            if repairs == REPAIRS_MAX {
                return Err(refusal);
            }
            repairs += 1;
            self.service.attributes.lists.invalidate(&model).await;
            // A list that cannot be read, or does not say it, is no help.
            if self.attributes(model).await.is_none_or(|list| list.contains_key(&name)) {
                self.service.attributes.absent.insert((model, name), ()).await;
            }
        }
    }

    /// The body with its attributes as the workspace takes them, and what was changed or left out.
    pub async fn fitted(
        &self,
        model: Model,
        body: &Map<String, Value>,
    ) -> Result<(Map<String, Value>, Vec<Warning>), Failure> {
        let mut body = body.clone();
        let mut warnings = Vec::new();
        let Some(Value::Object(given)) = body.remove(FIELD) else { return Ok((body, warnings)) };
        let list = self.attributes(model).await;
        let mut fitted = Map::new();
        for (name, value) in given {
            let known = self.known_attribute(model, &list, &name, &value).await?;
            match known.and_then(|attribute| fit(attribute, &name, value, &mut warnings)) {
                Ok(value) => drop(fitted.insert(name, value)),
                Err(out) => warnings.extend(out.map(|(code, why)| {
                    self.leave_out(&path(&name));
                    Warning::new(path(&name), code, why)
                })),
            }
        }
        if !fitted.is_empty() {
            body.insert(FIELD.to_owned(), fitted.into());
        }
        Ok((body, warnings))
    }

    /// An attribute by its name; made where that is wanted. `Ok(None)`: nobody knows. The inner error is why it stays out;
    /// clearing what is not there is nothing to speak of.
    async fn known_attribute(
        &self,
        model: Model,
        list: &Option<Arc<List>>,
        name: &str,
        value: &Value,
    ) -> Result<Result<Option<Attribute>, Out>, Failure> {
        let is_absent = self.service.attributes.absent.contains_key(&(model, name.to_owned()));
        let found = list.as_ref().and_then(|list| list.get(name));
        if !is_absent && (found.is_some() || list.is_none()) {
            return Ok(Ok(found.copied()));
        }
        if value.is_null() {
            return Ok(Err(None));
        }
        let out = |why: &str| Some(("attribute_unknown", format!("left out: {why}")));
        match self.service.settings.unknown_attributes {
            Unknown::Drop => Ok(Err(out("the workspace has no such attribute"))),
            Unknown::Reject => {
                let message = format!("the workspace has no {} attribute `{name}`", model.name());
                Err(Failure::rejected("attribute_unknown", message))
            }
            Unknown::Create if is_absent && list.is_some() => {
                Ok(Err(out("the workspace has no such attribute, and it could not be made")))
            }
            Unknown::Create => match Box::pin(self.make_attribute(model, name, value)).await? {
                Ok(made) => Ok(Ok(Some(made))),
                Err(why) => Ok(Err(out(&why))),
            },
        }
    }

    /// The workspace's list; `None` when it cannot be read.
    async fn attributes(&self, model: Model) -> Option<Arc<List>> {
        let attributes = &self.service.attributes;
        if attributes.unlisted.contains_key(&model) {
            return None;
        }
        if let Some(list) = attributes.lists.get(&model).await {
            return Some(list);
        }
        let list = Box::pin(attributes.lists.try_get_with(model, self.listed_attributes(model))).await.ok();
        if list.is_none() {
            attributes.unlisted.insert(model, ()).await;
        }
        list
    }

    async fn listed_attributes(&self, model: Model) -> Result<Arc<List>, Failure> {
        let call = Call::new("GET /data_attributes", &[])?.query(&[("model", Some(model.name().to_owned()))]);
        let answer = self.call(call).await?.json()?;
        // Every workspace has some that Intercom made, so an empty list is none.
        match answer["data"].as_array().filter(|data| !data.is_empty()) {
            Some(data) => Ok(Arc::new(data.iter().filter_map(read).collect())),
            None => Err(Failure::new(Kind::Unknown, "reply_unreadable", "the workspace's list of attributes is empty")),
        }
    }

    /// Makes an attribute with the type of a value. The inner error is why it was not made.
    async fn make_attribute(
        &self,
        model: Model,
        name: &str,
        value: &Value,
    ) -> Result<Result<Attribute, String>, Failure> {
        let attributes = &self.service.attributes;
        let Some(of_type) = Type::of(name, value).filter(|_| fitting::is_name(name)) else {
            return Ok(Err("no attribute can have this name or value".to_owned()));
        };
        let body = json!({ "name": name, "model": model.name(), "data_type": of_type.name() });
        let why = match self.call(Call::new("POST /data_attributes", &[])?.body(&body)).await {
            Ok(_) => {
                let message = format!("made, as {}; its type cannot be changed", of_type.name());
                self.warn(Warning::new(path(name), "attribute_made", message));
                attributes.absent.invalidate(&(model, name.to_owned())).await;
                attributes.lists.invalidate(&model).await;
                return Ok(Ok(Attribute { of_type, writable: true }));
            }
            // Another delivery may have made it at the same moment, or it is taken elsewhere.
            Err(refusal) if refusal.failure.kind == Kind::Rejected => refusal.failure.message,
            Err(refusal) if refusal.is_forbidden() => refusal.failure.message,
            Err(refusal) => return Err(refusal.failure),
        };
        attributes.lists.invalidate(&model).await;
        if let Some(made) = self.attributes(model).await.and_then(|list| list.get(name).copied()) {
            return Ok(Ok(made));
        }
        attributes.absent.insert((model, name.to_owned()), ()).await;
        Ok(Err(format!("it could not be made: {why}")))
    }
}

/// Why an attribute stays out, by code and in words; nothing where it is not worth a word.
type Out = Option<(&'static str, String)>;

/// Where a body has them.
pub const FIELD: &str = "custom_attributes";

fn has(body: &Map<String, Value>, name: &str) -> bool {
    body.get(FIELD).is_some_and(|attributes| attributes.get(name).is_some())
}

fn path(name: &str) -> String {
    format!("{FIELD}.{name}")
}

/// Reads a custom attribute. Intercom's own stand in the same list.
fn read(value: &Value) -> Option<(String, Attribute)> {
    let is_custom = value["custom"].as_bool().unwrap_or(true);
    let of_type = Type::read(value["data_type"].as_str().unwrap_or_default());
    let writable = value["api_writable"].as_bool().unwrap_or(true);
    Some((value["name"].as_str().filter(|_| is_custom)?.to_owned(), Attribute { of_type, writable }))
}

/// The value as the attribute takes it, or why it stays out.
fn fit(attribute: Option<Attribute>, name: &str, value: Value, warnings: &mut Vec<Warning>) -> Result<Value, Out> {
    let Some(attribute) = attribute else { return Ok(value) };
    if !attribute.writable {
        return Err(Some(("attribute_not_writable", "left out: it cannot be written through the API".to_owned())));
    }
    let Some(fitted) = attribute.of_type.fit(&value) else {
        let message = format!("left out: the attribute holds {}, and this is {value}", attribute.of_type.noun());
        return Err(Some(("attribute_misfit", message)));
    };
    if fitted != value && attribute.of_type != Type::Date {
        warnings.push(Warning::new(path(name), "attribute_converted", format!("{value} → {fitted}")));
    }
    Ok(fitted)
}
