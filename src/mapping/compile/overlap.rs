//! Mappings that never run, and mappings that do what others do already.

use crate::mapping::file::{Entry, Text};
use crate::mapping::{Mapping, Mappings};
use crate::yaml::{Problems, cut};

/// Notes mappings that are of no use. Those that are switched off are left alone.
pub(super) fn check(entries: &[Entry<'_>], mappings: &Mappings, problems: &mut Problems) {
    let named = |mapping: &Mapping| {
        entries.iter().find_map(|entry| entry.name.as_ref().filter(|name| name.text == mapping.name))
    };
    let running: Vec<&Mapping> = mappings.mappings.iter().filter(|mapping| mapping.enabled).collect();
    for (at, mapping) in running.iter().enumerate() {
        let Some(name) = named(mapping) else { continue };
        filtered(mapping, mappings, name, problems);
        let twin = running[..at].iter().find(|other| same(other, mapping));
        if let Some(twin) = twin {
            let message = format!("`{}` does the same as `{}`", cut(&mapping.name), cut(&twin.name));
            problems
                .warning("duplicate_mapping", &name.node.place, &name.path, message)
                .help("take one out, or every event is delivered twice");
            continue;
        }
        if let Some(other) = running.iter().find(|other| other.name != mapping.name && again(other, mapping)) {
            let (mine, theirs) = (cut(&mapping.name), cut(&other.name));
            let message = format!("every event that `{mine}` sends is sent again by `{theirs}`");
            problems
                .warning("sent_twice", &name.node.place, &name.path, message)
                .help(format!("exclude it from the trigger of `{theirs}`"));
        }
    }
}

/// A mapping whose events do not come through the filter.
fn filtered(mapping: &Mapping, mappings: &Mappings, name: &Text<'_>, problems: &mut Problems) {
    let Some(filter) = &mappings.filter else { return };
    // What can hold for no event at all is told where the trigger or the filter stands.
    let can_hold = |trigger: &crate::mapping::trigger::Trigger| trigger.may_hold_with(trigger);
    if can_hold(filter) && can_hold(&mapping.trigger) && !mapping.trigger.may_hold_with(filter) {
        let message = format!("`{}` never runs: the filter keeps out every event it is for", cut(&mapping.name));
        let help = format!("the filter is {}", cut(filter.text()));
        problems.warning("mapping_unreachable", &name.node.place, &name.path, message).help(help);
    }
}

/// Whether two mappings do the same for the same events.
fn same(one: &Mapping, other: &Mapping) -> bool {
    let fields = |mapping: &Mapping| {
        let texts = mapping.fields.iter().map(|filled| (filled.field.name.clone(), filled.text.clone()));
        texts.collect::<Vec<_>>()
    };
    one.action.name == other.action.name
        && one.trigger == other.trigger
        && one.on_invalid == other.on_invalid
        && fields(one) == fields(other)
}

/// Whether `other` surely sends what `mapping` sends already: it is for all its events and more, and fills what an
/// action must have in the same way. Harmless where an action brings one thing up to date.
fn again(other: &Mapping, mapping: &Mapping) -> bool {
    let required = |mapping: &Mapping| {
        let filled = mapping.fields.iter().filter(|filled| filled.field.required);
        filled.map(|filled| filled.text.clone()).collect::<Vec<_>>()
    };
    mapping.action.adds
        && mapping.action.name == other.action.name
        && required(mapping) == required(other)
        && mapping.trigger.may_hold_with(&mapping.trigger)
        && mapping.trigger.implies(&other.trigger)
        && (!other.trigger.implies(&mapping.trigger) || other.name < mapping.name)
}
