//! Dead letters by hand: opened again as they are or mapped anew, or ended for good.
//!
//! # Why
//! The follower does it, between two steps: nobody else reads what is open or puts deliveries into lines meanwhile, so one
//! that is asked for twice is opened once. It is written down before it joins its line, so a crash loses none.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Follower;
use crate::delivery::by_hand::{Deed, Handled, Handling, Left};
use crate::delivery::{Delivery, Status, Steps};
use crate::instant::Timestamp;
use crate::router::Connection;
use crate::router::route::map_again;
use crate::store::{self, Open, Owed};

/// Something to be done, and who waits for it.
pub(in crate::router) struct Order {
    pub(in crate::router) handling: Handling,
    pub(in crate::router) answer: oneshot::Sender<store::Result<Vec<Left>>>,
}

impl Follower {
    pub(super) async fn handle(&mut self, Order { handling, answer }: Order) {
        let outcome = self.do_by_hand(handling).await;
        // Who has left does not need it.
        let _ = answer.send(outcome);
    }

    async fn do_by_hand(&mut self, Handling { ids, deed, by, dry_run }: Handling) -> store::Result<Vec<Left>> {
        let now = (self.surroundings.clock)();
        let found = self.store.deliveries(ids.clone()).await?;
        let is_gone = |id: &&_| !found.iter().any(|owed| owed.id == **id);
        let gone = "there is no such delivery, or it is no longer kept";
        let mut left: Vec<Left> =
            ids.iter().filter(is_gone).map(|id| Left::new(*id, "delivery_not_found", gone)).collect();
        let mut done = Vec::new();
        for owed in found {
            let Status::DeadLetter { code, .. } = &owed.progress.status else {
                let message = format!("it is {}, and no dead letter", owed.progress.status.name());
                left.push(Left::new(owed.id, "not_dead_letter", message));
                continue;
            };
            let handled = Handled { at: now, deed, by: by.clone(), code: code.clone() };
            match self.done_with(owed, deed, now).await? {
                Ok(mut owed) => {
                    owed.progress.handle(handled);
                    done.push(owed);
                }
                Err(stays) => left.push(stays),
            }
        }
        if !dry_run && !done.is_empty() {
            self.put_down(done, deed).await?;
        }
        Ok(left)
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
    async fn put_down(&mut self, done: Vec<Owed>, deed: Deed) -> store::Result<()> {
        let count = done.len();
        match deed {
            Deed::Remap => self.store.amend(done.clone()).await?,
            _ => self.store.settle(done.iter().map(|owed| (owed.id, owed.progress.clone())).collect()).await?,
        }
        done.iter().for_each(|owed| self.surroundings.live.delivery(owed));
        match deed {
            Deed::Discard => {
                tracing::info!(deliveries = count, "{count} dead letters were discarded by hand");
                done.iter().for_each(|owed| self.count_ended(owed));
            }
            Deed::Retry | Deed::Remap => {
                tracing::info!(
                    deliveries = count,
                    "{count} dead letters are attempted again, as was asked for by hand"
                );
                self.hand_over(done.iter().map(open).collect());
            }
        }
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
