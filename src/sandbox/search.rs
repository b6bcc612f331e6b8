//! `POST /contacts/search`: filters over the lagging index.

use std::sync::Arc;

use serde_json::{Value, json};

use super::contact_view::ALWAYS_NULL;
use super::contacts::shown;
use super::endpoints::{Endpoint, Request};
use super::filter::{self, Filter, compare, days, pagination, text_of};
use super::index::Index;
use super::paging;
use super::reply::{Answer, Refusal, Reply};
use super::settings::{EmailSearch, Settings};
use super::state::{Contact, State};
use crate::json::{Json, Object};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[Endpoint { method: "POST", path: "/contacts/search", described: &[200, 400, 401], answer: search }];

const TEXT_FIELDS: [&str; 8] = ["id", "role", "external_id", "email", "email_domain", "phone", "name", "owner_id"];
const DATE_FIELDS: [&str; 4] = ["created_at", "updated_at", "signed_up_at", "last_seen_at"];
const FLAG_FIELDS: [&str; 3] = ["unsubscribed_from_emails", "has_hard_bounced", "marked_email_as_spam"];

fn search(state: &mut State, request: &Request<'_>) -> Answer {
    let filter = filter::query(&request.body, check_operator)?;
    let (per_page, starting_after) = pagination(&request.body, paging::SEARCH_DEFAULT)?;
    state.index.catch_up(request.now);
    let mut found = matching(&state.index, &filter, request.settings);
    sort(&mut found, &request.body)?;
    let wanted = paging::Wanted { per_page, starting_after: starting_after.as_deref(), settings: request.settings };
    let page = wanted.cut(&found, |contact| &contact.id)?;
    let data: Vec<Value> = page.items.iter().map(|contact| shown(contact, request)).collect();
    Ok(Reply::ok(json!({"type": "list", "data": data, "total_count": found.len(), "pages": page.pages})))
}

/// Newest first, which is a guess; a lookup by e-mail does not walk the whole index.
fn matching(index: &Index, filter: &Filter, settings: &Settings) -> Vec<Arc<Contact>> {
    if let Filter::One { field, operator, value: Value::String(email) } = filter
        && field == "email"
        && operator == "="
    {
        let Some(email) = email_wanted(email, settings) else { return Vec::new() };
        return index.by_email(&email).rev().cloned().collect();
    }
    index.all().rev().filter(|contact| holds(filter, contact, settings)).cloned().collect()
}

/// What e-mail the index is asked for; with capitals, as the switch says, nothing can be found.
fn email_wanted(email: &str, settings: &Settings) -> Option<String> {
    let lowered = email.to_lowercase();
    (settings.email_search == EmailSearch::Insensitive || lowered == email).then_some(lowered)
}

fn check_operator(field: &str, operator: &str) -> Result<(), Refusal> {
    let known = TEXT_FIELDS.contains(&field)
        || DATE_FIELDS.contains(&field)
        || FLAG_FIELDS.contains(&field)
        || ALWAYS_NULL.contains(&field)
        || field == "tag_id"
        || field.starts_with("custom_attributes.");
    if !known {
        return Err(Refusal::new(400, "invalid_field", format!("there is no field '{field}' to search by")));
    }
    if DATE_FIELDS.contains(&field) && !["=", "<", ">"].contains(&operator) {
        let message = format!("{field} is a date, which takes only = < and >");
        return Err(Refusal::new(422, "unprocessable_entity", message));
    }
    if field == "tag_id" && !["=", "!="].contains(&operator) {
        return Err(Refusal::invalid("operator", "tag_id takes only = and !="));
    }
    Ok(())
}

fn holds(filter: &Filter, contact: &Contact, settings: &Settings) -> bool {
    filter.holds(&|field, operator, value| match field {
        "tag_id" => {
            let id = text_of(value).and_then(|id| id.parse().ok());
            id.is_some_and(|id: u64| contact.tags.contains_key(&id)) == (operator == "=")
        }
        _ if DATE_FIELDS.contains(&field) => days(&member(contact, field), operator, value),
        _ => {
            let kept = member(contact, field);
            let is_email = field == "email";
            let kept = match text_of(&kept) {
                Some(text) if is_email => Value::String(text.to_lowercase()),
                _ => kept,
            };
            let insensitive = is_email && settings.email_search == EmailSearch::Insensitive;
            compare(&kept, operator, &if insensitive { lowered(value) } else { value.clone() })
        }
    })
}

fn member(contact: &Contact, field: &str) -> Value {
    match field {
        "id" => contact.id.as_str().into(),
        "role" => contact.role.word().into(),
        "external_id" => contact.external_id.clone().into(),
        "email" => contact.email.clone().into(),
        "email_domain" => contact.email.as_deref().and_then(|email| email.rsplit('@').next()).into(),
        "created_at" => contact.created_at.into(),
        "updated_at" => contact.updated_at.into(),
        "has_hard_bounced" | "marked_email_as_spam" => false.into(),
        "unsubscribed_from_emails" => contact.fields.get(field).cloned().unwrap_or(Value::Bool(false)),
        _ => match field.strip_prefix("custom_attributes.") {
            Some(name) => contact.custom_attributes.get(name).cloned().unwrap_or_default(),
            None => contact.fields.get(field).cloned().unwrap_or_default(),
        },
    }
}

fn lowered(value: &Value) -> Value {
    match value {
        Value::String(text) => text.to_lowercase().into(),
        Value::Array(items) => items.iter().map(lowered).collect(),
        other => other.clone(),
    }
}

fn sort(found: &mut [Arc<Contact>], body: &Object<'_>) -> Result<(), Refusal> {
    let Some(sort) = body.get("sort") else { return Ok(()) };
    let order = sort.get("order").and_then(Json::as_str).unwrap_or("descending");
    if order != "ascending" && order != "descending" {
        let message = format!("Invalid sort order '{order}'. Must be one of: ascending, descending");
        return Err(Refusal::new(400, "invalid_sort_order", message));
    }
    let field = sort.get("field").and_then(Json::as_str).unwrap_or("created_at");
    check_operator(field, "=")?;
    found.sort_by_cached_key(|contact| sort_key(&member(contact, field)));
    if order == "descending" {
        found.reverse();
    }
    Ok(())
}

/// What is unset first, then numbers by size, then text.
fn sort_key(value: &Value) -> (u8, i64, String) {
    match value {
        Value::Null => (0, 0, String::new()),
        Value::Number(number) => (1, number.as_f64().unwrap_or_default() as i64, String::new()),
        other => (2, 0, text_of(other).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::SECONDS_PER_DAY;
    use super::super::settings::SearchLag;
    use super::super::testing::{Case, check};
    use super::*;

    fn people() -> Case {
        let mut case = Case::accepting();
        case.settings.search_lag_secs = SearchLag::Secs(0);
        for (id, email, age) in [("u1", "Ann@a.com", 30), ("u2", "bob@b.com", 40), ("u3", "cy@b.com", 50)] {
            let body = json!({"external_id": id, "email": email, "name": id, "custom_attributes": {"age": age}});
            case.ok("POST", "/contacts", body);
            case.now += SECONDS_PER_DAY;
        }
        case
    }

    #[track_caller]
    fn found(case: &mut Case, query: Value, expected: &[&str]) {
        let reply = case.ok("POST", "/contacts/search", json!({"query": query}));
        let ids: Vec<&str> =
            reply["data"].as_array().unwrap().iter().map(|c| c["external_id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }

    #[test]
    fn filters_and_groups() {
        let mut case = people();
        let one =
            |field: &str, operator: &str, value: Value| json!({"field": field, "operator": operator, "value": value});
        found(&mut case, one("email", "=", json!("ann@a.com")), &["u1"]);
        found(&mut case, one("email", "=", json!("Ann@a.com")), &[]);
        found(&mut case, one("email", "$", json!("@B.com")), &["u3", "u2"]);
        found(&mut case, one("external_id", "IN", json!(["u1", "u3"])), &["u3", "u1"]);
        found(&mut case, one("external_id", "!=", json!("u1")), &["u3", "u2"]);
        found(&mut case, one("custom_attributes.age", ">=", json!(40)), &["u3", "u2"]);
        found(&mut case, one("phone", "=", json!(null)), &["u3", "u2", "u1"]);
        found(&mut case, one("created_at", ">", json!(1_700_000_000)), &["u3", "u2"]);
        found(&mut case, one("created_at", "=", json!(1_700_000_001)), &["u1"]);
        let either = json!({"operator": "OR", "value": [one("name", "=", json!("u1")), one("name", "=", json!("u2"))]});
        let both = json!({"operator": "AND", "value": [either, one("email_domain", "=", json!("b.com"))]});
        found(&mut case, both, &["u2"]);
        case.settings.email_search = EmailSearch::Insensitive;
        found(&mut case, one("email", "=", json!("Ann@a.com")), &["u1"]);
    }

    #[test]
    fn pages_follow_each_other_by_cursor() {
        let mut case = people();
        let query = json!({"field": "role", "operator": "=", "value": "user"});
        let mut seen = Vec::new();
        let mut after = Value::Null;
        loop {
            let body = json!({"query": query, "pagination": {"per_page": 2, "starting_after": after},
                "sort": {"field": "name", "order": "ascending"}});
            let reply = case.ok("POST", "/contacts/search", body);
            seen.extend(reply["data"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()));
            assert_eq!((&reply["total_count"], &reply["pages"]["total_pages"]), (&json!(3), &json!(2)));
            after = reply["pages"]["next"]["starting_after"].clone();
            if after.is_null() {
                break;
            }
        }
        assert_eq!(seen, ["u1", "u2", "u3"]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let path = "/contacts/search";
        let with = |query: Value| json!({"query": query});
        check("POST", path, json!({}), 400, "parameter_not_found");
        check("POST", path, with(json!({"field": "shoe", "operator": "=", "value": 1})), 400, "invalid_field");
        check("POST", path, with(json!({"field": "name", "operator": "like", "value": "a"})), 400, "parameter_invalid");
        check(
            "POST",
            path,
            with(json!({"field": "created_at", "operator": "!=", "value": 1})),
            422,
            "unprocessable_entity",
        );
        check(
            "POST",
            path,
            with(json!({"field": "tag_id", "operator": "IN", "value": ["1"]})),
            400,
            "parameter_invalid",
        );
        let mut deep = json!({"field": "name", "operator": "=", "value": "a"});
        for _ in 0..3 {
            deep = json!({"operator": "AND", "value": [deep]});
        }
        check("POST", path, with(deep), 400, "parameter_invalid");
        let role = json!({"field": "role", "operator": "=", "value": "user"});
        let sorted = json!({"query": role, "sort": {"field": "name", "order": "desc"}});
        check("POST", path, sorted, 400, "invalid_sort_order");
        let page = json!({"query": role, "pagination": {"per_page": 151}});
        check("POST", path, page, 400, "parameter_invalid");
        let cursor = json!({"query": role, "pagination": {"starting_after": "bm9ib2R5"}});
        check("POST", path, cursor, 400, "bad_request");
    }

    #[test]
    fn search_is_behind_by_the_lag() {
        let mut case = Case::new();
        let id = case.ok("POST", "/contacts", json!({"external_id": "u1", "email": "a@b.c"}))["id"].clone();
        let query = json!({"field": "email", "operator": "=", "value": "a@b.c"});
        found(&mut case, query.clone(), &[]);
        case.now += 4;
        found(&mut case, query.clone(), &[]);
        case.now += 1;
        found(&mut case, query.clone(), &["u1"]);
        case.ok("DELETE", &format!("/contacts/{}", id.as_str().unwrap()), Value::Null);
        found(&mut case, query.clone(), &["u1"]);
        case.now += 5;
        found(&mut case, query, &[]);
    }
}
