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
    assert!(destinations.len() >= 50 && settings.len() >= 5);
    let mut wrong = Vec::new();
    for file in &destinations {
        let (printed, code) = checked(&[file, "--deny-warnings"]);
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

/// How many columns a text takes in a terminal.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

/// The columns that are underlined in what is printed, and those that a word takes in the line above.
fn underlined(printed: &str, word: &str) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let lines: Vec<&str> = printed.lines().collect();
    let at =
        lines.iter().position(|line| line.contains('^')).unwrap_or_else(|| panic!("nothing is marked:\n{printed}"));
    let (shown, marks) = (lines[at - 1], lines[at]);
    let from = shown.find(word).unwrap_or_else(|| panic!("`{word}` is not shown:\n{printed}"));
    let start = columns(&marks[..marks.find('^').unwrap()]);
    (start..start + marks.matches('^').count(), columns(&shown[..from])..columns(&shown[..from + word.len()]))
}

#[test]
fn marks_stand_under_the_word_whatever_the_lines_look_like() {
    let head = "destination: intercom\nsettings: { region: us, access_token: t }\nmappings:\n";
    let mapping = |name: &str, action: &str| format!("  - {{ name: {name}, action: {action} }}\n");
    let plain = format!("{head}{}", mapping("Identify", "identfy"));
    let long = "x".repeat(400);
    for text in [
        plain.clone(),
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{plain}").replace('\n', "\r\n"),
        format!("{head}{}", mapping("顧客を識別する", "identfy")),
        format!("{head}{}", mapping("Größe é", "identfy")),
        format!("{head}  - {{ name: a,\taction:\t\tidentfy }}\n"),
        format!("{head}{}", mapping(&long, "identfy")),
        format!("{head}  - {{ action: identfy, name: {long} }}\n"),
        plain.trim_end().to_owned(),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("intercom.yaml");
        fs::write(&path, &text).unwrap();
        let (printed, code) = checked(&[path.to_str().unwrap()]);
        let (marks, word) = underlined(&printed, "identfy");
        assert_eq!((marks, code), (word, Some(1)), "{text:?}\n{printed}");
    }
}

#[test]
fn what_is_about_whole_files_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().to_str().unwrap();
    let (printed, code) = checked(&[folder]);
    assert!(printed.contains("no destination file is in this folder") && code == Some(0), "{printed}");
    assert_eq!(checked(&[folder, "--deny-warnings"]).1, Some(1));
    for name in ["intercom.yaml", "intercom.yml", "other.yaml"] {
        fs::copy(folder_of_tests().join("none.yaml"), directory.path().join(name)).unwrap();
    }
    let other = directory.path().join("other.yaml");
    let text = fs::read_to_string(&other).unwrap();
    fs::write(&other, format!("{text}    trigger: type in [\"identify\"]\n")).unwrap();
    let (printed, code) = checked(&[other.to_str().unwrap(), "--deny-warnings"]);
    assert!(printed.contains("warning[segment_differs]") && code == Some(0), "{printed}");
    let (printed, code) = checked(&[folder]);
    assert!(printed.contains("intercom.yaml is the same destination") && printed.contains("rename one"), "{printed}");
    assert!(printed.ends_with("3 files checked: 1 error, 1 warning\n") && code == Some(1), "{printed}");
}

#[test]
fn mistakes_in_settings_hide_none_in_destination_files() {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("interline.yaml");
    let folder_of = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(folder_of("m")).unwrap();
    fs::copy(folder().join("field_name.yaml"), directory.path().join("m/people.yaml")).unwrap();
    fs::write(&settings, format!("mappings_dir: {}\ningst: {{}}\n", folder_of("m"))).unwrap();
    let (printed, code) = checked(&["--config", settings.to_str().unwrap()]);
    assert!(printed.contains("unknown key `ingst`") && printed.contains("no field `emial`"), "{printed}");
    fs::write(&settings, format!("mappings_dir: {}\n", folder_of("gone"))).unwrap();
    let (missing, cannot) = checked(&["--config", settings.to_str().unwrap()]);
    assert!(missing.contains("cannot read the folder") && missing.contains("mappings_dir names it"), "{missing}");
    assert_eq!((code, cannot), (Some(1), Some(2)));
}

fn folder_of_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/test")
}

#[test]
fn what_cannot_be_read_hides_nothing_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(self::folder().join("field_name.yaml"), path("a.yaml")).unwrap();
    fs::create_dir(path("b.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("c.yaml")).unwrap();
    for command in ["check", "test"] {
        let run = |format: &str| {
            let arguments = [command, "--format", format, folder.path().to_str().unwrap()];
            Command::new(env!("CARGO_BIN_EXE_interline"))
                .args(arguments)
                .env("INTERCOM_ACCESS_TOKEN", "t0k")
                .output()
                .unwrap()
        };
        let output = run("json");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let codes = document["problems"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap());
        assert_eq!(codes.collect::<Vec<_>>(), ["unknown_field", "file_unreadable", "file_unreadable"], "{command}");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(run("human").stderr).unwrap();
        assert!(said.contains("not a regular file") && said.contains("unknown_field"), "{said}");
    }
}

#[test]
fn a_folder_without_files_is_no_success_of_tests() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_interline")).arg("test").arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("nothing is tested"), "{said}");
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\u{1b}[2J\u{202e}.yaml");
    let name = r#""n\e[2J\u009b2J\u202e\u007f""#;
    let text = format!(
        "destination: intercom\nsettings: {{ region: us, access_token: t }}\nmappings: [{{ name: {name}, action: track_event }}]\ntests: [{{ name: {name}, event: {{ type: track, userId: u, event: E }}, expect: [{{ mapping: {name}, result: skipped }}] }}]\n"
    );
    fs::write(&path, &text).unwrap();
    let file = path.to_str().unwrap();
    for arguments in [
        vec!["test", file],
        vec!["test", "--format", "json", file],
        vec!["check", file],
        vec!["check", "--format", "json", file],
        vec!["test", "--filter", "\u{1b}[2J", file],
        vec!["schema", "\u{1b}[2J\u{9b}"],
        vec!["explain", "no\u{1b}[2J\u{9b}"],
        vec!["explain", "a", file],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_interline")).args(&arguments).output().unwrap();
        for printed in [output.stdout, output.stderr] {
            let printed = String::from_utf8(printed).unwrap();
            let is_raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!printed.contains(is_raw), "{arguments:?}: {printed:?}");
        }
    }
}
