//! The results of tests as people read them.

use std::fmt::Write;

use super::{Ran, Run, Tested};
use crate::cli::report::counted;
use crate::cli::terminal::Look;
use crate::destination::Difference;

/// The whole page.
pub(super) fn page(run: &Run, filter: Option<&str>, look: Look) -> String {
    let mut text = String::new();
    for file in run.files.iter().filter(|file| !file.tests.is_empty() || file.errors > 0) {
        tested(&mut text, file, look);
    }
    text.push_str(&summary(run, filter, look));
    look.fit(text)
}

fn tested(text: &mut String, file: &Tested, look: Look) {
    let _ = writeln!(text, "{}", look.style("1", &file.file));
    if file.errors > 0 {
        let _ = writeln!(text, "  {} not tested, because of {}", look.mark(false), counted(file.errors, "error"));
    }
    for test in &file.tests {
        ran(text, test, look);
    }
    text.push('\n');
}

fn ran(text: &mut String, test: &Ran, look: Look) {
    let line = if test.passed { String::new() } else { look.style("2", &format!("   line {}", test.line)) };
    let _ = writeln!(text, "  {} {}{line}", look.mark(test.passed), test.name);
    for difference in &test.differences {
        let _ = writeln!(text, "      {}", subject(difference));
        let _ = writeln!(text, "        expected  {}", look.style("32", &difference.expected));
        let _ = writeln!(text, "        found     {}", look.style("31", &difference.found));
    }
}

/// What a difference is about.
pub(super) fn subject(difference: &Difference) -> String {
    match (difference.mapping.as_str(), difference.path.as_str()) {
        ("", path) => path.to_owned(),
        (mapping, "") => mapping.to_owned(),
        (mapping, path) => format!("{mapping}: {path}"),
    }
}

fn summary(run: &Run, filter: Option<&str>, look: Look) -> String {
    let count = run.passed + run.failed;
    let refused = run.files.iter().filter(|file| file.errors > 0).count();
    if count == 0 && refused == 0 {
        let files = counted(run.files.len(), "file");
        return match filter {
            Some(filter) => format!("No test's name contains `{filter}` ({files})."),
            None => format!(
                "No tests in {files}. A test stands under `tests:` of a destination file; `interline test --help` shows one."
            ),
        };
    }
    let mut parts = vec![format!("{} passed", run.passed)];
    if run.failed > 0 {
        parts.push(look.style("31", &format!("{} failed", run.failed)));
    }
    if refused > 0 {
        parts.push(look.style("31", &format!("{} not tested", counted(refused, "file"))));
    }
    format!("{}: {}, in {:.2} s", counted(count, "test"), parts.join(", "), run.seconds)
}
