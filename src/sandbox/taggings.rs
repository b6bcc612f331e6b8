//! The tags of one contact: attach, list and detach.

use serde_json::{Value, json};

use super::contacts::writable;
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::shape;
use super::state::State;

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/contacts/{contact_id}/tags", described: &[200, 401, 404], answer: attach },
    Endpoint { method: "GET", path: "/contacts/{contact_id}/tags", described: &[200, 401, 404], answer: list },
    Endpoint {
        method: "DELETE",
        path: "/contacts/{contact_id}/tags/{tag_id}",
        described: &[200, 401, 404],
        answer: detach,
    },
];

fn attach(state: &mut State, request: &Request<'_>) -> Answer {
    let mut contact = writable(state, request.parameter(0), request)?;
    let id = shape::text(&request.body, "id")?.ok_or_else(|| Refusal::missing("id", "tag not specified"))?;
    let tag = state.tags.parse(&id).ok_or_else(Refusal::no_resource)?;
    let applied_at = *contact.tags.entry(tag).or_insert(request.now);
    state.put_contact(contact, request.now, request.settings);
    reply(state, tag, applied_at, request)
}

fn detach(state: &mut State, request: &Request<'_>) -> Answer {
    let mut contact = writable(state, request.parameter(0), request)?;
    let tag = state.tags.parse(request.parameter(1)).ok_or_else(Refusal::no_resource)?;
    let applied_at = contact.tags.remove(&tag).ok_or_else(Refusal::no_resource)?;
    state.put_contact(contact, request.now, request.settings);
    reply(state, tag, applied_at, request)
}

fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = state.readable(request.parameter(0), request.version)?;
    let tags = contact.tags.iter().filter_map(|(tag, applied_at)| applied(state, *tag, *applied_at, request));
    Ok(Reply::ok(json!({"type": "list", "data": tags.collect::<Vec<_>>()})))
}

fn reply(state: &State, tag: u64, applied_at: i64, request: &Request<'_>) -> Answer {
    applied(state, tag, applied_at, request).map(Reply::ok).ok_or_else(Refusal::no_resource)
}

fn applied(state: &State, tag: u64, applied_at: i64, request: &Request<'_>) -> Option<Value> {
    let mut view = state.tags.card(tag)?;
    view["applied_at"] = applied_at.into();
    view["applied_by"] = match request.settings.admin_ids.first() {
        Some(admin) => json!({"type": "admin", "id": admin}),
        None => Value::Null,
    };
    Some(view)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn a_tag_is_attached_once_and_detached_once() {
        let mut case = Case::new();
        let contact = case.ok("POST", "/contacts", json!({"email": "a@b.c"}))["id"].as_str().unwrap().to_owned();
        let tag = case.ok("POST", "/tags", json!({"name": "Beta"}))["id"].clone();
        let path = format!("/contacts/{contact}/tags");
        let first = case.ok("POST", &path, json!({"id": tag}));
        case.now += 100;
        assert_eq!(case.ok("POST", &path, json!({"id": tag})), first, "attaching again changes nothing");
        assert_eq!(case.ok("GET", &path, Value::Null)["data"], json!([first]));
        assert_eq!(case.refused("POST", &path, json!({"id": "99"})).message, "Resource Not Found");
        assert_eq!(case.refused("POST", "/contacts/nobody/tags", json!({"id": tag})).message, "User Not Found");
        assert_eq!(case.refused("POST", &path, json!({"id": 1})).status, 400);
        case.ok("DELETE", &format!("{path}/1"), Value::Null);
        assert_eq!(case.refused("DELETE", &format!("{path}/1"), Value::Null).status, 404);
    }
}
