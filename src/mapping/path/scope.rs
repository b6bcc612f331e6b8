//! What expressions are resolved against: one event, or a part of it; and what was lost on the way.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::action::Warning;
use crate::json::Json;
use crate::mapping::expression::{Expression, Found};

/// One event to resolve against.
pub struct Scope<'e> {
    event: &'e Json<'e>,
    notes: RefCell<Vec<Note>>,
}

/// Something that a directive could not use.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// A stable word from a closed set.
    pub code: &'static str,
    /// What happened.
    pub message: Cow<'static, str>,
    /// The value.
    pub from: Json<'static>,
}

impl Note {
    /// The same as a warning about a field.
    pub fn about(&self, field: &str) -> Warning {
        Warning::new(field, self.code, &*self.message).changing(&self.from, None)
    }
}

/// How many notes of one field are kept: a list may lose something with every item.
const NOTES_MAX: usize = 20;

impl<'e> Scope<'e> {
    /// An event to resolve against.
    pub fn new(event: &'e Json<'e>) -> Self {
        Scope { event, notes: RefCell::default() }
    }

    /// The event.
    pub fn event(&self) -> &'e Json<'e> {
        self.event
    }

    /// Notes that a directive could not use a value.
    pub fn note(&self, code: &'static str, message: impl Into<Cow<'static, str>>, from: &Json<'_>) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX {
            notes.push(Note { code, message: message.into(), from: from.clone().into_owned() });
        }
    }

    /// What was noted since the last time.
    pub fn take_notes(&self) -> Vec<Note> {
        self.notes.take()
    }

    /// What an expression comes to with another value in the event's place.
    pub fn inside(&self, event: Cow<'e, Json<'e>>, expression: &'e Expression) -> Found<'e> {
        match event {
            Cow::Borrowed(event) => {
                let inner = Scope::new(event);
                let found = expression.resolve(&inner);
                self.keep(inner.take_notes());
                found
            }
            Cow::Owned(event) => {
                let inner = Scope::new(&event);
                let found = expression.resolve(&inner).map(|found| found.into_owned().into_owned());
                self.keep(inner.take_notes());
                found.map(Cow::Owned)
            }
        }
    }

    fn keep(&self, notes: Vec<Note>) {
        let mut kept = self.notes.borrow_mut();
        let room = NOTES_MAX - kept.len();
        kept.extend(notes.into_iter().take(room));
    }
}
