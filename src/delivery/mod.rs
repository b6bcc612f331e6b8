//! What is owed to a destination: one payload of one action, and the story of the attempts to bring it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::value::RawValue;

use crate::action::{Failure, Unfit, Warning};
use crate::instant::Timestamp;

pub mod by_hand;
pub mod key;
pub mod retry;

use by_hand::Handled;

/// Where an event stands in the order of acceptance: later events have greater positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

/// Names one delivery for ever: the event's position, and its number among that event's deliveries. Ordered as the events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The event's position; below 2^47.
    pub position: Position,
    /// The number among the event's deliveries, from 0.
    pub number: u16,
}

impl Id {
    /// The id as one number that keeps the order.
    pub fn to_number(self) -> u64 {
        self.position.0 << 16 | u64::from(self.number)
    }

    /// The id that [`Id::to_number`] gave.
    pub fn from_number(number: u64) -> Id {
        Id { position: Position(number >> 16), number: (number & 0xffff) as u16 }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position.0, self.number)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Id, String> {
        let refuse = || format!("`{text}` is not a delivery id like `1042.0`");
        let (position, number) = text.split_once('.').ok_or_else(refuse)?;
        Ok(Id {
            position: Position(position.parse().map_err(|_| refuse())?),
            number: number.parse().map_err(|_| refuse())?,
        })
    }
}

/// As the text that people see.
impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One payload owed to one destination. Does not change once it is recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The source its event came from.
    pub source: Arc<str>,
    /// The destination it is owed to.
    pub destination: Arc<str>,
    /// The mapping that made it.
    pub mapping: Arc<str>,
    /// The action that brings it.
    pub action: Arc<str>,
    /// When its event was accepted; of one that is delivered again, when it was put into the log again.
    pub accepted_at: Timestamp,
    /// Of an event that is delivered again: where it stood when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<Position>,
    /// Hashes of whom it is about (`userId`, `anonymousId`, e-mail, for group calls the company): deliveries to one
    /// destination that share one go in order. Those of a person are even, those of a company odd.
    pub keys: Vec<u64>,
    /// The filled fields, a JSON object; or why there is none.
    pub payload: Result<Box<RawValue>, Unfit>,
    /// What mapping changed or dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Delivery {
    /// Where its event stood when it was accepted: what stands further on is newer. `id` is its own.
    pub fn stands_at(&self, id: Id) -> Position {
        self.replay_of.unwrap_or(id.position)
    }

    /// The same for each delivery of an event: those of one stand in the order of their numbers.
    pub fn place(&self, id: Id) -> Id {
        Id { position: self.stands_at(id), number: id.number }
    }
}

/// Finished requests of a delivery: the action's name for each, and what it came to.
pub type Steps = BTreeMap<String, String>;

/// A run of failures of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// When the first of them was made.
    pub since: Timestamp,
    /// Whether the delivery came too early, rather than that the destination was in trouble.
    pub too_early: bool,
}

/// How far a delivery has come. Replaced at every settlement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub status: Status,
    /// Attempts that counted; waiting because of a rate limit or a refused credential does not.
    pub attempts: u32,
    /// Attempts of every sort.
    pub tries: u32,
    /// Since when every attempt that counted has failed for the same sort of reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// Whether it has waited for its contact as long as it may: the destination may do what it does as a last resort.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waited_out: bool,
    /// What earlier attempts finished, by the action's own names for it; a further attempt goes on from there.
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    pub steps: Steps,
    /// Later deliveries that its attempts bring along, which wait directly behind it; until they are refused together.
    /// Written down before they are sent, so that what may have been heard is repeated as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carries: Vec<Id>,
    /// The delivery whose attempt brought this one too, because the one waited directly behind the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried_by: Option<Id>,
    /// The last attempts, oldest first; [`Progress::STORY_MAX`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<Attempt>,
    /// What was done by hand after it had become a dead letter, oldest first; [`Progress::STORY_MAX`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handled: Vec<Handled>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Status {
    /// To be attempted when its turn comes.
    Pending,
    /// Not to be attempted before `until`; `parked` ones stand outside the person's line.
    Waiting {
        /// When it is attempted again.
        until: Timestamp,
        /// The failure's code.
        reason: Cow<'static, str>,
        /// Whether those behind it may go on.
        parked: bool,
    },
    /// The destination has it.
    Delivered {
        /// When that was recorded.
        at: Timestamp,
    },
    /// Nothing needed to be sent.
    Skipped {
        /// When that was recorded.
        at: Timestamp,
        /// Why, as a stable word.
        reason: Cow<'static, str>,
    },
    /// We stopped attempting it.
    DeadLetter {
        /// When that was decided.
        at: Timestamp,
        /// The failure's code.
        code: Cow<'static, str>,
        /// Why, for people.
        message: String,
    },
}

impl Status {
    /// The status's one word.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Waiting { .. } => "waiting",
            Status::Delivered { .. } => "delivered",
            Status::Skipped { .. } => "skipped",
            Status::DeadLetter { .. } => "dead_letter",
        }
    }

    /// Why it stands there, as a stable word: the failure's code, or the reason.
    pub fn code(&self) -> Option<&str> {
        match self {
            Status::Waiting { reason: code, .. } | Status::Skipped { reason: code, .. } => Some(code),
            Status::DeadLetter { code, .. } => Some(code),
            Status::Pending | Status::Delivered { .. } => None,
        }
    }

    /// Whether nothing more will happen to it by itself.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Status::Pending | Status::Waiting { .. })
    }
}

/// One try of a delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1; also counts those that did not count as a try.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// `delivered`, `skipped`, or the failure's kind.
    pub outcome: Cow<'static, str>,
    /// The failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What should be known about how it was delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Later deliveries that were part of what it sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Id>,
    /// The requests it made and the replies it got; bodies cut at [`Exchange::BODY_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
}

/// One request to a destination and its reply. Never holds a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// HTTP method.
    pub method: Cow<'static, str>,
    /// Path with query, below the destination's base URL.
    pub path: String,
    /// The body that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The reply's status; absent when there was no reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The reply's body, or why there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply: String,
}

impl Exchange {
    /// Bodies in a story are cut here, in bytes.
    pub const BODY_MAX: usize = 4096;
}

impl Progress {
    /// A story keeps this many attempts: the first, and the last ones.
    pub const STORY_MAX: usize = 10;

    /// A delivery that has not been attempted.
    pub fn new() -> Progress {
        Progress {
            status: Status::Pending,
            attempts: 0,
            tries: 0,
            failing: None,
            waited_out: false,
            steps: Steps::new(),
            carries: Vec::new(),
            carried_by: None,
            story: Vec::new(),
            handled: Vec::new(),
        }
    }

    /// A delivery that ended before any attempt.
    pub fn ended(status: Status) -> Progress {
        Progress { status, ..Progress::new() }
    }

    /// Whether nothing was tried or done by hand.
    pub fn is_untouched(&self) -> bool {
        let is_new = self.tries == 0 && self.steps.is_empty() && self.carries.is_empty() && self.handled.is_empty();
        is_new && self.status == Status::Pending
    }

    /// Adds an attempt to the story.
    pub fn record(&mut self, attempt: Attempt) {
        self.tries = attempt.number;
        if self.story.len() == Self::STORY_MAX {
            self.story.remove(1);
        }
        self.story.push(attempt);
    }

    /// The progress of one that is to be attempted anew: what was finished and what happened stays known, and it may
    /// fail as long as one that is new.
    pub fn reopened(self) -> Progress {
        let (carries, carried_by) = (Vec::new(), None);
        Progress { status: Status::Pending, attempts: 0, failing: None, waited_out: false, carries, carried_by, ..self }
    }

    /// Adds what was done by hand.
    pub fn handle(&mut self, handled: Handled) {
        if self.handled.len() == Self::STORY_MAX {
            self.handled.remove(0);
        }
        self.handled.push(handled);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Progress::new()
    }
}
