//! Third parties: what each can do, and how to talk to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::action::{self, Document, Facts, Failure, Outcome};
use crate::delivery::{Exchange, Steps};
use crate::instant::Timestamp;
use crate::json::{Json, Object};
use crate::mapping;
use crate::mapping::compile::{Compiled, Known};
use crate::metrics::Metrics;
use crate::yaml::{Lookup, Node, Problems};

mod done;
pub mod erase;
mod explanation;
pub mod http;
pub mod intercom;
mod judge;
pub mod sign_in;

pub use done::{Done, Skipped};
pub use explanation::{Circumstances, Ending, Explained, Explanation, KeptOut, Sent, explain};
pub use judge::{Difference, judge, refusal};

/// Every kind of third party.
pub const KINDS: &[&Kind] = &[&intercom::KIND];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// Compiles the text of a destination file, and has its destination check its settings. `file` is its name, as messages
/// show it; `sources` are the names it may mention, where they are known.
pub fn compile(text: &str, file: &str, sources: Option<&[&str]>, lookup: Lookup<'_>) -> Result<Compiled, Problems> {
    let destinations: Vec<(&str, Vec<&'static Facts>)> =
        KINDS.iter().map(|kind| (kind.name, (kind.actions)())).collect();
    let check_settings = |name: &str, settings: &Node, problems: &mut Problems| {
        if let Some(kind) = kind(name) {
            (kind.check)(settings, problems);
        }
    };
    let known = Known { destinations: &destinations, sources, check_settings: &check_settings, lookup };
    mapping::compile::compile(text, file, &known)
}

/// Whether the event's `integrations` object lets a destination have it: its own entry decides, else `All`, else yes
/// (Segment spec, "Integrations"). `names` are those by which the object may mean it.
pub fn wanted(event: &Json<'_>, names: &[&str]) -> bool {
    let Some(integrations) = event.get("integrations") else { return true };
    let says = |name: &str| match integrations.get(name) {
        Some(Json::Bool(value)) => Some(*value),
        Some(Json::Object(_)) => Some(true),
        _ => None,
    };
    names.iter().find_map(|name| says(name)).or_else(|| says("All")).or_else(|| says("all")).unwrap_or(true)
}

/// What a destination says about how much it still takes from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Allowance {
    /// Requests it takes in a window of time.
    pub limit: u32,
    /// Requests it still takes in this window.
    pub remaining: u32,
    /// When this window ends.
    pub resets_at: Timestamp,
}

/// What performing one action came to, and what was said on the way.
#[derive(Debug)]
pub struct Performed {
    /// How it ended.
    pub result: action::Result,
    /// Requests and replies, in order.
    pub exchanges: Vec<Exchange>,
    /// What the destination said last about how much it still takes.
    pub allowance: Option<Allowance>,
    /// What this attempt finished, whether or not it then failed.
    pub steps: Steps,
    /// What the destination answered, for the person who asked.
    pub document: Option<Document>,
}

impl Performed {
    /// Nothing was said, and it failed.
    pub fn failed(failure: Failure) -> Performed {
        Performed { result: Err(failure), exchanges: Vec::new(), allowance: None, steps: Steps::new(), document: None }
    }
}

/// One configured instance of a third party.
pub trait Destination: Send + Sync + 'static {
    /// Performs an action with a payload that mapping made, going on after the steps that earlier attempts finished.
    fn perform<'a>(&'a self, action: &'a str, payload: &'a [u8], steps: &'a Steps) -> BoxFuture<'a, Performed>;

    /// The same for a delivery, with all that it is known to have come to. A destination that has nothing to write down and
    /// no last resort need not care.
    fn perform_owed<'a>(&'a self, action: &'a str, payload: &'a [u8], before: Before<'a>) -> BoxFuture<'a, Performed> {
        self.perform(action, payload, before.steps)
    }

    /// How long the destination takes nothing more, as far as it has said; what a person asks for waits that long.
    fn quiet(&self) -> Option<Duration> {
        None
    }

    /// Whether waiting deliveries of an action may be made one. Cheap: asked at every attempt.
    fn merges(&self, _action: &str) -> bool {
        false
    }

    /// What of an action is done in its turn while an older delivery about the same person waits for the contact
    /// ([`Before::follows`]).
    fn ahead(&self, _action: &str, _payload: &[u8]) -> Ahead {
        Ahead::Nothing
    }

    /// One payload for two of the same action that wait one directly behind the other, which leaves what both, in order,
    /// would leave; a step that is finished of it is finished of each. `None`: there is none, or nobody can be sure.
    fn merged(&self, _action: &str, _older: &[u8], _newer: &[u8]) -> Option<String> {
        None
    }

    /// Asks whether the credentials work, by a harmless read.
    fn probe(&self) -> BoxFuture<'_, Result<(), action::Failure>>;

    /// Deletes a person for good, and looks whether they are gone; in a trial (`dry_run`) only says who that would be.
    /// A third party that cannot do that says so.
    fn erase<'a>(&'a self, _subject: &'a erase::Subject, _dry_run: bool) -> BoxFuture<'a, erase::Erased> {
        let failure = Failure::rejected("erase_unsupported", "this destination has no way to delete a person");
        Box::pin(std::future::ready(erase::Erased { failure: Some(failure), ..erase::Erased::default() }))
    }
}

/// Longest wait of a person for a destination that takes nothing; beyond, they had better be told.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// Waits while a destination takes nothing, for what a person asks for.
pub async fn wait_out_quiet(destination: &dyn Destination) {
    if let Some(quiet) = destination.quiet().filter(|quiet| *quiet <= QUIET_MAX) {
        tokio::time::sleep(quiet).await;
    }
}

/// Performs an action that a person asks for, with the values they gave. Not tried again by itself: it is they who see what
/// came of it. It waits while the destination takes nothing, a minute at most; deliveries leave some of what a window takes for it.
pub async fn by_hand(destination: &dyn Destination, facts: &Facts, given: &Object<'_>) -> Performed {
    let payload = match mapping::by_hand(facts, given) {
        Ok(payload) => payload,
        Err(unfit) => {
            return Performed::failed(Failure { code: unfit.code, ..Failure::rejected("", unfit.message) });
        }
    };
    let text = Json::Object(payload.object).to_string();
    wait_out_quiet(destination).await;
    let mut performed = destination.perform(facts.name, text.as_bytes(), &Steps::new()).await;
    if let Ok(Outcome::Delivered(warnings)) = &mut performed.result {
        warnings.splice(0..0, payload.warnings);
    }
    performed
}

/// The pages of a list that a person asks for, one after the other: nothing is held but the page at hand.
pub struct Pages<'d> {
    destination: &'d dyn Destination,
    facts: &'d Facts,
    next: Option<Object<'static>>,
}

impl<'d> Pages<'d> {
    /// All pages of a list, from the one that `given` asks for. Where the action has a way of its own to go through a whole
    /// list, a field `all`, it is used.
    pub fn new(destination: &'d dyn Destination, facts: &'d Facts, mut given: Object<'static>) -> Pages<'d> {
        if facts.field("all").is_some() {
            given.insert("all", Json::Bool(true));
        }
        Pages { destination, facts, next: Some(given) }
    }

    /// The next page, or why it cannot be had. `None`: that was the last, or there was a failure.
    pub async fn next(&mut self) -> Option<Performed> {
        let given = self.next.take()?;
        let performed = by_hand(self.destination, self.facts, &given).await;
        if let (Ok(_), Some(Document::Page(page))) = (&performed.result, &performed.document)
            && let Some(next) = &page.next
        {
            let mut given = given;
            for (name, value) in next {
                given.insert(name.clone(), Json::from(value));
            }
            self.next = Some(given);
        }
        Some(performed)
    }
}

/// What of an action is done although an older delivery about the same person waits for the contact; the rest waits behind
/// that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing: all of it needs the contact, or might undo what the older one is still to do.
    Nothing,
    /// What needs nobody to be there.
    Apart,
    /// The contact is made or updated, so the older one need not wait any longer.
    Contact,
}

/// How far a delivery has come before an attempt.
pub struct Before<'a> {
    /// What earlier attempts finished.
    pub steps: &'a Steps,
    /// Where what is not safe to repeat is written down before it is done: after a crash, `steps` say that it may have been.
    pub notes: Arc<dyn Notes>,
    /// Whether it has waited as long as it may for what was not there yet. Another failure of that sort ends the delivery,
    /// so whatever the destination does as a last resort, it does now.
    pub waited_out: bool,
    /// Whether an older delivery about the same person waits for the contact. Then only what needs nobody to be there is done;
    /// where something is left, the attempt fails with [`awaited`].
    pub follows: bool,
}

/// Code of what waits behind an older delivery.
pub const CONTACT_AWAITED: &str = "contact_awaited";

/// What needs the contact waits behind an older delivery about the same person, and is done once that one has ended.
pub fn awaited() -> Failure {
    let message = "what is left needs the contact, for which an older delivery about the same person waits";
    Failure { retry_after: Some(Duration::ZERO), ..Failure::new(action::Kind::TooEarly, CONTACT_AWAITED, message) }
}

/// Writes down what an attempt is about to do.
pub trait Notes: Send + Sync {
    /// Puts steps on stable storage, before what they speak of is done.
    fn note(&self, steps: Steps) -> BoxFuture<'_, ()>;
}

/// Tells the time; given, so that tests decide what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a destination is built with besides its settings.
#[derive(Clone)]
pub struct Context {
    /// The instance's name: the name of its file, and the `destination` label of its metrics.
    pub name: Arc<str>,
    /// Where it counts.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
    /// What it remembers between starts; without it, nothing.
    pub memory: Option<Arc<dyn Memory>>,
}

/// Under this key an instance remembers whose workspace it was let into.
pub const WORKSPACE: &str = "workspace";

/// What an instance remembers between starts: a text under each key. Whole ones are small, and read or written seldom.
pub trait Memory: Send + Sync + 'static {
    /// What is remembered under `key`.
    fn recall(&self, key: &str) -> std::io::Result<Option<String>>;

    /// Remembers `text` under `key`.
    fn remember(&self, key: &str, text: &str) -> std::io::Result<()>;

    /// Adds `text` to the end of what is remembered under `key`.
    fn append(&self, key: &str, text: &str) -> std::io::Result<()>;

    /// What was added under `key` since `mark`; all of it, where it was written anew since.
    fn added(&self, key: &str, mark: Mark) -> std::io::Result<Added>;

    /// Waits until nobody else, in this process or another, holds what is remembered under `key`; then it is held until the
    /// answer is dropped. Whoever writes anew what was read holds it from before the reading.
    fn hold(&self, key: &str) -> std::io::Result<Box<dyn Send>>;
}

/// Up to where somebody has read what is remembered under a key. The default: nothing yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Which writing of it.
    pub writing: u64,
    /// How far, in bytes.
    pub length: u64,
}

/// What was added to what is remembered under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The text that was added.
    pub text: String,
    /// The mark behind it.
    pub mark: Mark,
    /// Whether it is all there is, because what was read before was written anew.
    pub is_anew: bool,
}

/// Builds an instance from its settings.
pub type Build = fn(&Node, Context) -> Result<Box<dyn Destination>, String>;

/// One way in which an attempt may fail, as data.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// Our word for it: in metrics, records and the console.
    pub code: &'static str,
    /// What it means for the delivery.
    pub kind: action::Kind,
    /// The third party's own codes for it.
    pub theirs: &'static [&'static str],
    /// When it happens.
    pub when: &'static str,
    /// What a person should do.
    pub remedy: &'static str,
}

/// A kind of third party, as data: what settings, docs and mappings need to know of it.
pub struct Kind {
    /// Its one name, as in `destination: intercom`.
    pub name: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// The names by which an event's `integrations` object may mean it.
    pub integrations: &'static [&'static str],
    /// Its actions.
    pub actions: fn() -> Vec<&'static Facts>,
    /// Every code that a failed attempt may have.
    pub troubles: &'static [Trouble],
    /// The JSON Schema of its settings.
    pub settings_schema: fn() -> serde_json::Value,
    /// Notes everything that is wrong with its settings.
    pub check: fn(&Node, &mut Problems),
    /// Builds an instance; the error says which setting is at fault.
    pub build: Build,
    /// How a person signs in, where that is possible.
    pub sign_in: Option<&'static sign_in::SignIn>,
    /// The requests that an action would send with a payload, to a third party in which the contact is there or not.
    /// Sends nothing.
    pub rehearse: for<'a> fn(&'a Node, &'a str, &'a [u8], bool) -> BoxFuture<'a, Performed>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[track_caller]
    fn check_wanted(integrations: &str, expected: bool) {
        let text = format!(r#"{{"integrations":{integrations}}}"#);
        let event = json::parse(text.as_bytes()).unwrap();
        assert_eq!(wanted(&event, &["Intercom", "Intercom Cloud Mode (Actions)"]), expected, "{integrations}");
    }

    #[test]
    fn the_integrations_object_says_who_may_have_an_event() {
        check_wanted("{}", true);
        check_wanted("null", true);
        check_wanted(r#"{"All":false}"#, false);
        check_wanted(r#"{"All":false,"Intercom":true}"#, true);
        check_wanted(r#"{"Intercom":false}"#, false);
        check_wanted(r#"{"All":false,"Intercom Cloud Mode (Actions)":{"x":1}}"#, true);
        check_wanted(r#"{"Salesforce":false}"#, true);
    }
}
