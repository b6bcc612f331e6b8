//! `interline delete-user`: deletes a person at every destination and in the queue, and prints a receipt.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::local::Where;
use super::remote::Remote;
use super::{Format, Verdict, confirm, print, runtime};
use crate::app;
use crate::destination::Destination;
use crate::metrics::Metrics;
use crate::router::UnderWay;
use crate::router::erase::{Eraser, Receipt, Wish};
use crate::store;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline delete-user --user-id u-1 --email ann@example.com --dry-run\n  \
    interline delete-user --user-id u-1 --suppress --yes --format json > receipt.json\n\n\
    Every contact with one of the names is deleted, by the destination's own id, and looked for again. What waits in the\n\
    queue and what is retained of the person goes too. While a router runs it holds the queue: name it with --url.\n\
    Exit status: 0 done, 1 not all of it is done or it is not sure, 2 it could not be begun.")]
pub(super) struct DeleteUser {
    /// The sender's own id of the person; repeatable.
    #[arg(long)]
    user_id: Vec<String>,
    /// An e-mail address; everybody who has it is meant. Repeatable.
    #[arg(long)]
    email: Vec<String>,
    /// The destination's own id of the contact; needs --destination.
    #[arg(long, requires = "destination")]
    contact_id: Option<String>,
    /// Only this destination; otherwise all that are switched on.
    #[arg(long)]
    destination: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    remote: Remote,
    /// Do not take later events of this person.
    #[arg(long)]
    suppress: bool,
    /// Only look: print who would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// How the receipt is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl DeleteUser {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let wish = Wish {
            user_ids: self.user_id.clone(),
            emails: self.email.clone(),
            contact_id: self.contact_id.clone(),
            destination: self.destination.clone(),
            suppress: self.suppress,
            dry_run: self.dry_run,
        };
        wish.subject().map_err(|why| anyhow!("{why}; see --help"))?;
        runtime()?.block_on(self.delete(wish))
    }

    async fn delete(&self, wish: Wish) -> anyhow::Result<Verdict> {
        if !wish.dry_run && !self.yes {
            let trial = self.erase(&Wish { dry_run: true, ..wish.clone() }).await?;
            trial.lines().iter().for_each(|line| eprintln!("{line}"));
            match confirm("Delete all of this for good?")? {
                Some(true) => {}
                Some(false) => bail!("nothing was done"),
                None => bail!("nobody is here to agree: --yes goes on without asking, --dry-run only looks"),
            }
        }
        let receipt = self.erase(&wish).await?;
        match self.format {
            Format::Human => receipt.lines().into_iter().for_each(print),
            Format::Json => print(serde_json::to_string_pretty(&receipt)?),
        }
        Ok(if receipt.done { Verdict::Fine } else { Verdict::Problems })
    }

    async fn erase(&self, wish: &Wish) -> anyhow::Result<Receipt> {
        if let Some(api) = self.remote.api()? {
            let answer = api.ask("/api/delete-user", &json!(wish)).await?;
            return serde_json::from_value(answer).context("the router's answer is not understood");
        }
        let eraser = self.eraser()?;
        let subject = wish.subject().map_err(anyhow::Error::msg)?;
        let erased = eraser.erase(wish, subject).await;
        eraser.store.close().await;
        Ok(erased?)
    }

    /// Everything from the files: no router is running.
    fn eraser(&self) -> anyhow::Result<Eraser> {
        let settings = self.place.settings()?;
        let described = self.place.all(self.destination.as_deref())?;
        let mut destinations: Vec<(String, Arc<dyn Destination>)> = Vec::new();
        for described in described {
            destinations.push((described.name.to_string(), described.build()?.into()));
        }
        let (metrics, clock) = (Metrics::new(), app::clock());
        let opening = store::Opening {
            settings: &settings.queue.keep,
            directory: &settings.data_dir,
            metrics: &metrics,
            now: clock(),
        };
        let store = settings.queue.engine.open(&opening).map_err(|error| match error {
            store::Error::Locked(why) => anyhow!("{why}; a running router does it: --url http://127.0.0.1:8081"),
            other => anyhow!("cannot open the data directory {}: {other}", settings.data_dir.display()),
        })?;
        Ok(Eraser { store, destinations, under_way: UnderWay::default(), clock })
    }
}
