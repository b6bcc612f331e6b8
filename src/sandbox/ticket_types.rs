//! Ticket types: what a ticket is about, its attributes and its states.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::Settings;
use super::shape;
use super::state::State;
use super::tickets::Tickets;
use crate::json::Json;

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "/ticket_types",
        described: &[200, 401],
        answer: |state, request| Ok(Reply::ok(json!({"type": "list", "data": all(&state.tickets, request.settings)}))),
    },
    Endpoint { method: "POST", path: "/ticket_types", described: &[200, 401], answer: create },
    Endpoint { method: "GET", path: "/ticket_types/{ticket_type_id}", described: &[200, 401], answer: read },
    Endpoint {
        method: "POST",
        path: "/ticket_types/{ticket_type_id}/attributes",
        described: &[200, 401],
        answer: add_attribute,
    },
];

/// The attributes every type has.
const BUILT_IN: [&str; 2] = ["_default_title_", "_default_description_"];
const CATEGORIES: [&str; 3] = ["Customer", "Back-office", "Tracker"];
const DATA_TYPES: [&str; 7] = ["string", "list", "integer", "decimal", "boolean", "datetime", "files"];
/// The states of every type: the word on the wire and the label.
const STATES: [(&str, &str); 4] = [
    ("submitted", "Submitted"),
    ("in_progress", "In progress"),
    ("waiting_on_customer", "Waiting on you"),
    ("resolved", "Resolved"),
];

/// One type of ticket.
#[derive(Debug, Clone)]
pub struct TicketType {
    id: u64,
    name: String,
    description: String,
    category: String,
    icon: String,
    attributes: Vec<Attribute>,
    at: i64,
}

/// One attribute of a type.
#[derive(Debug, Clone)]
struct Attribute {
    id: u64,
    name: String,
    description: String,
    data_type: String,
    required: bool,
    /// The id and the label of each option of a list.
    options: Vec<(String, String)>,
    at: i64,
}

impl TicketType {
    /// A type with the attributes every type has. Its id stands for itself and, with a digit more, for its parts.
    pub fn new(id: u64, name: &str, category: &str, at: i64) -> TicketType {
        let built_in = |(index, name): (usize, &&str)| Attribute {
            id: id * 100 + index as u64,
            name: (*name).to_owned(),
            description: String::new(),
            data_type: "string".to_owned(),
            required: false,
            options: Vec::new(),
            at,
        };
        TicketType {
            id,
            name: name.to_owned(),
            description: String::new(),
            category: category.to_owned(),
            icon: "🎟️".to_owned(),
            attributes: BUILT_IN.iter().enumerate().map(built_in).collect(),
            at,
        }
    }

    /// The state a ticket begins in.
    pub fn first_state(&self) -> Value {
        self.state(0)
    }

    /// Whether tickets of it are the customer's own.
    pub fn is_shared(&self) -> bool {
        self.category == CATEGORIES[0]
    }

    /// The word of its category.
    pub fn category(&self) -> &str {
        &self.category
    }

    /// Refuses attributes the type does not have, values that do not fit, and the lack of required ones.
    pub fn check(&self, sent: &BTreeMap<String, Value>) -> Result<(), Refusal> {
        for (name, value) in sent {
            let known = self.attributes.iter().find(|attribute| attribute.name == *name);
            let known = known.ok_or_else(|| {
                Refusal::invalid("ticket_attributes", format!("Ticket attribute '{name}' does not exist"))
            })?;
            known.check(value)?;
        }
        let is_set = |name: &str| sent.get(name).is_some_and(|value| !value.is_null() && value != "");
        match self.attributes.iter().any(|attribute| attribute.required && !is_set(&attribute.name)) {
            true => Err(Refusal::invalid("ticket_attributes", "Missing required ticket attributes")),
            false => Ok(()),
        }
    }

    fn state(&self, index: usize) -> Value {
        let (category, label) = STATES[index];
        let id = (self.id * 10 + index as u64).to_string();
        json!({"type": "ticket_state", "id": id, "category": category, "internal_label": label, "external_label": label})
    }

    /// The type as replies show it.
    pub fn view(&self, settings: &Settings) -> Value {
        let attributes = self.attributes.iter().enumerate();
        let attributes: Vec<Value> = attributes.map(|(order, it)| it.view(order, self.id, settings)).collect();
        json!({
            "type": "ticket_type",
            "id": self.id.to_string(),
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "icon": self.icon,
            "workspace_id": settings.workspace_id,
            "archived": false,
            "ticket_type_attributes": {"type": "list", "data": attributes},
            "ticket_states": {"type": "list", "data": (0..STATES.len()).map(|at| self.state(at)).collect::<Vec<_>>()},
            "created_at": self.at,
            "updated_at": self.at,
        })
    }
}

impl Attribute {
    fn check(&self, value: &Value) -> Result<(), Refusal> {
        let fits = match (self.data_type.as_str(), value) {
            (_, Value::Null) => true,
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("decimal", Value::Number(_)) => true,
            ("list", Value::String(id)) => self.options.iter().any(|(known, _)| known == id),
            ("integer" | "datetime", Value::Number(number)) => number.is_i64(),
            ("files", Value::Array(_)) => true,
            _ => false,
        };
        let hint = if self.data_type == "list" { ", which takes the id of one of its options" } else { "" };
        let message = format!("Ticket attribute '{}' must be of type {}{hint}", self.name, self.data_type);
        if fits { Ok(()) } else { Err(Refusal::invalid("ticket_attributes", message)) }
    }

    fn view(&self, order: usize, ticket_type: u64, settings: &Settings) -> Value {
        let mut view = json!({
            "type": "ticket_type_attribute",
            "id": self.id.to_string(),
            "workspace_id": settings.workspace_id,
            "name": self.name,
            "description": self.description,
            "data_type": self.data_type,
            "order": order,
            "required_to_create": self.required,
            "required_to_create_for_contacts": false,
            "visible_on_create": true,
            "visible_to_contacts": true,
            "default": BUILT_IN.contains(&self.name.as_str()),
            "ticket_type_id": ticket_type,
            "archived": false,
            "created_at": self.at,
            "updated_at": self.at,
        });
        if self.data_type == "list" {
            let option = |(id, label): &(String, String)| json!({"id": id, "label": label});
            view["input_options"] = json!({"list_options": self.options.iter().map(option).collect::<Vec<_>>()});
        }
        view
    }
}

/// Every type, oldest first.
pub fn all(tickets: &Tickets, settings: &Settings) -> Vec<Value> {
    tickets.types.values().map(|kind| kind.view(settings)).collect()
}

fn create(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let name = shape::text(body, "name")?.ok_or_else(|| Refusal::missing("name", "name must be given"))?;
    let category = shape::text(body, "category")?.unwrap_or_else(|| CATEGORIES[0].to_owned());
    if !CATEGORIES.contains(&&*category) {
        return Err(Refusal::invalid("category", format!("category must be one of {}", CATEGORIES.join(", "))));
    }
    let id = state.tickets.next_id();
    let mut made = TicketType::new(id, &name, &category, request.now);
    made.description = shape::text(body, "description")?.unwrap_or_default();
    made.icon = shape::text(body, "icon")?.unwrap_or(made.icon);
    let view = made.view(request.settings);
    state.tickets.types.insert(id, made);
    Ok(Reply::ok(view))
}

fn read(state: &mut State, request: &Request<'_>) -> Answer {
    let found = request.parameter(0).parse().ok().and_then(|id: u64| state.tickets.types.get(&id));
    Ok(Reply::ok(found.ok_or_else(Refusal::no_resource)?.view(request.settings)))
}

fn add_attribute(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let name = shape::text(body, "name")?.ok_or_else(|| Refusal::missing("name", "name must be given"))?;
    let data_type = shape::text(body, "data_type")?.unwrap_or_default();
    if !DATA_TYPES.contains(&&*data_type) {
        return Err(Refusal::invalid("data_type", format!("data_type must be one of {}", DATA_TYPES.join(", "))));
    }
    let id = state.tickets.next_id();
    let options = shape::text(body, "list_items")?.unwrap_or_default();
    let options: Vec<(String, String)> = options
        .split(',')
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .enumerate()
        .map(|(at, label)| (format!("00000000-0000-4000-8000-{:012}", id * 100 + at as u64), label.to_owned()))
        .collect();
    if data_type == "list" && options.len() < 2 {
        return Err(Refusal::invalid("list_items", "a list needs at least two items, with commas between them"));
    }
    let known = request.parameter(0).parse().ok().and_then(|id: u64| state.tickets.types.get_mut(&id));
    let known = known.ok_or_else(Refusal::no_resource)?;
    if known.attributes.iter().any(|attribute| attribute.name == name) {
        return Err(Refusal::invalid("name", format!("the ticket type has an attribute '{name}' already")));
    }
    let required = matches!(body.get("required_to_create"), Some(Json::Bool(true)));
    let description = shape::text(body, "description")?.unwrap_or_default();
    known.attributes.push(Attribute { id, name, description, data_type, required, options, at: request.now });
    let order = known.attributes.len() - 1;
    Ok(Reply::ok(known.attributes[order].view(order, known.id, request.settings)))
}
