//! What one call leaves, thing by thing: values, belongings, and whether somebody is there at all.

use std::fmt;

use serde_json::{Map, Value};

use crate::action::{About, Does, Fills, Tie};
use crate::delivery::key;

/// One thing that calls write, of a person or a company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Thing {
    /// A field.
    Field(String),
    /// A member of a field.
    Member(String, String),
    /// Whether a person is in a company: the field that names it, and its name.
    Company(&'static str, String),
    /// Whether there is a tag, by its name in lower case.
    Tag(String),
    /// Whether they are there.
    Presence,
    /// Everything that was said of them: it is gone.
    All,
}

impl Thing {
    /// Its name in the store; different for different things.
    pub(super) fn name(&self) -> String {
        let [sort, name, member] = match self {
            Thing::Field(name) => ["field", name, ""],
            Thing::Member(name, member) => ["member", name, member],
            Thing::Company(field, name) => ["company", field, name],
            Thing::Tag(name) => ["tag", name, ""],
            Thing::Presence => ["presence", "", ""],
            Thing::All => ["all", "", ""],
        };
        serde_json::json!([sort, name, member]).to_string()
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Field(name) => f.write_str(name),
            Thing::Member(name, member) => write!(f, "{name}.{member}"),
            Thing::Company(field, _) => f.write_str(field),
            Thing::Tag(name) => write!(f, "tags.{name}"),
            Thing::Presence | Thing::All => Ok(()),
        }
    }
}

/// A thing, whose it is (by key), and what a call makes of it.
pub(super) struct Part {
    pub(super) thing: Thing,
    pub(super) whose: u64,
    pub(super) value: Value,
}

/// Everything that a call writes, for everyone whose it is.
pub(super) fn parts(payload: &Map<String, Value>, fills: &Fills, keys: &[u64]) -> Vec<Part> {
    let people: Vec<u64> = keys.iter().copied().filter(|key| !key::is_company(*key)).collect();
    let owners = owners(payload, fills, keys);
    let mut parts = Parts(Vec::new());
    if let Some(presence) = fills.presence.filter(|_| !is_only_untying(payload, fills)) {
        parts.push(Thing::Presence, &owners, &presence.into());
    }
    if fills.erases {
        parts.push(Thing::All, &owners, &Value::Null);
    }
    if let Some(tie) = &fills.company
        && let Some((field, name)) = tie.to.iter().find_map(|field| Some((*field, payload.get(*field)?.as_str()?)))
    {
        parts.push(Thing::Company(field, name.to_owned()), &people, &ties(payload, tie).into());
    }
    if is_only_untying(payload, fills) {
        return parts.0;
    }
    if let Some(tie) = &fills.tags {
        for name in names(payload, tie) {
            parts.push(Thing::Tag(name.to_lowercase()), &owners, &ties(payload, tie).into());
        }
    }
    for (name, value) in payload.iter().filter(|(name, _)| is_value(name, fills)) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (member, value) in members {
                    parts.push(Thing::Member(name.clone(), member.clone()), &owners, value);
                }
            }
            _ => parts.push(Thing::Field(name.clone()), &owners, value),
        }
    }
    parts.0
}

/// The keys of those whom a call is about.
pub(super) fn owners(payload: &Map<String, Value>, fills: &Fills, keys: &[u64]) -> Vec<u64> {
    let is_there = |field: &&str| payload.get(*field).is_some_and(|value| !value.is_null());
    let is_company = fills.about == About::Company || fills.or_company.iter().any(is_there);
    keys.iter().copied().filter(|key| key::is_company(*key) == is_company).collect()
}

/// Takes a thing out of a payload; gives the fields, or parts of them, that were taken out.
pub(super) fn remove(payload: &mut Map<String, Value>, thing: &Thing, fills: &Fills) -> Vec<String> {
    match thing {
        Thing::Company(..) => {
            let fields = fills.company.iter().flat_map(|tie| tie.fields);
            fields.filter(|field| payload.remove(**field).is_some()).map(|field| (*field).to_owned()).collect()
        }
        Thing::Tag(name) => {
            let field = fills.tags.and_then(|tie| tie.to.first().copied()).unwrap_or_default();
            let Some(Value::Array(items)) = payload.get_mut(field) else { return Vec::new() };
            items.retain(|item| item.as_str().is_none_or(|item| item.to_lowercase() != *name));
            if items.is_empty() {
                payload.remove(field);
            }
            vec![thing.to_string()]
        }
        Thing::Member(name, member) => {
            if let Some(Value::Object(members)) = payload.get_mut(name) {
                members.remove(member);
                if members.is_empty() {
                    payload.remove(name);
                }
            }
            vec![thing.to_string()]
        }
        Thing::Field(name) => payload.remove(name).map(|_| name.clone()).into_iter().collect(),
        Thing::Presence | Thing::All => Vec::new(),
    }
}

struct Parts(Vec<Part>);

impl Parts {
    fn push(&mut self, thing: Thing, owners: &[u64], value: &Value) {
        self.0.extend(owners.iter().map(|whose| Part { thing: thing.clone(), whose: *whose, value: value.clone() }));
    }
}

/// Whether a field is a value that is written.
fn is_value(name: &str, fills: &Fills) -> bool {
    let is_tied = |tie: &Option<Tie>| tie.is_some_and(|tie| tie.fields.contains(&name));
    let is_sent_anyway = fills.identity.contains(&name) || fills.beside.contains(&name);
    !is_sent_anyway && !is_tied(&fills.company) && !is_tied(&fills.tags)
}

/// Whether it takes somebody out, and writes nothing else.
fn is_only_untying(payload: &Map<String, Value>, fills: &Fills) -> bool {
    fills.only_unties && fills.company.is_some_and(|tie| !ties(payload, &tie))
}

fn ties(payload: &Map<String, Value>, tie: &Tie) -> bool {
    match tie.does {
        Does::Ties => true,
        Does::Unties => false,
        Does::UntiesIf(field) => payload.get(field) != Some(&Value::Bool(true)),
    }
}

fn names<'p>(payload: &'p Map<String, Value>, tie: &Tie) -> Vec<&'p str> {
    match tie.to.iter().find_map(|field| payload.get(*field)) {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
