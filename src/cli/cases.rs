//! The tests of destination files: reading their events as the door would, and running them.

use anyhow::Context;

use crate::destination::{self, Circumstances, Difference};
use crate::event::Event;
use crate::http::ingest;
use crate::http::problem::Problem;
use crate::mapping::Mappings;
use crate::mapping::case::Test;
use crate::yaml::Problems;

/// The event of a test, or why the tracking API would refuse it.
pub(super) fn event(test: &Test) -> Result<Event, Problem> {
    ingest::read(test.source.as_deref().unwrap_or("test"), &test.call(), test.received_at())
}

/// Notes events of tests that the tracking API would refuse.
pub(super) fn check_events(tests: &[Test], problems: &mut Problems) {
    for test in tests {
        if let Err(problem) = event(test) {
            let message = format!("this event would be refused: {}", problem.message);
            let path = format!("{}.event", test.path);
            problems.error("event_refused", &test.event.place, &path, message);
        }
    }
    problems.finish();
}

/// Everything that is not as a test expects.
pub(super) async fn run(mappings: &Mappings, test: &Test, event: &Event) -> anyhow::Result<Vec<Difference>> {
    let view = event.view().context("an event that the door takes can be read")?;
    let circumstances =
        Circumstances { source: test.source.as_deref(), contact_exists: !test.new_contact, ignore_enabled: true };
    Ok(destination::judge(test, &destination::explain(mappings, &view, circumstances).await))
}
