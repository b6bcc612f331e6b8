//! Deleting a person everywhere: at every destination, and in the queue.
//!
//! # Why
//! Whoever is deleted at a destination while their events still wait comes back with the next one. So later events are
//! refused first, if that is wanted; then what waits is taken out; what is being attempted is waited for; then the
//! destinations delete; and then what came in meanwhile is taken out too, and looked for again. Names that a destination
//! knew and nobody asked for may be shared with others, so nobody is looked for or refused by them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::under_way::UnderWay;
use crate::delivery::Position;
use crate::destination::erase::{Erased, Found, Subject};
use crate::destination::{self, Destination};
use crate::event::Person;
use crate::instant::Timestamp;
use crate::store::{self, Removed, Store};

mod receipt;

pub use receipt::Receipt;

/// Events that are read in one step.
const STEP: usize = 500;
/// How often it is looked again because something came in meanwhile.
const ROUNDS_MAX: usize = 4;
/// How long attempts under way are waited for: longer than an attempt should take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// Who: the senders' own ids.
    pub user_ids: Vec<String>,
    /// Who: e-mail addresses.
    pub emails: Vec<String>,
    /// Who: the destination's own id; only with `destination`.
    pub contact_id: Option<String>,
    /// The only destination to delete at. `None`: all.
    pub destination: Option<String>,
    /// Refuse later events of this person.
    pub suppress: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// With what it is done.
pub struct Eraser {
    /// Where events wait.
    pub store: Arc<dyn Store>,
    /// The destinations, by name.
    pub destinations: Vec<(String, Arc<dyn Destination>)>,
    /// What is being attempted for the person; nothing, where no router runs.
    pub under_way: UnderWay,
    /// The time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Wish {
    /// Who is meant, or why that cannot be told.
    pub fn subject(&self) -> Result<Subject, String> {
        let mut person = Person::default();
        person.user_ids.extend(self.user_ids.iter().filter(|id| !id.is_empty()).cloned());
        self.emails.iter().for_each(|email| person.add_email(email));
        let contact_id = self.contact_id.clone().filter(|id| !id.is_empty());
        if person.is_nobody() && contact_id.is_none() {
            return Err("nobody is named: give a user id, an e-mail address or a contact id".to_owned());
        }
        if contact_id.is_some() && self.destination.is_none() {
            return Err("a contact id is one destination's own: name the destination".to_owned());
        }
        Ok(Subject { person, contact_id, hints: BTreeSet::new() })
    }
}

/// What was taken out of the queue so far.
#[derive(Default)]
struct TakenOut {
    count: Removed,
    positions: Vec<Position>,
    /// Other user ids in events that have an address that was asked for.
    user_ids: BTreeSet<String>,
}

impl Eraser {
    /// Does it. The error is the store's; what a destination could not do stands in the receipt.
    pub async fn erase(&self, wish: &Wish, subject: Subject) -> store::Result<Receipt> {
        let began_at = (self.clock)();
        if wish.suppress && !wish.dry_run {
            self.store.suppress(subject.person.clone(), true).await?;
        }
        let mut destinations = Vec::new();
        let (mut queue, mut also_known_as, mut still_under_way) = (Removed::default(), Person::default(), false);
        let mut search = subject.clone();
        for round in 0..ROUNDS_MAX {
            let taken = self.take_out(&subject.person, &also_known_as, wish.dry_run).await?;
            // In a trial nothing goes, so the last count is the whole one.
            queue = if wish.dry_run { taken.count } else { add(queue, taken.count) };
            if round > 0 && (wish.dry_run || taken.positions.is_empty()) {
                break;
            }
            if !wish.dry_run {
                still_under_way |= !self.wait_for(&taken.positions).await;
            }
            search.hints.extend(taken.user_ids);
            self.erase_everywhere(wish, &search, &mut destinations).await;
            also_known_as = other_names(&destinations, &subject.person);
        }
        let any = |found: Found| destinations.iter().any(|(_, erased): &(String, Erased)| erased.found() == found);
        let is_deleted = destinations.is_empty() || any(Found::Deleted);
        let is_open = any(Found::Failed) || any(Found::PerhapsThere) || still_under_way;
        // Of a trial's contacts nothing is verified; it is well when all could be asked.
        let is_answered = destinations.iter().all(|(_, erased)| erased.failure.is_none());
        let done = if wish.dry_run { is_answered } else { is_deleted && !is_open };
        let (ended_at, suppressed, dry_run) = ((self.clock)(), wish.suppress && !wish.dry_run, wish.dry_run);
        Ok(Receipt {
            subject,
            also_known_as,
            began_at,
            ended_at,
            dry_run,
            destinations,
            queue,
            suppressed,
            still_under_way,
            done,
        })
    }

    /// Waits until no attempt for these events is under way, for a while: whether they ended.
    async fn wait_for(&self, positions: &[Position]) -> bool {
        tokio::time::timeout(PATIENCE, self.under_way.ended(positions)).await.is_ok()
    }

    /// Every destination looks for the same names: what one of them knows says nothing about another's people.
    async fn erase_everywhere(&self, wish: &Wish, subject: &Subject, done: &mut Vec<(String, Erased)>) {
        for (name, destination) in &self.destinations {
            if wish.destination.as_ref().is_some_and(|wanted| wanted != name) {
                continue;
            }
            destination::wait_out_quiet(&**destination).await;
            let erased = destination.erase(subject, wish.dry_run).await;
            match done.iter_mut().find(|(known, _)| known == name) {
                Some((_, before)) => before.add(erased),
                None => done.push((name.clone(), erased)),
            }
        }
    }

    /// Takes the person's events out, or counts them: those with a name that was asked for, and those with a name that was
    /// found and the user id of nobody else.
    async fn take_out(&self, asked: &Person, found: &Person, dry_run: bool) -> store::Result<TakenOut> {
        let mut taken = TakenOut::default();
        let mut known = asked.clone();
        known.add(found);
        if known.is_nobody() {
            return Ok(taken);
        }
        let mut after = Position(0);
        loop {
            let step = self.store.events(after, STEP).await?;
            let Some(last) = step.last().map(|stored| stored.position) else { return Ok(taken) };
            let mut theirs = Vec::new();
            for stored in &step {
                let Ok(view) = stored.event.view() else { continue };
                let kind = stored.event.envelope.kind;
                let by_address = Person { emails: asked.emails.clone(), ..Person::default() }.is_in(&view, kind);
                if by_address {
                    taken.user_ids.extend(Person::user_ids_in(&view, kind));
                }
                let is_asked_for = by_address || asked.is_in(&view, kind);
                let is_nobody_elses = || Person::user_ids_in(&view, kind).all(|id| known.user_ids.contains(&id));
                if is_asked_for || (found.is_in(&view, kind) && is_nobody_elses()) {
                    theirs.push(stored.position);
                }
            }
            taken.positions.extend(&theirs);
            if dry_run {
                taken.count.events += theirs.len() as u64;
            } else if !theirs.is_empty() {
                taken.count = add(taken.count, self.store.remove(theirs).await?);
            }
            after = last;
        }
    }
}

/// The names of those who were found, beside the ones that were asked for.
fn other_names(destinations: &[(String, Erased)], asked: &Person) -> Person {
    let mut names = Person::default();
    destinations.iter().for_each(|(_, erased)| names.add(&erased.names()));
    names.user_ids.retain(|id| !asked.user_ids.contains(id));
    names.emails.retain(|email| !asked.emails.contains(email));
    names
}

fn add(one: Removed, other: Removed) -> Removed {
    Removed {
        events: one.events + other.events,
        open: one.open + other.open,
        ended: one.ended + other.ended,
        dead_letters: one.dead_letters + other.dead_letters,
    }
}

#[cfg(test)]
mod tests;
