//! Leads: listed at once while searches for one after the other come thick.
//!
//! # Why
//! Who is not found by external id may be a lead with the same address, so a new user costs a search, which nearly always
//! finds nobody. A workspace has few leads, or so many that listing them is no saving: one search tells which, and a short
//! list answers all searches of the next seconds. The search lags by more than that anyway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;

use super::client::{Call, Client};
use super::identity::{Contact, Role};
use crate::action::Failure;
use crate::instant::Timestamp;

/// So many searches in so many seconds are thick.
const THICK: (u32, i64) = (3, 10);
/// Seconds a list is believed.
const LIST_SECS: i64 = 10;
/// Seconds it is believed that there are too many.
const TOO_MANY_SECS: i64 = 600;
/// Leads on a list, at most: as many as one answer holds.
const LEADS_MAX: u64 = 150;

/// Leads by their addresses.
type List = HashMap<String, Contact>;

/// What is known of all leads.
#[derive(Default)]
pub struct Leads(Mutex<State>);

#[derive(Default)]
struct State {
    /// Since when searches are counted, and how many there were.
    searches: Option<(Timestamp, u32)>,
    /// When they were listed; without a list, there were too many.
    listed: Option<(Timestamp, Option<Arc<List>>)>,
}

/// How to find one lead.
enum Way {
    List(Arc<List>),
    SearchAll,
    SearchOne,
}

impl Leads {
    fn way(&self, now: Timestamp) -> Way {
        let within = |since: Timestamp, secs: i64| (0..secs).contains(&(now.as_second() - since.as_second()));
        let mut state = self.state();
        match &state.listed {
            Some((at, Some(list))) if within(*at, LIST_SECS) => return Way::List(list.clone()),
            Some((at, None)) if within(*at, TOO_MANY_SECS) => return Way::SearchOne,
            _ => {}
        }
        let (since, count) = state.searches.filter(|(since, _)| within(*since, THICK.1)).unwrap_or((now, 0));
        let is_thick = count >= THICK.0;
        // While one lists them, the others search as before.
        state.searches = Some(if is_thick { (now, 0) } else { (since, count + 1) });
        if is_thick { Way::SearchAll } else { Way::SearchOne }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("noting a list does not panic")
    }
}

impl Client {
    /// All leads by address. `None`: the one that is wanted has to be searched for.
    pub async fn leads(&self) -> Option<Arc<List>> {
        if !self.settings().economy.look_ups || self.settings().cache.entries_max == 0 {
            return None;
        }
        match self.service.leads.way(self.now()) {
            Way::List(list) => {
                self.saved("leads_listed");
                Some(list)
            }
            Way::SearchOne => None,
            Way::SearchAll => {
                // One that cannot be had is as good as too long a one: each is searched for, and that says what is wrong.
                let list = self.listed_leads().await.ok().flatten().map(Arc::new);
                self.service.leads.state().listed = Some((self.now(), list.clone()));
                list
            }
        }
    }

    /// Every lead that the search shows; `None` when there are too many.
    async fn listed_leads(&self) -> Result<Option<List>, Failure> {
        let query = json!({ "field": "role", "operator": "=", "value": Role::Lead.name() });
        let body = json!({ "query": query, "pagination": { "per_page": LEADS_MAX } });
        let answer = self.call(Call::new("POST /contacts/search", &[])?.body(&body)).await?.json()?;
        let hits = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        if answer["total_count"].as_u64() != Some(hits.len() as u64) {
            return Ok(None);
        }
        let mut list = List::new();
        for lead in hits.iter().filter_map(Contact::read) {
            let Some(email) = lead.email.clone().filter(|_| lead.role == Some(Role::Lead)) else { continue };
            // Of several, the one that was changed last, as a search for one would choose.
            if list.get(&email).is_none_or(|known| known.changed_at <= lead.changed_at) {
                list.insert(email, lead);
            }
        }
        Ok(Some(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_are_listed_when_searches_come_thick_and_anew_when_the_list_is_old() {
        let leads = Leads::default();
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let word = |secs| match leads.way(at(secs)) {
            Way::List(_) => "list",
            Way::SearchAll => "all",
            Way::SearchOne => "one",
        };
        assert_eq!([0, 20, 40, 60, 80].map(word), ["one"; 5], "they come seldom");
        assert_eq!([81, 82, 83, 83].map(word), ["one", "one", "all", "one"]);
        leads.state().listed = Some((at(83), Some(Arc::default())));
        assert_eq!([84, 92, 93].map(word), ["list", "list", "one"]);
        leads.state().listed = Some((at(100), None));
        assert_eq!([101, 102, 103, 104, 105, 699].map(word), ["one"; 6], "there are too many");
    }
}
