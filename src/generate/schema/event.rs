//! The schema of an event: one call of the Segment spec, as triggers and mappings see it.

use serde_json::{Map, Value, json};

use super::{DRAFT, described, text, with};
use crate::event::Kind;

/// The schema, as text.
pub(in crate::generate) fn schema() -> String {
    let head = json!({
        "$schema": DRAFT,
        "description": "One call of the Segment spec, as triggers and mappings see it.",
    });
    text(&with(event(), head))
}

/// An event that stands in something else.
pub(super) fn event() -> Value {
    let text = json!({ "type": ["string", "number"] });
    let free = json!({ "type": "object" });
    let at = json!({ "type": ["string", "number"] });
    let members = [
        ("messageId", &text, "The sender's id for the call; one that comes twice within a day is delivered once."),
        ("userId", &text, "Your own id for the person."),
        ("anonymousId", &text, "The id of a visitor who is not known yet."),
        ("groupId", &text, "`group`: your own id for the company."),
        ("previousId", &text, "`alias`: the id that was used before."),
        ("event", &text, "`track`: what was done, e.g. `Order Completed`."),
        ("properties", &free, "`track`, `page`, `screen`: facts about what was done or seen."),
        ("name", &text, "`page`, `screen`: which one."),
        ("category", &text, "`page`, `screen`: which kind."),
        ("traits", &free, "`identify`: facts about the person. `group`: facts about the company."),
        ("context", &free, "Facts about where it happened; `context.traits` are facts about the person."),
        ("integrations", &free, "Which destinations may have it: `{ All: false, Intercom: true }`."),
        ("timestamp", &at, "When it happened, corrected for the sender's clock."),
        ("originalTimestamp", &at, "When it happened, as the sender said."),
        ("sentAt", &at, "When it was sent, by the sender's clock."),
        ("receivedAt", &at, "When it arrived."),
        ("channel", &text, "`client` or `server`: which kind of sender it came from."),
    ];
    let mut properties: Map<String, Value> =
        members.into_iter().map(|(name, schema, docs)| (name.to_owned(), described(docs, schema.clone()))).collect();
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    properties.insert("type".to_owned(), described("Which call it is.", json!({ "enum": kinds })));
    described(
        "One call, as a source sends it.",
        json!({ "type": "object", "required": ["type"], "properties": properties }),
    )
}
