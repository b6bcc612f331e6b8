//! The results of tests as JUnit XML, the form that build servers read.
//!
//! There is no one standard; this is the part that the schemas in use (Ant's, Jenkins', Maven Surefire's) agree on.

use std::fmt::Write;

use super::page::subject;
use super::{Ran, Run, Tested};
use crate::yaml::Problems;

/// The whole document.
pub(super) fn document(run: &Run, refused: &[Problems]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let errors = run.files.iter().filter(|file| file.errors > 0).count();
    let tests = run.passed + run.failed + errors;
    let _ = writeln!(
        xml,
        "<testsuites name=\"interline\" tests=\"{tests}\" failures=\"{}\" errors=\"{errors}\" time=\"{:.3}\">",
        run.failed, run.seconds
    );
    for file in run.files.iter().filter(|file| !file.tests.is_empty() || file.errors > 0) {
        suite(&mut xml, file, refused);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, file: &Tested, refused: &[Problems]) {
    let failures = file.tests.iter().filter(|test| !test.passed).count();
    let errors = usize::from(file.errors > 0);
    let seconds: f64 = file.tests.iter().map(|test| test.seconds).sum();
    let name = attribute(&file.file);
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"{seconds:.3}\">",
        file.tests.len() + errors
    );
    for test in &file.tests {
        case(xml, &file.file, test);
    }
    if let Some(problems) = refused.iter().find(|problems| problems.file() == file.file) {
        let message = attribute(&format!("the file has {} errors", file.errors));
        let _ = writeln!(xml, "    <testcase classname=\"{name}\" name=\"the file can be used\" time=\"0.000\">");
        let text = content(&problems.to_string());
        let _ = writeln!(xml, "      <error message=\"{message}\" type=\"refused\">{text}</error>\n    </testcase>");
    }
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, file: &str, test: &Ran) {
    let (class, name) = (attribute(file), attribute(&test.name));
    let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\"", test.seconds);
    let Some(first) = test.differences.first() else {
        xml.push_str("/>\n");
        return;
    };
    let line = |subject: &str, expected: &str, found: &str| format!("{subject}: expected {expected}, found {found}");
    let message = attribute(&line(&subject(first), &first.expected, &first.found));
    let all: Vec<String> = test.differences.iter().map(|one| line(&subject(one), &one.expected, &one.found)).collect();
    let _ = writeln!(xml, ">\n      <failure message=\"{message}\" type=\"difference\">");
    let _ = writeln!(xml, "{}", content(&format!("{file}:{}\n{}", test.line, all.join("\n"))));
    xml.push_str("      </failure>\n    </testcase>\n");
}

/// Text between tags. What XML cannot hold at all is shown by its number.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => drop(write!(escaped, "\\u{{{:x}}}", u32::from(character))),
            _ if character.is_control() => drop(write!(escaped, "\\u{{{:x}}}", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Text of an attribute, whose line ends a reader would take for spaces.
fn attribute(text: &str) -> String {
    content(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
