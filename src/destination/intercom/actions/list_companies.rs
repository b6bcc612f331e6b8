//! `list_companies`: lists companies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{self, Action, Document, Failure, Manner, Outcome, Page};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::page;

/// Lists companies, page by page; those that have a contact. Pages reach 10,000 companies far; `all` goes through all of them by a scroll, of which an app has one at a time, and which ends after a minute without a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListCompanies {
    /// Only companies of this name.
    #[serde(default)]
    name: Option<String>,
    /// Only companies with this tag, by Intercom's id of it.
    #[serde(default)]
    tag_id: Option<String>,
    /// Only companies of this segment, by Intercom's id of it.
    #[serde(default)]
    segment_id: Option<String>,
    /// Companies on a page, 1 to 50.
    #[serde(default)]
    per_page: Option<u32>,
    /// Which page, from 1.
    #[serde(default)]
    page: Option<u32>,
    /// Which way they are sorted, by when they were made.
    #[serde(default)]
    order: Option<Order>,
    /// Goes through all companies by a scroll, also beyond the first 10,000. Not with a name, tag, segment or order.
    #[serde(default)]
    all: bool,
    /// Where the scroll goes on.
    #[serde(default)]
    scroll_param: Option<String>,
}

impl Action for ListCompanies {
    type Client = Client;
    const NAME: &'static str = "list_companies";
    const MANNER: Manner = Manner::Lists;

    async fn perform(self, client: &Client) -> action::Result {
        let page = match (self.scrolls(), self.is_filtered()) {
            (true, _) => self.scroll(client).await?,
            (false, true) => self.filtered(client).await?,
            (false, false) => self.listed(client).await?,
        };
        client.answer(Document::Page(page));
        Ok(Outcome::Delivered(Vec::new()))
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl ListCompanies {
    fn is_filtered(&self) -> bool {
        self.name.is_some() || self.tag_id.is_some() || self.segment_id.is_some()
    }

    /// A scroll knows no filters and no order, so a list with one is paged.
    fn scrolls(&self) -> bool {
        self.scroll_param.is_some() || (self.all && !self.is_filtered() && self.order.is_none() && self.page.is_none())
    }

    async fn scroll(&self, client: &Client) -> Result<Page, Failure> {
        let call = Call::new("GET /companies/scroll", &[])?.query(&[("scroll_param", self.scroll_param.clone())]);
        let answer = client.call(call).await.map_err(|refusal| match refusal.status {
            Some(400 | 409) if self.scroll_param.is_none() => Failure {
                message: format!(
                    "{}; is another scroll open? it ends a minute after its last request",
                    refusal.failure.message
                ),
                ..refusal.failure
            },
            _ => refusal.failure,
        })?;
        Ok(page::scrolled(&answer.json()?))
    }

    async fn filtered(&self, client: &Client) -> Result<Page, Failure> {
        let query = [
            ("name", self.name.clone()),
            ("tag_id", self.tag_id.clone()),
            ("segment_id", self.segment_id.clone()),
            ("page", number(self.page)),
            ("per_page", number(self.per_page)),
        ];
        match client.call(Call::new("GET /companies", &[])?.query(&query)).await {
            Ok(answer) => Ok(page::numbered(&answer.json()?)),
            // That is how Intercom says that no company fits.
            Err(refusal) if refusal.is_missing() => Ok(Page { total: Some(0), ..Page::default() }),
            Err(refusal) => Err(refusal.failure),
        }
    }

    async fn listed(&self, client: &Client) -> Result<Page, Failure> {
        let order = self.order.map(|order| if order == Order::Asc { "asc" } else { "desc" }.to_owned());
        let query = [("page", number(self.page)), ("per_page", number(self.per_page)), ("order", order)];
        let answer = client.call(Call::new("POST /companies/list", &[])?.query(&query)).await?;
        Ok(page::numbered(&answer.json()?))
    }
}

fn number(number: Option<u32>) -> Option<String> {
    number.map(|number| number.to_string())
}
