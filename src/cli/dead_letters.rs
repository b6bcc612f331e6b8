//! `interline dead-letters`: what could not be delivered, and what is to be done with it.

use std::io::Write;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::bar::Bar;
use super::deliveries::{list, paged, show};
use super::filters::{Filters, query, typist};
use super::remote::{Api, Remote, segment};
use super::report::counted;
use super::{Format, Verdict, confirm, print, runtime};

/// Letters in one call.
const STEP: usize = 200;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline dead-letters list --code payload_rejected --since 2h\n  \
    interline dead-letters retry 1042.0\n  interline dead-letters retry --mapping 'Identify Contact' --remap --dry-run\n  \
    interline dead-letters export --destination intercom > letters.jsonl\n\n\
    Asks the admin API of a running router: --url or INTERLINE_ADMIN_URL, by default http://127.0.0.1:8081.")]
pub(super) struct DeadLetters {
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
    #[command(after_help = "Example:\n  interline dead-letters list --destination intercom --since 1d")]
    List {
        #[command(flatten)]
        filters: Filters,
        /// Only older ones than this: the next page.
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// How many, at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// The whole story of one: event, payload, every attempt with its requests and replies.
    #[command(after_help = "Example:\n  interline dead-letters show 1042.0")]
    Show {
        /// Its id, as the list shows it.
        id: String,
    },
    /// Attempt them again. Those of one person go oldest first, behind what is under way for that person.
    #[command(
        after_help = "Examples:\n  interline dead-letters retry 1042.0 1043.0\n  interline dead-letters retry --code server_error --since 1d --dry-run\n  \
    interline dead-letters retry --all --remap\n\n\
    As mapped then: requests that were finished are not made again. With --remap the event is read and mapped again by the\n\
    mapping of that name as it is now; what still does not fit stays a dead letter, and is told. What newer calls have written\n\
    since is left out, and one of which nothing is left ends as `skipped`, unless --overwrite is given. Interrupted, it may\n\
    simply be begun again: none is lost, none is attempted twice."
    )]
    Retry {
        #[command(flatten)]
        meant: Meant,
        /// Map their events again, by the mappings as they are now.
        #[arg(long)]
        remap: bool,
        /// Write all they say, also over what newer calls have written since.
        #[arg(long)]
        overwrite: bool,
    },
    /// End them for good: they become `skipped`, with the reason `discarded` and who wanted it.
    #[command(
        after_help = "Example:\n  interline dead-letters discard --mapping 'Old mapping' --until 2026-01-01 --yes\n\n\
    A discarded one stays on record, as `interline deliveries list --code discarded` shows, as long as events are kept."
    )]
    Discard {
        #[command(flatten)]
        meant: Meant,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Write the whole story of each, one JSON document a line, oldest first. No credential is in it.
    #[command(after_help = "Example:\n  interline dead-letters export --since 7d > letters.jsonl")]
    Export {
        #[command(flatten)]
        filters: Filters,
    },
}

/// Which are meant.
#[derive(Debug, Args)]
struct Meant {
    /// Their ids, as the list shows them.
    ids: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// All there are.
    #[arg(long)]
    all: bool,
    /// Only count, and say which would stay as they are.
    #[arg(long)]
    dry_run: bool,
}

impl DeadLetters {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        runtime()?.block_on(self.act())
    }

    async fn act(&self) -> anyhow::Result<Verdict> {
        let api = self.remote.api_or_usual()?;
        match &self.what {
            What::List { filters, before, limit } => {
                let answer = paged(&api, "dead_letters", "/api/dead-letters", filters.pairs(), before, *limit).await?;
                match self.format {
                    Format::Json => print(answer),
                    Format::Human => list(&answer, "dead_letters"),
                }
                Ok(Verdict::Fine)
            }
            What::Show { id } => {
                let answer = api.get(&format!("/api/dead-letters/{}", segment(id))).await?;
                match self.format {
                    Format::Json => print(answer),
                    Format::Human => show(&answer).into_iter().for_each(print),
                }
                Ok(Verdict::Fine)
            }
            What::Retry { meant, remap, overwrite } => {
                self.handle(&api, "retry", meant, json!({ "remap": remap, "overwrite": overwrite })).await
            }
            What::Discard { meant, yes } => {
                if !meant.dry_run && !yes {
                    agree(&api, meant).await?;
                }
                self.handle(&api, "discard", meant, json!({})).await
            }
            What::Export { filters } => export(&api, filters).await,
        }
    }

    async fn handle(&self, api: &Api, verb: &str, meant: &Meant, more: Value) -> anyhow::Result<Verdict> {
        let Value::Object(more) = more else { unreachable!("it is written as an object") };
        let mut body = meant.body()?;
        body.extend(more);
        body.insert("by".to_owned(), typist().into());
        let path = format!("/api/dead-letters/{verb}");
        let total = match meant.dry_run {
            true => 0,
            false => count(api, &path, body.clone()).await?,
        };
        body.insert("dry_run".to_owned(), meant.dry_run.into());
        let sum = all(api, &path, body, Bar::new(total, "dead letters")).await?;
        match self.format {
            Format::Json => print(sum.json(verb, meant.dry_run)),
            Format::Human => sum.tell(verb, meant.dry_run),
        }
        Ok(if sum.left.is_empty() { Verdict::Fine } else { Verdict::Problems })
    }
}

impl Meant {
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = self.filters.members();
        match (self.ids.is_empty(), self.filters.are_none(), self.all) {
            (true, true, false) => bail!("nothing says which dead letters are meant: give ids, a condition, or --all"),
            (true, ..) => {
                body.insert("limit".to_owned(), STEP.into());
                body.insert("all".to_owned(), self.all.into());
            }
            (false, true, false) => {
                body.insert("ids".to_owned(), json!(self.ids));
            }
            (false, ..) => bail!("ids and conditions exclude each other: give the one or the others"),
        }
        Ok(body)
    }
}

/// Asks a person, who is told how many it is about.
async fn agree(api: &Api, meant: &Meant) -> anyhow::Result<()> {
    let found = count(api, "/api/dead-letters/discard", meant.body()?).await?;
    match confirm(&format!("Discard {} for good?", counted(found as usize, "dead letter")))? {
        Some(true) => Ok(()),
        Some(false) => bail!("nothing was done"),
        None => bail!("nobody is here to agree: --yes goes on without asking, --dry-run only looks"),
    }
}

/// What the calls came to together.
#[derive(Default)]
struct Sum {
    done: u64,
    outdated: u64,
    shortened: u64,
    left: Vec<Value>,
}

impl Sum {
    fn json(&self, verb: &str, dry_run: bool) -> Value {
        let mut answer = json!({ "dry_run": dry_run, "done": self.done, "left": self.left });
        if verb == "retry" {
            (answer["outdated"], answer["shortened"]) = (self.outdated.into(), self.shortened.into());
        }
        answer
    }

    fn tell(&self, verb: &str, dry_run: bool) {
        for left in &self.left {
            let text = |name: &str| left[name].as_str().unwrap_or_default().to_owned();
            print(format!("{}  stays: {} ({})", text("id"), text("message"), text("code")));
        }
        let letters = |count: usize| counted(count, "dead letter");
        let attempted = letters((self.done - self.outdated) as usize);
        print(match (verb, dry_run) {
            ("retry", true) => format!("{attempted} would be attempted again; nothing was done"),
            ("retry", false) => format!("{attempted} attempted again"),
            (_, true) => format!("{} would be discarded; nothing was done", letters(self.done as usize)),
            (_, false) => format!("{} discarded", letters(self.done as usize)),
        });
        if self.shortened > 0 {
            let of_them = "of them without what newer calls have written since; --overwrite writes it all the same";
            print(format!("  {} {of_them}", self.shortened));
        }
        if self.outdated > 0 {
            let (letters, end) = (letters(self.outdated as usize), if dry_run { "would end" } else { "ended" });
            print(format!("{letters} {end} as skipped: newer calls have written all they say (written_since)"));
        }
        if !self.left.is_empty() {
            print(format!("{} left as they are", letters(self.left.len())));
        }
    }
}

async fn count(api: &Api, path: &str, mut body: Map<String, Value>) -> anyhow::Result<u64> {
    body.insert("dry_run".to_owned(), true.into());
    let sum = all(api, path, body, Bar::new(0, "")).await?;
    Ok(sum.done + sum.left.len() as u64)
}

/// Calls until nothing is left that is meant.
async fn all(api: &Api, path: &str, mut body: Map<String, Value>, bar: Bar) -> anyhow::Result<Sum> {
    let mut sum = Sum::default();
    loop {
        let answer = api.ask(path, &Value::Object(body.clone())).await?;
        sum.done += answer["done"].as_u64().context("the router's answer is not understood")?;
        let of = |name: &str| answer[name].as_u64().unwrap_or_default();
        (sum.outdated, sum.shortened) = (sum.outdated + of("outdated"), sum.shortened + of("shortened"));
        sum.left.extend(answer["left"].as_array().cloned().unwrap_or_default());
        bar.show(sum.done + sum.left.len() as u64);
        match answer["next"].as_str() {
            Some(next) => body.insert("after".to_owned(), next.into()),
            None => break,
        };
    }
    bar.finish();
    Ok(sum)
}

/// Piece by piece, so that neither side holds all of it.
async fn export(api: &Api, filters: &Filters) -> anyhow::Result<Verdict> {
    let mut after: Option<String> = None;
    let mut count = 0;
    let mut out = std::io::stdout().lock();
    loop {
        let mut pairs = filters.pairs();
        pairs.push(("limit", STEP.to_string()));
        pairs.extend(after.map(|id| ("after", id)));
        let text = api.text(&query("/api/dead-letters/export", &pairs)).await?;
        if out.write_all(text.as_bytes()).is_err() {
            // Whoever read it has gone away.
            return Ok(Verdict::Fine);
        }
        count += text.lines().count();
        let Some(last) = text.lines().last().filter(|_| text.lines().count() == STEP) else { break };
        let last: Value = serde_json::from_str(last).context("the router's answer is not understood")?;
        after = last["delivery"]["id"].as_str().map(str::to_owned);
    }
    eprintln!("{}", counted(count, "dead letter"));
    Ok(Verdict::Fine)
}
