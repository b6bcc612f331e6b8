//! `interline intercom`: any action of Intercom by hand.

mod ask;
mod door;
mod flags;
mod show;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::local::Where;
use super::remote::Remote;
use super::{Verdict, print, runtime};
use crate::action::{Failure, Kind, Manner};
use crate::delivery::Exchange;
use crate::destination::Done;
use crate::json::{Json, Object};
use door::Door;
use flags::Chosen;
use show::Rows;

/// Any action of Intercom by hand: the fields of an action are its flags.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    after_help = "Examples:\n  interline intercom get_contact --email ann@example.com\n  \
        interline intercom list_contacts --all --format jsonl > contacts.jsonl\n  \
        interline intercom create_contact --email ann@example.com --custom_attributes plan=pro\n  \
        interline intercom raw_request --method GET --path /admins\n\n\
        Values: a list is given by repeating its flag; an object as JSON, as @FILE, as - for the standard input, or as \
        KEY=VALUE, repeated. What deletes or merges asks first; --yes answers.\n\n\
        With --url, or INTERLINE_ADMIN_URL, a running router performs the action, within its budget of requests; else \
        this command does."
)]
pub(super) struct Intercom {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    chosen: Chosen,
}

#[derive(Debug, Args)]
struct Options {
    /// The destination: the name of its file. Without it, the only one there is.
    #[arg(long, global = true)]
    destination: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    remote: Remote,
    /// Every page of a list, not only the first.
    #[arg(long, global = true)]
    all: bool,
    /// Do not ask before deleting or merging.
    #[arg(long, short, global = true)]
    yes: bool,
    /// Print the requests that would be sent, and send nothing.
    #[arg(long, global = true)]
    dry_run: bool,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Form,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people, as wide as the terminal.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON document on each line, as they come in.
    Jsonl,
}

/// Why nothing is done for a call that names nobody; who types one has left something out.
const NOBODY: &str = "no_identity";
/// The action whose answer is shown as it is.
const RAW: &str = "raw_request";

impl Intercom {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        runtime()?.block_on(self.perform())
    }

    async fn perform(self) -> anyhow::Result<Verdict> {
        let Intercom { options, chosen } = self;
        let given = chosen.values()?;
        let door = Door::open(&options.remote, &options.place, options.destination.as_deref()).await?;
        if options.dry_run {
            return rehearse(&door, &chosen, &given, options.format).await;
        }
        if options.all && chosen.facts.manner != Manner::Lists {
            bail!("--all is for lists, and {} is none", chosen.facts.name);
        }
        if !options.yes && !ask::agreed(&door, chosen.facts, &given).await? {
            bail!("nothing was done");
        }
        match chosen.facts.manner {
            Manner::Lists => list(&door, &chosen, given, &options).await,
            _ => once(&door, &chosen, &given, options.format).await,
        }
    }
}

async fn once(door: &Door, chosen: &Chosen, given: &Object<'static>, form: Form) -> anyhow::Result<Verdict> {
    let done = door.perform(chosen.facts, given).await?;
    warn(&done);
    if let Some(failure) = &done.failure {
        return Ok(complain(door, failure, &done));
    }
    if let Some(skipped) = done.skipped.as_ref().filter(|skipped| skipped.code == NOBODY) {
        super::complain(format!("error: {} ({})", skipped.message, skipped.code));
        return Ok(Verdict::Problems);
    }
    if let Some(skipped) = &done.skipped {
        super::complain(format!("nothing to do: {} ({})", skipped.message, skipped.code));
    }
    match (&done.document, form) {
        (Some(document), Form::Table) => show::one(document, chosen.facts.name == RAW).into_iter().for_each(print),
        (Some(document), Form::Json) => print(serde_json::to_string_pretty(document)?),
        (Some(document), Form::Jsonl) => print(document),
        (None, Form::Table) if done.skipped.is_none() => print(format!("{}: done", chosen.facts.name)),
        (None, Form::Table) => {}
        (None, _) => print(json!({"outcome": done.outcome, "skipped": done.skipped})),
    }
    Ok(Verdict::Fine)
}

async fn list(door: &Door, chosen: &Chosen, given: Object<'static>, options: &Options) -> anyhow::Result<Verdict> {
    let mut given = given;
    if options.all && chosen.facts.field("all").is_some() {
        given.insert("all", Json::Bool(true));
    }
    let mut rows = Rows::new(options.format);
    loop {
        let done = door.perform(chosen.facts, &given).await?;
        warn(&done);
        if let Some(failure) = &done.failure {
            rows.break_off();
            return Ok(complain(door, failure, &done));
        }
        // A list that is read whole at once is a document.
        let page = done.page.or(done.document).unwrap_or_default();
        let next = page["next"].as_object().cloned();
        rows.take(page);
        match next {
            Some(next) if options.all => {
                for (name, value) in &next {
                    given.insert(name.clone(), Json::from(value).into_owned());
                }
            }
            _ => break,
        }
    }
    if rows.finish() == 0 && chosen.facts.name == "search_contacts" {
        eprintln!("what was made or changed in the last minute may not be found yet");
    }
    Ok(Verdict::Fine)
}

async fn rehearse(door: &Door, chosen: &Chosen, given: &Object<'static>, form: Form) -> anyhow::Result<Verdict> {
    let done = door.rehearse(chosen.facts, given).await?;
    if let Some(failure) = done.failure.as_ref().filter(|_| done.requests.is_empty()) {
        return Ok(complain(door, failure, &done));
    }
    for request in &done.requests {
        let body = request.body.as_deref().map(|body| serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)));
        match form {
            Form::Table => {
                let body = body.map(|body| format!(" {body}")).unwrap_or_default();
                print(format!("{} {}{body}", request.method, request.path));
            }
            _ => print(json!({"method": request.method, "path": request.path, "body": body})),
        }
    }
    if form == Form::Table {
        eprintln!("nothing was sent; the ids of what is looked up stand for those that would be found");
    }
    Ok(Verdict::Fine)
}

fn warn(done: &Done) {
    for warning in &done.warnings {
        let field = if warning.field.is_empty() { String::new() } else { format!("{}: ", warning.field) };
        super::complain(format!("warning: {field}{} ({})", warning.message, warning.code));
    }
}

/// Says what went wrong and what to do, and whether it is a problem of what was asked for.
fn complain(door: &Door, failure: &Failure, done: &Done) -> Verdict {
    super::complain(format!("error: {} ({})", failure.message, failure.code));
    let name = door.name();
    match failure.kind {
        // They say themselves what to do.
        Kind::Unauthorized if matches!(&*failure.code, "workspace_changed" | "region_wrong") => {}
        Kind::Unauthorized => {
            eprintln!("the token is refused; `interline connect {name}` shows whose it is, or gets another")
        }
        Kind::Throttled => match failure.retry_after {
            Some(wait) => eprintln!("too many requests; try again in {} seconds", wait.as_secs().max(1)),
            None => eprintln!("too many requests; try again in a few seconds"),
        },
        Kind::Unavailable if failure.code == "permission_missing" => {
            eprintln!("the app lacks a permission; `interline connect {name}` shows what it may do");
        }
        Kind::Unavailable if done.requests.iter().any(may_have_changed) => {
            eprintln!("try again later; a part of it was done, or may have been");
        }
        Kind::Unavailable => eprintln!("try again later; nothing was changed"),
        Kind::Unknown => eprintln!("it may have been done; look before you try again"),
        Kind::Rejected | Kind::TooEarly => {}
    }
    Verdict::Problems
}

/// Whether a request changed something, or nobody knows. Some that only ask are sent with `POST`.
fn may_have_changed(request: &Exchange) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    let asks = request.method == "GET" || path.ends_with("/search") || path == "/companies/list";
    !asks && !request.status.is_some_and(|status| (300..500).contains(&status) && status != 408)
}
