//! Contacts: create, read, update, delete, list, and the lookup by external id.

use serde_json::{Map, Value, json};

use super::attribute::Model;
use super::contact_view;
use super::endpoints::{Endpoint, Request};
use super::paging;
use super::reply::{Answer, Refusal, Reply};
use super::settings::{EmailUniqueness, ExternalIdLookup, MergedWrite, Strictness};
use super::shape::{self, Field, Kind};
use super::state::{Contact, Role, State};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/contacts", described: &[200, 401], answer: create },
    Endpoint { method: "GET", path: "/contacts", described: &[200, 401], answer: list },
    Endpoint { method: "GET", path: "/contacts/{contact_id}", described: &[200, 401, 410], answer: read },
    Endpoint { method: "PUT", path: "/contacts/{contact_id}", described: &[200, 401], answer: update },
    Endpoint { method: "DELETE", path: "/contacts/{contact_id}", described: &[200, 401], answer: delete },
    Endpoint {
        method: "GET",
        path: "/contacts/find_by_external_id/{external_id}",
        described: &[200, 401, 410],
        answer: find_by_external_id,
    },
];

/// What a write may carry beside `role`, `owner_id` and `custom_attributes`.
const FIELDS: &[Field] = &[
    Field::new("external_id", Kind::Text),
    Field::new("email", Kind::Text),
    Field::nullable("email_verified", Kind::Flag),
    Field::nullable("phone", Kind::Text),
    Field::nullable("name", Kind::Text),
    Field::nullable("avatar", Kind::Text),
    Field::nullable("signed_up_at", Kind::Seconds),
    Field::nullable("last_seen_at", Kind::Seconds),
    Field::nullable("unsubscribed_from_emails", Kind::Flag),
];

fn create(state: &mut State, request: &Request<'_>) -> Answer {
    let (role, fields) = (role(request)?, fields(request)?);
    let has = |name| fields.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let named = has("email") || has("external_id");
    if role.is_none() && !named {
        return Err(Refusal::missing("email", "One of email, external_id or role must be given"));
    }
    let role = role.unwrap_or(Role::User);
    if role == Role::User && !named {
        return Err(Refusal::missing("email", "A user needs an email or an external_id"));
    }
    let mut contact = Contact::new(String::new(), role, request.now);
    let note = fill(&mut contact, fields, request)?;
    check_conflict(state, &contact, request)?;
    contact.custom_attributes = state.attributes.fit(Model::Contact, Map::new(), request)?;
    contact.id = state.next_id();
    let contact = state.put_contact(contact, request.now, request.settings);
    Ok(Reply::ok(contact_view::full(&contact, request.settings)).noting(note))
}

fn update(state: &mut State, request: &Request<'_>) -> Answer {
    let mut contact = writable(state, request.parameter(0), request)?;
    let (role, fields) = (role(request)?, fields(request)?);
    if contact.role == Role::User && role == Some(Role::Lead) {
        return Err(Refusal::new(400, "client_error", "A user cannot become a lead"));
    }
    contact.role = role.unwrap_or(contact.role);
    let note = fill(&mut contact, fields, request)?;
    check_conflict(state, &contact, request)?;
    let known = std::mem::take(&mut contact.custom_attributes);
    contact.custom_attributes = state.attributes.fit(Model::Contact, known, request)?;
    contact.updated_at = request.now;
    let contact = state.put_contact(contact, request.now, request.settings);
    Ok(Reply::ok(contact_view::full(&contact, request.settings)).noting(note))
}

fn read(state: &mut State, request: &Request<'_>) -> Answer {
    let contact = state.readable(request.parameter(0), request.version)?;
    Ok(Reply::ok(shown(contact, request)))
}

fn find_by_external_id(state: &mut State, request: &Request<'_>) -> Answer {
    let external_id = request.parameter(0);
    if !request.version.finds_by_external_id() {
        return Err(Refusal::no_resource().noting("this version of the API has no lookup by external id"));
    }
    if request.settings.external_id_lookup == ExternalIdLookup::Index {
        state.index.catch_up(request.now);
        let found = state.index.all().find(|contact| contact.external_id.as_deref() == Some(external_id));
        return found.map(|contact| Reply::ok(shown(contact, request))).ok_or_else(Refusal::no_contact);
    }
    let id = state.by_external_id(external_id).filter(|found| found.role == Role::User).map(|found| found.id.clone());
    let contact = state.readable(&id.ok_or_else(Refusal::no_contact)?, request.version)?;
    Ok(Reply::ok(shown(contact, request)))
}

fn delete(state: &mut State, request: &Request<'_>) -> Answer {
    let id = request.parameter(0);
    let known = state.contact(id).filter(|contact| contact.merged_into.is_none());
    let mut view = contact_view::reference(known.ok_or_else(Refusal::no_contact)?);
    view["deleted"] = true.into();
    state.delete_contact(id, request.now, request.settings);
    Ok(Reply::ok(view))
}

fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let per_page = request.count("per_page", paging::LIST_DEFAULT, paging::MAX)?;
    let all: Vec<_> = state.contacts().rev().filter(|contact| contact.is_active()).collect();
    let wanted =
        paging::Wanted { per_page, starting_after: request.query("starting_after"), settings: request.settings };
    let page = wanted.cut(&all, |contact| &contact.id)?;
    let data: Vec<Value> = page.items.iter().map(|contact| shown(contact, request)).collect();
    Ok(Reply::ok(json!({"type": "list", "data": data, "total_count": all.len(), "pages": page.pages})))
}

/// The contact in full, with its merge history when the query asks for it.
pub fn shown(contact: &Contact, request: &Request<'_>) -> Value {
    let mut view = contact_view::full(contact, request.settings);
    if request.query("include_merge_history") == Some("true") {
        view["merge_history"] = contact_view::merge_history(contact);
    }
    view
}

/// A copy of the contact with this id, to be changed and put back.
pub fn writable(state: &State, id: &str, request: &Request<'_>) -> Result<Contact, Refusal> {
    match state.readable(id, request.version) {
        Ok(contact) => Ok(Contact::clone(contact)),
        Err(gone) if gone.status == 410 && request.settings.merged_write == MergedWrite::NotFound => {
            Err(Refusal::no_contact())
        }
        Err(refusal) => Err(refusal),
    }
}

fn role(request: &Request<'_>) -> Result<Option<Role>, Refusal> {
    match shape::text(&request.body, "role")?.as_deref() {
        None => Ok(None),
        Some("user") => Ok(Some(Role::User)),
        Some("lead") => Ok(Some(Role::Lead)),
        Some(other) => Err(Refusal::invalid("role", format!("role must be user or lead, not {other}"))),
    }
}

fn fields(request: &Request<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut fields = shape::read(FIELDS, &request.body, request.settings)?;
    if fields.get("email_verified").is_some_and(|value| !value.is_null()) && !fields.contains_key("email") {
        return Err(Refusal::invalid("email_verified", "email_verified needs an email in the same request"));
    }
    let email = fields.get("email").and_then(Value::as_str).filter(|email| !email.is_empty());
    if request.settings.malformed_email == Strictness::Refuse && !email.is_none_or(is_email) {
        return Err(Refusal::invalid("email", "Email is invalid"));
    }
    if let Some(owner) = owner(request)? {
        fields.insert("owner_id".to_owned(), owner);
    }
    Ok(fields)
}

/// Something, an `@`, and a domain; no spaces.
fn is_email(text: &str) -> bool {
    let (local, domain) = text.split_once('@').unwrap_or_default();
    !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
}

fn owner(request: &Request<'_>) -> Result<Option<Value>, Refusal> {
    let Some(sent) = request.body.get("owner_id") else { return Ok(None) };
    let owner = match (sent.to_value(), request.version.owner_id_is_text()) {
        (Value::Null, _) => return Ok(Some(Value::Null)),
        (Value::String(text), true) => text,
        (Value::Number(number), false) => number.to_string(),
        (_, true) => return Err(Refusal::invalid("owner_id", "owner_id must be a string")),
        (_, false) => return Err(Refusal::invalid("owner_id", "owner_id must be an integer")),
    };
    match request.settings.admin_ids.contains(&owner) {
        true => Ok(Some(Value::String(owner))),
        false => Err(Refusal::invalid("owner_id", format!("there is no admin {owner}"))),
    }
}

/// Writes the fields into the contact; says what was left out.
fn fill(contact: &mut Contact, fields: Map<String, Value>, request: &Request<'_>) -> Result<Option<String>, Refusal> {
    let mut note = None;
    for (name, value) in fields {
        match name.as_str() {
            "email" => contact.email = present(value),
            "external_id" if contact.role == Role::User => contact.external_id = present(value),
            "external_id" if request.settings.lead_external_id == Strictness::Refuse => {
                return Err(Refusal::invalid("external_id", "a lead cannot have an external_id"));
            }
            "external_id" => note = Some("external_id of a lead was ignored".to_owned()),
            _ if value.is_null() => drop(contact.fields.remove(&name)),
            _ => drop(contact.fields.insert(name, value)),
        }
    }
    Ok(note)
}

fn present(value: Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Refuses a user who would share an external id, or an e-mail that must not be shared, with another one. Leads never
/// conflict.
fn check_conflict(state: &State, contact: &Contact, request: &Request<'_>) -> Result<(), Refusal> {
    if contact.role == Role::Lead {
        return Ok(());
    }
    let before = state.contact(&contact.id);
    let same_external_id = contact.external_id.as_deref().and_then(|id| state.by_external_id(id));
    if let Some(other) = same_external_id.filter(|other| other.id != contact.id && other.merged_into.is_none()) {
        return Err(conflict(other));
    }
    let settled = before.is_some_and(|old| old.role == contact.role && old.email_lowered() == contact.email_lowered());
    let Some(email) = contact.email.as_deref().filter(|_| !settled) else { return Ok(()) };
    let clashes = |other: &Contact| match request.settings.email_uniqueness {
        EmailUniqueness::Strict => true,
        EmailUniqueness::OnlyWithoutExternalId => contact.external_id.is_none() || other.external_id.is_none(),
        EmailUniqueness::Off => false,
    };
    match state.users_by_email(email).find(|other| other.id != contact.id && clashes(other)) {
        Some(other) => Err(conflict(other)),
        None => Ok(()),
    }
}

/// The only answer of the service that names an archived contact: its message ends in the id.
fn conflict(other: &Contact) -> Refusal {
    let who = if other.archived { "An archived contact" } else { "A contact" };
    Refusal::new(409, "conflict", format!("{who} matching those details already exists with id={}", other.id))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check};
    use super::*;

    fn id(view: &Value) -> String {
        view["id"].as_str().expect("a contact has an id").to_owned()
    }

    #[track_caller]
    fn check_conflict(uniqueness: EmailUniqueness, first: Value, second: Value, conflicts: bool) {
        let mut case = Case::new();
        case.settings.email_uniqueness = uniqueness;
        case.ok("POST", "/contacts", first.clone());
        let answer = case.answer("POST", "/contacts", second.clone());
        assert_eq!(answer.is_err_and(|refusal| refusal.status == 409), conflicts, "{uniqueness:?} {first} {second}");
    }

    #[test]
    fn a_contact_needs_a_name_and_members_of_their_types() {
        let path = "/contacts";
        check("POST", path, json!({"name": "Ann"}), 400, "parameter_not_found");
        check("POST", path, json!({"role": "user"}), 400, "parameter_not_found");
        check("POST", path, json!({"role": "visitor"}), 400, "parameter_invalid");
        check("POST", path, json!({"external_id": 7}), 400, "parameter_invalid");
        check("POST", path, json!({"role": "lead", "external_id": "u1"}), 400, "parameter_invalid");
        check("POST", path, json!({"email": "a@b.c", "last_seen_at": 1_700_000_000.5}), 400, "parameter_invalid");
        check("POST", path, json!({"email": "a@b.c", "owner_id": 1}), 400, "parameter_invalid");
        check("POST", path, json!({"email": "a@b.c", "owner_id": "77"}), 400, "parameter_invalid");
        check("POST", path, json!({"external_id": "u1", "email_verified": true}), 400, "parameter_invalid");
        check("POST", path, json!({"email": "a@b.c", "custom_attributes": [1]}), 400, "parameter_invalid");
        for email in ["ann", "@b.c", "ann@", "a@b@c", "an n@b.c"] {
            check("POST", path, json!({"email": email}), 400, "parameter_invalid");
        }
        let mut case = Case::new();
        case.settings.malformed_email = Strictness::Accept;
        case.ok("POST", path, json!({"email": "ann"}));
    }

    #[test]
    fn what_was_written_is_read_and_what_is_unknown_is_ignored() {
        let mut case = Case::new();
        let body = json!({"external_id": "u/1", "email": "Ann@b.c", "name": "Ann", "owner_id": "1", "signed_up_at": 5,
            "avatar": "https://a/b.png", "companies": [{"company_id": "c1"}], "user_id": "x"});
        let made = case.ok("POST", "/contacts", body);
        let id = id(&made);
        assert_eq!(id.len(), 24);
        assert_eq!(case.ok("GET", &format!("/contacts/{id}"), Value::Null), made);
        assert_eq!(case.ok("GET", "/contacts/find_by_external_id/u%2F1", Value::Null), made);
        assert_eq!(
            (&made["role"], &made["email"], &made["email_domain"]),
            (&json!("user"), &json!("Ann@b.c"), &json!("b.c"))
        );
        assert_eq!(made["avatar"]["image_url"], "https://a/b.png");
        assert_eq!(made["companies"]["total_count"], 0);
        case.now += 10;
        let changed = case.ok("PUT", &format!("/contacts/{id}"), json!({"name": null, "phone": "1"}));
        assert_eq!(
            (&changed["name"], &changed["phone"], &changed["signed_up_at"]),
            (&Value::Null, &json!("1"), &json!(5))
        );
        assert_eq!(changed["updated_at"].as_i64(), made["updated_at"].as_i64().map(|at| at + 10));
    }

    #[test]
    fn ids_are_the_same_in_every_run() {
        let make = || id(&Case::new().ok("POST", "/contacts", json!({"email": "a@b.c"})));
        assert_eq!(make(), make());
    }

    #[test]
    fn users_conflict_by_external_id_and_leads_never() {
        let user = |external_id: &str| json!({"external_id": external_id});
        check_conflict(EmailUniqueness::Off, user("u1"), user("u1"), true);
        check_conflict(EmailUniqueness::Off, user("u1"), user("u2"), false);
        let lead = json!({"role": "lead", "email": "a@b.c"});
        check_conflict(EmailUniqueness::Strict, lead.clone(), lead.clone(), false);
        check_conflict(EmailUniqueness::Strict, json!({"email": "a@b.c"}), lead.clone(), false);
        check_conflict(EmailUniqueness::Strict, lead, json!({"email": "a@b.c"}), false);
    }

    #[test]
    fn users_conflict_by_email_as_the_switch_says() {
        let (bare, one) = (json!({"email": "a@b.c"}), json!({"email": "A@b.c", "external_id": "u1"}));
        let two = json!({"email": "a@b.c", "external_id": "u2"});
        check_conflict(EmailUniqueness::Strict, one.clone(), two.clone(), true);
        check_conflict(EmailUniqueness::OnlyWithoutExternalId, one.clone(), two.clone(), false);
        check_conflict(EmailUniqueness::OnlyWithoutExternalId, one.clone(), bare.clone(), true);
        check_conflict(EmailUniqueness::OnlyWithoutExternalId, bare.clone(), one.clone(), true);
        check_conflict(EmailUniqueness::Off, bare.clone(), bare, false);
        check_conflict(EmailUniqueness::Off, one, two, false);
    }

    #[test]
    fn an_update_conflicts_too_and_never_with_itself() {
        let mut case = Case::new();
        case.ok("POST", "/contacts", json!({"external_id": "u1"}));
        let second = case.ok("POST", "/contacts", json!({"external_id": "u2", "email": "a@b.c"}));
        let path = format!("/contacts/{}", id(&second));
        case.ok("PUT", &path, json!({"external_id": "u2", "email": "a@b.c", "name": "B"}));
        assert_eq!(case.refused("PUT", &path, json!({"external_id": "u1"})).status, 409);
        case.ok("PUT", &path, json!({"external_id": "u3"}));
        assert_eq!(case.refused("GET", "/contacts/find_by_external_id/u2", Value::Null).status, 404);
    }

    #[test]
    fn a_lead_becomes_a_user_and_never_a_lead_again() {
        let mut case = Case::new();
        let lead = case.ok("POST", "/contacts", json!({"role": "lead", "email": "a@b.c"}));
        let path = format!("/contacts/{}", id(&lead));
        assert_eq!(case.refused("PUT", &path, json!({"external_id": "u1"})).status, 400);
        let user = case.ok("PUT", &path, json!({"role": "user", "external_id": "u1"}));
        assert_eq!(case.ok("GET", "/contacts/find_by_external_id/u1", Value::Null)["id"], user["id"]);
        assert_eq!(case.refused("PUT", &path, json!({"role": "lead"})).code, "client_error");
    }

    #[test]
    fn a_deleted_contact_is_gone_and_its_names_are_free() {
        let mut case = Case::new();
        let body = json!({"external_id": "u1", "email": "a@b.c"});
        let path = format!("/contacts/{}", id(&case.ok("POST", "/contacts", body.clone())));
        assert_eq!(case.ok("DELETE", &path, Value::Null)["deleted"], true);
        for method in ["GET", "PUT", "DELETE"] {
            assert_eq!(case.refused(method, &path, Value::Null).status, 404, "{method}");
        }
        case.ok("POST", "/contacts", body);
    }

    #[test]
    fn older_versions_know_less() {
        let mut case = Case::new();
        case.ok("POST", "/contacts", json!({"external_id": "u1"}));
        case.version = "2.12";
        assert_eq!(case.refused("GET", "/contacts/find_by_external_id/u1", Value::Null).status, 404);
        case.ok("POST", "/contacts", json!({"external_id": "u2", "owner_id": 1}));
    }

    #[test]
    fn lists_go_by_cursor_newest_first() {
        let mut case = Case::new();
        for n in 0..3 {
            case.ok("POST", "/contacts", json!({"external_id": format!("u{n}")}));
        }
        let first = case.ok("GET", "/contacts?per_page=2", Value::Null);
        assert_eq!(first["data"][0]["external_id"], "u2");
        let cursor = first["pages"]["next"]["starting_after"].as_str().unwrap().to_owned();
        let last = case.ok("GET", &format!("/contacts?per_page=2&starting_after={cursor}"), Value::Null);
        assert_eq!((&last["data"][0]["external_id"], &last["pages"]["next"]), (&json!("u0"), &Value::Null));
        assert_eq!(case.refused("GET", "/contacts?per_page=0", Value::Null).status, 400);
        assert_eq!(case.refused("GET", "/contacts?starting_after=x", Value::Null).status, 400);
    }
}
