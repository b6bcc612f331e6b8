//! Dead letters by hand: opened again as they are or mapped anew, or ended for good.
//!
//! # Why
//! The follower does it, between two steps: nobody else reads what is open or puts deliveries into lines meanwhile, so one
//! that is asked for twice is opened once. It is written down before it joins its line, so a crash loses none.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Follower;
use crate::delivery::by_hand::{Answered, Deed, Handled, Handling, Left};
use crate::delivery::{Delivery, Status, Steps};
use crate::instant::Timestamp;
use crate::router::Connection;
use crate::router::known::filling;
use crate::router::route::map_again;
use crate::store::{self, Open, Owed};

/// Something to be done, and who waits for it.
pub(in crate::router) struct Order {
    pub(in crate::router) handling: Handling,
    pub(in crate::router) answer: oneshot::Sender<store::Result<Answered>>,
}

impl Follower {
    pub(super) async fn handle(&mut self, Order { handling, answer }: Order) {
        let outcome = self.do_by_hand(handling).await;
        // Who has left does not need it.
        let _ = answer.send(outcome);
    }

    async fn do_by_hand(&mut self, handling: Handling) -> store::Result<Answered> {
        let Handling { ids, deed, by, dry_run, overwrite } = handling;
        let now = (self.surroundings.clock)();
        let found = self.store.deliveries(ids.clone()).await?;
        let is_gone = |id: &&_| !found.iter().any(|owed| owed.id == **id);
        let gone = "there is no such delivery, or it is no longer kept";
        let mut answered = Answered::default();
        answered.left.extend(ids.iter().filter(is_gone).map(|id| Left::new(*id, "delivery_not_found", gone)));
        let mut done = Vec::new();
        for owed in found {
            let Status::DeadLetter { code, .. } = &owed.progress.status else {
                let message = format!("it is {}, and no dead letter", owed.progress.status.name());
                answered.left.push(Left::new(owed.id, "not_dead_letter", message));
                continue;
            };
            let handled = Handled { at: now, deed, by: by.clone(), code: code.clone(), overwrite };
            match self.done_with(owed, deed, now).await? {
                Ok(mut owed) => {
                    if deed != Deed::Discard && !overwrite {
                        self.spare_newer(&mut owed, now, &mut answered).await?;
                    }
                    owed.progress.handle(handled);
                    done.push(owed);
                }
                Err(stays) => answered.left.push(stays),
            }
        }
        if !dry_run && !done.is_empty() {
            self.put_down(done, deed, answered.shortened > 0).await?;
        }
        Ok(answered)
    }

    /// Leaves out of one that is attempted again what newer calls have written; it ends when nothing is left.
    async fn spare_newer(&self, owed: &mut Owed, now: Timestamp, answered: &mut Answered) -> store::Result<()> {
        let connections: Vec<_> = self.lines.iter().map(|line| line.connection.clone()).collect();
        let (of, warnings) = (owed.delivery.stands_at(owed.id), owed.delivery.warnings.len());
        let is_spared = filling().contains(&owed.delivery.action);
        if is_spared && !self.rewritten.covers(&owed.delivery.keys, of) {
            // Whoever asked went away, and somebody else has learned something else meanwhile.
            let keys = owed.delivery.keys.iter().copied().collect();
            self.rewritten.cover(keys, of, &*self.store, &connections).await?;
        }
        self.rewritten.fill(of, &mut owed.delivery, &mut owed.progress, &connections, now);
        answered.outdated += usize::from(owed.progress.status.is_settled());
        answered.shortened += usize::from(owed.delivery.warnings.len() > warnings);
        Ok(())
    }

    /// A dead letter as it will be, or why it stays.
    async fn done_with(&self, owed: Owed, deed: Deed, now: Timestamp) -> store::Result<Result<Owed, Left>> {
        Ok(match deed {
            Deed::Discard => Ok(discarded(owed, now)),
            Deed::Retry if owed.delivery.payload.is_err() => {
                let message = "mapping made no payload of its event; mapping it again may";
                Err(Left::new(owed.id, "payload_missing", message))
            }
            Deed::Retry => Ok(Owed { progress: owed.progress.reopened(), ..owed }),
            Deed::Remap => self.remapped(owed).await?,
        })
    }

    async fn remapped(&self, owed: Owed) -> store::Result<Result<Owed, Left>> {
        let id = owed.id;
        let stays = |code, message: &str| Ok(Err(Left::new(id, code, message)));
        let Some(connection) = self.in_force(&owed.delivery.destination) else {
            return stays("destination_off", "its destination is switched off, or there is none of this name any more");
        };
        let Some(stored) = self.store.event(id.position).await? else {
            return stays("event_gone", "its event is no longer kept, so it can only be retried as it was mapped");
        };
        Ok(match map_again(&stored, &owed.delivery.mapping, connection) {
            Ok(delivery) => Ok(with_delivery(owed, delivery)),
            Err((code, message)) => Err(Left { id, code, message }),
        })
    }

    fn in_force(&self, destination: &str) -> Option<&Arc<Connection>> {
        let lines = self.lines.iter().filter(|line| line.is_on);
        lines.map(|line| &line.connection).find(|connection| *connection.name == *destination)
    }

    /// Writes it down; then those that are open join their lines.
    async fn put_down(&mut self, done: Vec<Owed>, deed: Deed, is_changed: bool) -> store::Result<()> {
        match deed == Deed::Remap || is_changed {
            true => self.store.amend(done.clone()).await?,
            false => self.store.settle(&done.iter().map(|owed| (owed.id, &owed.progress)).collect::<Vec<_>>()).await?,
        }
        done.iter().for_each(|owed| self.surroundings.live.delivery(owed));
        let (ended, opened): (Vec<Owed>, Vec<Owed>) =
            done.into_iter().partition(|owed| owed.progress.status.is_settled());
        ended.iter().for_each(|owed| self.count_ended(owed));
        let count = opened.len();
        match deed {
            Deed::Discard => {
                tracing::info!(deliveries = ended.len(), "{} dead letters were discarded by hand", ended.len())
            }
            Deed::Retry | Deed::Remap => {
                tracing::info!(
                    deliveries = count,
                    "{count} dead letters are attempted again, as was asked for by hand"
                );
            }
        }
        // They are going to write what they say: older ones that are repeated are to know.
        let connections: Vec<_> = self.lines.iter().map(|line| line.connection.clone()).collect();
        for Owed { id, delivery, progress } in &opened {
            for known in [&self.written, &self.rewritten] {
                known.note(id.position, delivery, progress, &connections);
            }
        }
        self.hand_over(opened.iter().map(open).collect());
        Ok(())
    }

    fn count_ended(&self, owed: &Owed) {
        let line = self.lines.iter().find(|line| line.connection.name == owed.delivery.destination);
        if let Some(line) = line {
            line.connection.count_settled(owed);
        }
    }
}

fn discarded(mut owed: Owed, now: Timestamp) -> Owed {
    owed.progress.status = Status::Skipped { at: now, reason: Deed::DISCARDED.into() };
    owed
}

/// What was finished of another payload says nothing about this one.
fn with_delivery(owed: Owed, delivery: Delivery) -> Owed {
    let text = |delivery: &Delivery| delivery.payload.as_ref().ok().map(|payload| payload.get().to_owned());
    let is_same = text(&owed.delivery) == text(&delivery);
    let mut progress = owed.progress.reopened();
    if !is_same {
        progress.steps = Steps::new();
    }
    let accepted_at = owed.delivery.accepted_at;
    Owed { id: owed.id, delivery: Delivery { accepted_at, ..delivery }, progress }
}

fn open(owed: &Owed) -> Open {
    let Delivery { destination, source, keys, accepted_at, .. } = owed.delivery.clone();
    Open { id: owed.id, destination, source, keys, until: None, parked: false, accepted_at }
}
