//! From a destination file to its mappings, or to every problem in it at once.

use crate::action::Facts;
use crate::mapping::case::Test;
use crate::mapping::file::{Entry, File, Text};
use crate::mapping::trigger::{KindSet, Trigger};
use crate::mapping::{Mapping, Mappings};
use crate::yaml::{self, Lookup, Missing, Node, Place, Problems, Value, cut, interpolate, meant};

mod cases;
mod fields;
mod mistaken;
mod overlap;

/// The code of warnings about triggers that mean what they say here, and would mean something else at Segment.
pub const SEGMENT_DIFFERS: &str = "segment_differs";

/// What a file may refer to.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// The kinds of destination by name, each with its actions.
    pub destinations: &'k [(&'k str, Vec<&'static Facts>)],
    /// The names of the sources there are; `None` when they are not known here and so not checked.
    pub sources: Option<&'k [&'k str]>,
    /// Notes what is wrong with the settings of a kind of destination.
    pub check_settings: &'k dyn Fn(&str, &Node, &mut Problems),
    /// Where `${…}` is looked up.
    pub lookup: Lookup<'k>,
}

/// A file that can be used.
#[derive(Debug)]
pub struct Compiled {
    /// Its mappings.
    pub mappings: Mappings,
    /// Its tests.
    pub tests: Vec<Test>,
    /// Warnings.
    pub problems: Problems,
}

/// Compiles the text of a destination file. `file` is its name, as messages show it; the destination is called by the
/// last part of it, without its ending.
pub fn compile(text: &str, file: &str, known: &Known<'_>) -> Result<Compiled, Problems> {
    let mut problems = Problems::new(file, text);
    let Some(mut node) = yaml::parse(&mut problems) else { return Err(problems) };
    let lookup = needed(&node, known.lookup);
    let stood_in = interpolate(&mut node, lookup, &mut problems);
    if let Some(settings) = node.get("settings") {
        problems.hide_secrets(settings);
    }
    let read = File::read(&node, &mut problems);
    let compiled = read.map(|file| {
        let mappings = Compiler { known, problems: &mut problems, kinds: KindSet::ALL }.mappings(&file);
        let names: Vec<&str> = file.mappings.iter().filter_map(|entry| Some(entry.name.as_ref()?.text)).collect();
        overlap::check(&file.mappings, &mappings, &mut problems);
        cases::check(&file.tests, &mappings, &names, &mut problems);
        (mappings, file.tests)
    });
    // Of a value that is not there nothing can be said.
    problems.forget(&stood_in);
    problems.finish();
    match compiled {
        Some((mappings, tests)) if !problems.has_errors() => {
            Ok(Compiled { mappings: Mappings { name: name_of(file), ..mappings }, tests, problems })
        }
        _ => Err(problems),
    }
}

/// A destination that is switched off sends nothing by itself, so what its settings name need not be there.
fn needed<'l>(file: &Node, lookup: Lookup<'l>) -> Lookup<'l> {
    let is_off = file.get("enabled").is_some_and(|enabled| matches!(enabled.value, Value::Bool(false)));
    match lookup.missing {
        Missing::RefusedWhenOn if is_off => Lookup { missing: Missing::Ignored, ..lookup },
        _ => lookup,
    }
}

/// The name of the destination that a file describes: the file's own without folders and ending.
pub fn name_of(file: &str) -> String {
    let last = file.rsplit(['/', '\\']).next().unwrap_or(file);
    last.rsplit_once('.').map_or(last, |(name, _)| name).to_owned()
}

struct Compiler<'c, 'p> {
    known: &'c Known<'c>,
    problems: &'p mut Problems,
    /// The calls that come through the file's filter.
    kinds: KindSet,
}

impl<'c> Compiler<'c, '_> {
    fn mappings(&mut self, file: &File<'_>) -> Mappings {
        let actions = self.actions(file.destination.as_ref());
        let sources = file.sources.as_deref().map(|sources| self.sources(sources));
        let filter = file.filter.as_ref().and_then(|filter| self.condition(filter, false));
        self.kinds = filter.as_ref().map_or(KindSet::ALL, Trigger::kinds);
        let is_refused = self.problems.iter().any(|problem| problem.path.starts_with("mappings"));
        if file.mappings.is_empty() && !is_refused {
            self.problems.warning("no_mappings", &Place { line: 1, column: 1, ..Place::default() }, "", "no mappings");
        }
        self.names(&file.mappings);
        let kind = file.destination.as_ref();
        let settings = file.settings.cloned().unwrap_or_else(|| empty(kind.map(|kind| &kind.node.place)));
        if let Some(kind) = kind {
            (self.known.check_settings)(kind.text, &settings, self.problems);
        }
        Mappings {
            name: String::new(),
            kind: kind.map(|kind| kind.text.to_owned()).unwrap_or_default(),
            enabled: file.enabled,
            sources,
            settings,
            filter,
            mappings: file.mappings.iter().filter_map(|entry| self.mapping(entry, actions)).collect(),
        }
    }

    /// The actions of a kind of destination; `None` when there is no such kind.
    fn actions(&mut self, destination: Option<&Text<'_>>) -> Option<&'c [&'static Facts]> {
        let destination = destination?;
        let known = self.known.destinations;
        let found = known.iter().find(|(name, _)| *name == destination.text);
        if found.is_none() {
            let help = meant(destination.text, known.iter().map(|(name, _)| *name));
            self.error("unknown_destination", destination, "destination", help);
        }
        found.map(|(_, actions)| actions.as_slice())
    }

    /// Notes an unknown word.
    fn error(&mut self, code: &'static str, text: &Text<'_>, what: &str, help: String) {
        let message = format!("unknown {what} `{}`", text.node.shown());
        self.problems.error(code, &text.node.place, &text.path, message).help(help);
    }

    fn sources(&mut self, sources: &[Text<'_>]) -> Vec<String> {
        for source in sources {
            let Some(known) = self.known.sources else { break };
            if !known.contains(&source.text) {
                let help = meant(source.text, known.iter().copied());
                self.error("unknown_source", source, "source", help);
            }
        }
        for (at, source) in sources.iter().enumerate() {
            if sources[..at].iter().any(|other| other.text == source.text) {
                let message = format!("source `{}` is named twice", source.node.shown());
                let help = "take one of the two out";
                self.problems.warning("duplicate_source", &source.node.place, &source.path, message).help(help);
            }
        }
        sources.iter().map(|source| source.text.to_owned()).collect()
    }

    fn trigger(&mut self, text: &Text<'_>) -> Option<Trigger> {
        self.condition(text, true)
    }

    /// Reads a condition. Segment's other reading is one of triggers: its filters are read as documented.
    fn condition(&mut self, text: &Text<'_>, is_trigger: bool) -> Option<Trigger> {
        match Trigger::parse(text.text) {
            Ok(parsed) => {
                for warning in parsed.warnings.into_iter().filter(|warning| is_trigger || !warning.is_of_segment) {
                    let place = self.problems.inside(text.node, warning.span);
                    let code = if warning.is_of_segment { SEGMENT_DIFFERS } else { "trigger_doubtful" };
                    self.problems.warning(code, &place, &text.path, warning.message).help = warning.help;
                }
                Some(parsed.trigger)
            }
            Err(problem) => {
                let place = self.problems.inside(text.node, problem.span);
                let help = self.cut_off(text.node).map(str::to_owned).or(problem.help);
                self.problems.error("trigger_invalid", &place, &text.path, problem.message).help = help;
                None
            }
        }
    }

    /// What to do about a text of which YAML took the rest for a comment.
    fn cut_off(&self, node: &Node) -> Option<&'static str> {
        let rest = self.problems.text().get(node.place.span.end..)?;
        let is_cut = rest.lines().next()?.trim_start().starts_with('#');
        is_cut.then_some("to YAML a comment begins at ` #`; put single quotes around the whole trigger")
    }

    /// Two mappings of one name would be one in the records.
    fn names(&mut self, entries: &[Entry<'_>]) {
        let names: Vec<&Text<'_>> = entries.iter().filter_map(|entry| entry.name.as_ref()).collect();
        for (at, name) in names.iter().enumerate() {
            let Some(first) = names[..at].iter().find(|first| first.text == name.text) else { continue };
            let message = format!("a mapping on line {} is already called `{}`", first.node.place.line, cut(name.text));
            self.problems.error("duplicate_name", &name.node.place, &name.path, message).help("give it another name");
        }
    }

    fn mapping(&mut self, entry: &Entry<'_>, actions: Option<&[&'static Facts]>) -> Option<Mapping> {
        let own_trigger =
            entry.trigger.as_ref().map(|text| (self.trigger(text), text.node.written.as_deref().unwrap_or(text.text)));
        let (action, actions) = (entry.action.as_ref()?, actions?);
        let Some(facts) = actions.iter().copied().find(|facts| facts.name == action.text) else {
            let known = actions.iter().filter(|facts| facts.in_mappings()).map(|facts| facts.name);
            self.error("unknown_action", action, "action", meant(action.text, known));
            return None;
        };
        if !facts.in_mappings() {
            let message = format!("`{}` only reads, so it cannot stand in a mapping", facts.name);
            let problem = self.problems.error("action_by_hand", &action.node.place, &action.path, message);
            problem.help("a mapping takes actions that write; this one is run by hand");
            return None;
        }
        let (trigger, trigger_text) = match own_trigger {
            Some((trigger, text)) => (trigger, text),
            None => self.default_trigger(action, facts)?,
        };
        let kinds = self.kinds.and(trigger.as_ref().map_or(KindSet::ALL, Trigger::kinds));
        let fields = self.fields(entry, facts, kinds);
        let trigger = trigger?;
        Some(Mapping {
            name: entry.name.as_ref()?.text.to_owned(),
            enabled: entry.enabled,
            kinds: trigger.kinds(),
            trigger,
            trigger_text: trigger_text.to_owned(),
            action: facts,
            on_invalid: entry.on_invalid,
            fields,
        })
    }

    /// The trigger that the action itself has.
    fn default_trigger(&mut self, action: &Text<'_>, facts: &'static Facts) -> Option<(Option<Trigger>, &'static str)> {
        let Some(text) = facts.trigger else {
            let message = format!("`{}` runs for no event by itself, and the mapping names no trigger", facts.name);
            let problem = self.problems.error("trigger_missing", &action.node.place, &action.path, message);
            problem.help(r#"add which events run it, e.g. trigger: type = "track" and event = "Account Closed""#);
            return None;
        };
        Some((self.trigger(&Text { text, node: action.node, path: action.path.clone() }), text))
    }
}

/// Settings that nobody wrote.
fn empty(place: Option<&Place>) -> Node {
    let first = || Place { line: 1, column: 1, ..Place::default() };
    Node { value: Value::Map(Vec::new()), place: place.cloned().unwrap_or_else(first), written: None }
}

#[cfg(test)]
mod tests;
