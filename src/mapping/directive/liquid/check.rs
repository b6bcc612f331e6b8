//! What a template may hold, looked at before it is parsed: tags and filters that are known, and not too deep a nesting.

use std::ops::Range;

use super::filters;
use super::language::TEXT;
use crate::yaml::{cut, nearest};

/// The tags there are, without their ends.
pub const TAGS: [&str; 8] = ["assign", "capture", "comment", "decrement", "if", "increment", "raw", "unless"];
/// Words that stand inside a tag there is, or end one.
const INNER: [&str; 7] = ["else", "elsif", "endcapture", "endcomment", "endif", "endraw", "endunless"];
/// The tags that are refused, as at Segment, with what to write instead.
pub const TAGS_REFUSED: [(&str, &str); 14] = [
    ("block", "a template stands alone"),
    ("break", "there are no loops"),
    ("case", "write `if` and `elsif`"),
    ("continue", "there are no loops"),
    ("cycle", "there are no loops"),
    ("echo", "write `{{ … }}`"),
    ("for", "there are no loops; `$map` goes over a list"),
    ("ifchanged", "there are no loops"),
    ("include", "a template stands alone"),
    ("layout", "a template stands alone"),
    ("liquid", "write each tag in `{% … %}`"),
    ("render", "a template stands alone"),
    ("tablerow", "there are no loops; `$map` goes over a list"),
    ("when", "write `if` and `elsif`"),
];
/// The filters that are refused, as at Segment.
pub const FILTERS_REFUSED: [&str; 21] = [
    "array_to_sentence_string",
    "concat",
    "find",
    "find_exp",
    "find_index",
    "find_index_exp",
    "group_by",
    "group_by_exp",
    "has",
    "has_exp",
    "map",
    "newline_to_br",
    "reject",
    "reject_exp",
    "reverse",
    "sample",
    "sort",
    "sort_natural",
    "type",
    "uniq",
    "where_exp",
];
/// How deep blocks and brackets may stand in each other.
const DEPTH_MAX: usize = 16;

/// Something that may not be in a template.
pub(super) struct Fault {
    /// Where.
    pub span: Range<usize>,
    /// What.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Checks a template; gives its text with our own last filter in every output.
pub(super) fn check(text: &str) -> Result<String, Vec<Fault>> {
    let mut checker = Checker { text, made: String::with_capacity(text.len() + 32), faults: Vec::new(), depth: 0 };
    checker.run();
    match checker.faults.is_empty() {
        true => Ok(checker.made),
        false => Err(checker.faults),
    }
}

struct Checker<'t> {
    text: &'t str,
    made: String,
    faults: Vec<Fault>,
    depth: usize,
}

impl<'t> Checker<'t> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(start) = next(self.text, at) {
            self.made.push_str(&self.text[at..start]);
            let is_tag = self.text[start..].starts_with("{%");
            let Some(end) = close(self.text, start + 2, if is_tag { "%}" } else { "}}" }) else {
                let what = if is_tag { "tag" } else { "output" };
                let help = Some(format!("end it with `{}`", if is_tag { "%}" } else { "}}" }));
                self.fault(start..self.text.len(), format!("this {what} is not closed"), help);
                return;
            };
            let inner = start + 2..end;
            self.filters(inner.clone());
            at = match is_tag {
                true => self.tag(start, inner),
                false => self.output(start, inner),
            };
        }
        self.made.push_str(&self.text[at..]);
    }

    fn fault(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.faults.push(Fault { span, message, help });
    }

    /// An output; gives where it ends.
    fn output(&mut self, start: usize, inner: Range<usize>) -> usize {
        let content = &self.text[inner.clone()];
        let (content, dash) = match content.strip_suffix('-') {
            Some(content) => (content, "-"),
            None => (content, ""),
        };
        self.made.push_str(&format!("{}{content} | {TEXT} {dash}}}}}", &self.text[start..start + 2]));
        inner.end + 2
    }

    /// A tag; gives where it ends, after the end of what is not looked into.
    fn tag(&mut self, start: usize, inner: Range<usize>) -> usize {
        let content = self.text[inner.clone()].trim_start_matches('-').trim_start();
        let name = &content[..content.find(|c: char| !is_word(c)).unwrap_or(content.len())];
        let name_at = inner.end - content.len();
        let end = inner.end + 2;
        self.known(name, name_at..name_at + name.len());
        if matches!(name, "if" | "unless" | "capture") {
            self.depth += 1;
            if self.depth == DEPTH_MAX {
                self.fault(name_at..name_at + name.len(), format!("more than {DEPTH_MAX} blocks in each other"), None);
            }
        }
        self.depth = self.depth.saturating_sub(usize::from(name.starts_with("end")));
        let skipped = match name {
            "raw" | "comment" => self.after_block(end, &format!("end{name}")),
            _ => end,
        };
        self.made.push_str(&self.text[start..skipped]);
        skipped
    }

    fn known(&mut self, name: &str, span: Range<usize>) {
        if TAGS.contains(&name) || INNER.contains(&name) || name.is_empty() {
            return;
        }
        let refused = TAGS_REFUSED.iter().find(|(tag, _)| *tag == name.trim_start_matches("end"));
        let (message, help) = match refused {
            Some((tag, instead)) => (format!("the tag `{tag}` is not supported"), Some((*instead).to_owned())),
            None => (format!("unknown tag `{}`", cut(name)), meant(name, &TAGS)),
        };
        self.fault(span, message, help);
    }

    /// Where the block that begins before `from` ends; `from` when it does not.
    fn after_block(&self, from: usize, word: &str) -> usize {
        let mut at = from;
        while let Some(start) = self.text[at..].find("{%").map(|found| at + found) {
            let Some(end) = self.text[start..].find("%}").map(|found| start + found) else { break };
            let name = self.text[start + 2..end].trim_matches(['-', ' ', '\n', '\t', '\r']);
            if name == word {
                return end + 2;
            }
            at = start + 2;
        }
        from
    }

    /// The filters of an output or a tag.
    fn filters(&mut self, inner: Range<usize>) {
        let mut open = 0_usize;
        for (at, c) in unquoted(self.text, inner.clone()) {
            match c {
                '[' => open += 1,
                ']' => open = open.saturating_sub(1),
                '|' => self.filter(at, inner.end),
                _ => {}
            }
            if open == DEPTH_MAX {
                self.fault(at..at + 1, format!("more than {DEPTH_MAX} brackets in each other"), None);
                return;
            }
        }
    }

    /// The filter after the `|` at `at`.
    fn filter(&mut self, at: usize, end: usize) {
        let rest = self.text[at + 1..end].trim_start();
        let start = end - rest.len();
        let name = &rest[..rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())];
        let span = start..start + name.len();
        if name.is_empty() || filters::find(name).is_some() {
            let clock = name.starts_with("date") && self.is_clock(at);
            if clock {
                let help = "`timestamp` is when the event happened, `receivedAt` when it came in".to_owned();
                self.fault(span, "a mapping has no clock: results must not depend on when".to_owned(), Some(help));
            }
            return;
        }
        let (message, help) = match FILTERS_REFUSED.contains(&name) {
            true => (
                format!("the filter `{name}` is not supported"),
                Some("`$map`, `$join` and paths go over lists".to_owned()),
            ),
            false => (format!("unknown filter `{}`", cut(name)), meant(name, &filters::names().collect::<Vec<_>>())),
        };
        self.fault(span, message, help);
    }

    /// Whether the text just before `at` is `"now"` or `"today"`.
    fn is_clock(&self, at: usize) -> bool {
        let before = self.text[..at].trim_end();
        ["'now'", "\"now\"", "'today'", "\"today\""].iter().any(|word| before.ends_with(word))
    }
}

fn meant(name: &str, words: &[&str]) -> Option<String> {
    Some(match nearest(name, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", words.join(", ")),
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Where the next output or tag begins.
fn next(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let (output, tag) = (rest.find("{{"), rest.find("{%"));
    Some(from + output.into_iter().chain(tag).min()?)
}

/// Where an output or tag that was opened ends.
fn close(text: &str, from: usize, mark: &str) -> Option<usize> {
    unquoted(text, from..text.len()).map(|(at, _)| at).find(|at| text[*at..].starts_with(mark))
}

/// The characters that stand in no quotes.
fn unquoted(text: &str, range: Range<usize>) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    text[range.clone()].char_indices().filter_map(move |(at, c)| {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None => return Some((range.start + at, c)),
        }
        None
    })
}

/// Where the parser stopped: it says so only in its text, as ` --> line:column`.
pub(super) fn position(message: &str, text: &str) -> Option<usize> {
    let place = message.split_once("--> ")?.1.lines().next()?;
    let (line, column) = place.split_once(':')?;
    let (line, column): (usize, usize) = (line.trim().parse().ok()?, column.trim().parse().ok()?);
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = &text[before..];
    Some(before + rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at))
}

/// Why the parser stopped, without its drawing.
pub(super) fn why(message: &str) -> String {
    let drawn = message.lines().find_map(|line| line.trim_start().strip_prefix("= "));
    let first = message.lines().next().unwrap_or_default().trim_start_matches("liquid: ");
    cut(drawn.unwrap_or(first)).replace(&format!("| {TEXT} "), "")
}
