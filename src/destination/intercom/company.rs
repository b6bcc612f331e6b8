//! One company: written by the sender's id, known by Intercom's.

use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value, json};

use super::Settings;
use super::client::{Answer, Call, Client, unreadable};
use super::error::Refusal;
use crate::action::{Failure, Kind};

/// Intercom's ids of companies, by the sender's.
pub struct Register(Cache<String, String>);

impl Register {
    /// Nothing known yet.
    pub fn new(settings: &Settings) -> Register {
        let ttl = Duration::from_secs(settings.cache.ttl_secs);
        Register(Cache::builder().max_capacity(settings.cache.entries_max).time_to_live(ttl).build())
    }
}

impl Client {
    /// Makes or updates a company, and gives Intercom's id of it. Harmless to repeat.
    pub async fn write_company(&self, body: &Map<String, Value>) -> Result<String, Failure> {
        let call = Call::new("POST /companies", &[])?.body(body);
        let answer = match self.call(call.clone()).await {
            // Two first writes of one company may meet; the second time it is there.
            Err(refusal) if is_race(&refusal) => self.call(call).await?,
            // Seen while a company is being deleted, which takes Intercom a while.
            Err(refusal) if refusal.is_missing() => {
                return Err(Failure { kind: Kind::Unavailable, ..refusal.failure });
            }
            other => other?,
        };
        let id = company_id(&answer.json()?).ok_or_else(|| unreadable("not a company with an id"))?;
        if let Some(ours) = body.get("company_id").and_then(Value::as_str) {
            self.service.companies.0.insert(ours.to_owned(), id.clone()).await;
        }
        Ok(id)
    }

    /// Intercom's id of a company that is there; `None` when it is not.
    pub async fn company(&self, company_id_of_sender: &str) -> Result<Option<String>, Failure> {
        let known = &self.service.companies.0;
        if let Some(id) = known.get(company_id_of_sender).await {
            self.hit("company");
            return Ok(Some(id));
        }
        match self.call(query(company_id_of_sender)?).await {
            Ok(answer) => {
                let id = company_id(&answer.json()?).ok_or_else(|| unreadable("not a company with an id"))?;
                known.insert(company_id_of_sender.to_owned(), id.clone()).await;
                Ok(Some(id))
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(refusal) => Err(refusal.failure),
        }
    }

    /// Forgets Intercom's id of a company: it is not there any more.
    pub async fn forget_company(&self, company_id_of_sender: &str) {
        self.service.companies.0.invalidate(company_id_of_sender).await;
    }

    /// Attaches a contact to a company, both by Intercom's ids. Harmless to repeat.
    pub async fn attach(&self, contact: &str, company: &str) -> Result<Answer, Refusal> {
        let call = Call::new("POST /contacts/{id}/companies", &[contact]).map_err(unsent)?;
        self.call(call.body(&json!({ "id": company }))).await
    }

    /// Detaches a contact from a company. A second time it is refused with `company_not_found`.
    pub async fn detach(&self, contact: &str, company: &str) -> Result<Answer, Refusal> {
        self.call(Call::new("DELETE /contacts/{id}/companies/{id}", &[contact, company]).map_err(unsent)?).await
    }
}

fn query(company_id: &str) -> Result<Call, Failure> {
    Call::new("GET /companies?company_id={company_id}", &[company_id])
}

fn unsent(failure: Failure) -> Refusal {
    Refusal { status: None, failure, canonical: None }
}

fn is_race(refusal: &Refusal) -> bool {
    refusal.status == Some(400)
        && refusal.failure.kind == Kind::Rejected
        && refusal.failure.message.to_ascii_lowercase().contains("already exists")
}

/// The id of a company, or of the first in a list: a look-up by the sender's id has been seen to answer either.
fn company_id(value: &Value) -> Option<String> {
    let company = if value["type"] == "list" { &value["data"][0] } else { value };
    company["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}
