//! What an operator does with dead letters: what is asked for, what is recorded, and why one is left as it is.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Id;
use crate::instant::Timestamp;

/// What is done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is attempted again with the payload it has; finished requests are not made again.
    Retry,
    /// Its event is mapped again by its mapping as it is now, and what comes of it is attempted.
    Remap,
    /// It ends as `skipped`, with the reason `discarded`.
    Discard,
}

impl Deed {
    /// The reason of a delivery that was discarded.
    pub const DISCARDED: &'static str = "discarded";
}

/// What was done with a dead letter by hand; kept in its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// Who, as they said.
    pub by: String,
    /// The code it had died of.
    pub code: Cow<'static, str>,
    /// Whether it was to write over what newer calls have written since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
}

/// Dead letters, and what is to be done with them.
#[derive(Debug, Clone)]
pub struct Handling {
    /// Which, oldest first.
    pub ids: Vec<Id>,
    /// What.
    pub deed: Deed,
    /// Who wants it.
    pub by: String,
    /// Only say what would come of it.
    pub dry_run: bool,
    /// Whether what is attempted again writes all it says, also over what newer calls have written since.
    pub overwrite: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Those that stay as they are.
    pub left: Vec<Left>,
    /// How many ended, because newer calls have written all they say.
    pub outdated: usize,
    /// How many are attempted again without what newer calls have written.
    pub shortened: usize,
}

/// A dead letter that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Which.
    pub id: Id,
    /// Why, as a stable word.
    pub code: Cow<'static, str>,
    /// Why, and what to do.
    pub message: String,
}

impl Left {
    /// One that stays, and why.
    pub fn new(id: Id, code: &'static str, message: impl Into<String>) -> Left {
        Left { id, code: code.into(), message: message.into() }
    }
}
