//! The search index: a copy of the contacts that is some seconds behind.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::state::{Contact, Id};

/// Contacts as search sees them.
#[derive(Debug, Clone, Default)]
pub struct Index {
    contacts: BTreeMap<Id, Arc<Contact>>,
    by_email: HashMap<String, BTreeSet<Id>>,
    pending: VecDeque<(i64, Id, Option<Arc<Contact>>)>,
}

impl Index {
    /// A contact changed (`None`: is gone); search shall know from `visible_at` on, in Unix seconds.
    pub fn change(&mut self, id: Id, contact: Option<Arc<Contact>>, visible_at: i64) {
        self.pending.push_back((visible_at, id, contact));
    }

    /// Lets every change show that is due.
    pub fn catch_up(&mut self, now: i64) {
        while self.pending.front().is_some_and(|(visible_at, ..)| *visible_at <= now) {
            if let Some((_, id, contact)) = self.pending.pop_front() {
                self.set(id, contact);
            }
        }
    }

    /// Starts over with these contacts, all of them visible.
    pub fn rebuild<'a>(&mut self, contacts: impl Iterator<Item = &'a Arc<Contact>>) {
        *self = Index::default();
        for contact in contacts {
            self.set(contact.id.clone(), Some(contact.clone()));
        }
    }

    /// Every contact that can be found, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Contact>> {
        self.contacts.values().filter(|contact| contact.is_active())
    }

    /// Those with this e-mail, which must be in lower case, oldest first.
    pub fn by_email(&self, email: &str) -> impl DoubleEndedIterator<Item = &Arc<Contact>> {
        self.by_email
            .get(email)
            .into_iter()
            .flatten()
            .filter_map(|id| self.contacts.get(id))
            .filter(|contact| contact.is_active())
    }

    fn set(&mut self, id: Id, contact: Option<Arc<Contact>>) {
        if let Some(old) = self.contacts.remove(&id) {
            self.forget_email(&old);
        }
        let Some(contact) = contact else { return };
        if let Some(email) = contact.email_lowered() {
            self.by_email.entry(email).or_default().insert(id.clone());
        }
        self.contacts.insert(id, contact);
    }

    fn forget_email(&mut self, old: &Contact) {
        let Some(email) = old.email_lowered() else { return };
        let Some(ids) = self.by_email.get_mut(&email) else { return };
        ids.remove(&old.id);
        if ids.is_empty() {
            self.by_email.remove(&email);
        }
    }
}
