//! Which destination files are in force, and what a new reading of them changes. Pure: files come as values.
//!
//! # Why
//! A file with a problem is refused whole and the one in force stays, so that a slip of the pen never stops or misdirects
//! what works; other files take effect all the same. A destination whose settings did not change keeps its connection,
//! with all it remembers, when only its mappings did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::destination::Destination;
use crate::http::admin::{FileProblem, Report};
use crate::json::Json;
use crate::mapping::Mappings;
use crate::mapping::compile::{Compiled, name_of};
use crate::router::Connection;
use crate::yaml::{Place, Problems, Severity};

/// A destination file, as it was read.
pub struct Found {
    /// Its path, as messages show it; the destination is called by the last part of it, without its ending.
    pub file: String,
    /// Equal for two readings exactly when the text and all that `${…}` in it stood for were equal.
    pub fingerprint: Fingerprint,
    /// What it says, or all that is wrong with it.
    pub compiled: Result<Compiled, Problems>,
}

/// Tells one reading of a file from another, without keeping the secrets it names.
pub type Fingerprint = [u8; 32];

/// Makes a connection of a file's mappings, around a destination that was built before or a new one.
pub(super) type Connect<'c> = dyn Fn(Mappings, Option<Arc<dyn Destination>>) -> Result<Connection, String> + 'c;

/// What is in force.
#[derive(Default)]
pub(super) struct InForce {
    /// By destination.
    files: BTreeMap<String, Kept>,
    /// What was refused at the last reading, by file.
    refused: BTreeMap<String, Fingerprint>,
}

struct Kept {
    file: String,
    fingerprint: Fingerprint,
    kind: String,
    settings: Json<'static>,
    /// `None`: switched off.
    connection: Option<Arc<Connection>>,
}

/// What a reading came to.
#[derive(Default)]
pub(super) struct Change {
    /// What is different, by destination, and what is wrong.
    pub(super) report: Report,
    /// Errors that were not there at the last reading, and warnings of what is newly in force.
    pub(super) news: Vec<FileProblem>,
    /// What was refused at the last reading and is not any more.
    pub(super) mended: Vec<String>,
}

/// What a file in order came to.
enum Effect {
    Unchanged,
    Added,
    Changed,
}

impl Change {
    /// Whether the engine has to be told.
    pub(super) fn takes_effect(&self) -> bool {
        let Report { added, changed, removed, .. } = &self.report;
        !(added.is_empty() && changed.is_empty() && removed.is_empty())
    }
}

impl InForce {
    /// Puts a reading of all files in force, as far as it is in order.
    pub(super) fn take(&mut self, found: Vec<Found>, connect: &Connect<'_>) -> Change {
        let mut change = Change::default();
        let mut refused = BTreeMap::new();
        let mut standing = BTreeSet::new();
        for found in self.without_namesakes(found) {
            let (name, file, fingerprint) = (name_of(&found.file), found.file.clone(), found.fingerprint);
            standing.insert(name.clone());
            match self.take_one(&name, found, connect) {
                Ok((Effect::Unchanged, _)) => change.report.unchanged.push(name),
                Ok((effect, warnings)) => {
                    change.news.extend(flat(&warnings));
                    match effect {
                        Effect::Added => change.report.added.push(name),
                        _ => change.report.changed.push(name),
                    }
                }
                Err(problems) => {
                    let errors = flat(&problems).filter(|one| one.problem.severity == Severity::Error);
                    let errors: Vec<FileProblem> = errors.collect();
                    if self.refused.get(&file) != Some(&fingerprint) {
                        change.news.extend(errors.iter().cloned());
                    }
                    change.report.problems.extend(errors);
                    change.report.refused.push(file.clone());
                    refused.insert(file, fingerprint);
                }
            }
        }
        change.report.removed = self.files.keys().filter(|name| !standing.contains(*name)).cloned().collect();
        self.files.retain(|name, _| standing.contains(name));
        let before = std::mem::replace(&mut self.refused, refused);
        change.mended = before.into_keys().filter(|file| !self.refused.contains_key(file)).collect();
        change
    }

    /// Refuses everything: the files could not even be listed.
    pub(super) fn refuse(&mut self, problems: &Problems) -> Change {
        let is_news = self.refused.insert(problems.file().to_owned(), [0; 32]).is_none();
        let problems: Vec<FileProblem> = flat(problems).collect();
        let report = Report {
            unchanged: self.files.keys().cloned().collect(),
            refused: self.refused.keys().cloned().collect(),
            problems: problems.clone(),
            ..Report::default()
        };
        Change { report, news: if is_news { problems } else { Vec::new() }, mended: Vec::new() }
    }

    /// The connections that are to be used, in the order of their names.
    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        self.files.values().filter_map(|kept| kept.connection.clone()).collect()
    }

    /// Of two files that name one destination, one is refused: the one that is not in force, else the second.
    fn without_namesakes(&self, found: Vec<Found>) -> Vec<Found> {
        let mut holders: BTreeMap<String, String> = BTreeMap::new();
        for found in &found {
            let name = name_of(&found.file);
            let in_force = self.files.get(&name).is_some_and(|kept| kept.file == found.file);
            if in_force || !holders.contains_key(&name) {
                holders.insert(name, found.file.clone());
            }
        }
        let refuse = |found: Found| {
            let name = name_of(&found.file);
            let holder = &holders[&name];
            if *holder == found.file {
                return found;
            }
            let text = match &found.compiled {
                Ok(compiled) => compiled.problems.text().to_owned(),
                Err(problems) => problems.text().to_owned(),
            };
            let mut problems = Problems::new(found.file.clone(), text);
            refuse_namesake(&mut problems, holder);
            Found { compiled: Err(problems), ..found }
        };
        found.into_iter().map(refuse).collect()
    }

    /// Puts one file in force; answers what is different, and its warnings.
    fn take_one(&mut self, name: &str, found: Found, connect: &Connect<'_>) -> Result<(Effect, Problems), Problems> {
        let Found { file, fingerprint, compiled } = found;
        let Compiled { mappings, mut problems, .. } = compiled?;
        let before = self.files.get(name);
        if before.is_some_and(|kept| kept.fingerprint == fingerprint && kept.file == file) {
            return Ok((Effect::Unchanged, problems));
        }
        let (kind, settings) = (mappings.kind.clone(), mappings.settings.to_json());
        let same = before.filter(|kept| kept.kind == kind && kept.settings == settings);
        let built = same.and_then(|kept| kept.connection.as_ref()).map(|connection| connection.destination.clone());
        let place = mappings.settings.place.clone();
        let connection = match mappings.enabled.then(|| connect(mappings, built)).transpose() {
            Ok(connection) => connection.map(Arc::new),
            Err(why) => {
                problems.error("settings_invalid", &place, "settings", why);
                return Err(problems);
            }
        };
        let effect = if before.is_some() { Effect::Changed } else { Effect::Added };
        self.files.insert(name.to_owned(), Kept { file, fingerprint, kind, settings, connection });
        Ok((effect, problems))
    }
}

/// Of two files that name one destination, the first that is read is used to start with; notes all others as refused.
pub fn refuse_namesakes(found: Vec<Found>) -> Vec<Found> {
    InForce::default().without_namesakes(found)
}

/// Notes that another file, `holder`, names the same destination.
pub fn refuse_namesake(problems: &mut Problems, holder: &str) {
    let message = format!("{holder} is the same destination: a file's name without its ending is the name");
    let place = Place { line: 1, column: 1, ..Place::default() };
    problems.error("duplicate_destination", &place, "", message).help("rename one of the two files");
}

fn flat(problems: &Problems) -> impl Iterator<Item = FileProblem> {
    problems.iter().map(|problem| FileProblem { file: problems.file().to_owned(), problem: problem.clone() })
}

#[cfg(test)]
mod tests;
