//! What an operator sets about the stand-in; everything not known about the real service is a switch here.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use super::permissions::Permission;

/// Settings of the stand-in Intercom. It encodes assumptions: a member marked "guess" is one, and can be turned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where it listens. Its control paths have no password: keep it on loopback.
    pub listen: SocketAddr,
    /// Access tokens that are accepted; empty: any.
    #[serde(skip_serializing)]
    pub access_tokens: Vec<AccessToken>,
    /// Seconds until a change of a contact shows in search, or `never`.
    pub search_lag_secs: SearchLag,
    /// Requests answered in each window of ten seconds; 0: no limit, and no rate headers.
    pub rate_limit_per_10s: u32,
    /// Requests are appended to this file as JSON lines that a checker of the API description reads.
    pub journal: Option<PathBuf>,
    /// Replies are appended to this file in the same form.
    pub journal_replies: Option<PathBuf>,
    /// How many requests the journal in memory keeps.
    pub journal_entries_max: usize,
    /// Longest request body, in bytes.
    pub body_bytes_max: usize,
    /// Region that `GET /me` names.
    pub region: Region,
    /// Code of the workspace.
    pub workspace_id: String,
    /// Ids of the admins; the first one is who the token belongs to.
    pub admin_ids: Vec<String>,
    /// Version of the API that a request without `Intercom-Version` gets.
    pub version_default: String,
    /// First eight hex digits of every contact and company id.
    pub id_seed: u32,

    /// What becomes of a custom attribute nobody defined. The real service refuses it, and the whole write with it;
    /// `accept` defines it, so that a trial works without preparation.
    pub unknown_attributes: UnknownAttributes,
    /// Which users may share an e-mail. Guess: sources disagree.
    pub email_uniqueness: EmailUniqueness,
    /// What becomes of an external id sent for a lead. Guess: only "users alone carry one" is documented.
    pub lead_external_id: Strictness,
    /// What becomes of an e-mail that is none. Guess: only "stored as given" is documented.
    pub malformed_email: Strictness,
    /// What becomes of a time that looks like milliseconds. Guess: no check is documented.
    pub milliseconds: Strictness,
    /// What becomes of text that is a number, for a numeric custom attribute. Guess: "may be refused".
    pub numeric_text: Strictness,
    /// What becomes of a value a list attribute does not name. Guess: the check was once on for four days.
    pub unlisted_values: Strictness,
    /// What becomes of lists and objects in event metadata. Guess: refused, or stored but unusable.
    pub nested_metadata: Strictness,
    /// Status for the event name beyond the most. Guess: seen once.
    pub event_names_status: u16,
    /// Most distinct event names.
    pub event_names_max: usize,
    /// What `GET /contacts/find_by_external_id/{external_id}` reads. Guess: nobody promises a direct read.
    pub external_id_lookup: ExternalIdLookup,
    /// How search compares e-mails. Guess: advice is to write them in lower case.
    pub email_search: EmailSearch,
    /// Answer to archiving a contact that is archived. Guess: undocumented.
    pub archive_twice: Repeated,
    /// Answer to a write on a contact that was merged away. Guess: documented for reads alone.
    pub merged_write: MergedWrite,
    /// Who may be merged.
    pub merge_roles: MergeRoles,
    /// Seconds until a deleted company is gone and its people detached. Guess: only "asynchronous" is documented.
    pub company_deletion_secs: u32,
    /// Seconds until a job is done.
    pub job_secs: u32,
    /// What the `company_id` of a ticket is. Guess: the description and the connector's documents disagree.
    pub ticket_company: TicketCompany,
    /// Names of tags that cannot be deleted because something depends on them.
    pub tags_in_use: Vec<String>,
    /// Names of custom attributes that cannot be archived because something depends on them.
    pub attributes_in_use: Vec<String>,
    /// What the token's app may not do: requests that need it are answered 403.
    pub forbidden: Vec<Permission>,
    /// Requests of all tokens together that are answered in each window of ten seconds, beside the limit of each; the real
    /// service has 4166. 0: no limit.
    pub workspace_rate_limit_per_10s: u32,
    /// Answer on the address of another region than the workspace's. Guess: undocumented.
    pub wrong_region: WrongRegion,
    /// Apps that may sign in by OAuth; empty: any.
    pub oauth_clients: Vec<OauthClient>,
    /// What the consent page does.
    pub oauth_consent: Consent,
    /// Answer to `GET /companies?company_id=`. Guess: seen as one company, described as a list.
    pub company_lookup: CompanyLookup,
    /// Whether people and companies may each have a custom attribute of one name. Guess: by one documented example not.
    pub shared_attribute_names: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8090)),
            access_tokens: Vec::new(),
            search_lag_secs: SearchLag::Secs(5),
            rate_limit_per_10s: 1666,
            journal: None,
            journal_replies: None,
            journal_entries_max: 100_000,
            body_bytes_max: 1_000_000,
            region: Region::Us,
            workspace_id: "sandbox1".to_owned(),
            admin_ids: vec!["1".to_owned()],
            version_default: "2.16".to_owned(),
            id_seed: 0x5a4d_b0c5,
            unknown_attributes: UnknownAttributes::Refuse,
            email_uniqueness: EmailUniqueness::OnlyWithoutExternalId,
            lead_external_id: Strictness::Refuse,
            malformed_email: Strictness::Refuse,
            milliseconds: Strictness::Refuse,
            numeric_text: Strictness::Refuse,
            unlisted_values: Strictness::Accept,
            nested_metadata: Strictness::Refuse,
            event_names_status: 422,
            event_names_max: 120,
            external_id_lookup: ExternalIdLookup::Direct,
            email_search: EmailSearch::Lowered,
            archive_twice: Repeated::Ok,
            merged_write: MergedWrite::Gone,
            merge_roles: MergeRoles::LeadIntoUser,
            company_deletion_secs: 1,
            job_secs: 1,
            ticket_company: TicketCompany::IntercomId,
            tags_in_use: Vec::new(),
            attributes_in_use: Vec::new(),
            forbidden: Vec::new(),
            workspace_rate_limit_per_10s: 0,
            wrong_region: WrongRegion::Unauthorized,
            oauth_clients: Vec::new(),
            oauth_consent: Consent::Ask,
            company_lookup: CompanyLookup::Object,
            shared_attribute_names: false,
        }
    }
}

impl Settings {
    /// These settings with some members changed. What is never written, tokens and secrets, stays unless it is among them.
    pub fn changed(&self, changes: Map<String, Value>) -> Result<Settings, serde_json::Error> {
        let mut all = json!(self);
        // A client without its secret cannot be read back.
        all["oauth_clients"] = json!([]);
        let (has_tokens, has_clients) = (changes.contains_key("access_tokens"), changes.contains_key("oauth_clients"));
        for (name, value) in changes {
            all[name] = value;
        }
        let mut changed: Settings = serde_json::from_value(all)?;
        if !has_tokens {
            changed.access_tokens.clone_from(&self.access_tokens);
        }
        if !has_clients {
            changed.oauth_clients.clone_from(&self.oauth_clients);
        }
        Ok(changed)
    }
}

/// A bearer token; it guards nothing here, and is still never shown.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AccessToken(pub String);

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// How far search is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SearchLag {
    /// A change shows after so many seconds.
    Secs(u32),
    /// A change never shows.
    Word(Never),
}

impl SearchLag {
    /// The index never catches up.
    pub const NEVER: SearchLag = SearchLag::Word(Never::Never);
}

/// The word `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Never {
    /// Not at any time.
    Never,
}

/// Where the workspace's data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// United States.
    Us,
    /// European Union.
    Eu,
    /// Australia.
    Au,
}

impl Region {
    /// The word `GET /me` uses.
    pub fn word(self) -> &'static str {
        match self {
            Region::Us => "US",
            Region::Eu => "EU",
            Region::Au => "AU",
        }
    }
}

/// What becomes of an undefined custom attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownAttributes {
    /// It is defined on the fly, so that a trial works without preparation.
    Accept,
    /// The whole write is refused, as the real service does.
    Refuse,
}

/// When two users may not have the same e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailUniqueness {
    /// Never may they.
    Strict,
    /// They may when both have an external id.
    OnlyWithoutExternalId,
    /// They always may.
    Off,
}

/// Whether something doubtful is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// It is let through or left out.
    Accept,
    /// The write is refused.
    Refuse,
}

/// What the lookup by external id reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExternalIdLookup {
    /// The contacts themselves.
    Direct,
    /// The index that search reads.
    Index,
}

/// How search compares e-mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailSearch {
    /// Kept in lower case; a value with capitals finds nothing.
    Lowered,
    /// Without regard to case.
    Insensitive,
}

/// Answer to a repeated act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// 200, as the first time.
    Ok,
    /// 404.
    NotFound,
}

/// Answer to a write on a contact that was merged away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergedWrite {
    /// 410, with a link to the contact it was merged into.
    Gone,
    /// 404.
    NotFound,
}

/// Who may be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeRoles {
    /// A lead into a user.
    LeadIntoUser,
    /// Anybody into anybody, as the preview version allows.
    Any,
}

/// Answer to a lookup of a company by your own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompanyLookup {
    /// One company.
    Object,
    /// A list with one company in it.
    List,
}

/// What a ticket's `company_id` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketCompany {
    /// The service's id.
    IntercomId,
    /// Your own id.
    CompanyId,
    /// Whichever fits.
    Either,
}

/// Answer on another region's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrongRegion {
    /// 401, as for a token nobody knows.
    Unauthorized,
    /// 404.
    NotFound,
    /// As on the right address: the request was forwarded.
    Forwarded,
}

/// An app that signs in by OAuth.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthClient {
    /// Its id.
    pub client_id: String,
    /// Its secret; never shown.
    #[serde(skip_serializing)]
    pub client_secret: AccessToken,
    /// Where its users may be sent back to; the first one holds when nobody names one. Empty: anywhere.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

/// What the consent page does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It shows a page with a link to allow and one to deny.
    Ask,
    /// It allows, and sends back at once.
    Allow,
    /// It denies, and sends back at once.
    Deny,
}
