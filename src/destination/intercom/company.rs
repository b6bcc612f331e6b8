//! One company: written by the sender's id, known by Intercom's.

use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value, json};

use super::Settings;
use super::attribute::{Model, Sent};
use super::client::{Answer, Call, Client, unreadable};
use super::directory::Belonging;
use super::error::Refusal;
use super::whom::Whom;
use crate::action::{self, Failure, Kind, Outcome};

/// Intercom's ids of companies, by the sender's.
pub struct Register(Cache<String, String>);

impl Register {
    /// Nothing known yet.
    pub fn new(settings: &Settings) -> Register {
        let ttl = Duration::from_secs(settings.cache.ttl_secs);
        Register(Cache::builder().max_capacity(settings.cache.entries_max).time_to_live(ttl).build())
    }
}

/// Which company is meant. Intercom's id wins.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    /// Intercom's id.
    pub id: Option<&'a str>,
    /// The sender's id.
    pub company_id: Option<&'a str>,
}

impl Which<'_> {
    /// Whether any is.
    pub fn is_some(&self) -> bool {
        self.id.is_some() || self.company_id.is_some()
    }

    /// What comes of undoing something about one that is not there: it is as if it were done.
    pub fn absent(&self) -> action::Result {
        Ok(Outcome::Skipped("company_absent", format!("intercom has no company with {}", self.name())))
    }

    fn name(&self) -> String {
        match (self.id, self.company_id) {
            (Some(id), _) => format!("id `{id}`"),
            (None, Some(company_id)) => format!("company_id `{company_id}`"),
            (None, None) => "no id".to_owned(),
        }
    }

    fn not_found(&self) -> Refusal {
        let message = match self.is_some() {
            true => format!("intercom has no company with {}", self.name()),
            false => "neither an id nor a company_id says which company is meant".to_owned(),
        };
        Refusal { status: Some(404), ..Failure::rejected("company_not_found", message).into() }
    }
}

/// A company that was written.
#[derive(Debug)]
pub struct Written {
    /// Intercom's id of it.
    pub id: String,
    /// What Intercom answered.
    pub answer: Answer,
}

/// What came of taking a contact out of a company.
#[derive(Debug)]
pub enum Unlinked {
    /// It was in it, and is not any more.
    Done(Answer),
    /// It was not in it; because of what.
    Nothing(&'static str),
}

impl Client {
    /// Makes or updates a company. Harmless to repeat.
    pub async fn write_company(&self, body: &Map<String, Value>) -> Result<Written, Failure> {
        let call = Call::new("POST /companies", &[])?;
        let ours = body.get("company_id").and_then(Value::as_str);
        let write = match ours {
            Some(ours) => Some(self.begin_write(Model::Company, ours).await),
            None => None,
        };
        let Sent { answer, body: sent } = match self.write(Model::Company, call.clone(), body).await {
            // Two first writes of one company may meet; the second time it is there.
            Err(refusal) if is_race(&refusal) => self.write(Model::Company, call, body).await?,
            // Seen while a company is being deleted, which takes Intercom a while.
            Err(refusal) if refusal.is_missing() => {
                return Err(Failure { kind: Kind::Unavailable, ..refusal.failure });
            }
            other => other?,
        };
        let id = company_id(&answer.json()?).ok_or_else(|| unreadable("not a company with an id"))?;
        if let (Some(ours), Some(write)) = (ours, write) {
            write.taken(&sent, self.now()).await;
            self.service.companies.0.insert(ours.to_owned(), id.clone()).await;
        }
        Ok(Written { id, answer })
    }

    /// Changes a company that is there.
    pub async fn update_company(&self, which: &Which<'_>, body: &Map<String, Value>) -> Result<Answer, Failure> {
        let id = self.which(which).await?;
        self.forget_holding(which).await;
        let result = self.write(Model::Company, Call::new("PUT /companies/{id}", &[&id])?, body).await;
        self.forget_holding(which).await;
        let refusal = match result {
            Err(refusal) if refusal.is_missing() && which.id.is_none() => refusal,
            other => return Ok(other?.answer),
        };
        self.forget_company(which).await;
        match self.which(which).await? {
            again if again == id => Err(refusal.failure),
            again => {
                let sent = self.write(Model::Company, Call::new("PUT /companies/{id}", &[&again])?, body).await?;
                Ok(sent.answer)
            }
        }
    }

    /// Intercom's id of a company, where it is remembered.
    pub async fn registered(&self, company_id_of_sender: &str) -> Option<String> {
        self.service.companies.0.get(company_id_of_sender).await
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

    /// Intercom's id of the company that is meant.
    pub async fn which(&self, which: &Which<'_>) -> Result<String, Refusal> {
        match (which.id, which.company_id) {
            (Some(id), _) => Ok(id.to_owned()),
            (None, Some(company_id)) => self.company(company_id).await?.ok_or_else(|| which.not_found()),
            (None, None) => Err(which.not_found()),
        }
    }

    /// Sends a request about a company, and gives its id with the answer. One that is not where it was is looked for once
    /// more.
    pub async fn about_company(
        &self,
        which: &Which<'_>,
        call: impl Fn(&str) -> Result<Call, Failure>,
    ) -> Result<(String, Answer), Refusal> {
        let id = self.which(which).await?;
        let refusal = match self.call(call(&id)?).await {
            Ok(answer) => return Ok((id, answer)),
            Err(refusal) => refusal,
        };
        if !refusal.is_missing() || which.id.is_some() {
            return Err(refusal);
        }
        self.forget_company(which).await;
        let again = self.which(which).await?;
        match again == id {
            true => Err(refusal),
            false => self.call(call(&again)?).await.map(|answer| (again, answer)),
        }
    }

    /// Intercom's id of the company with an id of the sender's; made when there is none.
    pub async fn company_or_new(&self, company_id: &str) -> Result<String, Failure> {
        if let Some(id) = self.service.companies.0.get(company_id).await {
            self.hit("company");
            return Ok(id);
        }
        // Writing finds it as well as looking would, and makes it.
        let body = Map::from_iter([("company_id".to_owned(), company_id.into())]);
        Ok(self.write_company(&body).await?.id)
    }

    /// Forgets what a company holds. By Intercom's id nobody knows which of ours it is, so it is forgotten of all.
    async fn forget_holding(&self, which: &Which<'_>) {
        match (which.id, which.company_id) {
            (None, Some(company_id)) => self.service.known.forget(Model::Company, company_id).await,
            _ => self.service.known.forget_all(),
        }
    }

    /// Forgets a company: it is not there any more.
    pub async fn forget_company(&self, which: &Which<'_>) {
        self.forget_holding(which).await;
        if let Some(company_id) = which.company_id {
            self.service.companies.0.invalidate(company_id).await;
        }
    }

    /// Puts a contact in a company, both of which must be there. Harmless to repeat.
    pub async fn link(&self, whom: &Whom<'_>, which: &Which<'_>) -> Result<Answer, Refusal> {
        let company = self.which(which).await?;
        let refusal = match self.attach(whom, &company).await {
            Err(refusal) if refusal.is_company_missing() && which.id.is_none() => refusal,
            other => return other,
        };
        self.forget_company(which).await;
        match self.which(which).await? {
            again if again != company => self.attach(whom, &again).await,
            _ => Err(refusal),
        }
    }

    /// Attaches a contact to a company, by Intercom's id of it.
    pub async fn attach(&self, whom: &Whom<'_>, company: &str) -> Result<Answer, Refusal> {
        let call = |id: &str| Ok(Call::new("POST /contacts/{id}/companies", &[id])?.body(&json!({ "id": company })));
        let (contact, answer) = self.about(whom, call).await?;
        self.gave(&contact, Belonging::Company(company)).await;
        Ok(answer)
    }

    /// Takes a contact out of a company.
    pub async fn unlink(&self, whom: &Whom<'_>, which: &Which<'_>) -> Result<Unlinked, Failure> {
        let company = match self.which(which).await {
            Err(refusal) if refusal.is_company_missing() => return Ok(Unlinked::Nothing("the company is not there")),
            other => other?,
        };
        let contact = match self.meant(whom).await {
            Err(failure) if failure.code == "contact_not_found" => {
                return Ok(Unlinked::Nothing("the contact is not there"));
            }
            other => other?,
        };
        let call = |id: &str| Call::new("DELETE /contacts/{id}/companies/{id}", &[id, &company]);
        self.took(&contact.id, Belonging::Company(&company)).await;
        let refusal = match self.call(call(&contact.id)?).await {
            Ok(answer) => return Ok(Unlinked::Done(answer)),
            Err(refusal) => refusal,
        };
        if let Some(id) = &refusal.canonical {
            self.forget(&contact, &whom.identity()).await;
            return Ok(Unlinked::Done(self.call(call(id)?).await?));
        }
        if !refusal.is_missing() {
            return Err(refusal.failure);
        }
        self.forget(&contact, &whom.identity()).await;
        self.forget_company(which).await;
        Ok(Unlinked::Nothing("intercom knows of no such link"))
    }
}

fn query(company_id: &str) -> Result<Call, Failure> {
    Call::new("GET /companies?company_id={company_id}", &[company_id])
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
