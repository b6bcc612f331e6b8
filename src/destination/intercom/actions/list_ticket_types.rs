//! `list_ticket_types`: lists the types of tickets.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Document, Manner, Outcome};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::page;

/// Lists the types of tickets the workspace has, with their attributes, all of them at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListTicketTypes {}

impl Action for ListTicketTypes {
    type Client = Client;
    const NAME: &'static str = "list_ticket_types";
    const MANNER: Manner = Manner::Lists;

    async fn perform(self, client: &Client) -> action::Result {
        let answer = client.call(Call::new("GET /ticket_types", &[])?).await?;
        client.answer(Document::Page(page::whole(&answer.json()?)));
        Ok(Outcome::Delivered(Vec::new()))
    }
}
