//! `POST /tickets/search`: filters over tickets, which it shows as late as the search for contacts shows those.

use serde_json::{Value, json};

use super::endpoints::{Endpoint, Request};
use super::filter::{self, compare, days, pagination};
use super::paging::Wanted;
use super::reply::{Answer, Refusal, Reply};
use super::settings::SearchLag;
use super::state::State;
use super::tickets;

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[Endpoint { method: "POST", path: "/tickets/search", described: &[200], answer: search }];

/// Entries of a page when nobody asks for a number.
const PER_PAGE: usize = 20;

const TEXT_FIELDS: [&str; 10] = [
    "id",
    "title",
    "description",
    "category",
    "ticket_type_id",
    "contact_ids",
    "teammate_ids",
    "admin_assignee_id",
    "team_assignee_id",
    "state",
];
const DATE_FIELDS: [&str; 3] = ["created_at", "updated_at", "snoozed_until"];

/// Newest first, which is a guess.
fn search(state: &mut State, request: &Request<'_>) -> Answer {
    let filter = filter::query(&request.body, check)?;
    let (per_page, starting_after) = pagination(&request.body, PER_PAGE)?;
    let shown: Vec<Value> = match request.settings.search_lag_secs {
        SearchLag::Word(_) => Vec::new(),
        SearchLag::Secs(lag) => tickets::made_until(state, request.now - i64::from(lag), request.settings),
    };
    let holds = |ticket: &Value| filter.holds(&|field, operator, value| is_so(ticket, field, operator, value));
    let found: Vec<Value> = shown.into_iter().rev().filter(holds).collect();
    let wanted = Wanted { per_page, starting_after: starting_after.as_deref(), settings: request.settings };
    let page = wanted.cut(&found, |ticket| ticket["id"].as_str().unwrap_or_default())?;
    let (tickets, total) = (page.items, found.len());
    Ok(Reply::ok(json!({"type": "ticket.list", "tickets": tickets, "total_count": total, "pages": page.pages})))
}

fn check(field: &str, _: &str) -> Result<(), Refusal> {
    let is_known = TEXT_FIELDS.contains(&field)
        || DATE_FIELDS.contains(&field)
        || field == "open"
        || field.starts_with("ticket_attribute.");
    match is_known {
        true => Ok(()),
        false => Err(Refusal::new(400, "invalid_field", format!("there is no field '{field}' to search by"))),
    }
}

fn is_so(ticket: &Value, field: &str, operator: &str, value: &Value) -> bool {
    let kept = member(ticket, field);
    match DATE_FIELDS.contains(&field) {
        true => days(&kept, operator, value),
        false => compare(&kept, operator, value),
    }
}

fn member(ticket: &Value, field: &str) -> Value {
    match field {
        "title" => ticket["ticket_attributes"]["_default_title_"].clone(),
        "description" => ticket["ticket_attributes"]["_default_description_"].clone(),
        "ticket_type_id" => ticket["ticket_type"]["id"].clone(),
        "contact_ids" => ticket["contacts"]["contacts"][0]["id"].clone(),
        "state" => ticket["ticket_state"]["category"].clone(),
        "category" => match ticket["category"].as_str() {
            Some("Customer") => "request".into(),
            Some("Back-office") => "task".into(),
            Some(other) => other.to_lowercase().into(),
            None => Value::Null,
        },
        _ => match field.strip_prefix("ticket_attribute.") {
            // By the attribute's name: that its id is wanted, as described, would need the type's attributes here.
            Some(name) => ticket["ticket_attributes"][name].clone(),
            None => ticket[field].clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    #[track_caller]
    fn found(case: &mut Case, query: &Value, expected: &[&str]) {
        let reply = case.ok("POST", "/tickets/search", json!({"query": query}));
        let title = |ticket: &Value| ticket["ticket_attributes"]["_default_title_"].as_str().unwrap().to_owned();
        let titles: Vec<String> = reply["tickets"].as_array().unwrap().iter().map(title).collect();
        assert_eq!(titles, expected, "{query}");
        assert_eq!(reply["total_count"], expected.len());
    }

    #[test]
    fn tickets_are_found_by_type_person_day_and_title_once_the_lag_is_over() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"external_id": "u1"}))["id"].clone();
        for (kind, title) in [("1", "Broken"), ("2", "Task"), ("1", "Slow")] {
            let attributes = json!({"_default_title_": title});
            let body = json!({"ticket_type_id": kind, "contacts": [{"id": contact}], "ticket_attributes": attributes});
            case.ok("POST", "/tickets", body);
        }
        let one =
            |field: &str, operator: &str, value: Value| json!({"field": field, "operator": operator, "value": value});
        let kind = one("ticket_type_id", "=", json!("1"));
        found(&mut case, &kind, &[]);
        case.now += 5;
        found(&mut case, &kind, &["Slow", "Broken"]);
        let theirs = json!({"operator": "AND", "value": [kind, one("contact_ids", "=", contact), one("title", "~", json!("bro"))]});
        found(&mut case, &theirs, &["Broken"]);
        found(&mut case, &one("category", "=", json!("task")), &["Task"]);
        let now = json!(case.now);
        found(&mut case, &one("created_at", ">", now.clone()), &[]);
        found(&mut case, &one("created_at", ">=", now), &["Slow", "Task", "Broken"]);
        let first = json!({"query": one("open", "=", json!(true)), "pagination": {"per_page": 2}});
        let page = case.ok("POST", "/tickets/search", first);
        assert_eq!((page["tickets"].as_array().map(Vec::len), &page["pages"]["total_pages"]), (Some(2), &json!(2)));
        case.settings.search_lag_secs = SearchLag::NEVER;
        found(&mut case, &one("open", "=", json!(true)), &[]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        check("POST", "/tickets/search", json!({}), 400, "parameter_not_found");
        let shoe = json!({"query": {"field": "shoe", "operator": "=", "value": 1}});
        check("POST", "/tickets/search", shoe, 400, "invalid_field");
    }
}
