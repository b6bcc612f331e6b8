//! Problems in files, as people read them: the place underlined, and what to do.

use std::sync::LazyLock;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use regex::Regex;
use serde_json::{Value, json};

use super::Format;
use super::terminal::Look;
use crate::yaml::{Problem, Problems, Severity};

/// Writes the problems of files: to stderr for people, or to stdout as one JSON document.
pub(super) fn write(files: &[Problems], format: Format) {
    if format == Format::Json {
        super::print(json(files));
        return;
    }
    let look = Look::of_stderr();
    let renderer = if look.styled { Renderer::styled() } else { Renderer::plain() };
    let is_drawn = look.styled && look.unicode;
    let renderer = renderer.decor_style(if is_drawn { DecorStyle::Unicode } else { DecorStyle::Ascii });
    let renderer = renderer.term_width(look.width);
    for file in files {
        for problem in file.iter() {
            super::complain(format!("{}\n", human(&renderer, file, problem)));
        }
    }
}

fn human(renderer: &Renderer, file: &Problems, problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    if file.text().is_empty() {
        return bare(renderer, file, problem, level);
    }
    let end = file.text().len();
    let span = problem.place.span.start.min(end)..problem.place.span.end.min(end);
    let label = if problem.path.is_empty() { String::new() } else { format!("in {}", problem.path) };
    let title = level.primary_title(problem.message.clone()).id(problem.code);
    let snippet = Snippet::source(masked(&file.excerpt()))
        .path(file.file().to_owned())
        .annotation(AnnotationKind::Primary.span(span).label(label));
    let mut group = title.element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    renderer.render(&[group])
}

/// A problem of a file or folder in which nothing can be shown.
fn bare(renderer: &Renderer, file: &Problems, problem: &Problem, level: Level<'_>) -> String {
    let mut group = level.primary_title(problem.message.clone()).id(problem.code).element(Origin::path(file.file()));
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    renderer.render(&[group])
}

/// The text with the values of secrets as asterisks, byte for byte. What only names a variable or a file stays.
fn masked(text: &str) -> String {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?:write_keys?|access_token|client_secret|token)["']?[ 	]*:[ 	]*(\[[^\]]*\]|"[^"
]*"|'[^'
]*'|[^\s,}#\[]+)"#,
        )
        .expect("it is a pattern")
    });
    let mut masked = text.to_owned();
    for found in SECRET.captures_iter(text) {
        let Some(value) = found.get(1).filter(|value| !value.as_str().contains("${")) else { continue };
        masked.replace_range(value.range(), &"*".repeat(value.len()));
    }
    masked
}

/// Problems as one JSON document.
pub(super) fn json(files: &[Problems]) -> Value {
    let problems: Vec<Value> = files
        .iter()
        .flat_map(|file| {
            file.iter().map(|problem| {
                let mut one = json!(problem);
                one["file"] = json!(file.file());
                one
            })
        })
        .collect();
    json!({ "problems": problems })
}

/// A number with its word: `1 file`, `2 files`.
pub(super) fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// How many errors and warnings there are, in words.
pub(super) fn count(files: &[Problems]) -> (usize, usize) {
    let all = || files.iter().flat_map(Problems::iter);
    let errors = all().filter(|problem| problem.severity == Severity::Error).count();
    (errors, all().count() - errors)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_not_shown_around_a_mistake() {
        for (text, shown) in [
            ("write_key: hunter2, enbled: true", "write_key: *******, enbled: true"),
            ("access_token: \"dG9r\"", "access_token: ******"),
            ("write_keys: [a, b]", "write_keys: ******"),
            ("token: ${TOKEN}", "token: ${TOKEN}"),
            ("tokens of trust: yes", "tokens of trust: yes"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
