//! Tickets of contacts, made at once or by a job.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::contact_view;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::{Settings, TicketCompany};
use super::shape;
use super::state::{Contact, Id, Role, State};
use super::ticket_types::TicketType;
use crate::json::{Json, Object};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/tickets", described: &[200, 401], answer: create },
    Endpoint { method: "GET", path: "/tickets/{ticket_id}", described: &[200, 401], answer: read },
    Endpoint { method: "DELETE", path: "/tickets/{ticket_id}", described: &[200, 401, 404], answer: delete },
    Endpoint { method: "POST", path: "/tickets/enqueue", described: &[200, 400, 401], answer: enqueue },
    Endpoint { method: "GET", path: "/jobs/status/{job_id}", described: &[200, 401, 404], answer: job },
];

/// When the ticket types were made that every workspace here has, in Unix seconds.
const STANDARD_AT: i64 = 1_700_000_000;

/// The tickets of the workspace, their types, and the jobs that make some.
#[derive(Debug, Clone)]
pub struct Tickets {
    last_id: u64,
    last_number: u64,
    pub(super) types: BTreeMap<u64, TicketType>,
    all: BTreeMap<u64, Ticket>,
    jobs: BTreeMap<u64, Job>,
}

/// One ticket.
#[derive(Debug, Clone)]
struct Ticket {
    id: u64,
    /// What people see; no request takes it.
    number: u64,
    kind: u64,
    contact: Id,
    company: Option<Id>,
    attributes: BTreeMap<String, Value>,
    admin_assignee: u64,
    team_assignee: u64,
    /// When it was asked for, whatever `created_at` says.
    made_at: i64,
    created_at: i64,
    updated_at: i64,
}

/// A ticket that is made a moment later.
#[derive(Debug, Clone)]
struct Job {
    done_at: i64,
    ticket: Option<u64>,
}

impl Tickets {
    /// No tickets, and two types.
    pub fn standard() -> Tickets {
        let types = [(1, "Customer issue", "Customer"), (2, "Internal task", "Back-office")];
        let types = types.map(|(id, name, category)| (id, TicketType::new(id, name, category, STANDARD_AT)));
        Tickets {
            last_id: 100,
            last_number: 0,
            types: BTreeMap::from(types),
            all: BTreeMap::new(),
            jobs: BTreeMap::new(),
        }
    }

    /// The next id of a ticket, a type, an attribute or a job.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// Every ticket with its company, oldest first.
pub fn all(state: &State, settings: &Settings) -> Vec<Value> {
    let inside = |ticket: &Ticket| {
        let mut view = view(ticket, state, settings);
        view["company"] = ticket.company.clone().into();
        view
    };
    state.tickets.all.values().map(inside).collect()
}

/// Tickets that were made until then (Unix seconds), oldest first.
pub fn made_until(state: &State, until: i64, settings: &Settings) -> Vec<Value> {
    let made = state.tickets.all.values().filter(|ticket| ticket.made_at <= until);
    made.map(|ticket| view(ticket, state, settings)).collect()
}

fn create(state: &mut State, request: &Request<'_>) -> Answer {
    let id = make(state, request)?;
    Ok(Reply::ok(view(&state.tickets.all[&id], state, request.settings)))
}

/// The ticket is there at once; the job says so after the time that jobs take.
fn enqueue(state: &mut State, request: &Request<'_>) -> Answer {
    let ticket = make(state, request)?;
    let id = state.tickets.next_id();
    let done_at = request.now + i64::from(request.settings.job_secs);
    state.tickets.jobs.insert(id, Job { done_at, ticket: Some(ticket) });
    Ok(Reply::ok(job_view(id, &state.tickets.jobs[&id], i64::MIN)))
}

fn job(state: &mut State, request: &Request<'_>) -> Answer {
    let id: Option<u64> = request.parameter(0).parse().ok();
    let found = id.and_then(|id| Some((id, state.tickets.jobs.get(&id)?)));
    let (id, job) = found.ok_or_else(|| Refusal::new(404, "job_not_found", "Job Not Found"))?;
    Ok(Reply::ok(job_view(id, job, request.now)))
}

fn job_view(id: u64, job: &Job, now: i64) -> Value {
    let ticket = job.ticket.filter(|_| now >= job.done_at).map(|id| id.to_string());
    json!({
        "type": "job",
        "id": id.to_string(),
        "status": if now >= job.done_at { "success" } else { "pending" },
        "url": format!("https://api.intercom.io/jobs/status/{id}"),
        "resource_type": "ticket",
        "resource_url": ticket.as_ref().map(|id| format!("https://api.intercom.io/tickets/{id}")),
        "resource_id": ticket,
    })
}

fn read(state: &mut State, request: &Request<'_>) -> Answer {
    let ticket = state.tickets.all.get(&number(state, request)?).ok_or_else(no_ticket)?;
    Ok(Reply::ok(view(ticket, state, request.settings)))
}

fn delete(state: &mut State, request: &Request<'_>) -> Answer {
    let id = number(state, request)?;
    state.tickets.all.remove(&id);
    Ok(Reply::ok(json!({"id": id.to_string(), "object": "ticket", "deleted": true})))
}

fn no_ticket() -> Refusal {
    Refusal::new(404, "ticket_not_found", "Ticket not found")
}

/// The id in the path. The number that people see is the likely mistake: the journal says so.
fn number(state: &State, request: &Request<'_>) -> Result<u64, Refusal> {
    let id: u64 = request.parameter(0).parse().map_err(|_| no_ticket())?;
    if state.tickets.all.contains_key(&id) {
        return Ok(id);
    }
    match state.tickets.all.values().any(|ticket| ticket.number == id) {
        true => Err(no_ticket().noting("this is the ticket_id that people see; requests take the id")),
        false => Err(no_ticket()),
    }
}

fn make(state: &mut State, request: &Request<'_>) -> Result<u64, Refusal> {
    let body = &request.body;
    let kind = shape::text(body, "ticket_type_id")?;
    let kind = kind.ok_or_else(|| Refusal::missing("ticket_type_id", "ticket_type_id must be given"))?;
    let kind: Option<u64> = kind.parse().ok().filter(|id| state.tickets.types.contains_key(id));
    let kind = kind.ok_or_else(|| Refusal::new(404, "not_found", "Ticket type not found"))?;
    let attributes = attributes(body)?;
    state.tickets.types[&kind].check(&attributes)?;
    let company = shape::text(body, "company_id")?.map(|id| company(state, &id, request)).transpose()?;
    let created_at = body.get("created_at").map(|at| shape::seconds("created_at", at, request.settings)).transpose()?;
    let (admin_assignee, team_assignee) = assignees(body)?;
    let contact = contact(state, request)?;
    let id = state.tickets.next_id();
    state.tickets.last_number += 1;
    let ticket = Ticket {
        id,
        number: state.tickets.last_number,
        kind,
        contact,
        company,
        attributes,
        admin_assignee,
        team_assignee,
        made_at: request.now,
        created_at: created_at.unwrap_or(request.now),
        updated_at: request.now,
    };
    state.tickets.all.insert(id, ticket);
    Ok(id)
}

fn attributes(body: &Object<'_>) -> Result<BTreeMap<String, Value>, Refusal> {
    let sent = shape::object(body, "ticket_attributes")?;
    Ok(sent.into_iter().flat_map(Object::iter).map(|(name, value)| (name.to_owned(), value.to_value())).collect())
}

fn assignees(body: &Object<'_>) -> Result<(u64, u64), Refusal> {
    let Some(assignment) = shape::object(body, "assignment")? else { return Ok((0, 0)) };
    let read = |name| -> Result<u64, Refusal> {
        let Some(text) = shape::text(assignment, name)? else { return Ok(0) };
        text.parse().map_err(|_| Refusal::invalid(name, format!("{name} is not an id")))
    };
    Ok((read("admin_assignee_id")?, read("team_assignee_id")?))
}

fn company(state: &State, id: &str, request: &Request<'_>) -> Result<Id, Refusal> {
    let by_id = state.companies.contains_key(id).then(|| id.to_owned());
    let by_company_id = state.by_company_id.get(id).cloned();
    let found = match request.settings.ticket_company {
        TicketCompany::IntercomId => by_id,
        TicketCompany::CompanyId => by_company_id,
        TicketCompany::Either => by_id.or(by_company_id),
    };
    found.ok_or_else(Refusal::no_company)
}

/// The one contact the ticket is about. An e-mail nobody has makes a lead; that it is a lead is a guess.
fn contact(state: &mut State, request: &Request<'_>) -> Result<Id, Refusal> {
    let wrong = || Refusal::invalid("contacts", "contacts must hold exactly one of id, external_id or email");
    let contacts = shape::list(&request.body, "contacts")?;
    let contacts = contacts.ok_or_else(|| Refusal::missing("contacts", "contacts must be given"))?;
    let [Json::Object(contact)] = contacts else { return Err(wrong()) };
    let named = (shape::text(contact, "id")?, shape::text(contact, "external_id")?, shape::text(contact, "email")?);
    match named {
        (Some(id), None, None) => Ok(state.readable(&id, request.version)?.id.clone()),
        (None, Some(external_id), None) => {
            let found = state.by_external_id(&external_id).filter(|found| found.is_active());
            found.map(|found| found.id.clone()).ok_or_else(Refusal::no_contact)
        }
        (None, None, Some(email)) => {
            if let Some(found) = state.by_email(&email).find(|found| found.is_active()) {
                return Ok(found.id.clone());
            }
            let lead = Contact { email: Some(email), ..Contact::new(state.next_id(), Role::Lead, request.now) };
            Ok(state.put_contact(lead, request.now, request.settings).id.clone())
        }
        _ => Err(wrong()),
    }
}

fn view(ticket: &Ticket, state: &State, settings: &Settings) -> Value {
    let kind = &state.tickets.types[&ticket.kind];
    let contacts: Vec<Value> =
        state.contact(&ticket.contact).map(|it| contact_view::reference(it)).into_iter().collect();
    json!({
        "type": "ticket",
        "id": ticket.id.to_string(),
        "ticket_id": ticket.number.to_string(),
        "category": kind.category(),
        "ticket_attributes": ticket.attributes,
        "ticket_state": kind.first_state(),
        "ticket_type": kind.view(settings),
        "contacts": {"type": "contact.list", "contacts": contacts},
        "admin_assignee_id": ticket.admin_assignee,
        "team_assignee_id": ticket.team_assignee,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "open": true,
        "linked_objects": {"type": "list", "total_count": 0, "has_more": false, "data": []},
        "ticket_parts": {"type": "ticket_part.list", "ticket_parts": [], "total_count": 0},
        "is_shared": kind.is_shared(),
        "previous_ticket_state_id": null,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn with_contact() -> (Case, String) {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"external_id": "u1", "email": "a@b.c"}));
        (case, contact["id"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_ticket_is_about_one_contact_however_it_is_named() {
        let (mut case, id) = with_contact();
        for contact in [json!({"id": id}), json!({"external_id": "u1"}), json!({"email": "A@b.c"})] {
            let ticket = case.ok("POST", "/tickets", json!({"ticket_type_id": "1", "contacts": [contact]}));
            assert_eq!(ticket["contacts"]["contacts"][0]["id"], id.as_str());
        }
        let new = json!({"ticket_type_id": "1", "contacts": [{"email": "new@b.c"}]});
        case.ok("POST", "/tickets", new);
        assert_eq!(case.state()["contacts"][1]["role"], "lead");
        for contacts in
            [json!([]), json!([{"id": id}, {"id": id}]), json!([{"id": id, "email": "a@b.c"}]), json!(["a"])]
        {
            let refusal = case.refused("POST", "/tickets", json!({"ticket_type_id": "1", "contacts": contacts}));
            assert_eq!((refusal.status, refusal.code), (400, "parameter_invalid"), "{contacts}");
        }
        let nobody = json!({"ticket_type_id": "1", "contacts": [{"id": "nobody"}]});
        assert_eq!(case.refused("POST", "/tickets", nobody).status, 404);
        let no_type = json!({"ticket_type_id": "77", "contacts": [{"id": id}]});
        assert_eq!(case.refused("POST", "/tickets", no_type).status, 404);
    }

    #[test]
    fn attributes_are_those_of_the_type_and_fit() {
        let (mut case, id) = with_contact();
        let list =
            json!({"name": "priority", "data_type": "list", "list_items": "low, high", "required_to_create": true});
        let attribute = case.ok("POST", "/ticket_types/1/attributes", list);
        let high = attribute["input_options"]["list_options"][1]["id"].clone();
        let ticket = |attributes: Value| json!({"ticket_type_id": "1", "contacts": [{"id": id}], "ticket_attributes": attributes});
        let made = case.ok("POST", "/tickets", ticket(json!({"_default_title_": "Broken", "priority": high})));
        assert_eq!(made["ticket_attributes"]["_default_title_"], "Broken");
        for wrong in [json!({}), json!({"priority": "high"}), json!({"priority": high, "colour": "red"})] {
            assert_eq!(case.refused("POST", "/tickets", ticket(wrong.clone())).code, "parameter_invalid", "{wrong}");
        }
    }

    #[test]
    fn a_ticket_is_read_by_its_id_and_not_by_its_number() {
        let (mut case, id) = with_contact();
        let made = case.ok("POST", "/tickets", json!({"ticket_type_id": "1", "contacts": [{"id": id}]}));
        let path = |id: &Value| format!("/tickets/{}", id.as_str().unwrap());
        assert_eq!(case.ok("GET", &path(&made["id"]), Value::Null), made);
        let refusal = case.refused("GET", &path(&made["ticket_id"]), Value::Null);
        assert_eq!(refusal.code, "ticket_not_found");
        assert!(refusal.note.is_some());
        assert_eq!(case.ok("DELETE", &path(&made["id"]), Value::Null)["deleted"], true);
        assert_eq!(case.refused("DELETE", &path(&made["id"]), Value::Null).status, 404);
    }

    #[test]
    fn a_company_is_named_as_the_switch_says() {
        let (mut case, id) = with_contact();
        let company = case.ok("POST", "/companies", json!({"company_id": "c1"}));
        let ticket = |company: &Value| json!({"ticket_type_id": "1", "contacts": [{"id": id}], "company_id": company});
        case.ok("POST", "/tickets", ticket(&company["id"]));
        assert_eq!(case.refused("POST", "/tickets", ticket(&json!("c1"))).code, "company_not_found");
        case.settings.ticket_company = TicketCompany::CompanyId;
        case.ok("POST", "/tickets", ticket(&json!("c1")));
        assert_eq!(case.refused("POST", "/tickets", ticket(&company["id"])).status, 404);
        assert_eq!(case.state()["tickets"][1]["company"], company["id"]);
    }

    #[test]
    fn a_job_makes_a_ticket_a_while_later() {
        let (mut case, id) = with_contact();
        let job = case.ok("POST", "/tickets/enqueue", json!({"ticket_type_id": "2", "contacts": [{"id": id}]}));
        assert_eq!((&job["status"], &job["resource_id"]), (&json!("pending"), &Value::Null));
        let path = format!("/jobs/status/{}", job["id"].as_str().unwrap());
        case.now += 1;
        let done = case.ok("GET", &path, Value::Null);
        assert_eq!(done["status"], "success");
        case.ok("GET", &format!("/tickets/{}", done["resource_id"].as_str().unwrap()), Value::Null);
        assert_eq!(case.refused("GET", "/jobs/status/7", Value::Null).code, "job_not_found");
    }
}
