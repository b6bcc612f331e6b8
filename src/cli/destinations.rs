//! `interline destinations`: how each destination of a running router stands; pausing one and letting it go on.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::remote::{Remote, segment};
use super::table::{self, Table, plain, time};
use super::{Format, Verdict, print, runtime};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline destinations list\n  interline destinations pause intercom\n\n\
    Asks the admin API of a running router: --url or INTERLINE_ADMIN_URL, by default http://127.0.0.1:8081.")]
pub(super) struct Destinations {
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
    /// Every destination: whether it is sent to, why not, until when, its budget, and how much it is owed.
    #[command(after_help = "Example:\n  interline destinations list --format json")]
    List,
    /// Send nothing more to one until it is resumed, also after a restart. What it is owed is kept, in order.
    #[command(after_help = "Example:\n  interline destinations pause intercom")]
    Pause {
        /// Its name: that of its file.
        name: String,
    },
    /// Let one that was paused go on; look now whether one that refused the credentials takes them again.
    #[command(after_help = "Example:\n  interline destinations resume intercom")]
    Resume {
        /// Its name: that of its file.
        name: String,
    },
}

impl Destinations {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        runtime()?.block_on(async {
            let api = self.remote.api_or_usual()?;
            let change = async |name: &str, how: &str| {
                api.ask(&format!("/api/destinations/{}/{how}", segment(name)), &json!({})).await
            };
            let answer = match &self.what {
                What::List => api.get("/api/destinations").await?,
                What::Pause { name } => change(name, "pause").await?,
                What::Resume { name } => change(name, "resume").await?,
            };
            match (self.format, &self.what) {
                (Format::Json, _) => print(&answer),
                (Format::Human, What::List) => list(&answer),
                (Format::Human, What::Pause { name }) => {
                    print(format!("{name} is paused since {}; what it is owed is kept", plain(&answer["since"])));
                }
                (Format::Human, What::Resume { name }) => print(resumed(name, &answer)),
            }
            Ok(if answer["credentials"]["work"] == false { Verdict::Problems } else { Verdict::Fine })
        })
    }
}

/// What keeps it, where that is not the pause that has just ended.
fn resumed(name: &str, answer: &Value) -> String {
    let credentials = &answer["credentials"];
    match answer["hold"].as_str() {
        None | Some("operator") => format!("{name} is not paused"),
        Some("unauthorized") if credentials["work"] == true => {
            format!("{name} takes the credentials again, and what it is owed goes on")
        }
        Some("unauthorized") => format!(
            "{name} does not go on, the credentials were looked at just now: {}; they are looked at again every minute, by \
             this command, and when its file or its token's file is saved",
            credentials["message"].as_str().unwrap_or("nothing is known")
        ),
        Some(hold) => format!("{name} is not paused by an operator, but nothing is sent to it yet: {hold}"),
    }
}

const HEADS: [&str; 9] = ["name", "state", "since", "until", "budget", "at_once", "pending", "waiting", "oldest"];

fn list(answer: &Value) {
    let rows: Vec<Vec<String>> = answer["destinations"].as_array().into_iter().flatten().map(row).collect();
    Table::new(HEADS.map(str::to_owned).to_vec(), rows).lines(table::width()).into_iter().for_each(print);
}

fn row(destination: &Value) -> Vec<String> {
    let health = &destination["health"];
    let of = |part: &Value, whole: &Value| match (part.as_u64(), whole.as_u64()) {
        (Some(part), Some(whole)) => format!("{part}/{whole}"),
        _ => "-".to_owned(),
    };
    let waiting = &health["waiting"];
    let waiting = ["too_early", "retry"].iter().filter_map(|why| waiting[*why].as_u64()).sum::<u64>();
    vec![
        plain(&destination["name"]),
        health["hold"].as_str().unwrap_or("sending").to_owned(),
        time(&health["since"]),
        time(&health["until"]),
        of(&health["budget"]["remaining"], &health["budget"]["limit"]),
        of(&health["concurrency"]["under_way"], &health["concurrency"]["limit"]),
        plain(&health["pending"]),
        waiting.to_string(),
        time(&health["oldest"]),
    ]
}
