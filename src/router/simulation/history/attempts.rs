//! Attempts of a history: what each brings, how it ends, and what is written down.

use std::sync::Arc;
use std::time::Duration;

use super::{Flight, History, MINUTE, What};
use crate::delivery::{Id, Progress, Status};
use crate::destination::Ahead;
use crate::instant::Timestamp;
use crate::router::attempt::{Attempted, Next, Times, conclude, wait_behind};
use crate::router::bring::Finished;
use crate::router::conductor::{Begin, Generation, size};
use crate::router::known::Known;
use crate::router::load::Load;
use crate::router::pace::Pace;
use crate::router::passed::Past;
use crate::router::simulation::destination::{Mood, ahead, fills, merged};
use crate::router::simulation::oracle;
use crate::store::Owed;

impl History {
    pub(super) fn begin(&mut self, begin: Begin, now: Timestamp) -> Result<(), String> {
        let (id, past) = (begin.id, Past { past: begin.past.clone(), last_of: begin.last_of.clone() });
        if self.paused.is_some() {
            return Err(format!("{id} is attempted although it is paused"));
        }
        let mut owed = self.whole(begin.id, &begin.owed).filter(|owed| !oracle::has_ended_with_another(owed));
        let spared = owed.take_if(|owed| begin.outside && self.spares(owed, now));
        self.came.spared += usize::from(spared.is_some());
        let waits_whole = |owed: &mut Owed| begin.follows && ahead(&owed.delivery.action) == Ahead::Nothing;
        let put_aside = owed.take_if(waits_whole);
        let load = owed.map(|owed| self.load(owed, &begin));
        let ids: Vec<Id> = load.as_ref().map_or(vec![id], |load| load.ids().collect());
        let carried = &ids[1..];
        self.came.carried += carried.len();
        self.came.ahead += usize::from(begin.follows && load.is_some());
        let is_flying = |id: Id| self.flights.values().any(|flight| flight.ids.contains(&id));
        oracle::begins(&begin, carried, &self.told, (self.time, &is_flying), &self.ledger)?;
        let held = begin.owed.as_deref().map_or(0, size);
        self.tell(|_| {
            let with: String = carried.iter().map(|id| format!(" with {id}")).collect();
            let (outside, follows) = (begin.outside, begin.follows);
            let place = if outside { ", outside" } else { "" };
            format!("  {id} begins{place}{}{with}", if follows { ", behind one that waits" } else { "" })
        });
        let number = self.number as usize;
        self.flights
            .insert(number, Flight { begin, ids, load, put_aside, spared, past, held, at: now, attempted: None });
        let most = Duration::from_millis(*self.rng.choice([5, 500, 20_000].iter()).expect("there are some"));
        self.plan_in(most, What::Ends(self.life, number));
        Ok(())
    }

    fn whole(&self, id: Id, owed: &Option<Arc<Owed>>) -> Option<Owed> {
        match owed {
            Some(owed) if !self.ledger.removed.contains(&id.position) => Some((**owed).clone()),
            _ => self.ledger.deliveries.get(&id).cloned(),
        }
    }

    /// Leaves out what newer ones have written; whether nothing is left.
    fn spares(&self, owed: &mut Owed, now: Timestamp) -> bool {
        let (Some(fills), false) = (fills(&owed.delivery.action), owed.progress.status.is_settled()) else {
            return false;
        };
        let known = Known::past(&owed.delivery.destination, self.ledger.passed.clone());
        known.fill(owed.id, &mut owed.delivery, &mut owed.progress, fills, now);
        owed.progress.status.is_settled()
    }

    /// What an attempt brings, as [`crate::router::bring`] gathers it.
    fn load(&mut self, owed: Owed, begin: &Begin) -> Load {
        let mut load = Load::of(owed);
        if load.may_carry() {
            for (id, owed) in &begin.behind {
                if !self.whole(*id, owed).is_some_and(|next| load.take(next, merged)) {
                    break;
                }
            }
        }
        if load.close() {
            self.ledger.settle(begin.id, &load.owed.progress);
        }
        load
    }

    pub(super) fn end(&mut self, number: usize) -> Result<(), String> {
        let now = self.now();
        let flight = self.flights.get_mut(&number).expect("it is under way");
        let Begin { outside, follows, .. } = flight.begin;
        if let Some(load) = flight.load.take() {
            let performed = self.destination.perform((&load, follows), now, &mut self.rng);
            let (standstills, luck) = (&flight.begin.standstills, if outside { 1.0 } else { self.rng.f64() });
            let times = Times { at: flight.at.min(now), now, standstills, luck };
            let attempted = conclude(load, performed, outside, &self.retry, &times);
            flight.attempted = Some(attempted);
            self.check_age(number)?;
        }
        self.plan_in(Duration::from_millis(20), What::Durable(self.life, number));
        Ok(())
    }

    /// Nobody is given up on before the time.
    pub(super) fn check_age(&mut self, number: usize) -> Result<(), String> {
        let Some(attempted) = &self.flights[&number].attempted else { return Ok(()) };
        let (id, progress) = (attempted.owed.id, attempted.owed.progress.clone());
        let outcome = progress.story.last().map(|attempt| attempt.outcome.to_string()).unwrap_or_default();
        self.tell(|_| format!("  {id} {outcome}: {:?}", progress.status));
        if outcome != "too_early" {
            // Who has waited long enough has, whatever comes between.
            if outcome != "throttled" && outcome != "unauthorized" && !progress.waited_out {
                self.too_early_since.remove(&id);
            }
            return Ok(());
        }
        let since = *self.too_early_since.entry(id).or_insert(self.time);
        let least = Duration::from_secs(self.retry.too_early_max_secs.saturating_sub(10 * MINUTE));
        match progress.status {
            Status::DeadLetter { .. } if self.time - since < least => {
                Err(format!("{id} is given up on after {:?}", self.time - since))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn write(&mut self, number: usize, now: Timestamp) {
        let flight = self.flights.remove(&number).expect("it is under way");
        let Flight { begin, held, attempted, put_aside, spared, past, .. } = flight;
        if let Some(owed) = spared {
            self.ledger.settle(begin.id, &owed.progress);
            self.ledger.pass(past.passing("", &[], true));
        }
        let finished = match (attempted, put_aside) {
            (None, Some(mut owed)) => {
                wait_behind(&mut owed.progress, now);
                self.ledger.settle(begin.id, &owed.progress);
                Finished::put_aside(begin.id, now, held)
            }
            (Some(attempted), _) => {
                let progress: Progress = attempted.owed.progress.clone();
                self.ledger.settle(begin.id, &progress);
                attempted.carried.iter().for_each(|one| self.ledger.settle(one.id, &one.progress));
                let Owed { id, delivery, progress } = &attempted.owed;
                let wrote = past.wrote(*id, delivery, progress, fills);
                self.ledger.pass(past.passing("", &wrote, attempted.next == Next::Settled));
                let conductor_heeds = begin.generation == self.told.generation;
                if conductor_heeds {
                    self.note(&attempted, now);
                }
                let ahead = begin.follows.then(|| ahead(&attempted.owed.delivery.action));
                Finished::of(attempted, ahead, held)
            }
            (None, None) => Finished::unmade(begin.id, now, held),
        };
        if let Some(conductor) = &mut self.conductor {
            conductor.finished(begin.generation, finished, now);
        }
    }

    pub(super) fn note(&mut self, attempted: &Attempted, now: Timestamp) {
        match attempted.next.clone().set_back(attempted.at, now) {
            Next::Quiet(until) => {
                let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default().min(Pace::QUIET_MAX);
                self.told.quiet_until = self.told.quiet_until.max(self.time + wait);
            }
            Next::Unauthorized => self.told.is_unauthorized = true,
            _ => {}
        }
    }

    pub(super) fn probed(&mut self, generation: Generation, now: Timestamp) {
        let works = self.destination.mood != Mood::Unauthorized;
        if works && generation == self.told.generation {
            self.told.is_unauthorized = false;
        }
        self.conductor.iter_mut().for_each(|conductor| conductor.probed(generation, works, now));
    }
}
