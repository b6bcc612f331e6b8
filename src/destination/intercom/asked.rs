//! Leads that were asked for, until it is known what came of it.
//!
//! # Why
//! Intercom takes a second lead with an address without a word, and its search shows the first one late. So whoever heard no
//! answer looks until the search must show whether there is one, and only then asks again: this attempt, a later one of the
//! same delivery, another delivery, or a person at a command line.

use super::client::Client;
use super::contact::New;
use super::identity::Role;
use crate::action::{Failure, Kind};

/// The step that says when a lead was asked for, and no answer is known.
const LEAD_ASKED: &str = "lead_asked_for";

impl Client {
    /// Writes down that a lead is about to be asked for. A delivery has its steps in the store. What is done by hand has none,
    /// and the next command is another process.
    pub(super) async fn ask_for_lead(&self, email: Option<&str>) {
        self.intend(LEAD_ASKED).await;
        if let (None, Some(email)) = (&self.notes, email) {
            self.note_asked(email).await;
        }
    }

    /// It was made.
    pub(super) fn lead_was_made(&self) {
        self.take_back(LEAD_ASKED);
    }

    /// It was surely not made, if it was a lead.
    pub(super) async fn lead_was_refused(&self, new: New<'_>) {
        if new.role != Role::Lead {
            return;
        }
        self.take_back(LEAD_ASKED);
        if let (None, Some(email)) = (&self.notes, &new.identity.email) {
            self.note_refused(email).await;
        }
    }

    /// It may have been made, if it was a lead. A user is safe to make again: Intercom refuses the second one by name.
    pub(super) async fn lead_was_unanswered(&self, new: New<'_>) {
        if new.role != Role::Lead {
            return;
        }
        self.unanswered(LEAD_ASKED);
        if let Some(email) = &new.identity.email {
            self.service.directory.unsettled.insert(email.clone(), self.now().as_second()).await;
            self.note_asked(email).await;
        }
    }

    /// Whether an earlier attempt asked for the lead so short a time ago that the search need not show it.
    pub(super) fn has_asked_for_lead(&self) -> bool {
        self.intent(LEAD_ASKED).is_some_and(|asked| !self.is_shown(asked.ended_at))
    }

    /// Whether a lead with an address was asked for so short a time ago that the search need not show it, and nobody knows
    /// what came of that.
    pub(super) async fn is_lead_open(&self, email: &str) -> bool {
        let asked_at = self.service.directory.unsettled.get(email).await;
        asked_at.is_some_and(|at| !self.is_shown(at)) || self.was_asked_for(email)
    }

    fn is_shown(&self, written_at: i64) -> bool {
        self.settings().shown_from(written_at) <= self.now().as_second()
    }
}

/// Whether a lead was made is not known yet.
pub fn lead_unsettled() -> Failure {
    let message = "a lead with this e-mail address may have been made, and the search does not show it yet";
    Failure::new(Kind::Unknown, "lead_unsettled", message)
}
