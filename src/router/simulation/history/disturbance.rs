//! What disturbs a history: crashes, clocks that are set, destinations in trouble, and what people do by hand.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{HOUR, History, MINUTE, Message, What};
use crate::delivery::{Position, Status};
use crate::instant::Timestamp;
use crate::router::attempt::Attempted;
use crate::router::conductor::Conductor;
use crate::router::simulation::destination::{COMES, Mood};
use crate::router::simulation::ledger::{Event, joining};
use crate::router::simulation::oracle::Told;
use crate::store::Owed;

impl History {
    pub(super) fn crash(&mut self) {
        if self.is_calm || self.conductor.take().is_none() {
            return;
        }
        self.life += 1;
        self.mail.clear();
        self.unheard.clear();
        for flight in std::mem::take(&mut self.flights).into_values() {
            match (flight.load, flight.attempted) {
                (Some(load), _) if self.rng.bool() => self.destination.perform_unheard(&load, flight.begin.follows),
                // It was done, and nobody wrote it down.
                (_, Some(Attempted { owed, carried, .. }))
                    if matches!(owed.progress.status, Status::Delivered { .. }) =>
                {
                    self.destination.is_unknown(std::iter::once(owed.id).chain(carried.iter().map(|one| one.id)));
                }
                _ => {}
            }
        }
        let down = *self.rng.choice([1, 30, 4 * 24 * HOUR].iter()).expect("there are some");
        self.plan_in(Duration::from_secs(down), What::Start);
    }

    pub(super) fn start(&mut self, now: Timestamp) {
        if self.conductor.is_some() {
            return;
        }
        let open = self.ledger.open(None, usize::MAX).len() as u64;
        let settings = (&self.pace, &self.retry);
        let name: Arc<str> = "intercom".into();
        self.conductor = Some(Conductor::new(name, settings, (self.bounds, open, self.ledger.last()), now));
        self.told = Told::default();
        if self.is_off {
            self.post(Message::Off);
        }
        self.plan_in(Duration::from_millis(5), What::Route);
    }

    pub(super) fn set_clock(&mut self) {
        if self.is_calm {
            return;
        }
        let most = *self.rng.choice([3, 2 * HOUR as i64, 5 * 24 * HOUR as i64].iter()).expect("there are some");
        let by = SignedDuration::from_millis(self.rng.i64(-1000 * most..=1000 * most));
        self.skew += by;
        if by.is_positive() {
            // It seems to be over.
            self.told.quiet_until = Duration::ZERO;
        }
    }

    pub(super) fn change_mood(&mut self) {
        if self.is_calm {
            return;
        }
        let moods = [Mood::Well, Mood::Ordinary, Mood::Flaky, Mood::Down, Mood::Unauthorized];
        self.destination.mood = moods[self.rng.usize(..moods.len())];
        if matches!(self.destination.mood, Mood::Down | Mood::Unauthorized) {
            self.plan_in(Duration::from_secs(MINUTE), What::Mood);
        }
    }

    pub(super) fn switch(&mut self, on: bool) {
        if self.is_calm && !on || self.is_off != on {
            return;
        }
        self.is_off = !on;
        self.post(if on { Message::Use(false) } else { Message::Off });
        if !on {
            let most =
                *self.rng.choice([5, 5, 5, 30 * MINUTE, 30 * MINUTE, 4 * 24 * HOUR].iter()).expect("there are some");
            self.plan_in(Duration::from_secs(most), What::On);
        }
    }

    /// Whoever is off is not built anew.
    pub(super) fn rebuild(&mut self) {
        if !self.is_off {
            self.post(Message::Use(true));
        }
    }

    pub(super) fn pause(&mut self, now: Timestamp) {
        if self.is_calm || self.paused.is_some() {
            return;
        }
        self.paused = Some(now);
        let most = *self.rng.choice([5, 30 * MINUTE].iter()).expect("there are some");
        self.plan_in(Duration::from_secs(most), What::Resume);
    }

    pub(super) fn remove(&mut self) {
        if self.ledger.events.is_empty() {
            return;
        }
        let position = Position(self.rng.usize(..self.ledger.events.len()) as u64 + 1);
        self.ledger.remove(position);
    }

    pub(super) fn reopen(&mut self) {
        let is_dead = |owed: &&mut Owed| matches!(owed.progress.status, Status::DeadLetter { .. });
        let mut dead: Vec<&mut Owed> = self.ledger.deliveries.values_mut().filter(is_dead).collect();
        if dead.is_empty() {
            return;
        }
        let owed = dead.swap_remove(self.rng.usize(..dead.len()));
        owed.progress = std::mem::take(&mut owed.progress).reopened();
        let joining = joining(owed);
        let id = owed.id;
        self.ledger.reopened.insert(id);
        if self.conductor.is_some() {
            self.unheard.insert(id);
        }
        self.too_early_since.remove(&id);
        self.post(Message::Reopened(joining));
    }

    /// Every contact is made, and the destination is well.
    pub(super) fn calm(&mut self) {
        if self.conductor.is_none() || self.is_off || self.paused.is_some() {
            return self.plan_at(self.time + Duration::from_secs(20 * MINUTE), What::Calm);
        }
        self.is_calm = true;
        self.calm_since = self.time;
        self.destination.mood = Mood::Well;
        for key in [10, 20, 30].into_iter().flat_map(|kind| [kind, kind + 2, kind + 4]) {
            self.ledger.events.push(Event { keys: vec![key], does: vec![COMES], accepted_at: self.now() });
        }
        self.plan_in(Duration::from_millis(50), What::Route);
    }
}
