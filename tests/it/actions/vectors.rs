//! Segment's recorded Intercom cases, each accounted for in `tests/cases/segment/intercom.yaml`: the same final requests,
//! or a deliberate improvement with its reason.
//!
//! Look-ups are left out of the comparison: Segment asks the search where we ask directly, and neither changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use interline::action::Failure;
use interline::delivery::Steps;
use interline::destination::http::{Method, Reply, Request, Transport};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::engine::{self, Clock, Tree, Written, bring, written};

#[derive(Debug, Deserialize)]
pub struct Recorded {
    name: String,
    action: String,
    event: Box<RawValue>,
    mapping_overrides: IndexMap<String, Tree>,
    stub: Stub,
    requests: Vec<RecordedRequest>,
    result: Value,
}

/// What Segment's destination sent.
#[derive(Debug, Deserialize)]
struct RecordedRequest {
    method: String,
    path: String,
    body: Value,
}

/// How its Intercom answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stub {
    search: Value,
    search_status: u16,
    create: u16,
    company: Value,
    company_status: u16,
    attach: u16,
    events: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts {
    /// Why a result differs, by the improvement's name.
    improvements: BTreeMap<String, String>,
    cases: IndexMap<String, Account>,
}

/// `same`; or which improvements make it differ, the requests that write, and the outcome.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Account {
    Same(Same),
    Better { better: Vec<String>, writes: Vec<Written>, outcome: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Same {
    Same,
}

impl Transport for Stub {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let (status, body) = self.answer(&request);
        let body = if status < 300 { body } else { refusal(status) };
        Box::pin(async move { Ok(Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }) })
    }
}

impl Stub {
    fn answer(&self, request: &Request) -> (u16, Value) {
        let hit = match self.search["data"].as_array().and_then(|hits| hits.first()) {
            Some(hit) => (self.search_status, hit.clone()),
            // Nothing usable: as Segment takes it, there is no such contact.
            None if self.search_status == 200 => (404, Value::Null),
            None => (self.search_status, Value::Null),
        };
        match (request.method, request.path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
            (Method::Get, ["contacts", "find_by_external_id", _]) => hit,
            (Method::Post, ["contacts", "search"]) => (self.search_status, self.search.clone()),
            (Method::Post, ["contacts"]) => (self.create, json!({ "id": "NEW" })),
            (Method::Put, ["contacts", id]) => (200, json!({ "id": id })),
            (Method::Post, ["companies"]) => (self.company_status, self.company.clone()),
            (Method::Post, ["contacts", _, "companies"]) => (self.attach, self.company.clone()),
            (Method::Post, ["events"]) => (self.events, Value::Null),
            _ => (404, Value::Null),
        }
    }
}

fn refusal(status: u16) -> Value {
    let code = match status {
        401 => "unauthorized",
        404 => "not_found",
        429 => "rate_limit_exceeded",
        _ => "server_error",
    };
    json!({ "type": "error.list", "errors": [{ "code": code, "message": "" }] })
}

struct Ours {
    writes: Vec<Written>,
    outcome: String,
}

async fn ours(recorded: &Recorded) -> Ours {
    let action = match recorded.action.as_str() {
        "identifyContact" => "identify_contact",
        "groupIdentifyContact" => "identify_company",
        "trackEvent" => "track_event",
        other => other,
    };
    let fields = serde_json::to_value(&recorded.mapping_overrides).unwrap();
    let mappings = match engine::compile(action, &fields, &json!({ "region": "us", "access_token": "token" })) {
        Ok(mappings) => mappings,
        Err(codes) => {
            return Ours { writes: Vec::new(), outcome: format!("refused at load: {}", codes.join(", ")) };
        }
    };
    let intercom = engine::over(Arc::new(recorded.stub.clone()), &mappings, &Clock::new());
    // As it was recorded: a door that adds a time and an id to it would make another event of it.
    let event = recorded.event.get();
    let event = interline::json::parse(event.as_bytes()).unwrap();
    let came = bring(&mappings, &*intercom, &event, engine::first(&Steps::new())).await;
    let writes =
        came.requests.iter().filter(|exchange| exchange.method != "GET" && exchange.path != "/contacts/search");
    Ours { writes: writes.map(written).collect(), outcome: came.outcome }
}

/// The requests of Segment's that write, as cases write them.
fn theirs(recorded: &Recorded) -> Vec<Written> {
    let writes =
        recorded.requests.iter().filter(|request| request.method != "GET" && request.path != "/contacts/search");
    let write = |request: &RecordedRequest| {
        let path = Tree::Plain(request.path.clone().into());
        let body = serde_json::from_value(request.body.clone()).unwrap();
        IndexMap::from([(request.method.to_lowercase(), path), ("body".to_owned(), body)])
    };
    writes.map(write).collect()
}

/// Whether the requests that write, and success or failure, are Segment's.
fn is_same(recorded: &Recorded, ours: &Ours) -> bool {
    let failed = recorded.result.get("ERR").is_some();
    let ends_alike = failed != (ours.outcome == "delivered") || ours.outcome == "unmatched";
    ours.writes == theirs(recorded) && ends_alike
}

/// What is not as the account says.
fn check(recorded: &Recorded, account: &Account, ours: &Ours) -> Result<(), String> {
    let name = &recorded.name;
    let text = |writes: &Vec<Written>| serde_json::to_string(writes).unwrap();
    let differs = |expected: &Vec<Written>, outcome: &str| {
        let (came, expected) = (text(&ours.writes), text(expected));
        Err(format!("{name}: {}, expected {outcome}\n  came     {came}\n  expected {expected}", ours.outcome))
    };
    match account {
        Account::Same(Same::Same) if is_same(recorded, ours) => Ok(()),
        Account::Same(Same::Same) => differs(&theirs(recorded), "the same"),
        Account::Better { writes, outcome, .. } if ours.writes != *writes || ours.outcome != *outcome => {
            differs(writes, outcome)
        }
        Account::Better { .. } if is_same(recorded, ours) => Err(format!("{name}: listed as better, and is the same")),
        Account::Better { .. } => Ok(()),
    }
}

/// Compares every case with its account, and gives what is wrong.
async fn account_for(text: &str, mut accounts: Accounts) -> Vec<String> {
    let (mut wrong, mut same, mut better) = (Vec::new(), 0, 0);
    let mut unused: BTreeSet<String> = accounts.improvements.keys().cloned().collect();
    for line in text.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        let Some(account) = accounts.cases.shift_remove(&recorded.name) else {
            wrong.push(format!("{}: not accounted for", recorded.name));
            continue;
        };
        match &account {
            Account::Same(_) => same += 1,
            Account::Better { better: reasons, .. } => {
                better += 1;
                unused.retain(|name| !reasons.contains(name));
                let unnamed = reasons.iter().filter(|name| !accounts.improvements.contains_key(*name));
                wrong.extend(unnamed.map(|name| format!("{}: no reason is given for `{name}`", recorded.name)));
            }
        }
        wrong.extend(check(&recorded, &account, &ours(&recorded).await).err());
    }
    wrong.extend(accounts.cases.keys().map(|name| format!("{name}: accounted for, and not recorded")));
    wrong.extend(unused.iter().map(|name| format!("improvement `{name}`: no case has it")));
    println!("{} recorded cases: {same} the same, {better} better on purpose, {} wrong", same + better, wrong.len());
    wrong
}

#[tokio::test]
async fn every_recorded_case_is_accounted_for() {
    let Some(folder) = env::var_os("INTERLINE_VECTORS") else {
        println!("INTERLINE_VECTORS names no folder with segment_intercom.jsonl, so nothing was compared");
        return;
    };
    let text = fs::read_to_string(Path::new(&folder).join("segment_intercom.jsonl")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/segment/intercom.yaml");
    let accounts = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let wrong = account_for(&text, accounts).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
