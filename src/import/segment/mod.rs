//! Segment's destination subscriptions, from its Public API or from Terraform, as destination files.
//!
//! # Why
//! What is exported is a frozen copy: Segment writes a field's default into the mapping when it is made, so mappings come
//! over with `defaults: false`. Nothing is left out in silence: what has no counterpart stands as a comment where it
//! belongs, and is noted. Whether an expression can be kept is not guessed: the finished file is compiled, and what the
//! engine refuses becomes a comment with the engine's own reason.

mod action;
mod cases;
mod differs;
mod document;
mod draft;
mod expression;
mod filter;
mod habits;
mod page;

use serde::Serialize;

use self::document::{Document, Group, Subscription};
use self::draft::Draft;
use crate::json::{self, Json};
use crate::mapping::case::Test;
use crate::mapping::file::MAPPINGS_MAX;
use crate::yaml::{Lookup, Missing};

/// What the tracking API makes of a test's event; `None` where it refuses it.
pub type Door<'d> = &'d dyn Fn(&Test) -> Option<Json<'static>>;

/// What was made of a document.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    /// One destination file each.
    pub files: Vec<File>,
    /// What is different or missing, and what to do.
    pub warnings: Vec<Note>,
}

/// A destination file.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its name without ending, which is the destination's name.
    pub name: String,
    /// How many mappings it has.
    pub mappings: usize,
    /// Its text.
    pub text: String,
}

/// Something that did not come over as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// A stable word.
    pub code: &'static str,
    /// The destination, where it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// The mapping, where it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mapping: String,
    /// The field or setting, where it is about one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What, and what to do.
    pub message: String,
}

impl Note {
    fn new(code: &'static str, message: impl Into<String>) -> Note {
        let none = String::new;
        Note { code, destination: none(), mapping: none(), field: none(), message: message.into() }
    }

    fn field(code: &'static str, field: &str, message: impl Into<String>) -> Note {
        Note { field: field.to_owned(), ..Note::new(code, message) }
    }
}

/// Makes destination files of a JSON document, at most `files_max`. The error says why there is nothing in it to import, or
/// that it makes more files; that is found out before they are made.
pub fn import(text: &str, files_max: usize, door: Door<'_>) -> Result<Imported, String> {
    let root = json::parse(text.as_bytes()).map_err(|malformed| not_json(text, &malformed))?;
    let document = Document::read(&root);
    if document.groups.iter().all(|group| group.subscriptions.is_empty()) {
        return Err(nothing_found(&root));
    }
    let names = file_names(&document);
    if names.len() > files_max {
        return Err(format!(
            "the document makes {} destination files ({}); --output FOLDER writes them",
            names.len(),
            names.join(", ")
        ));
    }
    let mut imported = Imported { files: Vec::new(), warnings: document.notes.clone() };
    let mut names = Vec::new();
    for group in document.groups.iter().filter(|group| !group.subscriptions.is_empty()) {
        import_group(group, &document, door, &mut names, &mut imported);
    }
    Ok(imported)
}

/// The names of the files that a document makes.
fn file_names(document: &Document<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for group in document.groups.iter().filter(|group| group.is_foreign().is_none()) {
        let has_action = |subscription: &Subscription<'_>| {
            let settings = subscription.settings().unwrap_or(Json::Null);
            action::find(subscription, &settings, group, document).0.is_some()
        };
        if group.subscriptions.iter().any(has_action) {
            for _ in group.subscriptions.chunks(MAPPINGS_MAX) {
                names.push(free_name(&group.file_name(), &names));
            }
        }
    }
    names
}

fn import_group(
    group: &Group<'_>,
    document: &Document<'_>,
    door: Door<'_>,
    names: &mut Vec<String>,
    imported: &mut Imported,
) {
    if let Some(why) = group.is_foreign() {
        imported.warnings.push(Note { destination: group.title(), ..Note::new("destination_unsupported", why) });
        return;
    }
    let mut taken = draft::Names::default();
    let drafts = group.subscriptions.iter().map(|subscription| Draft::of(subscription, group, document, &mut taken));
    let mut drafts: Vec<Draft> = drafts.collect();
    if drafts.iter().all(|draft| draft.action.is_none()) {
        for draft in drafts {
            let about = |note| Note { destination: group.title(), mapping: draft.name.clone(), ..note };
            imported.warnings.extend(draft.notes.into_iter().map(about));
        }
        return;
    }
    // A file holds so many mappings; comments count for nothing, but a file is not cut more finely for them.
    let parts: Vec<&mut [Draft]> = drafts.chunks_mut(MAPPINGS_MAX).collect();
    for part in parts {
        let name = free_name(&group.file_name(), names);
        let page = page::write(group, &name, part, door);
        let about = |note: &Note| Note { destination: name.clone(), ..note.clone() };
        imported.warnings.extend(page.notes.iter().map(about));
        let noted = part.iter().flat_map(|draft| draft.notes.iter().map(|note| (draft.name.clone(), note)));
        imported.warnings.extend(noted.map(|(mapping, note)| Note { mapping, ..about(note) }));
        let mappings = part.iter().filter(|draft| draft.action.is_some()).count();
        if let Some(text) = page.text {
            imported.files.push(File { name: name.clone(), mappings, text });
            names.push(name);
        }
    }
}

/// The secrets that a file names are not there when it is imported.
fn lookup() -> Lookup<'static> {
    Lookup { environment: &|_| None, file: &|_| Err(String::new()), missing: Missing::Ignored }
}

fn free_name(wanted: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).expect("there is no end to them")
}

fn not_json(text: &str, malformed: &json::Malformed) -> String {
    let is_terraform = text.contains("resource \"") || text.contains("jsonencode(") || text.contains("provider \"");
    match is_terraform {
        true => "this is Terraform's own language, and what it means is known only to Terraform; run `terraform show -json > segment.json` in its folder, and import segment.json".to_owned(),
        // What every reader of JSON refuses, and what only this one does.
        false if malformed.code == "malformed_json" => format!("this is not JSON: {}; {FORMS}", malformed.message),
        false => format!("this JSON is not taken: {}; take that out and import it again", malformed.message),
    }
}

/// What can be imported.
const FORMS: &str = "what can be imported: the reply of Segment's Public API to GET /destinations/{id}/subscriptions, or `terraform show -json`";

fn nothing_found(root: &Json<'_>) -> String {
    let keys = root.as_object().map(|object| object.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>());
    match keys.filter(|keys| !keys.is_empty()) {
        Some(keys) => {
            format!("there is no destination subscription in this document of {}; {FORMS}", keys.join(", "))
        }
        None => format!("there is no destination subscription in this document; {FORMS}"),
    }
}

#[cfg(test)]
mod tests;
