//! What goes in its turn although its contact is waited for.
//!
//! # Why
//! Calls about a company go in order whoever they are about, so what one says of the company must not wait for a contact:
//! when that comes, others may have said something newer. A link waits, and so does what might undo one.

use serde_json::{Map, Value};

use crate::destination::Ahead;

/// What of an action does not wait.
pub fn ahead(action: &str, payload: &Map<String, Value>) -> Ahead {
    let names = |field: &str| payload.get(field).is_some_and(Value::is_string);
    match action {
        "identify_contact" | "create_contact" => Ahead::Contact,
        "create_company" | "update_company" | "create_tag" => Ahead::Apart,
        "identify_company" if payload.get("remove") != Some(&Value::Bool(true)) => Ahead::Apart,
        // Of a company, where one is named.
        "attach_tag" | "detach_tag" if names("intercom_company_id") || names("company_id") => Ahead::Apart,
        _ => Ahead::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::destination::intercom::actions;

    /// About a contact that must be there, or undoing what an older call may be waiting to do; of a raw request nobody knows.
    const WAITING: [&str; 13] = [
        "archive_contact",
        "attach_company",
        "create_ticket",
        "delete_company",
        "delete_contact",
        "delete_tag",
        "detach_company",
        "merge_contacts",
        "raw_request",
        "track_event",
        "unarchive_contact",
        "update_contact",
        "update_tag",
    ];

    fn goes(action: &str, payload: Value) -> bool {
        ahead(action, payload.as_object().unwrap()) != Ahead::Nothing
    }

    #[test]
    fn every_action_is_thought_of() {
        let company = json!({ "company_id": "c" });
        for facts in actions::facts().into_iter().filter(|facts| facts.in_mappings()) {
            assert_ne!(goes(facts.name, company.clone()), WAITING.contains(&facts.name), "`{}`", facts.name);
        }
    }

    #[test]
    fn what_is_about_a_contact_alone_waits() {
        assert!(!goes("identify_company", json!({ "company_id": "c", "remove": true })));
        assert!(goes("identify_company", json!({ "company_id": "c", "remove": false })));
        for action in ["attach_tag", "detach_tag"] {
            assert!(!goes(action, json!({ "name": "t", "external_id": "u", "company_id": null })));
            assert!(goes(action, json!({ "name": "t", "intercom_company_id": "i" })));
        }
    }
}
