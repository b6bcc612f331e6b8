//! Accept: events go to the store, and the sender hears of it when they are durable.

use std::time::Duration;

use tracing::{debug, warn};

use super::Ingest;
use super::auth::Source;
use crate::event::{Event, Kind};
use crate::http::problem::{Code, Problem};
use crate::store::{self, Accepted};

/// The code under which events of suppressed people are counted.
const USER_SUPPRESSED: &str = "user_suppressed";

impl Ingest {
    /// Hands the events of one call to the store and waits until they are durable.
    pub(super) async fn accept(&self, source: &str, events: Vec<Event>) -> Result<(), Problem> {
        let kinds: Vec<Kind> = events.iter().map(|event| event.envelope.kind).collect();
        for event in &events {
            debug!(event.id = %event.envelope.message_id, source.name = source, "Event received");
        }
        for (kind, count) in tally(kinds.iter()) {
            self.metrics.events_received_total.with_label_values(&[source, kind]).inc_by(count);
        }
        let events = self.without_suppressed(source, events);
        let kinds: Vec<Kind> = events.iter().map(|event| event.envelope.kind).collect();
        let time = Duration::from_secs(self.settings.accept_timeout_secs);
        let answers = match tokio::time::timeout(time, self.store.accept(events)).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => return Err(self.store_trouble(&error)),
            Err(_) => return Err(self.store_silence()),
        };
        self.health.works();
        let is_new = |(_, answer): &(&Kind, &Accepted)| matches!(answer, Accepted::New(_));
        for (kind, count) in tally(kinds.iter().zip(&answers).filter(is_new).map(|(kind, _)| kind)) {
            self.metrics.events_accepted_total.with_label_values(&[source, kind]).inc_by(count);
        }
        let repeats = answers.iter().filter(|answer| **answer == Accepted::Duplicate).count();
        if repeats > 0 {
            self.metrics.events_duplicate_total.with_label_values(&[source]).inc_by(repeats as u64);
        }
        Ok(())
    }

    /// Leaves out the events of people who are not to be known here any more. The sender is answered as always: it cannot
    /// do anything about it.
    fn without_suppressed(&self, source: &str, events: Vec<Event>) -> Vec<Event> {
        let suppressed = self.store.suppressed();
        if suppressed.is_nobody() {
            return events;
        }
        let count = events.len();
        let is_wanted = |event: &Event| match event.view() {
            Ok(view) => !suppressed.is_in(&view, event.envelope.kind),
            Err(_) => true,
        };
        let wanted: Vec<Event> = events.into_iter().filter(is_wanted).collect();
        let left_out = (count - wanted.len()) as u64;
        if left_out > 0 {
            self.metrics.events_rejected_total.with_label_values(&[source, USER_SUPPRESSED]).inc_by(left_out);
        }
        wanted
    }

    pub(super) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.settings.body_timeout_secs)
    }

    pub(super) fn count_rejected(&self, source: &str, code: Code) {
        self.metrics.events_rejected_total.with_label_values(&[source, code.word()]).inc();
    }

    /// A source may have its equal share of the backlog, whatever the others do with theirs.
    pub(super) fn check_backlog(&self, source: &Source) -> Result<(), Problem> {
        let share = self.settings.backlog_max / self.sources.enabled().max(1) as u64;
        let waiting = self.store.stats().backlog.get(&source.name).copied().unwrap_or_default();
        if waiting < share.max(1) {
            return Ok(());
        }
        let message = format!("{waiting} events of source `{}` are waiting already, send this later", source.name);
        Err(Problem::new(Code::BacklogFull, message))
    }

    fn store_trouble(&self, error: &store::Error) -> Problem {
        if self.health.fails((self.clock)(), error.to_string()) {
            warn!(%error, "The store does not take events");
        }
        match error {
            store::Error::Unavailable(_) => {
                Problem::new(Code::StoreUnavailable, "the store cannot take events now, send this again later")
            }
            _ => Problem::new(Code::StoreFailed, "storage failed, nothing can be taken until the router is restarted"),
        }
    }

    fn store_silence(&self) -> Problem {
        let secs = self.settings.accept_timeout_secs;
        if self.health.fails((self.clock)(), format!("no answer within {secs} s")) {
            warn!("The store did not answer within {secs} s");
        }
        Problem::new(Code::StoreSlow, format!("the store did not answer within {secs} s, send this again later"))
    }
}

/// How many of each type there are.
fn tally<'a>(kinds: impl Iterator<Item = &'a Kind>) -> impl Iterator<Item = (&'static str, u64)> {
    let mut counts = [0; Kind::ALL.len()];
    kinds.for_each(|kind| counts[*kind as usize] += 1);
    Kind::ALL.into_iter().map(Kind::name).zip(counts).filter(|(_, count)| *count > 0)
}
