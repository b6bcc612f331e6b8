//! `interline sandbox`: the stand-in Intercom alone.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Stop, Verdict, print, runtime};
use crate::app;
use crate::sandbox;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interline sandbox --listen 127.0.0.1:8082\n\n\
    Then set `base_url: http://127.0.0.1:8082` in a destination file. GET /_sandbox/state shows what it holds.")]
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
    /// The only access token it takes. Without it, any.
    #[arg(long)]
    access_token: Option<String>,
    /// Refuse custom attributes that were not created before, as the real service does.
    #[arg(long)]
    refuse_unknown_attributes: bool,
}

impl Sandbox {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let listener = TcpListener::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        let settings = sandbox::Settings {
            search_lag_secs: sandbox::SearchLag::Secs(self.search_lag),
            rate_limit_per_10s: self.rate_limit,
            journal: self.journal,
            journal_replies: self.journal_replies,
            access_tokens: self.access_token.into_iter().map(sandbox::AccessToken).collect(),
            unknown_attributes: match self.refuse_unknown_attributes {
                true => sandbox::UnknownAttributes::Refuse,
                false => sandbox::UnknownAttributes::Accept,
            },
            ..sandbox::Settings::default()
        };
        runtime()?.block_on(async {
            let mut stop = Stop::listen()?;
            let clock = app::clock();
            let running = sandbox::Sandbox::start(settings, listener, move || clock())?;
            print(format!("A stand-in Intercom listens on {}\nWhat it holds: {0}/_sandbox/state", running.url()));
            stop.asked().await;
            running.stop().await;
            Ok(Verdict::Fine)
        })
    }
}
