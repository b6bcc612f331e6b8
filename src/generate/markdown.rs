//! The tables of the docs.

use std::fmt::Write;

use super::codes::{self, Met};
use crate::action::{Facts, Field, Kind};
use crate::destination;
use crate::http;
use crate::metrics::Metrics;

mod conditions;
mod file;
mod language;
mod trials;
mod values;

/// The page's headings, in the order an author needs them.
const CONTENTS: &str = "\
[A file](#a-file) · [its keys](#keys-of-a-file) · [keys of a mapping](#keys-of-a-mapping) · [triggers](#triggers) ·
[filling fields](#filling-fields) · [expressions](#expressions) · [paths](#paths) · [directives](#directives) ·
[Liquid](#liquid) · [actions](#actions) · [tests](#tests) · [codes](#codes) · [what differs from Segment](#what-differs-from-segment)
";

const NOTE: &str = "<!-- Written from the code: BLESS=1 cargo test --test it generated -->\n";

/// `mappings/README.md`: what may stand in a destination file.
pub(super) fn mappings() -> String {
    let mut page = format!("{NOTE}# Destination files\n\n{CONTENTS}\n");
    file::write(&mut page);
    conditions::write(&mut page);
    values::write(&mut page);
    language::write(&mut page);
    page.push_str("\n## Actions\n");
    for kind in destination::KINDS {
        for facts in (kind.actions)() {
            action(&mut page, facts);
        }
    }
    trials::write(&mut page);
    page.push_str(
        "\n## Codes\n\nStable words in problems, warnings, dead letters and metrics.\n\n### Of files\n\nWhat `interline check` finds.\n\n",
    );
    of_codes(&mut page, Met::File);
    page.push_str("\n### Of mapping\n\nWhat becomes of an event's values. What is no warning makes a dead letter.\n\n");
    of_codes(&mut page, Met::Mapping);
    page.push_str("\n### Of deliveries\n\n");
    of_codes(&mut page, Met::Delivery);
    page
}

fn of_codes(page: &mut String, part: Met) {
    let rows = codes::met(part).map(|code| vec![format!("`{}`", code.word), code.meaning.to_owned()]);
    table(page, &["code", "what it means"], rows);
}

fn action(page: &mut String, facts: &Facts) {
    let trigger = match (facts.in_mappings(), facts.trigger) {
        (false, _) => "Only reads: by hand, not in mappings.".to_owned(),
        (true, Some(trigger)) => format!("Default trigger: `{trigger}`"),
        (true, None) => "No default trigger: a mapping names its own.".to_owned(),
    };
    let _ = writeln!(page, "\n### `{}`\n\n{}\n\n{trigger}\n", facts.name, facts.summary);
    table(
        page,
        &["field", "takes", "default", "what it is"],
        facts.fields.iter().map(|field| {
            vec![
                format!("`{}`{}", field.name, if field.required { " (required)" } else { "" }),
                takes(field),
                default(field),
                docs(field),
            ]
        }),
    );
}

fn takes(field: &Field) -> String {
    match field.choices.is_empty() {
        true => field.kind.name().to_owned(),
        false => field.choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "),
    }
}

fn default(field: &Field) -> String {
    match &field.default {
        Some(serde_json::Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
        None => String::new(),
    }
}

fn docs(field: &Field) -> String {
    match field.clears {
        true => format!("{} An explicit `null` clears it.", field.docs),
        false => field.docs.clone(),
    }
}

/// `deploy/README.md`: what an operator looks up.
pub(super) fn operations() -> String {
    let mut page = format!("{NOTE}# Running it\n\n");
    page.push_str(
        "`Dockerfile`, `compose.yaml` and `interline.service` each run `interline serve` with `interline.yaml`, the sample settings.\n\
         What is shipped is built by `cargo build --profile dist`: it takes longer to build than `--release`, and less to run.\n\
         `interline schema settings` prints every setting with its meaning and default.\n\n## Metrics\n\n",
    );
    table(
        &mut page,
        &["metric", "labels", "what it counts"],
        Metrics::table().into_iter().map(|row| {
            let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
            vec![format!("`{}`", row.name), labels.join(" "), row.help.to_owned()]
        }),
    );
    for kind in destination::KINDS {
        troubles(&mut page, kind);
    }
    page.push_str("\n## Answers of the tracking API\n\n");
    table(
        &mut page,
        &["code", "status", "when"],
        http::problem::Code::ALL
            .iter()
            .map(|code| vec![format!("`{}`", code.word()), code.status().to_string(), code.meaning().to_owned()]),
    );
    page
}

/// What can go wrong with deliveries to a third party.
fn troubles(page: &mut String, kind: &destination::Kind) {
    let _ = writeln!(
        page,
        "\n## When a delivery to {} fails\n\nThe third party's own code, words and request id stand in the attempt's message.\n",
        kind.name
    );
    table(
        page,
        &["code", "when", "what happens", "what to do", "their codes"],
        kind.troubles.iter().map(|trouble| {
            let theirs: Vec<String> = trouble.theirs.iter().map(|code| format!("`{code}`")).collect();
            vec![
                format!("`{}`", trouble.code),
                trouble.when.to_owned(),
                happens(trouble.kind).to_owned(),
                trouble.remedy.to_owned(),
                theirs.join(" "),
            ]
        }),
    );
}

fn happens(kind: Kind) -> &'static str {
    match kind {
        Kind::Rejected => "dead letter",
        Kind::Unauthorized => "the destination pauses and keeps everything",
        Kind::Throttled => "waits as told; counts as no attempt",
        Kind::TooEarly => "waits beside the person's line until the contact is there",
        Kind::Unavailable => "again, later and later",
        Kind::Unknown => "again; what is not safe to repeat is looked for first",
    }
}

fn table(page: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(page, "| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}
