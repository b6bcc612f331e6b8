//! A destination file: its text, with comments, and the engine's own check of it.

use std::collections::BTreeSet;

use super::document::Group;
use super::draft::Draft;
use super::filter::{self, Filter};
use super::{Door, Note, cases, lookup};
use crate::destination;
use crate::json::Json;
use crate::yaml::Severity;
use crate::yaml::write::{comment, entry, escape, remark};

/// A file's text and what is to be said of the file itself.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) notes: Vec<Note>,
}

/// Writes a file; what the engine refuses in it is made a comment.
pub(super) fn write(group: &Group<'_>, name: &str, drafts: &mut [Draft], door: Door<'_>) -> Page {
    let (filter, notes) = filter::read(&group.filters);
    loop {
        let mut text = text(group, name, drafts, filter.as_ref(), &notes);
        let refused = refused(&text, name, drafts);
        if refused.is_empty() {
            let cases = cases::write(&text, &format!("{name}.yaml"), drafts, door);
            text.push_str(&cases);
            return Page { text, notes };
        }
        for (draft, field, why) in refused {
            drafts[draft].refuse(&field, &why);
        }
    }
}

/// The fields that the engine refuses: the mapping's number here, the field, and why. Each loses at least one at a time, so
/// this comes to an end.
fn refused(text: &str, name: &str, drafts: &[Draft]) -> BTreeSet<(usize, String, String)> {
    let Err(problems) = destination::compile(text, &format!("{name}.yaml"), None, lookup()) else {
        return BTreeSet::new();
    };
    let written: Vec<usize> = (0..drafts.len()).filter(|at| drafts[*at].action.is_some()).collect();
    let mut refused = BTreeSet::new();
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        let Some((number, rest)) = problem.path.strip_prefix("mappings[").and_then(|path| path.split_once("].fields."))
        else {
            continue;
        };
        let Some(draft) = number.parse().ok().and_then(|number: usize| written.get(number)) else { continue };
        let field = rest.split(['.', '[']).next().unwrap_or_default().to_owned();
        let is_there = drafts[*draft].fields.iter().any(|filled| filled.field.name == field);
        let is_first =
            !refused.iter().any(|(known, name, _): &(usize, String, String)| known == draft && *name == field);
        if is_there && is_first {
            let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            refused.insert((*draft, field, format!("{}{help}", problem.message)));
        }
    }
    refused
}

fn text(group: &Group<'_>, name: &str, drafts: &[Draft], filter: Option<&Filter>, notes: &[Note]) -> String {
    let mut lines =
        vec!["# yaml-language-server: $schema=../schemas/destination.schema.json".to_owned(), "#".to_owned()];
    lines.extend(comment(0, &format!(
        "Imported from Segment: {}. Check it, and see what it makes of an event, with\n  interline check {name}.yaml\n  interline test {name}.yaml\n  interline explain {name}.yaml --event event.json",
        group.title()
    )));
    lines.extend(comment(0, "\nSegment writes an action's defaults into each mapping, so here they are switched off (`defaults: false`), and a mapping without a field leaves that field out. An optional value that does not fit is left out with a warning; Segment discards the whole event, as `on_invalid: reject` does."));
    lines.push(String::new());
    lines.push("destination: intercom".to_owned());
    if group.is_enabled == Some(false) {
        lines.push("enabled: false".to_owned());
    }
    lines.extend([
        "settings:".to_owned(),
        remark(2, "Where the workspace lives: us, eu or au. Segment's destination sends to the US."),
    ]);
    lines.push("  region: us".to_owned());
    lines.push(remark(2, "Segment signs in by OAuth and exports no token; this one is from Intercom's Developer Hub."));
    lines.push("  access_token: ${INTERCOM_ACCESS_TOKEN}".to_owned());
    for note in notes {
        lines.extend(comment(0, &sentence(&note.message)));
    }
    if let Some(filter) = filter {
        lines.extend(filter.remarks.iter().flat_map(|remark| comment(0, &sentence(remark))));
        lines.extend(entry(0, "filter", &escaped(&filter.condition.as_str().into())));
    }
    lines.push(String::new());
    lines.push("mappings:".to_owned());
    for (at, draft) in drafts.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.extend(mapping(draft));
    }
    lines.join("\n") + "\n"
}

fn mapping(draft: &Draft) -> Vec<String> {
    let mut lines = Vec::new();
    let remarks = std::iter::once(&draft.origin).chain(&draft.remarks).filter(|remark| !remark.is_empty());
    lines.extend(remarks.flat_map(|text| comment(2, &sentence(text))));
    let mut body = entry(4, "name", &escaped(&draft.name.as_str().into()));
    if !draft.is_enabled {
        body.push("    enabled: false".to_owned());
    }
    body.extend(draft.trigger_remarks.iter().flat_map(|text| comment(4, text)));
    if !draft.trigger.is_empty() {
        body.extend(entry(4, "trigger", &escaped(&draft.trigger.as_str().into())));
    }
    if let Some(facts) = draft.action {
        body.push(format!("    action: {}", facts.name));
        body.push("    defaults: false".to_owned());
    }
    body.extend(fields(draft));
    if draft.action.is_some() {
        let first = body[0].split_off(4);
        body[0] = format!("  - {first}");
        lines.extend(body);
    } else {
        let head = |at| if at == 0 { "- " } else { "  " };
        lines.extend(body.iter().enumerate().map(|(at, line)| remark(2, &format!("{}{}", head(at), &line[4..]))));
    }
    lines
}

fn fields(draft: &Draft) -> Vec<String> {
    if draft.fields.is_empty() && draft.dropped.is_empty() {
        return Vec::new();
    }
    // A map with nothing but comments in it would be no map.
    let is_map = !draft.fields.is_empty() || draft.action.is_none();
    let mut lines = if is_map { vec!["    fields:".to_owned()] } else { Vec::new() };
    for filled in &draft.fields {
        lines.extend(filled.remark.iter().flat_map(|text| comment(6, &sentence(text))));
        lines.extend(entry(6, &filled.field.name, &escaped(&filled.expression)));
    }
    for dropped in &draft.dropped {
        if draft.action.is_none() {
            lines.extend(entry(6, &dropped.key, &dropped.value));
            continue;
        }
        lines.extend(comment(6, &format!("Not imported: {}", dropped.why)));
        lines.extend(entry(0, &dropped.key, &dropped.value).iter().map(|line| remark(6, &format!("  {line}"))));
    }
    lines
}

/// A remark as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with('.') || text.starts_with("Segment:") { "" } else { "." };
    let first = if text.starts_with('`') { "`".to_owned() } else { first };
    format!("{first}{}{end}", chars.as_str())
}

/// A value whose texts have no `${…}` that would be replaced.
pub(super) fn escaped(value: &Json<'_>) -> Json<'static> {
    match value {
        Json::String(text) => escape(text).into(),
        Json::List(items) => Json::List(items.iter().map(escaped).collect()),
        Json::Object(object) => {
            Json::Object(object.iter().map(|(key, value)| (key.to_owned().into(), escaped(value))).collect())
        }
        value => value.clone().into_owned(),
    }
}
