//! Dead letters from outside the engine: what must be known before they are attempted again is learned here, and the follower
//! does the rest between two steps.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::follower::{Order, Request};
use super::known::filling;
use super::replay::Written;
use crate::delivery::by_hand::{Answered, Deed, Handling};
use crate::delivery::{Id, Position};
use crate::destination::Clock;
use crate::instant::Timestamp;
use crate::store::{self, Filter, Owed, Store};

/// Dead letters behind those that are asked for, whose people are looked for at the same time: a long list is asked for piece
/// by piece, and looking costs as much for many as for few.
const AHEAD: usize = 2_000;
/// What was learned is believed for so long after it was used, so that the pieces of one list share it.
const BELIEVED: Duration = Duration::from_secs(10);

/// Does what an operator wants with dead letters, while the engine runs.
#[derive(Clone)]
pub struct Letters {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// What newer calls have written than those that are attempted again.
    pub(super) written: Written,
    /// When that was used last. One at a time uses it.
    pub(super) used: Arc<Mutex<Option<Timestamp>>>,
}

impl Letters {
    /// Does it, durably, and says what came of it. What is to be attempted again joins its lines behind what stands in them,
    /// in the order of the ids; after a restart it stands where its event was accepted.
    pub async fn handle(&self, handling: Handling) -> store::Result<Answered> {
        if handling.deed == Deed::Discard || handling.overwrite {
            return self.order(handling).await;
        }
        let mut used = self.used.lock().await;
        self.learn(&handling.ids, *used).await?;
        *used = Some((self.clock)());
        self.order(handling).await
    }

    async fn order(&self, handling: Handling) -> store::Result<Answered> {
        let stopped = || store::Error::Unavailable("the router is being stopped".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Letters(Order { handling, answer })).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Makes sure that it is known what newer calls have written than these letters.
    async fn learn(&self, ids: &[Id], used: Option<Timestamp>) -> store::Result<()> {
        let actions = filling();
        let wanted = self.store.deliveries(ids.to_vec()).await?;
        let wanted: Vec<Owed> = wanted.into_iter().filter(|owed| actions.contains(&owed.delivery.action)).collect();
        let now = (self.clock)();
        let is_recent = used.is_some_and(|used| now.duration_since(used).unsigned_abs() < BELIEVED);
        let is_covered = |owed: &Owed| self.written.covers(&owed.delivery.keys, owed.delivery.stands_at(owed.id));
        if wanted.is_empty() || (is_recent && wanted.iter().all(is_covered)) {
            return Ok(());
        }
        self.written.clear();
        let ahead = Filter {
            status: Some("dead_letter".to_owned()),
            actions,
            after: ids.last().copied(),
            oldest_first: true,
            ..Filter::default()
        };
        let ahead = self.store.list(ahead, AHEAD).await?.found;
        let (mut keys, mut since) = (HashSet::new(), Position(u64::MAX));
        for Owed { id, delivery, .. } in wanted.iter().chain(&ahead) {
            keys.extend(&delivery.keys);
            since = since.min(delivery.stands_at(*id));
        }
        self.written.cover(keys, since, &*self.store, &[]).await
    }
}
