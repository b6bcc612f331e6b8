//! `create_tag`: makes a tag.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::action::{self, Action};
use crate::destination::intercom::client::{Call, Client};

/// Makes a tag. One of that name, in whatever letters, is left as it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTag {
    /// The tag's name.
    name: String,
}

impl Action for CreateTag {
    type Client = Client;
    const NAME: &'static str = "create_tag";

    async fn perform(self, client: &Client) -> action::Result {
        let answer = client.call(Call::new("POST /tags", &[])?.body(&json!({ "name": self.name }))).await?;
        client.learn_tag(&answer).await;
        client.delivered(&answer)
    }
}
