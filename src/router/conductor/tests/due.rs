//! Those that came too early and whose time has come, while others wait for their turn.

use std::collections::VecDeque;

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
    conductor.routed(vec![joining(30, 60, Some(5_000)), joining(101, 60, None)], at(101));
    // Something of the person who rests is delivered.
    assert_eq!(attempted(&mut conductor, at(101))[..3], [101, 30, 1]);
}

#[test]
fn one_whose_time_has_come_goes_before_what_is_newer_of_its_person() {
    let mut conductor = with_parked(2);
    conductor.routed(vec![joining(101, 2, None), joining(102, 200, None)], at(101));
    assert_eq!(attempted(&mut conductor, at(101)), [1, 101, 102, 2]);
}

#[test]
fn many_of_them_keep_nobody_else_from_being_read() {
    let mut conductor = conductor(Bounds { lined: 64, parked: 64, page: 128 }, 664);
    let parked = (1..=64).map(|one| joining(one, one * 2, Some(100)));
    let stored: Vec<Joining> = parked.chain((65..=664).map(|one| joining(one, one * 2, None))).collect();
    read(&mut conductor, T).expect("a page");
    conductor.page(stored[..128].to_vec(), T);
    let (now, mut begun, mut under_way) = (at(101), Vec::new(), VecDeque::new());
    while begun.len() < 300 {
        match conductor.next(now) {
            Some(Step::Read(read)) => {
                let page = stored.iter().filter(|one| Some(one.id) > read.after).take(read.max);
                conductor.page(page.cloned().collect(), now);
            }
            Some(Step::Begin(begin)) => {
                begun.push(begin.id.position.0);
                under_way.push_back(begin.id);
            }
            Some(Step::Probe(_)) => panic!("no probe"),
            // Nobody's contact is there.
            None => {
                let id = under_way.pop_front().expect("somebody is under way");
                let next = Next::Parked(at(9_999));
                conductor.finished(0, Finished { next, ..Finished::unmade(id, now, 0) }, now);
            }
        }
    }
    let due = begun.iter().filter(|one| **one <= 64).count();
    assert!(due <= 300 / DUE_SHARE + 1, "{due} of {begun:?}");
}
