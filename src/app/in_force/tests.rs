//! Readings of destination files, one after another, and what stands after each.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::*;
use crate::action::{Failure, Result as ActionResult};
use crate::delivery::Steps;
use crate::destination::{self, Destination, Performed};
use crate::metrics::Metrics;
use crate::yaml::{Lookup, Missing};

struct Nowhere;

impl Destination for Nowhere {
    fn perform<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        let result: ActionResult = Err(Failure::rejected("nowhere", "nobody is there"));
        Box::pin(async { Performed { result, ..Performed::failed(Failure::rejected("nowhere", "")) } })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// A file of one mapping, with a token.
fn text(token: &str, mapping: &str) -> String {
    format!(
        "destination: intercom\nsettings: {{ region: us, access_token: {token} }}\nmappings: [{{ name: {mapping}, action: track_event }}]\n"
    )
}

fn found(file: &str, text: &str) -> Found {
    let lookup = Lookup { environment: &|_| None, file: &|_| Err("none".to_owned()), missing: Missing::Refused };
    let mut fingerprint = [1; 32];
    fingerprint[..8].copy_from_slice(&(text.bytes().map(u64::from).sum::<u64>()).to_le_bytes());
    Found { file: file.to_owned(), fingerprint, compiled: destination::compile(text, file, None, lookup) }
}

fn take(in_force: &mut InForce, files: &[(&str, &str)]) -> Change {
    let found = files.iter().map(|(file, text)| found(file, text)).collect();
    let metrics = Metrics::new();
    in_force.take(found, &|mappings, built| {
        if mappings.mappings.iter().any(|mapping| mapping.name == "unbuildable") {
            return Err("it cannot be built".to_owned());
        }
        let destination = built.unwrap_or_else(|| Arc::new(Nowhere));
        let name = mappings.name.as_str().into();
        Ok(Connection { name, mappings, destination, integrations: &[], metrics: metrics.clone() })
    })
}

/// `added | changed | removed | refused`, each in the order of names.
fn shown(change: &Change) -> String {
    let Report { added, changed, removed, refused, .. } = &change.report;
    [added, changed, removed, refused].map(|list| list.join(" ")).join(" | ")
}

/// The mapping of each destination that is on.
fn standing(in_force: &InForce) -> Vec<(String, String)> {
    let connections = in_force.connections();
    connections.iter().map(|one| (one.name.to_string(), one.mappings.mappings[0].name.clone())).collect()
}

fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, mapping)| (name.to_string(), mapping.to_string())).collect()
}

#[test]
fn files_come_change_and_go() {
    let mut in_force = InForce::default();
    let one = text("t", "one");
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yaml", &one)])), "a |  |  | ");
    let change = take(&mut in_force, &[("m/a.yaml", &one)]);
    assert_eq!((shown(&change).as_str(), change.takes_effect()), (" |  |  | ", false));
    assert_eq!(change.report.unchanged, ["a"]);
    let change = take(&mut in_force, &[("m/a.yaml", &text("t", "two")), ("m/b.yaml", &one)]);
    assert_eq!((shown(&change).as_str(), change.takes_effect()), ("b | a |  | ", true));
    assert_eq!(standing(&in_force), pairs(&[("a", "two"), ("b", "one")]));
    assert_eq!(shown(&take(&mut in_force, &[("m/c.yaml", &one)])), "c |  | a b | ");
    assert_eq!(standing(&in_force), pairs(&[("c", "one")]));
}

#[test]
fn a_broken_file_leaves_its_destination_as_it_was_and_others_take_effect() {
    let mut in_force = InForce::default();
    take(&mut in_force, &[("m/a.yaml", &text("t", "one")), ("m/b.yaml", &text("t", "one"))]);
    let broken = "destination: intercom\nmapings: []\nsettings: { region: xx, access_token: t }\n";
    let files: [(&str, &str); 2] = [("m/a.yaml", broken), ("m/b.yaml", &text("t", "two"))];
    let change = take(&mut in_force, &files);
    assert_eq!(shown(&change), " | b |  | m/a.yaml");
    assert_eq!(standing(&in_force), pairs(&[("a", "one"), ("b", "two")]));
    let told: Vec<(&str, usize)> = change.news.iter().map(|one| (one.problem.code, one.problem.place.line)).collect();
    assert_eq!(change.report.problems.len(), 2, "every problem is named: {told:?}");
    assert_eq!(told.len(), 2);
    let again = take(&mut in_force, &files);
    assert_eq!((again.news.len(), again.report.problems.len()), (0, 2), "it is told once, and stands in every report");
    let mended = take(&mut in_force, &[("m/a.yaml", &text("t", "one")), ("m/b.yaml", &text("t", "two"))]);
    assert_eq!((shown(&mended).as_str(), mended.mended.as_slice()), (" |  |  | ", &["m/a.yaml".to_owned()][..]));
}

#[test]
fn a_destination_that_cannot_be_built_is_refused_at_its_settings() {
    let mut in_force = InForce::default();
    take(&mut in_force, &[("m/a.yaml", &text("t", "one"))]);
    let change = take(&mut in_force, &[("m/a.yaml", &text("t", "unbuildable"))]);
    assert_eq!(shown(&change), " |  |  | m/a.yaml");
    let problem = &change.report.problems[0].problem;
    assert_eq!((problem.code, problem.place.line, &*problem.message), ("settings_invalid", 2, "it cannot be built"));
    assert_eq!(standing(&in_force), pairs(&[("a", "one")]));
}

#[test]
fn a_connection_is_built_anew_only_when_its_settings_differ() {
    let mut in_force = InForce::default();
    let destination = |in_force: &InForce| in_force.connections()[0].destination.clone();
    take(&mut in_force, &[("m/a.yaml", &text("t", "one"))]);
    let first = destination(&in_force);
    take(&mut in_force, &[("m/a.yaml", &text("t", "two"))]);
    assert!(Arc::ptr_eq(&first, &destination(&in_force)), "only a mapping differs");
    take(&mut in_force, &[("m/a.yaml", &text("u", "two"))]);
    assert!(!Arc::ptr_eq(&first, &destination(&in_force)), "the token differs");
}

#[test]
fn a_destination_is_switched_off_and_on() {
    let mut in_force = InForce::default();
    let (on, off) = (text("t", "one"), text("t", "one") + "enabled: false\n");
    take(&mut in_force, &[("m/a.yaml", &on)]);
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yaml", &off)])), " | a |  | ");
    assert_eq!(standing(&in_force), pairs(&[]));
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yaml", &on)])), " | a |  | ");
    assert_eq!(standing(&in_force), pairs(&[("a", "one")]));
}

#[test]
fn of_two_files_with_one_name_the_one_in_force_stays() {
    let mut in_force = InForce::default();
    let (one, two) = (text("t", "one"), text("t", "two"));
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yaml", &one), ("m/a.yml", &two)])), "a |  |  | m/a.yml");
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yml", &two)])), " | a |  | ");
    assert_eq!(shown(&take(&mut in_force, &[("m/a.yaml", &one), ("m/a.yml", &two)])), " |  |  | m/a.yaml");
    assert_eq!(standing(&in_force), pairs(&[("a", "two")]));
}

#[test]
fn a_folder_that_cannot_be_read_changes_nothing() {
    let mut in_force = InForce::default();
    take(&mut in_force, &[("m/a.yaml", &text("t", "one"))]);
    let mut problems = Problems::new("m", "");
    problems.error("folder_empty", &Place { line: 1, column: 1, ..Place::default() }, "", "there is none");
    let change = in_force.refuse(&problems);
    assert_eq!((shown(&change).as_str(), change.takes_effect(), change.news.len()), (" |  |  | m", false, 1));
    assert_eq!((in_force.refuse(&problems).news.len(), standing(&in_force)), (0, pairs(&[("a", "one")])));
    let change = take(&mut in_force, &[("m/a.yaml", &text("t", "one"))]);
    assert_eq!((change.report.unchanged, change.mended), (vec!["a".to_owned()], vec!["m".to_owned()]));
}

#[test]
fn of_namesakes_only_the_first_may_start() {
    let text = text("t", "one");
    let found = refuse_namesakes(vec![found("m/a.yaml", &text), found("m/a.yml", &text), found("m/b.yaml", &text)]);
    let refused: Vec<(&str, String)> = found
        .iter()
        .filter_map(|found| Some((found.file.as_str(), found.compiled.as_ref().err()?.to_string())))
        .collect();
    let [(file, why)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(*file, "m/a.yml");
    assert!(why.contains("m/a.yaml is the same destination"), "{why}");
}
