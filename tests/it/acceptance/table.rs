//! The rows of the fault matrix: each writing action, the workspace it meets, and the fields it is given.

use serde_json::Value;

/// One row.
pub struct Row {
    pub action: &'static str,
    /// Which of several rows of the action.
    pub which: &'static str,
    /// Bodies that fill the workspace.
    seed: &'static str,
    /// The fields, as a mapping has them.
    fields: &'static str,
    /// Whether it does several things, of which the first ones stay done when a later one is refused.
    pub in_steps: bool,
    /// Names of faults after which it cannot know what was done, and may say so or not.
    exceptions: &'static [&'static str],
}

const ROW: Row = Row { action: "", which: "", seed: "{}", fields: "{}", in_steps: false, exceptions: &[] };

const USER: &str = r#"{ "contacts": [{ "external_id": "u-1", "email": "ann@example.com" }] }"#;
const COMPANY: &str = r#"{ "companies": [{ "company_id": "g-1", "name": "Acme" }] }"#;
const BOTH: &str = r#"{ "companies": [{ "company_id": "g-1" }], "contacts": [{ "external_id": "u-1" }] }"#;
const MEMBER: &str =
    r#"{ "companies": [{ "company_id": "g-1" }], "contacts": [{ "external_id": "u-1", "companies": ["g-1"] }] }"#;
const TAGGED: &str = r#"{ "contacts": [{ "external_id": "u-1", "tags": ["Beta"] }] }"#;

/// Every writing action, some of them in several situations.
pub const ACTIONS: &[Row] = &[
    Row {
        action: "identify_contact",
        which: "new user",
        fields: r#"{ "role": "user", "external_id": "u-1", "email": "ann@example.com", "name": "Ann" }"#,
        ..ROW
    },
    Row {
        action: "identify_contact",
        which: "new lead",
        fields: r#"{ "role": "lead", "email": "ann@example.com", "name": "Ann" }"#,
        ..ROW
    },
    Row {
        action: "identify_contact",
        which: "known user with tag and company",
        seed: r#"{ "companies": [{ "company_id": "g-1" }], "tags": ["Beta"], "contacts": [{ "external_id": "u-1", "email": "ann@example.com" }] }"#,
        fields: r#"{ "role": "user", "external_id": "u-1", "name": "Ann", "tags": ["Beta"], "company_id": "g-1" }"#,
        in_steps: true,
        ..ROW
    },
    Row {
        action: "identify_company",
        seed: USER,
        fields: r#"{ "company_id": "g-1", "name": "Acme", "external_id": "u-1" }"#,
        in_steps: true,
        ..ROW
    },
    Row {
        action: "track_event",
        which: "of a user",
        seed: USER,
        fields: r#"{ "event_name": "Signed Up", "created_at": 1767225600, "user_id": "u-1", "metadata": { "plan": "pro" } }"#,
        ..ROW
    },
    Row {
        action: "track_event",
        which: "of a lead",
        seed: r#"{ "contacts": [{ "role": "lead", "email": "ann@example.com" }], "searchable": true }"#,
        fields: r#"{ "event_name": "Signed Up", "created_at": 1767225600, "email": "ann@example.com" }"#,
        ..ROW
    },
    Row {
        action: "create_contact",
        which: "user",
        fields: r#"{ "external_id": "u-1", "email": "ann@example.com" }"#,
        ..ROW
    },
    Row { action: "create_contact", which: "lead", fields: r#"{ "role": "lead", "email": "ann@example.com" }"#, ..ROW },
    Row { action: "update_contact", seed: USER, fields: r#"{ "external_id": "u-1", "name": "Ann" }"#, ..ROW },
    Row { action: "archive_contact", seed: USER, fields: r#"{ "external_id": "u-1" }"#, ..ROW },
    Row {
        action: "unarchive_contact",
        seed: r#"{ "contacts": [{ "external_id": "u-1", "archived": true }] }"#,
        fields: r#"{ "id": "5a4db0c50000000000000001" }"#,
        ..ROW
    },
    Row { action: "delete_contact", seed: USER, fields: r#"{ "external_id": "u-1" }"#, ..ROW },
    Row {
        action: "merge_contacts",
        seed: r#"{ "contacts": [{ "external_id": "u-1" }, { "role": "lead", "email": "ann@example.com" }], "searchable": true }"#,
        fields: r#"{ "from_email": "ann@example.com", "into_external_id": "u-1", "skip_duplicate_validation": true }"#,
        ..ROW
    },
    Row { action: "create_company", fields: r#"{ "company_id": "g-1", "name": "Acme" }"#, ..ROW },
    Row { action: "update_company", seed: COMPANY, fields: r#"{ "company_id": "g-1", "name": "Acme Ltd" }"#, ..ROW },
    Row { action: "delete_company", seed: COMPANY, fields: r#"{ "company_id": "g-1" }"#, ..ROW },
    Row { action: "attach_company", seed: BOTH, fields: r#"{ "company_id": "g-1", "external_id": "u-1" }"#, ..ROW },
    Row { action: "detach_company", seed: MEMBER, fields: r#"{ "company_id": "g-1", "external_id": "u-1" }"#, ..ROW },
    Row { action: "create_tag", fields: r#"{ "name": "Beta" }"#, ..ROW },
    Row { action: "update_tag", seed: r#"{ "tags": ["Beta"] }"#, fields: r#"{ "id": "1", "name": "Gamma" }"#, ..ROW },
    Row { action: "delete_tag", seed: TAGGED, fields: r#"{ "name": "Beta" }"#, ..ROW },
    Row {
        action: "attach_tag",
        which: "contact",
        seed: USER,
        fields: r#"{ "name": "Beta", "external_id": "u-1" }"#,
        ..ROW
    },
    Row {
        action: "attach_tag",
        which: "company",
        seed: COMPANY,
        fields: r#"{ "name": "Beta", "company_id": "g-1" }"#,
        ..ROW
    },
    Row { action: "detach_tag", seed: TAGGED, fields: r#"{ "name": "Beta", "external_id": "u-1" }"#, ..ROW },
    Row {
        action: "create_ticket",
        seed: USER,
        fields: r#"{ "ticket_type_id": "1", "external_id": "u-1", "title": "Broken" }"#,
        ..ROW
    },
    Row {
        action: "raw_request",
        seed: USER,
        // Whoever writes a request of their own reads the answer, whatever it is.
        exceptions: &["page with 200 before"],
        fields: r#"{ "method": "PUT", "path": "/contacts/5a4db0c50000000000000001", "body": { "name": "Ann" } }"#,
        ..ROW
    },
];

/// The same actions where they make many requests.
pub const LONG: &[Row] = &[
    Row {
        action: "identify_contact",
        which: "new user with tags and a new company",
        fields: r#"{ "role": "user", "external_id": "u-1", "email": "ann@example.com", "tags": ["Beta", "Gamma"], "company_id": "g-1" }"#,
        ..ROW
    },
    Row {
        action: "identify_company",
        which: "new, with tags",
        seed: USER,
        fields: r#"{ "company_id": "g-1", "name": "Acme", "external_id": "u-1", "tags": ["Beta", "Gamma"] }"#,
        ..ROW
    },
];

impl Row {
    pub fn name(&self) -> String {
        format!("{} {}", self.action, self.which).trim_end().to_owned()
    }

    pub fn seed(&self) -> Value {
        serde_json::from_str(self.seed).unwrap()
    }

    pub fn fields(&self) -> Value {
        serde_json::from_str(self.fields).unwrap()
    }

    /// Whether the fault is one after which this action cannot know what was done.
    pub fn is_excepted(&self, wrong: &str) -> bool {
        self.exceptions.contains(&wrong)
    }
}
