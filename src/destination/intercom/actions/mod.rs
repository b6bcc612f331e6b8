//! What Intercom can do: the list of actions.

use std::sync::LazyLock;

use super::Client;
use crate::action::{Definition, Facts};

mod identify_company;
mod identify_contact;
mod track_event;

pub use identify_company::IdentifyCompany;
pub use identify_contact::IdentifyContact;
pub use track_event::TrackEvent;

static ACTIONS: LazyLock<Vec<Definition<Client>>> = LazyLock::new(|| {
    vec![
        Definition::of::<IdentifyContact>(), //
        Definition::of::<IdentifyCompany>(),
        Definition::of::<TrackEvent>(),
    ]
});

/// The facts of all actions, in the order of the docs.
pub fn facts() -> Vec<&'static Facts> {
    ACTIONS.iter().map(|definition| &definition.facts).collect()
}

/// The action called `name`.
pub(super) fn find(name: &str) -> Option<&'static Definition<Client>> {
    ACTIONS.iter().find(|definition| definition.facts.name == name)
}
