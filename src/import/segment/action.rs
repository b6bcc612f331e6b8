//! Which action here a subscription of Segment's means.

use super::Note;
use super::document::{Document, Group, Subscription};
use crate::action::Facts;
use crate::destination;
use crate::json::Json;

/// Segment's actions and ours.
const ACTIONS: [(&str, &str); 3] = [
    ("identifyContact", "identify_contact"),
    ("groupIdentifyContact", "identify_company"),
    ("trackEvent", "track_event"),
];

/// Actions that only the destination in the browser has.
const WEB_ACTIONS: [&str; 2] = ["identifyUser", "identifyCompany"];
/// Fields that only actions in the browser have.
const WEB_FIELDS: [&str; 4] = ["event_metadata", "hide_default_launcher", "user_hash", "custom_traits"];

/// Fields by which an action is known when the document has only Segment's id of it.
const TELLING: [(&str, &str); 6] = [
    ("event_name", "track_event"),
    ("metadata", "track_event"),
    ("company_id", "identify_company"),
    ("remote_created_at", "identify_company"),
    ("role", "identify_contact"),
    ("last_seen_at", "identify_contact"),
];

const WEB: &str = "it belongs to Intercom Web (Actions), which runs in the browser and talks to Intercom's Messenger there; nothing of it can be done from a server. Keep the Messenger's snippet on the page for it; contacts, companies and events are sent from here by the mappings of Intercom Cloud Mode";

/// The action, and what is to be said of it. Without one all of the subscription stands as a comment.
pub(super) fn find(
    subscription: &Subscription<'_>,
    settings: &Json<'_>,
    group: &Group<'_>,
    document: &Document<'_>,
) -> (Option<&'static Facts>, Option<Note>) {
    let slug = subscription.action_slug().or_else(|| document.action(subscription.action_id()?));
    let has = |key: &str| settings.get(key).is_some();
    let is_web = slug.is_some_and(|slug| WEB_ACTIONS.contains(&slug)) || WEB_FIELDS.iter().any(|key| has(key));
    match slug {
        _ if is_web || group.is_web() => (None, Some(Note::new("runs_in_browser", WEB))),
        Some(slug) => by_slug(slug),
        None => by_fields(subscription.action_id().unwrap_or_default(), has),
    }
}

fn by_slug(slug: &str) -> (Option<&'static Facts>, Option<Note>) {
    let ours = ACTIONS.iter().find(|(theirs, ours)| *theirs == slug || *ours == slug);
    match ours.and_then(|(_, name)| facts(name)) {
        Some(facts) => (Some(facts), None),
        None => {
            let why = format!("there is no action for Segment's `{slug}`, so the mapping stands here as a comment");
            (None, Some(Note::new("action_unknown", why)))
        }
    }
}

fn by_fields(id: &str, has: impl Fn(&str) -> bool) -> (Option<&'static Facts>, Option<Note>) {
    let only = format!("the document has only Segment's id `{id}` of the action");
    match TELLING.iter().find(|(key, _)| has(key)) {
        Some((by, name)) => {
            let why = format!("{only}; it is taken for `{name}` because `{by}` is one of its fields");
            (facts(name), Some(Note::new("action_inferred", why)))
        }
        None => {
            let help = "write `actionSlug` beside `actionId` and import it again";
            let why =
                format!("{only}, and no field tells which it is, so the mapping stands here as a comment; {help}");
            (None, Some(Note::new("action_unknown", why)))
        }
    }
}

fn facts(name: &str) -> Option<&'static Facts> {
    let kind = destination::kind("intercom")?;
    (kind.actions)().into_iter().find(|facts| facts.name == name)
}
