//! `GET /me` and `GET /admins`: whom the token belongs to, and who else works there.

use serde_json::json;

use super::endpoints::{Endpoint, Request};
use super::reply::{Answer, Reply};

/// The endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint { method: "GET", path: "/me", described: &[200], answer: |_, request| me(request) },
    Endpoint { method: "GET", path: "/admins", described: &[200, 401], answer: |_, request| admins(request) },
];

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

fn admins(request: &Request<'_>) -> Answer {
    let admin = |(at, id): (usize, &String)| {
        json!({
            "type": "admin",
            "id": id,
            "name": if at == 0 { "Sandbox Admin".to_owned() } else { format!("Sandbox Admin {id}") },
            "email": if at == 0 { "admin@sandbox.example".to_owned() } else { format!("admin{id}@sandbox.example") },
            "away_mode_enabled": false,
            "away_mode_reassign": false,
            "has_inbox_seat": true,
            "team_ids": [],
        })
    };
    let admins: Vec<_> = request.settings.admin_ids.iter().enumerate().map(admin).collect();
    Ok(Reply::ok(json!({"type": "admin.list", "admins": admins})))
}
