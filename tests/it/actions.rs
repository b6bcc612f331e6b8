//! Every action by its cases in `tests/cases/`: an event and the fields of a mapping in, requests and outcome out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use interline::destination::intercom;
use regex::Regex;

mod case;
mod engine;
mod vectors;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/intercom")
}

fn cases(action: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder().join(action)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
}

#[tokio::test]
async fn every_action_does_what_its_cases_say() {
    let mut found = Vec::new();
    for facts in (intercom::KIND.actions)() {
        let paths = cases(facts.name);
        assert!(!paths.is_empty(), "`{}` has no case in tests/cases/intercom/{0}", facts.name);
        let mut stateful = 0;
        for path in paths {
            let case = case::Case::read(&path);
            stateful += usize::from(case.state.is_some());
            let differences = case.differences(facts.name).await;
            found.extend(differences.into_iter().map(|text| format!("{}:\n{text}", path.display())));
        }
        assert!(stateful > 0, "`{}` has no case with `state`", facts.name);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The codes that the files below a folder give their failures.
fn codes(folder: &Path, found: &mut BTreeSet<String>) {
    let code = Regex::new(r#"(?:Failure::rejected\(|Failure::new\(\s*Kind::\w+,)\s*"(\w+)""#).unwrap();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => codes(&path, found),
            false if path.ends_with("tests.rs") => {}
            false => {
                let text = fs::read_to_string(path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.extend(code.captures_iter(text).map(|captures| captures[1].to_owned()));
            }
        }
    }
}

#[test]
fn every_code_of_a_failure_is_explained() {
    let mut found = BTreeSet::new();
    codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/destination"), &mut found);
    assert!(found.len() > 15, "the codes are found at all: {found:?}");
    let explained: BTreeSet<String> = intercom::KIND.troubles.iter().map(|trouble| trouble.code.to_owned()).collect();
    let missing: Vec<&String> = found.difference(&explained).collect();
    assert!(missing.is_empty(), "{missing:?} are not in refusals.rs");
}

#[test]
fn every_folder_of_cases_has_its_action() {
    let folders: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let actions: BTreeSet<String> = (intercom::KIND.actions)().iter().map(|facts| facts.name.to_owned()).collect();
    assert_eq!(folders, actions);
}
