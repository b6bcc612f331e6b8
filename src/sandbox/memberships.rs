//! Who belongs to which company: attach, detach, list.

use serde_json::{Value, json};

use super::companies;
use super::contacts::writable;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::shape;
use super::state::{Contact, State};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "POST",
        path: "/contacts/{contact_id}/companies",
        described: &[200, 400, 401, 404],
        answer: attach,
    },
    Endpoint { method: "GET", path: "/contacts/{contact_id}/companies", described: &[200, 401, 404], answer: list },
    Endpoint {
        method: "DELETE",
        path: "/contacts/{contact_id}/companies/{company_id}",
        described: &[200, 401, 404],
        answer: detach,
    },
];

/// Most companies of one contact.
const COMPANIES_MAX: usize = 1000;
/// Entries of a page of a contact's companies.
const PER_PAGE_DEFAULT: usize = 50;

fn attach(state: &mut State, request: &Request<'_>) -> Answer {
    let mut contact = writable(state, request.parameter(0), request)?;
    let id = shape::text(&request.body, "id")?;
    let id = id.ok_or_else(|| Refusal::new(400, "parameter_not_found", "company not specified"))?;
    if !state.companies.contains_key(&id) {
        return Err(unknown_company(state, &id));
    }
    if !contact.companies.contains(&id) {
        if contact.companies.len() >= COMPANIES_MAX {
            let message = format!("Contact has reached the maximum of {COMPANIES_MAX} company associations");
            return Err(Refusal::new(400, "contact_company_limit_exceeded", message));
        }
        companies::join(state, &id, &contact.id);
        contact.companies.push(id.clone());
        state.put_contact(contact, request.now, request.settings);
    }
    companies::reply(state, &id, request)
}

/// An own id where the service's id belongs is the likely mistake: the journal says so.
fn unknown_company(state: &State, id: &str) -> Refusal {
    match state.by_company_id.contains_key(id) {
        true => Refusal::no_company().noting("this is a company_id; attaching takes the company's Intercom id"),
        false => Refusal::no_company(),
    }
}

fn detach(state: &mut State, request: &Request<'_>) -> Answer {
    let mut contact = writable(state, request.parameter(0), request)?;
    let id = request.parameter(1);
    let before = contact.companies.len();
    contact.companies.retain(|company| company != id);
    if contact.companies.len() == before {
        return Err(unknown_company(state, id));
    }
    companies::leave(state, id, &contact.id);
    state.put_contact(contact, request.now, request.settings);
    companies::reply(state, id, request)
}

fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = state.readable(request.parameter(0), request.version)?;
    let (page, per_page) = (request.count("page", 1, 10_000)?, request.count("per_page", PER_PAGE_DEFAULT, 60)?);
    let shown = contact.companies.iter().skip((page - 1) * per_page).take(per_page);
    let data: Vec<Value> =
        shown.filter_map(|id| Some(companies::full(state.companies.get(id)?, state, request.settings))).collect();
    let count = contact.companies.len();
    let total_pages = count.div_ceil(per_page);
    let next = (page < total_pages)
        .then(|| format!("/contacts/{}/companies?page={}&per_page={per_page}", contact.id, page + 1));
    let pages = json!({
        "type": "pages", "page": page, "per_page": per_page, "total_pages": total_pages, "next": next,
    });
    Ok(Reply::ok(json!({"type": "list", "data": data, "total_count": count, "pages": pages})))
}

/// Makes `into` a member in place of the contact that is merged away.
pub fn move_over(state: &mut State, company: &str, from: &str, into: &mut Contact) {
    companies::leave(state, company, from);
    if into.companies.iter().any(|id| id == company) || into.companies.len() >= COMPANIES_MAX {
        return;
    }
    companies::join(state, company, &into.id);
    into.companies.push(company.to_owned());
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn companies_are_attached_once_listed_and_detached_once() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let path = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        let company = case.ok("POST", "/companies", json!({"company_id": "c1"}));
        for _ in 0..2 {
            assert_eq!(case.ok("POST", &path, json!({"id": company["id"]}))["user_count"], 1);
        }
        let listed = case.ok("GET", &path, Value::Null);
        assert_eq!((&listed["total_count"], &listed["data"][0]["company_id"]), (&json!(1), &json!("c1")));
        let detach = format!("{path}/{}", company["id"].as_str().unwrap());
        assert_eq!(case.ok("DELETE", &detach, Value::Null)["user_count"], 0);
        assert_eq!(case.refused("DELETE", &detach, Value::Null).code, "company_not_found");
    }

    #[test]
    fn what_cannot_be_attached_is_refused() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let path = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        case.ok("POST", "/companies", json!({"company_id": "c1"}));
        assert_eq!(case.refused("POST", &path, json!({})).code, "parameter_not_found");
        assert_eq!(case.refused("POST", "/contacts/nobody/companies", json!({"id": "x"})).code, "not_found");
        let refusal = case.refused("POST", &path, json!({"id": "c1"}));
        assert_eq!(refusal.code, "company_not_found");
        assert!(refusal.note.is_some(), "an own id in the wrong place is said loudly");
    }

    #[test]
    fn a_contact_belongs_to_a_thousand_companies_at_most() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let path = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        for n in 0..=COMPANIES_MAX {
            let company = case.ok("POST", "/companies", json!({"company_id": n.to_string()}));
            let answer = case.answer("POST", &path, json!({"id": company["id"]}));
            let code = answer.err().map(|refusal| refusal.code);
            assert_eq!(code, (n == COMPANIES_MAX).then_some("contact_company_limit_exceeded"), "company {n}");
        }
    }
}
