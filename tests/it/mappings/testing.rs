//! What `interline test` prints, by the real binary: for each destination file in `tests/cases/test/` the page beside it, and
//! the same as JSON and as JUnit XML. `BLESS=1` writes the pages anew.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Every file, and the exit code.
const FILES: [(&str, i32); 4] = [("passing", 0), ("failing", 1), ("broken", 1), ("none", 0)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/test")
}

fn interline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interline"));
    command.arg("test").current_dir(folder()).env_clear();
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What was printed, without how long it took.
fn timeless(output: &Output) -> String {
    let printed = format!("{}{}", text(&output.stderr), text(&output.stdout));
    let lines = printed.lines().map(|line| match line.rsplit_once(", in ") {
        Some((line, time)) if time.ends_with(" s") => format!("{line}, in … s\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn results_are_shown_for_people() {
    let mut wrong = Vec::new();
    for (file, code) in FILES {
        let output = interline().arg(format!("{file}.yaml")).output().unwrap();
        let (printed, expected) = (timeless(&output), folder().join(file).with_extension("txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &printed).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != printed || output.status.code() != Some(code) {
            wrong.push(format!("not as in {file}.txt, or exit code {:?}:\n{printed}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn results_are_one_document_for_scripts() {
    let output = interline().args([".", "--format", "json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && output.stderr.is_empty());
    let files = document["files"].as_array().unwrap();
    assert_eq!(files.len(), FILES.len());
    let tests: Vec<&Value> = files.iter().flat_map(|file| file["tests"].as_array().unwrap()).collect();
    let failed = tests.iter().filter(|test| test["passed"] == false).count();
    assert!(failed > 0 && document["failed"] == failed && document["passed"] == tests.len() - failed);
    for difference in tests.iter().flat_map(|test| test["differences"].as_array().unwrap()) {
        assert!(["mapping", "path", "expected", "found"].iter().all(|key| difference[key].is_string()), "{difference}");
    }
    assert!(document["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "unknown_mapping"));
}

#[test]
fn a_filter_picks_tests_by_their_name() {
    let picked = interline().args(["passing.yaml", "failing.yaml", "--filter", "CENTS"]).output().unwrap();
    assert!(timeless(&picked).ends_with("1 test: 1 passed, in … s\n"), "{}", timeless(&picked));
    let none = interline().args(["passing.yaml", "--filter", "nothing like it"]).output().unwrap();
    assert_eq!(timeless(&none), "No test's name contains `nothing like it` (1 file).\n");
    assert_eq!(none.status.code(), Some(0));
}

#[test]
fn what_cannot_run_says_why() {
    let output = interline().arg("no_such.yaml").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("error: cannot read no_such.yaml"), "{}", text(&output.stderr));
}

/// What Ant's and Jenkins' schemas allow: elements with their attributes.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("testsuites", &["name", "tests", "failures", "errors", "time"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped", "time"]),
    ("testcase", &["classname", "name", "time"]),
    ("failure", &["message", "type"]),
    ("error", &["message", "type"]),
];

#[test]
fn junit_is_xml_whatever_stands_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.xml");
    interline().arg(".").arg("--junit").arg(&report).output().unwrap();
    let xml = fs::read_to_string(report).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let elements: Vec<_> = document.descendants().filter(roxmltree::Node::is_element).collect();
    for element in &elements {
        let (_, attributes) = ALLOWED.iter().find(|(name, _)| element.has_tag_name(*name)).unwrap();
        assert!(element.attributes().all(|attribute| attributes.contains(&attribute.name())), "{element:?}");
    }
    let root = document.root_element();
    let count = |name: &str| elements.iter().filter(|element| element.has_tag_name(name)).count().to_string();
    assert_eq!(root.attribute("tests"), Some(&*count("testcase")));
    assert_eq!(
        (root.attribute("failures"), root.attribute("errors")),
        (Some(&*count("failure")), Some(&*count("error")))
    );
    let odd =
        elements.iter().find(|element| element.attribute("name") == Some("odd <signs> & \"quotes\" of 'all' kinds"));
    let failure = odd.unwrap().first_element_child().unwrap();
    assert!(failure.text().unwrap().contains("expected \"<b>\\u0007 & ]]>\""), "{failure:?}");
}

/// Reads on until a line that ends so.
fn read_until(lines: &mut impl Iterator<Item = String>, end: &str) -> String {
    lines.find(|line| line.contains(end)).unwrap_or_else(|| panic!("it ended before `{end}`"))
}

#[test]
fn watching_runs_the_tests_again_when_a_file_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("intercom.yaml");
    fs::copy(folder().join("passing.yaml"), &path).unwrap();
    let mut running =
        interline().arg(directory.path()).arg("--watch").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map(Result::unwrap);
    let before = read_until(&mut lines, " passed");
    // As editors do it: another file, renamed.
    let other = directory.path().join("intercom.yaml~");
    fs::copy(folder().join("failing.yaml"), &other).unwrap();
    fs::rename(&other, &path).unwrap();
    let after = read_until(&mut lines, " failed");
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(!before.contains("failed") && after.contains("passed"), "{before}\n{after}");
}
