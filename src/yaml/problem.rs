//! Problems in a file an author wrote: all of them at once, each with its place, its code and the nearest known word.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::Node;
use super::offsets;
use super::secrets::Secrets;

/// Where something stands in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The bytes it takes.
    pub span: Range<usize>,
    /// The line it starts on, from 1.
    pub line: usize,
    /// The character it starts at within that line, from 1.
    pub column: usize,
}

/// Whether a problem makes a file unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// Legal, but surely not what was meant.
    Warning,
}

/// One thing wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it makes the file unusable.
    pub severity: Severity,
    /// A stable word from a closed set (`unknown_field`, `path_invalid`).
    pub code: &'static str,
    /// What is wrong, naming the thing.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where it stands by name: `mappings[2].fields.emial`; empty for the file itself.
    pub path: String,
    /// Where it stands in the text.
    #[serde(flatten)]
    pub place: Place,
}

impl Problem {
    /// Says what to do about it.
    pub fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// The problems of one file, found so far, with the text they point into. None shows a secret of the file, whatever the
/// code that found it wrote.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    text: Arc<str>,
    list: Vec<Problem>,
    secrets: Secrets,
}

impl Problems {
    /// None yet.
    pub fn new(file: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Problems { file: file.into(), text: text.into(), list: Vec::new(), secrets: Secrets::default() }
    }

    /// The file's name, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Notes something that makes the file unusable.
    pub fn error(&mut self, code: &'static str, place: &Place, path: &str, message: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, code, place, path, message.into())
    }

    /// Notes something that is legal but surely not meant.
    pub fn warning(
        &mut self,
        code: &'static str,
        place: &Place,
        path: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.note(Severity::Warning, code, place, path, message.into())
    }

    fn note(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        path: &str,
        mut message: String,
    ) -> &mut Problem {
        self.secrets.mask(&mut message);
        let problem = Problem { severity, code, message, help: None, path: path.to_owned(), place: place.clone() };
        self.list.push(problem);
        self.list.last_mut().expect("just pushed")
    }

    /// Whether there is one that makes the file unusable.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes out what is noted at these paths.
    pub fn forget(&mut self, paths: &[String]) {
        self.list.retain(|problem| !paths.contains(&problem.path));
    }

    /// All of them, in the order of [`Problems::finish`] or else as they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Puts them in the order of the text, without any secret that was found since they were noted.
    pub fn finish(&mut self) {
        for problem in &mut self.list {
            let texts = [Some(&mut problem.message), Some(&mut problem.path), problem.help.as_mut()];
            texts.into_iter().flatten().for_each(|text| self.secrets.mask(text));
        }
        self.list.sort_by_key(|problem| (problem.place.span.start, problem.severity));
    }

    /// Never shows what `${…}` stood for, but `written`.
    pub fn hide(&mut self, value: &str, written: &str) {
        self.secrets.interpolated(value, written);
    }

    /// Never shows the values under keys of secrets, such as `access_token`, wherever they are used again.
    pub fn hide_secrets(&mut self, settings: &Node) {
        self.secrets.under(settings);
    }

    /// Never shows the texts under a key that is not known.
    pub(super) fn hide_misnamed(&mut self, value: &Node) {
        self.secrets.misnamed(value);
    }

    /// The file's text as it may be shown: secrets that stand in it are asterisks, byte for byte.
    pub fn excerpt(&self) -> String {
        self.secrets.blank(&self.text)
    }

    /// The place of a part of a scalar, given as a range in the scalar's value. Exact wherever the text is written the
    /// way it reads; else the scalar's own place.
    pub fn inside(&self, node: &Node, range: Range<usize>) -> Place {
        match offsets::locate(&self.text, node, range) {
            Some(span) => self.place(span),
            None => node.place.clone(),
        }
    }

    /// The line and column of a range of bytes.
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..span.end.max(start),
        }
    }

    /// The place of a line and column, one character long.
    pub(super) fn at(&self, line: usize, column: usize) -> Place {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = &self.text[start..];
        let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
        let start = start + within;
        let length = self.text[start..].chars().next().map_or(0, char::len_utf8);
        Place { span: start..start + length, line, column }
    }
}

/// The nearest start of a character at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// One line each: `file:line:column: error: message (path)`, with help underneath.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let Place { line, column, .. } = problem.place;
            write!(f, "{}:{line}:{column}: {severity}: {}", self.file, problem.message)?;
            if !problem.path.is_empty() {
                write!(f, " ({})", problem.path)?;
            }
            if let Some(help) = &problem.help {
                write!(f, "\n  {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known word that was probably meant, when one is near enough to be worth naming.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let far = 1 + word.chars().count() / 4;
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known));
    distances.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// `, did you mean …?`, when a known word is near; else which words there are.
pub fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_and_a_far_one_is_not() {
        let known = ["email", "external_id", "name", "last_seen_at"];
        for (word, expected) in [
            ("emial", Some("email")),
            ("Email", Some("email")),
            ("external-id", Some("external_id")),
            ("last_seen", Some("last_seen_at")),
            ("seen", None),
            ("last_sen_at", Some("last_seen_at")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn lines_and_columns_count_characters() {
        let problems = Problems::new("f", "ä: 1\nbü: x");
        let place = problems.place(11..12);
        assert_eq!((place.line, place.column), (2, 5));
        assert_eq!(problems.at(2, 5).span, 11..12);
        assert_eq!(problems.place(99..99).line, 2);
    }
}
