//! One attempt: delivery → outcome → what is written down and what happens next.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::load::Load;
use super::pace::{Ended, Sign};
use super::standstill::Standstills;
use super::{Connection, Surroundings};
use crate::action::{Failure, Kind, Outcome, Warning};
use crate::delivery::retry::{self, Tried, Verdict};
use crate::delivery::{Attempt, Failing, Progress, Status};
use crate::destination::{Before, CONTACT_AWAITED, Notes, Performed};
use crate::instant::Timestamp;
use crate::store::Owed;

/// What the conductor does after an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// The delivery has ended.
    Settled,
    /// It keeps its turn and is attempted again then.
    Again(Timestamp),
    /// Those behind it may pass; it is attempted again then.
    Parked(Timestamp),
    /// It keeps its turn, and the whole connection is quiet until then.
    Quiet(Timestamp),
    /// It keeps its turn, and the whole connection waits for its credentials to work.
    Unauthorized,
}

impl Next {
    /// The same, after as long, should a clock that showed `at` when it was reckoned show an earlier time now.
    pub(super) fn set_back(self, at: Timestamp, now: Timestamp) -> Next {
        let back = at.duration_since(now.min(at));
        match self {
            Next::Again(until) => Next::Again(until - back),
            Next::Parked(until) => Next::Parked(until - back),
            Next::Quiet(until) => Next::Quiet(until - back),
            Next::Settled | Next::Unauthorized => self,
        }
    }
}

/// An attempt, finished.
#[derive(Debug)]
pub(super) struct Attempted {
    /// The delivery with its new progress, to be settled.
    pub(super) owed: Owed,
    /// Those that have ended with it, or came too early with it, likewise.
    pub(super) carried: Vec<Owed>,
    /// What happens next.
    pub(super) next: Next,
    /// When that was reckoned.
    pub(super) at: Timestamp,
    /// What pacing has to know.
    pub(super) ended: Ended,
}

/// Makes one attempt of a delivery that stands in its line, or outside it. Cannot fail: whatever happens is an outcome.
pub(super) async fn attempt(
    connection: &Connection,
    load: Load,
    Place { outside, follows, standstills }: Place<'_>,
    surroundings: &Surroundings,
    notes: Arc<dyn Notes>,
) -> Attempted {
    let at = (surroundings.clock)();
    let waited_out = has_waited_out(&load.owed.progress, &surroundings.retry, standstills, at);
    let before = Before { steps: &load.owed.progress.steps, notes, waited_out, follows };
    let performed = perform(connection, &load, before).await;
    let (outcome, code) = words(&performed.result);
    connection.count_attempt(&load.owed.delivery.action, outcome, &code);
    let now = (surroundings.clock)();
    let times = Times { at, now, standstills, luck: (surroundings.luck)() };
    conclude(load, performed, outside, &surroundings.retry, &times)
}

/// Where a delivery stands that is attempted.
pub(super) struct Place<'s> {
    /// Outside its line.
    pub(super) outside: bool,
    /// In its line, behind one outside that waits for the contact.
    pub(super) follows: bool,
    /// When the connection stood still.
    pub(super) standstills: &'s Standstills,
}

/// When an attempt was made, and with what luck.
pub(super) struct Times<'t> {
    /// When it began.
    pub(super) at: Timestamp,
    /// When it ended.
    pub(super) now: Timestamp,
    /// When the connection stood still.
    pub(super) standstills: &'t Standstills,
    /// In 0..1.
    pub(super) luck: f64,
}

/// What an attempt came to: the delivery's new progress, and what happens next. Pure.
pub(super) fn conclude(
    load: Load,
    mut performed: Performed,
    outside: bool,
    settings: &retry::Settings,
    times: &Times<'_>,
) -> Attempted {
    let Times { at, now, standstills, luck } = *times;
    bound(&mut performed);
    let with = load.ids().skip(1).collect();
    let Load { mut owed, mut carried, .. } = load;
    let progress = &mut owed.progress;
    progress.waited_out = has_waited_out(progress, settings, standstills, at);
    leave_out(progress, standstills, at, now);
    let next = settle(progress, &performed, settings, now, luck, carried.is_empty());
    if outside {
        stay_outside(&mut progress.status, now);
    }
    progress.steps.extend(performed.steps.clone());
    let (outcome, _) = words(&performed.result);
    let number = progress.tries + 1;
    let took = now.duration_since(at).try_into().unwrap_or_default();
    let (requests, allowance) = (performed.exchanges.len(), performed.allowance);
    let ended = Ended { sign: sign(&performed), took, requests, allowance };
    progress.record(Attempt { carried: with, ..story(number, at, now, outcome, performed) });
    match progress.status {
        Status::Delivered { .. } | Status::Skipped { .. } => carried.iter_mut().for_each(|one| {
            let (status, carried_by) = (progress.status.clone(), Some(owed.id));
            one.progress = Progress { carried_by, ..Progress::ended(status) };
        }),
        // They wait for the same contact, and all they would have done before is done.
        Status::Waiting { parked: true, .. } => carried.iter_mut().for_each(|one| {
            one.progress.steps = progress.steps.clone();
            wait_behind(&mut one.progress, now);
        }),
        // They go on waiting behind it, or by themselves.
        _ => carried.clear(),
    }
    Attempted { owed, carried, next, at: now, ended }
}

/// Whether a delivery that is attempted `at` that time has waited for its contact as long as it may.
fn has_waited_out(progress: &Progress, settings: &retry::Settings, standstills: &Standstills, at: Timestamp) -> bool {
    let since = progress.failing.filter(|failing| failing.too_early).map(|failing| failing.since);
    let uncounted = last(progress).map_or(Duration::ZERO, |last| standstills.during(last, at));
    progress.waited_out || since.is_some_and(|since| retry::has_waited_out(settings, since + uncounted, at))
}

/// When the last attempt ended; of one that waits and was never attempted, since when it waits.
fn last(progress: &Progress) -> Option<Timestamp> {
    let last = progress.story.last().map(|attempt| attempt.at + Duration::from_millis(attempt.took_ms));
    last.or(progress.failing.map(|failing| failing.since))
}

/// Time since the last attempt in which the connection stood still counts for no age, and neither does the attempt: the
/// clock may have been set meanwhile. Written down with the attempt, so that it stays so after a restart.
fn leave_out(progress: &mut Progress, standstills: &Standstills, at: Timestamp, now: Timestamp) {
    if let (Some(last), Some(failing)) = (last(progress), &mut progress.failing) {
        let took = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        failing.since = (failing.since + standstills.during(last, at) + took).min(now);
    }
}

/// Performs the action. A panic in it is a bug of ours: it ends this delivery, and no other.
async fn perform(connection: &Connection, load: &Load, before: Before<'_>) -> Performed {
    let owed = &load.owed;
    let payload = match load.payload() {
        Ok(payload) => payload.get().as_bytes(),
        Err(unfit) => return Performed::failed(Failure::rejected("payload_invalid", unfit.message.clone())),
    };
    let action = connection.destination.perform_owed(&owed.delivery.action, payload, before);
    AssertUnwindSafe(action).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Performed::failed(Failure::rejected("internal_error", format!("the action panicked: {text}")))
    })
}

/// Writes the result of an attempt into the progress, and says what happens next. What was refused and was not alone is
/// tried alone: what is wrong may be in one of the others.
fn settle(
    progress: &mut Progress,
    performed: &Performed,
    settings: &retry::Settings,
    now: Timestamp,
    luck: f64,
    is_alone: bool,
) -> Next {
    let failure = match &performed.result {
        Ok(Outcome::Delivered(_)) => {
            progress.attempts += 1;
            progress.status = Status::Delivered { at: now };
            return Next::Settled;
        }
        Ok(Outcome::Skipped(reason, _)) => {
            progress.attempts += 1;
            progress.status = Status::Skipped { at: now, reason: (*reason).into() };
            return Next::Settled;
        }
        Err(failure) => failure,
    };
    if !matches!(failure.kind, Kind::Throttled | Kind::Unauthorized) {
        progress.attempts += 1;
        // An outage must not use up the time that a delivery may wait for its contact, nor the other way round.
        let too_early = failure.kind == Kind::TooEarly;
        let same = progress.failing.filter(|failing| failing.too_early == too_early);
        progress.failing = Some(same.unwrap_or(Failing { since: now, too_early }));
    }
    let first_failed_at = progress.failing.map_or(now, |failing| failing.since);
    let tried = Tried { attempts: progress.attempts, first_failed_at, waited_out: progress.waited_out };
    let verdict = retry::decide(settings, failure, tried, now, luck);
    let waiting = |until, parked| Status::Waiting { until, reason: failure.code.clone(), parked };
    let (status, next) = match verdict {
        Verdict::Again(until) => (waiting(until, false), Next::Again(until)),
        Verdict::Park(until) => (waiting(until, true), Next::Parked(until)),
        Verdict::PauseUntil(until) => (waiting(until, false), Next::Quiet(until)),
        Verdict::PauseUntilAuthorized => (Status::Pending, Next::Unauthorized),
        Verdict::GiveUp(..) if !is_alone && failure.kind == Kind::Rejected => {
            progress.carries.clear();
            (waiting(now, false), Next::Again(now))
        }
        Verdict::GiveUp(code, message) => (Status::DeadLetter { at: now, code, message }, Next::Settled),
    };
    progress.status = status;
    next
}

/// What an attempt says about the destination: not what it did with this delivery, but whether it does anything.
fn sign(performed: &Performed) -> Sign {
    let Some(last) = performed.exchanges.last() else { return Sign::Silent };
    match &performed.result {
        Err(failure) if failure.kind == Kind::Throttled => Sign::Busy,
        // A missing permission and the like are answers too, although time may mend them.
        Err(failure) if matches!(failure.kind, Kind::Unavailable | Kind::Unknown) => match last.status {
            Some(400..=407 | 409..=499) => Sign::Well,
            _ => Sign::Failing,
        },
        _ => Sign::Well,
    }
}

/// One that left its line does not come back into it, also not after a restart.
fn stay_outside(status: &mut Status, now: Timestamp) {
    match status {
        Status::Pending => *status = Status::Waiting { until: now, reason: "unauthorized".into(), parked: true },
        Status::Waiting { parked, .. } => *parked = true,
        Status::Delivered { .. } | Status::Skipped { .. } | Status::DeadLetter { .. } => {}
    }
}

/// One that has nothing to do before the one that it follows leaves its line without an attempt. The store is told, so that
/// it keeps its place among those outside also after a restart. It waits for its contact from now on.
pub(super) fn wait_behind(progress: &mut Progress, now: Timestamp) {
    progress.failing.get_or_insert(Failing { since: now, too_early: true });
    progress.status = Status::Waiting { until: now, reason: CONTACT_AWAITED.into(), parked: true };
}

/// A story is written at every attempt, so neither a destination's words nor an id in a path may make it long.
fn bound(performed: &mut Performed) {
    const LINE_MAX: usize = 1024;
    let cut = |text: &mut String| {
        let end = (0..=LINE_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
    };
    if let Err(failure) = &mut performed.result {
        cut(&mut failure.message);
    }
    performed.exchanges.iter_mut().for_each(|exchange| cut(&mut exchange.path));
}

/// The outcome's word and code, as metrics and stories use them.
fn words(result: &crate::action::Result) -> (&'static str, Cow<'static, str>) {
    match result {
        Ok(Outcome::Delivered(_)) => ("delivered", "".into()),
        Ok(Outcome::Skipped(reason, _)) => ("skipped", (*reason).into()),
        Err(failure) => (failure.kind.name(), failure.code.clone()),
    }
}

fn story(number: u32, at: Timestamp, now: Timestamp, outcome: &'static str, performed: Performed) -> Attempt {
    let took_ms = now.duration_since(at).as_millis().max(0) as u64;
    let (failure, warnings) = match performed.result {
        Ok(Outcome::Delivered(warnings)) => (None, warnings),
        Ok(Outcome::Skipped(reason, message)) => (None, vec![Warning::new("", reason, message)]),
        Err(failure) => (Some(failure), Vec::new()),
    };
    let (outcome, exchanges) = (outcome.into(), performed.exchanges);
    Attempt { number, at, took_ms, outcome, failure, warnings, carried: Vec::new(), exchanges }
}

impl Connection {
    fn count_attempt(&self, action: &Arc<str>, outcome: &str, code: &str) {
        self.metrics.attempts_total.with_label_values(&[&*self.name, &**action, outcome, code]).inc();
    }
}

#[cfg(test)]
mod tests;
