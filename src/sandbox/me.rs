//! `GET /me`: whom the token belongs to.

use serde_json::json;

use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Reply};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] =
    &[Endpoint { method: "GET", path: "/me", described: &[200], answer: |_, request| me(request) }];

/// When the workspace was made, in Unix seconds.
const WORKSPACE_CREATED_AT: i64 = 1_700_000_000;

fn me(request: &Request<'_>) -> Answer {
    Ok(Reply::ok(json!({
        "type": "admin",
        "id": request.settings.admin_ids.first().map_or("1", String::as_str),
        "name": "Sandbox Admin",
        "email": "admin@sandbox.example",
        "email_verified": true,
        "has_inbox_seat": true,
        "avatar": {"type": "avatar", "image_url": null},
        "app": {
            "type": "app",
            "id_code": request.settings.workspace_id,
            "name": "Sandbox",
            "region": request.settings.region.word(),
            "timezone": "UTC",
            "created_at": WORKSPACE_CREATED_AT,
            "identity_verification": false,
        },
    })))
}
