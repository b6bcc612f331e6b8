//! What was done about a person who was to be deleted, for programs and for people.

use serde::{Deserialize, Serialize};

use crate::destination::erase::{Erased, Found, Subject};
use crate::event::Person;
use crate::instant::{self, Timestamp};
use crate::store::Removed;

/// What was done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Who was asked for.
    pub subject: Subject,
    /// Other names of those who were found at a destination. Events with these and no other user id were taken out too;
    /// nobody else was looked for by them, and they are not refused later.
    #[serde(default)]
    pub also_known_as: Person,
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
    /// Whether attempts for this person went on for so long that it is not known what became of them.
    #[serde(default)]
    pub still_under_way: bool,
    /// Whether all of it is done: somebody was found and deleted wherever it was looked, and is surely not there any more.
    /// If not, it can be asked for again.
    pub done: bool,
}

impl Receipt {
    /// The receipt for people, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut who = names(&self.subject.person);
        who.extend(self.subject.contact_id.iter().map(|id| format!("contact {id}")));
        let mut lines = vec![
            format!("{}  {}", if self.dry_run { "look up" } else { "delete " }, who.join(", ")),
            format!("began    {}", instant::to_text(self.began_at)),
            format!("ended    {}", instant::to_text(self.ended_at)),
        ];
        for (name, erased) in &self.destinations {
            lines.extend(erased_lines(name, erased, self.dry_run));
        }
        if !self.also_known_as.is_nobody() {
            let who = names(&self.also_known_as).join(", ");
            lines.push(format!("also     {who}: name these too if they are this person's alone"));
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
        if self.still_under_way {
            lines.push("attempts of this person's events are still under way, and may bring them back".to_owned());
        }
        lines.push(self.result().to_owned());
        lines
    }

    fn result(&self) -> &'static str {
        let all = |found: &[Found]| self.destinations.iter().all(|(_, erased)| found.contains(&erased.found()));
        match (self.dry_run, self.done) {
            (true, _) => "result   nothing was done",
            (false, true) => "result   done",
            _ if !self.still_under_way && all(&[Found::Deleted, Found::NotThere, Found::PerhapsThere]) => {
                "result   NOT sure: look for them at the destination, or name them by another id and run it again"
            }
            _ => "result   NOT done: run it again when the reason is gone",
        }
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
            (false, None, true) => "not there; a sender's own id is no contact id".to_owned(),
            (false, None, false) => "NOT deleted".to_owned(),
        };
        lines.push(format!("at       {name} ({}): contact {}{known}: {came}", erased.host, contact.id));
    }
    if erased.contacts.is_empty() && erased.failure.is_none() {
        lines.push(format!(
            "at       {name} ({}): nobody was found; may be archived, or too new for the search",
            erased.host
        ));
    }
    if let Some(failure) = &erased.failure {
        lines.push(format!("at       {name} ({}): FAILED: {} ({})", erased.host, failure.message, failure.code));
    }
    lines
}

fn names(person: &Person) -> Vec<String> {
    let user_ids = person.user_ids.iter().map(|id| format!("user id {id}"));
    user_ids.chain(person.emails.iter().map(|email| format!("e-mail {email}"))).collect()
}
