//! An explanation as people read it.

use std::fmt::Write;

use crate::cli::report::counted;
use crate::cli::terminal::Look;
use crate::destination::{Ending, Explained, Explanation, KeptOut, Sent};
use crate::json::Json;
use crate::mapping::{ExplainedField, trigger};

/// Requests whose body is longer than this are written over several lines.
const LINE_MAX: usize = 100;
/// Values are shown at least so far.
const VALUE_MIN: usize = 40;
/// Expressions longer than this have their value on a line of its own.
const EXPRESSION_MAX: usize = 32;

/// The whole page.
pub(super) fn page(
    document: &Explanation,
    event: &Json<'_>,
    new_contact: bool,
    number: Option<(usize, usize)>,
    look: Look,
) -> String {
    let mut page = Page { text: String::new(), look, new_contact };
    let number = number.map_or(String::new(), |(at, of)| format!("{at} of {of}: "));
    page.line(0, &page.bold(&format!("{number}{}", headline(event))));
    page.kept_out(document);
    // What happens comes first; what does not, after it.
    let (wanting, others): (Vec<_>, Vec<_>) = document.mappings.iter().partition(|one| one.matched);
    for one in wanting {
        page.mapping(one, document.kept_out);
    }
    if !others.is_empty() {
        page.blank();
        page.line(0, "Not for this event:");
        others.into_iter().for_each(|one| page.unmatched(one));
    }
    page.blank();
    page.line(0, &summary(document));
    look.fit(page.text)
}

/// Which call it is, of whom, and when.
fn headline(event: &Json<'_>) -> String {
    let text = |key: &str| event.get(key).and_then(Json::as_str);
    let who = text("userId").or_else(|| text("anonymousId"));
    let parts = [text("type"), text("event").or_else(|| text("name")), text("groupId"), who, text("timestamp")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn summary(document: &Explanation) -> String {
    let mappings = &document.mappings;
    let requests: usize = mappings.iter().map(|one| one.requests.len()).sum();
    let wanting = mappings.iter().filter(|one| one.matched && one.enabled && document.kept_out.is_none()).count();
    let of = format!("{wanting} of {}", counted(mappings.len(), "mapping"));
    format!("For this event: {of}, {}. Nothing was sent.", counted(requests, "request"))
}

struct Page {
    text: String,
    look: Look,
    new_contact: bool,
}

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{}{text}", "  ".repeat(depth));
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn style(&self, code: &str, text: &str) -> String {
        self.look.style(code, text)
    }

    fn bold(&self, text: &str) -> String {
        self.style("1", text)
    }

    fn mark(&self, is_good: bool) -> String {
        self.look.mark(is_good)
    }

    fn kept_out(&mut self, document: &Explanation) {
        let Some(why) = document.kept_out.map(KeptOut::reason) else { return };
        self.blank();
        let mark = self.mark(false);
        self.line(0, &format!("{mark} Nothing is delivered: {why}"));
        if let Some(filter) = &document.filter {
            self.condition(filter, 1);
        }
    }

    fn mapping(&mut self, one: &Explained, kept_out: Option<KeptOut>) {
        self.blank();
        let (is_good, verdict) = verdict(one, kept_out);
        let title = self.bold(&format!("{} → {}", one.name, one.action));
        let mark = if one.enabled { self.mark(is_good) } else { "–".to_owned() };
        self.line(0, &format!("{mark} {title}   {verdict}"));
        if let Some(error) = &one.error {
            self.line(2, &format!("{}: {}", error.code, error.message));
        }
        self.section("trigger");
        self.condition(&one.trigger, 2);
        self.fields(&one.fields);
        self.warnings(one);
        self.requests(&one.requests);
    }

    fn unmatched(&mut self, one: &Explained) {
        self.line(1, &format!("{} → {}", one.name, one.action));
        self.condition(&one.trigger, 2);
    }

    fn section(&mut self, name: &str) {
        let name = self.style("2", name);
        self.line(1, &name);
    }

    /// A condition with its truth and why; its parts stand below it.
    fn condition(&mut self, one: &trigger::Explained, depth: usize) {
        let mut reasons = Vec::new();
        one.values.iter().for_each(|value| reason(value, &one.source, one.holds, &mut reasons));
        let because = match reasons.is_empty() {
            true => String::new(),
            false => format!("   {}", self.style("2", &format!("({})", reasons.join(", ")))),
        };
        self.line(depth, &format!("{} {}{because}", self.mark(one.holds), one.source.trim()));
        one.parts.iter().for_each(|part| self.condition(part, depth + 1));
    }

    /// Each field: expression → value → what that was fitted to.
    fn fields(&mut self, fields: &[ExplainedField]) {
        let shown = |field: &&ExplainedField| field.value.is_some() || !field.is_default || field.error.is_some();
        let shown: Vec<&ExplainedField> = fields.iter().filter(shown).collect();
        if shown.is_empty() {
            return;
        }
        self.section("fields");
        let widest =
            |width: &dyn Fn(&ExplainedField) -> usize| shown.iter().map(|field| width(field)).max().unwrap_or(0);
        let names = widest(&|field| field.field.chars().count());
        let expressions = widest(&|field| field.expression.chars().count()).min(EXPRESSION_MAX);
        // What stands around a value: indentation, blanks, the arrow and `(default)`.
        let room = self.look.width.saturating_sub(names + expressions + 22).max(VALUE_MIN);
        for field in shown {
            let default = if field.is_default { self.style("2", "   (default)") } else { String::new() };
            let (name, expression) = (field.field, &field.expression);
            match expression.chars().count() > expressions {
                true => {
                    self.line(2, &format!("{name:names$}  {expression}"));
                    self.line(2, &format!("{:names$}  {:expressions$}  → {}{default}", "", "", becomes(field, room)));
                }
                false => {
                    self.line(
                        2,
                        &format!("{name:names$}  {expression:expressions$}  → {}{default}", becomes(field, room)),
                    );
                }
            }
        }
    }

    fn warnings(&mut self, one: &Explained) {
        if one.warnings.is_empty() {
            return;
        }
        self.section("warnings");
        for warning in &one.warnings {
            let code = self.style("2", &format!("({})", warning.code));
            self.line(2, &format!("{} {}: {}   {code}", self.style("33", "!"), warning.field, warning.message));
        }
    }

    fn requests(&mut self, requests: &[Sent]) {
        if requests.is_empty() {
            return;
        }
        let whose = match self.new_contact {
            true => "requests, for a contact that is not there yet",
            false => "requests, for a contact that is there (--new-contact: for one that is not)",
        };
        self.section(whose);
        for request in requests {
            let head = format!("{} {}", request.method, request.path);
            let head = self.bold(&head);
            self.line(2, &head);
            let Some(body) = &request.body else { continue };
            for line in body_lines(body.get(), self.look.width.saturating_sub(6).min(LINE_MAX)) {
                self.line(3, &line);
            }
        }
    }
}

/// Whether something is delivered, and how it ends.
fn verdict(one: &Explained, kept_out: Option<KeptOut>) -> (bool, String) {
    if !one.enabled {
        return (false, "is switched off".to_owned());
    }
    if one.error.is_some() {
        return (false, "would become a dead letter".to_owned());
    }
    if kept_out.is_some() {
        return (false, "matches, and nothing is delivered".to_owned());
    }
    let Some(Ending { status, code, message }) = &one.outcome else { return (true, String::new()) };
    let word = match *status {
        "delivered" => return (true, "would be delivered".to_owned()),
        "skipped" => "would be skipped",
        "too_early" => "would wait",
        "rejected" => "would become a dead letter",
        _ => "would fail",
    };
    (*status == "skipped" || *status == "too_early", format!("{word}: {message} ({code})"))
}

/// What a path or a function in a condition came to. What a reader sees anyway is left out.
fn reason(value: &trigger::Operand, condition: &str, holds: bool, reasons: &mut Vec<String>) {
    let is_literal = value.source.starts_with(['"', '\'', '[', '-'])
        || value.source.starts_with(|first: char| first.is_ascii_digit())
        || value.source == value.value;
    let is_seen = holds && condition.contains(&value.value);
    if !is_literal && !is_seen {
        reasons.push(match value.kind {
            "missing" => format!("{} is missing", value.source),
            _ => format!("{} is {}", value.source, value.value),
        });
    }
    if value.source.ends_with(')') {
        value.from.iter().for_each(|part| reason(part, condition, false, reasons));
    }
}

/// The value of a field, and what it was fitted to where that is something else, in so many characters.
fn becomes(field: &ExplainedField, room: usize) -> String {
    let Some(value) = &field.value else { return "nothing".to_owned() };
    let value = value.to_string();
    let half = room / 2;
    match field.coerced.as_ref().map(Json::to_string) {
        Some(coerced) if coerced != value => format!("{} → {}", cut(&value, half), cut(&coerced, half)),
        Some(_) => cut(&value, room),
        None if field.error.is_some() => format!("{} → does not fit", cut(&value, room)),
        None => format!("{} → left out", cut(&value, room)),
    }
}

fn cut(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A body on one line where it fits, else indented.
fn body_lines(body: &str, line_max: usize) -> Vec<String> {
    let indented = crate::json::parse(body.as_bytes()).ok().filter(|_| body.chars().count() > line_max);
    let indented = indented.and_then(|json| serde_json::to_string_pretty(&json).ok());
    indented.unwrap_or_else(|| body.to_owned()).lines().map(str::to_owned).collect()
}
