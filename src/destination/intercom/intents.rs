//! Leads that a person asked for by hand, until it is surely known what came of it.
//!
//! # Why
//! A delivery has its steps in the store. What is done by hand has none, and the next command is another process: it would
//! ask for the lead again while the search does not show the one that was made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::client::Client;
use crate::destination::Memory;

/// Under this key a destination remembers them: Unix seconds by the hash of the address, which says nobody's name.
const KEY: &str = "leads_asked_for";

/// Two commands through one router write one after the other.
static WRITING: Mutex<()> = Mutex::new(());

impl Client {
    /// Writes down that a lead is about to be asked for by hand.
    pub(super) fn note_lead(&self, email: Option<&str>) {
        self.change(email, |leads, key, now| {
            leads.insert(key, now);
        });
    }

    /// It was made, or surely was not.
    pub(super) fn settle_lead(&self, email: Option<&str>) {
        self.change(email, |leads, key, _| {
            leads.remove(&key);
        });
    }

    /// Whether a person asked for a lead so short a time ago that the search need not show it yet.
    pub(super) fn lead_was_noted(&self, email: &str) -> bool {
        let Some(memory) = self.by_hand() else { return false };
        read(&**memory).get(&key(email)).is_some_and(|at| self.now().as_second() < self.settings().shown_from(*at))
    }

    fn change(&self, email: Option<&str>, change: impl FnOnce(&mut BTreeMap<String, i64>, String, i64)) {
        let (Some(memory), Some(email)) = (self.by_hand(), email) else { return };
        let _one_at_a_time = WRITING.lock().expect("writing does not panic");
        let (mut leads, now) = (read(&**memory), self.now().as_second());
        leads.retain(|_, at| now < self.settings().shown_from(*at));
        change(&mut leads, key(email), now);
        let text = serde_json::to_string(&leads).expect("texts and numbers can be written");
        if let Err(error) = memory.remember(KEY, &text) {
            tracing::warn!(destination.name = %self.service.name, %error, "What was asked for cannot be written down");
        }
    }

    /// The memory, where no delivery keeps what is done.
    fn by_hand(&self) -> Option<&Arc<dyn Memory>> {
        self.service.memory.as_ref().filter(|_| self.notes.is_none())
    }
}

fn read(memory: &dyn Memory) -> BTreeMap<String, i64> {
    let text = memory.recall(KEY).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn key(email: &str) -> String {
    Sha256::digest(email.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
