//! Which events' deliveries are being attempted right now: whoever deletes a person waits for those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::delivery::Position;

/// Attempts under way, of all connections. Clones share them.
#[derive(Debug, Clone)]
pub struct UnderWay(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    attempts: Mutex<HashMap<Position, usize>>,
    ended: watch::Sender<()>,
}

impl Default for UnderWay {
    fn default() -> Self {
        UnderWay(Arc::new(Shared { attempts: Mutex::default(), ended: watch::Sender::new(()) }))
    }
}

impl UnderWay {
    /// An attempt of an event's delivery begins; it ends when what is answered is dropped.
    pub(super) fn begin(&self, position: Position) -> Attempting {
        *self.attempts().entry(position).or_default() += 1;
        Attempting { all: self.clone(), position }
    }

    /// Whether a delivery of one of these is being attempted.
    pub(super) fn holds_any(&self, positions: &[Position]) -> bool {
        let attempts = self.attempts();
        positions.iter().any(|position| attempts.contains_key(position))
    }

    /// Resolves when no delivery of these is being attempted.
    pub(super) async fn ended(&self, positions: &[Position]) {
        let mut ended = self.0.ended.subscribe();
        while self.holds_any(positions) {
            // The sender lives as long as we do.
            let _ = ended.changed().await;
        }
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<Position, usize>> {
        self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that is under way.
pub(super) struct Attempting {
    all: UnderWay,
    position: Position,
}

impl Drop for Attempting {
    fn drop(&mut self) {
        let mut attempts = self.all.attempts();
        if let Some(count) = attempts.get_mut(&self.position) {
            *count -= 1;
            if *count == 0 {
                attempts.remove(&self.position);
            }
        }
        drop(attempts);
        // Whoever comes to wait after this looks for attempts later than it was removed.
        if self.all.0.ended.receiver_count() > 0 {
            self.all.0.ended.send_replace(());
        }
    }
}
