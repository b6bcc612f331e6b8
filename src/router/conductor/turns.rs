//! Turns: an event's deliveries go one after the other while the event is at the head of its lines.

use std::collections::VecDeque;
use std::sync::Arc;

use super::parked::{Parked, people};
use super::{Alarm, Begin, Behind, Conductor, size};
use crate::delivery::{Id, Position};
use crate::instant::Timestamp;
use crate::router::attempt::Next;
use crate::store::Owed;

/// The most that may be brought with one.
const BEHIND_MAX: usize = 64;

/// The open deliveries of one event, brought one after the other while the event has its turn.
pub(super) struct Turn {
    pub(super) source: Arc<str>,
    pub(super) keys: Vec<u64>,
    pub(super) accepted_at: Timestamp,
    pub(super) deliveries: VecDeque<(Id, Option<Arc<Owed>>)>,
    /// Not before then.
    pub(super) until: Option<Timestamp>,
}

impl Turn {
    /// What stands outside of one that came too early.
    fn parking(&self, until: Timestamp) -> (Arc<str>, Parked) {
        (self.source.clone(), Parked::new(self.keys.clone(), self.accepted_at, Some(until)))
    }
}

impl Conductor {
    /// `None`: it has to wait.
    pub(super) fn start_turn(&mut self, position: Position, now: Timestamp) -> Option<Begin> {
        // What it says of a company has its turn now, and nobody waits for that.
        let follows = self.follows_a_parked_one(position);
        self.ask_for_older_ones(position);
        if let Some(older) = self.older_on_its_way(position, follows) {
            self.held_back.entry(older).or_default().push(position);
            return None;
        }
        let turn = self.turns.get_mut(&position).expect("who stands in a line has a turn");
        if let Some(until) = turn.until.take_if(|until| *until > now) {
            self.rest(position, until);
            return None;
        }
        let (id, owed) =
            turn.deliveries.front_mut().map(|(id, owed)| (*id, owed.take())).expect("a turn has deliveries");
        let behind = if follows { Vec::new() } else { self.behind(position) };
        let past = self.goes_past(position);
        Some(Begin { follows, past, ..self.begin((id, owed), behind, now) })
    }

    /// Those that wait directly behind the last delivery of an event and are about exactly the same people: once it has
    /// gone, nothing but the one before it keeps each from going.
    fn behind(&self, position: Position) -> Vec<Behind> {
        let turn = &self.turns[&position];
        let [first, others @ ..] = &*turn.keys else { return Vec::new() };
        let mut others: Vec<_> = others.iter().map(|key| self.lanes.line(*key).skip(1)).collect();
        let mut behind = Vec::new();
        let mut before = turn;
        for position in self.lanes.line(*first).skip(1) {
            let next = &self.turns[&position];
            let is_directly = others.iter_mut().all(|line| line.next() == Some(position));
            let has_same_keys = next.keys.iter().all(|key| turn.keys.contains(key));
            let (id, owed) = next.deliveries.front().expect("a turn has deliveries");
            // What came too early goes when the one before has gone, and so before this one.
            let comes_first = |key| {
                let mut outside = self.outside.line(key);
                outside.any(|id| id.position < position) || self.window.is_parked_before(key, *id)
            };
            let is_free = || !people(&next.keys).any(comes_first);
            if before.deliveries.len() != 1 || !is_directly || !has_same_keys || !is_free() {
                break;
            }
            behind.push((*id, owed.clone()));
            if behind.len() == BEHIND_MAX {
                break;
            }
            before = next;
        }
        behind
    }

    /// An event keeps its turn, and goes on at its time.
    pub(super) fn rest(&mut self, position: Position, until: Timestamp) {
        self.resting += 1;
        self.alarms.set(until, Alarm::Turn(position));
    }

    pub(super) fn finish_turn(&mut self, id: Id, next: Next, wakes: bool) {
        let position = id.position;
        match next {
            Next::Settled => {
                self.ended(id);
                self.turn_done(position, wakes);
            }
            Next::Parked(until) => {
                let (source, parked) = self.turns[&position].parking(until);
                self.turn_done(position, wakes);
                self.step_out(id, &source, parked);
            }
            Next::Again(until) => self.rest(position, until),
            Next::Quiet(_) | Next::Unauthorized => self.lanes.again(position),
        }
    }

    /// The first delivery of a turn is done with: the next one of the same event follows, else those behind move up.
    pub(super) fn turn_done(&mut self, position: Position, wakes: bool) {
        let turn = self.turns.get_mut(&position).expect("who is under way has a turn");
        turn.deliveries.pop_front();
        self.lined -= 1;
        if wakes {
            let keys = turn.keys.clone();
            self.wake(&keys);
        }
        if self.turns[&position].deliveries.is_empty() {
            self.leave_lanes(position);
        } else {
            self.lanes.again(position);
        }
    }

    /// One was brought with another, and has ended with it. It may be on the shelf meanwhile.
    pub(super) fn finish_carried(&mut self, id: Id) {
        // If something comes before it, that it has ended is found when its turn comes.
        if self.turns.contains_key(&id.position) && !self.lanes.has_turn(id.position) {
            return self.drop_copy(id);
        }
        self.ended(id);
        self.take_out(id);
    }

    /// One was brought with another, and both came too early: it waits behind that one.
    /// `keys` are those of that one.
    pub(super) fn park_carried(&mut self, id: Id, keys: &[u64], now: Timestamp) {
        match self.turns.get(&id.position).map(|turn| turn.parking(now)) {
            Some((source, parked)) if self.lanes.has_turn(id.position) => {
                if self.take_out(id) {
                    self.step_out(id, &source, parked);
                }
            }
            // Where something comes before it, it leaves its line when its turn comes.
            Some(_) => self.drop_copy(id),
            // On the shelf it stands outside from now on, also for a page that was read before.
            None => self.window.put(id, keys, true, None),
        }
    }

    /// What is in memory of one that waits in its line is not what the store has any more.
    fn drop_copy(&mut self, id: Id) {
        let deliveries = self.turns.get_mut(&id.position).map(|turn| &mut turn.deliveries);
        let copy =
            deliveries.and_then(|all| all.iter_mut().find(|(one, _)| *one == id)).and_then(|(_, owed)| owed.take());
        self.held -= copy.as_deref().map_or(0, size);
    }

    /// Takes a delivery that is not under way out of its turn, which has come. False: it is not in it.
    fn take_out(&mut self, id: Id) -> bool {
        let Some(turn) = self.turns.get_mut(&id.position) else { return false };
        let Some(at) = turn.deliveries.iter().position(|(one, _)| *one == id) else { return false };
        let owed = turn.deliveries.remove(at).and_then(|(_, owed)| owed);
        let is_last = turn.deliveries.is_empty();
        self.held -= owed.as_deref().map_or(0, size);
        self.lined -= 1;
        if is_last {
            self.lanes.call(id.position);
            self.leave_lanes(id.position);
        }
        true
    }

    /// One that came too early stands outside from now on.
    fn step_out(&mut self, id: Id, source: &Arc<str>, parked: Parked) {
        let is_behind = people(&parked.keys).any(|key| self.window.is_parked_before(key, id));
        match is_behind {
            // Its person's others wait there. They may just be fetched, and it must not be forgotten.
            true => self.put_on_shelf(id, &parked.keys, true, parked.until),
            false => self.park(id, source, parked),
        }
    }

    /// An event leaves its lines.
    pub(super) fn leave_lanes(&mut self, position: Position) -> Option<Turn> {
        let turn = self.turns.remove(&position)?;
        self.lanes.leave(position);
        let nobody = |key: &u64| self.lanes.first(*key).is_none() && self.window.is_shelved(*key, false);
        let freed: Vec<u64> = turn.keys.iter().copied().filter(nobody).collect();
        self.window.want(freed.into_iter());
        Some(turn)
    }
}
