//! `list_contacts`: lists contacts.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Document, Manner, Outcome};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::page;

/// Lists contacts, page by page. Archived ones are not among them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListContacts {
    /// Contacts on a page, 1 to 150.
    #[serde(default)]
    per_page: Option<u32>,
    /// The cursor of the page before, where the list goes on.
    #[serde(default)]
    starting_after: Option<String>,
}

impl Action for ListContacts {
    type Client = Client;
    const NAME: &'static str = "list_contacts";
    const MANNER: Manner = Manner::Lists;

    async fn perform(self, client: &Client) -> action::Result {
        let query =
            [("per_page", self.per_page.map(|count| count.to_string())), ("starting_after", self.starting_after)];
        let answer = client.call(Call::new("GET /contacts", &[])?.query(&query)).await?;
        client.answer(Document::Page(page::after_cursor(&answer.json()?)));
        Ok(Outcome::Delivered(Vec::new()))
    }
}
