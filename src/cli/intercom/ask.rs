//! Asking before something is deleted or merged, and saying what it would be.

use anyhow::bail;
use serde_json::Value;

use super::door::Door;
use crate::action::Facts;
use crate::cli::confirm;
use crate::destination::intercom;
use crate::json::Object;

/// Whether the action may go on: it harms nothing, or a person agreed to what it would hit.
pub(super) async fn agreed(door: &Door, facts: &'static Facts, given: &Object<'static>) -> anyhow::Result<bool> {
    let text = |name: &str| given.get(name).map(|value| value.to_value()).map(|value| plain(&value));
    let question = match facts.name {
        "delete_contact" => format!(
            "Delete {} for good?",
            contact(door, given, &[("id", "id"), ("external_id", "external_id"), ("email", "email")]).await?
        ),
        "delete_company" => format!("Delete {} and detach its people?", company(door, given).await?),
        "delete_tag" => {
            let tag = text("name").or_else(|| text("id")).unwrap_or_default();
            format!("Delete the tag {tag}, and take it from everybody who has it?")
        }
        "merge_contacts" => {
            let from =
                contact(door, given, &[("from", "id"), ("from_external_id", "external_id"), ("from_email", "email")]);
            let into =
                contact(door, given, &[("into", "id"), ("into_external_id", "external_id"), ("into_email", "email")]);
            format!("Merge {} into {}? This cannot be taken back.", from.await?, into.await?)
        }
        "raw_request" => match text("method").filter(|method| !method.eq_ignore_ascii_case("get")) {
            Some(method) if method.eq_ignore_ascii_case("delete") => {
                format!("Send {method} {}?", text("path").unwrap_or_default())
            }
            _ => return Ok(true),
        },
        _ => return Ok(true),
    };
    match confirm(&format!("{}: {question}", door.name()))? {
        Some(agreed) => Ok(agreed),
        None => bail!("{question} Nobody is here to answer: --yes goes on without asking"),
    }
}

/// Who that is, as the destination knows them.
async fn contact(door: &Door, given: &Object<'static>, names: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut who = Object::new();
    for (from, to) in names {
        if let Some(value) = given.get(from).filter(|value| !value.is_null()) {
            who.insert((*to).to_owned(), value.clone());
        }
    }
    let known = look(door, "get_contact", &who).await?;
    Ok(match known {
        Some(contact) => described("contact", &contact, &["role", "name", "email", "external_id"]),
        None => format!("the contact{}, whom nobody finds", given_as(&who)),
    })
}

async fn company(door: &Door, given: &Object<'static>) -> anyhow::Result<String> {
    Ok(match look(door, "get_company", given).await? {
        Some(company) => described("company", &company, &["name", "company_id"]),
        None => format!("the company{}, which nobody finds", given_as(given)),
    })
}

/// ` with external_id u-1`: how somebody or something was named.
fn given_as(names: &Object<'static>) -> String {
    let names = names.iter().map(|(name, value)| format!("{name} {}", plain(&value.to_value())));
    let names: Vec<String> = names.collect();
    if names.is_empty() { String::new() } else { format!(" with {}", names.join(" and ")) }
}

/// What a reading action finds; `None` when it finds nothing. What fails otherwise will fail the action too, and say why.
async fn look(door: &Door, action: &str, given: &Object<'static>) -> anyhow::Result<Option<Value>> {
    let facts = (intercom::KIND.actions)().into_iter().find(|facts| facts.name == action);
    let Some(facts) = facts else { return Ok(None) };
    Ok(door.perform(facts, given).await?.document)
}

fn described(what: &str, known: &Value, members: &[&str]) -> String {
    let facts = members.iter().map(|name| plain(&known[*name])).filter(|text| !text.is_empty());
    let facts: Vec<String> = facts.collect();
    let people = known["user_count"].as_u64().map(|count| format!(", {count} people")).unwrap_or_default();
    format!("the {what} {} ({}{people})", plain(&known["id"]), facts.join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
