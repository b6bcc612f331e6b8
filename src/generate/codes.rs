//! Every code that `check`, `explain`, `test`, deliveries and metrics can show, and what it means.

/// Where a code is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// A problem of a file.
    File,
    /// A warning or refusal while an event is mapped.
    Mapping,
    /// How a delivery ends, or a warning on the way.
    Delivery,
}

/// A code, and what it means.
pub(super) struct Code {
    /// The stable word.
    pub(super) word: &'static str,
    /// Where it is met.
    pub(super) met: Met,
    /// What it means.
    pub(super) meaning: &'static str,
}

const fn file(word: &'static str, meaning: &'static str) -> Code {
    Code { word, met: Met::File, meaning }
}

const fn mapping(word: &'static str, meaning: &'static str) -> Code {
    Code { word, met: Met::Mapping, meaning }
}

const fn delivery(word: &'static str, meaning: &'static str) -> Code {
    Code { word, met: Met::Delivery, meaning }
}

/// All of them, in the order of their words within each part.
pub(super) const ALL: &[Code] = &[
    file("action_by_hand", "an action that only reads stands in a mapping"),
    file("constant_lost", "warning: a directive can make nothing of a value that is the same for every event"),
    file("directive_invalid", "a directive has an argument it does not take, or lacks one"),
    file("directive_not_alone", "a directive stands in a map beside other keys"),
    file("duplicate_destination", "two files have the same name but for `.yaml` and `.yml`"),
    file("duplicate_key", "a key appears twice in one map"),
    file("duplicate_mapping", "warning: a mapping does the same as another"),
    file("duplicate_name", "two mappings have one name, or (a warning) two tests"),
    file("duplicate_source", "warning: a source is named twice"),
    file("environment_invalid", "an environment variable sets part of something that is not a group of settings"),
    file("event_refused", "the tracking API would refuse the event of a test"),
    file("field_missing", "a required field has no value and no default"),
    file(
        "field_never_filled",
        "warning: the default of a required field comes to nothing for every event that gets there",
    ),
    file("file_unreadable", "a file named by `${file:…}` cannot be read"),
    file("identity_constant", "warning: a field that says who an event is about is the same for every event"),
    file("interpolation_invalid", "`${…}` is not closed or names nothing"),
    file("key_missing", "a key that must be there is not"),
    file("liquid_invalid", "a text is not Liquid, or asks for something that is not supported"),
    file("mapping_unreachable", "warning: the filter keeps out every event that a mapping is for"),
    file("no_files", "warning: there is no destination file in a folder"),
    file("no_mappings", "warning: a destination file has no mappings"),
    file("path_invalid", "a path is not JSONPath"),
    file(
        "path_mistaken",
        "warning: a text looks like a path without its `$.`, or like a filter of Liquid outside of `$liquid`",
    ),
    file("path_pattern", "warning: a pattern of `match` or `search` is no regular expression, so that nothing fits it"),
    file("path_rewritten", "warning: a path in Segment's dialect is read as the JSONPath that is shown"),
    file("path_slow", "warning: a path takes patterns from the event, of which only some are compiled"),
    file("path_unlikely", "warning: no event, or none that gets there, has what a path begins with"),
    file("segment_differs", "warning: Segment would read a trigger differently; `--deny-warnings` lets it pass"),
    file("sent_twice", "warning: what one mapping sends, another sends again"),
    file("settings_invalid", "a destination's settings do not fit together, or one is missing"),
    file("template_open", "warning: `{{` in a text holds no path, or `{%` stands outside of `$liquid`"),
    file("test_empty", "warning: a test cannot fail, or cannot pass"),
    file("test_of_disabled", "warning: a test is about a mapping that is switched off"),
    file("too_many_mappings", "a file has more than 50 mappings"),
    file("trigger_doubtful", "warning: a trigger is surely not meant so"),
    file("trigger_invalid", "a trigger cannot be read"),
    file("trigger_missing", "an action has no trigger of its own, and the mapping names none"),
    file("unknown_action", "the destination has no such action"),
    file("unknown_destination", "there is no such kind of destination"),
    file("unknown_directive", "there is no such directive"),
    file("unknown_field", "the action has no such field"),
    file("unknown_key", "there is no such key there"),
    file("unknown_mapping", "a test names a mapping that is not in the file"),
    file("unknown_source", "the settings name no such source"),
    file("unreachable", "warning: part of a directive is never looked at"),
    file("value_empty", "warning: a value counts as missing"),
    file("value_invalid", "a value is not what is taken there"),
    file("variable_unset", "an environment variable named by `${…}` is not set"),
    file("yaml_invalid", "the file is not YAML"),
    file("yaml_too_large", "the file is larger, deeper or more repetitive than is taken"),
    mapping("attribute_nested", "warning: a custom attribute was an object or a list, and was left out"),
    mapping("attribute_renamed", "warning: a custom attribute was renamed to what Intercom takes"),
    mapping("attributes_too_many", "warning: custom attributes beyond the most that Intercom takes were left out"),
    mapping("currency_invalid", "warning: the currency is no text; USD was taken"),
    mapping("currency_unknown", "warning: the currency is none of ISO 4217"),
    mapping("field_dropped", "warning: an optional field did not fit and was left out"),
    mapping("field_invalid", "a required field, or any under `on_invalid: reject`, does not fit"),
    mapping("field_missing", "a required field came to nothing"),
    mapping("field_unknown", "the action that is run by hand has no such field"),
    mapping("internal_error", "mapping an event failed because of a bug in Interline"),
    mapping("metadata_key_too_long", "warning: a metadata key was too long and was left out"),
    mapping("metadata_nested", "warning: nested metadata was left out"),
    mapping("metadata_overwritten", "warning: a metadata key gave way to the price"),
    mapping("metadata_renamed", "warning: a metadata key was renamed to what Intercom takes"),
    mapping("metadata_repeated", "warning: two metadata keys became one, and one was left out"),
    mapping("metadata_trimmed", "warning: metadata beyond ten keys was left out"),
    mapping("more_warnings", "warning: there were more warnings than are kept"),
    mapping("number_out_of_range", "warning: a number was larger than Intercom takes and was left out"),
    mapping("number_rounded", "warning: a number was rounded to a whole one"),
    mapping("path_refused", "a raw request's path would leave the connection's host"),
    mapping("payload_invalid", "the payload is not what the action takes"),
    mapping("revenue_invalid", "warning: the revenue is no amount"),
    mapping("revenue_rounded", "warning: the revenue was rounded to the smallest unit of its currency"),
    mapping("text_cut", "warning: a text was longer than Intercom takes and was cut"),
    mapping("value_converted", "warning: a value was fitted to the field's type"),
    mapping("value_lost", "warning: a directive could not make anything of a value, and gave nothing"),
    delivery("action_unknown", "the destination has no such action"),
    delivery("attribute_converted", "warning: a custom attribute was fitted to the attribute's type"),
    delivery("attribute_made", "warning: a custom attribute was made in the workspace"),
    delivery("attribute_misfit", "warning: a custom attribute did not fit the attribute's type and was left out"),
    delivery("attribute_not_writable", "warning: a custom attribute cannot be written and was left out"),
    delivery(
        "attribute_unknown",
        "the workspace does not have a custom attribute; with `drop` a warning, and it was left out",
    ),
    delivery("busy", "the destination is busy with the same thing"),
    delivery("carried", "delivered as part of another delivery of the same contact or company, which waited before it"),
    delivery(
        "code_refused",
        "signing in: Intercom does not take the code, or client id and secret are not those of the app",
    ),
    delivery("company_absent", "the company is not there, so there is nothing to undo"),
    delivery("company_limit", "the contact is in as many companies as Intercom takes"),
    delivery("company_not_found", "the company is not there"),
    delivery("conflict", "the destination has something that excludes this"),
    delivery("connection_failed", "no connection could be made"),
    delivery("connection_lost", "the connection broke before there was a reply"),
    delivery("contact_absent", "the contact is not there, so there is nothing to undo"),
    delivery("contact_ambiguous", "warning: several contacts fit, and one was taken"),
    delivery("contact_archived", "the contact is archived and stays so"),
    delivery(
        "contact_awaited",
        "an older delivery about the same person waits for the contact, and what needs it waits behind that one",
    ),
    delivery("contact_conflict", "another contact has one of the identities"),
    delivery("contact_exists", "the contact that was to be made is there already"),
    delivery("contact_made", "warning: the contact had not come in time, and was made"),
    delivery("contact_merged", "the contact was merged into others too often over"),
    delivery(
        "contact_not_found",
        "the contact is not there yet; with `too_early: skip` it is not waited for any longer",
    ),
    delivery("contact_unarchived", "warning: the contact was archived and is not any longer"),
    delivery("discarded", "somebody discarded the dead letter by hand"),
    delivery("email_taken", "warning: the e-mail address belongs to another contact and was left out"),
    delivery("erase_unsupported", "deleting a person: the destination has no way to"),
    delivery("event_names_exhausted", "the workspace has as many event names as Intercom takes"),
    delivery("gone", "the destination has given this up"),
    delivery("id_invalid", "an id cannot stand in a path"),
    delivery(
        "lead_kept",
        "warning: a lead has the address that the user gained, and could not be merged into the user",
    ),
    delivery("lead_merged", "warning: the lead that had the address which the user gained was merged into the user"),
    delivery("lead_not_shown", "there may be a lead to merge, and the search does not show it yet"),
    delivery("lead_promoted", "warning: there was no user to merge into, so the lead became it"),
    delivery("lead_unsettled", "a lead may have been made, and the search does not show it yet"),
    delivery("merge_refused", "the two contacts cannot be merged"),
    delivery("no_identity", "the call names nobody that the action could be about"),
    delivery("not_attached", "there is nothing to detach"),
    delivery("not_found", "the destination does not have what the request is about"),
    delivery("not_repeated", "a raw request failed and may not be repeated"),
    delivery("not_tagged", "the contact does not have the tag"),
    delivery("nothing_to_merge", "there is no lead to merge"),
    delivery("payload_rejected", "the destination does not take the payload"),
    delivery("permission_missing", "the token lacks a permission"),
    delivery("plan_restricted", "the workspace's plan does not cover this"),
    delivery("rate_limited", "the destination asked to slow down"),
    delivery("redirected", "the destination answered with a redirect, which is not followed"),
    delivery("region_wrong", "warning: the workspace's data lives in another region than the settings say"),
    delivery("reply_unreadable", "the destination's reply cannot be read"),
    delivery("request_invalid", "the request cannot be sent"),
    delivery("request_refused", "a raw request would leave the connection's host or speak for somebody else"),
    delivery("role_kept", "warning: a user was not made a lead"),
    delivery("seen_recently", "the person was seen a moment before, and nothing else is new"),
    delivery("server_error", "the destination had an error of its own"),
    delivery("still_there", "deleting a person: Intercom still shows the contact after it was deleted"),
    delivery("tag_absent", "the tag is not there, so there is nothing to undo"),
    delivery("tag_in_use", "a tag that is used elsewhere cannot be deleted"),
    delivery("ticket_not_found", "the ticket is not there"),
    delivery("ticket_unsettled", "a ticket may have been opened, and the search does not show it yet"),
    delivery("timeout", "a request was sent, and no reply came in time"),
    delivery("unauthorized", "the credentials were refused"),
    delivery("unchanged", "the update would change nothing"),
    delivery("unexpected_reply", "the destination's reply is none that is known"),
    delivery("version_invalid", "the destination does not know the version that is asked for"),
    delivery("workspace_changed", "the token opens another workspace than the one everything went to before"),
    delivery(
        "workspace_unknown",
        "which workspace was seen last cannot be read from, or written to, the data directory",
    ),
    delivery(
        "written_since",
        "a call that was replayed, retried or came before its contact, and all it says newer calls have written; as a warning, the field was left out",
    ),
];

/// The codes met somewhere, in the order of their words.
pub(super) fn met(met: Met) -> impl Iterator<Item = &'static Code> {
    ALL.iter().filter(move |code| code.met == met)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::*;
    use crate::destination::KINDS;

    /// Rust files below a folder, without those that hold only tests.
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "fake.rs");
            if path.is_dir() {
                files(&path, found);
            } else if !is_test && path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The codes that the code of these rooms gives, as it is written.
    fn given() -> BTreeSet<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        for room in ["yaml", "mapping", "destination", "cli"] {
            files(&source.join(room), &mut paths);
        }
        let patterns = [
            r#"(?:\.error|\.warning|Failure::rejected)\(\s*"([a-z_]+)""#,
            r#"(?:Unfit|Failure)::new\(\s*(?:[A-Za-z:]+,\s*)?"([a-z_]+)""#,
            r#"Kind::[A-Z][A-Za-z]+, "([a-z_]+)"\)"#,
            r#"Warning::new\(\s*[^,;]+,\s*"([a-z_]+)""#,
            r#"Skipped\(\s*"([a-z_]+)""#,
            r#"notes\.push\(\(\s*"([a-z_]+)""#,
            r#"const [A-Z_]+: &(?:'static )?str = "([a-z]+_[a-z_]+)";"#,
            r#"^\s*\("([a-z]+_[a-z_]+)", (?:format!|message|")"#,
        ];
        let patterns = patterns.map(|pattern| Regex::new(&format!("(?m){pattern}")).unwrap());
        let mut words = BTreeSet::new();
        for path in paths {
            let text = fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for pattern in &patterns {
                words.extend(pattern.captures_iter(text).map(|found| found[1].to_owned()));
            }
        }
        words
    }

    #[test]
    fn every_code_has_its_meaning_and_no_other_is_listed() {
        const NOT_CODES: &[&str] = &[
            "company_there",
            "company_written",
            "contact_asked_for",
            "contact_brought",
            "contact_unarchived_at",
            "custom_attributes",
            "ends_with",
            "interline_text",
            "last_seen_at",
            "lead_asked_for",
            "lead_looked_for",
            "starts_with",
            "ticket_asked_for",
        ];
        let actions: Vec<&str> = KINDS.iter().flat_map(|kind| (kind.actions)()).map(|facts| facts.name).collect();
        let given = given();
        assert!(given.len() > 60, "{given:?}");
        let unlisted: Vec<&String> = given
            .iter()
            .filter(|word| !NOT_CODES.contains(&word.as_str()) && !actions.contains(&word.as_str()))
            .filter(|word| !ALL.iter().any(|code| code.word == *word))
            .collect();
        assert!(unlisted.is_empty(), "codes without a meaning in src/generate/codes.rs: {unlisted:?}");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        files(&source, &mut paths);
        let all: String = paths
            .iter()
            .filter(|path| !path.ends_with("generate/codes.rs"))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        let unused: Vec<&str> =
            ALL.iter().map(|code| code.word).filter(|word| !all.contains(&format!("\"{word}\""))).collect();
        assert!(unused.is_empty(), "listed in src/generate/codes.rs and used nowhere: {unused:?}");
    }

    #[test]
    fn codes_stand_in_order_and_once() {
        for part in [Met::File, Met::Mapping, Met::Delivery] {
            let words: Vec<&str> = met(part).map(|code| code.word).collect();
            assert!(words.is_sorted_by(|one, other| one < other), "{words:?}");
        }
    }
}
