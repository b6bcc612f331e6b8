//! What expressions are resolved against: one event, or a part of it; and what was lost on the way.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use crate::action::Warning;
use crate::json::Json;
use crate::mapping::directive::VALUE_LOST;
use crate::mapping::expression::{Expression, Found};

/// One event to resolve against.
pub struct Scope<'e> {
    event: &'e Json<'e>,
    notes: RefCell<Vec<Note>>,
    /// How much more work may be done; 0 when it is given up.
    left: Cell<u32>,
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
/// How much work one field may be for one event, in values looked at and in 16 bytes of text made: whatever an event
/// holds, a mapping comes to an end.
const WORK_MAX: u32 = 250_000;

impl<'e> Scope<'e> {
    /// An event to resolve against.
    pub fn new(event: &'e Json<'e>) -> Self {
        Scope { event, notes: RefCell::default(), left: Cell::new(WORK_MAX) }
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

    /// What was noted since the last time. The next may be as much work again.
    pub fn take_notes(&self) -> Vec<Note> {
        self.left.set(WORK_MAX);
        self.notes.take()
    }

    /// What is left of the work that may be done.
    pub(super) fn left(&self) -> &Cell<u32> {
        &self.left
    }

    /// Counts a value that was made. `None` when that was too much work, which is then noted.
    pub fn made(&self, value: &Json<'_>) -> Option<()> {
        self.work(value.weight())
    }

    /// Counts so many bytes that are made. `None` when that is too much.
    pub fn work(&self, bytes: usize) -> Option<()> {
        let units = u32::try_from(bytes / 16 + 1).unwrap_or(u32::MAX);
        self.left.set(self.left.get().saturating_sub(units));
        self.is_within()
    }

    /// Whether there is work left to be done. That there is none is noted once.
    pub(super) fn is_within(&self) -> Option<()> {
        const TOO_MUCH: &str = "given up: more than 250,000 values have to be looked at";
        if self.left.get() > 0 {
            return Some(());
        }
        let is_said = self.notes.borrow().iter().any(|note| note.message == TOO_MUCH);
        if !is_said {
            self.note(VALUE_LOST, TOO_MUCH, &Json::Null);
        }
        None
    }

    /// What an expression comes to with another value in the event's place.
    pub fn inside(&self, event: Cow<'e, Json<'e>>, expression: &'e Expression) -> Found<'e> {
        self.is_within()?;
        let found = match event {
            Cow::Borrowed(event) => self.within(event, |inner| expression.resolve(inner)),
            Cow::Owned(event) => {
                self.made(&event)?;
                let resolve =
                    |inner: &Scope<'_>| expression.resolve(inner).map(|found| found.into_owned().into_owned());
                self.within(&event, resolve).map(Cow::Owned)
            }
        };
        if let Some(Cow::Owned(value)) = &found {
            self.made(value)?;
        }
        self.is_within()?;
        found
    }

    /// Resolves against another value; the work counts here.
    fn within<'i, T>(&self, event: &'i Json<'i>, resolve: impl FnOnce(&Scope<'i>) -> T) -> T {
        let inner = Scope { event, notes: RefCell::default(), left: Cell::new(self.left.get().saturating_sub(1)) };
        let result = resolve(&inner);
        self.left.set(inner.left.get());
        let mut kept = self.notes.borrow_mut();
        let room = NOTES_MAX - kept.len();
        kept.extend(inner.notes.take().into_iter().take(room));
        result
    }
}
