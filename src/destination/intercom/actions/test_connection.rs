//! `test_connection`: whose token it is, and what it may do.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::action::{self, Action, Document, Failure, Manner, Outcome, Warning};
use crate::destination::intercom::Region;
use crate::destination::intercom::client::{Call, Client};

/// Shows whose token it is, of which workspace in which region, and what it may do, by harmless reads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestConnection {}

/// A permission: what it is called for people, and a read that only it allows.
const PERMISSIONS: [(&str, &str); 5] = [
    ("contacts", "GET /contacts"),
    ("companies", "GET /companies"),
    ("tags", "GET /tags"),
    ("data attributes", "GET /data_attributes"),
    ("ticket types", "GET /ticket_types"),
];

impl Action for TestConnection {
    type Client = Client;
    const NAME: &'static str = "test_connection";
    const MANNER: Manner = Manner::Reads;

    async fn perform(self, client: &Client) -> action::Result {
        let me = client.call(Call::new("GET /me", &[])?).await?.json()?;
        let mut permissions = Vec::new();
        for (name, endpoint) in PERMISSIONS {
            permissions.push(permission(client, name, endpoint).await?);
        }
        let app = &me["app"];
        let warning = wrong_region(client, app["region"].as_str());
        client.answer(Document::One(json!({
            "admin": { "id": me["id"], "name": me["name"], "email": me["email"] },
            "workspace": { "id": app["id_code"], "name": app["name"], "region": app["region"], "timezone": app["timezone"] },
            "version": client.settings().version,
            "permissions": permissions,
        })));
        Ok(Outcome::Delivered(warning.into_iter().collect()))
    }
}

/// Whether a read is let through. What says nothing about permissions is a failure of the test itself.
async fn permission(client: &Client, name: &str, endpoint: &'static str) -> Result<Value, Failure> {
    let query = match endpoint {
        "GET /data_attributes" => [("model", Some("contact".to_owned()))],
        "GET /contacts" | "GET /companies" => [("per_page", Some("1".to_owned()))],
        _ => [("", None)],
    };
    match client.call(Call::new(endpoint, &[])?.query(&query)).await {
        Ok(_) => Ok(json!({ "of": name, "granted": true })),
        // An older version does not know every endpoint.
        Err(refusal) if refusal.is_forbidden() || refusal.is_missing() => {
            Ok(json!({ "of": name, "granted": false, "why": refusal.failure.message }))
        }
        Err(refusal) => Err(refusal.failure),
    }
}

fn wrong_region(client: &Client, theirs: Option<&str>) -> Option<Warning> {
    let ours = client.settings().region?;
    let theirs = theirs?;
    let is_same = match ours {
        Region::Us => theirs.eq_ignore_ascii_case("us"),
        Region::Eu => theirs.eq_ignore_ascii_case("eu"),
        Region::Au => theirs.eq_ignore_ascii_case("au"),
    };
    let message = format!("the workspace's data lives in {theirs}, and `settings.region` says otherwise");
    (!is_same).then(|| Warning::new("region", "region_wrong", message))
}
