//! A destination's filters as its `filter:`, where they say which events are dropped.
//!
//! # Why
//! Segment names the events that go, `filter:` those that stay, so each condition is turned round. Its filters are read
//! by another evaluator than its triggers, one that follows the documented language, so they mean the same here.

use super::Note;
use crate::json::Json;
use crate::mapping::trigger::Trigger;

/// What stands at `filter:`.
pub(super) struct Filter {
    /// The condition.
    pub(super) condition: String,
    /// What stands above it.
    pub(super) remarks: Vec<String>,
}

/// The filters as one, and what is to be said of those that are none of `filter:`.
pub(super) fn read(filters: &[&Json<'_>]) -> (Option<Filter>, Vec<Note>) {
    let (mut conditions, mut remarks, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for filter in filters {
        match dropped(filter) {
            Ok(condition) => {
                conditions.push(format!("!({condition})"));
                let title = filter.get("title").and_then(Json::as_str).filter(|title| !title.is_empty());
                remarks.extend(title.map(|title| format!("Segment: filter {title}")));
            }
            Err(why) => {
                let condition = filter.get("if").and_then(Json::as_str).unwrap_or("…");
                let message = format!("the destination's filter on `{condition}` is not imported: {why}");
                notes.push(Note::new("filter_unsupported", message));
            }
        }
    }
    let filter = (!conditions.is_empty()).then(|| Filter { condition: conditions.join(" and "), remarks });
    (filter, notes)
}

/// The condition of events that a filter drops; else why it has no counterpart.
fn dropped<'f>(filter: &'f Json<'_>) -> Result<&'f str, String> {
    if matches!(filter.get("enabled"), Some(Json::Bool(false))) {
        return Err("it is switched off".to_owned());
    }
    let actions = filter.get("actions").and_then(Json::as_list).unwrap_or_default();
    for action in actions {
        let action = action.get("type").and_then(Json::as_str).unwrap_or_default();
        if !action.eq_ignore_ascii_case("drop") {
            return Err(without_counterpart(action));
        }
    }
    let condition = filter.get("if").and_then(Json::as_str).unwrap_or_default().trim();
    if actions.is_empty() {
        return Err("it says nothing of what becomes of these events".to_owned());
    }
    if condition.is_empty() || condition.eq_ignore_ascii_case("all") {
        return Err("it drops every event; `enabled: false` switches the destination off".to_owned());
    }
    let parsed = Trigger::parse(condition);
    parsed.map(|_| condition).map_err(|problem| format!("it cannot be read: {}", problem.message))
}

fn without_counterpart(action: &str) -> String {
    match action.to_lowercase().as_str() {
        "sample" => "sampling has no counterpart, every event is delivered".to_owned(),
        "drop_properties" | "allow_properties" => {
            "it takes single properties away; leave them out of the mappings' `fields`".to_owned()
        }
        _ => format!("its action `{action}` has no counterpart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filters: &str, condition: Option<&str>, said: &[&str]) {
        let filters = crate::json::parse(filters.as_bytes()).unwrap();
        let filters: Vec<&Json<'_>> = filters.as_list().unwrap().iter().collect();
        let (filter, notes) = read(&filters);
        assert_eq!(filter.map(|filter| filter.condition).as_deref(), condition);
        assert_eq!(notes.len(), said.len(), "{notes:?}");
        for (note, part) in notes.iter().zip(said) {
            assert!(note.message.contains(part), "{}", note.message);
        }
    }

    #[test]
    fn conditions_of_dropped_events_are_turned_round() {
        check(r#"[{"if":"event = \"A\"","actions":[{"type":"DROP"}]}]"#, Some(r#"!(event = "A")"#), &[]);
        let two = r#"[{"if":"a.b = 1 or a.c = 2","actions":[{"type":"drop"}]},{"if":"event = \"A\"","actions":[{"type":"DROP"}]}]"#;
        check(two, Some(r#"!(a.b = 1 or a.c = 2) and !(event = "A")"#), &[]);
    }

    #[test]
    fn what_has_no_counterpart_is_told() {
        check(r#"[{"if":"all","actions":[{"type":"SAMPLE","percent":0.1}]}]"#, None, &["sampling"]);
        check(r#"[{"if":"all","actions":[{"type":"DROP"}]}]"#, None, &["`enabled: false`"]);
        check(r#"[{"if":"type = \"track\"","actions":[{"type":"DROP_PROPERTIES"}]}]"#, None, &["`fields`"]);
        check(r#"[{"if":"event is 1","actions":[{"type":"DROP"}]}]"#, None, &["cannot be read"]);
        check(r#"[{"if":"event = \"A\"","enabled":false,"actions":[{"type":"DROP"}]}]"#, None, &["switched off"]);
        check(r#"[{"if":"event = \"A\"","actions":[]}]"#, None, &["nothing"]);
    }
}
