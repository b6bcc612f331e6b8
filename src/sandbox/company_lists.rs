//! Companies, many at once: by filter, by page, by scroll, and the people of one.

use serde_json::{Value, json};

use super::companies::{Company, full};
use super::contact_view;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::CompanyLookup;
use super::state::{Id, State};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "GET", path: "/companies", described: &[200, 401, 404], answer: filter },
    Endpoint { method: "POST", path: "/companies/list", described: &[200, 401], answer: list },
    Endpoint { method: "GET", path: "/companies/scroll", described: &[200, 401], answer: scroll },
    Endpoint { method: "GET", path: "/companies/{company_id}/contacts", described: &[200, 401, 404], answer: contacts },
];

/// Entries of a page when nobody asks for a number, and at most.
const PER_PAGE: (usize, usize) = (15, 60);
/// Entries of a page of a company's people.
const CONTACTS_PER_PAGE: (usize, usize) = (50, 60);
/// Companies that pages reach; what lies behind is for the scroll alone.
const LISTED_MAX: usize = 10_000;
/// Companies of one step of a scroll.
const SCROLL_STEP: usize = 100;
/// Seconds after which a scroll that nobody goes on with is closed.
const SCROLL_SECS: i64 = 60;

/// The one scroll that may be open.
#[derive(Debug, Clone)]
pub struct Scroll {
    parameter: String,
    /// What is still to come.
    left: Vec<Id>,
    expires_at: i64,
}

fn filter(state: &mut State, request: &Request<'_>) -> Answer {
    if let Some(company_id) = request.query("company_id") {
        return lookup(state, company_id, request);
    }
    let filtered = ["name", "tag_id", "segment_id"].iter().any(|name| request.query(name).is_some());
    let fitting: Vec<&Company> = state.companies.values().filter(|company| fits(company, request)).collect();
    match filtered && fitting.is_empty() {
        true => Err(Refusal::no_company()),
        false => page(&fitting, state, request),
    }
}

fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let mut listed: Vec<&Company> = state.companies.values().filter(|company| company.is_listed()).collect();
    match request.query("order") {
        None | Some("desc") => listed.reverse(),
        Some("asc") => {}
        Some(other) => return Err(Refusal::invalid("order", format!("order must be asc or desc, not {other}"))),
    }
    page(&listed, state, request)
}

fn fits(company: &Company, request: &Request<'_>) -> bool {
    let name = request.query("name").is_none_or(|name| company.fields.get("name").is_some_and(|is| is == name));
    let tag = request.query("tag_id").is_none_or(|id| id.parse().is_ok_and(|id: u64| company.tags.contains_key(&id)));
    company.is_listed() && name && tag && request.query("segment_id").is_none()
}

fn lookup(state: &State, company_id: &str, request: &Request<'_>) -> Answer {
    let found = state.by_company_id.get(company_id).and_then(|id| state.companies.get(id));
    let company = found.ok_or_else(Refusal::no_company)?;
    match request.settings.company_lookup {
        CompanyLookup::Object => Ok(Reply { described: false, ..Reply::ok(full(company, state, request.settings)) }),
        CompanyLookup::List => page(&[company], state, request),
    }
}

fn page(companies: &[&Company], state: &State, request: &Request<'_>) -> Answer {
    let (page, per_page) = (request.count("page", 1, LISTED_MAX)?, request.count("per_page", PER_PAGE.0, PER_PAGE.1)?);
    if page * per_page > LISTED_MAX + per_page - 1 {
        let message = format!("pages reach {LISTED_MAX} companies; use the scroll for what lies behind");
        return Err(Refusal::new(400, "bad_request", message));
    }
    let shown = companies.iter().skip((page - 1) * per_page).take(per_page);
    let data: Vec<Value> = shown.map(|company| full(company, state, request.settings)).collect();
    let pages = json!({
        "type": "pages", "page": page, "per_page": per_page, "total_pages": companies.len().div_ceil(per_page), "next": null,
    });
    Ok(Reply::ok(json!({"type": "list", "data": data, "total_count": companies.len(), "pages": pages})))
}

/// Every company in steps. One scroll at a time; it ends with an empty step, or when nobody goes on with it for a minute.
fn scroll(state: &mut State, request: &Request<'_>) -> Answer {
    let open = state.scroll.take().filter(|open| open.expires_at > request.now);
    let mut scroll = match (request.query("scroll_param").filter(|text| !text.is_empty()), open) {
        (None, Some(open)) => {
            state.scroll = Some(open);
            return Err(Refusal::new(400, "scroll_exists", "scroll already exists for this workspace"));
        }
        (None, None) => {
            let left = state.companies.values().filter(|company| company.is_listed()).map(|company| company.id.clone());
            let left = left.collect();
            Scroll { parameter: scroll_parameter(&state.next_id()), left, expires_at: 0 }
        }
        (Some(wanted), Some(open)) if open.parameter == wanted => open,
        (Some(_), other) => {
            state.scroll = other;
            return Err(Refusal::new(404, "not_found", "scroll parameter not found"));
        }
    };
    let step: Vec<Id> = scroll.left.drain(..scroll.left.len().min(SCROLL_STEP)).collect();
    let known = step.iter().filter_map(|id| state.companies.get(id));
    let data: Vec<Value> = known.map(|company| full(company, state, request.settings)).collect();
    let reply =
        json!({"type": "list", "data": data, "pages": null, "total_count": null, "scroll_param": scroll.parameter});
    scroll.expires_at = request.now + SCROLL_SECS;
    state.scroll = Some(scroll).filter(|_| !step.is_empty());
    Ok(Reply::ok(reply))
}

/// The id, written as the service writes its scroll parameters.
fn scroll_parameter(id: &str) -> String {
    format!("{}-{}-4000-8000-{:0>12}", &id[..8], &id[8..12], &id[12..])
}

fn contacts(state: &mut State, request: &Request<'_>) -> Answer {
    let company = state.companies.get(request.parameter(0)).ok_or_else(Refusal::no_company)?;
    let per_page = request.count("per_page", CONTACTS_PER_PAGE.0, CONTACTS_PER_PAGE.1)?;
    let page = request.count("page", 1, LISTED_MAX)?;
    let members = company.members.iter().filter_map(|id| state.contact(id)).filter(|contact| contact.is_active());
    let members: Vec<_> = members.collect();
    let shown = members.iter().skip((page - 1) * per_page).take(per_page);
    let data: Vec<Value> = shown.map(|contact| contact_view::full(contact, request.settings)).collect();
    let pages = json!({
        "type": "pages", "page": page, "per_page": per_page, "total_pages": members.len().div_ceil(per_page),
    });
    Ok(Reply::ok(json!({"type": "list", "data": data, "total_count": members.len(), "pages": pages})))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn joined(count: usize) -> Case {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let path = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        for n in 0..count {
            let company =
                case.ok("POST", "/companies", json!({"company_id": format!("c{n}"), "name": format!("C{n}")}));
            case.ok("POST", &path, json!({"id": company["id"]}));
        }
        case
    }

    fn ids(reply: &Value) -> Vec<&str> {
        reply["data"].as_array().unwrap().iter().map(|company| company["company_id"].as_str().unwrap()).collect()
    }

    #[test]
    fn lists_hide_a_company_until_somebody_belongs_to_it() {
        let mut case = Case::new();
        let company = case.ok("POST", "/companies", json!({"company_id": "c1", "name": "Ant"}));
        assert_eq!(case.ok("GET", "/companies", Value::Null)["total_count"], 0);
        assert_eq!(case.ok("GET", "/companies?company_id=c1", Value::Null)["id"], company["id"]);
        assert_eq!(case.refused("GET", "/companies?company_id=c2", Value::Null).code, "company_not_found");
        assert_eq!(case.refused("GET", "/companies?name=Ant", Value::Null).status, 404);
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}));
        let path = format!("/contacts/{}/companies", contact["id"].as_str().unwrap());
        assert_eq!(case.ok("POST", &path, json!({"id": company["id"]}))["user_count"], 1);
        assert_eq!(case.ok("GET", "/companies?name=Ant", Value::Null)["total_count"], 1);
        case.settings.company_lookup = CompanyLookup::List;
        assert_eq!(case.ok("GET", "/companies?company_id=c1", Value::Null)["data"][0]["id"], company["id"]);
    }

    #[test]
    fn pages_are_counted_from_one_newest_first_unless_asked() {
        let mut case = joined(3);
        let first = case.ok("POST", "/companies/list?per_page=2", Value::Null);
        assert_eq!((ids(&first), &first["pages"]["total_pages"]), (vec!["c2", "c1"], &json!(2)));
        assert_eq!(ids(&case.ok("POST", "/companies/list?per_page=2&page=2", Value::Null)), ["c0"]);
        assert_eq!(ids(&case.ok("POST", "/companies/list?order=asc&per_page=1", Value::Null)), ["c0"]);
        assert_eq!(case.refused("POST", "/companies/list?per_page=61", Value::Null).status, 400);
        assert_eq!(case.refused("POST", "/companies/list?order=up", Value::Null).status, 400);
        assert_eq!(case.refused("POST", "/companies/list?per_page=60&page=168", Value::Null).status, 400);
    }

    #[test]
    fn one_scroll_goes_through_everything_and_ends_by_itself_or_by_time() {
        let mut case = joined(101);
        let first = case.ok("GET", "/companies/scroll", Value::Null);
        assert_eq!(ids(&first).len(), 100);
        let next = format!("/companies/scroll?scroll_param={}", first["scroll_param"].as_str().unwrap());
        assert_eq!(case.refused("GET", "/companies/scroll", Value::Null).code, "scroll_exists");
        assert_eq!(case.refused("GET", "/companies/scroll?scroll_param=x", Value::Null).status, 404);
        assert_eq!(ids(&case.ok("GET", &next, Value::Null)), ["c100"]);
        assert_eq!(ids(&case.ok("GET", &next, Value::Null)).len(), 0);
        case.ok("GET", "/companies/scroll", Value::Null);
        case.now += SCROLL_SECS;
        assert_eq!(case.refused("GET", &next, Value::Null).status, 404, "the one before is closed");
        case.ok("GET", "/companies/scroll", Value::Null);
    }

    #[test]
    fn the_people_of_a_company_are_listed() {
        let mut case = joined(1);
        let company = case.ok("GET", "/companies?company_id=c0", Value::Null);
        let path = format!("/companies/{}/contacts", company["id"].as_str().unwrap());
        let people = case.ok("GET", &path, Value::Null);
        assert_eq!((&people["total_count"], &people["data"][0]["email"]), (&json!(1), &json!("a@b.c")));
        assert_eq!(case.refused("GET", "/companies/nobody/contacts", Value::Null).code, "company_not_found");
    }
}
