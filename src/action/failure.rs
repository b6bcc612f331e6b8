//! Why an attempt failed: a kind to branch on, a code to count by, a message to read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a failure means for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The destination will never take this payload: dead letter.
    Rejected,
    /// Our credentials are refused: the destination pauses and keeps everything.
    Unauthorized,
    /// Told to slow down: wait as told; not counted as a try.
    Throttled,
    /// Not there yet: leaves the line and is tried again outside it.
    TooEarly,
    /// Refused connection, timeout before sending, 5xx: again by schedule.
    Unavailable,
    /// Sent, and no answer: it may have happened.
    Unknown,
}

impl Kind {
    /// The kind's one word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rejected => "rejected",
            Kind::Unauthorized => "unauthorized",
            Kind::Throttled => "throttled",
            Kind::TooEarly => "too_early",
            Kind::Unavailable => "unavailable",
            Kind::Unknown => "unknown",
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it means.
    pub kind: Kind,
    /// A stable word from a closed set (`contact_not_found`, `rate_limited`).
    pub code: std::borrow::Cow<'static, str>,
    /// What happened, naming the thing; with the destination's own code, message and request id where it gave them.
    pub message: String,
    /// How long the destination asked us to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of some kind.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Failure { kind, code: code.into(), message: message.into(), retry_after: None }
    }

    /// A failure that will not go away.
    pub fn rejected(code: &'static str, message: impl Into<String>) -> Self {
        Failure::new(Kind::Rejected, code, message)
    }
}
