//! `/events`: what contacts did.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Refusal, Reply};
use super::settings::{Settings, Strictness};
use super::shape;
use super::state::{Id, Role, State};
use crate::instant::Timestamp;
use crate::json::{Json, Object};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "POST", path: "/events", described: &[202, 401], answer: record },
    Endpoint { method: "GET", path: "/events", described: &[200, 401], answer: list },
];

/// Most metadata keys that are kept.
const METADATA_MAX: usize = 10;

/// One event of a contact.
#[derive(Debug, Clone)]
struct Event {
    contact: Id,
    name: String,
    created_at: i64,
    metadata: Object<'static>,
    /// Keys beyond the most, which the service loses without a word.
    dropped: Vec<String>,
    /// How often it was sent again.
    repeats: u64,
}

/// The events of the workspace.
#[derive(Debug, Clone, Default)]
pub struct Events {
    all: Vec<Event>,
    /// Contact, folded name, second → place in the list.
    known: HashMap<(Id, String, i64), usize>,
    /// Folded name → as it was first written.
    names: BTreeMap<String, String>,
}

impl Events {
    /// All events as JSON, oldest first; `metadata` is text, since its order counts, beside `metadata_keys`.
    pub fn view(&self) -> Vec<Value> {
        let view = |event: &Event| {
            json!({
                "contact_id": event.contact,
                "event_name": event.name,
                "created_at": event.created_at,
                "metadata": Json::from(event.metadata.clone()).to_value(),
                "metadata_keys": event.metadata.iter().map(|(key, _)| key).collect::<Vec<_>>(),
                "metadata_dropped": event.dropped,
                "repeats": event.repeats,
            })
        };
        self.all.iter().map(view).collect()
    }

    /// Gives one contact's events to another.
    pub fn move_over(&mut self, from: &str, into: &str) {
        for (at, event) in self.all.iter_mut().enumerate().filter(|(_, event)| event.contact == from) {
            self.known.remove(&(event.contact.clone(), fold(&event.name), event.created_at));
            event.contact = into.to_owned();
            self.known.entry((into.to_owned(), fold(&event.name), event.created_at)).or_insert(at);
        }
    }

    /// Takes a name into use, and gives the spelling it was first seen in; refused when there are too many names.
    fn name(&mut self, name: &str, settings: &Settings) -> Result<String, Refusal> {
        let folded = fold(name);
        if !self.names.contains_key(&folded) && self.names.len() >= settings.event_names_max {
            let message = format!("the workspace has {} event names, which is the most", settings.event_names_max);
            return Err(Refusal::new(settings.event_names_status, "422", message));
        }
        Ok(self.names.entry(folded).or_insert_with(|| hyphenated(name)).clone())
    }

    fn add(&mut self, event: Event) {
        let key = (event.contact.clone(), fold(&event.name), event.created_at);
        match self.known.get(&key) {
            Some(at) => self.all[*at].repeats += 1,
            None => {
                self.known.insert(key, self.all.len());
                self.all.push(event);
            }
        }
    }
}

fn record(state: &mut State, request: &Request<'_>) -> Answer {
    let body = &request.body;
    let name = shape::text(body, "event_name")?;
    let name = name.ok_or_else(|| Refusal::missing("event_name", "event_name must be given"))?;
    let created_at = body.get("created_at");
    let created_at = created_at.ok_or_else(|| Refusal::missing("created_at", "created_at must be given"))?;
    let created_at = shape::seconds("created_at", created_at, request.settings)?;
    let (metadata, dropped) = metadata(body, request.settings)?;
    let contact = subject(state, body)?;
    let note = note(created_at, &dropped, request.now);
    let name = state.events.name(&name, request.settings)?;
    state.events.add(Event { contact, name, created_at, metadata, dropped, repeats: 0 });
    Ok(Reply::accepted().noting(note))
}

/// One contact's events of the last ninety days: how often each name, and when.
fn list(state: &mut State, request: &Request<'_>) -> Answer {
    const KEPT_SECS: i64 = 90 * 86_400;
    if request.query("type") != Some("user") {
        return Err(Refusal::invalid("type", "type must be user"));
    }
    let found = match (request.query("intercom_user_id"), request.query("user_id"), request.query("email")) {
        (Some(id), None, None) => state.contact(id),
        (None, Some(user_id), None) => state.by_external_id(user_id),
        (None, None, Some(email)) => state.users_by_email(email).next(),
        _ => return Err(Refusal::missing("user_id", "One of intercom_user_id, user_id or email must be given")),
    };
    let contact = found.filter(|contact| contact.is_active()).ok_or_else(Refusal::no_contact)?;
    let mut names: BTreeMap<&str, (i64, i64, u64)> = BTreeMap::new();
    let recent = state.events.all.iter().filter(|event| event.created_at > request.now - KEPT_SECS);
    for event in recent.filter(|event| event.contact == contact.id) {
        let (first, last, count) = names.entry(&event.name).or_insert((event.created_at, event.created_at, 0));
        (*first, *last, *count) = ((*first).min(event.created_at), (*last).max(event.created_at), *count + 1);
    }
    let summary = |(name, (first, last, count)): (&str, (i64, i64, u64))| {
        let time = |second| Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default();
        json!({"name": name, "first": time(first), "last": time(last), "count": count, "description": ""})
    };
    let mut view = json!({"type": "event.summary", "intercom_user_id": contact.id});
    view["events"] = names.into_iter().map(summary).collect();
    for (name, value) in [("email", &contact.email), ("user_id", &contact.external_id)] {
        if let Some(text) = value {
            view[name] = text.as_str().into();
        }
    }
    Ok(Reply::ok(view))
}

fn note(created_at: i64, dropped: &[String], now: i64) -> Option<String> {
    const AHEAD_MAX: i64 = 60;
    if !dropped.is_empty() {
        return Some(format!("metadata beyond {METADATA_MAX} keys was dropped: {}", dropped.join(", ")));
    }
    (created_at > now + AHEAD_MAX).then(|| "created_at lies in the future".to_owned())
}

/// Whom the event is about. Leads are found by their id alone.
fn subject(state: &State, body: &Object<'_>) -> Result<Id, Refusal> {
    let (id, user_id, email) = (shape::text(body, "id")?, shape::text(body, "user_id")?, shape::text(body, "email")?);
    match (id, user_id, email) {
        (Some(id), None, None) => {
            let found = state.contact(&id).filter(|contact| contact.is_active());
            found.map(|contact| contact.id.clone()).ok_or_else(Refusal::no_contact)
        }
        (None, Some(user_id), None) => {
            let found = state.by_external_id(&user_id).filter(|found| found.is_active() && found.role == Role::User);
            found.map(|contact| contact.id.clone()).ok_or_else(Refusal::no_contact)
        }
        (None, None, Some(email)) => by_email(state, &email),
        (None, None, None) => Err(Refusal::missing("user_id", "One of id, user_id or email must be given")),
        _ => Err(Refusal::invalid("user_id", "Only one of id, user_id and email may be given")),
    }
}

/// Guess: several users of one e-mail are a conflict that names nobody.
fn by_email(state: &State, email: &str) -> Result<Id, Refusal> {
    let mut found = state.users_by_email(email).filter(|contact| contact.is_active());
    let first = found.next().ok_or_else(Refusal::no_contact)?;
    match found.next() {
        None => Ok(first.id.clone()),
        Some(_) => Err(Refusal::new(409, "conflict", "Several users have this email; name one by user_id")),
    }
}

/// The metadata that is kept, and the keys that are lost.
fn metadata(body: &Object<'_>, settings: &Settings) -> Result<(Object<'static>, Vec<String>), Refusal> {
    let sent = shape::object(body, "metadata")?.cloned().unwrap_or_default();
    if settings.nested_metadata == Strictness::Refuse
        && let Some((key, _)) = sent.iter().find(|(_, value)| !is_metadata(value))
    {
        return Err(Refusal::invalid("metadata", format!("Invalid metadata: '{key}' cannot hold such a value")));
    }
    let mut members: Vec<_> = sent.into_owned().into_iter().collect();
    let dropped = members.split_off(members.len().min(METADATA_MAX));
    Ok((members.into_iter().collect(), dropped.into_iter().map(|(key, _)| key.into_owned()).collect()))
}

/// A scalar, a link with its text, or an amount of money in integers of the smallest unit.
fn is_metadata(value: &Json<'_>) -> bool {
    match value {
        Json::Object(object) if object.len() == 2 => {
            let is_text = |key| object.get(key).is_some_and(|value| value.as_str().is_some());
            let is_amount = matches!(object.get("amount"), Some(Json::Number(number)) if !number.is_f64());
            (is_text("url") && object.get("value").is_some()) || (is_amount && is_text("currency"))
        }
        Json::Object(_) | Json::List(_) => false,
        _ => true,
    }
}

/// The name as the workspace keeps it.
fn hyphenated(name: &str) -> String {
    name.replace(['.', '$'], "-")
}

/// The name as comparisons want it.
fn fold(name: &str) -> String {
    hyphenated(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn with_user() -> Case {
        let mut case = Case::new();
        case.ok("POST", "/contacts", json!({"external_id": "u1", "email": "A@b.c"}));
        case
    }

    #[track_caller]
    fn check(body: Value, expected: Result<u16, (u16, &str)>) {
        let answer = with_user().answer("POST", "/events", body.clone());
        let answer = answer.map(|reply| reply.status).map_err(|refusal| (refusal.status, refusal.code));
        assert_eq!(answer, expected, "{body}");
    }

    #[test]
    fn an_event_has_a_name_a_second_and_exactly_one_subject() {
        check(json!({"event_name": "a", "created_at": 1, "user_id": "u1"}), Ok(202));
        check(json!({"event_name": "a", "created_at": 1, "email": "a@B.c"}), Ok(202));
        check(json!({"event_name": "a", "created_at": 1, "user_id": "u2"}), Err((404, "not_found")));
        check(json!({"event_name": "a", "created_at": 1, "id": "nobody"}), Err((404, "not_found")));
        check(json!({"event_name": "a", "created_at": 1}), Err((400, "parameter_not_found")));
        check(
            json!({"event_name": "a", "created_at": 1, "user_id": "u1", "email": "x"}),
            Err((400, "parameter_invalid")),
        );
        check(json!({"event_name": "a", "user_id": "u1"}), Err((400, "parameter_not_found")));
        check(json!({"created_at": 1, "user_id": "u1"}), Err((400, "parameter_not_found")));
        check(json!({"event_name": "a", "created_at": 1.5, "user_id": "u1"}), Err((400, "parameter_invalid")));
        check(json!({"event_name": "a", "created_at": "1", "user_id": "u1"}), Err((400, "parameter_invalid")));
        check(
            json!({"event_name": "a", "created_at": 1_700_000_000_000_i64, "user_id": "u1"}),
            Err((400, "parameter_invalid")),
        );
    }

    #[test]
    fn metadata_is_flat_but_for_links_and_money() {
        let with =
            |value: Value| json!({"event_name": "a", "created_at": 1, "user_id": "u1", "metadata": {"x": value}});
        for fine in [json!("s"), json!(1.5), json!(true), json!(null), json!({"url": "https://a", "value": "a"})] {
            check(with(fine), Ok(202));
        }
        check(with(json!({"amount": 100, "currency": "usd"})), Ok(202));
        for refused in [json!([1]), json!({"a": 1}), json!({"amount": 1.5, "currency": "usd"})] {
            check(with(refused), Err((400, "parameter_invalid")));
        }
    }

    #[test]
    fn a_contacts_events_are_counted_by_name() {
        let mut case = with_user();
        let now = case.now;
        for at in [now - 10, now - 5, now - 100 * 86_400] {
            let sent = case.answer("POST", "/events", json!({"event_name": "a", "created_at": at, "user_id": "u1"}));
            assert!(sent.is_ok());
        }
        let summary = case.ok("GET", "/events?type=user&user_id=u1", Value::Null);
        assert_eq!((&summary["events"][0]["count"], &summary["email"]), (&json!(2), &json!("A@b.c")));
        assert_eq!(case.refused("GET", "/events?type=user", Value::Null).status, 400);
        assert_eq!(case.refused("GET", "/events?type=user&email=x", Value::Null).status, 404);
    }

    #[test]
    fn leads_are_found_by_their_id_alone() {
        let mut case = Case::new();
        let lead = case.ok("POST", "/contacts", json!({"role": "lead", "email": "l@b.c"}))["id"].clone();
        let by_email = json!({"event_name": "a", "created_at": 1, "email": "l@b.c"});
        assert_eq!(case.refused("POST", "/events", by_email).status, 404);
        assert!(case.answer("POST", "/events", json!({"event_name": "a", "created_at": 1, "id": lead})).is_ok());
    }

    #[test]
    fn a_shared_email_names_nobody() {
        let mut case = with_user();
        case.ok("POST", "/contacts", json!({"external_id": "u2", "email": "a@b.c"}));
        let refusal = case.refused("POST", "/events", json!({"event_name": "a", "created_at": 1, "email": "a@b.c"}));
        assert_eq!(refusal.status, 409);
        assert!(!refusal.message.contains("id="));
    }

    #[test]
    fn names_fold_and_are_counted() {
        let mut case = with_user();
        case.settings.event_names_max = 2;
        let mut send = |name: &str| {
            let body = json!({"event_name": name, "created_at": 1, "user_id": "u1"});
            case.answer("POST", "/events", body).map_err(|refusal| refusal.status)
        };
        assert!(send("Order.Completed").is_ok());
        assert!(send("order$completed").is_ok());
        assert!(send("other").is_ok());
        assert_eq!(send("third").map(|reply| reply.status), Err(422));
        let events = case.state()["events"].clone();
        assert_eq!(events.as_array().map(Vec::len), Some(2));
        assert_eq!((&events[0]["event_name"], &events[0]["repeats"]), (&json!("Order-Completed"), &json!(1)));
    }

    #[test]
    fn the_first_ten_keys_are_kept_in_the_order_sent() {
        let mut case = with_user();
        let keys: Vec<String> = (0..12).rev().map(|n| format!(r#""k{n}":{n}"#)).collect();
        let body = format!(r#"{{"event_name":"a","created_at":1,"user_id":"u1","metadata":{{{}}}}}"#, keys.join(","));
        let reply = case.answer_text("POST", "/events", &body).expect("a good event");
        assert_eq!(reply.note.as_deref(), Some("metadata beyond 10 keys was dropped: k1, k0"));
        assert_eq!(case.state()["events"][0]["metadata_keys"][0], "k11");
        assert_eq!(case.state()["events"][0]["metadata_dropped"], json!(["k1", "k0"]));
    }
}
