//! The attributes every workspace has.

use super::attribute::{DataType, Model};

/// One of them.
pub struct Row {
    /// What it describes.
    pub model: Model,
    /// Its path in a reply.
    pub full_name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// Whether a write may set it.
    pub api_writable: bool,
}

const fn contact(full_name: &'static str, label: &'static str, data_type: DataType, api_writable: bool) -> Row {
    Row { model: Model::Contact, full_name, label, data_type, api_writable }
}

const fn company(full_name: &'static str, label: &'static str, data_type: DataType, api_writable: bool) -> Row {
    Row { model: Model::Company, full_name, label, data_type, api_writable }
}

/// The list.
pub const STANDARD: &[Row] = &[
    contact("name", "Name", DataType::Text, true),
    contact("email", "Email", DataType::Text, true),
    contact("phone", "Phone", DataType::Text, true),
    contact("external_id", "User ID", DataType::Text, true),
    contact("id", "ID", DataType::Text, false),
    contact("role", "Role", DataType::Text, true),
    contact("owner_id", "Owner", DataType::Text, true),
    contact("created_at", "First seen", DataType::Date, false),
    contact("updated_at", "Updated at", DataType::Date, false),
    contact("signed_up_at", "Signed up", DataType::Date, true),
    contact("last_seen_at", "Last seen", DataType::Date, true),
    contact("last_contacted_at", "Last contacted", DataType::Date, false),
    contact("last_replied_at", "Last heard from", DataType::Date, false),
    contact("unsubscribed_from_emails", "Unsubscribed from emails", DataType::Boolean, true),
    contact("has_hard_bounced", "Has hard bounced", DataType::Boolean, false),
    contact("marked_email_as_spam", "Marked email as spam", DataType::Boolean, false),
    contact("browser", "Browser", DataType::Text, false),
    contact("os", "Operating system", DataType::Text, false),
    contact("location.country", "Country", DataType::Text, false),
    contact("location.city", "City", DataType::Text, false),
    company("name", "Company name", DataType::Text, true),
    company("company_id", "Company ID", DataType::Text, false),
    company("id", "ID", DataType::Text, false),
    company("app_id", "App ID", DataType::Text, false),
    company("created_at", "Created at", DataType::Date, false),
    company("updated_at", "Updated at", DataType::Date, false),
    company("remote_created_at", "Company created at", DataType::Date, true),
    company("last_request_at", "Company last seen", DataType::Date, false),
    company("user_count", "People", DataType::Integer, false),
    company("session_count", "Company web sessions", DataType::Integer, false),
    company("plan.id", "Plan ID", DataType::Text, false),
    company("plan.name", "Plan", DataType::Text, false),
    company("monthly_spend", "Monthly Spend", DataType::Float, true),
    company("size", "Company size", DataType::Integer, true),
    company("industry", "Company industry", DataType::Text, true),
    company("website", "Company website", DataType::Text, true),
];
