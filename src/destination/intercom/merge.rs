//! Merging a lead into the user that the same person has become.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};

use super::attribute::Model;
use super::client::{Call, Client};
use super::contact::not_found;
use super::error::Refusal;
use super::identity::{Contact, Role};
use super::whom::Whom;
use crate::action::{self, Document, Failure, Kind, Outcome, Warning};

/// The step that says since when the lead is looked for; in Unix seconds.
const LOOKED_FOR: &str = "lead_looked_for";

impl Client {
    /// Merges a lead into a user. Where there is no user yet, the lead becomes it. Harmless to repeat: a lead that was
    /// merged leads to the user.
    pub async fn merge(&self, from: &Whom<'_>, into: &Whom<'_>, skip_duplicate_validation: bool) -> action::Result {
        let Some(lead) = self.merging(from).await? else {
            self.look_again(from).await?;
            let is_searched = !from.has_id() && from.identity().email.is_some();
            let shown = if is_searched && self.notes.is_none() { ", as far as its search shows" } else { "" };
            let message = format!("intercom has no contact with {}{shown}, so there is nothing to merge", from.name());
            return Ok(Outcome::Skipped("nothing_to_merge", message));
        };
        let user = match self.meant(into).await {
            Err(failure) if failure.code == "contact_not_found" => match self.promote(&lead, from, into).await? {
                None => return Ok(Outcome::Delivered(Vec::new())),
                Some(user) => user,
            },
            other => other?,
        };
        if user.id == lead.id {
            return Ok(Outcome::Skipped("unchanged", format!("it is one contact already: {}", user.id)));
        }
        let body = json!({ "from": lead.id, "into": user.id, "skip_duplicate_validation": skip_duplicate_validation });
        let result = self.call(Call::new("POST /contacts/merge", &[])?.body(&body)).await;
        // The user may have got what the lead had.
        self.service.known.forget(Model::Contact, &user.id).await;
        match result {
            Ok(answer) => {
                self.forget(&lead, &from.identity()).await;
                let merged = answer.json().ok();
                let sent = Map::new();
                let told = Contact::told(&user.id, &user, &sent, merged.as_ref());
                self.learn(Some(&user), &told).await;
                self.leads_to(&lead, &told).await;
                self.answer(Document::One(merged.unwrap_or_default()));
                Ok(Outcome::Delivered(Vec::new()))
            }
            Err(refusal) => self.not_merged(&lead, &user, refusal, (from, into)).await,
        }
    }

    /// Who is to be merged away: a lead is looked for before a user who has the same address.
    async fn merging(&self, from: &Whom<'_>) -> Result<Option<Contact>, Failure> {
        let who = from.identity();
        if from.has_id() {
            return self.meant(from).await.map(Some);
        }
        if let Some(external_id) = &who.external_id
            && let Some(user) = self.by_external_id(external_id).await?
        {
            return Ok(Some(user));
        }
        match &who.email {
            Some(email) => self.lead_by_email(email).await,
            None => Ok(None),
        }
    }

    /// Fails while the search need not show a lead that may be there.
    ///
    /// # Why
    /// An alias comes once, and often right behind what made the lead, by whichever way. Who was made here is known, but not
    /// who came through the Messenger or another router; so of one look at a search that lags, nothing is concluded. Nobody
    /// waits for it: what comes later of the person passes. A person at a command line is told at once.
    async fn look_again(&self, from: &Whom<'_>) -> Result<(), Failure> {
        let Some(email) = from.identity().email.filter(|_| !from.has_id() && self.notes.is_some()) else {
            return Ok(());
        };
        if self.is_known_with(&email).await? {
            return Ok(());
        }
        let now = self.now().as_second();
        let first = self.step(LOOKED_FOR).and_then(|text| text.parse().ok()).unwrap_or(now);
        self.finish_step(LOOKED_FOR, &first.to_string());
        match u64::try_from(self.settings().shown_from(first).saturating_sub(now)) {
            Ok(left @ 1..) => {
                let message =
                    format!("nobody is found with {}, and the search need not show a new lead yet", from.name());
                let failure = Failure::new(Kind::TooEarly, "lead_not_shown", message);
                Err(Failure { retry_after: Some(Duration::from_secs(left)), ..failure })
            }
            _ => Ok(()),
        }
    }

    /// Whoever finds a lead that was merged finds the user.
    pub(super) async fn leads_to(&self, lead: &Contact, user: &Contact) {
        if let Some(email) = &lead.email {
            self.note_of(email, &lead.id).await;
        }
        self.service.directory.lately.leads_to(&lead.id, &Arc::new(user.clone())).await;
    }

    /// There is no user yet: the lead becomes it, by being told its id. Gives the user where there was one after all, who
    /// may have been made meanwhile.
    async fn promote(&self, lead: &Contact, from: &Whom<'_>, into: &Whom<'_>) -> Result<Option<Contact>, Failure> {
        let Some(external_id) = into.identity().external_id.filter(|_| lead.role != Some(Role::User)) else {
            return Err(not_found(&into.name()));
        };
        let body = json!({ "role": "user", "external_id": external_id });
        let body = body.as_object().expect("it is an object");
        match self.update(lead, body).await? {
            Some(id) if id != lead.id => match self.by_id(&id).await? {
                Some(user) => Ok(Some(user)),
                None => Err(not_found(&into.name())),
            },
            Some(_) => {
                let message = format!("there was no user yet, so contact {} has become it", lead.id);
                self.warn(Warning::new("into_external_id", "lead_promoted", message));
                Ok(None)
            }
            None => Err(not_found(&from.name())),
        }
    }

    /// An earlier attempt may have merged them, and nobody heard of it.
    async fn not_merged(
        &self,
        lead: &Contact,
        user: &Contact,
        refusal: Refusal,
        (from, into): (&Whom<'_>, &Whom<'_>),
    ) -> action::Result {
        if !refusal.is_missing() && refusal.canonical.is_none() {
            return Err(refusal.failure);
        }
        self.forget(lead, &from.identity()).await;
        self.forget(user, &into.identity()).await;
        match self.by_id(&lead.id).await? {
            Some(now) if now.id == user.id => Ok(Outcome::Delivered(Vec::new())),
            Some(_) => Err(Failure { kind: Kind::Unavailable, ..refusal.failure }),
            None => Err(not_found(&from.name())),
        }
    }
}
