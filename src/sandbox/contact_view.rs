//! A contact as replies show it.

use serde_json::{Value, json};

use super::settings::Settings;
use super::state::{Contact, State};

/// Most entries of a list inside a contact.
const SHORT_LIST_MAX: usize = 10;

/// Members that are always there and that nothing here fills.
pub const ALWAYS_NULL: [&str; 22] = [
    "last_replied_at",
    "last_contacted_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "language_override",
    "browser",
    "browser_version",
    "browser_language",
    "os",
    "android_app_name",
    "android_app_version",
    "android_device",
    "android_os_version",
    "android_sdk_version",
    "android_last_seen_at",
    "ios_app_name",
    "ios_app_version",
    "ios_device",
    "ios_os_version",
    "ios_sdk_version",
    "ios_last_seen_at",
    "avatar",
];

/// Members that are null until they are written.
const NULL_UNTIL_WRITTEN: [&str; 5] = ["phone", "name", "owner_id", "signed_up_at", "last_seen_at"];

/// The full contact. An absent e-mail is left out, because the description does not let it be null.
pub fn full(contact: &Contact, settings: &Settings) -> Value {
    let id = &contact.id;
    let mut view = json!({
        "type": "contact",
        "id": id,
        "external_id": contact.external_id,
        "workspace_id": settings.workspace_id,
        "role": contact.role.word(),
        "has_hard_bounced": false,
        "marked_email_as_spam": false,
        "unsubscribed_from_emails": false,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "custom_attributes": contact.custom_attributes,
        "location": {"type": "location", "country": null, "region": null, "city": null},
        "social_profiles": {"data": []},
        "notes": short_list(Vec::new(), id, "notes"),
        "tags": short_list(contact.tags.keys().map(|tag| tag_link(*tag)).collect(), id, "tags"),
        "companies": short_list(contact.companies.iter().map(|at| company_link(at)).collect(), id, "companies"),
    });
    for name in ALWAYS_NULL.into_iter().chain(NULL_UNTIL_WRITTEN) {
        view[name] = Value::Null;
    }
    for (name, value) in contact.fields.iter().filter(|(name, _)| *name != "email_verified") {
        view[name] = value.clone();
    }
    if let Some(url) = contact.fields.get("avatar") {
        view["avatar"] = json!({"type": "avatar", "image_url": url});
    }
    if let Some(email) = &contact.email {
        view["email"] = email.as_str().into();
        view["email_domain"] = email.rsplit('@').next().unwrap_or_default().into();
    }
    view
}

/// The contact with what no reply shows: archived, where it was merged to, and the names of its tags.
pub fn inside(contact: &Contact, state: &State, settings: &Settings) -> Value {
    let mut view = full(contact, settings);
    view["archived"] = contact.archived.into();
    view["merged_into"] = contact.merged_into.clone().into();
    view["tag_names"] = contact.tags.keys().filter_map(|id| state.tags.name(*id)).collect();
    view["company_ids"] = contact
        .companies
        .iter()
        .filter_map(|id| state.companies.get(id).and_then(|company| company.company_id.clone()))
        .collect();
    view
}

/// The contact's name card, as archiving and deleting answer it.
pub fn reference(contact: &Contact) -> Value {
    json!({"type": "contact", "id": contact.id, "external_id": contact.external_id})
}

/// What was merged into the contact, oldest first.
pub fn merge_history(contact: &Contact) -> Value {
    let merges = contact.merges.iter().map(|merge| {
        json!({
            "type": "merge_history",
            "source_contact_id": merge.source,
            "source_contact_role": merge.role.word(),
            "merged_at": merge.at,
        })
    });
    merges.collect()
}

fn short_list(all: Vec<Value>, id: &str, name: &str) -> Value {
    let count = all.len();
    let shown: Vec<Value> = all.into_iter().take(SHORT_LIST_MAX).collect();
    json!({
        "data": shown,
        "url": format!("/contacts/{id}/{name}"),
        "total_count": count,
        "has_more": count > SHORT_LIST_MAX,
    })
}

fn tag_link(id: u64) -> Value {
    json!({"type": "tag", "id": id.to_string(), "url": format!("/tags/{id}")})
}

fn company_link(id: &str) -> Value {
    json!({"type": "company", "id": id, "url": format!("/companies/{id}")})
}
