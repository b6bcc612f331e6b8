//! What Intercom can do: the list of actions.

use std::sync::LazyLock;

use super::Client;
use crate::action::{Definition, Facts};

mod archive_contact;
mod attach_company;
mod attach_tag;
mod create_company;
mod create_contact;
mod create_tag;
mod create_ticket;
mod delete_company;
mod delete_contact;
mod delete_tag;
mod detach_company;
mod detach_tag;
mod get_company;
mod get_contact;
mod get_ticket;
pub(super) mod identify_company;
pub(super) mod identify_contact;
mod list_companies;
mod list_contacts;
mod list_tags;
mod list_ticket_types;
mod merge_contacts;
mod raw_request;
mod search_contacts;
mod test_connection;
mod track_event;
mod unarchive_contact;
mod update_company;
mod update_contact;
mod update_tag;

static ACTIONS: LazyLock<Vec<Definition<Client>>> = LazyLock::new(|| {
    vec![
        Definition::of::<identify_contact::IdentifyContact>(),
        Definition::of::<identify_company::IdentifyCompany>(),
        Definition::of::<track_event::TrackEvent>(),
        Definition::of::<archive_contact::ArchiveContact>(),
        Definition::of::<unarchive_contact::UnarchiveContact>(),
        Definition::of::<get_contact::GetContact>(),
        Definition::of::<list_contacts::ListContacts>(),
        Definition::of::<search_contacts::SearchContacts>(),
        Definition::of::<create_contact::CreateContact>(),
        Definition::of::<update_contact::UpdateContact>(),
        Definition::of::<delete_contact::DeleteContact>(),
        Definition::of::<create_company::CreateCompany>(),
        Definition::of::<update_company::UpdateCompany>(),
        Definition::of::<delete_company::DeleteCompany>(),
        Definition::of::<get_company::GetCompany>(),
        Definition::of::<list_companies::ListCompanies>(),
        Definition::of::<attach_company::AttachCompany>(),
        Definition::of::<detach_company::DetachCompany>(),
        Definition::of::<create_tag::CreateTag>(),
        Definition::of::<update_tag::UpdateTag>(),
        Definition::of::<delete_tag::DeleteTag>(),
        Definition::of::<list_tags::ListTags>(),
        Definition::of::<attach_tag::AttachTag>(),
        Definition::of::<detach_tag::DetachTag>(),
        Definition::of::<create_ticket::CreateTicket>(),
        Definition::of::<get_ticket::GetTicket>(),
        Definition::of::<list_ticket_types::ListTicketTypes>(),
        Definition::of::<merge_contacts::MergeContacts>(),
        Definition::of::<raw_request::RawRequest>(),
        Definition::of::<test_connection::TestConnection>(),
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
