//! What a template reads: the event, and what it has set itself.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use liquid_core::model::{KString, KStringCow, KStringRef, ScalarCow, Value, ValueCow, ValueView};
use liquid_core::runtime::PartialStore;
use liquid_core::runtime::Registers;
use liquid_core::{Error, Renderable, Result, Runtime};

use super::VALUE_MAX;
use super::view::{json_of, weight as view_weight};
use crate::json::Json;
use crate::mapping::path::{item, units};

/// One rendering.
pub(super) struct Variables<'e> {
    event: &'e Json<'e>,
    /// What was assigned, the latest last.
    assigned: OnceCell<Box<Assigned>>,
    counters: RefCell<BTreeMap<String, Value>>,
    registers: Registers,
    is_full: Cell<bool>,
}

/// How much more work may be done.
#[derive(Debug, Default)]
pub(super) struct Meter(u32);

impl Meter {
    /// Counts so many bytes that are looked at, copied or made; an error when that is too much.
    pub fn work(runtime: &dyn Runtime, bytes: usize) -> Result<()> {
        let mut meter = runtime.registers().get_mut::<Meter>();
        meter.0 = meter.0.saturating_sub(units(bytes));
        if meter.0 > 0 { Ok(()) } else { Error::with_msg("too much work").into_err() }
    }
}

/// A chain, so that what is in it can be borrowed while more is added.
struct Assigned {
    name: String,
    value: Json<'static>,
    next: OnceCell<Box<Assigned>>,
}

impl<'e> Variables<'e> {
    pub fn new(event: &'e Json<'e>, left: u32) -> Self {
        let registers = Registers::default();
        registers.get_mut::<Meter>().0 = left;
        Variables {
            event,
            assigned: OnceCell::new(),
            counters: RefCell::default(),
            registers,
            is_full: Cell::new(false),
        }
    }

    /// What is left of the work that may be done.
    pub fn left(&self) -> u32 {
        self.registers.get_mut::<Meter>().0
    }

    /// Whether something was assigned that is too long.
    pub fn is_full(&self) -> bool {
        self.is_full.get()
    }

    fn all_assigned(&self) -> impl Iterator<Item = &Assigned> {
        std::iter::successors(self.assigned.get().map(|first| &**first), |one| one.next.get().map(|next| &**next))
    }

    /// The value of a name: what was assigned, else a member of the event.
    fn find(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        let (name, mut rest) = path.split_first()?;
        let name = name.to_kstr();
        if let Some(one) = self.all_assigned().filter(|one| one.name == name.as_str()).last() {
            return follow(&one.value, rest);
        }
        if let (true, Some(counter)) = (rest.is_empty(), self.counters.borrow().get(name.as_str())) {
            return Some(ValueCow::Owned(counter.clone()));
        }
        // `event` alone is the name of a track call, which has no members: `event.x` is `x`.
        let mut root = name.as_str();
        let first = rest.first().map(ScalarCow::to_kstr);
        if let (true, Some(first)) = (root == "event", &first) {
            (root, rest) = (first.as_str(), &rest[1..]);
        }
        follow(self.event.get(root)?, rest)
    }
}

/// What stands some steps into a value. `size`, `first` and `last` are known to lists, `size` to texts and objects.
fn follow<'j>(json: &'j Json<'_>, steps: &[ScalarCow<'_>]) -> Option<ValueCow<'j>> {
    let Some((step, rest)) = steps.split_first() else { return Some(ValueCow::Borrowed(json)) };
    let name = step.to_kstr();
    let next = match json {
        Json::Object(members) => members.get(name.as_str()),
        Json::List(items) => match (step.to_integer(), name.as_str()) {
            (Some(index), _) => item(items, index),
            (None, "first") => items.first(),
            (None, "last") => items.last(),
            _ => None,
        },
        _ => None,
    };
    match (next, json) {
        (Some(next), _) => follow(next, rest),
        (None, _) if name.as_str() != "size" || !rest.is_empty() => None,
        (None, Json::Object(members)) => Some(ValueCow::Owned(Value::scalar(members.len() as i64))),
        (None, Json::List(items)) => Some(ValueCow::Owned(Value::scalar(items.len() as i64))),
        (None, Json::String(text)) => Some(ValueCow::Owned(Value::scalar(text.chars().count() as i64))),
        _ => None,
    }
}

/// What a value that is read counts: it is copied or compared. `size` of a text looks at all of it.
fn weight(found: &ValueCow<'_>) -> usize {
    view_weight(found.as_view())
}

impl Runtime for Variables<'_> {
    fn partials(&self) -> &dyn PartialStore {
        &NoPartials
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        None
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        BTreeSet::new()
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        let found = self.find(path)?;
        Meter::work(self, weight(&found)).ok()?;
        Some(found)
    }

    /// What is missing is nothing, not an error.
    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        let found = self.find(path).unwrap_or(ValueCow::Owned(Value::Nil));
        Meter::work(self, weight(&found))?;
        Ok(found)
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        let value = json_of(&value as &dyn ValueView);
        let is_full = value.weight() > VALUE_MAX;
        self.is_full.set(self.is_full.get() || is_full);
        let value = if is_full { Json::Null } else { value };
        let last = self.all_assigned().last().map_or(&self.assigned, |last| &last.next);
        let assigned = Assigned { name: name.to_string(), value, next: OnceCell::new() };
        // The end of the chain is free: that is what makes it the end.
        let _ = last.set(Box::new(assigned));
        None
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.counters.borrow_mut().insert(name.to_string(), value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.counters.borrow().get(name).cloned().map(ValueCow::Owned)
    }

    fn registers(&self) -> &Registers {
        &self.registers
    }
}

/// Templates stand alone.
#[derive(Debug)]
struct NoPartials;

impl PartialStore for NoPartials {
    fn contains(&self, _: &str) -> bool {
        false
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    fn try_get(&self, _: &str) -> Option<std::sync::Arc<dyn Renderable>> {
        None
    }

    fn get(&self, name: &str) -> Result<std::sync::Arc<dyn Renderable>> {
        Error::with_msg(format!("no template `{name}`")).into_err()
    }
}
