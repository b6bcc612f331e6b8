//! Tags: create, rename, read, list, delete, and tagging many people or companies at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::shape;
use super::state::{Contact, Id, State};
use crate::json::{Json, Object};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/tags", described: &[200, 400, 401], answer: write },
    Endpoint {
        method: "GET",
        path: "/tags",
        described: &[200, 401],
        answer: |state, _| Ok(Reply::ok(json!({"type": "list", "data": state.tags.view()}))),
    },
    Endpoint { method: "GET", path: "/tags/{tag_id}", described: &[200, 401, 404], answer: read },
    Endpoint { method: "DELETE", path: "/tags/{tag_id}", described: &[200, 400, 401, 404], answer: delete },
];

/// The tags of the workspace. Names are told apart without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    last_id: u64,
    names: BTreeMap<u64, String>,
}

impl Tags {
    /// The name of a tag.
    pub fn name(&self, id: u64) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// The tag as lists show it.
    pub fn card(&self, id: u64) -> Option<Value> {
        Some(json!({"type": "tag", "id": id.to_string(), "name": self.name(id)?}))
    }

    /// All tags, oldest first.
    pub fn view(&self) -> Vec<Value> {
        self.names.keys().filter_map(|id| self.card(*id)).collect()
    }

    /// The tag of this name, made when there is none.
    pub fn ensure(&mut self, name: &str) -> u64 {
        self.by_name(name).unwrap_or_else(|| {
            self.last_id += 1;
            self.names.insert(self.last_id, name.to_owned());
            self.last_id
        })
    }

    /// Reads a tag's id as the wire has it; `None` for one nobody has.
    pub fn parse(&self, id: &str) -> Option<u64> {
        id.parse().ok().filter(|id| self.names.contains_key(id))
    }

    fn by_name(&self, name: &str) -> Option<u64> {
        let wanted = name.to_lowercase();
        self.names.iter().find(|(_, known)| known.to_lowercase() == wanted).map(|(id, _)| *id)
    }

    fn rename(&mut self, id: &str, name: &str) -> Result<u64, Refusal> {
        let id = self.parse(id).ok_or_else(Refusal::no_resource)?;
        if self.by_name(name).is_some_and(|other| other != id) {
            return Err(Refusal::invalid("name", format!("there is another tag named '{name}'")));
        }
        self.names.insert(id, name.to_owned());
        Ok(id)
    }
}

fn write(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let name = shape::text(body, "name")?.ok_or_else(|| Refusal::invalid("name", "invalid tag parameters"))?;
    let id = shape::text(body, "id")?;
    let (companies, users) = (shape::list(body, "companies")?, shape::list(body, "users")?);
    let companies = companies.map(|items| entries(items, "companies", state, company_of)).transpose()?;
    let users = users.map(|items| entries(items, "users", state, contact_of)).transpose()?;
    refuse_missing(companies.iter().chain(&users).flatten(), request)?;
    let tag = match id {
        Some(id) => state.tags.rename(&id, &name)?,
        None => state.tags.ensure(&name),
    };
    let mut view = state.tags.card(tag).ok_or_else(Refusal::no_resource)?;
    if companies.is_some() || users.is_some() {
        view["companies"] = flags(companies.unwrap_or_default(), |target| tag_company(state, target, tag, request));
        view["users"] = flags(users.unwrap_or_default(), |target| tag_contact(state, target, tag, request));
    }
    Ok(Reply::ok(view))
}

fn read(state: &mut State, request: &Request<'_>) -> Answer {
    let tag = state.tags.parse(request.parameter(0)).and_then(|id| state.tags.card(id));
    tag.map(Reply::ok).ok_or_else(Refusal::no_resource)
}

/// Removes the tag from everybody and everything that has it.
fn delete(state: &mut State, request: &Request<'_>) -> Answer {
    let tag = state.tags.parse(request.parameter(0)).ok_or_else(Refusal::no_resource)?;
    let name = state.tags.name(tag).unwrap_or_default().to_lowercase();
    if request.settings.tags_in_use.iter().any(|used| used.to_lowercase() == name) {
        let message = "Unable to delete Tag with dependent objects. Segments: Sandbox.";
        return Err(Refusal::new(400, "tag_has_dependent_objects", message));
    }
    let tagged = state.contacts().filter(|contact| contact.tags.contains_key(&tag));
    let tagged: Vec<Contact> = tagged.map(|contact| Contact::clone(contact)).collect();
    for mut contact in tagged {
        contact.tags.remove(&tag);
        state.put_contact(contact, request.now, request.settings);
    }
    for company in state.companies.values_mut() {
        company.tags.remove(&tag);
    }
    state.tags.names.remove(&tag);
    Ok(Reply { body: None, ..Reply::ok(Value::Null) })
}

/// One person or company named in the request.
struct Entry {
    /// As the request named it.
    named: String,
    /// Whom that is.
    target: Option<Target>,
}

struct Target {
    id: Id,
    untag: bool,
}

type Find = fn(&State, &Object<'_>) -> Result<(String, Option<Id>), Refusal>;

fn entries(items: &[Json<'_>], what: &'static str, state: &State, find: Find) -> Result<Vec<Entry>, Refusal> {
    let entry = |item: &Json<'_>| {
        let item = item.as_object().ok_or_else(|| Refusal::invalid(what, format!("{what} must hold objects")))?;
        let untag = matches!(item.get("untag"), Some(Json::Bool(true)));
        let (named, id) = find(state, item)?;
        Ok(Entry { named, target: id.map(|id| Target { id, untag }) })
    };
    items.iter().map(entry).collect()
}

fn company_of(state: &State, item: &Object<'_>) -> Result<(String, Option<Id>), Refusal> {
    if let Some(id) = shape::text(item, "id")? {
        let found = state.companies.contains_key(&id).then(|| id.clone());
        return Ok((id, found));
    }
    let company_id = shape::text(item, "company_id")?;
    let company_id = company_id.ok_or_else(|| Refusal::invalid("companies", "invalid tag parameters"))?;
    let found = state.by_company_id.get(&company_id).cloned();
    Ok((company_id, found))
}

fn contact_of(state: &State, item: &Object<'_>) -> Result<(String, Option<Id>), Refusal> {
    let id = shape::text(item, "id")?.ok_or_else(|| Refusal::invalid("users", "invalid tag parameters"))?;
    let found = state.contact(&id).filter(|contact| contact.is_active()).map(|contact| contact.id.clone());
    Ok((id, found))
}

/// Before 2.16 one missing person or company refuses the whole request; since then it is passed over.
fn refuse_missing<'a>(mut entries: impl Iterator<Item = &'a Entry>, request: &Request<'_>) -> Result<(), Refusal> {
    match entries.any(|entry| entry.target.is_none()) && !request.version.skips_missing_when_tagging() {
        true => Err(Refusal::no_resource()),
        false => Ok(()),
    }
}

/// Guess: the flag says whether the tag is there afterwards, so it is false for what is missing and for what was untagged.
fn flags(entries: Vec<Entry>, mut apply: impl FnMut(Target) -> bool) -> Value {
    entries
        .into_iter()
        .map(|entry| json!({"id": entry.named, "tagged": entry.target.is_some_and(&mut apply)}))
        .collect()
}

fn tag_company(state: &mut State, target: Target, tag: u64, request: &Request<'_>) -> bool {
    let Some(company) = state.companies.get_mut(&target.id) else { return false };
    match target.untag {
        true => drop(company.tags.remove(&tag)),
        false => drop(company.tags.entry(tag).or_insert(request.now)),
    }
    !target.untag
}

fn tag_contact(state: &mut State, target: Target, tag: u64, request: &Request<'_>) -> bool {
    let Some(mut contact) = state.contact(&target.id).map(|contact| Contact::clone(contact)) else { return false };
    match target.untag {
        true => drop(contact.tags.remove(&tag)),
        false => drop(contact.tags.entry(tag).or_insert(request.now)),
    }
    state.put_contact(contact, request.now, request.settings);
    !target.untag
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn one_path_takes_five_shapes() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}))["id"].clone();
        let company = case.ok("POST", "/companies", json!({"company_id": "c1"}))["id"].clone();
        let made = case.ok("POST", "/tags", json!({"name": "Beta"}));
        assert_eq!(made, json!({"type": "tag", "id": "1", "name": "Beta"}));
        assert_eq!(case.ok("POST", "/tags", json!({"name": "BETA"}))["id"], "1", "names are told apart without case");
        assert_eq!(case.ok("POST", "/tags", json!({"id": "1", "name": "Gamma"}))["name"], "Gamma");

        let both = json!([{"id": company}, {"company_id": "c1"}, {"company_id": "nobody"}]);
        let tagged = case.ok("POST", "/tags", json!({"name": "gamma", "companies": both}));
        assert_eq!(tagged["companies"][1], json!({"id": "c1", "tagged": true}));
        assert_eq!(tagged["companies"][2], json!({"id": "nobody", "tagged": false}));
        let untagged = json!({"name": "gamma", "companies": [{"company_id": "c1", "untag": true}]});
        assert_eq!(case.ok("POST", "/tags", untagged)["companies"][0]["tagged"], false);
        assert_eq!(case.state()["companies"][0]["tag_names"], json!([]));

        let users = json!({"name": "gamma", "users": [{"id": contact}, {"id": "nobody"}]});
        let tagged = case.ok("POST", "/tags", users);
        assert_eq!([&tagged["users"][0]["tagged"], &tagged["users"][1]["tagged"]], [true, false]);
        assert_eq!(case.state()["contacts"][0]["tag_names"], json!(["Gamma"]));
    }

    #[test]
    fn a_deleted_tag_is_gone_everywhere_unless_something_depends_on_it() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}))["id"].clone();
        case.ok("POST", "/tags", json!({"name": "Beta", "users": [{"id": contact}]}));
        assert_eq!(case.ok("GET", "/tags/1", Value::Null)["name"], "Beta");
        case.settings.tags_in_use = vec!["beta".to_owned()];
        assert_eq!(case.refused("DELETE", "/tags/1", Value::Null).code, "tag_has_dependent_objects");
        case.settings.tags_in_use.clear();
        assert_eq!(case.ok("DELETE", "/tags/1", Value::Null), Value::Null);
        assert_eq!(case.state()["contacts"][0]["tag_names"], json!([]));
        for method in ["GET", "DELETE"] {
            assert_eq!(case.refused(method, "/tags/1", Value::Null).status, 404, "{method}");
        }
    }

    #[test]
    fn bodies_that_are_no_tag_are_refused() {
        check("POST", "/tags", json!({}), 400, "parameter_invalid");
        check("POST", "/tags", json!({"name": 7}), 400, "parameter_invalid");
        check("POST", "/tags", json!({"name": "a", "users": [{"email": "x"}]}), 400, "parameter_invalid");
        check("POST", "/tags", json!({"name": "a", "companies": ["c1"]}), 400, "parameter_invalid");
        check("POST", "/tags", json!({"name": "a", "id": "99"}), 404, "not_found");
    }

    #[test]
    fn before_2_16_a_missing_company_refuses_the_request() {
        let mut case = Case::new();
        case.version = "2.15";
        let refusal = case.refused("POST", "/tags", json!({"name": "a", "companies": [{"company_id": "nobody"}]}));
        assert_eq!(refusal.status, 404);
        assert_eq!(case.state()["tags"], json!([]), "nothing is written");
    }
}
