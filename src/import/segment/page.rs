//! A destination file: its text, with comments, and the engine's own check of it.

use std::collections::BTreeSet;

use super::document::Group;
use super::draft::{Draft, Filled, shortened};
use super::filter::{self, Filter};
use super::{Door, Note, cases, lookup};
use crate::destination;
use crate::json::Json;
use crate::mapping::compile::SEGMENT_DIFFERS;
use crate::yaml::write::{comment, entry, escape, remark};
use crate::yaml::{Problem, Problems, Severity};

/// A file's text and what is to be said of the file itself.
pub(super) struct Page {
    /// `None`: the engine refuses it whatever is left out, and a note says why.
    pub(super) text: Option<String>,
    pub(super) notes: Vec<Note>,
}

/// Writes a file; what the engine refuses in it is made a comment.
pub(super) fn write(group: &Group<'_>, name: &str, drafts: &mut [Draft], door: Door<'_>) -> Page {
    let (mut filter, mut notes) = filter::read(&group.filters);
    for round in 1..=ROUNDS_MAX {
        let mut text = text(group, name, drafts, filter.as_ref(), &notes);
        let problems = match destination::compile(&text, &format!("{name}.yaml"), None, lookup()) {
            Ok(compiled) => {
                tell(&compiled.problems, drafts, &mut notes);
                text.push_str(&cases::write(&text, &format!("{name}.yaml"), drafts, door));
                return Page { text: Some(text), notes };
            }
            Err(problems) => problems,
        };
        let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        let refused = errors.iter().map(|problem| part(problem, drafts)).collect::<BTreeSet<_>>();
        let mut was_mended = false;
        for part in refused {
            was_mended |= mend(part, drafts, &mut filter, &mut notes);
        }
        let is_last = round == ROUNDS_MAX;
        if is_last || (!was_mended && !sort_out(group, name, drafts)) {
            // Nothing that can be taken out makes it better.
            let why = errors.first().map_or_else(String::new, |problem| said(problem));
            let advice = "import its mappings in smaller parts, or take the largest out of the document";
            notes.push(Note::new("file_refused", format!("it is not written: {why}; {advice}")));
            break;
        }
    }
    Page { text: None, notes }
}

/// Each round takes something away, a field or a mapping, or is the last.
const ROUNDS_MAX: usize = 100;

/// What a problem is about: a field of a mapping, a mapping, the filter, or the file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Field(usize, String, String),
    Mapping(usize, String),
    Filter(String),
    File,
}

fn said(problem: &Problem) -> String {
    let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{}{help}", problem.message)
}

/// Which mapping a problem is in, and the field, where it is in one.
fn place(problem: &Problem, drafts: &[Draft]) -> Option<(usize, String)> {
    let (number, rest) = problem.path.strip_prefix("mappings[")?.split_once(']')?;
    let mut written = (0..drafts.len()).filter(|at| drafts[*at].action.is_some());
    let draft = written.nth(number.parse().ok()?)?;
    let field = rest.strip_prefix(".fields.").unwrap_or_default().split(['.', '[']).next().unwrap_or_default();
    let is_there = drafts[draft].fields.iter().any(|filled| filled.field.name == field);
    Some((draft, if is_there { field.to_owned() } else { String::new() }))
}

fn part(problem: &Problem, drafts: &[Draft]) -> Part {
    match place(problem, drafts) {
        Some((draft, field)) if field.is_empty() => Part::Mapping(draft, said(problem)),
        Some((draft, field)) => Part::Field(draft, field, said(problem)),
        None if problem.path == "filter" => Part::Filter(said(problem)),
        None => Part::File,
    }
}

/// Takes out what is refused. Whether there was something to take out.
fn mend(part: Part, drafts: &mut [Draft], filter: &mut Option<Filter>, notes: &mut Vec<Note>) -> bool {
    match part {
        Part::Field(draft, field, why) => drafts[draft].refuse(&field, &why),
        Part::Mapping(draft, why) => drafts[draft].action.is_some() && drafts[draft].refuse_whole(&why),
        Part::Filter(why) => {
            let condition = filter.take().map(|filter| filter.condition).unwrap_or_default();
            let message = format!("the destination's filter `{condition}` is not imported: {why}");
            notes.push(Note::new("filter_unsupported", message));
            true
        }
        Part::File => false,
    }
}

/// What is refused without a place is found by trying each mapping, and then each of its fields, alone.
fn sort_out(group: &Group<'_>, name: &str, drafts: &mut [Draft]) -> bool {
    let mut was_mended = false;
    for draft in drafts.iter_mut().filter(|draft| draft.action.is_some()) {
        let Some(why) = refusal(group, name, draft) else { continue };
        was_mended = true;
        let fields: Vec<Filled> = std::mem::take(&mut draft.fields);
        let mut refused = Vec::new();
        for filled in fields {
            let field = filled.field.name.clone();
            draft.fields.push(filled);
            // One by one, so that each is judged beside those that are taken.
            if let Some(why) = refusal(group, name, draft) {
                draft.refuse(&field, &why);
                refused.push(field);
            }
        }
        if refused.is_empty() {
            draft.refuse_whole(&why);
        }
    }
    was_mended
}

/// Why the file is refused when a mapping stands in it alone, where the reason has no place of its own.
fn refusal(group: &Group<'_>, name: &str, draft: &mut Draft) -> Option<String> {
    let text = text(group, name, std::slice::from_ref(draft), None, &[]);
    let problems = destination::compile(&text, &format!("{name}.yaml"), None, lookup()).err()?;
    let error = problems.iter().find(|problem| problem.severity == Severity::Error)?;
    place(error, std::slice::from_ref(draft)).is_none().then(|| said(error))
}

/// Passes on what the engine warns of. How Segment reads a trigger was told with the trigger.
fn tell(warnings: &Problems, drafts: &mut [Draft], notes: &mut Vec<Note>) {
    for problem in warnings.iter().filter(|problem| problem.code != SEGMENT_DIFFERS) {
        match place(problem, drafts) {
            Some((draft, field)) => drafts[draft].notes.push(Note::field(problem.code, &field, said(problem))),
            None => notes.push(Note::new(problem.code, said(problem))),
        }
    }
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
        let line =
            |(at, line): (usize, &String)| remark(2, &format!("{}{}", head(at), shortened(&line[4..], SHOWN_MAX)));
        lines.extend(body.iter().enumerate().map(line));
    }
    lines
}

/// A line of what is not imported is shown up to so many characters.
const SHOWN_MAX: usize = 4_000;

fn fields(draft: &Draft) -> Vec<String> {
    if draft.fields.is_empty() && draft.dropped.is_empty() {
        return Vec::new();
    }
    // A map with nothing but comments in it would be no map.
    let is_map = !draft.fields.is_empty() || draft.action.is_none();
    let mut lines = if is_map { vec!["    fields:".to_owned()] } else { Vec::new() };
    for filled in &draft.fields {
        lines.extend(filled.remarks.iter().flat_map(|text| comment(6, &sentence(text))));
        lines.extend(entry(6, &filled.field.name, &escaped(&filled.expression)));
    }
    for dropped in &draft.dropped {
        if draft.action.is_none() {
            lines.extend(entry(6, &dropped.key, &dropped.value).iter().map(|line| shortened(line, SHOWN_MAX)));
            continue;
        }
        lines.extend(comment(6, &format!("Not imported: {}", dropped.why)));
        let value = entry(0, &dropped.key, &dropped.value).into_iter();
        lines.extend(value.map(|line| remark(6, &format!("  {}", shortened(&line, SHOWN_MAX)))));
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
