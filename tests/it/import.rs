//! `interline import segment`, by the real binary: for each document in `tests/cases/import/` the files it makes and what
//! is said, and that `check` takes what was made. `BLESS=1` writes the files anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const DOCUMENTS: [&str; 3] = ["public_api", "terraform_show", "several"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/import")
}

fn interline(within: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(arguments)
        .current_dir(within)
        .env_clear()
        .env("INTERCOM_ACCESS_TOKEN", "t")
        .output()
        .unwrap()
}

fn import(within: &Path, document: &str, further: &[&str]) -> Output {
    let document = folder().join(format!("{document}.json"));
    interline(within, &[&["import", "segment", document.to_str().unwrap()], further].concat())
}

/// Everything in a folder: names and texts.
fn content(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>())
        .unwrap_or_default()
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn documents_become_the_files_that_are_kept_with_them() {
    for document in DOCUMENTS {
        let made = tempfile::tempdir().unwrap();
        let output = import(made.path(), document, &["--output", "made"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let folder_made = made.path().join("made");
        fs::write(folder_made.join("said.txt"), &output.stderr).unwrap();
        let expected = folder().join(document);
        if std::env::var_os("BLESS").is_some() {
            let _ = fs::remove_dir_all(&expected);
            fs::create_dir(&expected).unwrap();
            for (name, text) in content(&folder_made) {
                fs::write(expected.join(name), text).unwrap();
            }
        }
        assert_eq!(content(&folder_made), content(&expected), "{document}");
    }
}

#[test]
fn what_was_imported_passes_the_check() {
    for document in DOCUMENTS {
        let output = interline(&folder(), &["check", document, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let told = fs::read_to_string(folder().join(document).join("said.txt")).unwrap();
        for problem in found["problems"].as_array().unwrap() {
            // The only warnings are those that the import told of.
            assert_eq!(problem["code"], "segment_differs", "{problem}");
            assert!(told.contains("warning[trigger_differs]"), "{problem}");
        }
    }
}

/// The tests that an import writes say what the mappings do: they pass, and fail where something else is said.
#[test]
fn what_was_imported_passes_its_own_tests() {
    for document in DOCUMENTS {
        let made = tempfile::tempdir().unwrap();
        import(made.path(), document, &["--output", "made"]);
        let passed = |folder: &str| {
            let output = interline(made.path(), &["test", folder, "--format", "json"]);
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), found["passed"].as_u64().unwrap(), found["failed"].as_u64().unwrap())
        };
        let (code, all, failed) = passed("made");
        assert_eq!((code, failed), (Some(0), 0), "{document}");
        let mappings: usize = content(&made.path().join("made"))
            .iter()
            .map(|(_, text)| text.lines().filter(|line| line.starts_with("  - name: ")).count())
            .sum();
        let untested = content(&made.path().join("made")).iter().map(|(_, text)| untested(text)).sum::<usize>();
        // Each mapping has a test, or a line that says why not. Mappings and tests begin alike.
        assert_eq!(mappings - all as usize, all as usize + untested, "{document}");
        for (name, text) in content(&made.path().join("made")) {
            let changed = text.replace("user_id: u1", "user_id: u2").replace("external_id: u1", "external_id: u2");
            fs::write(made.path().join("made").join(name), changed).unwrap();
        }
        assert!(all == 0 || passed("made").2 > 0, "{document}");
    }
}

/// How many mappings a file says that it has no test of.
fn untested(text: &str) -> usize {
    let listed = text.split_once("# There is no test of\n").map_or("", |(_, listed)| listed);
    listed.lines().filter(|line| line.starts_with("#   `")).count()
}

#[test]
fn one_destination_goes_to_stdout_and_several_need_a_folder() {
    let nowhere = tempfile::tempdir().unwrap();
    let one = import(nowhere.path(), "public_api", &[]);
    let kept = fs::read_to_string(folder().join("public_api/intercom.yaml")).unwrap();
    assert_eq!(String::from_utf8(one.stdout).unwrap(), kept);
    let several = import(nowhere.path(), "terraform_show", &[]);
    let said = String::from_utf8(several.stderr).unwrap();
    assert_eq!((several.status.code(), several.stdout.len()), (Some(2), 0));
    assert!(said.contains("makes 2 destination files") && said.contains("--output"), "{said}");
    assert!(content(nowhere.path()).is_empty());
}

#[test]
fn files_that_are_there_stay_unless_told_otherwise() {
    let made = tempfile::tempdir().unwrap();
    fs::write(made.path().join("intercom_production.yaml"), "mine").unwrap();
    let refused = import(made.path(), "terraform_show", &["--output", "."]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(content(made.path()), [("intercom_production.yaml".to_owned(), "mine".to_owned())]);
    assert_eq!(import(made.path(), "terraform_show", &["--output", ".", "--force"]).status.code(), Some(0));
    assert_eq!(content(made.path()).len(), 2);
}

#[test]
fn scripts_get_one_document() {
    let made = tempfile::tempdir().unwrap();
    let output = import(made.path(), "several", &["--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.stderr.is_empty());
    assert_eq!(document["files"][0]["name"], "intercom_eu");
    let codes: Vec<&str> =
        document["warnings"].as_array().unwrap().iter().map(|note| note["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["filter_unsupported", "trigger_differs", "runs_in_browser", "destination_unsupported"]);
}

#[test]
fn a_document_is_read_from_stdin() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interline"))
        .args(["import", "segment", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"resource \"segment_destination\" \"x\" {}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("terraform show -json"));
}
