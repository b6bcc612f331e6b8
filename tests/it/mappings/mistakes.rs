//! Typical mistakes in destination files and settings, by the real binary: `tests/cases/mistakes/*.yaml` and the text that
//! `interline check` prints about each beside it. `BLESS=1` writes that text anew.
//!
//! A file's first line, `# says: one | another`, holds what the text must name whatever else it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mistakes")
}

/// The files of a folder below, by their path from there.
fn files(below: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(below)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(".yaml")).map(|name| format!("{below}{name}")).collect();
    files.sort();
    files
}

/// What `interline check` prints, and its exit code.
fn checked(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_interline"))
        .arg("check")
        .args(arguments)
        .current_dir(folder())
        .env_clear()
        .env("INTERCOM_ACCESS_TOKEN", "dG9rZW4")
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "problems are for stderr");
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

/// What is wrong with what is printed about a file.
fn examine(file: &str, printed: &str, code: Option<i32>) -> Vec<String> {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let says = text.lines().next().unwrap().strip_prefix("# says: ").expect("a first line that says");
    let mut wrong = Vec::new();
    if code != Some(1) {
        wrong.push(format!("{file}: exit code {code:?}"));
    }
    let unsaid = says.split(" | ").filter(|word| !printed.contains(word));
    wrong.extend(unsaid.map(|word| format!("{file}: `{word}` is not named")));
    for place in printed.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")) {
        if !underlines(printed, place) {
            wrong.push(format!("{file}: {place} is not shown"));
        }
    }
    if !printed.contains("--> ") || printed.contains(env!("CARGO_MANIFEST_DIR")) {
        wrong.push(format!("{file}: no place, or one on this machine alone"));
    }
    let expected = folder().join(file).with_extension("txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expected, printed).unwrap();
    }
    if fs::read_to_string(&expected).unwrap_or_default() != printed {
        wrong.push(format!("{file}: not as in {}:\n{printed}", expected.display()));
    }
    wrong
}

/// Whether the line of a place `file:line:column` is shown, with marks below it.
fn underlines(printed: &str, place: &str) -> bool {
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (Some(_column), Some(line)) = (number(), number()) else { return false };
    let text = fs::read_to_string(folder().join(parts.next().unwrap())).unwrap();
    let from = printed.find(place).unwrap();
    let mut lines = printed[from..].lines().skip_while(|shown| !shown.starts_with(&line.to_string()));
    let written = text.lines().nth(line - 1).unwrap().trim_start();
    // A secret in the line is shown as asterisks.
    let is_shown = lines.next().is_some_and(|shown| shown.ends_with(written) || shown.contains("****"));
    is_shown && lines.next().is_some_and(|marks| marks.contains('^'))
}

#[test]
fn every_mistake_is_shown_where_it_is_with_what_to_do() {
    let (destinations, settings) = (files(""), files("settings/"));
    assert!(destinations.len() >= 15 && settings.len() >= 5);
    let mut wrong = Vec::new();
    for file in &destinations {
        let (printed, code) = checked(&[file]);
        wrong.extend(examine(file, &printed, code));
    }
    for file in &settings {
        let (printed, code) = checked(&["--config", file]);
        wrong.extend(examine(file, &printed, code));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_files_are_checked_at_once() {
    let (printed, code) = checked(&["field_name.yaml", "region.yaml"]);
    assert!(code == Some(1) && printed.contains("field_name.yaml:9:7") && printed.contains("region.yaml:4:11"));
    assert!(printed.ends_with("2 files checked: 2 errors, 0 warnings\n"), "{printed}");
}
