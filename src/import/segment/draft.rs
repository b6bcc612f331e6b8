//! One subscription as a mapping: what is kept, what stands as a comment, and what is noted of it.

use std::collections::{HashMap, HashSet};

use super::Note;
use super::action;
use super::differs::{differences, words};
use super::document::{Document, Group, Subscription};
use super::expression::rewrite;
use super::habits::{Plain, plain};
use crate::action::{Facts, Field};
use crate::json::{Json, Object};
use crate::mapping::trigger::{self, Trigger};
use crate::yaml::write;

/// A mapping on its way.
pub(super) struct Draft {
    /// Its name, no other's in the file.
    pub(super) name: String,
    /// Where it comes from, in words.
    pub(super) origin: String,
    /// What stands above it.
    pub(super) remarks: Vec<String>,
    pub(super) is_enabled: bool,
    pub(super) trigger: String,
    /// What stands above the trigger.
    pub(super) trigger_remarks: Vec<String>,
    /// `None`: there is no such action, and all of it stands as a comment.
    pub(super) action: Option<&'static Facts>,
    /// What is filled, in the action's order.
    pub(super) fields: Vec<Filled>,
    /// What cannot be kept.
    pub(super) dropped: Vec<Dropped>,
    pub(super) notes: Vec<Note>,
}

/// A field and how it is filled.
pub(super) struct Filled {
    pub(super) field: &'static Field,
    pub(super) expression: Json<'static>,
    /// What stands above it.
    pub(super) remarks: Vec<String>,
}

/// A member of the settings that stands as a comment.
pub(super) struct Dropped {
    pub(super) key: String,
    pub(super) value: Json<'static>,
    pub(super) why: String,
}

/// The names that the mappings of a destination have so far.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// How often each was wanted, so that its next number need not be searched for.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// The name, or with the first number behind it that makes it no other's. Space around it tells no two apart.
    fn free(&mut self, own: &str) -> String {
        let count = self.wanted.entry(own.trim().to_owned()).or_insert(0);
        loop {
            *count += 1;
            let name = if *count == 1 { own.to_owned() } else { format!("{} ({count})", own.trim()) };
            if self.taken.insert(name.trim().to_owned()) {
                return name;
            }
        }
    }
}

/// A part of an expression is shown up to so many characters.
const PART_MAX: usize = 80;

/// A text up to its so-manieth character.
pub(super) fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A template of which nothing is left.
fn is_empty_text(value: &Json<'_>) -> bool {
    let template = value.get("@template").and_then(Json::as_str);
    template.or(value.as_str()).is_some_and(str::is_empty)
}

/// Whether nothing of a name can be seen.
fn is_blank(name: &str) -> bool {
    name.chars().all(|c| c.is_whitespace() || write::is_hidden(c))
}

/// Settings of Segment's own machinery (Segment spec, reserved keys), and why they have no place here.
const RESERVED: [(&str, &str); 9] = [
    (
        "__segment_internal_sync_mode",
        "the sync mode is not needed: an action finds what is there, and updates it or makes it",
    ),
    (
        "__segment_internal_matching_key",
        "the matching key is not needed: contacts are found by Intercom's id, your id, then e-mail",
    ),
    (
        "__segment_internal_directive",
        "a directive over all fields has no counterpart; write it into each field that needs it",
    ),
    ("onMappingSave", "hooks that run when a mapping is saved have no counterpart"),
    ("retlOnMappingSave", "hooks that run when a mapping is saved have no counterpart"),
    ("batch_keys", BATCHING),
    ("enable_batching", BATCHING),
    ("batch_size", BATCHING),
    ("dynamicAuthSettings", "credentials stand under `settings`"),
];
const BATCHING: &str = "batching is not needed: deliveries are made as fast as the connection allows";

impl Draft {
    pub(super) fn of(
        subscription: &Subscription<'_>,
        group: &Group<'_>,
        document: &Document<'_>,
        names: &mut Names,
    ) -> Draft {
        let (settings, trouble) = match subscription.settings() {
            Ok(settings) => (settings, None),
            Err(trouble) => (Json::Object(Object::new()), Some(trouble)),
        };
        let mut draft = Draft {
            name: String::new(),
            origin: String::new(),
            remarks: Vec::new(),
            is_enabled: subscription.is_enabled(),
            trigger: String::new(),
            trigger_remarks: Vec::new(),
            action: None,
            fields: Vec::new(),
            dropped: Vec::new(),
            notes: Vec::new(),
        };
        let (action, note) = action::find(subscription, &settings, group, document);
        draft.action = action;
        note.into_iter().for_each(|note| draft.note(note));
        draft.name(subscription, names);
        draft.origin(subscription, document);
        if let Some(trouble) = trouble {
            draft.note(Note::new("settings_unreadable", format!("{trouble}; the mapping is switched off")));
            draft.is_enabled = false;
        }
        if subscription.model().is_some() {
            draft.note(Note::new("reverse_etl", "it is fed by a warehouse model (reverse ETL), not by events, so it is switched off; send the rows as events of their own, and adapt the trigger"));
            draft.is_enabled = false;
        }
        draft.read_trigger(subscription.trigger());
        draft.fill(&settings);
        draft
    }

    /// Says something above the mapping, and to whoever runs the import.
    fn note(&mut self, note: Note) {
        self.remarks.push(note.message.clone());
        self.notes.push(note);
    }

    fn name(&mut self, subscription: &Subscription<'_>, names: &mut Names) {
        let given = subscription.name().or(subscription.id());
        let own = match given.filter(|name| !is_blank(name)) {
            Some(name) => name.to_owned(),
            None => self.action.map_or("Mapping", |facts| facts.name).to_owned(),
        };
        if given.is_some_and(is_blank) {
            self.note(Note::new("name_made", format!("its name is blank; here it is called `{own}`")));
        }
        self.name = names.free(&own);
        if self.name != own {
            self.note(Note::new("name_changed", format!("another mapping is called `{own}` already")));
        }
    }

    fn origin(&mut self, subscription: &Subscription<'_>, document: &Document<'_>) {
        let slug = subscription.action_slug().or_else(|| document.action(subscription.action_id()?));
        let what = slug.or(subscription.action_id()).map(|action| format!("action {action}"));
        let which = subscription.id().map(|id| format!("subscription {id}"));
        let parts: Vec<String> = what.into_iter().chain(which).collect();
        self.origin = if parts.is_empty() { String::new() } else { format!("Segment: {}", parts.join(", ")) };
    }

    fn read_trigger(&mut self, given: Result<&str, String>) {
        let default = self.action.and_then(|facts| facts.trigger).unwrap_or_default();
        let text = match given {
            Ok(text) => text,
            Err(why) => {
                self.trigger = default.to_owned();
                if self.action.is_some() {
                    let then =
                        "so it never runs at Segment and is switched off here; the trigger below is the action's own";
                    self.note(Note::new("trigger_missing", format!("{why}, {then}")));
                    self.is_enabled = false;
                }
                return;
            }
        };
        self.trigger = text.to_owned();
        match Trigger::parse(text) {
            Ok(parsed) => self.compare_readings(&parsed, text),
            Err(problem) if self.action.is_some() => {
                let found = text[problem.span.clone()].trim();
                let found = if found.is_empty() { String::new() } else { format!("`{found}`: ") };
                let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
                let message = format!(
                    "its trigger cannot be read ({found}{}{help}), so it is switched off until that is mended",
                    problem.message
                );
                self.notes.push(Note::new("trigger_refused", message.clone()));
                self.trigger_remarks.push(message.replacen("its", "The", 1) + ". In Segment it was:");
                self.trigger_remarks.extend(text.lines().map(|line| format!("  {line}")));
                self.is_enabled = false;
                self.trigger = default.to_owned();
            }
            Err(_) => {}
        }
    }

    /// Explains what Segment's evaluator makes of a trigger, where that is something else.
    fn compare_readings(&mut self, parsed: &trigger::Parsed, text: &str) {
        let differs: Vec<_> = parsed.warnings.iter().filter(|warning| warning.is_of_segment).collect();
        if differs.is_empty() {
            return;
        }
        self.trigger_remarks.push(format!(
            "Here this is read as documented; `!` binds first, then `and`, then `or`:\n  {}",
            parsed.trigger
        ));
        for warning in differs {
            let part = text[warning.span.clone()].trim();
            let reading = warning.message.strip_prefix("Segment reads this as ").unwrap_or(&warning.message);
            let help = warning.help.as_ref().map(|help| format!(" (the same in both: {help})")).unwrap_or_default();
            self.trigger_remarks.push(format!("Segment's evaluator reads it, at `{part}`, as {reading}{help}."));
            let message = format!(
                "Segment's evaluator reads its trigger, at `{part}`, as {reading}; here it is read as documented{help}"
            );
            self.notes.push(Note::new("trigger_differs", message));
        }
    }

    fn fill(&mut self, settings: &Json<'_>) {
        let given = settings.as_object().into_iter().flat_map(|object| object.iter());
        for (key, value) in given {
            let field = self.action.and_then(|facts| facts.field(key));
            match field {
                Some(field) => self.fill_field(field, value),
                None => self.drop_setting(key, value),
            }
        }
        let Some(facts) = self.action else { return };
        let place = |field: &Field| facts.fields.iter().position(|known| known.name == field.name);
        self.fields.sort_by_key(|filled| place(filled.field));
        self.look_out_for_traps(facts);
        for field in facts.fields.iter().filter(|field| field.required) {
            if !self.fields.iter().any(|filled| filled.field.name == field.name && !filled.expression.is_null()) {
                self.fields.retain(|filled| filled.field.name != field.name);
                self.supply(field, "Segment's mapping leaves it out, and then fails every event");
            }
        }
        self.fields.sort_by_key(|filled| place(filled.field));
    }

    /// Fills a field with what comes to the same here, and says where that is not so.
    fn fill_field(&mut self, field: &'static Field, value: &Json<'_>) {
        let Plain { value: plain, settled } = plain(value);
        for (name, part) in settled.iter().filter(|(name, _)| *name != "falsy_else") {
            let message =
                format!("at `{part}` Segment's evaluator finds nothing ({}), so it is left out here", words(name).0);
            self.notes.push(Note::field("expression_empty", &field.name, message));
        }
        let nothing = "at Segment it comes to nothing, so the field is left out";
        let Some(plain) = plain.filter(|plain| !is_empty_text(plain)) else {
            if settled.is_empty() {
                // Empty text was left out there without a word, and is here.
                return self.fields.push(Filled { field, expression: rewrite(value), remarks: Vec::new() });
            }
            let dropped = Dropped { key: field.name.clone(), value: rewrite(value), why: nothing.to_owned() };
            return self.dropped.push(dropped);
        };
        let mut remarks = Vec::new();
        let differences = differences(&plain, field);
        let mut told = Vec::new();
        for (name, part) in &differences {
            if told.contains(name) {
                continue;
            }
            told.push(*name);
            let further = differences.iter().filter(|(other, _)| other == name).count() - 1;
            let further = if further > 0 { format!(" and {further} more") } else { String::new() };
            let (there, here) = words(name);
            let part = shortened(part, PART_MAX);
            let message = format!("Segment's evaluator differs at `{part}`{further}: there, {there}; here, {here}");
            self.notes.push(Note::field("expression_differs", &field.name, message.clone()));
            remarks.push(message);
        }
        self.fields.push(Filled { field, expression: rewrite(&plain), remarks });
    }

    /// A required field that has nothing usable gets the action's own default.
    fn supply(&mut self, field: &'static Field, why: &str) {
        let default = field.default.as_ref().map(Json::from);
        let message = match &default {
            Some(default) => format!("{why}; here it is filled by default: `{}`", default.as_str().unwrap_or_default()),
            None => format!("{why}; fill it in and switch the mapping on"),
        };
        self.notes.push(Note::field("field_filled", &field.name, message.clone()));
        let remarks = vec![message];
        self.is_enabled &= default.is_some();
        let expression = default.unwrap_or_else(|| "fill this in".into());
        self.fields.push(Filled { field, expression, remarks });
    }

    fn drop_setting(&mut self, key: &str, value: &Json<'_>) {
        let reserved = RESERVED.iter().find(|(known, _)| *known == key).map(|(_, why)| *why);
        let (code, why) = match (reserved, self.action) {
            (_, None) => ("", String::new()),
            (Some(why), _) => ("reserved_setting", why.to_owned()),
            (None, Some(_)) if key.starts_with('@') => (
                "field_unsupported",
                "a directive over all fields has no counterpart; write it into each field that needs it".to_owned(),
            ),
            (None, Some(facts)) => ("field_unsupported", format!("`{}` has no field `{key}`", facts.name)),
        };
        if !code.is_empty() {
            self.notes.push(Note::field(code, key, why.clone()));
        }
        self.dropped.push(Dropped { key: key.to_owned(), value: rewrite(value), why });
    }

    /// What Segment does by default and its users complain about.
    fn look_out_for_traps(&mut self, facts: &Facts) {
        let is_company = facts.name == "identify_company";
        let email = self.fields.iter_mut().find(|filled| is_company && filled.field.name == "email");
        if let Some(email) = email.filter(|filled| filled.expression.as_str() == Some("$.traits.email")) {
            let message = "the traits of a group call are the company's, and so is this address; the person's is `$.context.traits.email`";
            email.remarks.push(message.to_owned());
            self.notes.push(Note::field("company_email", "email", message));
        }
    }

    /// Takes a field out that the engine refuses. Whether it was still there.
    pub(super) fn refuse(&mut self, name: &str, why: &str) -> bool {
        let Some(at) = self.fields.iter().position(|filled| filled.field.name == name) else { return false };
        let Filled { field, expression, .. } = self.fields.remove(at);
        self.notes.push(Note::field("expression_refused", name, format!("it is left out: {why}")));
        self.dropped.push(Dropped { key: name.to_owned(), value: expression, why: why.to_owned() });
        if field.required {
            self.supply(field, "what Segment's mapping says cannot be used");
            self.is_enabled = false;
        }
        true
    }

    /// Makes all of the mapping a comment: the engine refuses it.
    pub(super) fn refuse_whole(&mut self, why: &str) -> bool {
        self.note(Note::new("mapping_refused", format!("{why}, so the mapping stands here as a comment")));
        self.action = None;
        true
    }
}
