//! What each action leaves, as far as an older call could undo it when it is repeated.
//!
//! # Why
//! Only the calls of one person, and group calls of one company, are found again in the store. So what is shared by a whole
//! workspace is not here (tags that are made, renamed and deleted), nor what nothing newer can be undone by (events,
//! tickets, merging), nor requests of which nobody knows what they do.

use super::actions::{identify_company, identify_contact};
use crate::action::{Does, Fills, Tie};

/// A person, who may be known by the sender's own id.
const PERSON: Fills = Fills { own_id: Some("external_id"), ..Fills::PERSON };
const TAGS: Tie = Tie { to: &["tags"], fields: &["tags"], does: Does::Ties };
const TAG: Tie = Tie { to: &["name"], fields: &["name"], does: Does::Ties };
const COMPANY: Tie = Tie {
    to: &["intercom_company_id", "company_id"],
    fields: &["intercom_company_id", "company_id"],
    does: Does::Ties,
};

/// Makes a contact or updates it.
pub const IDENTIFY_CONTACT: Fills = Fills {
    identity: &["id", "external_id"],
    beside: &["role"],
    names: &["email"],
    company: Some(Tie {
        to: &["company_id"],
        fields: &["company_id", "remove_company"],
        does: Does::UntiesIf("remove_company"),
    }),
    tags: Some(TAGS),
    presence: Some(true),
    values_step: Some(identify_contact::BROUGHT),
    tag_step: Some(identify_contact::TAGGED),
    ..PERSON
};

/// Makes a company or updates it, and puts the contact in.
pub const IDENTIFY_COMPANY: Fills = Fills {
    identity: &["company_id"],
    company: Some(Tie {
        to: &["company_id"],
        fields: &["contact_id", "external_id", "email", "remove"],
        does: Does::UntiesIf("remove"),
    }),
    tags: Some(TAGS),
    only_unties: true,
    own_id: Some("external_id"),
    presence: Some(true),
    values_step: Some(identify_company::WRITTEN),
    ..Fills::COMPANY
};

/// Makes a contact.
pub const CREATE_CONTACT: Fills =
    Fills { identity: &["external_id"], beside: &["role"], names: &["email"], presence: Some(true), ..PERSON };

/// Changes a contact that is there.
pub const UPDATE_CONTACT: Fills =
    Fills { identity: &["id", "external_id"], beside: &["role"], names: &["email"], ..PERSON };

/// Takes a contact out of the archive.
pub const UNARCHIVE_CONTACT: Fills = Fills { identity: &["id"], presence: Some(true), ..PERSON };

/// Archives a contact.
pub const ARCHIVE_CONTACT: Fills = Fills { identity: &["id", "external_id", "email"], presence: Some(false), ..PERSON };

/// Deletes a contact.
pub const DELETE_CONTACT: Fills = Fills { erases: true, ..ARCHIVE_CONTACT };

/// Makes a company or updates it.
pub const CREATE_COMPANY: Fills = Fills { identity: &["company_id"], presence: Some(true), ..Fills::COMPANY };

/// Changes a company that is there.
pub const UPDATE_COMPANY: Fills = Fills { identity: &["id", "company_id"], ..Fills::COMPANY };

/// Deletes a company.
pub const DELETE_COMPANY: Fills = Fills { presence: Some(false), erases: true, ..UPDATE_COMPANY };

/// Puts a contact in a company.
pub const ATTACH_COMPANY: Fills =
    Fills { identity: &["contact_id", "external_id", "email"], company: Some(COMPANY), ..PERSON };

/// Takes a contact out of a company.
pub const DETACH_COMPANY: Fills = Fills { company: Some(Tie { does: Does::Unties, ..COMPANY }), ..ATTACH_COMPANY };

/// Puts a tag on.
pub const ATTACH_TAG: Fills = Fills {
    or_company: &["intercom_company_id", "company_id"],
    identity: &["contact_id", "external_id", "email", "intercom_company_id", "company_id"],
    tags: Some(TAG),
    ..PERSON
};

/// Takes a tag off.
pub const DETACH_TAG: Fills = Fills { tags: Some(Tie { does: Does::Unties, ..TAG }), ..ATTACH_TAG };

#[cfg(test)]
mod tests {
    use crate::action::Does;
    use crate::destination::intercom::actions;

    /// Those that an older call of cannot undo anything newer, or of which nobody can tell.
    const OTHERS: [&str; 7] =
        ["track_event", "create_ticket", "merge_contacts", "create_tag", "update_tag", "delete_tag", "raw_request"];

    #[test]
    fn every_writing_action_says_what_it_leaves_and_by_fields_it_has() {
        for facts in actions::facts().into_iter().filter(|facts| facts.in_mappings()) {
            let Some(fills) = facts.fills else {
                assert!(OTHERS.contains(&facts.name), "`{}` says nothing of what it leaves", facts.name);
                continue;
            };
            let ties: Vec<_> = fills.company.iter().chain(&fills.tags).collect();
            let undo = ties.iter().filter_map(|tie| match tie.does {
                Does::UntiesIf(field) => Some(field),
                _ => None,
            });
            let tied = ties.iter().flat_map(|tie| tie.to.iter().chain(tie.fields).copied());
            let named = [fills.or_company, fills.identity, fills.beside, fills.names].into_iter().flatten().copied();
            for field in undo.chain(tied).chain(named) {
                assert!(facts.field(field).is_some(), "`{}` has no field `{field}`", facts.name);
            }
        }
    }
}
