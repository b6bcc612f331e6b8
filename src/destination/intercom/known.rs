//! What contacts and companies surely hold, because we wrote it.
//!
//! # Why
//! A write that is left out must leave what the write would have left. So only what Intercom took counts, member by member,
//! as hashes; a write that is under way, or whose end nobody knows, takes away all that was known; and of two writes of one
//! contact that overlap nobody can say which came last, so nothing is known after them.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};

use moka::future::Cache;
use serde_json::{Map, Value};

use super::Settings;
use super::attribute::{FIELD, Model};
use super::client::Client;
use crate::instant::Timestamp;

/// Which one: a contact by Intercom's id, a company by the sender's.
type Owner = (Model, String);

/// Members that are kept of each, on average, at most: so that many attributes of many people take no more memory. Whoever has
/// fewer counts as having so many, for an entry takes memory of its own.
const MEMBERS_MEAN: u32 = 20;

/// What is known of each.
pub struct Known {
    holdings: Cache<Owner, Arc<Holding>>,
    under_way: Mutex<HashMap<Owner, UnderWay>>,
    ttl_secs: i64,
    keys: RandomState,
}

/// What one of them holds.
#[derive(Debug)]
pub struct Holding {
    /// Hashes of names and of their values, in the order of the former.
    members: Box<[(u64, u64)]>,
    /// Since when all of it is known, in Unix seconds.
    since: i64,
}

/// Writes of one of them that are under way.
#[derive(Debug, Default)]
struct UnderWay {
    count: usize,
    overlap: bool,
}

impl Known {
    /// Nothing known yet.
    pub fn new(settings: &Settings) -> Known {
        let cache = &settings.cache;
        Known {
            holdings: Cache::builder()
                .max_capacity(cache.entries_max.saturating_mul(MEMBERS_MEAN.into()))
                .weigher(|_, holding: &Arc<Holding>| {
                    u32::try_from(holding.members.len()).map_or(u32::MAX, |len| len.max(MEMBERS_MEAN))
                })
                .time_to_live(std::time::Duration::from_secs(cache.ttl_secs))
                .build(),
            under_way: Mutex::default(),
            ttl_secs: i64::try_from(cache.ttl_secs).unwrap_or(i64::MAX),
            keys: RandomState::new(),
        }
    }

    /// Forgets what one holds.
    pub async fn forget(&self, model: Model, id: &str) {
        self.holdings.invalidate(&(model, id.to_owned())).await;
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.holdings.invalidate_all();
    }

    fn hash(&self, text: &str) -> u64 {
        self.keys.hash_one(text)
    }

    fn is_fresh(&self, holding: &Holding, now: Timestamp) -> bool {
        now.as_second().saturating_sub(holding.since) < self.ttl_secs
    }

    fn with(&self, before: Option<&Holding>, sent: &Map<String, Value>, now: Timestamp) -> Arc<Holding> {
        let before = before.filter(|holding| self.is_fresh(holding, now));
        let mut all: BTreeMap<u64, u64> =
            before.into_iter().flat_map(|holding| holding.members.iter().copied()).collect();
        all.extend(members(sent).map(|(name, value)| (self.hash(&name), self.hash(&value.to_string()))));
        let since = before.map_or(now.as_second(), |holding| holding.since);
        Arc::new(Holding { members: all.into_iter().collect(), since })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Owner, UnderWay>> {
        self.under_way.lock().expect("counting does not panic")
    }
}

/// A write that is under way. Dropped without an end, it leaves nothing known.
pub struct Write {
    known: Arc<Known>,
    owner: Owner,
    before: Option<Arc<Holding>>,
}

impl Write {
    /// It was taken, with this body.
    pub async fn taken(self, sent: &Map<String, Value>, now: Timestamp) {
        let known = &self.known;
        known.holdings.insert(self.owner.clone(), known.with(self.before.as_deref(), sent, now)).await;
        let overlaps = known.under_way().get(&self.owner).is_some_and(|writes| writes.overlap);
        if overlaps {
            known.holdings.insert(self.owner.clone(), known.with(None, &Map::new(), now)).await;
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let mut under_way = self.known.under_way();
        if let Some(writes) = under_way.get_mut(&self.owner) {
            writes.count -= 1;
            if writes.count == 0 {
                under_way.remove(&self.owner);
            }
        }
    }
}

impl Client {
    /// What one surely holds; `None`: we have not written it.
    pub async fn holding(&self, model: Model, id: &str) -> Option<Arc<Holding>> {
        let known = &self.service.known;
        let holding = known.holdings.get(&(model, id.to_owned())).await;
        holding.filter(|holding| known.is_fresh(holding, self.now()))
    }

    /// Whether a member has this value there.
    pub fn holds(&self, holding: &Holding, name: &str, value: &Value) -> bool {
        let known = &self.service.known;
        let at = holding.members.binary_search_by_key(&known.hash(name), |(name, _)| *name);
        at.is_ok_and(|at| holding.members[at].1 == known.hash(&value.to_string()))
    }

    /// Begins a write: until it has ended well, nothing is known.
    pub async fn begin_write(&self, model: Model, id: &str) -> Write {
        let known = self.service.known.clone();
        let owner = (model, id.to_owned());
        {
            let mut under_way = known.under_way();
            let writes = under_way.entry(owner.clone()).or_default();
            writes.count += 1;
            writes.overlap |= writes.count > 1;
        }
        let before = known.holdings.get(&owner).await;
        let write = Write { known, owner, before };
        let nothing = write.known.with(None, &Map::new(), self.now());
        write.known.holdings.insert(write.owner.clone(), nothing).await;
        write
    }

    /// Remembers what one was made with, unless it was written since.
    pub async fn made(&self, model: Model, id: &str, sent: &Map<String, Value>) {
        let known = &self.service.known;
        known.holdings.entry((model, id.to_owned())).or_insert(known.with(None, sent, self.now())).await;
    }
}

/// The members of a body; attributes are members of their own.
pub fn members(body: &Map<String, Value>) -> impl Iterator<Item = (Cow<'_, str>, &Value)> {
    body.iter().flat_map(|(name, value)| match value {
        Value::Object(attributes) if name == FIELD => {
            let named = attributes.iter().map(|(name, value)| (Cow::Owned(format!("{FIELD}.{name}")), value));
            Box::new(named) as Box<dyn Iterator<Item = _> + Send>
        }
        _ => Box::new(std::iter::once((Cow::Borrowed(name.as_str()), value))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_of_them_are_known_than_the_settings_say() {
        let settings = serde_json::json!({ "access_token": "t", "region": "us", "cache": { "entries_max": 10 } });
        let known = Known::new(&serde_json::from_value(settings).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let count = runtime.block_on(async {
            for id in 0..200 {
                let holding = known.with(None, &Map::new(), Timestamp::UNIX_EPOCH);
                known.holdings.insert((Model::Contact, id.to_string()), holding).await;
            }
            known.holdings.run_pending_tasks().await;
            known.holdings.entry_count()
        });
        assert_eq!(count, 10);
    }
}
