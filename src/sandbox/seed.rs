//! Filling the workspace before a trial: people, companies, tags and attributes, as if they had been there for long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::endpoints::{self, Request};
use super::reply::Refusal;
use super::settings::{EmailUniqueness, Settings};
use super::state::{Contact, Id};
use super::version::Version;
use crate::json::Json;

/// What to fill in.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// Bodies of `POST /data_attributes`.
    pub data_attributes: Vec<Map<String, Value>>,
    /// Names of tags.
    pub tags: Vec<String>,
    /// Bodies of `POST /companies`.
    pub companies: Vec<Map<String, Value>>,
    /// Bodies of `POST /contacts`, which may also carry `archived`, `merged_into` (the external id or e-mail of another
    /// seeded contact), `companies` (their company ids) and `tags` (their names). Shared e-mails are let through.
    pub contacts: Vec<Map<String, Value>>,
    /// Whether search knows them at once.
    pub searchable: Option<bool>,
}

/// Members of a seeded contact that no request has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extra {
    archived: bool,
    merged_into: Option<String>,
    companies: Vec<String>,
    tags: Vec<String>,
}

/// Fills the workspace; gives the ids of the contacts and the companies in the order of the seed. A refusal leaves what was
/// filled in before it.
pub fn plant(desk: &mut Desk, seed: Seed, now: i64) -> Result<Value, Refusal> {
    for body in seed.data_attributes {
        ask(desk, "POST", "/data_attributes", body.into(), now)?;
    }
    for name in &seed.tags {
        desk.state.tags.ensure(name);
    }
    let mut companies = Vec::new();
    for body in seed.companies {
        companies.push(ask(desk, "POST", "/companies", body.into(), now)?["id"].take());
    }
    let mut contacts: Vec<(Id, Extra)> = Vec::new();
    for body in seed.contacts {
        contacts.push(contact(desk, body, now)?);
    }
    for (id, extra) in &contacts {
        finish(desk, id, extra, now)?;
    }
    if seed.searchable.unwrap_or(true) {
        desk.state.converge();
    }
    let contacts: Vec<&Id> = contacts.iter().map(|(id, _)| id).collect();
    Ok(json!({"contacts": contacts, "companies": companies}))
}

fn contact(desk: &mut Desk, mut body: Map<String, Value>, now: i64) -> Result<(Id, Extra), Refusal> {
    let mut extra = Map::new();
    for name in ["archived", "merged_into", "companies", "tags"] {
        extra.extend(body.remove(name).map(|value| (name.to_owned(), value)));
    }
    let extra = serde_json::from_value(extra.into());
    let extra: Extra = extra.map_err(|error| Refusal::invalid("contacts", error.to_string()))?;
    let created = ask(desk, "POST", "/contacts", body.into(), now)?;
    Ok((created["id"].as_str().unwrap_or_default().to_owned(), extra))
}

fn finish(desk: &mut Desk, id: &str, extra: &Extra, now: i64) -> Result<(), Refusal> {
    for company_id in &extra.companies {
        let company = desk.state.by_company_id.get(company_id).cloned().ok_or_else(Refusal::no_company)?;
        ask(desk, "POST", &format!("/contacts/{id}/companies"), json!({"id": company}), now)?;
    }
    for name in &extra.tags {
        let tag = desk.state.tags.ensure(name).to_string();
        ask(desk, "POST", &format!("/contacts/{id}/tags"), json!({"id": tag}), now)?;
    }
    let into = extra.merged_into.as_deref().map(|name| named(desk, name)).transpose()?;
    let known = desk.state.contact(id).map(|contact| Contact::clone(contact)).ok_or_else(Refusal::no_contact)?;
    let contact = Contact { archived: extra.archived, merged_into: into, ..known };
    desk.state.put_contact(contact, now, &desk.settings);
    Ok(())
}

fn named(desk: &Desk, name: &str) -> Result<Id, Refusal> {
    let is_named = |contact: &Contact| {
        contact.external_id.as_deref() == Some(name) || contact.email.as_deref() == Some(name) || contact.id == name
    };
    let found = desk.state.contacts().find(|contact| is_named(contact));
    found.map(|contact| contact.id.clone()).ok_or_else(Refusal::no_contact)
}

/// Goes through an endpoint as a request would, so that a seed cannot hold what the service would not take.
fn ask(desk: &mut Desk, method: &str, path: &str, body: Value, now: i64) -> Result<Value, Refusal> {
    let Some((endpoint, parameters)) = endpoints::find(method, path) else { return Err(Refusal::no_resource()) };
    let Json::Object(body) = Json::from(&body) else { return Err(Refusal::invalid("body", "must be an object")) };
    let settings = Settings { email_uniqueness: EmailUniqueness::Off, ..desk.settings.clone() };
    let version = Version::parse("2.16")?;
    let request = Request { parameters, query: Vec::new(), body, version, now, settings: &settings };
    (endpoint.answer)(&mut desk.state, &request).map(|reply| reply.body.unwrap_or_default())
}
