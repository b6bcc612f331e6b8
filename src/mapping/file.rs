//! The shape of a destination file: which keys it has, and what kind of value each takes.

use crate::mapping::case::Test;
use crate::yaml::{Key, Node, Place, Problems, Value, cut, meant};

/// The most mappings one destination may have.
pub const MAPPINGS_MAX: usize = 50;

/// A destination file, read but not yet understood.
#[derive(Debug)]
pub struct File<'n> {
    /// The kind of destination.
    pub destination: Option<Text<'n>>,
    /// Whether it takes part.
    pub enabled: bool,
    /// The sources whose events it takes; all when it names none.
    pub sources: Option<Vec<Text<'n>>>,
    /// The destination's own settings, for it to check.
    pub settings: Option<&'n Node>,
    /// A trigger that events must meet to be for this destination.
    pub filter: Option<Text<'n>>,
    /// Its mappings, in order; at most [`MAPPINGS_MAX`].
    pub mappings: Vec<Entry<'n>>,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// A scalar text and where it stands.
#[derive(Debug, Clone)]
pub struct Text<'n> {
    /// The text.
    pub text: &'n str,
    /// Where it stands.
    pub node: &'n Node,
    /// Where it stands by name.
    pub path: String,
}

/// What becomes of an optional field whose value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInvalid {
    /// The field is left out, with a warning.
    #[default]
    Drop,
    /// The payload is refused.
    Reject,
}

/// One mapping, read but not yet understood.
#[derive(Debug)]
pub struct Entry<'n> {
    /// Its name.
    pub name: Option<Text<'n>>,
    /// Whether it takes part.
    pub enabled: bool,
    /// Its condition; the action's own when it names none.
    pub trigger: Option<Text<'n>>,
    /// Its action.
    pub action: Option<Text<'n>>,
    /// The fields it fills, each with an expression; `null` unsets a default.
    pub fields: &'n [(Key, Node)],
    /// Whether the action's default expressions fill the other fields.
    pub defaults: bool,
    /// What becomes of values that do not fit.
    pub on_invalid: OnInvalid,
    /// Where it stands by name.
    pub path: String,
    /// Where it stands.
    pub place: Place,
}

impl<'n> File<'n> {
    /// Reads a file. What is wrong with its shape is noted, and left out of the result.
    pub fn read(node: &'n Node, problems: &mut Problems) -> Option<Self> {
        let known = ["destination", "enabled", "sources", "settings", "filter", "on_invalid", "mappings", "tests"];
        let mut file = Section::open(node, "", &known, problems)?;
        let on_invalid = file.on_invalid(OnInvalid::Drop);
        let mappings = file.list("mappings").unwrap_or_default();
        Some(File {
            destination: file.required_text("destination"),
            enabled: file.flag("enabled", true),
            sources: file.texts("sources"),
            settings: file.get("settings").filter(|node| !node.is_null()),
            filter: file.text("filter"),
            mappings: entries(mappings, on_invalid, file.problems),
            tests: file.list("tests").unwrap_or_default().iter().enumerate().fold(
                Vec::new(),
                |mut tests, (at, node)| {
                    tests.extend(Test::read(node, &format!("tests[{at}]"), file.problems));
                    tests
                },
            ),
        })
    }
}

fn entries<'n>(nodes: &'n [Node], on_invalid: OnInvalid, problems: &mut Problems) -> Vec<Entry<'n>> {
    if let Some(extra) = nodes.get(MAPPINGS_MAX) {
        let name = extra.get("name").map_or("without a name".to_owned(), |name| format!("`{}`", name.shown()));
        let message = format!("mapping {name} is number {} of at most {MAPPINGS_MAX}", MAPPINGS_MAX + 1);
        let place = extra.get("name").map_or(&extra.place, |name| &name.place);
        problems
            .error("too_many_mappings", place, &format!("mappings[{MAPPINGS_MAX}]"), message)
            .help("put it into a second file for the same destination");
    }
    let nodes = nodes.iter().take(MAPPINGS_MAX).enumerate();
    nodes.filter_map(|(at, node)| Entry::read(node, &format!("mappings[{at}]"), on_invalid, problems)).collect()
}

impl<'n> Entry<'n> {
    fn read(node: &'n Node, path: &str, on_invalid: OnInvalid, problems: &mut Problems) -> Option<Self> {
        let known = ["name", "enabled", "trigger", "action", "fields", "defaults", "on_invalid"];
        let mut entry = Section::open(node, path, &known, problems)?;
        Some(Entry {
            name: entry.required_text("name"),
            enabled: entry.flag("enabled", true),
            trigger: entry.text("trigger"),
            action: entry.required_text("action"),
            fields: entry.map("fields").unwrap_or_default(),
            defaults: entry.flag("defaults", true),
            on_invalid: entry.on_invalid(on_invalid),
            path: path.to_owned(),
            place: node.place.clone(),
        })
    }
}

/// What a key that must be there is for.
fn known_help(key: &str) -> Option<&'static str> {
    match key {
        "destination" => Some("it says what the file is for: `destination: intercom`"),
        "name" => Some("it is how metrics and deliveries call it: `name: …`, no other's in this file"),
        "action" => Some("it says what is done with the event: `action: …`"),
        _ => None,
    }
}

/// The truth value that a word of older YAML stood for.
fn meant_flag(node: &Node) -> Option<&'static str> {
    match node.shown().trim().to_lowercase().as_str() {
        "yes" | "y" | "on" | "true" | "1" => Some("write `true`"),
        "no" | "n" | "off" | "false" | "0" => Some("write `false`"),
        _ => None,
    }
}

/// A map with known keys, being read.
pub(super) struct Section<'n, 'p> {
    node: &'n Node,
    members: &'n [(Key, Node)],
    pub(super) path: String,
    pub(super) problems: &'p mut Problems,
}

impl<'n, 'p> Section<'n, 'p> {
    /// Opens a map; unknown keys are noted.
    pub(super) fn open(node: &'n Node, path: &str, known: &[&str], problems: &'p mut Problems) -> Option<Self> {
        let Some(members) = node.as_map() else {
            problems
                .error("value_invalid", &node.place, path, format!("expected a map, found {}", node.kind()))
                .help(format!("its keys are {}", known.join(", ")));
            return None;
        };
        let section = Section { node, members, path: path.to_owned(), problems };
        for (key, _) in members.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let message = format!("unknown key `{}`", cut(&key.name));
            let path = section.inner(&key.name);
            let help = meant(&key.name, known.iter().copied());
            section.problems.error("unknown_key", &key.place, &path, message).help(help);
        }
        Some(section)
    }

    pub(super) fn inner(&self, key: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{key}", self.path)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.members.iter().find(|(name, _)| name.name == key).map(|(_, value)| value)
    }

    pub(super) fn missing(&mut self, key: &str) {
        let message = format!("`{key}` is missing");
        let problem = self.problems.error("key_missing", &self.node.place, &self.path, message);
        problem.help = known_help(key).map(str::to_owned);
    }

    pub(super) fn refuse(&mut self, key: &str, node: &Node, wanted: &str) {
        let is_plain = !matches!(node.value, Value::Null | Value::List(_) | Value::Map(_));
        let found = if is_plain { format!("`{}`", node.shown()) } else { node.kind().to_owned() };
        let path = self.inner(key);
        let problem =
            self.problems.error("value_invalid", &node.place, &path, format!("expected {wanted}, found {found}"));
        match wanted {
            "text" if is_plain => problem.help("put quotes around it"),
            "a list" if is_plain => problem.help(format!("write [{}]", node.shown())),
            "a list" if node.as_map().is_some() => problem.help("begin each item with `- `"),
            "a map" if key == "fields" => problem.help("name the field it is for: `fields: { name: $.traits.name }`"),
            "text" if key == "trigger" || key == "filter" => {
                problem.help("join conditions by `and` or `or` in one text")
            }
            "true or false" => problem.help = meant_flag(node).map(str::to_owned),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<Text<'n>> {
        let node = self.get(key)?;
        match node.as_text() {
            Some(text) => Some(Text { text, node, path: self.inner(key) }),
            None => {
                self.refuse(key, node, "text");
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &str) -> Option<Text<'n>> {
        match self.get(key) {
            None => {
                self.missing(key);
                None
            }
            Some(node) if node.as_text().is_some_and(|text| text.trim().is_empty()) => {
                let path = self.inner(key);
                self.problems.error("value_invalid", &node.place, &path, format!("`{key}` is empty"));
                None
            }
            Some(_) => self.text(key),
        }
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Node { value: Value::Bool(value), .. }) => *value,
            // What stood in an environment variable is text.
            Some(node) if node.written.is_some() && node.as_text().is_some_and(|text| text.parse::<bool>().is_ok()) => {
                node.as_text() == Some("true")
            }
            Some(node) => {
                self.refuse(key, node, "true or false");
                default
            }
        }
    }

    pub(super) fn list(&mut self, key: &str) -> Option<&'n [Node]> {
        let node = self.get(key)?;
        match &node.value {
            Value::List(items) => Some(items),
            Value::Null => Some(&[]),
            _ => {
                self.refuse(key, node, "a list");
                None
            }
        }
    }

    pub(super) fn map(&mut self, key: &str) -> Option<&'n [(Key, Node)]> {
        let node = self.get(key)?;
        match &node.value {
            Value::Map(members) => Some(members),
            Value::Null => Some(&[]),
            _ => {
                self.refuse(key, node, "a map");
                None
            }
        }
    }

    fn texts(&mut self, key: &str) -> Option<Vec<Text<'n>>> {
        let items = self.list(key)?;
        let mut texts = Vec::with_capacity(items.len());
        for (at, node) in items.iter().enumerate() {
            let key = format!("{key}[{at}]");
            match node.as_text() {
                Some(text) => texts.push(Text { text, node, path: self.inner(&key) }),
                None => self.refuse(&key, node, "text"),
            }
        }
        Some(texts)
    }

    fn on_invalid(&mut self, default: OnInvalid) -> OnInvalid {
        let Some(Text { text, node, path }) = self.text("on_invalid") else { return default };
        match text {
            "drop" => OnInvalid::Drop,
            "reject" => OnInvalid::Reject,
            _ => {
                let message = format!("unknown word `{}`", node.shown());
                self.problems.error("value_invalid", &node.place, &path, message).help(meant(text, ["drop", "reject"]));
                default
            }
        }
    }
}
