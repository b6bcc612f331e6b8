//! Archiving, unarchiving and merging contacts.

use serde_json::{Value, json};

use super::contacts::{shown, writable};
use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::{MergeRoles, Repeated};
use super::shape;
use super::state::{Contact, Merge, Role, State};
use super::{contact_view, memberships, paging};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/contacts/{contact_id}/archive", described: &[200], answer: archive },
    Endpoint { method: "POST", path: "/contacts/{contact_id}/unarchive", described: &[200], answer: unarchive },
    Endpoint { method: "POST", path: "/contacts/merge", described: &[200, 400, 401], answer: merge },
    Endpoint {
        method: "GET",
        path: "/contacts/{contact_id}/merge_history",
        described: &[200, 401, 404],
        answer: merges,
    },
];

fn archive(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = known(state, request)?;
    if contact.merged_into.is_some() || (contact.archived && request.settings.archive_twice == Repeated::NotFound) {
        return Err(Refusal::no_contact());
    }
    Ok(set_archived(state, contact, true, request))
}

fn unarchive(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = known(state, request)?;
    if contact.merged_into.is_some() {
        return Err(Refusal::new(400, "bad_request", "A merged contact cannot be unarchived"));
    }
    Ok(set_archived(state, contact, false, request))
}

fn known(state: &State, request: &Request<'_>) -> Result<Contact, Refusal> {
    state.contact(request.parameter(0)).map(|contact| Contact::clone(contact)).ok_or_else(Refusal::no_contact)
}

fn set_archived(state: &mut State, contact: Contact, archived: bool, request: &Request<'_>) -> Reply {
    let mut view = contact_view::reference(&contact);
    view["archived"] = archived.into();
    state.put_contact(Contact { archived, updated_at: request.now, ..contact }, request.now, request.settings);
    Reply::ok(view)
}

fn merge(state: &mut State, request: &Request<'_>) -> Answer {
    let from = shape::text(&request.body, "from")?.ok_or_else(|| Refusal::missing("from", "from must be given"))?;
    let into = shape::text(&request.body, "into")?.ok_or_else(|| Refusal::missing("into", "into must be given"))?;
    let (from, into) = (writable(state, &from, request)?, writable(state, &into, request)?);
    check(&from, &into, request)?;
    let into = join(state, from, into, request);
    let into = state.put_contact(into, request.now, request.settings);
    Ok(Reply::ok(shown(&into, request)))
}

fn check(from: &Contact, into: &Contact, request: &Request<'_>) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(400, "invalid_merge", message));
    if from.id == into.id {
        return refuse("A contact cannot be merged into itself");
    }
    let lead_into_user = from.role == Role::Lead && into.role == Role::User;
    if !lead_into_user && request.settings.merge_roles == MergeRoles::LeadIntoUser {
        return refuse("Only a lead can be merged, and only into a user");
    }
    let skip = request.body.get("skip_duplicate_validation").is_some_and(|flag| flag.to_value() == Value::Bool(true));
    let phone = |contact: &Contact| contact.fields.get("phone").cloned();
    let same_email = from.email.is_some() && from.email_lowered() == into.email_lowered();
    let same_phone = phone(from).is_some() && phone(from) == phone(into);
    if request.version.checks_merges() && !skip && !same_email && !same_phone {
        return refuse("Contacts without the same email or phone are merged with skip_duplicate_validation=true only");
    }
    Ok(())
}

/// What was merged into a contact, in pages.
fn merges(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = state.readable(request.parameter(0), request.version)?;
    let per_page = request.count("per_page", paging::LIST_DEFAULT, paging::MAX)?;
    let from: usize = request
        .query("cursor")
        .map_or(Some(0), |text| text.parse().ok())
        .ok_or_else(|| Refusal::new(400, "bad_request", "bad 'cursor' parameter"))?;
    let mut history = contact_view::merge_history(contact).as_array().cloned().unwrap_or_default();
    if request.query("order") != Some("asc") {
        history.reverse();
    }
    let data: Vec<&Value> = history.iter().skip(from).take(per_page).collect();
    let next = from + data.len();
    let mut view = json!({"type": "list", "data": data, "has_more": next < history.len()});
    if next < history.len() {
        view["next_cursor"] = next.to_string().into();
    }
    Ok(Reply::ok(view))
}

/// Moves attributes, tags, companies and events over; what the target has already stays.
fn join(state: &mut State, mut from: Contact, mut into: Contact, request: &Request<'_>) -> Contact {
    into.email = into.email.or_else(|| from.email.clone());
    for (name, value) in &from.fields {
        into.fields.entry(name).or_insert_with(|| value.clone());
    }
    for (name, value) in &from.custom_attributes {
        into.custom_attributes.entry(name).or_insert_with(|| value.clone());
    }
    for (tag, applied_at) in std::mem::take(&mut from.tags) {
        into.tags.entry(tag).or_insert(applied_at);
    }
    for company in std::mem::take(&mut from.companies) {
        memberships::move_over(state, &company, &from.id, &mut into);
    }
    state.events.move_over(&from.id, &into.id);
    into.merges.push(Merge { source: from.id.clone(), role: from.role, at: request.now });
    into.updated_at = request.now;
    from.merged_into = Some(into.id.clone());
    state.put_contact(from, request.now, request.settings);
    into
}

#[cfg(test)]
mod tests {
    use super::super::settings::MergedWrite;
    use super::super::testing::Case;
    use super::*;

    fn made(case: &mut Case, body: Value) -> String {
        case.ok("POST", "/contacts", body)["id"].as_str().expect("a contact has an id").to_owned()
    }

    fn pair(case: &mut Case) -> (String, String) {
        let lead =
            made(case, json!({"role": "lead", "email": "a@b.c", "name": "Lead", "custom_attributes": {"score": 7}}));
        (lead, made(case, json!({"external_id": "u1", "email": "A@b.c", "custom_attributes": {"plan": "pro"}})))
    }

    #[test]
    fn archiving_hides_and_unarchiving_shows() {
        let mut case = Case::new();
        let id = made(&mut case, json!({"external_id": "u1"}));
        let path = format!("/contacts/{id}");
        assert_eq!(case.ok("POST", &format!("{path}/archive"), Value::Null)["archived"], true);
        for target in [&path, "/contacts/find_by_external_id/u1"] {
            assert_eq!(case.refused("GET", target, Value::Null).status, 404);
        }
        let refusal = case.refused("POST", "/contacts", json!({"external_id": "u1"}));
        assert_eq!(refusal.status, 409);
        assert!(refusal.message.starts_with("An archived contact") && refusal.message.ends_with(&format!("id={id}")));
        case.ok("POST", &format!("{path}/archive"), Value::Null);
        case.settings.archive_twice = Repeated::NotFound;
        assert_eq!(case.refused("POST", &format!("{path}/archive"), Value::Null).status, 404);
        assert_eq!(case.ok("POST", &format!("{path}/unarchive"), Value::Null)["archived"], false);
        case.ok("GET", &path, Value::Null);
    }

    #[test]
    fn a_merge_moves_everything_and_leaves_a_link() {
        let mut case = Case::accepting();
        let (lead, user) = pair(&mut case);
        let company = case.ok("POST", "/companies", json!({"company_id": "c1"}))["id"].clone();
        case.ok("POST", &format!("/contacts/{lead}/companies"), json!({"id": company}));
        let event = json!({"event_name": "seen", "created_at": 1, "id": lead});
        assert!(case.answer("POST", "/events", event).is_ok());
        let merged = case.ok("POST", "/contacts/merge?include_merge_history=true", json!({"from": lead, "into": user}));
        assert_eq!(merged["name"], "Lead");
        assert_eq!(merged["custom_attributes"], json!({"plan": "pro", "score": 7}));
        assert_eq!(merged["companies"]["total_count"], 1);
        assert_eq!(merged["merge_history"][0]["source_contact_id"], lead.as_str());
        let history = case.ok("GET", &format!("/contacts/{user}/merge_history?per_page=1"), Value::Null);
        assert_eq!((&history["data"], &history["has_more"]), (&merged["merge_history"], &json!(false)));
        assert_eq!(case.state()["events"][0]["contact_id"], user.as_str());
        assert_eq!(case.state()["companies"][0]["members"], json!([user]));
        for method in ["GET", "PUT"] {
            let refusal = case.refused(method, &format!("/contacts/{lead}"), Value::Null);
            assert_eq!((refusal.status, refusal.canonical.as_deref()), (410, Some(user.as_str())), "{method}");
        }
        case.settings.merged_write = MergedWrite::NotFound;
        assert_eq!(case.refused("PUT", &format!("/contacts/{lead}"), Value::Null).status, 404);
        assert_eq!(case.refused("POST", &format!("/contacts/{lead}/unarchive"), Value::Null).code, "bad_request");
        case.version = "2.15";
        assert_eq!(case.refused("GET", &format!("/contacts/{lead}"), Value::Null).status, 404);
    }

    #[test]
    fn only_a_lead_goes_into_a_user_of_the_same_email_or_phone() {
        let mut case = Case::accepting();
        let (lead, user) = pair(&mut case);
        let other = made(&mut case, json!({"external_id": "u2"}));
        let mut code =
            |from: &str, into: &str| case.refused("POST", "/contacts/merge", json!({"from": from, "into": into})).code;
        assert_eq!(code(&user, &lead), "invalid_merge");
        assert_eq!(code(&user, &user), "invalid_merge");
        assert_eq!(code(&lead, &other), "invalid_merge");
        assert_eq!(code(&lead, "nobody"), "not_found");
        assert_eq!(code("", &user), "parameter_not_found");
        case.ok("POST", "/contacts/merge", json!({"from": lead, "into": other, "skip_duplicate_validation": true}));
    }

    #[test]
    fn chains_are_followed_three_hops() {
        let mut case = Case::new();
        case.settings.merge_roles = MergeRoles::Any;
        let ids: Vec<String> = (0..5).map(|n| made(&mut case, json!({"external_id": format!("u{n}")}))).collect();
        for pair in ids.windows(2) {
            let body = json!({"from": pair[0], "into": pair[1], "skip_duplicate_validation": true});
            case.ok("POST", "/contacts/merge", body);
        }
        let link = |case: &mut Case, id: &str| case.refused("GET", &format!("/contacts/{id}"), Value::Null).canonical;
        assert_eq!(link(&mut case, &ids[1]).as_ref(), Some(&ids[4]));
        assert_eq!(link(&mut case, &ids[0]).as_ref(), Some(&ids[3]), "the fourth hop is not taken");
        let by_external_id = case.refused("GET", "/contacts/find_by_external_id/u3", Value::Null);
        assert_eq!(by_external_id.canonical.as_ref(), Some(&ids[4]));
    }
}
