//! Finding destinations and their subscriptions in a document, whichever of its many shapes it has.
//!
//! # Why
//! The Public API wraps lists and single things differently, Terraform has a state, a plan and a raw file, and people
//! paste parts of any of these. So the document is searched for what looks like a subscription, except where copies or
//! examples of subscriptions stand.

use crate::import::segment::Note;
use crate::json::Json;

/// What a document holds.
#[derive(Default)]
pub(super) struct Document<'d> {
    /// Destinations, in the order in which they are met.
    pub(super) groups: Vec<Group<'d>>,
    /// Names of actions by Segment's ids, where the document tells them.
    actions: Vec<(&'d str, &'d str)>,
    /// What is to be said of the document itself.
    pub(super) notes: Vec<Note>,
}

/// One destination.
#[derive(Default)]
pub(super) struct Group<'d> {
    id: Option<&'d str>,
    name: Option<&'d str>,
    /// Its kind, by Segment's catalogue: slug and name.
    kind: Vec<&'d str>,
    pub(super) is_enabled: Option<bool>,
    pub(super) subscriptions: Vec<Subscription<'d>>,
    /// Filters of the destination, as they stand.
    pub(super) filters: Vec<&'d Json<'d>>,
}

/// One subscription.
pub(super) struct Subscription<'d>(&'d Json<'d>);

/// Where there are no subscriptions of the destination itself: its kind's examples, copies in Terraform's plan, and the
/// insides of subscriptions.
const PASSED_BY: [&str; 8] = [
    "metadata",
    "presets",
    "settings",
    "mapping",
    "configuration",
    "prior_state",
    "resource_changes",
    "resource_drift",
];

const SUBSCRIPTION: &str = "segment_destination_subscription";
const DESTINATION: &str = "segment_destination";

impl<'d> Document<'d> {
    pub(super) fn read(root: &'d Json<'d>) -> Document<'d> {
        let mut document = Document::default();
        // A plan holds the state before it, too.
        let planned = root.get("planned_values");
        document.search(planned.unwrap_or(root), None);
        for extra in ["prior_state", "configuration"].into_iter().filter_map(|key| root.get(key)) {
            document.learn_actions(extra);
        }
        document.learn_actions(root);
        document
    }

    /// The name of an action, by Segment's id of it.
    pub(super) fn action(&self, id: &str) -> Option<&'d str> {
        self.actions.iter().find(|(known, _)| *known == id).map(|(_, slug)| *slug)
    }

    fn search(&mut self, node: &'d Json<'d>, within: Option<usize>) {
        match node {
            Json::List(items) => items.iter().for_each(|item| self.search(item, within)),
            Json::Object(_) => self.search_object(node, within),
            _ => {}
        }
    }

    fn search_object(&mut self, node: &'d Json<'d>, within: Option<usize>) {
        if let Some(kind) = text(node, &["type"]).filter(|kind| kind.starts_with(DESTINATION)) {
            return self.resource(kind, node);
        }
        if is_subscription(node) {
            return self.add(node, within);
        }
        let next = node.get("pagination").and_then(|pages| pages.get("next")).filter(|next| !next.is_null());
        if next.is_some() {
            let message = "the document is one page of several: subscriptions on the later pages are missing; ask for them with `pagination.cursor`, or for more on a page with `pagination.count`";
            self.notes.push(Note::new("more_pages", message));
        }
        let within = if is_destination(node) { Some(self.destination(node)) } else { within };
        for (key, value) in node.as_object().into_iter().flat_map(|object| object.iter()) {
            match key {
                SUBSCRIPTION | DESTINATION => self.configured(key, value),
                _ if PASSED_BY.contains(&key) => {}
                _ => self.search(value, within),
            }
        }
    }

    /// A resource of Terraform's state: its values, or those of each instance.
    fn resource(&mut self, kind: &str, node: &'d Json<'d>) {
        let instances = node.get("instances").and_then(Json::as_list).unwrap_or_default();
        let values = node.get("values").into_iter().chain(instances.iter().filter_map(|one| one.get("attributes")));
        for values in values {
            match kind {
                SUBSCRIPTION => self.add(values, None),
                DESTINATION => drop(self.destination(values)),
                _ => {}
            }
        }
    }

    /// Resources of a kind in Terraform's JSON configuration: by name, one or a list of one.
    fn configured(&mut self, kind: &str, resources: &'d Json<'d>) {
        for (_, resource) in resources.as_object().into_iter().flat_map(|object| object.iter()) {
            for values in resource.as_list().unwrap_or(std::slice::from_ref(resource)) {
                match kind {
                    SUBSCRIPTION => self.add(values, None),
                    _ => drop(self.destination(values)),
                }
            }
        }
    }

    fn add(&mut self, node: &'d Json<'d>, within: Option<usize>) {
        let id = text(node, &["destinationId", "destination_id"]);
        let at = match (id, within) {
            (Some(id), _) => self.by_id(Some(id)),
            (None, Some(within)) => within,
            (None, None) => self.by_id(None),
        };
        self.groups[at].subscriptions.push(Subscription(node));
    }

    fn by_id(&mut self, id: Option<&'d str>) -> usize {
        self.groups.iter().position(|group| group.id == id).unwrap_or_else(|| {
            self.groups.push(Group { id, ..Group::default() });
            self.groups.len() - 1
        })
    }

    /// Notes what a destination's own record says of it.
    fn destination(&mut self, node: &'d Json<'d>) -> usize {
        let at = match text(node, &["id"]) {
            Some(id) => self.by_id(Some(id)),
            None => {
                self.groups.push(Group::default());
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[at];
        let facts = node
            .get("metadata")
            .into_iter()
            .flat_map(|metadata| metadata.as_list().unwrap_or(std::slice::from_ref(metadata)));
        group.kind.extend(facts.flat_map(|facts| [text(facts, &["slug"]), text(facts, &["name"])]).flatten());
        group.name = text(node, &["name"]).or(group.name);
        group.is_enabled = flag(node, &["enabled"]).or(group.is_enabled);
        group.filters.extend(node.get("filters").and_then(Json::as_list).unwrap_or_default());
        at
    }

    /// The names of actions stand in descriptions of kinds of destinations, wherever these are.
    fn learn_actions(&mut self, node: &'d Json<'d>) {
        match node {
            Json::List(items) => items.iter().for_each(|item| self.learn_actions(item)),
            Json::Object(object) => {
                for (key, value) in object.iter() {
                    if key == "actions" {
                        let actions = value.as_list().unwrap_or_default().iter();
                        self.actions
                            .extend(actions.filter_map(|one| Some((text(one, &["id"])?, text(one, &["slug"])?))));
                    }
                    self.learn_actions(value);
                }
            }
            _ => {}
        }
    }
}

fn is_subscription(node: &Json<'_>) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| node.get(key).is_some());
    let action = ["actionId", "action_id", "actionSlug", "action_slug", "partnerAction"];
    has(&action) && has(&["trigger", "subscribe", "settings", "mapping"])
}

fn is_destination(node: &Json<'_>) -> bool {
    let has = |key: &str| node.get(key).is_some();
    has("metadata") || (has("subscriptions") && (has("id") || has("name")))
}

/// The first member of these that is text.
fn text<'d>(node: &'d Json<'d>, keys: &[&str]) -> Option<&'d str> {
    keys.iter().find_map(|key| node.get(key)?.as_str()).filter(|text| !text.is_empty())
}

fn flag(node: &Json<'_>, keys: &[&str]) -> Option<bool> {
    keys.iter().find_map(|key| match node.get(key) {
        Some(Json::Bool(value)) => Some(*value),
        _ => None,
    })
}

impl Group<'_> {
    /// What people call it.
    pub(super) fn title(&self) -> String {
        let id = || self.id.map(|id| format!("destination {id}"));
        self.name.or(self.kind.last().copied()).map(str::to_owned).or_else(id).unwrap_or_else(|| "Intercom".to_owned())
    }

    /// Why it is not for us, when it is another product's.
    pub(super) fn is_foreign(&self) -> Option<String> {
        let is_ours = |word: &&str| word.to_lowercase().contains("intercom");
        let foreign = !self.kind.is_empty() && !self.kind.iter().any(is_ours);
        foreign.then(|| format!("`{}` is not imported: of Segment's destinations only Intercom is", self.kind[0]))
    }

    /// Whether it runs in browsers: then nothing of it can be done from a server.
    pub(super) fn is_web(&self) -> bool {
        let is_web = |word: &&str| word.to_lowercase().contains("web") && !word.to_lowercase().contains("cloud");
        self.kind.iter().any(is_web)
    }

    /// The name of its file.
    pub(super) fn file_name(&self) -> String {
        let mut name = String::new();
        for c in self.name.unwrap_or("intercom").to_lowercase().chars() {
            match c.is_ascii_alphanumeric() {
                true => name.push(c),
                false if !name.is_empty() && !name.ends_with('_') => name.push('_'),
                false => {}
            }
        }
        let name = name.trim_end_matches('_');
        if name.is_empty() { "intercom".to_owned() } else { name.to_owned() }
    }
}

impl<'d> Subscription<'d> {
    pub(super) fn id(&self) -> Option<&'d str> {
        text(self.0, &["id"])
    }

    pub(super) fn name(&self) -> Option<&'d str> {
        text(self.0, &["name"])
    }

    pub(super) fn is_enabled(&self) -> bool {
        flag(self.0, &["enabled"]).unwrap_or(true)
    }

    /// When it runs; the error says why it never does.
    pub(super) fn trigger(&self) -> Result<&'d str, String> {
        let given = ["trigger", "subscribe"].into_iter().find_map(|key| self.0.get(key));
        match given {
            None => Err("it has no trigger".to_owned()),
            Some(Json::String(text)) if text.trim().is_empty() => Err("its trigger is empty".to_owned()),
            Some(Json::String(text)) => Ok(text),
            Some(Json::Null) => Err("its trigger is null".to_owned()),
            Some(other) => Err(format!("its trigger is no text but {other}")),
        }
    }

    pub(super) fn action_slug(&self) -> Option<&'d str> {
        text(self.0, &["actionSlug", "action_slug", "partnerAction"])
    }

    pub(super) fn action_id(&self) -> Option<&'d str> {
        text(self.0, &["actionId", "action_id"])
    }

    /// The warehouse model that feeds it, instead of events.
    pub(super) fn model(&self) -> Option<&'d str> {
        text(self.0, &["modelId", "model_id", "reverseEtlModelId", "reverse_etl_model_id"])
    }

    /// How each field is filled. Terraform has it as the text of a JSON document.
    pub(super) fn settings(&self) -> Result<Json<'d>, String> {
        let settings = ["settings", "mapping", "mappings"].into_iter().find_map(|key| self.0.get(key));
        match settings {
            Some(Json::String(text)) if text.trim().is_empty() => Ok(Json::Object(Default::default())),
            Some(Json::String(text)) => {
                let parsed = crate::json::parse(text.as_bytes());
                parsed.map_err(|malformed| format!("its settings are a text that is not JSON: {}", malformed.message))
            }
            Some(value @ Json::Object(_)) => Ok(value.clone()),
            Some(Json::Null) | None => Ok(Json::Object(Default::default())),
            Some(other) => Err(format!("its settings are {}, not an object", other.kind())),
        }
    }
}
