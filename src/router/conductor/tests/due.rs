//! Those that came too early and whose time has come, while others wait for their turn.

use super::*;

/// People `1..=parked` rest outside until 100 s.
fn with_parked(parked: u64) -> Conductor {
    let stored: Vec<Joining> = (1..=parked).map(|one| joining(one, one * 2, Some(100))).collect();
    let mut conductor = conductor(Bounds { lined: 1_000, parked: 1_000, page: 1_000 }, parked);
    read(&mut conductor, T).expect("a page");
    conductor.page(stored, T);
    assert!(conductor.next(T).is_none());
    conductor
}

/// Who is attempted at that time, in order; each ends at once, delivered.
fn attempted(conductor: &mut Conductor, now: Timestamp) -> Vec<u64> {
    std::iter::from_fn(|| {
        let Step::Begin(begin) = conductor.next(now)? else { panic!("only attempts") };
        conductor.finished(0, Finished { wakes: true, ..Finished::unmade(begin.id, now, 0) }, now);
        Some(begin.id.position.0)
    })
    .collect()
}

#[test]
fn they_take_one_attempt_of_eight_while_others_wait() {
    let mut conductor = with_parked(10);
    conductor.routed((101..=156).map(|one| joining(one, one * 2, None)).collect(), at(101));
    let order = attempted(&mut conductor, at(101));
    assert_eq!(order.len(), 66);
    let due: Vec<usize> = (0..).zip(&order).filter(|(_, one)| **one <= 10).map(|(at, _)| at).collect();
    assert_eq!(due, [7, 15, 23, 31, 39, 47, 55, 63, 64, 65]);
}

#[test]
fn one_that_is_woken_does_not_wait_for_them() {
    let mut conductor = with_parked(20);
    conductor.routed(vec![joining(101, 20 * 2, None)], at(101));
    // Something of the twentieth is delivered, and nothing else is to be done.
    assert_eq!(attempted(&mut conductor, at(101))[..3], [101, 20, 1]);
}

#[test]
fn one_whose_time_has_come_holds_nothing_of_its_person_up() {
    let mut conductor = with_parked(2);
    conductor.routed(vec![joining(101, 2, None), joining(102, 200, None)], at(101));
    assert_eq!(attempted(&mut conductor, at(101)), [101, 1, 102, 2]);
}
