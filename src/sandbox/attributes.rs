//! Custom attributes: the definitions, and fitting the values of a write to them.

use serde_json::{Map, Value, json};

use super::attribute::{Attribute, DataType, Model, is_scalar, nested};
use super::attribute_table::STANDARD;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::{Settings, UnknownAttributes};
use super::shape;
use super::state::State;
use crate::json::{Json, Object};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "GET", path: "/data_attributes", described: &[200, 401, 422], answer: list },
    Endpoint { method: "POST", path: "/data_attributes", described: &[200, 400, 401], answer: define },
    Endpoint {
        method: "PUT",
        path: "/data_attributes/{data_attribute_id}",
        described: &[200, 400, 401, 404, 422],
        answer: change,
    },
];

/// Most custom attributes of a workspace.
const CUSTOM_MAX: usize = 250;

/// Names with their values, as they are to be kept.
type Fitted = Vec<(String, Value)>;

/// The definitions of the workspace.
#[derive(Debug, Clone)]
pub struct Attributes {
    all: Vec<Attribute>,
    last_id: u64,
}

impl Attributes {
    /// The attributes every workspace has.
    pub fn standard() -> Attributes {
        let all = STANDARD.iter().map(|row| Attribute {
            id: None,
            model: row.model,
            name: row.full_name.rsplit('.').next().unwrap_or(row.full_name).to_owned(),
            full_name: row.full_name.to_owned(),
            label: row.label.to_owned(),
            data_type: row.data_type,
            options: Vec::new(),
            api_writable: row.api_writable,
            messenger_writable: row.model == Model::Company,
            archived: false,
            inferred: false,
            description: None,
            at: 0,
            updated_at: 0,
        });
        Attributes { all: all.collect(), last_id: 0 }
    }

    /// The definitions as JSON.
    pub fn view(&self, model: Option<Model>, archived_too: bool) -> Vec<Value> {
        let shown = self.all.iter().filter(|attribute| model.is_none_or(|model| model == attribute.model));
        shown.filter(|attribute| archived_too || !attribute.archived).map(Attribute::view).collect()
    }

    /// `known` with the `custom_attributes` of the request's body written over it; `null` clears one. Either all values
    /// fit, or nothing is changed and the refusal names the first that does not.
    pub fn fit(
        &mut self,
        model: Model,
        mut known: Map<String, Value>,
        request: &Request<'_>,
    ) -> Result<Map<String, Value>, Refusal> {
        let Some(sent) = shape::object(&request.body, "custom_attributes")? else { return Ok(known) };
        let fitted = match self.fit_defined(model, sent, request.settings) {
            Ok(fitted) => fitted,
            Err(_) => self.fit_defining(model, sent, request)?,
        };
        for (name, value) in fitted {
            match value {
                Value::Null => drop(known.remove(&name)),
                value => drop(known.insert(name, value)),
            }
        }
        Ok(known)
    }

    /// The usual case: every attribute is defined and every value fits.
    fn fit_defined(&self, model: Model, sent: &Object<'_>, settings: &Settings) -> Result<Fitted, Refusal> {
        let fit = |(name, value): (&str, &Json<'_>)| {
            let at = self.custom(model, name).ok_or_else(|| unknown(name))?;
            Ok((name.to_owned(), self.all[at].fitted(value, settings)?))
        };
        sent.iter().map(fit).collect()
    }

    /// The other case: values may define attributes or widen them, on a copy, since a refusal must take that back.
    fn fit_defining(&mut self, model: Model, sent: &Object<'_>, request: &Request<'_>) -> Result<Fitted, Refusal> {
        let mut after = self.clone();
        let fit = |(name, value): (&str, &Json<'_>)| Ok((name.to_owned(), after.fit_one(model, name, value, request)?));
        let fitted: Fitted = sent.iter().map(fit).collect::<Result<_, Refusal>>()?;
        *self = after;
        Ok(fitted)
    }

    fn fit_one(&mut self, model: Model, name: &str, value: &Json<'_>, request: &Request<'_>) -> Result<Value, Refusal> {
        let settings = request.settings;
        let position = self.custom(model, name);
        let at = match position {
            Some(at) => at,
            None if settings.unknown_attributes == UnknownAttributes::Refuse => return Err(unknown(name)),
            None if value.is_null() => return Ok(Value::Null),
            None => self.infer(model, name, value, request.now)?,
        };
        let attribute = &mut self.all[at];
        match attribute.fitted(value, settings) {
            Err(_) if attribute.inferred && is_scalar(value) => {
                attribute.widen(value);
                attribute.fitted(value, settings)
            }
            fitted => fitted,
        }
    }

    fn custom(&self, model: Model, name: &str) -> Option<usize> {
        let is = |attribute: &Attribute| {
            attribute.id.is_some() && attribute.model == model && attribute.name == name && !attribute.archived
        };
        self.all.iter().position(is)
    }

    fn infer(&mut self, model: Model, name: &str, value: &Json<'_>, now: i64) -> Result<usize, Refusal> {
        check_name(name)?;
        if !is_scalar(value) {
            return Err(nested(name));
        }
        self.add(model, name, DataType::of(name, value), now)?;
        let at = self.all.len() - 1;
        self.all[at].inferred = true;
        Ok(at)
    }

    fn add(&mut self, model: Model, name: &str, data_type: DataType, now: i64) -> Result<&mut Attribute, Refusal> {
        if self.all.iter().filter(|attribute| attribute.id.is_some()).count() >= CUSTOM_MAX {
            let message = format!("the workspace has {CUSTOM_MAX} custom attributes, which is the most");
            return Err(Refusal::invalid("name", message));
        }
        self.last_id += 1;
        self.all.push(Attribute {
            id: Some(self.last_id),
            model,
            name: name.to_owned(),
            full_name: format!("custom_attributes.{name}"),
            label: name.to_owned(),
            data_type,
            options: Vec::new(),
            api_writable: true,
            messenger_writable: false,
            archived: false,
            inferred: false,
            description: None,
            at: now,
            updated_at: now,
        });
        Ok(self.all.last_mut().expect("it was pushed a line above"))
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::invalid("custom_attributes", format!("Custom attribute '{name}' does not exist"))
}

fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let model = match request.query("model") {
        None => None,
        Some(text) => Some(Model::parse(text).ok_or_else(|| {
            Refusal::new(422, "unprocessable_entity", format!("model must be contact or company, not '{text}'"))
        })?),
    };
    let archived_too = request.query("include_archived") == Some("true");
    Ok(Reply::ok(json!({"type": "list", "data": state.attributes.view(model, archived_too)})))
}

fn define(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let name = shape::text(body, "name")?.ok_or_else(|| Refusal::invalid("name", "name must be given"))?;
    check_name(&name)?;
    let model = shape::text(body, "model")?.as_deref().and_then(Model::parse);
    let model = model.ok_or_else(|| Refusal::invalid("model", "model must be contact or company"))?;
    let word = shape::text(body, "data_type")?.unwrap_or_default();
    let data_type = DataType::parse(&word).ok_or_else(|| Refusal::invalid("data_type", "Data Type isn't an option"))?;
    let options = if word == "options" { options(body)? } else { Vec::new() };
    check_free(&state.attributes, &name, model, request.settings)?;
    let attribute = state.attributes.add(model, &name, data_type, request.now)?;
    attribute.options = options;
    attribute.messenger_writable = matches!(body.get("messenger_writable"), Some(Json::Bool(true)));
    attribute.description = shape::text(body, "description")?;
    Ok(Reply::ok(attribute.view()))
}

/// Describes, archives or takes up again; the type never changes.
fn change(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let id: Option<u64> = request.parameter(0).parse().ok();
    let found = state.attributes.all.iter().position(|attribute| attribute.id.is_some() && attribute.id == id);
    let missing = || Refusal::new(404, "field_not_found", "We couldn't find that data attribute to update");
    let at = found.ok_or_else(missing)?;
    let flag = |name| match body.get(name) {
        None => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(Refusal::invalid(name, format!("{name} must be a boolean, not {}", other.kind()))),
    };
    let (archived, messenger_writable) = (flag("archived")?, flag("messenger_writable")?);
    let options = body.get("options").map(|_| options(body)).transpose()?;
    let attribute = &state.attributes.all[at];
    if archived == Some(true) && request.settings.attributes_in_use.contains(&attribute.name) {
        let message = "The Data Attribute you are trying to archive has a dependant object";
        return Err(Refusal::new(422, "data_invalid", message));
    }
    if options.is_some() && attribute.options.is_empty() {
        return Err(Refusal::invalid("options", "only a list attribute has options"));
    }
    let attribute = &mut state.attributes.all[at];
    attribute.archived = archived.unwrap_or(attribute.archived);
    attribute.messenger_writable = messenger_writable.unwrap_or(attribute.messenger_writable);
    attribute.options = options.unwrap_or_else(|| std::mem::take(&mut attribute.options));
    if let Some(description) = shape::text(body, "description")? {
        attribute.description = Some(description);
    }
    attribute.updated_at = request.now;
    Ok(Reply::ok(attribute.view()))
}

fn options(body: &Object<'_>) -> Result<Vec<String>, Refusal> {
    let items = shape::list(body, "options")?.unwrap_or_default();
    let value = |item: &Json<'_>| item.get("value").and_then(Json::as_str).map(str::to_owned);
    let options: Option<Vec<String>> = items.iter().map(value).collect();
    match options {
        Some(options) if options.len() >= 2 => Ok(options),
        _ => Err(Refusal::invalid("options", "a list attribute needs at least two options, each with a value")),
    }
}

/// Letters, digits, spaces, currency signs, hyphens, and the underscores that everybody uses; `$` is refused elsewhere.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_fine = |c: char| c.is_alphanumeric() || "-_ €£¥¢".contains(c);
    match !name.is_empty() && name.chars().all(is_fine) {
        true => Ok(()),
        false => Err(Refusal::invalid(
            "name",
            "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens",
        )),
    }
}

fn check_free(attributes: &Attributes, name: &str, model: Model, settings: &Settings) -> Result<(), Refusal> {
    let clashes = |other: &&Attribute| {
        other.id.is_some() && other.name == name && (other.model == model || !settings.shared_attribute_names)
    };
    match attributes.all.iter().find(clashes) {
        None => Ok(()),
        Some(other) => {
            let (there, here) = (other.model.people(), model.people());
            let message = format!("'{name}' is taken by your {there} data; choose another name for the {here} data");
            Err(Refusal::invalid("name", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn an_undefined_attribute_refuses_the_whole_write() {
        let mut case = Case::new();
        let body = json!({"email": "a@b.c", "custom_attributes": {"plan": "pro"}});
        let refusal = case.refused("POST", "/contacts", body.clone());
        assert_eq!((refusal.status, refusal.code), (400, "parameter_invalid"));
        assert_eq!(refusal.message, "Custom attribute 'plan' does not exist");
        assert_eq!(case.state()["contacts"], json!([]));
        case.ok("POST", "/data_attributes", json!({"name": "plan", "model": "contact", "data_type": "string"}));
        assert_eq!(case.ok("POST", "/contacts", body)["custom_attributes"], json!({"plan": "pro"}));
    }

    #[test]
    fn values_fit_the_type_or_are_refused() {
        let mut case = Case::new();
        for (name, data_type) in [("s", "string"), ("i", "integer"), ("f", "float"), ("b", "boolean"), ("d", "date")] {
            case.ok("POST", "/data_attributes", json!({"name": name, "model": "company", "data_type": data_type}));
        }
        let long = "x".repeat(256);
        for (name, value, fits) in [
            ("s", json!("a"), true),
            ("s", json!(7), false),
            ("s", json!(long), false),
            ("s", json!(["1", "2"]), true),
            ("i", json!(7), true),
            ("i", json!(7.5), false),
            ("i", json!("7"), false),
            ("f", json!(7), true),
            ("b", json!(true), true),
            ("b", json!("true"), false),
            ("d", json!(1_700_000_000), true),
            ("d", json!("2026-01-01"), false),
            ("d", json!(1_700_000_000_000_i64), false),
            ("s", json!({"a": 1}), false),
            ("i", json!(null), true),
        ] {
            let body = json!({"company_id": "c", "custom_attributes": {name: value}});
            assert_eq!(case.answer("POST", "/companies", body).is_ok(), fits, "{name} {value}");
        }
    }

    #[test]
    fn on_the_fly_definitions_widen_instead_of_refusing() {
        let mut case = Case::accepting();
        for value in [json!(3), json!(3.5), json!("many"), json!(true)] {
            case.ok("POST", "/companies", json!({"company_id": "c", "custom_attributes": {"score": value}}));
        }
        assert_eq!(
            case.refused("POST", "/companies", json!({"company_id": "c", "custom_attributes": {"a.b": 1}})).status,
            400
        );
        let body = json!({"company_id": "c", "custom_attributes": {"fresh": 1, "score": {"nested": 1}}});
        assert_eq!(case.refused("POST", "/companies", body).status, 400);
        let names: Vec<Value> =
            case.state()["data_attributes"].as_array().unwrap().iter().map(|a| a["name"].clone()).collect();
        assert!(!names.contains(&json!("fresh")), "a refused write defines nothing");
    }

    #[test]
    fn definitions_are_checked() {
        let path = "/data_attributes";
        check(
            "POST",
            path,
            json!({"name": "a.b", "model": "contact", "data_type": "string"}),
            400,
            "parameter_invalid",
        );
        check("POST", path, json!({"name": "a", "model": "person", "data_type": "string"}), 400, "parameter_invalid");
        check("POST", path, json!({"name": "a", "model": "contact", "data_type": "text"}), 400, "parameter_invalid");
        let few = json!({"name": "a", "model": "contact", "data_type": "options", "options": [{"value": "x"}]});
        check("POST", path, few, 400, "parameter_invalid");
        check("GET", "/data_attributes?model=conversation", Value::Null, 422, "unprocessable_entity");
    }

    #[test]
    fn a_name_is_people_s_or_companies_unless_the_switch_says_otherwise() {
        let mut case = Case::new();
        let body = |model: &str| json!({"name": "score", "model": model, "data_type": "integer"});
        case.ok("POST", "/data_attributes", body("company"));
        assert_eq!(case.refused("POST", "/data_attributes", body("contact")).status, 400);
        case.settings.shared_attribute_names = true;
        case.ok("POST", "/data_attributes", body("contact"));
        assert_eq!(case.refused("POST", "/data_attributes", body("contact")).status, 400);
    }
}
