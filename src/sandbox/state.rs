//! What the workspace holds: contacts, companies, tags, attributes, events, and the search index behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::attributes::Attributes;
use super::companies::Company;
use super::company_lists::Scroll;
use super::events::Events;
use super::index::Index;
use super::reply::Refusal;
use super::settings::{SearchLag, Settings};
use super::tags::Tags;
use super::ticket_types;
use super::tickets::{self, Tickets};
use super::version::Version;
use super::{companies, contact_view};

/// Id of a contact or a company: 24 hex digits.
pub type Id = String;

/// Everything in the workspace. Nothing here knows of HTTP or of the clock.
#[derive(Debug, Clone)]
pub struct State {
    id_seed: u32,
    ids_given: u64,
    contacts: BTreeMap<Id, Arc<Contact>>,
    by_external_id: HashMap<String, Id>,
    by_email: HashMap<String, BTreeSet<Id>>,
    pub(super) companies: BTreeMap<Id, Company>,
    pub(super) by_company_id: HashMap<String, Id>,
    pub(super) tags: Tags,
    pub(super) attributes: Attributes,
    pub(super) events: Events,
    pub(super) index: Index,
    pub(super) scroll: Option<Scroll>,
    pub(super) tickets: Tickets,
}

/// A person.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// 24 hex digits.
    pub id: Id,
    /// User or lead.
    pub role: Role,
    /// The caller's own id.
    pub external_id: Option<String>,
    /// As it was written.
    pub email: Option<String>,
    /// The other plain members, as last written; a cleared one is absent.
    pub fields: Map<String, Value>,
    /// As last written; a cleared one is absent.
    pub custom_attributes: Map<String, Value>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Hidden from lookups, list and search.
    pub archived: bool,
    /// Where it went, once merged away.
    pub merged_into: Option<Id>,
    /// What was merged into it.
    pub merges: Vec<Merge>,
    /// Tag ids with the second each was applied.
    pub tags: BTreeMap<u64, i64>,
    /// Ids of its companies, in the order of attaching.
    pub companies: Vec<Id>,
}

/// The two kinds of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Somebody with an identity of the caller's own.
    User,
    /// Somebody not known yet.
    Lead,
}

/// One contact that was merged into another.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// Who.
    pub source: Id,
    /// What it was.
    pub role: Role,
    /// Unix seconds.
    pub at: i64,
}

impl Role {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Lead => "lead",
        }
    }
}

impl Contact {
    /// A contact with nothing but an id and a role.
    pub fn new(id: Id, role: Role, now: i64) -> Contact {
        Contact {
            id,
            role,
            external_id: None,
            email: None,
            fields: Map::new(),
            custom_attributes: Map::new(),
            created_at: now,
            updated_at: now,
            archived: false,
            merged_into: None,
            merges: Vec::new(),
            tags: BTreeMap::new(),
            companies: Vec::new(),
        }
    }

    /// Whether lookups, list and search show it.
    pub fn is_active(&self) -> bool {
        !self.archived && self.merged_into.is_none()
    }

    /// Its e-mail as comparisons want it.
    pub fn email_lowered(&self) -> Option<String> {
        self.email.as_ref().map(|email| email.to_lowercase())
    }
}

impl State {
    /// An empty workspace, with the attributes every workspace has.
    pub fn new(settings: &Settings) -> State {
        State {
            id_seed: settings.id_seed,
            ids_given: 0,
            contacts: BTreeMap::new(),
            by_external_id: HashMap::new(),
            by_email: HashMap::new(),
            companies: BTreeMap::new(),
            by_company_id: HashMap::new(),
            tags: Tags::default(),
            attributes: Attributes::standard(),
            events: Events::default(),
            index: Index::default(),
            scroll: None,
            tickets: Tickets::standard(),
        }
    }

    /// The next id: the same sequence in every run with one seed.
    pub fn next_id(&mut self) -> Id {
        self.ids_given += 1;
        format!("{:08x}{:016x}", self.id_seed, self.ids_given)
    }

    /// Every contact, the archived and merged ones too, oldest first.
    pub fn contacts(&self) -> impl DoubleEndedIterator<Item = &Arc<Contact>> {
        self.contacts.values()
    }

    /// The contact with this id, whatever became of it.
    pub fn contact(&self, id: &str) -> Option<&Arc<Contact>> {
        self.contacts.get(id)
    }

    /// The contact whom a read of this id shows: 404 for an unknown or archived one, 410 for one that was merged away.
    pub fn readable(&self, id: &str, version: Version) -> Result<&Arc<Contact>, Refusal> {
        let contact = self.contact(id).ok_or_else(Refusal::no_contact)?;
        if contact.merged_into.is_some() && version.tells_merges() {
            return Err(Refusal::merged(&self.canonical(contact)));
        }
        match contact.is_active() {
            true => Ok(contact),
            false => Err(Refusal::no_contact()),
        }
    }

    /// Whom the merged contact went to; chains are followed three hops far.
    fn canonical(&self, merged: &Contact) -> Id {
        const HOPS_MAX: usize = 3;
        let mut at = merged;
        for _ in 0..HOPS_MAX {
            match at.merged_into.as_ref().and_then(|id| self.contacts.get(id)) {
                Some(next) => at = next,
                None => break,
            }
        }
        at.id.clone()
    }

    /// The user with this external id, also an archived or merged one.
    pub fn by_external_id(&self, external_id: &str) -> Option<&Arc<Contact>> {
        self.contacts.get(self.by_external_id.get(external_id)?)
    }

    /// Contacts with this e-mail who were not merged away, the archived ones too, oldest first.
    pub fn by_email(&self, email: &str) -> impl Iterator<Item = &Arc<Contact>> {
        let ids = self.by_email.get(&email.to_lowercase()).into_iter().flatten();
        ids.filter_map(|id| self.contacts.get(id)).filter(|contact| contact.merged_into.is_none())
    }

    /// Users with this e-mail who were not merged away, the archived ones too, oldest first.
    pub fn users_by_email(&self, email: &str) -> impl Iterator<Item = &Arc<Contact>> {
        self.by_email(email).filter(|contact| contact.role == Role::User)
    }

    /// Writes a contact, new or changed: the one door, so that lookups and the search index follow.
    pub fn put_contact(&mut self, contact: Contact, now: i64, settings: &Settings) -> Arc<Contact> {
        self.unlink(&contact.id);
        if let Some(external_id) = &contact.external_id {
            self.by_external_id.insert(external_id.clone(), contact.id.clone());
        }
        if let Some(email) = contact.email_lowered() {
            self.by_email.entry(email).or_default().insert(contact.id.clone());
        }
        let contact = Arc::new(contact);
        self.contacts.insert(contact.id.clone(), contact.clone());
        self.tell_index(&contact.id, Some(contact.clone()), now, settings);
        contact
    }

    /// Removes a contact for good.
    pub fn delete_contact(&mut self, id: &str, now: i64, settings: &Settings) -> Option<Arc<Contact>> {
        self.unlink(id);
        let contact = self.contacts.remove(id)?;
        for company in &contact.companies {
            companies::leave(self, company, id);
        }
        self.tell_index(id, None, now, settings);
        Some(contact)
    }

    /// Does what was to be done by now.
    pub fn catch_up(&mut self, now: i64, settings: &Settings) {
        companies::finish_deletions(self, now, settings);
    }

    /// Lets search see every contact as it is now.
    pub fn converge(&mut self) {
        self.index.rebuild(self.contacts.values());
    }

    fn tell_index(&mut self, id: &str, contact: Option<Arc<Contact>>, now: i64, settings: &Settings) {
        if let SearchLag::Secs(lag) = settings.search_lag_secs {
            self.index.change(id.to_owned(), contact, now + i64::from(lag));
            self.index.catch_up(now);
        }
    }

    fn unlink(&mut self, id: &str) {
        let Some(old) = self.contacts.get(id).cloned() else { return };
        if let Some(external_id) = &old.external_id
            && self.by_external_id.get(external_id).is_some_and(|holder| holder == id)
        {
            self.by_external_id.remove(external_id);
        }
        let Some(email) = old.email_lowered() else { return };
        if let Some(ids) = self.by_email.get_mut(&email) {
            ids.remove(id);
        }
    }

    /// Everything as JSON: lists `contacts`, `companies`, `tags`, `data_attributes`, `events`, `ticket_types` and `tickets`, oldest
    /// first.
    pub fn snapshot(&self, settings: &Settings) -> Value {
        json!({
            "contacts": self.contacts.values().map(|c| contact_view::inside(c, self, settings)).collect::<Vec<_>>(),
            "companies": self.companies.values().map(|c| companies::inside(c, self, settings)).collect::<Vec<_>>(),
            "tags": self.tags.view(),
            "data_attributes": self.attributes.view(None, true),
            "events": self.events.view(),
            "ticket_types": ticket_types::all(&self.tickets, settings),
            "tickets": tickets::all(self, settings),
        })
    }
}
