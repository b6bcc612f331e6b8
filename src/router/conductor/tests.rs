//! What the histories of the simulation seldom come to, and what they would not notice: one case, one test.

use std::time::Duration;

use super::*;
use crate::delivery::{Id, Position, retry};
use crate::router::PaceSettings;
use crate::router::bring::Finished;

mod due;
mod past;

const T: Timestamp = Timestamp::UNIX_EPOCH;

fn id(position: u64) -> Id {
    Id { position: Position(position), number: 0 }
}

fn joining(position: u64, key: u64, until: Option<u64>) -> Joining {
    let until = until.map(|secs| T + Duration::from_secs(secs));
    let (source, keys, parked) = ("website".into(), vec![key], until.is_some());
    Joining { id: id(position), source, keys, accepted_at: T, until, parked, owed: None }
}

fn read(conductor: &mut Conductor, now: Timestamp) -> Option<Read> {
    match conductor.next(now) {
        Some(Step::Read(read)) => Some(read),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// One with somebody in memory who rests outside until 290 s, and these on the shelf.
fn with_shelf(on_shelf: &[Joining]) -> (Conductor, Vec<Joining>) {
    let stored: Vec<Joining> = std::iter::once(joining(1, 20, Some(290))).chain(on_shelf.iter().cloned()).collect();
    let mut conductor = conductor(Bounds { lined: 8, parked: 1, page: 1 }, stored.len() as u64);
    for page in stored.iter().map(|one| vec![one.clone()]).chain([vec![]]) {
        read(&mut conductor, T).expect("a page");
        conductor.page(page, T);
    }
    assert!(conductor.is_in_memory(id(1)) && on_shelf.iter().all(|one| !conductor.is_in_memory(one.id)));
    (conductor, stored)
}

/// `is_erased`: the older one of the person was erased while it was on the shelf.
fn goes_in_the_end(is_erased: bool) -> bool {
    // Somebody else rests in memory, and the older one of our person on the shelf, for 100 s.
    let (mut conductor, mut stored) = with_shelf(&[joining(2, 10, Some(100))]);
    // The newer one is under way.
    let late = T + Duration::from_secs(99);
    conductor.routed(vec![joining(5, 10, None)], late);
    let Some(Step::Begin(begin)) = conductor.next(late) else { panic!("it goes") };
    assert_eq!(begin.id, id(5));
    while conductor.next(late).is_some() {}
    // The older one is due: the shelf is looked through, and meanwhile the newer one comes too early.
    let now = T + Duration::from_secs(101);
    let first = read(&mut conductor, now).expect("a look at the shelf");
    conductor.finished(0, Finished::put_aside(id(5), now, 0), now);
    let newer = joining(5, 10, Some(101));
    stored.push(newer);
    stored.retain(|one| !(is_erased && one.id == id(2)));
    conductor.page(page_after(&stored, first.after), now);
    // From here on for a day.
    for second in 0..86_400 {
        let now = now + Duration::from_secs(1 + second);
        while let Some(step) = conductor.next(now) {
            match step {
                Step::Read(read) => conductor.page(page_after(&stored, read.after), now),
                Step::Begin(begin) if begin.id == id(5) => return true,
                Step::Begin(begin) => {
                    // The others' contacts never come; they are given up.
                    stored.retain(|one| one.id != begin.id);
                    conductor.finished(0, Finished::unmade(begin.id, now, 0), now);
                }
                Step::Probe(_) => panic!("no probe"),
            }
        }
    }
    false
}

fn at(secs: u64) -> Timestamp {
    T + Duration::from_secs(secs)
}

fn page_after(stored: &[Joining], after: Option<Id>) -> Vec<Joining> {
    stored.iter().find(|one| Some(one.id) > after).cloned().into_iter().collect()
}

#[test]
fn one_that_comes_too_early_behind_one_on_the_shelf_is_not_forgotten() {
    assert!(goes_in_the_end(false));
}

#[test]
fn one_that_comes_too_early_behind_one_that_was_erased_is_not_forgotten() {
    assert!(goes_in_the_end(true));
}

fn conductor(bounds: Bounds, open: u64) -> Conductor {
    let told = Id { position: Position(open), number: u16::MAX };
    let settings = (&PaceSettings::default(), &retry::Settings::default());
    Conductor::new("to".into(), settings, (bounds, open, told), T)
}

/// Which of those that the store has are attempted within so many seconds; each ends at once.
fn gone(conductor: &mut Conductor, mut stored: Vec<Joining>, now: Timestamp, seconds: u64) -> Vec<Id> {
    let mut gone = Vec::new();
    for second in 0..seconds {
        let now = now + Duration::from_secs(second);
        while let Some(step) = conductor.next(now) {
            match step {
                Step::Read(read) => conductor.page(page_after(&stored, read.after), now),
                Step::Begin(begin) => {
                    gone.push(begin.id);
                    stored.retain(|one| one.id != begin.id);
                    conductor.finished(0, Finished::unmade(begin.id, now, 0), now);
                }
                Step::Probe(_) => panic!("no probe"),
            }
        }
    }
    gone
}

#[track_caller]
fn begins(conductor: &mut Conductor, position: u64, now: Timestamp) {
    match conductor.next(now) {
        Some(Step::Begin(begin)) => assert_eq!(begin.id, id(position)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_is_looked_for_does_not_stand_behind_a_newer_one() {
    let mut conductor = conductor(Bounds { lined: 1, parked: 1, page: 2 }, 0);
    // The first is under way, and the second, of the same person, on the shelf.
    conductor.routed(vec![joining(1, 10, None)], T);
    begins(&mut conductor, 1, T);
    conductor.routed(vec![joining(2, 10, None)], T);
    assert!(!conductor.is_in_memory(id(2)));
    // The first has gone, so the second is looked for; meanwhile a third one comes.
    conductor.finished(0, Finished::unmade(id(1), T, 0), T);
    read(&mut conductor, T).expect("a look at the shelf");
    conductor.routed(vec![joining(3, 10, None)], T);
    conductor.page(vec![joining(2, 10, None)], T);
    let stored = vec![joining(2, 10, None), joining(3, 10, None)];
    assert_eq!(gone(&mut conductor, stored, T, 86_400), [id(2), id(3)]);
}

#[test]
fn who_finds_no_room_during_a_look_is_not_passed_over_by_who_comes_next() {
    let mut conductor = conductor(Bounds { lined: 2, parked: 1, page: 1 }, 2);
    let (other, older) = (joining(1, 20, Some(290)), joining(2, 10, Some(100)));
    for page in [vec![other.clone()], vec![older.clone()], vec![]] {
        read(&mut conductor, T).expect("a page");
        conductor.page(page, T);
    }
    // One on the shelf is due. What is read says nothing of those that come now: for the third of them there is no room.
    let now = T + Duration::from_secs(101);
    read(&mut conductor, now).expect("a look at the shelf");
    conductor.routed(vec![joining(3, 30, None), joining(4, 40, None), joining(5, 50, None)], now);
    conductor.routed(vec![joining(6, 60, None)], now);
    for position in [3, 4] {
        begins(&mut conductor, position, now);
        conductor.finished(0, Finished::unmade(id(position), now, 0), now);
    }
    conductor.page(vec![], now);
    let stored = vec![other, older, joining(5, 50, None), joining(6, 60, None)];
    assert_eq!(gone(&mut conductor, stored, now, 10), [5, 6].map(id));
}

#[test]
fn what_is_opened_again_beside_another_of_its_event_comes_in_once() {
    let older = joining(2, 10, Some(100));
    let (mut conductor, _) = with_shelf(std::slice::from_ref(&older));
    // The first delivery of an event has ended, and is opened again while the second is under way.
    let (first, second) = (joining(5, 30, None), Id { position: Position(5), number: 1 });
    let late = T + Duration::from_secs(99);
    conductor.routed(vec![first.clone(), Joining { id: second, ..first.clone() }], late);
    begins(&mut conductor, 5, late);
    conductor.finished(0, Finished::unmade(first.id, late, 0), late);
    assert!(matches!(conductor.next(late), Some(Step::Begin(begin)) if begin.id == second));
    conductor.reopened(vec![first.clone()], late);
    // The shelf is looked through, and so is the store beyond it: the first is not taken from there.
    let now = T + Duration::from_secs(101);
    read(&mut conductor, now).expect("a look at the shelf");
    conductor.page(vec![older], now);
    begins(&mut conductor, 2, now);
    for page in [vec![first.clone()], vec![]] {
        read(&mut conductor, now).expect("the look goes on");
        conductor.page(page, now);
    }
    assert!(!conductor.is_in_memory(first.id));
    conductor.finished(0, Finished::unmade(second, now, 0), now);
    assert!(conductor.is_in_memory(first.id));
}

#[test]
fn a_clock_set_forward_during_a_look_does_not_put_the_next_one_off() {
    let (mut conductor, mut stored) = with_shelf(&[joining(2, 10, Some(100)), joining(3, 30, Some(280))]);
    let first = read(&mut conductor, at(101)).expect("a look at the shelf");
    // The look seems to have taken two minutes.
    let now = at(221);
    conductor.page(page_after(&stored, first.after), now);
    begins(&mut conductor, 2, now);
    while let Some(page) = read(&mut conductor, now) {
        conductor.page(page_after(&stored, page.after), now);
    }
    assert!(!conductor.is_in_memory(id(3)));
    conductor.finished(0, Finished::unmade(id(2), now, 0), now);
    stored.retain(|one| one.id != id(2));
    let went = gone(&mut conductor, stored, now, 200);
    assert!(went.contains(&id(3)), "{went:?}");
}

#[test]
fn nobody_is_looked_for_on_the_shelf_while_nothing_may_go() {
    let (mut conductor, stored) = with_shelf(&[joining(2, 10, Some(100))]);
    conductor.pause(Some(at(50)));
    assert_eq!(read(&mut conductor, at(101)), None);
    conductor.pause(None);
    assert!(gone(&mut conductor, stored, at(102), 1).contains(&id(2)));
}

#[test]
fn who_waits_on_the_shelf_is_looked_for_when_something_of_its_person_is_delivered() {
    let (mut conductor, stored) = with_shelf(&[joining(2, 10, Some(100))]);
    conductor.routed(vec![joining(3, 10, None)], at(10));
    begins(&mut conductor, 3, at(10));
    let delivered = Finished { wakes: true, ..Finished::unmade(id(3), at(10), 0) };
    conductor.finished(0, delivered, at(10));
    assert_eq!(gone(&mut conductor, stored, at(10), 1), [id(2)]);
}

#[test]
fn a_wait_is_as_long_although_the_clock_is_set_back_before_it_is_heard_of() {
    let mut conductor = conductor(Bounds::default(), 0);
    conductor.routed(vec![joining(1, 10, None)], T);
    begins(&mut conductor, 1, T);
    // It failed at what was then an hour later, and waits for a minute.
    let again = Next::Again(at(3_660));
    conductor.finished(0, Finished { next: again, ..Finished::unmade(id(1), at(3_600), 0) }, T);
    assert_eq!(gone(&mut conductor, Vec::new(), at(59), 1), []);
    assert_eq!(gone(&mut conductor, Vec::new(), at(60), 1), [id(1)]);
}

#[test]
fn what_is_routed_while_the_last_page_is_read_is_not_read_again() {
    let mut conductor = conductor(Bounds::default(), 1);
    read(&mut conductor, T).expect("a page");
    conductor.routed(vec![joining(2, 20, None)], T);
    conductor.page(vec![joining(1, 10, None)], T);
    begins(&mut conductor, 1, T);
    begins(&mut conductor, 2, T);
    assert_eq!(read(&mut conductor, T), None);
}

#[test]
fn nothing_goes_beside_an_older_one_of_its_person_that_came_too_early() {
    let mut conductor = conductor(Bounds::default(), 1);
    read(&mut conductor, T).expect("a page");
    conductor.page(vec![joining(1, 10, Some(100))], T);
    begins(&mut conductor, 1, at(101));
    conductor.routed(vec![joining(2, 10, None), joining(3, 30, None)], at(101));
    begins(&mut conductor, 3, at(101));
    assert_eq!(read(&mut conductor, at(101)), None);
    conductor.finished(0, Finished::unmade(id(1), at(101), 0), at(101));
    begins(&mut conductor, 2, at(101));
}

#[test]
fn what_a_replaced_destination_asked_for_is_not_asked_by_the_new_one() {
    for next in [Next::Quiet(at(60)), Next::Unauthorized] {
        let mut conductor = conductor(Bounds::default(), 0);
        conductor.routed(vec![joining(1, 10, None), joining(2, 20, None)], T);
        begins(&mut conductor, 1, T);
        conductor.use_now(true, T);
        conductor.finished(0, Finished { next, ..Finished::unmade(id(1), T, 0) }, T);
        let gone: Vec<Id> = std::iter::from_fn(|| conductor.next(T))
            .map(|step| match step {
                Step::Begin(begin) => begin.id,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(gone, [id(1), id(2)]);
    }
}

#[test]
fn those_that_came_too_early_with_another_wait_outside_behind_it() {
    let mut conductor = conductor(Bounds::default(), 0);
    conductor.routed((1..=3).map(|position| joining(position, 10, None)).collect(), T);
    begins(&mut conductor, 1, T);
    let (next, carried) = (Next::Parked(at(60)), vec![id(2)]);
    conductor.finished(0, Finished { next, carried, ..Finished::unmade(id(1), T, 0) }, T);
    // What they wait for may be the third one.
    begins(&mut conductor, 3, T);
    conductor.finished(0, Finished { wakes: true, ..Finished::unmade(id(3), T, 0) }, T);
    assert_eq!(gone(&mut conductor, Vec::new(), T, 1), [id(1), id(2)]);
}

#[test]
fn looking_through_the_shelf_again_and_again_sets_no_more_alarms() {
    let resting: Vec<Joining> = (2..50).map(|position| joining(position, 10 * position, Some(290))).collect();
    let (mut conductor, stored) = with_shelf(&resting);
    for look in 0..10 {
        conductor.window.want_room();
        let now = at(10 * look);
        let mut pages = 0;
        while let Some(page) = read(&mut conductor, now) {
            pages += 1;
            conductor.page(page_after(&stored, page.after), now);
        }
        assert!(pages > 40, "{pages} at look {look}");
    }
    assert!(conductor.alarms.count() < 25, "{}", conductor.alarms.count());
}
