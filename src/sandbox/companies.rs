//! Companies: upsert by your own id, read, update, delete.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::attribute::Model;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::Settings;
use super::shape::{self, Field, Kind};
use super::state::{Contact, Id, State};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/companies", described: &[200, 400, 401], answer: upsert },
    Endpoint { method: "GET", path: "/companies/{company_id}", described: &[200, 401, 404], answer: read },
    Endpoint { method: "PUT", path: "/companies/{company_id}", described: &[200, 401, 404], answer: update },
    Endpoint { method: "DELETE", path: "/companies/{company_id}", described: &[200, 401, 404], answer: delete },
];

const FIELDS: &[Field] = &[
    Field::new("name", Kind::Text),
    Field::new("plan", Kind::Text),
    Field::new("size", Kind::Integer),
    Field::new("website", Kind::Text),
    Field::new("industry", Kind::Text),
    Field::new("monthly_spend", Kind::Spend),
];

/// What only the upsert takes.
const UPSERT_FIELDS: &[Field] =
    &[Field::new("remote_created_at", Kind::Seconds), Field::new("update_last_request_at", Kind::Flag)];

/// A company.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// 24 hex digits.
    pub id: Id,
    /// The caller's own id; never changes.
    pub company_id: Option<String>,
    /// The plain members, as last written.
    pub fields: Map<String, Value>,
    /// As last written; a cleared one is absent.
    pub custom_attributes: Map<String, Value>,
    /// Tag ids with the second each was applied.
    pub tags: BTreeMap<u64, i64>,
    /// Ids of the contacts that belong to it.
    pub members: BTreeSet<Id>,
    /// Whether anybody ever belonged to it; lists hide it before.
    pub was_joined: bool,
    /// When its deletion ends, in Unix seconds, once somebody asked for it.
    pub gone_at: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

impl Company {
    fn new(company_id: Option<String>, now: i64) -> Company {
        Company {
            id: String::new(),
            company_id,
            fields: Map::new(),
            custom_attributes: Map::new(),
            tags: BTreeMap::new(),
            members: BTreeSet::new(),
            was_joined: false,
            gone_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether lists show it.
    pub fn is_listed(&self) -> bool {
        self.was_joined && self.gone_at.is_none()
    }
}

fn upsert(state: &mut State, request: &Request<'_>) -> Answer {
    let company_id = shape::text(&request.body, "company_id")?;
    let name = shape::text(&request.body, "name")?;
    if company_id.is_none() && name.is_none() {
        return Err(Refusal::missing("company_id", "One of company_id or name must be given"));
    }
    let known = company_id.as_ref().and_then(|id| state.by_company_id.get(id));
    let known = known.and_then(|id| state.companies.get(id)).cloned();
    if known.as_ref().is_some_and(|company| company.gone_at.is_some()) {
        return Err(Refusal::no_company().noting("the deletion of this company is under way"));
    }
    let company = known.unwrap_or_else(|| Company::new(company_id, request.now));
    let mut fields = shape::read(FIELDS, &request.body, request.settings)?;
    fields.append(&mut shape::read(UPSERT_FIELDS, &request.body, request.settings)?);
    if fields.remove("update_last_request_at") == Some(Value::Bool(true)) {
        fields.insert("last_request_at".to_owned(), request.now.into());
    }
    let id = write(state, company, fields, request)?;
    reply(state, &id, request)
}

fn update(state: &mut State, request: &Request<'_>) -> Answer {
    let company = state.companies.get(request.parameter(0)).cloned().ok_or_else(Refusal::no_company)?;
    let fields = shape::read(FIELDS, &request.body, request.settings)?;
    let ignored = ["company_id", "remote_created_at"].into_iter().find(|name| request.body.get(name).is_some());
    let id = write(state, company, fields, request)?;
    let note = ignored.map(|name| format!("{name} is ignored by an update"));
    reply(state, &id, request).map(|reply| reply.noting(note))
}

fn write(
    state: &mut State,
    mut company: Company,
    fields: Map<String, Value>,
    request: &Request<'_>,
) -> Result<Id, Refusal> {
    let known = std::mem::take(&mut company.custom_attributes);
    company.custom_attributes = state.attributes.fit(Model::Company, known, request)?;
    company.fields.extend(fields);
    company.updated_at = request.now;
    if company.id.is_empty() {
        company.id = state.next_id();
    }
    let id = company.id.clone();
    if let Some(company_id) = &company.company_id {
        state.by_company_id.insert(company_id.clone(), id.clone());
    }
    state.companies.insert(id.clone(), company);
    Ok(id)
}

fn read(state: &mut State, request: &Request<'_>) -> Answer {
    reply(state, request.parameter(0), request)
}

/// The work is not done at once: the company is gone for lists and writes, and a while later for its people too.
fn delete(state: &mut State, request: &Request<'_>) -> Answer {
    let until = request.now + i64::from(request.settings.company_deletion_secs);
    let company = state.companies.get_mut(request.parameter(0)).ok_or_else(Refusal::no_company)?;
    company.gone_at.get_or_insert(until);
    let id = company.id.clone();
    finish_deletions(state, request.now, request.settings);
    Ok(Reply::ok(json!({"id": id, "object": "company", "deleted": true})))
}

/// Ends the deletions that are due: people are detached, and the company is forgotten.
pub fn finish_deletions(state: &mut State, now: i64, settings: &Settings) {
    let due = |company: &&Company| company.gone_at.is_some_and(|at| at <= now);
    let due: Vec<Id> = state.companies.values().filter(due).map(|company| company.id.clone()).collect();
    for id in due {
        let Some(company) = state.companies.remove(&id) else { continue };
        if let Some(company_id) = &company.company_id {
            state.by_company_id.remove(company_id);
        }
        for member in &company.members {
            let Some(mut contact) = state.contact(member).map(|contact| Contact::clone(contact)) else { continue };
            contact.companies.retain(|company| *company != id);
            state.put_contact(contact, now, settings);
        }
    }
}

/// The company with this id, as a reply.
pub fn reply(state: &State, id: &str, request: &Request<'_>) -> Answer {
    let company = state.companies.get(id).ok_or_else(Refusal::no_company)?;
    Ok(Reply::ok(full(company, state, request.settings)))
}

/// Makes the contact a member.
pub fn join(state: &mut State, company: &str, contact: &str) {
    if let Some(company) = state.companies.get_mut(company) {
        company.members.insert(contact.to_owned());
        company.was_joined = true;
    }
}

/// Ends the contact's membership.
pub fn leave(state: &mut State, company: &str, contact: &str) {
    if let Some(company) = state.companies.get_mut(company) {
        company.members.remove(contact);
    }
}

/// The full company.
pub fn full(company: &Company, state: &State, settings: &Settings) -> Value {
    let tags = company.tags.keys().filter_map(|id| state.tags.card(*id));
    let mut view = json!({
        "type": "company",
        "id": company.id,
        "app_id": settings.workspace_id,
        "created_at": company.created_at,
        "updated_at": company.updated_at,
        "monthly_spend": 0,
        "session_count": 0,
        "user_count": company.members.len(),
        "plan": {},
        "tags": {"type": "tag.list", "tags": tags.collect::<Vec<_>>()},
        "segments": {"type": "segment.list", "segments": []},
        "custom_attributes": company.custom_attributes,
    });
    for (name, value) in &company.fields {
        view[name] = value.clone();
    }
    if let Some(company_id) = &company.company_id {
        view["company_id"] = company_id.as_str().into();
    }
    if let Some(plan) = company.fields.get("plan") {
        view["plan"] = json!({"type": "plan", "id": plan, "name": plan});
    }
    view
}

/// The company with what no reply shows: its members and the names of its tags.
pub fn inside(company: &Company, state: &State, settings: &Settings) -> Value {
    let mut view = full(company, state, settings);
    view["members"] = company.members.iter().cloned().collect();
    view["tag_names"] = company.tags.keys().filter_map(|id| state.tags.name(*id)).collect();
    view
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[test]
    fn a_company_is_made_once_and_updated_after() {
        let mut case = Case::new();
        let body =
            json!({"company_id": "c1", "name": "Ant", "plan": "pro", "monthly_spend": 19.99, "remote_created_at": 5});
        let made = case.ok("POST", "/companies", body);
        assert_eq!((&made["monthly_spend"], &made["plan"]["name"]), (&json!(19), &json!("pro")));
        let again =
            case.ok("POST", "/companies", json!({"company_id": "c1", "size": 7, "update_last_request_at": true}));
        assert_eq!((&again["id"], &again["name"], &again["size"]), (&made["id"], &json!("Ant"), &json!(7)));
        assert_eq!(again["last_request_at"], case.now);
        let path = format!("/companies/{}", made["id"].as_str().unwrap());
        assert_eq!(case.ok("GET", &path, Value::Null), again);
        let changed = case.ok("PUT", &path, json!({"company_id": "c2", "remote_created_at": 9, "name": "Bee"}));
        assert_eq!((&changed["company_id"], &changed["remote_created_at"]), (&json!("c1"), &json!(5)));
        assert_eq!(case.refused("PUT", "/companies/nobody", json!({})).code, "company_not_found");
    }

    #[test]
    fn bodies_that_are_no_company_are_refused() {
        check("POST", "/companies", json!({}), 400, "parameter_not_found");
        check("POST", "/companies", json!({"company_id": 7}), 400, "parameter_invalid");
        check("POST", "/companies", json!({"company_id": "c", "size": 7.5}), 400, "parameter_invalid");
        check("POST", "/companies", json!({"company_id": "c", "monthly_spend": 3e9}), 400, "parameter_invalid");
        check(
            "POST",
            "/companies",
            json!({"company_id": "c", "remote_created_at": "2026-01-01"}),
            400,
            "parameter_invalid",
        );
    }

    #[test]
    fn a_deletion_takes_its_time() {
        let mut case = Case::new();
        case.settings.company_deletion_secs = 2;
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let people = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        let company = case.ok("POST", "/companies", json!({"company_id": "c1"}));
        case.ok("POST", &people, json!({"id": company["id"]}));
        let path = format!("/companies/{}", company["id"].as_str().unwrap());
        assert_eq!(case.ok("DELETE", &path, Value::Null)["deleted"], true);
        assert_eq!(case.ok("GET", "/companies", Value::Null)["total_count"], 0);
        let again = case.refused("POST", "/companies", json!({"company_id": "c1"}));
        assert_eq!(again.code, "company_not_found", "its deletion is under way");
        case.now += 2;
        assert_eq!(case.refused("GET", &path, Value::Null).code, "company_not_found");
        assert_eq!(case.ok("GET", &people, Value::Null)["total_count"], 0);
        assert_ne!(case.ok("POST", "/companies", json!({"company_id": "c1"}))["id"], company["id"]);
        assert_eq!(case.refused("DELETE", "/companies/nobody", Value::Null).status, 404);
    }
}
