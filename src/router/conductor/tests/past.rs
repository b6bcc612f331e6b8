//! Newer calls that go past older ones of their person, which stand outside.

use super::*;

/// The next attempt.
fn begun(conductor: &mut Conductor, now: Timestamp) -> Option<Begin> {
    match conductor.next(now)? {
        Step::Begin(begin) => Some(begin),
        other => panic!("{other:?}"),
    }
}

/// Somebody's call 5 rests outside until 100 s.
fn with_one_outside() -> Conductor {
    let mut conductor = conductor(Bounds::default(), 1);
    read(&mut conductor, T).expect("a page");
    conductor.page(vec![joining(5, 10, Some(100))], T);
    assert!(conductor.next(T).is_none());
    conductor
}

#[test]
fn who_goes_past_an_older_one_is_told_so() {
    let mut conductor = with_one_outside();
    // One that was opened again stands behind it, although it is older.
    conductor.reopened(vec![joining(3, 10, Some(100))], T);
    conductor.routed(vec![joining(7, 10, None), joining(8, 20, None)], T);
    conductor.reopened(vec![joining(4, 10, None)], T);
    let past: Vec<(u64, Vec<u64>)> = std::iter::from_fn(|| {
        let begin = begun(&mut conductor, T)?;
        conductor.finished(0, Finished::unmade(begin.id, T, 0), T);
        Some((begin.id.position.0, begin.past))
    })
    .collect();
    assert_eq!(past, [(7, vec![10]), (4, vec![10]), (8, vec![])]);
}

#[test]
fn one_outside_waits_while_a_newer_one_of_its_person_is_attempted() {
    let mut conductor = with_one_outside();
    conductor.routed(vec![joining(7, 10, None), joining(8, 20, None)], T);
    let newer = begun(&mut conductor, T).expect("it goes");
    let other = begun(&mut conductor, T).expect("it goes");
    assert_eq!((newer.id, other.id), (id(7), id(8)));
    // Its time has come.
    assert!(begun(&mut conductor, at(101)).is_none());
    conductor.finished(0, Finished::unmade(id(8), at(101), 0), at(101));
    assert!(begun(&mut conductor, at(101)).is_none());
    conductor.finished(0, Finished::unmade(id(7), at(101), 0), at(101));
    let older = begun(&mut conductor, at(101)).expect("it goes");
    assert_eq!((older.id, older.outside, older.last_of), (id(5), true, vec![10]));
}

#[test]
fn what_was_noted_is_asked_for_while_another_stands_outside() {
    let mut conductor = with_one_outside();
    conductor.routed(vec![joining(6, 10, Some(200))], T);
    let first = begun(&mut conductor, at(101)).expect("it goes");
    assert_eq!((first.id, first.last_of), (id(5), vec![]));
    conductor.finished(0, Finished::unmade(id(5), at(101), 0), at(101));
    let last = begun(&mut conductor, at(201)).expect("it goes");
    assert_eq!((last.id, last.last_of), (id(6), vec![10]));
}
