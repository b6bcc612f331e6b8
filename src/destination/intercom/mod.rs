//! Intercom: contacts, companies and what contacts did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use crate::action::Failure;
use crate::delivery::Steps;
use crate::destination::erase::{Erased, Subject};
use crate::destination::http::{self, Network, Transport};
use crate::destination::{self, Ahead, Allowance, Before, Clock, Context, Destination, Memory, Performed};
use crate::metrics::Metrics;
use crate::yaml::{self, Node, Problems};

pub mod actions;
mod adopt;
mod ahead;
mod archive;
mod asked;
mod attribute;
mod client;
mod closed;
mod company;
mod contact;
mod directory;
mod economy;
mod erase;
mod error;
mod fills;
mod fitting;
mod identity;
mod known;
mod lately;
mod leads;
mod ledger;
mod limits;
mod lookup;
mod merge;
mod metadata;
mod missing;
mod money;
mod page;
mod queued;
mod raw;
mod refusals;
pub mod rehearsal;
mod sign_in;
mod tag;
mod ticket;
mod update;
mod whom;
mod workspace;

pub use attribute::Unknown;
pub use client::Client;
pub use economy::Economy;
pub use missing::TooEarly;

/// Intercom as a kind of destination.
pub const KIND: destination::Kind = destination::Kind {
    name: "intercom",
    summary: "Intercom: contacts, companies and events of a workspace, over its REST API.",
    integrations: &["Intercom", "Intercom Cloud Mode (Actions)"],
    actions: actions::facts,
    troubles: refusals::TABLE,
    settings_schema: || {
        let generator =
            schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        generator.into_generator().into_root_schema_for::<Settings>().to_value()
    },
    check: |settings, problems| {
        let Some(read) = yaml::decode::<Settings>(settings, "settings", problems) else { return };
        // What was noted already is mostly why something seems to be missing.
        let is_noted = problems.iter().any(|problem| problem.path.starts_with("settings"));
        if let (false, Err(why)) = (is_noted, examine(&read)) {
            problems.error("settings_invalid", &settings.place, "settings", why);
        }
    },
    sign_in: Some(&sign_in::SIGN_IN),
    build: |settings, context| Ok(Box::new(build(read(settings)?, context)?)),
    rehearse: |settings, action, payload, contact_exists| {
        Box::pin(async move {
            let settings = read(settings).unwrap_or_default();
            rehearsal::rehearse(&settings, action, payload, contact_exists).await
        })
    },
};

/// Settings that were checked before.
fn read(settings: &Node) -> Result<Settings, String> {
    let mut problems = Problems::new("", "");
    let read = yaml::decode::<Settings>(settings, "settings", &mut problems);
    read.ok_or_else(|| problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))
}

/// How one Intercom workspace is reached, and what to do where there is a choice.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["access_token"]))]
pub struct Settings {
    /// Where the workspace's data lives: never guessed, because it decides where your people's data goes.
    pub region: Option<Region>,
    /// Another address of the API, instead of the region's: a sandbox, a test.
    #[serde(deserialize_with = "base_url")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub base_url: Option<Url>,
    /// The access token of an app of the workspace.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub access_token: SecretString,
    /// The app that `interline connect` signs in with, where no token is made by hand.
    pub oauth: Option<OauthSettings>,
    /// The version of the API, sent with every request.
    pub version: String,
    /// Whether a contact that is not found by external id is looked for by e-mail address before one is made.
    pub match_by_email: bool,
    /// What to do when the contact is archived.
    pub archived: Archived,
    /// What becomes of a delivery whose contact has not come, although it waited as long as `delivery.retry.too_early_max_secs`
    /// of the settings says.
    pub too_early: TooEarly,
    /// What becomes of a custom attribute that the workspace does not have.
    pub unknown_attributes: Unknown,
    /// Seconds after which the search surely shows a contact that was made.
    #[schemars(range(min = 0, max = 86400))]
    pub search_lag_secs: u64,
    /// Requests in flight at once, at most.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: usize,
    /// What is remembered of contacts and companies.
    pub cache: CacheSettings,
    /// Which requests are spared.
    pub economy: Economy,
    /// How requests are sent.
    pub http: http::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            region: None,
            base_url: None,
            access_token: SecretString::default(),
            oauth: None,
            version: "2.16".to_owned(),
            match_by_email: true,
            archived: Archived::Unarchive,
            too_early: TooEarly::DeadLetter,
            unknown_attributes: Unknown::Drop,
            search_lag_secs: 60,
            concurrency: 20,
            cache: CacheSettings::default(),
            economy: Economy::default(),
            http: http::Settings::default(),
        }
    }
}

impl Settings {
    /// When the search surely shows what was written at that time, both in Unix seconds.
    fn shown_from(&self, written_at: i64) -> i64 {
        written_at.saturating_add(i64::try_from(self.search_lag_secs).unwrap_or(i64::MAX))
    }
}

/// An app of Intercom's developer hub.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthSettings {
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub client_secret: SecretString,
}

/// Where a workspace's data lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The United States.
    Us,
    /// The European Union.
    Eu,
    /// Australia.
    Au,
}

impl Region {
    fn base_url(self) -> Url {
        let text = match self {
            Region::Us => "https://api.intercom.io/",
            Region::Eu => "https://api.eu.intercom.io/",
            Region::Au => "https://api.au.intercom.io/",
        };
        Url::parse(text).expect("it is a URL")
    }
}

impl Settings {
    /// Whether the version wants a teammate's id as a number: up to 2.15.
    pub(crate) fn owner_is_number(&self) -> bool {
        let minor = self.version.strip_prefix("2.").and_then(|minor| minor.parse::<u32>().ok());
        minor.is_some_and(|minor| minor < 16) || self.version.starts_with("1.")
    }
}

/// What to do when the contact that is meant is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Archived {
    /// Take it out of the archive and update it.
    Unarchive,
    /// Leave it; the delivery is skipped.
    Skip,
    /// Leave it; the delivery becomes a dead letter.
    Reject,
}

/// What is remembered of contacts and companies, so that they need not be looked up again.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Contacts that are remembered, at most, and as many companies and tags: some 2 KB of memory for each contact. 0 turns
    /// this off. What the search does not show yet is remembered besides.
    #[schemars(range(min = 0, max = 100000000))]
    pub entries_max: u64,
    /// Seconds an entry is kept.
    #[schemars(range(min = 0, max = 31536000))]
    pub ttl_secs: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        CacheSettings { entries_max: 20_000, ttl_secs: 3600 }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let url = Url::parse(&text).map_err(|error| serde::de::Error::custom(format!("`{text}` is not a URL: {error}")))?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    match plain && url.query().is_none() && url.fragment().is_none() {
        true => Ok(Some(url)),
        false => Err(serde::de::Error::custom("the base URL is `https://` or `http://`, a host and at most a path")),
    }
}

/// One workspace.
pub struct Intercom {
    service: Arc<Service>,
}

/// What all attempts of one workspace share.
pub(crate) struct Service {
    name: Arc<str>,
    settings: Settings,
    transport: Arc<dyn Transport>,
    clock: Clock,
    metrics: Metrics,
    permits: Semaphore,
    /// What was said last about how much is still taken.
    allowance: Mutex<Option<Allowance>>,
    closed: closed::Closed,
    directory: directory::Directory,
    known: Arc<known::Known>,
    leads: leads::Leads,
    companies: company::Register,
    tags: tag::Tags,
    attributes: attribute::Attributes,
    memory: Option<Arc<dyn Memory>>,
    ledger: ledger::Ledger,
    /// When this instance was built, in Unix seconds: what was under way in a process before ended by then.
    built_at: i64,
    /// Filled once the workspace is known to be the right one.
    recognized: OnceCell<()>,
}

const NO_REGION: &str = "`settings.region` is missing: us, eu or au, where the workspace's data lives";

/// What a type cannot say about settings alone.
fn examine(settings: &Settings) -> Result<(), String> {
    let token = settings.access_token.expose_secret();
    if token.trim().is_empty() {
        return Err(
            "`settings.access_token` is missing: an app's access token, from Intercom's developer hub, or `${file:…}` for the file that `interline connect` writes".to_owned()
        );
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("`settings.access_token` holds characters that no token has (spaces, line ends?)".to_owned());
    }
    if !is_version(&settings.version) {
        return Err("`settings.version` is no version of the API, as `2.16` is one".to_owned());
    }
    if settings.region.is_none() && settings.base_url.is_none() {
        return Err(NO_REGION.to_owned());
    }
    Ok(())
}

/// `2.16`, or the `Unstable` that Intercom names so.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    text == "Unstable" || text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// The address of the API.
fn base(settings: &Settings) -> Result<Url, String> {
    let region = settings.region.map(Region::base_url);
    settings.base_url.clone().or(region).ok_or_else(|| NO_REGION.to_owned())
}

/// Builds a workspace that is reached over the network. The error says which setting is at fault.
pub fn build(settings: Settings, context: Context) -> Result<Intercom, String> {
    examine(&settings)?;
    let network = Network::new(&settings.http, base(&settings)?)?;
    Ok(Intercom::over(Arc::new(network), settings, context))
}

impl Intercom {
    /// A workspace that is reached through `transport`.
    pub fn over(transport: Arc<dyn Transport>, settings: Settings, context: Context) -> Intercom {
        let service = Service {
            ledger: ledger::Ledger::new(&context.name, &settings, context.memory.as_ref()),
            built_at: (context.clock)().as_second(),
            name: context.name,
            transport,
            metrics: context.metrics,
            clock: context.clock,
            permits: Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            allowance: Mutex::default(),
            closed: closed::Closed::default(),
            directory: directory::Directory::new(&settings),
            known: Arc::new(known::Known::new(&settings)),
            leads: leads::Leads::default(),
            companies: company::Register::new(&settings),
            tags: tag::Tags::new(&settings),
            attributes: attribute::Attributes::new(),
            memory: context.memory,
            recognized: OnceCell::new(),
            settings,
        };
        Intercom { service: Arc::new(service) }
    }

    fn client(&self, steps: &Steps) -> Client {
        Client::new(self.service.clone(), steps.clone())
    }

    async fn perform_on(&self, client: Client, action: &str, payload: &[u8]) -> Performed {
        if let Err(failure) = client.recognize().await {
            return client.finish(Err(failure));
        }
        let result = match actions::find(action) {
            Some(definition) => client.perform(definition, payload).await,
            None => Err(Failure::rejected("action_unknown", format!("intercom has no action `{action}`"))),
        };
        client.finish(result)
    }
}

impl Destination for Intercom {
    fn perform<'a>(&'a self, action: &'a str, payload: &'a [u8], steps: &'a Steps) -> BoxFuture<'a, Performed> {
        Box::pin(self.perform_on(self.client(steps), action, payload))
    }

    fn perform_owed<'a>(&'a self, action: &'a str, payload: &'a [u8], before: Before<'a>) -> BoxFuture<'a, Performed> {
        let client = self.client(before.steps).owing(before);
        Box::pin(self.perform_on(client, action, payload))
    }

    fn quiet(&self) -> Option<Duration> {
        let told = (*self.service.allowance.lock().expect("noting an allowance does not panic"))?;
        let left = told.resets_at.duration_since((self.service.clock)()).try_into().ok();
        left.filter(|_| told.remaining == 0)
    }

    fn merges(&self, action: &str) -> bool {
        self.service.settings.economy.queued && queued::merges(action)
    }

    fn merged(&self, action: &str, older: &[u8], newer: &[u8]) -> Option<String> {
        let read = |payload: &[u8]| serde_json::from_slice(payload).ok();
        let takes = |model, name: &str, value: &Value| self.service.attributes.surely_take(model, name, value);
        let merged = queued::merged(action, &read(older)?, &read(newer)?, &takes)?;
        Some(Value::Object(merged).to_string())
    }

    fn ahead(&self, action: &str, payload: &[u8]) -> Ahead {
        ahead::ahead(action, &serde_json::from_slice(payload).unwrap_or_default())
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let client = self.client(&Steps::new());
            client.call(client::Call::new("GET /me", &[])?).await?;
            client.recognize().await
        })
    }

    fn erase<'a>(&'a self, subject: &'a Subject, dry_run: bool) -> BoxFuture<'a, Erased> {
        Box::pin(async move {
            let client = self.client(&Steps::new());
            let host = base(&self.service.settings).ok();
            let host = host.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
            let mut erased = Erased { host, ..Erased::default() };
            let done = match client.recognize().await {
                Ok(()) => client.erase(subject, dry_run, &mut erased).await,
                Err(failure) => Err(failure),
            };
            erased.failure = done.err();
            erased
        })
    }
}

#[cfg(test)]
mod tests;
