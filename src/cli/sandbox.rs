//! `interline sandbox`: the stand-in Intercom alone.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::Value;

use super::{Stop, Verdict, print, runtime};
use crate::app;
use crate::sandbox::{self, Region};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interline sandbox --listen 127.0.0.1:8082\n\n\
    Then set `base_url: http://127.0.0.1:8082` in a destination file. GET /_sandbox/state shows what it holds,\n\
    GET /_sandbox/settings every switch; POST /_sandbox/settings or --set changes one:\n\
    interline sandbox --region eu --set email_uniqueness=strict --set forbidden='[\"write_tags\"]'")]
pub(super) struct Sandbox {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// A file to which every request is appended, one JSON object on a line.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Seconds until a search finds a contact that was just made.
    #[arg(long, default_value_t = 5)]
    search_lag: u32,
    /// A file to which every reply is appended, one JSON object on a line.
    #[arg(long)]
    journal_replies: Option<PathBuf>,
    /// Requests allowed in ten seconds.
    #[arg(long, default_value_t = 1666)]
    rate_limit: u32,
    /// Where its workspace lives: us, eu or au.
    #[arg(long, default_value = "us", value_parser = region)]
    region: Region,
    /// A further address that is one region's own, as EU=127.0.0.1:8083; repeatable. On another region's than the
    /// workspace's, tokens are refused.
    #[arg(long, value_name = "REGION=ADDRESS", value_parser = regional)]
    listen_region: Vec<(Region, SocketAddr)>,
    /// The workspace's code.
    #[arg(long)]
    workspace: Option<String>,
    /// Any other switch: its name, and its value as text or JSON; repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The only access token it takes. Without it, any.
    #[arg(long)]
    access_token: Option<String>,
    /// Define custom attributes that nobody created before as they come, so that a trial works without preparation; the
    /// real service refuses the whole write.
    #[arg(long)]
    accept_unknown_attributes: bool,
}

impl Sandbox {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let listener = TcpListener::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let mut regional = Vec::new();
        for (region, address) in &self.listen_region {
            let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
            regional.push((*region, listener));
        }
        let usual = sandbox::Settings::default();
        let settings = sandbox::Settings {
            region: self.region,
            workspace_id: self.workspace.unwrap_or(usual.workspace_id),
            search_lag_secs: sandbox::SearchLag::Secs(self.search_lag),
            rate_limit_per_10s: self.rate_limit,
            journal: self.journal,
            journal_replies: self.journal_replies,
            access_tokens: self.access_token.into_iter().map(sandbox::AccessToken).collect(),
            unknown_attributes: match self.accept_unknown_attributes {
                true => sandbox::UnknownAttributes::Accept,
                false => sandbox::UnknownAttributes::Refuse,
            },
            ..sandbox::Settings::default()
        };
        let settings = changed(&settings, &self.set)?;
        runtime()?.block_on(async {
            let mut stop = Stop::listen()?;
            let clock = app::clock();
            let running = sandbox::Sandbox::start_with_regions(settings, listener, regional, move || clock())?;
            print(format!("A stand-in Intercom listens on {}\nWhat it holds: {0}/_sandbox/state", running.url()));
            for (region, _) in &self.listen_region {
                print(format!("As {}: {}", region.word(), running.url_in(*region).unwrap_or_default()));
            }
            stop.asked().await;
            running.stop().await;
            Ok(Verdict::Fine)
        })
    }
}

fn region(text: &str) -> Result<Region, String> {
    serde_json::from_value(Value::from(text.to_ascii_lowercase())).map_err(|_| format!("`{text}` is not us, eu or au"))
}

fn regional(text: &str) -> Result<(Region, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("write REGION=ADDRESS, as eu=127.0.0.1:8083")?;
    let address = address.parse().map_err(|_| format!("`{address}` is not an address with a port"))?;
    Ok((region(name)?, address))
}

/// The settings with the switches of `--set`; a value that is no JSON is text.
fn changed(settings: &sandbox::Settings, switches: &[String]) -> anyhow::Result<sandbox::Settings> {
    let mut changes = serde_json::Map::new();
    for switch in switches {
        let (name, value) = switch.split_once('=').ok_or_else(|| anyhow!("--set {switch}: write NAME=VALUE"))?;
        changes.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    settings.changed(changes).context("--set")
}
