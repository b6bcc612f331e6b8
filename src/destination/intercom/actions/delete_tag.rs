//! `delete_tag`: deletes a tag.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Failure, Outcome};
use crate::destination::intercom::client::{Call, Client};

/// Deletes a tag; it is taken off everything that has it. One that is not there is left at that.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTag {
    /// Intercom's id of the tag.
    #[serde(default)]
    id: Option<String>,
    /// The tag's name, where its id is not known.
    #[serde(default)]
    name: Option<String>,
}

impl Action for DeleteTag {
    type Client = Client;
    const NAME: &'static str = "delete_tag";

    async fn perform(self, client: &Client) -> action::Result {
        let absent = || Ok(Outcome::Skipped("tag_absent", "intercom has no such tag".to_owned()));
        let id = match (&self.id, &self.name) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(name)) => client.tag_id(name).await?,
            (None, None) => return Err(Failure::rejected("payload_invalid", "neither `id` nor `name` says which tag")),
        };
        let Some(id) = id else { return absent() };
        let result = client.call(Call::new("DELETE /tags/{id}", &[&id])?).await;
        client.forget_tag_id(&id);
        match result {
            Ok(answer) => client.delivered(&answer),
            Err(refusal) if refusal.is_missing() => absent(),
            Err(refusal) => Err(refusal.failure),
        }
    }
}
