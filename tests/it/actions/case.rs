//! One case: a file that says what goes in and what must come out.
//!
//! Without `state`, requests that have no reply of their own in `replies` are answered as an Intercom in which the
//! contact is there, or with `contact: absent` is not. With `state`, the stand-in Intercom is asked over the network.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use interline::action::{Failure, Kind};
use interline::delivery::Steps;
use interline::destination::http::{Reply, Request, Transport};
use interline::destination::intercom::rehearsal::Rehearsal;
use interline::destination::{Before, Destination};
use interline::http::ingest;
use interline::json;
use interline::mapping::Mappings;
use interline::sandbox::{self, Fault, Sandbox, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{self, Came, Clock, Tree, Written, bring, written};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The call as an SDK sends it.
    #[serde(default)]
    event: Option<Tree>,
    /// The fields that the mapping fills by itself; all others have their defaults.
    #[serde(default)]
    mapping: Option<Tree>,
    /// The fields as a person gives them who runs the action by hand: instead of an event and a mapping.
    #[serde(default)]
    by_hand: Option<Tree>,
    /// What that person reads: some of its members.
    #[serde(default)]
    document: Option<Value>,
    /// Settings of the destination besides its token.
    #[serde(default)]
    settings: IndexMap<String, Value>,
    #[serde(default)]
    contact: Presence,
    /// What the stand-in Intercom holds before.
    pub state: Option<Seed>,
    /// Switches of the stand-in Intercom.
    #[serde(default)]
    sandbox: Value,
    #[serde(default)]
    faults: Vec<Fault>,
    /// What the stand-in Intercom holds afterwards: for each list, its items with some of their members.
    #[serde(default)]
    leaves: IndexMap<String, Vec<Value>>,
    #[serde(default)]
    replies: Vec<Scripted>,
    /// Whether the delivery has waited for its contact as long as it may.
    #[serde(default)]
    waited_out: bool,
    /// Whether an older delivery about the same person waits for the contact.
    #[serde(default)]
    follows: bool,
    requests: Vec<Written>,
    outcome: String,
    #[serde(default)]
    warnings: Vec<String>,
    /// Further attempts, on the same Intercom.
    #[serde(default)]
    again: Vec<Attempt>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Presence {
    #[default]
    Exists,
    Absent,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    /// Another call than the first one.
    event: Option<Tree>,
    /// Other fields than the first time, given by hand.
    by_hand: Option<Tree>,
    /// What that person reads: some of its members.
    document: Option<Value>,
    /// So many seconds after the attempt before.
    #[serde(default)]
    later_secs: i64,
    /// Answers to the first requests, in order.
    #[serde(default)]
    replies: Vec<Scripted>,
    /// Whether the delivery has waited for its contact as long as it may.
    #[serde(default)]
    waited_out: bool,
    /// Whether an older delivery about the same person waits for the contact.
    #[serde(default)]
    follows: bool,
    requests: Vec<Written>,
    /// `delivered`, or kind and code: `skipped unchanged`, `too_early contact_not_found`, `unfit field_missing`.
    outcome: String,
    /// Codes of the warnings, in order.
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripted {
    /// 0: no reply, and nobody knows whether the request came through.
    status: u16,
    #[serde(default)]
    headers: IndexMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
}

/// Answers as scripted, then as rehearsed.
struct Script {
    replies: Mutex<Vec<Scripted>>,
    rehearsal: Rehearsal,
}

impl Transport for Script {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let Some(scripted) = self.replies.lock().unwrap().pop() else { return self.rehearsal.send(request) };
        Box::pin(async move {
            if scripted.status == 0 {
                return Err(Failure::new(Kind::Unknown, "connection_lost", "the connection broke"));
            }
            let body = scripted.body.map(|body| serde_json::to_vec(&body).unwrap()).unwrap_or_default();
            Ok(Reply { status: scripted.status, headers: scripted.headers.into_iter().collect(), body })
        })
    }
}

/// Whom a case is performed on.
enum Other {
    Script(Arc<Script>),
    Sandbox(sandbox::Running),
}

impl Case {
    pub fn read(path: &Path) -> Case {
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What is not as the case says.
    pub async fn differences(mut self, action: &str) -> Vec<String> {
        let clock = Clock::new();
        let other = self.other(&clock);
        let mappings = match self.compile(action, &other) {
            Ok(mappings) => mappings,
            Err(codes) => return vec![format!("  refused at load: {codes:?}")],
        };
        let destination: Box<dyn Destination> = match &other {
            Other::Script(script) => engine::over(script.clone(), &mappings, &clock),
            Other::Sandbox(_) => engine::build(&mappings, &clock),
        };
        let (mut found, mut steps) = (Vec::new(), Steps::new());
        for attempt in self.attempts() {
            clock.advance(attempt.later_secs);
            if let Other::Script(script) = &other {
                *script.replies.lock().unwrap() = attempt.replies.iter().rev().cloned().collect();
            }
            if attempt.event.is_some() {
                steps.clear();
            }
            let by_hand = attempt.by_hand.as_ref().or(self.by_hand.as_ref());
            let came = match (attempt.event.as_ref().or(self.event.as_ref()), by_hand) {
                (Some(event), _) => {
                    let Attempt { waited_out, follows, .. } = attempt;
                    let before = Before { waited_out, follows, ..engine::first(&steps) };
                    self.sent(event, &mappings, &*destination, &clock, before).await
                }
                (None, Some(fields)) => {
                    let text = serde_json::to_vec(fields).unwrap();
                    engine::by_hand(action, &json::parse(&text).unwrap(), &*destination).await
                }
                (None, None) => panic!("a case has an `event`, or `by_hand`"),
            };
            attempt.compare(&came, &mut found);
            // What was delivered is not attempted again: a further case is then about a new delivery.
            steps = if came.outcome == "delivered" { Steps::new() } else { came.steps };
            if let Other::Script(script) = &other {
                differ(&mut found, "replies left over", &script.replies.lock().unwrap().len(), &0);
            }
        }
        if let Other::Sandbox(running) = other {
            self.compare_state(&running.state(), &mut found);
            running.stop().await;
        }
        found
    }

    /// What comes of a call of an SDK.
    async fn sent(
        &self,
        event: &Tree,
        mappings: &Mappings,
        destination: &dyn Destination,
        clock: &Clock,
        before: Before<'_>,
    ) -> Came {
        let event = serde_json::to_vec(event).unwrap();
        match ingest::read("case", &event, clock.now()) {
            Ok(event) => bring(mappings, destination, &event.view().unwrap(), before).await,
            Err(problem) => Came::nothing(format!("refused {}", problem.code.word())),
        }
    }

    fn other(&mut self, clock: &Clock) -> Other {
        let Some(seed) = self.state.take() else {
            assert!(self.leaves.is_empty() && self.faults.is_empty(), "`leaves` and `faults` go with `state`");
            let rehearsal = Rehearsal { contact_exists: self.contact == Presence::Exists, email: self.address() };
            return Other::Script(Arc::new(Script { replies: Mutex::default(), rehearsal }));
        };
        let mut settings = serde_json::json!({ "search_lag_secs": 0 });
        settings.as_object_mut().unwrap().extend(self.sandbox.as_object().cloned().unwrap_or_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = clock.clone();
        let running = Sandbox::start(serde_json::from_value(settings).unwrap(), listener, move || clock.now()).unwrap();
        running.control().seed(seed).expect("a good `state`");
        self.faults.drain(..).for_each(|fault| running.control().fault(fault));
        Other::Sandbox(running)
    }

    /// The address in the call: the contact that is there has it already.
    fn address(&self) -> Option<String> {
        let call = serde_json::to_value(self.event.as_ref()?).unwrap();
        call["traits"]["email"].as_str().map(str::to_owned)
    }

    fn compile(&self, action: &str, other: &Other) -> Result<Mappings, Vec<&'static str>> {
        let mut settings = serde_json::json!({ "region": "us", "access_token": "token" });
        let all = settings.as_object_mut().unwrap();
        all.extend(self.settings.clone());
        if let Other::Sandbox(running) = other {
            all.insert("base_url".to_owned(), running.url().into());
        }
        // Run by hand, only the settings count: any action will do.
        let action = if self.by_hand.is_some() { "identify_contact" } else { action };
        let fields =
            self.mapping.as_ref().map_or_else(|| serde_json::json!({}), |fields| serde_json::to_value(fields).unwrap());
        engine::compile(action, &fields, &settings)
    }

    fn attempts(&mut self) -> Vec<Attempt> {
        let first = Attempt {
            event: None,
            by_hand: None,
            document: self.document.take(),
            later_secs: 0,
            replies: std::mem::take(&mut self.replies),
            waited_out: self.waited_out,
            follows: self.follows,
            requests: std::mem::take(&mut self.requests),
            outcome: std::mem::take(&mut self.outcome),
            warnings: std::mem::take(&mut self.warnings),
        };
        std::iter::once(first).chain(std::mem::take(&mut self.again)).collect()
    }

    fn compare_state(&self, state: &Value, found: &mut Vec<String>) {
        for (list, expected) in &self.leaves {
            let items = state[list].as_array().cloned().unwrap_or_default();
            let shown: Vec<Value> = match items.len() == expected.len() {
                true => items.iter().zip(expected).map(|(item, expected)| part(item, expected)).collect(),
                false => items,
            };
            differ(found, list, &shown, expected);
        }
    }
}

impl Attempt {
    fn compare(&self, came: &Came, found: &mut Vec<String>) {
        let requests: Vec<_> = came.requests.iter().map(written).collect();
        let metadata = |requests: &[Written]| requests.iter().map(metadata_keys).collect::<Vec<_>>();
        differ(found, "requests", &requests, &self.requests);
        differ(found, "order of metadata", &metadata(&requests), &metadata(&self.requests));
        differ(found, "outcome", &came.outcome, &self.outcome);
        differ(found, "warnings", &came.warnings, &self.warnings);
        if let Some(expected) = &self.document {
            let shown = came.document.as_ref().map_or(Value::Null, |whole| part(whole, expected));
            differ(found, "document", &shown, expected);
        }
    }
}

/// The part of a value that is spoken of; lists count as wholes, item by item.
fn part(whole: &Value, expected: &Value) -> Value {
    match (whole, expected) {
        (Value::Object(members), Value::Object(expected)) => {
            let kept = expected.iter().map(|(key, expected)| {
                let member = members.get(key).unwrap_or(&Value::Null);
                (key.clone(), part(member, expected))
            });
            Value::Object(kept.collect())
        }
        (Value::Array(items), Value::Array(expected)) if items.len() == expected.len() => {
            items.iter().zip(expected).map(|(item, expected)| part(item, expected)).collect()
        }
        _ => whole.clone(),
    }
}

/// The order of the metadata's keys, which comparing objects does not see.
fn metadata_keys(request: &Written) -> Vec<String> {
    let Some(Tree::Object(body)) = request.get("body") else { return Vec::new() };
    let Some(Tree::Object(metadata)) = body.get("metadata") else { return Vec::new() };
    metadata.keys().cloned().collect()
}

fn differ<T: Serialize + PartialEq>(found: &mut Vec<String>, what: &str, came: &T, expected: &T) {
    let text = |value: &T| serde_json::to_string(value).unwrap();
    if came != expected {
        found.push(format!("  {what}\n    came     {}\n    expected {}", text(came), text(expected)));
    }
}
