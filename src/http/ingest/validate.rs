//! Whether a call is an event: the rules of the Segment spec, with Segment's own words for what breaks them.
//!
//! Only members that matter to the call are looked at: `properties` of an identify may be anything. `null` is absent,
//! and so is an empty id; a number in the place of an id is its text.

use crate::event::{Invalid, Kind};
use crate::http::problem::nearest;
use crate::json::{Json, Object};

/// Characters a message id may have.
const MESSAGE_ID_MAX: usize = 100;

/// Which call an item of a batch is, by its own `type`.
pub fn kind(call: &Object<'_>) -> Result<Kind, Invalid> {
    let word = match present(call, "type") {
        None => return Err(Invalid::new("type_missing", "`type` is missing: it says which of the six calls this is")),
        Some(Json::String(word)) => word,
        Some(other) => return Err(Invalid::new("type_unknown", format!("`type` is a {}, not text", other.kind()))),
    };
    Kind::from_name(word).ok_or_else(|| {
        let known = Kind::ALL.into_iter().map(Kind::name);
        let hint = nearest(&word.to_ascii_lowercase(), known).map(|name| format!(", did you mean `{name}`?"));
        let word: String = word.chars().take(60).collect();
        Invalid::new("type_unknown", format!("unknown `type` `{word}`{}", hint.unwrap_or_default()))
    })
}

/// Checks a call; the first rule it breaks is the answer.
pub fn check(call: &Object<'_>, kind: Kind) -> Result<(), Invalid> {
    check_ids(call, kind)?;
    match kind {
        Kind::Track => {
            check_event(call)?;
            check_object(call, "properties", "properties_not_object")?;
        }
        Kind::Page | Kind::Screen => {
            check_text(call, "name", "name_not_string")?;
            check_text(call, "category", "category_not_string")?;
            check_object(call, "properties", "properties_not_object")?;
        }
        Kind::Identify | Kind::Group => check_object(call, "traits", "traits_not_object")?,
        Kind::Alias => {}
    }
    check_object(call, "context", "context_not_object")?;
    check_object(call, "integrations", "integrations_not_object")?;
    if let Some(Json::Object(context)) = call.get("context") {
        check_object(context, "traits", "traits_not_object")?;
    }
    Ok(())
}

/// The sender's id for the call; `None` when it has none.
pub fn message_id(call: &Object<'_>) -> Result<Option<String>, Invalid> {
    let refuse = |what: String| Invalid::new("message_id_invalid", format!("`messageId` {what}"));
    match present(call, "messageId") {
        None => Ok(None),
        Some(Json::Number(number)) => Ok(Some(number.to_string())),
        Some(Json::String(text)) if text.is_empty() => Ok(None),
        Some(Json::String(text)) if text.len() > MESSAGE_ID_MAX && text.chars().count() > MESSAGE_ID_MAX => {
            Err(refuse(format!("is longer than {MESSAGE_ID_MAX} characters")))
        }
        Some(Json::String(text)) => Ok(Some(text.to_string())),
        Some(other) => Err(refuse(format!("is a {}, not text", other.kind()))),
    }
}

fn check_ids(call: &Object<'_>, kind: Kind) -> Result<(), Invalid> {
    let user = has_id(call, "userId")?;
    let anonymous = has_id(call, "anonymousId")?;
    let group = has_id(call, "groupId")?;
    let previous = has_id(call, "previousId")?;
    let required = |what: &str| Err(Invalid::new("id_required", format!("{} needs {what}", kind.name())));
    match kind {
        Kind::Alias if !user || !previous => required("`userId` and `previousId`"),
        Kind::Group if !group => required("`groupId`"),
        _ if !user && !anonymous => required("`userId` or `anonymousId`"),
        _ => Ok(()),
    }
}

fn has_id(call: &Object<'_>, name: &str) -> Result<bool, Invalid> {
    match present(call, name) {
        None => Ok(false),
        Some(Json::String(text)) => Ok(!text.is_empty()),
        Some(Json::Number(_)) => Ok(true),
        Some(other) => Err(Invalid::new("id_not_string", format!("`{name}` is a {}, not text", other.kind()))),
    }
}

fn check_event(call: &Object<'_>) -> Result<(), Invalid> {
    match present(call, "event") {
        Some(Json::String(name)) if !name.is_empty() => Ok(()),
        None | Some(Json::String(_)) => {
            Err(Invalid::new("event_not_defined", "`event` is missing: track names its event"))
        }
        Some(other) => Err(Invalid::new("event_not_string", format!("`event` is a {}, not text", other.kind()))),
    }
}

fn check_object(call: &Object<'_>, name: &str, code: &'static str) -> Result<(), Invalid> {
    match present(call, name) {
        None | Some(Json::Object(_)) => Ok(()),
        Some(other) => Err(Invalid::new(code, format!("`{name}` is a {}, not an object", other.kind()))),
    }
}

fn check_text(call: &Object<'_>, name: &str, code: &'static str) -> Result<(), Invalid> {
    match present(call, name) {
        None | Some(Json::String(_)) => Ok(()),
        Some(other) => Err(Invalid::new(code, format!("`{name}` is a {}, not text", other.kind()))),
    }
}

fn present<'a, 'j>(call: &'a Object<'j>, name: &str) -> Option<&'a Json<'j>> {
    call.get(name).filter(|json| !json.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check(call: &str, expected: Result<Kind, &'static str>) {
        let json = json::parse(call.as_bytes()).unwrap();
        let call = json.as_object().unwrap();
        let judged = kind(call).and_then(|kind| super::check(call, kind).map(|()| kind));
        let judged = judged.and_then(|kind| message_id(call).map(|_| kind));
        assert_eq!(judged.map_err(|invalid| invalid.code), expected, "{json}");
    }

    #[test]
    fn each_call_has_its_ids() {
        check(r#"{"type":"identify","userId":"u"}"#, Ok(Kind::Identify));
        check(r#"{"type":"Identify","userId":null,"anonymousId":"a"}"#, Ok(Kind::Identify));
        check(r#"{"type":"identify","userId":7}"#, Ok(Kind::Identify));
        check(r#"{"type":"identify"}"#, Err("id_required"));
        check(r#"{"type":"identify","userId":"","anonymousId":null}"#, Err("id_required"));
        for id in ["{}", "[]", "true", "[\"u\"]"] {
            check(&format!(r#"{{"type":"identify","userId":{id}}}"#), Err("id_not_string"));
            check(&format!(r#"{{"type":"identify","userId":"u","anonymousId":{id}}}"#), Err("id_not_string"));
        }
        check(r#"{"type":"group","userId":"u","groupId":"g"}"#, Ok(Kind::Group));
        check(r#"{"type":"group","userId":"u"}"#, Err("id_required"));
        check(r#"{"type":"group","groupId":"g"}"#, Err("id_required"));
        check(r#"{"type":"group","userId":"u","groupId":{}}"#, Err("id_not_string"));
        check(r#"{"type":"alias","userId":"u","previousId":"p"}"#, Ok(Kind::Alias));
        check(r#"{"type":"alias","userId":"u","anonymousId":"a"}"#, Err("id_required"));
        check(r#"{"type":"alias","previousId":"p"}"#, Err("id_required"));
    }

    #[test]
    fn members_have_their_types() {
        check(r#"{"type":"track","userId":"u","event":"E","properties":null,"context":{}}"#, Ok(Kind::Track));
        check(r#"{"type":"track","userId":"u"}"#, Err("event_not_defined"));
        check(r#"{"type":"track","userId":"u","event":""}"#, Err("event_not_defined"));
        check(r#"{"type":"track","userId":"u","event":5}"#, Err("event_not_string"));
        check(r#"{"type":"track","userId":"u","event":"E","properties":[]}"#, Err("properties_not_object"));
        check(r#"{"type":"track","userId":"u","event":"E","context":"x"}"#, Err("context_not_object"));
        check(r#"{"type":"track","userId":"u","event":"E","integrations":[]}"#, Err("integrations_not_object"));
        check(r#"{"type":"track","userId":"u","event":"E","traits":"not looked at"}"#, Ok(Kind::Track));
        check(r#"{"type":"identify","userId":"u","traits":"x"}"#, Err("traits_not_object"));
        check(r#"{"type":"identify","userId":"u","context":{"traits":1}}"#, Err("traits_not_object"));
        check(r#"{"type":"group","userId":"u","groupId":"g","traits":1}"#, Err("traits_not_object"));
        check(r#"{"type":"page","userId":"u","name":"N","category":null}"#, Ok(Kind::Page));
        check(r#"{"type":"page","userId":"u","name":5}"#, Err("name_not_string"));
        check(r#"{"type":"screen","userId":"u","category":{}}"#, Err("category_not_string"));
    }

    #[test]
    fn the_type_and_the_message_id_are_known() {
        check(r#"{"userId":"u"}"#, Err("type_missing"));
        check(r#"{"type":null,"userId":"u"}"#, Err("type_missing"));
        check(r#"{"type":5,"userId":"u"}"#, Err("type_unknown"));
        let json = json::parse(br#"{"type":"indentify"}"#).unwrap();
        let message = kind(json.as_object().unwrap()).unwrap_err().message;
        assert_eq!(message, "unknown `type` `indentify`, did you mean `identify`?");
        let with_id = |id: &str| format!(r#"{{"type":"page","userId":"u","messageId":{id}}}"#);
        check(&with_id("\"m\""), Ok(Kind::Page));
        check(&with_id("17"), Ok(Kind::Page));
        check(&with_id("null"), Ok(Kind::Page));
        check(&with_id("\"\""), Ok(Kind::Page));
        check(&with_id(&format!("{:?}", "é".repeat(100))), Ok(Kind::Page));
        check(&with_id(&format!("{:?}", "m".repeat(101))), Err("message_id_invalid"));
        check(&with_id("[]"), Err("message_id_invalid"));
    }
}
