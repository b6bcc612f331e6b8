//! What is answered: a reply, or a refusal in the service's error envelope.

use serde_json::{Value, json};

/// What an endpoint answers.
pub type Answer = Result<Reply, Refusal>;

/// A reply as an endpoint makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON body; `None` is an empty one.
    pub body: Option<Value>,
    /// A page instead of JSON.
    pub page: Option<String>,
    /// Headers beyond the usual.
    pub headers: Vec<(&'static str, String)>,
    /// Something the journal should say loudly.
    pub note: Option<String>,
    /// Whether the published description agrees with this body.
    pub described: bool,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: Value) -> Reply {
        Reply { status: 200, body: Some(body), page: None, headers: Vec::new(), note: None, described: true }
    }

    /// 202 with an empty body.
    pub fn accepted() -> Reply {
        Reply { status: 202, body: None, ..Reply::ok(Value::Null) }
    }

    /// The same reply with a remark for the journal.
    pub fn noting(self, note: Option<String>) -> Reply {
        Reply { note, ..self }
    }
}

/// A request that is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The service's stable word.
    pub code: &'static str,
    /// Text for people.
    pub message: String,
    /// The member at fault.
    pub field: Option<String>,
    /// Target of a `Link` header.
    pub canonical: Option<String>,
    /// Something the journal should say loudly.
    pub note: Option<String>,
}

impl Refusal {
    /// A refusal with status, code and text.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), field: None, canonical: None, note: None }
    }

    /// 400: a member has a value that cannot be.
    pub fn invalid(field: &str, message: impl Into<String>) -> Refusal {
        Refusal { field: Some(field.to_owned()), ..Refusal::new(400, "parameter_invalid", message) }
    }

    /// 400: a member is missing.
    pub fn missing(field: &str, message: impl Into<String>) -> Refusal {
        Refusal { field: Some(field.to_owned()), ..Refusal::new(400, "parameter_not_found", message) }
    }

    /// 404 for a contact.
    pub fn no_contact() -> Refusal {
        Refusal::new(404, "not_found", "User Not Found")
    }

    /// 404 for a company.
    pub fn no_company() -> Refusal {
        Refusal::new(404, "company_not_found", "Company Not Found")
    }

    /// 404 for anything else.
    pub fn no_resource() -> Refusal {
        Refusal::new(404, "not_found", "Resource Not Found")
    }

    /// 410 that names the contact it was merged into.
    pub fn merged(into: &str) -> Refusal {
        let message = "This contact was merged; the 'Link' header names the contact to use";
        Refusal { canonical: Some(into.to_owned()), ..Refusal::new(410, "contact_merged", message) }
    }

    /// The same refusal with a remark for the journal.
    pub fn noting(self, note: impl Into<String>) -> Refusal {
        Refusal { note: Some(note.into()), ..self }
    }

    /// The reply that tells it.
    pub fn into_reply(self, request_id: &str) -> Reply {
        let headers = self.canonical.map(|id| ("Link", format!("</contacts/{id}>; rel=\"canonical\"")));
        Reply {
            status: self.status,
            body: Some(envelope(Some(request_id), self.code, &self.message, self.field.as_deref())),
            page: None,
            headers: headers.into_iter().collect(),
            note: self.note,
            described: true,
        }
    }
}

/// The error envelope.
pub fn envelope(request_id: Option<&str>, code: &str, message: &str, field: Option<&str>) -> Value {
    let mut error = json!({"code": code, "message": message});
    if let Some(field) = field {
        error["field"] = field.into();
    }
    json!({"type": "error.list", "request_id": request_id, "errors": [error]})
}
