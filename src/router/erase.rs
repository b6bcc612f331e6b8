//! Deleting a person everywhere: at every destination, and in the queue.
//!
//! # Why
//! Whoever is deleted at a destination while their events still wait comes back with the next one. So later events are
//! refused first, if that is wanted; then what waits is taken out; then the destinations delete; and then what came in
//! meanwhile is taken out too, also under the names that a destination knew and nobody here did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delivery::Position;
use crate::destination::Destination;
use crate::destination::erase::{Erased, Subject};
use crate::event::Person;
use crate::instant::{self, Timestamp};
use crate::store::{self, Removed, Store};

/// Events that are read in one step.
const STEP: usize = 500;

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

/// What was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Who was asked for, with the names that were found on the way.
    pub subject: Subject,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether nothing was done but to look.
    pub dry_run: bool,
    /// What each destination did, by name.
    pub destinations: Vec<(String, Erased)>,
    /// What was taken out of the queue.
    pub queue: Removed,
    /// Whether later events of this person are refused.
    pub suppressed: bool,
    /// Whether all of it is done. If not, it can be asked for again.
    pub done: bool,
}

/// With what it is done.
pub struct Eraser {
    /// Where events wait.
    pub store: Arc<dyn Store>,
    /// The destinations, by name.
    pub destinations: Vec<(String, Arc<dyn Destination>)>,
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
        Ok(Subject { person, contact_id })
    }
}

impl Eraser {
    /// Does it. The error is the store's; what a destination could not do stands in the receipt.
    pub async fn erase(&self, wish: &Wish, mut subject: Subject) -> store::Result<Receipt> {
        let began_at = (self.clock)();
        if wish.suppress && !wish.dry_run {
            self.store.suppress(subject.person.clone(), true).await?;
        }
        let mut queue = self.take_out(&subject.person, wish.dry_run).await?;
        let mut destinations = Vec::new();
        for (name, destination) in &self.destinations {
            if wish.destination.as_ref().is_some_and(|wanted| wanted != name) {
                continue;
            }
            let erased = destination.erase(&subject, wish.dry_run).await;
            subject.person.add(&erased.names());
            destinations.push((name.clone(), erased));
        }
        if !wish.dry_run {
            if wish.suppress {
                self.store.suppress(subject.person.clone(), true).await?;
            }
            let more = self.take_out(&subject.person, false).await?;
            queue = add(queue, more);
        }
        let done = wish.dry_run || destinations.iter().all(|(_, erased)| erased.is_done());
        let (ended_at, suppressed) = ((self.clock)(), wish.suppress && !wish.dry_run);
        Ok(Receipt { subject, began_at, ended_at, dry_run: wish.dry_run, destinations, queue, suppressed, done })
    }

    /// Takes the person's events out, or counts them.
    async fn take_out(&self, person: &Person, dry_run: bool) -> store::Result<Removed> {
        let mut removed = Removed::default();
        if person.is_nobody() {
            return Ok(removed);
        }
        let mut after = Position(0);
        loop {
            let step = self.store.events(after, STEP).await?;
            let Some(last) = step.last().map(|stored| stored.position) else { return Ok(removed) };
            let is_theirs = |stored: &&store::Stored| {
                let view = stored.event.view();
                view.is_ok_and(|view| person.is_in(&view, stored.event.envelope.kind))
            };
            let theirs: Vec<Position> = step.iter().filter(is_theirs).map(|stored| stored.position).collect();
            if dry_run {
                removed.events += theirs.len() as u64;
            } else if !theirs.is_empty() {
                removed = add(removed, self.store.remove(theirs).await?);
            }
            after = last;
        }
    }
}

fn add(one: Removed, other: Removed) -> Removed {
    Removed {
        events: one.events + other.events,
        open: one.open + other.open,
        ended: one.ended + other.ended,
        dead_letters: one.dead_letters + other.dead_letters,
    }
}

impl Receipt {
    /// The receipt for people, line by line.
    pub fn lines(&self) -> Vec<String> {
        let names = |kind: &str, names: Vec<&String>| names.into_iter().map(|name| format!("{kind} {name}")).collect();
        let mut who: Vec<String> = names("user id", self.subject.person.user_ids.iter().collect());
        who.extend::<Vec<String>>(names("e-mail", self.subject.person.emails.iter().collect()));
        who.extend(self.subject.contact_id.iter().map(|id| format!("contact {id}")));
        let mut lines = vec![
            format!("{}  {}", if self.dry_run { "look up" } else { "delete " }, who.join(", ")),
            format!("began    {}", instant::to_text(self.began_at)),
            format!("ended    {}", instant::to_text(self.ended_at)),
        ];
        for (name, erased) in &self.destinations {
            lines.extend(erased_lines(name, erased, self.dry_run));
        }
        let Removed { events, open, ended, dead_letters } = self.queue;
        lines.push(match self.dry_run {
            true => format!("queue    {events} events would be taken out"),
            false => format!(
                "queue    {events} events taken out, with {open} deliveries that waited, {ended} that had ended, and \
                 {dead_letters} dead letters"
            ),
        });
        if self.suppressed {
            lines.push("later    events of this person are not taken any more".to_owned());
        }
        lines.push(match (self.dry_run, self.done) {
            (true, _) => "result   nothing was done".to_owned(),
            (false, true) => "result   done".to_owned(),
            (false, false) => "result   NOT done: run it again when the reason is gone".to_owned(),
        });
        lines
    }
}

fn erased_lines(name: &str, erased: &Erased, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for contact in &erased.contacts {
        let known =
            [&contact.external_id, &contact.email].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { known } else { format!(" ({known})") };
        let came = match (dry_run, contact.deleted_at, contact.verified) {
            (true, ..) => "would be deleted".to_owned(),
            (false, Some(at), true) => format!("deleted {}, not there any more", instant::to_text(at)),
            (false, Some(at), false) => format!("deleted {}, NOT verified", instant::to_text(at)),
            (false, None, _) => "NOT deleted".to_owned(),
        };
        lines.push(format!("at       {name} ({}): contact {}{known}: {came}", erased.host, contact.id));
    }
    if erased.contacts.is_empty() && erased.failure.is_none() {
        lines.push(format!("at       {name} ({}): nobody was found", erased.host));
    }
    if let Some(failure) = &erased.failure {
        lines.push(format!("at       {name} ({}): FAILED: {} ({})", erased.host, failure.message, failure.code));
    }
    lines
}
