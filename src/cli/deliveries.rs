//! `interline deliveries`: the newest deliveries of a running router, and the whole story of one.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::filters::{Filters, Pairs, query};
use super::remote::{Api, Remote, segment};
use super::table::{self, Table, plain, time};
use super::{Format, Verdict, print, runtime};
use crate::destination::CONTACT_AWAITED;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  interline deliveries list --status dead_letter\n  interline deliveries show 1042.0\n\n\
    Asks the admin API of a running router: --url or INTERLINE_ADMIN_URL, by default http://127.0.0.1:8081."
)]
pub(super) struct Deliveries {
    #[command(flatten)]
    remote: Remote,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest ones, newest first.
    #[command(after_help = "Examples:\n  interline deliveries list --destination intercom --status waiting\n  \
    interline deliveries list --user-id u-1 --since 1d\n\n\
    A person is looked for through all deliveries that the other conditions leave; --since makes that quick.")]
    List {
        /// pending, paused, waiting, delivered, skipped or dead_letter.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        filters: Box<Filters>,
        /// Only older ones than this: the next page.
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// How many, at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// The whole story of one: event, payload, every attempt with its requests and replies.
    #[command(after_help = "Example:\n  interline deliveries show 1042.0")]
    Show {
        /// Its id, as the list shows it.
        id: String,
    },
}

impl Deliveries {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        runtime()?.block_on(async {
            let api = self.remote.api_or_usual()?;
            let answer = match &self.what {
                What::Show { id } => api.get(&format!("/api/deliveries/{}", segment(id))).await?,
                What::List { status, filters, before, limit } => {
                    let mut pairs = filters.pairs();
                    pairs.extend(status.clone().map(|status| ("status", status)));
                    paged(&api, "deliveries", "/api/deliveries", pairs, before, *limit).await?
                }
            };
            match (self.format, &self.what) {
                (Format::Json, _) => print(answer),
                (Format::Human, What::List { .. }) => list(&answer, "deliveries"),
                (Format::Human, What::Show { .. }) => show(&answer).into_iter().for_each(print),
            }
            Ok(Verdict::Fine)
        })
    }
}

/// The most that one page has.
const PAGE: usize = 500;

/// Asks for pages until there are as many as were asked for.
pub(super) async fn paged(
    api: &Api,
    name: &str,
    path: &str,
    pairs: Pairs,
    before: &Option<String>,
    limit: usize,
) -> anyhow::Result<Value> {
    let (mut rows, mut before) = (Vec::new(), before.clone());
    loop {
        let mut page = pairs.clone();
        page.push(("limit", (limit.max(1) - rows.len()).min(PAGE).to_string()));
        page.extend(before.map(|id| ("before", id)));
        let mut answer = api.get(&query(path, &page)).await?;
        rows.extend(answer[name].as_array_mut().map(std::mem::take).unwrap_or_default());
        before = answer["next"].as_str().map(str::to_owned);
        if before.is_none() || rows.len() >= limit {
            return Ok(json!({ name: rows, "next": before }));
        }
    }
}

/// Prints a page as a table.
pub(super) fn list(answer: &Value, name: &str) {
    const HEADS: [&str; 7] = ["id", "status", "destination", "mapping", "attempts", "accepted_at", "why"];
    let rows = answer[name].as_array().into_iter().flatten().map(|row| {
        let cells = [&row["id"], &row["status"]["is"], &row["destination"], &row["mapping"], &row["attempts"]];
        let last = [time(&row["accepted_at"]), why(row)];
        cells.into_iter().map(plain).chain(last).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let count = rows.len();
    let heads = HEADS.map(str::to_owned).to_vec();
    Table::new(heads, rows).lines(table::width()).into_iter().for_each(print);
    match answer["next"].as_str() {
        Some(next) => eprintln!("{count} shown; --before {next} goes on"),
        None => eprintln!("{}", super::report::counted(count, "row")),
    }
}

/// Why a delivery stands where it does: the status's word for it, or with which one it was brought.
pub(super) fn why(delivery: &Value) -> String {
    let carrier = delivery["carried_by"].as_str().map(|id| format!("carried by {id}"));
    let word = || ["reason", "code"].iter().find_map(|name| delivery["status"][*name].as_str());
    carrier.unwrap_or_else(|| word().unwrap_or_default().to_owned())
}

/// The whole story of one.
pub(super) fn show(answer: &Value) -> Vec<String> {
    let delivery = &answer["delivery"];
    let mut lines = vec![
        format!("delivery   {}", plain(&delivery["id"])),
        format!("from       {} to {}", plain(&delivery["source"]), plain(&delivery["destination"])),
        format!("mapping    {} ({})", plain(&delivery["mapping"]), plain(&delivery["action"])),
        format!("accepted   {}", time(&delivery["accepted_at"])),
        format!("status     {}", status(&delivery["status"])),
        format!("event      {}", answer["event"]),
    ];
    if let Some(carrier) = delivery["carried_by"].as_str() {
        lines.push(format!("carried by {carrier}, whose attempt brought both as one"));
    }
    for handled in delivery["handled"].as_array().into_iter().flatten() {
        let text = |name: &str| plain(&handled[name]);
        lines.push(format!("by hand    {} {} by {}, after {}", text("at"), text("deed"), text("by"), text("code")));
    }
    match answer["unfit"].is_null() {
        true => lines.push(format!("payload    {}", answer["payload"])),
        false => lines.push(format!("unfit      {}", answer["unfit"])),
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("warning    {} ({})", plain(&warning["message"]), plain(&warning["code"])));
    }
    for attempt in answer["story"].as_array().into_iter().flatten() {
        lines.push(format!(
            "attempt {}  {} {} in {} ms",
            plain(&attempt["number"]),
            plain(&attempt["at"]),
            plain(&attempt["outcome"]),
            plain(&attempt["took_ms"])
        ));
        let carried: Vec<String> = attempt["carried"].as_array().into_iter().flatten().map(plain).collect();
        if !carried.is_empty() {
            lines.push(format!("  carried  {}", carried.join(" ")));
        }
        if let Some(message) = attempt["failure"]["message"].as_str() {
            lines.push(format!("  failed   {message} ({})", plain(&attempt["failure"]["code"])));
        }
        for exchange in attempt["exchanges"].as_array().into_iter().flatten() {
            let body = exchange["body"].as_str().map(|body| format!(" {body}")).unwrap_or_default();
            lines.push(format!("  request  {} {}{body}", plain(&exchange["method"]), plain(&exchange["path"])));
            let reply = exchange["reply"].as_str().unwrap_or_default();
            lines.push(format!("  reply    {} {reply}", plain(&exchange["status"])));
        }
    }
    lines
}

/// `waiting, too_early, until …`: the word and what goes with it.
fn status(status: &Value) -> String {
    // Behind another delivery, no time is waited for.
    let is_timed = status["reason"] != CONTACT_AWAITED;
    let names = ["reason", "code", "message", "until", "at"].iter().filter(|name| is_timed || **name != "until");
    let more = names.filter_map(|name| status[*name].as_str());
    std::iter::once(plain(&status["is"])).chain(more.map(str::to_owned)).collect::<Vec<_>>().join(", ")
}
