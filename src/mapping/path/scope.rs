//! What expressions are resolved against: one event, or a part of it; what was lost on the way; and how much work is left.
//!
//! # Why
//! What an event holds decides how much work an expression is: lists of lists, patterns, texts in texts. So everything
//! that looks at, copies or makes something counts it here, for all fields of one mapping together. Where the work is
//! used up, the field that was being filled comes to nothing, never to a part of its value.

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
    /// In which part of the field: `.plan`, `[0]`; empty when it is the field itself.
    pub at: String,
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
        Warning::new(format!("{field}{}", self.at), self.code, &*self.message).changing(&self.from, None)
    }
}

/// How many notes of one field are kept: a list may lose something with every item.
const NOTES_MAX: usize = 20;
/// How much work one mapping may be for one event: values looked at, and 16 bytes of text looked at, copied or made.
pub const WORK_MAX: u32 = 250_000;
/// How long a text may become, in bytes.
pub const TEXT_MAX: usize = 1024 * 1024;

/// Why a field came to nothing.
const TOO_MUCH: &str = "given up: this event is too much work for one mapping (more than 250,000 values)";

/// What so many bytes count.
pub(in crate::mapping) fn units(bytes: usize) -> u32 {
    u32::try_from(bytes / 16 + 1).unwrap_or(u32::MAX)
}

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
        if self.notes.borrow().len() < NOTES_MAX && self.work(from.weight()).is_some() {
            let note = Note { at: String::new(), code, message: message.into(), from: from.clone().into_owned() };
            self.notes.borrow_mut().push(note);
        }
    }

    /// What was noted since the last time.
    pub fn take_notes(&self) -> Vec<Note> {
        self.notes.take()
    }

    /// What a whole expression comes to: nothing when the work was used up on the way, which is noted.
    pub fn resolve(&self, expression: &'e Expression) -> Found<'e> {
        let found = expression.resolve(self);
        if self.left.get() > 0 {
            return found;
        }
        let note = Note { at: String::new(), code: VALUE_LOST, message: TOO_MUCH.into(), from: Json::Null };
        self.notes.borrow_mut().push(note);
        None
    }

    /// Resolves a part of a value; what it notes is about that part.
    pub fn noting_in<T>(&self, part: impl Fn() -> String, resolve: impl FnOnce() -> T) -> T {
        let before = self.notes.borrow().len();
        let resolved = resolve();
        let mut notes = self.notes.borrow_mut();
        notes.iter_mut().skip(before).for_each(|note| note.at.insert_str(0, &part()));
        resolved
    }

    /// What is left of the work that may be done.
    pub fn left(&self) -> &Cell<u32> {
        &self.left
    }

    /// Counts so many bytes that are looked at, copied or made. `None` when that is too much.
    pub fn work(&self, bytes: usize) -> Option<()> {
        self.left.set(self.left.get().saturating_sub(units(bytes)));
        self.is_within()
    }

    /// Counts a search through so many bytes, of which four are as much work as one that is copied.
    pub fn search(&self, bytes: usize) -> Option<()> {
        self.work(bytes / 4)
    }

    /// `None` when the work is used up.
    pub fn is_within(&self) -> Option<()> {
        (self.left.get() > 0).then_some(())
    }

    /// A value to keep; a copy is counted before it is made.
    pub fn keep(&self, found: Cow<'e, Json<'e>>) -> Option<Json<'e>> {
        match found {
            Cow::Owned(value) => Some(value),
            Cow::Borrowed(value) => {
                self.work(value.weight())?;
                Some(value.clone())
            }
        }
    }

    /// A text that `name` made; nothing, with a note, when it is too long.
    pub fn text(&self, name: &str, text: String) -> Found<'e> {
        self.work(text.len())?;
        if text.len() > TEXT_MAX {
            self.too_long(name);
            return None;
        }
        Some(Cow::Owned(Json::from(text)))
    }

    /// Notes that `name` made a text that is too long.
    pub fn too_long(&self, name: &str) {
        self.note(VALUE_LOST, format!("`{name}` would make it longer than 1 MB"), &Json::Null);
    }

    /// What an expression comes to with another value in the event's place.
    pub fn inside(&self, event: Cow<'e, Json<'e>>, expression: &'e Expression) -> Found<'e> {
        self.work(0)?;
        let found = match event {
            Cow::Borrowed(event) => self.within(event, |inner| expression.resolve(inner)),
            Cow::Owned(event) => {
                let resolve = |inner: &Scope<'_>| match expression.resolve(inner)? {
                    Cow::Owned(value) => {
                        inner.work(value.weight())?;
                        Some(value.into_owned())
                    }
                    value => inner.keep(value).map(Json::into_owned),
                };
                self.within(&event, resolve).map(Cow::Owned)
            }
        };
        self.is_within()?;
        found
    }

    /// Resolves against another value; the work counts here.
    fn within<'i, T>(&self, event: &'i Json<'i>, resolve: impl FnOnce(&Scope<'i>) -> T) -> T {
        let inner = Scope { event, notes: RefCell::default(), left: Cell::new(self.left.get()) };
        let result = resolve(&inner);
        self.left.set(inner.left.get());
        let mut kept = self.notes.borrow_mut();
        let room = NOTES_MAX.saturating_sub(kept.len());
        kept.extend(inner.notes.take().into_iter().take(room));
        result
    }
}
