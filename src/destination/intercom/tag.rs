//! Tags: known by name, put on contacts and companies, and taken off.

use std::time::Duration;

use moka::future::Cache;
use serde_json::{Value, json};

use super::Settings;
use super::client::{Answer, Call, Client};
use super::company::Which;
use super::directory::Belonging;
use super::error::Refusal;
use super::whom::Whom;
use crate::action::{Failure, Kind};

/// How long it is believed that there is no tag of a name.
const ABSENT_SECS: u64 = 60;

/// Intercom's ids of tags, by name in lower case.
pub struct Tags {
    ids: Cache<String, String>,
    absent: Cache<String, ()>,
}

impl Tags {
    /// Nothing known yet.
    pub fn new(settings: &Settings) -> Tags {
        let (entries_max, ttl) = (settings.cache.entries_max, Duration::from_secs(settings.cache.ttl_secs));
        let absent_for = ttl.min(Duration::from_secs(ABSENT_SECS));
        Tags {
            ids: Cache::builder().max_capacity(entries_max).time_to_live(ttl).support_invalidation_closures().build(),
            absent: Cache::builder().max_capacity(entries_max).time_to_live(absent_for).build(),
        }
    }
}

impl Client {
    /// Puts a tag on a contact; it is made when there is none of the name. Harmless to repeat.
    pub async fn tag_contact(&self, whom: &Whom<'_>, name: &str) -> Result<Answer, Refusal> {
        let call = |id: &str| {
            let body = json!({ "name": name, "users": [{ "id": id }] });
            Ok(Call::new("POST /tags", &[])?.body(&body).checked(all_tagged))
        };
        let (contact, answer) = self.about(whom, call).await?;
        self.learn_tag(&answer).await;
        self.gave(&contact, Belonging::Tag(name)).await;
        Ok(answer)
    }

    /// Takes a tag off a contact. `None`: it does not have it.
    pub async fn untag_contact(&self, whom: &Whom<'_>, name: &str) -> Result<Option<Answer>, Refusal> {
        // A tag that was deleted and made again has another id under the same name.
        for _ in 0..2 {
            let Some(tag) = self.tag_id(name).await? else { return Ok(None) };
            let call = |id: &str| Call::new("DELETE /contacts/{id}/tags/{id}", &[id, &tag]);
            match self.about(whom, call).await {
                Ok((contact, answer)) => {
                    self.took(&contact, Belonging::Tag(name)).await;
                    return Ok(Some(answer));
                }
                // It is the tag or the contact that is not there: the answer does not tell.
                Err(refusal) if refusal.status == Some(404) || (whom.has_id() && refusal.is_absent()) => {
                    self.forget_tag(name).await;
                }
                Err(refusal) => return Err(refusal),
            }
            if self.tag_id(name).await?.is_none_or(|now| now == tag) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Puts a tag on a company, or takes it off. Harmless to repeat.
    pub async fn tag_company(&self, which: &Which<'_>, name: &str, untag: bool) -> Result<Answer, Refusal> {
        let mut company = match (which.id, which.company_id) {
            (Some(id), _) => json!({ "id": id }),
            (None, company_id) => json!({ "company_id": company_id }),
        };
        let call = Call::new("POST /tags", &[])?;
        let call = match untag {
            true => {
                self.service.directory.forget_tags();
                company["untag"] = true.into();
                call.body(&json!({ "name": name, "companies": [company] }))
            }
            false => call.body(&json!({ "name": name, "companies": [company] })).checked(all_tagged),
        };
        let answer = self.call(call).await?;
        self.learn_tag(&answer).await;
        Ok(answer)
    }

    /// Intercom's id of the tag of a name; `None` when there is none.
    pub async fn tag_id(&self, name: &str) -> Result<Option<String>, Failure> {
        let (tags, name) = (&self.service.tags, name.to_lowercase());
        if tags.absent.contains_key(&name) {
            return Ok(None);
        }
        if let Some(id) = tags.ids.get(&name).await {
            self.hit("tag");
            return Ok(Some(id));
        }
        let found = Box::pin(tags.ids.try_get_with_by_ref(&name, self.listed_tag(&name))).await;
        match found.map_err(|miss| Option::<Failure>::clone(&miss)) {
            Ok(id) => Ok(Some(id)),
            Err(Some(failure)) => Err(failure),
            Err(None) => {
                tags.absent.insert(name, ()).await;
                Ok(None)
            }
        }
    }

    /// The tag in the list of all; the others are remembered too.
    async fn listed_tag(&self, wanted: &str) -> Result<String, Option<Failure>> {
        let answer = self.call(Call::new("GET /tags", &[])?).await.map_err(|refusal| Some(refusal.failure))?;
        let mut found = None;
        for tag in answer.json()?["data"].as_array().into_iter().flatten() {
            let Some((name, id)) = named(tag) else { continue };
            match name == wanted {
                true => found = Some(id),
                false => self.service.tags.ids.insert(name, id).await,
            }
        }
        found.ok_or(None)
    }

    /// Remembers the id of a tag that an answer names.
    pub async fn learn_tag(&self, answer: &Answer) {
        let Some((name, id)) = answer.json().ok().as_ref().and_then(named) else { return };
        self.service.tags.absent.invalidate(&name).await;
        self.service.tags.ids.insert(name, id).await;
    }

    async fn forget_tag(&self, name: &str) {
        self.service.tags.ids.invalidate(&name.to_lowercase()).await;
    }

    /// Forgets a tag by its id: it was renamed, or is not there any more.
    pub fn forget_tag_id(&self, id: &str) {
        self.service.directory.forget_tags();
        let id = id.to_owned();
        let forgotten = self.service.tags.ids.invalidate_entries_if(move |_, known| *known == id);
        forgotten.expect("the cache was built for it");
    }
}

fn named(tag: &Value) -> Option<(String, String)> {
    Some((tag["name"].as_str()?.to_lowercase(), tag["id"].as_str()?.to_owned()))
}

/// Since 2.16 a contact or company that is not there is passed over, and only a flag in the answer says so.
fn all_tagged(answer: &Value) -> Result<(), Refusal> {
    let entries = ["users", "companies"].into_iter().flat_map(|list| answer[list].as_array().into_iter().flatten());
    match entries.into_iter().any(|entry| entry["tagged"] == false) {
        true => {
            let failure = Failure::new(Kind::Rejected, "not_found", "intercom put the tag on nothing: it is not there");
            Err(Refusal { status: Some(404), failure, canonical: None })
        }
        false => Ok(()),
    }
}
