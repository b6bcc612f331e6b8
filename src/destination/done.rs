//! What performing an action by hand came to, as it is told to the person who asked, over HTTP too.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Performed;
use crate::action::{Document, Failure, Outcome, Warning};
use crate::delivery::Exchange;

/// How an action ended that a person asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    /// `delivered`, `skipped` or `failed`.
    pub outcome: String,
    /// One thing, as the destination wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
    /// A page of a list: `items`, `total` where it is known, and `next`, the fields that get the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Value>,
    /// Why there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What should be known about how it was done.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// The requests that were made, and their replies, bodies cut.
    #[serde(default)]
    pub requests: Vec<Exchange>,
}

/// Why there was nothing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Skipped {
    /// A stable word.
    pub code: String,
    /// What that means here.
    pub message: String,
}

impl From<Performed> for Done {
    fn from(performed: Performed) -> Done {
        let mut done = Done {
            outcome: String::new(),
            document: None,
            page: None,
            skipped: None,
            failure: None,
            warnings: Vec::new(),
            requests: performed.exchanges,
        };
        match performed.document {
            Some(Document::One(value)) => done.document = Some(value),
            Some(Document::Page(page)) => done.page = serde_json::to_value(page).ok(),
            None => {}
        }
        match performed.result {
            Ok(Outcome::Delivered(warnings)) => (done.outcome, done.warnings) = ("delivered".to_owned(), warnings),
            Ok(Outcome::Skipped(code, message)) => {
                done.outcome = "skipped".to_owned();
                done.skipped = Some(Skipped { code: code.to_string(), message: message.to_string() });
            }
            Err(failure) => (done.outcome, done.failure) = ("failed".to_owned(), Some(failure)),
        }
        done
    }
}
