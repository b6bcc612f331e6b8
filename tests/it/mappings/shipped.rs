//! What we ship in `mappings/` and `deploy/`: without fault or warning, by the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn interline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("INTERCOM_ACCESS_TOKEN", "dG9rZW4")
        .env("WRITE_KEY", "d3JpdGU")
        .output()
        .unwrap()
}

/// The destination files.
fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn no_shipped_file_gives_cause_for_a_warning() {
    let output = interline(&["check", "--deny-warnings", "mappings", "deploy/interline.yaml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn only_the_file_to_start_from_sends_anything() {
    for path in shipped() {
        let text = fs::read_to_string(&path).unwrap();
        let starts = path.ends_with("intercom.yaml");
        let enabled =
            text.lines().find_map(|line| line.strip_prefix("enabled: ")).expect("it says whether it is enabled");
        assert_eq!(enabled == "true", starts, "{}: `mappings_dir` is served as a whole", path.display());
        let page = fs::read_to_string(path.with_file_name("README.md")).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(page.contains(&format!("[`{name}`]({name})")), "{name} is not named in mappings/README.md");
        let is_helped = text.starts_with("# yaml-language-server: $schema=../schemas/destination.schema.json\n");
        assert!(is_helped, "{}: its first line names no schema", path.display());
    }
}

#[test]
fn the_tests_of_every_shipped_file_pass() {
    let output = interline(&["test", "mappings"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A mapping without a test is one that nobody notices breaking.
#[test]
fn every_mapping_of_a_shipped_file_has_a_test() {
    for path in shipped() {
        let text = fs::read_to_string(&path).unwrap();
        let (mappings, tests) = text.split_once("\ntests:\n").expect("it has tests");
        for name in mappings.lines().filter_map(|line| line.strip_prefix("  - name: ")) {
            let is_tested = tests.lines().any(|line| line.trim() == format!("- mapping: {name}"));
            assert!(is_tested, "{}: no test expects `{name}`", path.display());
        }
    }
}
