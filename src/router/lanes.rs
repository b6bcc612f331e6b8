//! Whose turn it is. Something goes when it is the oldest unsettled one that holds each of its keys.
//!
//! Keys are hashes of `userId`, `anonymousId`, e-mail and, for group calls, the company. What carries several joins
//! several lines at once, so order holds across identities without a table of aliases; and because all lines have one
//! order, two can never wait for each other. Among those whose turn it is, sources take turns, so that a source that
//! floods delays none but itself, as far as its backlog is in memory; what comes behind more than that is read in its order.
//!
//! Who stands where is the order in which they joined.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// Lines of events, or of whatever else has an order. Pure: no clock, no I/O.
#[derive(Debug)]
pub struct Lanes<T> {
    /// Who stands in the line of a key, oldest first.
    lines: HashMap<u64, VecDeque<T>>,
    members: HashMap<T, Member>,
    /// Whose turn it is, by source.
    ready: Vec<(Arc<str>, BTreeSet<T>)>,
    /// The source that is next.
    source: usize,
}

#[derive(Debug)]
struct Member {
    keys: Box<[u64]>,
    /// In how many of its lines someone stands before it.
    behind: u32,
    /// Where its source stands in `ready`.
    source: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Lanes { lines: HashMap::new(), members: HashMap::new(), ready: Vec::new(), source: 0 }
    }
}

impl<T: Copy + Ord + Hash + Debug> Lanes<T> {
    /// Puts one at the end of its lines. Two that share several keys stand in the same order in all of them, since each
    /// joins all of its lines at once.
    pub fn join(&mut self, one: T, source: &Arc<str>, keys: impl IntoIterator<Item = u64>) {
        debug_assert!(!self.members.contains_key(&one), "nobody joins twice");
        let keys: BTreeSet<u64> = keys.into_iter().collect();
        let mut behind = 0;
        for key in &keys {
            let line = self.lines.entry(*key).or_default();
            behind += u32::from(!line.is_empty());
            line.push_back(one);
        }
        let source = self.source_of(source);
        if behind == 0 {
            self.ready[source].1.insert(one);
        }
        self.members.insert(one, Member { keys: keys.into_iter().collect(), behind, source });
    }

    fn source_of(&mut self, name: &Arc<str>) -> usize {
        self.ready.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.ready.push((name.clone(), BTreeSet::new()));
            self.ready.len() - 1
        })
    }

    /// The oldest one whose turn it is and that is not out already, of the source that is next.
    pub fn next(&mut self) -> Option<T> {
        for _ in 0..self.ready.len() {
            let at = self.source % self.ready.len();
            self.source = at + 1;
            if let Some(one) = self.ready[at].1.pop_first() {
                return Some(one);
            }
        }
        None
    }

    /// Calls one out of its turn, as [`Lanes::next`] does in the order of turns.
    pub fn call(&mut self, one: T) {
        let is_ready = self.members.get(&one).is_some_and(|member| self.ready[member.source].1.remove(&one));
        debug_assert!(is_ready, "it has its turn, and is not out");
    }

    /// Gives one that is out its turn back: [`Lanes::next`] will name it again.
    pub fn again(&mut self, one: T) {
        let member = &self.members[&one];
        debug_assert!(member.behind == 0, "it has its turn");
        self.ready[member.source].1.insert(one);
    }

    /// Takes one that is out from all its lines, and lets those behind it move up.
    pub fn leave(&mut self, one: T) {
        let Some(member) = self.members.remove(&one) else { return };
        for key in member.keys {
            let line = self.lines.get_mut(&key).expect("a member stands in its lines");
            let first = line.pop_front();
            debug_assert_eq!(first, Some(one), "only the first of a line goes out");
            match line.front() {
                Some(next) => {
                    let next = *next;
                    self.move_up(next);
                }
                None => {
                    self.lines.remove(&key);
                }
            }
        }
    }

    /// Takes one that is last in all its lines, and not ready, out of them, so that it can join again later.
    pub fn withdraw(&mut self, one: T) {
        debug_assert!(self.is_last(one), "nobody stands behind who is withdrawn");
        let Some(member) = self.members.remove(&one) else { return };
        for key in member.keys {
            let line = self.lines.get_mut(&key).expect("a member stands in its lines");
            line.pop_back();
            if line.is_empty() {
                self.lines.remove(&key);
            }
        }
    }

    /// Whether nobody stands behind it.
    pub fn is_last(&self, one: T) -> bool {
        let last = |key| self.lines.get(key).and_then(VecDeque::back) == Some(&one);
        self.members.get(&one).is_some_and(|member| member.keys.iter().all(last))
    }

    /// How many have their turn and are not out.
    pub fn ready(&self) -> usize {
        self.ready.iter().map(|(_, ones)| ones.len()).sum()
    }

    fn move_up(&mut self, one: T) {
        let member = self.members.get_mut(&one).expect("who stands in a line is a member");
        member.behind -= 1;
        if member.behind == 0 {
            self.ready[member.source].1.insert(one);
        }
    }

    /// Whether it stands first in all its lines.
    pub fn has_turn(&self, one: T) -> bool {
        self.members.get(&one).is_some_and(|member| member.behind == 0)
    }

    /// Who stands first in the line of a key.
    pub fn first(&self, key: u64) -> Option<T> {
        self.line(key).next()
    }

    /// Who stands in the line of a key, first come first.
    pub fn line(&self, key: u64) -> impl Iterator<Item = T> {
        self.lines.get(&key).into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lanes(joins: &[(u64, &[u64])]) -> Lanes<u64> {
        let mut lanes = Lanes::default();
        for (position, keys) in joins {
            lanes.join(*position, &"website".into(), keys.iter().copied());
        }
        lanes
    }

    fn ready(lanes: &mut Lanes<u64>) -> Vec<u64> {
        std::iter::from_fn(|| lanes.next()).collect()
    }

    #[test]
    fn different_people_never_wait_for_each_other() {
        assert_eq!(ready(&mut lanes(&[(1, &[10]), (2, &[20]), (3, &[])])), [1, 2, 3]);
    }

    #[test]
    fn an_event_waits_for_each_earlier_one_that_shares_a_key() {
        let mut lanes = lanes(&[(1, &[10]), (2, &[20]), (3, &[10, 20]), (4, &[20])]);
        assert_eq!(ready(&mut lanes), [1, 2]);
        lanes.leave(2);
        assert_eq!(ready(&mut lanes), [0u64; 0]);
        lanes.leave(1);
        assert_eq!(ready(&mut lanes), [3]);
        lanes.leave(3);
        assert_eq!(ready(&mut lanes), [4]);
    }

    #[test]
    fn a_key_named_twice_is_one_key() {
        let mut lanes = lanes(&[(1, &[10, 10]), (2, &[10])]);
        assert_eq!(ready(&mut lanes), [1]);
        lanes.leave(1);
        assert_eq!(ready(&mut lanes), [2]);
    }

    #[test]
    fn who_is_tried_again_keeps_the_turn() {
        let mut lanes = lanes(&[(1, &[10]), (2, &[10])]);
        assert_eq!(ready(&mut lanes), [1]);
        lanes.again(1);
        assert_eq!(ready(&mut lanes), [1]);
    }

    #[test]
    fn the_last_can_be_withdrawn_and_join_again() {
        let mut lanes = lanes(&[(1, &[10]), (2, &[10, 20]), (3, &[20, 30])]);
        assert_eq!([1, 2, 3].map(|one| lanes.is_last(one)), [false, false, true]);
        lanes.withdraw(3);
        lanes.withdraw(2);
        assert_eq!((lanes.first(20), lanes.first(30), lanes.ready()), (None, None, 1));
        assert_eq!(ready(&mut lanes), [1]);
        lanes.join(2, &"website".into(), [10, 20]);
        lanes.leave(1);
        assert_eq!(ready(&mut lanes), [2]);
    }

    #[test]
    fn sources_take_turns() {
        let mut lanes = Lanes::default();
        for one in 1..=4 {
            lanes.join(one, &"flood".into(), []);
        }
        lanes.join(5, &"quiet".into(), []);
        assert_eq!(ready(&mut lanes), [1, 5, 2, 3, 4]);
    }

    #[test]
    fn the_first_of_a_line_is_known() {
        let lanes = lanes(&[(1, &[10]), (2, &[10, 20])]);
        assert_eq!((lanes.first(10), lanes.first(20), lanes.first(30)), (Some(1), Some(2), None));
        assert_eq!((lanes.has_turn(1), lanes.has_turn(2), lanes.has_turn(3)), (true, false, false));
    }

    proptest! {
        /// Whatever the keys and whoever finishes first: everyone gets a turn, and never before an earlier sharer left.
        #[test]
        fn everyone_gets_a_turn_in_order(
            keys in prop::collection::vec(prop::collection::vec(0u64..6, 0..4), 1..60),
            choices in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut lanes = Lanes::default();
            for (at, keys) in keys.iter().enumerate() {
                lanes.join(at as u64 + 1, &format!("source {}", at % 3).into(), keys.iter().copied());
            }
            let mut out: Vec<u64> = Vec::new();
            let mut left: Vec<u64> = Vec::new();
            for choice in choices.iter().take(keys.len()) {
                out.extend(ready(&mut lanes));
                prop_assert!(!out.is_empty(), "nobody can go although {} wait", lanes.members.len());
                let gone = out.swap_remove(choice.index(out.len()));
                let mine = &keys[gone as usize - 1];
                for earlier in 1..gone {
                    let shares = keys[earlier as usize - 1].iter().any(|key| mine.contains(key));
                    prop_assert!(!shares || left.contains(&earlier), "{gone} went before {earlier}");
                }
                left.push(gone);
                lanes.leave(gone);
            }
            prop_assert!(lanes.members.is_empty() && lanes.lines.is_empty());
        }
    }
}
