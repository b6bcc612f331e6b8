//! `get_ticket`: shows a ticket.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{self, Action, Manner};
use crate::destination::intercom::client::{Call, Client};

/// Shows a ticket, all of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetTicket {
    /// Intercom's id of the ticket: the long one of its address, not the number people see.
    id: String,
}

impl Action for GetTicket {
    type Client = Client;
    const NAME: &'static str = "get_ticket";
    const MANNER: Manner = Manner::Reads;

    async fn perform(self, client: &Client) -> action::Result {
        let answer = client.call(Call::new("GET /tickets/{id}", &[&self.id])?).await?;
        client.delivered(&answer)
    }
}
