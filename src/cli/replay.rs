//! `interline replay`: delivers retained events again through the mappings as they are now.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::bar::Bar;
use super::filters::typist;
use super::remote::{Api, Remote};
use super::report::counted;
use super::table::{self, Table, time};
use super::{Format, Verdict, print, runtime};

/// How often it is looked how far a replay is.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline replay start --since 2h --destination intercom --dry-run\n  \
    interline replay start --type identify --since 7d --rate 50\n  interline replay list\n  interline replay cancel 3\n\n\
    Asks the admin API of a running router: --url or INTERLINE_ADMIN_URL, by default http://127.0.0.1:8081.")]
pub(super) struct Replay {
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
    /// Begin one, and watch it until it is done.
    #[command(
        after_help = "Examples:\n  interline replay start --since 2026-01-30T10:00:00Z --until 2026-01-30T11:00:00Z --dry-run\n  \
    interline replay start --user-id u-1 --all\n  interline replay start --event 'Order Completed' --since 1d --rate 20 --detach\n\n\
    Events stand behind live ones, in their order, and are mapped by the mappings as they are now. Values, tags and companies\n\
    of a person or of a group call's company are only filled in where no newer call has written them since. Everything else\n\
    is done again; an event that track_event sends again has the time of the first, so Intercom takes the two for one, unless\n\
    its mapping now says another name or time.\n\
    The replay goes on at the router, also after a restart, when this command ends."
    )]
    Start(Box<Start>),
    /// All of them, the newest first.
    #[command(after_help = "Example:\n  interline replay list")]
    List,
    /// How far one is.
    #[command(after_help = "Example:\n  interline replay show 3")]
    Show {
        /// Its number.
        id: u64,
    },
    /// End one: what is in the queue already is delivered, and nothing more is put there.
    #[command(after_help = "Example:\n  interline replay cancel 3")]
    Cancel {
        /// Its number.
        id: u64,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// Only events that arrived since then: a date, a time, or a time ago like 30m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events that arrived before then.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only of this source; repeatable.
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Only calls of this type: identify, track, page, screen, group or alias. Repeatable.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only track calls with this event name; repeatable.
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
    /// Only of the person with this userId.
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Only of the person with this anonymousId.
    #[arg(long, value_name = "ID")]
    anonymous_id: Option<String>,
    /// Only of the person with this e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// Only to this destination; repeatable. Otherwise to all.
    #[arg(long, value_name = "NAME")]
    destination: Vec<String>,
    /// Everything that is retained.
    #[arg(long)]
    all: bool,
    /// At most so many events a second.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Only count the events and the deliveries they would become.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait until it is done.
    #[arg(long)]
    detach: bool,
}

impl Start {
    fn wish(&self) -> Value {
        let mut wish = Map::new();
        let texts = [
            ("since", &self.since),
            ("until", &self.until),
            ("user_id", &self.user_id),
            ("anonymous_id", &self.anonymous_id),
            ("email", &self.email),
        ];
        for (name, text) in texts {
            wish.extend(text.clone().map(|text| (name.to_owned(), text.into())));
        }
        let lists = [
            ("sources", &self.source),
            ("types", &self.types),
            ("events", &self.event),
            ("destinations", &self.destination),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            wish.insert(name.to_owned(), json!(list));
        }
        wish.extend(self.rate.map(|rate| ("rate".to_owned(), rate.into())));
        wish.insert("all".to_owned(), self.all.into());
        wish.insert("dry_run".to_owned(), self.dry_run.into());
        wish.insert("by".to_owned(), typist().into());
        Value::Object(wish)
    }
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        runtime()?.block_on(self.act())
    }

    async fn act(&self) -> anyhow::Result<Verdict> {
        let api = self.remote.api_or_usual()?;
        let answer = match &self.what {
            What::Start(start) => {
                let begun = api.ask("/api/replays", &start.wish()).await?;
                match start.dry_run || start.detach {
                    true => begun,
                    false => watch(&api, begun).await?,
                }
            }
            What::List => api.get("/api/replays").await?,
            What::Show { id } => api.get(&format!("/api/replays/{id}")).await?,
            What::Cancel { id } => api.ask(&format!("/api/replays/{id}/cancel"), &json!({})).await?,
        };
        match (self.format, &self.what) {
            (Format::Json, _) => print(answer),
            (Format::Human, What::List) => list(answer["replays"].as_array().map_or(&[], Vec::as_slice)),
            (Format::Human, What::Start(start)) if start.dry_run => counts(&answer),
            (Format::Human, _) => list(&[answer]),
        }
        Ok(Verdict::Fine)
    }
}

/// Looks at a replay until it has ended.
async fn watch(api: &Api, begun: Value) -> anyhow::Result<Value> {
    let id = begun["id"].as_u64().context("the router's answer is not understood")?;
    let bar = Bar::new(begun["last"].as_u64().unwrap_or_default(), "events looked at");
    let mut job = begun;
    while job["state"] == "running" {
        bar.show(job["at"].as_u64().unwrap_or_default());
        tokio::time::sleep(LOOK).await;
        let goes_on = || format!("replay {id} goes on by itself; `interline replay show {id}` says how far it is");
        job = api.get(&format!("/api/replays/{id}")).await.with_context(goes_on)?;
    }
    bar.finish();
    Ok(job)
}

fn counts(answer: &Value) {
    let events = answer["events"].as_u64().unwrap_or_default();
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_default().to_string();
    let rows: Vec<Vec<String>> = answer["deliveries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            vec![text("destination"), text("mapping"), number(row, "deliveries"), number(row, "unfit")]
        })
        .collect();
    print(format!("{} would be delivered again; nothing was done", counted(events as usize, "event")));
    if !rows.is_empty() {
        let heads = ["destination", "mapping", "deliveries", "unfit"].map(str::to_owned).to_vec();
        Table::new(heads, rows).lines(table::width()).into_iter().for_each(print);
    }
}

fn list(jobs: &[Value]) {
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    let heads = ["id", "state", "events", "looked_at", "began_at", "by"].map(str::to_owned).to_vec();
    Table::new(heads, rows).lines(table::width()).into_iter().for_each(print);
}

fn row(job: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (at, last) = (job["at"].as_u64().unwrap_or_default(), job["last"].as_u64().unwrap_or_default());
    let part = (at * 100).checked_div(last).unwrap_or(100);
    let state = match job["waits_for"].as_str() {
        Some(what) => format!("{}, waits for the {what}", text(&job["state"])),
        None => text(&job["state"]),
    };
    vec![
        job["id"].to_string(),
        state,
        job["fed"].to_string(),
        format!("{part} %"),
        time(&job["began_at"]),
        text(&job["wish"]["by"]),
    ]
}
