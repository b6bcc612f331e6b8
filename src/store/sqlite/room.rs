//! Whether the disk has room, and what is done when it has none: see [`Settings::ballast_bytes`].
//!
//! [`Settings::ballast_bytes`]: crate::store::Settings::ballast_bytes

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ballast::Ballast;
use super::shared::Shared;

/// How often it is looked whether a full disk has room again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The writer's view of the disk.
pub(super) struct Room {
    ballast: Ballast,
    shared: Arc<Shared>,
    looked_at: Instant,
}

impl Room {
    /// Keeps the room back from the start, if there is any.
    pub(super) fn new(ballast: Ballast, shared: Arc<Shared>) -> Room {
        let mut room = Room { ballast, shared, looked_at: Instant::now() };
        if !room.ballast.take() {
            room.run_out();
        }
        room
    }

    /// The disk is full. False: that was known, and there is nothing left to give back.
    pub(super) fn run_out(&mut self) -> bool {
        let is_news = !self.shared.is_full();
        let is_released = self.ballast.release();
        self.looked_at = Instant::now();
        if is_news && self.ballast.is_any() {
            tracing::error!(
                "The disk is full: no events are accepted until there is room again; what was accepted is still delivered"
            );
            self.shared.set_full(true);
        }
        is_released
    }

    /// How long to wait for a call before looking again; `None`: for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.shared.is_full().then(|| LOOK_EVERY.saturating_sub(self.looked_at.elapsed()))
    }

    /// Looks now and then whether there is room again.
    pub(super) fn look(&mut self) {
        if !self.shared.is_full() || self.looked_at.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked_at = Instant::now();
        if self.ballast.take() {
            tracing::info!("The disk has room again; events are accepted");
            self.shared.set_full(false);
        }
    }
}
