//! `update_tag`: renames a tag.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::action::{self, Action};
use crate::destination::intercom::client::{Call, Client};

/// Renames a tag.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTag {
    /// Intercom's id of the tag.
    id: String,
    /// Its new name.
    name: String,
}

impl Action for UpdateTag {
    type Client = Client;
    const NAME: &'static str = "update_tag";

    async fn perform(self, client: &Client) -> action::Result {
        let body = json!({ "id": self.id, "name": self.name });
        let answer = client.call(Call::new("POST /tags", &[])?.body(&body)).await?;
        client.forget_tag_id(&self.id);
        client.learn_tag(&answer).await;
        client.delivered(&answer)
    }
}
