//! Removing what is old, every minute.

use std::sync::Arc;
use std::time::Duration;

use crate::delivery::Position;
use crate::instant::Timestamp;
use crate::store::{self, Store};

use super::Clock;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);
/// The time by which things are old goes forward no faster than so many times the time that passes.
const HURRY_MAX: u32 = 24;

/// Works for ever.
pub(super) async fn trim(store: Arc<dyn Store>, clock: Clock) {
    let newest = loop {
        match newest(&*store).await {
            Ok(newest) => break newest,
            Err(error) => {
                tracing::warn!(%error, "Old records stay until the store can be read; tried again in a minute")
            }
        }
        tokio::time::sleep(INTERVAL).await;
    };
    let mut steady = Steady { shown: clock().min(newest) };
    loop {
        let began = tokio::time::Instant::now();
        tokio::time::sleep(INTERVAL).await;
        match store.trim(steady.next(clock(), began.elapsed())).await {
            Ok(0) => {}
            Ok(records) => tracing::debug!(records, "Old records went"),
            Err(error) => tracing::warn!(%error, "Old records could not be removed; tried again in a minute"),
        }
    }
}

/// When the last event was accepted, if it is still there: a clock that is ahead when the process starts must not make
/// everything old either.
async fn newest(store: &dyn Store) -> store::Result<Timestamp> {
    let before_last = Position(store.stats().last.0.saturating_sub(1));
    let last = store.events(before_last, 1).await?;
    Ok(last.first().map_or(Timestamp::MAX, |stored| stored.event.envelope.received_at))
}

/// The time by which things are old.
///
/// # Why
/// A clock that is set a month ahead, be it for a minute, would make everything old, and what is removed does not come back
/// with the right time. After a month in which nothing ran it takes a day until what has become old goes.
struct Steady {
    shown: Timestamp,
}

impl Steady {
    /// The clock shows `now`, so long after the last look.
    fn next(&mut self, now: Timestamp, passed: Duration) -> Timestamp {
        let soonest = self.shown.saturating_add(passed.saturating_mul(HURRY_MAX)).unwrap_or(Timestamp::MAX);
        self.shown = now.min(soonest);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Channel, Envelope, Event, Kind};
    use crate::store::memory::Memory;
    use crate::store::{Routed, Settings};

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_is_set_far_ahead_for_a_minute_makes_little_old() {
        let start = Timestamp::from_second(1_000_000_000).unwrap();
        let mut steady = Steady { shown: start };
        assert_eq!(steady.next(start + MINUTE, MINUTE), start + MINUTE);
        assert_eq!(steady.next(start + 1_000 * HOUR, MINUTE), start + 25 * MINUTE);
        assert_eq!(steady.next(start + 3 * MINUTE, MINUTE), start + 3 * MINUTE, "it was set right");
        assert_eq!(steady.next(start - HOUR, MINUTE), start - HOUR);
        // After a sleep of a week it catches up.
        let mut shown = start;
        for hour in 1..=8 {
            shown = steady.next(start + 168 * HOUR + hour * HOUR, HOUR);
        }
        assert_eq!(shown, start + 176 * HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_under_such_a_clock_makes_nothing_old_at_once() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let envelope = Envelope {
            source: "website".into(),
            kind: Kind::Track,
            message_id: "m".to_owned(),
            received_at: at,
            timestamp: at,
            original_timestamp: None,
            sent_at: None,
            channel: Channel::Server,
            ip: None,
            shared: None,
            replay: None,
        };
        let store = Arc::new(Memory::new(Settings::default()));
        store.accept(vec![Event { envelope, body: b"{}".as_slice().into() }]).await.unwrap();
        store.route(&[Routed { position: Position(1), deliveries: Vec::new() }]).await.unwrap();
        let kept_for = |time: Duration| {
            let trimming = trim(store.clone(), Arc::new(move || at + 10_000 * HOUR));
            let store = store.clone();
            async move {
                tokio::time::timeout(time, trimming).await.unwrap_err();
                store.events(Position(0), 1).await.unwrap().len()
            }
        };
        assert_eq!(kept_for(6 * HOUR).await, 1, "a week is over after seven hours at the soonest");
        assert_eq!(kept_for(8 * HOUR).await, 0);
    }
}
