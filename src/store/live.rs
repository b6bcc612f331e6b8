//! What happens now, for whoever watches: every event as it is routed, every delivery as its status changes.
//!
//! # Why
//! Nothing waits for a watcher and nothing is kept for one: who is too slow misses lines, and is told how many. While nobody
//! watches it costs nothing.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Owed, Stored};
use crate::delivery::key;
use crate::instant::{self, Timestamp};
use crate::json::Json;

/// Lines that a slow watcher may be behind.
const BEHIND_MAX: usize = 1024;
/// Events that are longer than this, in bytes, are told of without what is in them.
const EVENT_MAX: usize = 8 << 10;

/// Tells watchers. Clones tell the same ones.
#[derive(Clone)]
pub struct Live {
    lines: broadcast::Sender<Arc<Line>>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The source of the event.
    pub source: Arc<str>,
    /// Whom it is about, see [`key::keys`].
    pub keys: Vec<u64>,
    /// Of a delivery: its destination, its mapping and its status.
    pub delivery: Option<(Arc<str>, Arc<str>, &'static str)>,
    /// All of it, as one line of JSON.
    pub text: String,
}

/// Someone who watches.
pub struct Watcher(broadcast::Receiver<Arc<Line>>);

/// What a watcher sees next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This.
    Line(Arc<Line>),
    /// So many lines were missed.
    Missed(u64),
    /// Nothing more will come.
    End,
}

impl Live {
    /// Nobody watches yet. Each line is told with the time.
    pub fn new(clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Live {
        Live { lines: broadcast::Sender::new(BEHIND_MAX), clock }
    }

    /// Watches from now on.
    pub fn watch(&self) -> Watcher {
        Watcher(self.lines.subscribe())
    }

    /// An event is routed.
    pub fn event(&self, stored: &Stored) {
        if self.lines.receiver_count() == 0 {
            return;
        }
        let envelope = &stored.event.envelope;
        let view = stored.event.view().ok();
        let keys = view.as_ref().map(|view| key::keys(view, envelope.kind)).unwrap_or_default();
        let name = view.as_ref().and_then(|view| view.get("event")).and_then(Json::as_str);
        let whole = view.as_ref().filter(|_| stored.event.body.len() <= EVENT_MAX);
        let text = json!({ "at": self.now(), "event": {
            "position": stored.position, "source": &*envelope.source, "type": envelope.kind, "name": name,
            "received_at": envelope.received_at, "replay": envelope.replay.as_ref().map(|replay| replay.job),
            "call": whole,
        } });
        self.tell(Line { source: envelope.source.clone(), keys, delivery: None, text: text.to_string() });
    }

    /// A delivery was made, or its status changed.
    pub fn delivery(&self, owed: &Owed) {
        if self.lines.receiver_count() == 0 {
            return;
        }
        let delivery = &owed.delivery;
        let mut text = json!({ "at": self.now(), "delivery": {
            "id": owed.id.to_string(), "source": &*delivery.source, "destination": &*delivery.destination,
            "mapping": &*delivery.mapping, "action": &*delivery.action, "status": owed.progress.status,
            "attempts": owed.progress.attempts,
        } });
        if let Some(carrier) = owed.progress.carried_by {
            text["delivery"]["carried_by"] = json!(carrier);
        }
        let about = (delivery.destination.clone(), delivery.mapping.clone(), owed.progress.status.name());
        let (source, keys) = (delivery.source.clone(), delivery.keys.clone());
        self.tell(Line { source, keys, delivery: Some(about), text: text.to_string() });
    }

    fn now(&self) -> String {
        instant::to_text((self.clock)())
    }

    fn tell(&self, line: Line) {
        // The last watcher may have gone meanwhile.
        let _ = self.lines.send(Arc::new(line));
    }
}

impl Watcher {
    /// Waits for what happens next.
    pub async fn next(&mut self) -> Next {
        match self.0.recv().await {
            Ok(line) => Next::Line(line),
            Err(RecvError::Lagged(count)) => Next::Missed(count),
            Err(RecvError::Closed) => Next::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_too_slow_is_told_how_much_was_missed() {
        let live = Live::new(Arc::new(|| Timestamp::UNIX_EPOCH));
        let line = |number: usize| Line { source: "s".into(), keys: vec![], delivery: None, text: number.to_string() };
        live.tell(line(0));
        let mut watcher = live.watch();
        (1..=BEHIND_MAX + 7).for_each(|number| live.tell(line(number)));
        assert_eq!(watcher.next().await, Next::Missed(7));
        assert_eq!(watcher.next().await, Next::Line(Arc::new(line(8))));
    }
}
