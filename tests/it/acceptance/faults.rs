//! The fault matrix: every writing action × every request it makes × everything that can go wrong with it. Whatever
//! happens, the delivery ends as it should, and Intercom is then as if nothing had happened, or as if nothing had been
//! asked.
//!
//! # Why
//! What is right needs no table of its own: it is what the same action leaves when nothing goes wrong, or what was there
//! before it. Time is paused, so that an outage of an hour costs nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use interline::action::Manner;
use interline::destination::intercom;
use interline::router::Settings;
use interline::sandbox::{self, Close, Effect, Fault, SearchLag, Seed, Status};
use serde_json::{Value, json};

use super::table::{ACTIONS, Row};
use crate::support::virtual_time::{Engine, Place};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Longer than a request may take.
const TOO_LONG_MILLIS: u64 = 15_000;

/// How a cell must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Delivered, or skipped because it was done: Intercom is as without the fault.
    Done,
    /// A dead letter, and Intercom as it was; where a later one of several requests was refused, partly as without it.
    Refused,
    /// Either of the two, whichever it says: the fault is a lie about what is there, or nobody can know what was done.
    Consistent,
}

/// What goes wrong, on how many requests in a row (0: all, for an hour), and how that must end.
struct Wrong {
    name: &'static str,
    effect: Effect,
    count: u64,
    end: End,
}

fn status(status: u16, code: &str, count: u64, end: End) -> (Effect, u64, End) {
    let effect =
        Effect::Status(Status { status, code: Some(code.to_owned()), rate_headers: true, ..Status::default() });
    (effect, count, end)
}

fn bare(status: u16, commit: bool) -> Effect {
    Effect::Status(Status { status, commit, without_request_id: true, ..Status::default() })
}

/// Everything of the table of errors (reference, section 6) and every fault of section 7.5 that one request can meet.
fn everything_that_goes_wrong() -> Vec<Wrong> {
    use End::{Consistent, Done, Refused};
    let commit = true;
    let html = |status, commit| Effect::Html { status, commit };
    let all = [
        ("400 parameter_not_found", status(400, "parameter_not_found", 1, Refused)),
        ("400 parameter_missing", status(400, "parameter_missing", 1, Refused)),
        ("400 parameter_invalid", status(400, "parameter_invalid", 1, Refused)),
        ("400 bad_request", status(400, "bad_request", 1, Refused)),
        ("400 type_mismatch", status(400, "type_mismatch", 1, Refused)),
        ("400 data_invalid", status(400, "data_invalid", 1, Refused)),
        ("400 client_error", status(400, "client_error", 1, Refused)),
        ("400 contact_company_limit_exceeded", status(400, "contact_company_limit_exceeded", 1, Refused)),
        ("400 tag_has_dependent_objects", status(400, "tag_has_dependent_objects", 1, Refused)),
        ("400 invalid_merge", status(400, "invalid_merge", 1, Refused)),
        ("400 intercom_version_invalid", status(400, "intercom_version_invalid", 0, Consistent)),
        ("401 unauthorized, an hour", status(401, "unauthorized", 0, Done)),
        ("401 token_revoked, an hour", status(401, "token_revoked", 0, Done)),
        ("402 api_plan_restricted, an hour", status(402, "api_plan_restricted", 0, Done)),
        ("403 api_plan_restricted, an hour", status(403, "api_plan_restricted", 0, Done)),
        ("403 forbidden, an hour", status(403, "forbidden", 0, Done)),
        ("404 not_found", status(404, "not_found", 1, Consistent)),
        ("404 company_not_found", status(404, "company_not_found", 1, Consistent)),
        ("405 method", status(405, "method_not_allowed", 1, Refused)),
        ("406 media_type", status(406, "media_type_not_acceptable", 1, Refused)),
        ("408 request_timeout before", (bare(408, false), 2, Done)),
        ("408 request_timeout after", (bare(408, commit), 2, Done)),
        ("409 conflict without id", (Effect::ConflictWithoutId, 1, Consistent)),
        ("409 resource_conflict", status(409, "resource_conflict", 1, Consistent)),
        ("410 contact_merged without link", status(410, "contact_merged", 1, Consistent)),
        ("415 media type", status(415, "unsupported_media_type", 1, Refused)),
        ("422 unprocessable_entity", status(422, "unprocessable_entity", 1, Refused)),
        ("429 with headers", status(429, "rate_limit_exceeded", 3, Done)),
        ("429 without headers", (bare(429, false), 3, Done)),
        ("429 thirty times", (bare(429, false), 30, Done)),
        ("500 before", (bare(500, false), 2, Done)),
        ("500 after", (bare(500, commit), 2, Done)),
        ("502 before", (bare(502, false), 2, Done)),
        ("503 before", (bare(503, false), 2, Done)),
        ("503 after", (bare(503, commit), 2, Done)),
        ("503 for an hour", (bare(503, false), 0, Done)),
        ("504 before", (bare(504, false), 2, Done)),
        ("504 after", (bare(504, commit), 2, Done)),
        ("closed before", (Effect::Close(Close::Before), 2, Done)),
        ("closed during", (Effect::Close(Close::During), 2, Done)),
        ("closed after", (Effect::Close(Close::After), 2, Done)),
        ("slow head", (Effect::SlowReply(3_000), 1, Done)),
        ("head too late", (Effect::SlowReply(TOO_LONG_MILLIS), 1, Done)),
        ("done too late", (Effect::Delay(TOO_LONG_MILLIS), 1, Done)),
        ("slow body", (Effect::SlowBody(3_000), 1, Done)),
        ("body too late", (Effect::SlowBody(TOO_LONG_MILLIS), 1, Done)),
        ("page with 200 before", (html(200, false), 1, Done)),
        ("page with 200 after", (html(200, commit), 1, Done)),
        ("page with 502", (html(502, false), 2, Done)),
        ("page with 404", (html(404, false), 1, Consistent)),
        ("page with 302", (html(302, false), 1, Done)),
        ("empty body", (Effect::Truncated { keep_bytes: 0 }, 1, Done)),
        ("truncated body", (Effect::Truncated { keep_bytes: 10 }, 1, Done)),
        ("another content type", (Effect::ContentType("text/plain".to_owned()), 1, Done)),
        ("reset an hour off", (Effect::ResetSkew(3_600), 1, Done)),
        ("reset an hour ago", (Effect::ResetSkew(-3_600), 1, Done)),
    ];
    all.into_iter().map(|(name, (effect, count, end))| Wrong { name, effect, count, end }).collect()
}

/// What is made to go wrong with a request that only reads: one of each kind, since nothing can be half done by it.
const ON_READS: [&str; 18] = [
    "400 bad_request",
    "401 unauthorized, an hour",
    "403 forbidden, an hour",
    "404 not_found",
    "408 request_timeout before",
    "410 contact_merged without link",
    "422 unprocessable_entity",
    "429 with headers",
    "429 without headers",
    "500 before",
    "503 for an hour",
    "504 before",
    "closed before",
    "closed during",
    "head too late",
    "page with 200 after",
    "page with 404",
    "truncated body",
];

pub fn reads(request: &str) -> bool {
    request.starts_with("GET ") || request.ends_with("/search")
}

/// What one history came to.
struct Came {
    /// `delivered`, `skipped …` or `dead_letter …`; or `open`.
    status: String,
    state: Value,
    requests: Vec<String>,
}

pub fn place(row: &Row, lag: SearchLag) -> Place {
    let settings = sandbox::Settings { search_lag_secs: lag, ..sandbox::Settings::default() };
    let mapping = json!({ "name": "it", "trigger": "type = \"track\"", "action": row.action, "defaults": false, "fields": row.fields() });
    let place = Place::new("crm", settings, &format!("  - {mapping}\n"), Duration::from_millis(20));
    let seed: Seed = serde_json::from_value(row.seed()).unwrap();
    place.control.seed(seed).unwrap();
    place
}

async fn history(row: &Row, wrong: Option<(&Wrong, u64)>, lag: SearchLag) -> Came {
    let place = place(row, lag);
    if let Some((wrong, nth)) = wrong {
        place.control.fault(Fault { nth, count: wrong.count, ..Fault::new("*", wrong.effect.clone()) });
    }
    let engine = Engine::start(&[&place], &Settings::default()).await;
    engine.accept(vec![json!({ "type": "track", "userId": "u-1", "event": "It" })]).await;
    if wrong.is_some_and(|(wrong, _)| wrong.count == 0) {
        tokio::time::sleep(HOUR).await;
        place.control.clear_faults();
    }
    let status = ended(&engine).await;
    // What was asked for too late to be told is done all the same.
    tokio::time::sleep(MINUTE).await;
    let journal = place.control.journal();
    let line = |entry: &Value| format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap());
    let requests = journal.as_array().unwrap().iter().map(line).collect();
    place.look().await;
    let state = lasting(place.control.state());
    engine.router.stop(MINUTE).await;
    Came { status, state, requests }
}

/// How the delivery ended; some wait for five hours at most.
pub async fn ended(engine: &Engine) -> String {
    let limit = tokio::time::Instant::now() + 5 * HOUR;
    let mut pause = Duration::from_secs(1);
    loop {
        let deliveries = engine.deliveries().await;
        if let Some(owed) = deliveries.first().filter(|owed| owed.progress.status.is_settled()) {
            let shown = serde_json::to_value(&owed.progress.status).unwrap();
            let why = ["reason", "code"].iter().find_map(|name| shown[*name].as_str()).unwrap_or_default();
            return format!("{} {why}", owed.progress.status.name()).trim_end().to_owned();
        }
        if tokio::time::Instant::now() > limit {
            return "open".to_owned();
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(5 * MINUTE);
    }
}

/// The state without what depends on when and how often it was asked for.
pub fn lasting(mut state: Value) -> Value {
    const PASSING: [&str; 7] =
        ["repeats", "id", "created_at", "updated_at", "ticket_id", "merged_at", "last_request_at"];
    match &mut state {
        Value::Object(members) => {
            members.retain(|name, _| {
                !PASSING.contains(&name.as_str()) && !name.ends_with("_id")
                    || name == "external_id"
                    || name == "company_id"
            });
            members.values_mut().for_each(|member| *member = lasting(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = lasting(item.take())),
        _ => {}
    }
    state
}

/// What is not as it must be in one cell.
fn judge(row: &Row, wrong: &Wrong, came: &Came, (before, after): (&Value, &Value)) -> Option<String> {
    let is_done = came.status == "delivered" || came.status.starts_with("skipped");
    let is_refused = came.status.starts_with("dead_letter");
    let end = wrong.end;
    if row.is_excepted(wrong.name) {
        let is_either = came.state == *before || came.state == *after;
        return (!is_either).then(|| format!("{} and left {}", came.status, came.state));
    }
    let ends_well = match end {
        End::Done => is_done,
        End::Refused => is_refused,
        End::Consistent => is_done || is_refused,
    };
    let left_well = (is_done && came.state == *after)
        || (end == End::Consistent && came.status.starts_with("skipped") && came.state == *before)
        || (is_refused && (came.state == *before || came.state == *after || row.in_steps));
    (!ends_well || !left_well).then(|| {
        let state =
            if left_well { "as it must be".to_owned() } else { format!("{}\n      instead of {after}", came.state) };
        format!("{} and left {state}", came.status)
    })
}

/// All cells of one action; their number, by how they ended, and what is wrong.
async fn cells(row: &Row) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut counts, mut found) = (BTreeMap::new(), Vec::new());
    let before = lasting(place(row, SearchLag::Secs(5)).control.state());
    let whole = history(row, None, SearchLag::Secs(5)).await;
    assert_eq!(whole.status, "delivered", "{} without a fault: {:?}", row.name(), whole.requests);
    assert_ne!(whole.state, before, "{} does something", row.name());
    let never = history(row, None, SearchLag::NEVER).await;
    assert_eq!(
        (&never.status, &never.state),
        (&whole.status, &whole.state),
        "{}, search that never converges",
        row.name()
    );
    let everything = everything_that_goes_wrong();
    for (nth, request) in (1..).zip(&whole.requests) {
        let is_worth = |wrong: &&Wrong| !reads(request) || ON_READS.contains(&wrong.name);
        let wrongs: Vec<&Wrong> = everything.iter().filter(is_worth).collect();
        let histories = wrongs.iter().map(|wrong| history(row, Some((wrong, nth)), SearchLag::Secs(5)));
        for (wrong, came) in wrongs.iter().zip(join_all(histories).await) {
            let word = came.status.split(' ').next().unwrap_or_default().to_owned();
            *counts.entry(word).or_default() += 1;
            if let Some(why) = judge(row, wrong, &came, (&before, &whole.state)) {
                found.push(format!("  {}, {} at {request}: {why}\n      {:?}", row.name(), wrong.name, came.requests));
            }
        }
    }
    (counts, found)
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_every_action_ends_as_it_should() {
    let (mut total, mut found) = (BTreeMap::<String, usize>::new(), Vec::new());
    for row in ACTIONS {
        let (counts, wrong) = cells(row).await;
        println!("{:<40} {counts:?}", row.name());
        counts.into_iter().for_each(|(word, count)| *total.entry(word).or_default() += count);
        found.extend(wrong);
    }
    println!("{} cells: {total:?}", total.values().sum::<usize>());
    assert!(found.is_empty(), "{} cells are wrong:\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_goes_wrong_with_reads_is_of_the_table() {
    let everything = everything_that_goes_wrong();
    let is_there = |name: &&str| everything.iter().any(|wrong| wrong.name == *name);
    assert!(ON_READS.iter().all(is_there));
}

#[test]
fn every_writing_action_is_in_the_matrix() {
    let writing = (intercom::KIND.actions)().into_iter().filter(|facts| facts.manner == Manner::Writes);
    let missing: Vec<&str> =
        writing.map(|facts| facts.name).filter(|name| ACTIONS.iter().all(|row| row.action != *name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
