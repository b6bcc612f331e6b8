//! What an attempt comes to: statuses, ages and signs.

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

#[track_caller]
fn check(result: crate::action::Result, status: &str, next: Next, attempts: u32) {
    let mut progress = Progress::new();
    let performed = Performed { result, ..Performed::failed(Failure::rejected("", "")) };
    assert_eq!(settle(&mut progress, &performed, &retry::Settings::default(), NOW, 1.0, true), next);
    assert_eq!((progress.status.name(), progress.attempts), (status, attempts));
}

fn failed(kind: Kind) -> crate::action::Result {
    Err(Failure::new(kind, "code", "message"))
}

#[test]
fn every_result_has_its_status_and_its_next_step() {
    let second = NOW + Duration::from_secs(1);
    check(Ok(Outcome::Delivered(Vec::new())), "delivered", Next::Settled, 1);
    check(Ok(Outcome::Skipped("no_identity", String::new())), "skipped", Next::Settled, 1);
    check(failed(Kind::Rejected), "dead_letter", Next::Settled, 1);
    check(failed(Kind::Unavailable), "waiting", Next::Again(second), 1);
    check(failed(Kind::Unknown), "waiting", Next::Again(second), 1);
    check(failed(Kind::TooEarly), "waiting", Next::Parked(NOW + Duration::from_secs(10)), 1);
}

#[test]
fn waiting_for_pace_or_credentials_counts_no_attempt() {
    check(failed(Kind::Throttled), "waiting", Next::Quiet(NOW + Duration::from_secs(10)), 0);
    check(failed(Kind::Unauthorized), "pending", Next::Unauthorized, 0);
}

fn settle_at(progress: &mut Progress, kind: Kind, hours: u64) -> Next {
    let performed = Performed { result: failed(kind), ..Performed::failed(Failure::rejected("", "")) };
    let (settings, now) = (retry::Settings::default(), NOW + Duration::from_secs(hours * 3600));
    progress.waited_out = has_waited_out(progress, &settings, &Standstills::before(NOW), now);
    settle(progress, &performed, &settings, now, 1.0, true)
}

#[test]
fn the_age_of_a_failure_is_counted_from_the_first_one() {
    let mut progress = Progress::new();
    settle_at(&mut progress, Kind::Unavailable, 0);
    assert_ne!(settle_at(&mut progress, Kind::Unknown, 71), Next::Settled);
    assert_eq!(settle_at(&mut progress, Kind::Unavailable, 72), Next::Settled);
    assert_eq!(progress.status.name(), "dead_letter");
}

#[test]
fn an_outage_does_not_use_up_the_time_to_wait_for_a_contact() {
    let mut progress = Progress::new();
    settle_at(&mut progress, Kind::Unavailable, 0);
    settle_at(&mut progress, Kind::Unavailable, 5);
    assert!(matches!(settle_at(&mut progress, Kind::TooEarly, 5), Next::Parked(_)));
    assert_eq!(settle_at(&mut progress, Kind::TooEarly, 6), Next::Settled);
}

#[test]
fn a_last_resort_that_fails_for_another_reason_is_tried_again() {
    let mut progress = Progress::new();
    settle_at(&mut progress, Kind::TooEarly, 0);
    assert!(matches!(settle_at(&mut progress, Kind::Unavailable, 1), Next::Again(_)) && progress.waited_out);
    // As it is written down, so it is after a restart.
    let mut progress: Progress = serde_json::from_str(&serde_json::to_string(&progress).unwrap()).unwrap();
    assert_eq!(settle_at(&mut progress, Kind::TooEarly, 2), Next::Settled);
    assert!(!progress.reopened().waited_out, "who is attempted anew may wait anew");
}

#[test]
fn a_wait_of_nothing_still_has_its_last_resort() {
    let settings = retry::Settings { too_early_max_secs: 0, ..retry::Settings::default() };
    let mut progress = Progress::new();
    let performed = Performed { result: failed(Kind::TooEarly), ..Performed::failed(Failure::rejected("", "")) };
    let mut attempt = || {
        progress.waited_out = has_waited_out(&progress, &settings, &Standstills::before(NOW), NOW);
        settle(&mut progress, &performed, &settings, NOW, 1.0, true)
    };
    assert_eq!((attempt(), attempt()), (Next::Parked(NOW), Next::Settled));
}

#[test]
fn only_silence_and_failure_of_the_destination_speak_against_it() {
    let sign = |result, status: Option<Option<u16>>| {
        let mut performed = Performed { result, ..Performed::failed(Failure::rejected("", "")) };
        performed.exchanges.extend(status.map(|status| crate::delivery::Exchange {
            method: "GET".into(),
            path: "/".to_owned(),
            body: None,
            status,
            reply: String::new(),
        }));
        super::sign(&performed)
    };
    let delivered = || Ok(Outcome::Delivered(Vec::new()));
    assert_eq!(sign(delivered(), Some(Some(200))), Sign::Well);
    assert_eq!(sign(delivered(), None), Sign::Silent);
    assert_eq!(sign(failed(Kind::Rejected), Some(Some(400))), Sign::Well);
    assert_eq!(sign(failed(Kind::TooEarly), Some(Some(404))), Sign::Well);
    assert_eq!(sign(failed(Kind::Unavailable), Some(Some(403))), Sign::Well);
    assert_eq!(sign(failed(Kind::Unavailable), None), Sign::Silent, "known without asking");
    assert_eq!(sign(failed(Kind::Throttled), Some(Some(429))), Sign::Busy);
    for status in [None, Some(200), Some(302), Some(408), Some(500), Some(503), Some(504)] {
        assert_eq!(sign(failed(Kind::Unknown), Some(status)), Sign::Failing, "{status:?}");
    }
}

#[test]
fn time_in_which_the_connection_stood_still_does_not_count() {
    let hour = |hour: u64| NOW + Duration::from_secs(hour * 3600);
    let mut standstills = Standstills::before(NOW);
    let mut progress = Progress::new();
    let mut fail = |standstills: &Standstills, at| {
        leave_out(&mut progress, standstills, at, at);
        let performed = Performed { result: failed(Kind::Unavailable), ..Performed::failed(Failure::rejected("", "")) };
        let next = settle(&mut progress, &performed, &retry::Settings::default(), at, 1.0, true);
        progress.record(story(1, at, at, "unavailable", performed));
        next
    };
    fail(&standstills, hour(0));
    standstills.add(hour(1), hour(100));
    assert_ne!(fail(&standstills, hour(110)), Next::Settled, "11 hours count");
    // The next process was started a week later.
    let standstills = Standstills::before(hour(300));
    assert_ne!(fail(&standstills, hour(360)), Next::Settled, "71 hours count");
    assert_eq!(fail(&standstills, hour(361)), Next::Settled);
}

#[test]
fn a_story_stays_short() {
    let mut performed = Performed::failed(Failure::rejected("code", "é".repeat(5_000)));
    performed.exchanges.push(crate::delivery::Exchange {
        method: "GET".into(),
        path: "/".repeat(5_000),
        body: None,
        status: None,
        reply: String::new(),
    });
    bound(&mut performed);
    assert_eq!((performed.result.unwrap_err().message.len(), performed.exchanges[0].path.len()), (1024, 1024));
}

#[test]
fn one_outside_its_line_stays_outside() {
    let waiting = |parked| Status::Waiting { until: NOW, reason: "unauthorized".into(), parked };
    for (before, after) in [
        (Status::Pending, waiting(true)),
        (waiting(false), waiting(true)),
        (Status::Delivered { at: NOW }, Status::Delivered { at: NOW }),
    ] {
        let mut status = before;
        stay_outside(&mut status, NOW);
        assert_eq!(status, after);
    }
}
