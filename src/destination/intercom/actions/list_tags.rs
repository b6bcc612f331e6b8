//! `list_tags`: lists the tags of the workspace.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Document, Manner, Outcome};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::page;

/// Lists the tags of the workspace, all of them at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListTags {}

impl Action for ListTags {
    type Client = Client;
    const NAME: &'static str = "list_tags";
    const MANNER: Manner = Manner::Lists;

    async fn perform(self, client: &Client) -> action::Result {
        let answer = client.call(Call::new("GET /tags", &[])?).await?;
        client.answer(Document::Page(page::whole(&answer.json()?)));
        Ok(Outcome::Delivered(Vec::new()))
    }
}
