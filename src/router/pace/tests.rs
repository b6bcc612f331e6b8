//! What holds a connection, and what lets it go on.

use super::*;
use crate::delivery::Position;

fn at(secs: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(secs)
}

fn pace(at_once_max: usize) -> Pace {
    Pace::new(&PaceSettings { at_once_max, ..PaceSettings::default() })
}

fn id(position: u64) -> Id {
    Id { position: Position(position), number: 0 }
}

fn end(pace: &mut Pace, position: u64, sign: Sign, now: u64) -> Option<Turn> {
    pace.end(id(position), &Ended { sign, requests: 1, ..Ended::default() }, at(now))
}

#[test]
fn no_more_at_once_than_allowed() {
    let mut pace = pace(2);
    pace.begin(at(0));
    assert_eq!(pace.hold(at(0)), Hold::Free);
    pace.begin(at(0));
    assert_eq!(pace.hold(at(0)), Hold::Full);
    end(&mut pace, 1, Sign::Silent, 0);
    assert_eq!(pace.hold(at(0)), Hold::Free);
}

#[test]
fn the_longest_quiet_wins_within_reason() {
    let mut pace = pace(1);
    pace.throttle(at(20), at(0));
    pace.throttle(at(10), at(0));
    assert_eq!(pace.hold(at(19)), Hold::Throttled(at(20)));
    assert_eq!(pace.hold(at(20)), Hold::Free);
    pace.throttle(at(1_000_000), at(0));
    assert_eq!(pace.hold(at(0)), Hold::Throttled(at(900)));
}

#[test]
fn refused_credentials_hold_everything_until_they_work() {
    let mut pace = pace(1);
    pace.refuse(at(5));
    assert_eq!(pace.hold(at(1_000_000)), Hold::Unauthorized);
    assert_eq!(pace.held_since(), Some(at(5)));
    pace.authorize();
    assert_eq!(pace.hold(at(0)), Hold::Free);
    assert_eq!(pace.held_since(), None);
}

#[test]
fn what_is_off_or_paused_stays_so_whatever_else_changes() {
    let mut pace = pace(1);
    pace.refuse(at(0));
    pace.throttle(at(20), at(0));
    pace.pause(Some(at(3)));
    pace.switch(false);
    pace.authorize();
    assert_eq!(pace.hold(at(100)), Hold::Off);
    pace.switch(true);
    assert_eq!(pace.hold(at(10)), Hold::Paused);
    pace.pause(None);
    assert_eq!(pace.hold(at(10)), Hold::Throttled(at(20)));
    assert_eq!(pace.hold(at(20)), Hold::Free);
}

#[test]
fn another_destination_has_not_asked_for_quiet_nor_failed() {
    let mut pace = pace(10);
    pace.throttle(at(20), at(0));
    for position in 0..5 {
        pace.begin(at(0));
        end(&mut pace, position, Sign::Failing, 0);
    }
    pace.forget();
    assert_eq!(pace.hold(at(0)), Hold::Free);
}

#[test]
fn a_destination_that_fails_is_left_alone_and_one_attempt_tells_whether_it_is_well() {
    let mut pace = pace(10);
    for position in 0..5 {
        assert_eq!(pace.hold(at(0)), Hold::Free);
        pace.begin(at(0));
        end(&mut pace, position, Sign::Failing, 0);
    }
    assert_eq!(pace.hold(at(4)), Hold::Broken(at(5)));
    assert_eq!(pace.held_since(), Some(at(0)));
    assert_eq!(pace.hold(at(5)), Hold::Free);
    pace.begin(at(5));
    assert_eq!(pace.hold(at(5)), Hold::Full, "one, and no more");
    assert_eq!(end(&mut pace, 9, Sign::Well, 6), Some(Turn::Closed));
    assert_eq!(pace.hold(at(6)), Hold::Free);
    assert_eq!(pace.held_since(), None);
}

#[test]
fn a_budget_holds_back_what_is_too_early_in_the_window() {
    let mut pace = pace(10);
    pace.begin(at(0));
    let allowance = Some(Allowance { limit: 5, remaining: 0, resets_at: at(7) });
    pace.end(id(1), &Ended { sign: Sign::Well, requests: 1, allowance, ..Ended::default() }, at(0));
    assert_eq!(pace.hold(at(1)), Hold::Paced(at(7)));
    assert_eq!(pace.hold(at(1)).until(), Some(at(7)));
    assert_eq!(pace.hold(at(7)), Hold::Free);
}

#[test]
fn every_reason_is_one_of_the_list() {
    let t = Timestamp::UNIX_EPOCH;
    let all = [Hold::Off, Hold::Paused, Hold::Unauthorized, Hold::Broken(t), Hold::Throttled(t)];
    assert_eq!(all.map(|hold| hold.reason().unwrap()), Hold::REASONS);
}
