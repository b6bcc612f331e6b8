//! `interline demo`: the router and a stand-in Intercom on loopback, state in a temporary folder.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use url::Url;

use super::{Stop, Verdict, print, runtime};
use crate::app::{self, App, Found, Read};
use crate::delivery::{Id, Position, Status};
use crate::destination;
use crate::destination::http::{self, Method, Network, Request, Transport};
use crate::event::Event;
use crate::instant::Timestamp;
use crate::json::Json;
use crate::mapping;
use crate::sample::Sample;
use crate::sandbox::{self, Sandbox};
use crate::settings::{self, Settings};
use crate::store::{Owed, Store, Stored};
use crate::telemetry;
use crate::yaml::{Lookup, Missing};

/// The write key of the demo.
const WRITE_KEY: &str = "demo";
/// The mappings of the demo: the shipped ones.
const MAPPINGS: &str = include_str!("../../mappings/intercom.yaml");

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interline demo --traffic 20/s")]
pub(super) struct Demo {
    /// Post a realistic sample stream by itself, at this rate.
    #[arg(long, value_parser = rate, value_name = "N/s")]
    traffic: Option<f64>,
    /// Where the tracking API listens; another port is taken when this one is in use.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where metrics and deliveries are served.
    #[arg(long, default_value = "127.0.0.1:8081")]
    admin_listen: SocketAddr,
    /// Where the stand-in Intercom listens.
    #[arg(long, default_value = "127.0.0.1:8082")]
    sandbox_listen: SocketAddr,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches("/s").trim();
    let rate: f64 = number.parse().map_err(|_| format!("`{text}` is not a rate like 20/s"))?;
    if (0.001..=100_000.0).contains(&rate) { Ok(rate) } else { Err("from 0.001/s to 100000/s".to_owned()) }
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        telemetry::start(&telemetry::Settings { level: "warn".to_owned(), ..Default::default() })?;
        let folder = Folder::new()?;
        runtime()?.block_on(self.play(&folder))?;
        Ok(Verdict::Fine)
    }

    async fn play(self, folder: &Folder) -> anyhow::Result<()> {
        let mut stop = Stop::listen()?;
        let clock = app::clock();
        let sandbox_clock = clock.clone();
        let sandbox_settings = sandbox::Settings { rate_limit_per_10s: 1_000_000, ..sandbox::Settings::default() };
        let intercom = Sandbox::start(sandbox_settings, listen_near(self.sandbox_listen)?, move || sandbox_clock())?;
        let settings = settings(folder, free_near(self.listen)?, free_near(self.admin_listen)?)?;
        let text = MAPPINGS.replace("region: us", &format!("base_url: {}", intercom.url()));
        let read: Read = Arc::new(move || Ok(vec![mappings(&text)]));
        let app = App::start(settings, read().unwrap_or_default(), read, clock.clone()).await?;
        introduce(&app, intercom.url());
        let following = tokio::spawn(follow(app.store.clone()));
        let sending = self.traffic.map(|rate| tokio::spawn(send(app.ingest, rate, clock())));
        tokio::select! {
            () = stop.asked() => {}
            reason = app.failed() => bail!("{reason}"),
        }
        following.abort();
        sending.inspect(tokio::task::JoinHandle::abort);
        app.stop().await;
        intercom.stop().await;
        Ok(())
    }
}

/// A folder that goes when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("interline-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn listen_near(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .or_else(|_| TcpListener::bind(SocketAddr::new(address.ip(), 0)))
        .with_context(|| format!("cannot listen on {address}, nor on any other port there"))
}

/// The address, or one beside it that is free.
fn free_near(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    Ok(listen_near(address)?.local_addr()?)
}

fn settings(folder: &Folder, ingest: SocketAddr, admin: SocketAddr) -> anyhow::Result<Settings> {
    let text = format!(
        "data_dir: {:?}\nsources: {{ demo: {{ write_key: {WRITE_KEY} }} }}\ningest: {{ listen: \"{ingest}\" }}\nadmin: {{ listen: \"{admin}\" }}\n",
        folder.0.display().to_string()
    );
    let read = settings::read("demo", &text, &[], &|path| Err(format!("the demo reads no file {path}")));
    read.map_err(|problems| {
        anyhow::anyhow!("{:?}", problems.iter().map(|problem| &problem.message).collect::<Vec<_>>())
    })
}

/// The shipped mappings, which are the same whenever they are read.
fn mappings(text: &str) -> Found {
    let environment = |name: &str| (name == "INTERCOM_ACCESS_TOKEN").then(|| "demo".to_owned());
    let lookup = Lookup {
        environment: &environment,
        file: &|path| Err(format!("the demo reads no file {path}")),
        missing: Missing::Refused,
    };
    let compiled = destination::compile(text, "intercom.yaml", None, lookup);
    Found { file: "intercom.yaml".to_owned(), fingerprint: [0; 32], compiled }
}

fn introduce(app: &App, intercom: &str) {
    let (ingest, admin) = (app.ingest, app.admin);
    print(format!(
        r#"Interline is running, with a stand-in Intercom beside it. Nothing leaves this machine.

  Tracking API   http://{ingest}        write key: {WRITE_KEY}
  Deliveries     http://{admin}/api/deliveries
  Metrics        http://{admin}/metrics
  Intercom       {intercom}/_sandbox/state     (what the stand-in holds)

Send a call:

  curl http://{ingest}/v1/identify -u {WRITE_KEY}: -H 'Content-Type: application/json' \
    -d '{{"userId":"u1","traits":{{"email":"ada@example.com","name":"Ada Okafor"}}}}'

  curl http://{ingest}/v1/track -u {WRITE_KEY}: -H 'Content-Type: application/json' \
    -d '{{"userId":"u1","event":"Order Completed","properties":{{"revenue":19.99,"order_id":"o-1"}}}}'

Or from Node (npm install @segment/analytics-node):

  const {{ Analytics }} = require('@segment/analytics-node')
  const analytics = new Analytics({{ writeKey: '{WRITE_KEY}', host: 'http://{ingest}', flushAt: 1 }})
  analytics.track({{ userId: 'u1', event: 'Signed Up', properties: {{ plan: 'pro' }} }})

What happens shows below. Ctrl-C ends it.
"#
    ));
}

/// Prints a line for each delivery as it ends, and for each event that no mapping wanted.
async fn follow(store: Arc<dyn Store>) {
    let mut after = Position(0);
    let mut open: BTreeMap<Position, Stored> = BTreeMap::new();
    loop {
        if open.is_empty() {
            store.grown(after).await;
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for stored in store.events(after, 1000).await.unwrap_or_default() {
            after = stored.position;
            open.insert(stored.position, stored);
        }
        let routed = store.stats().routed;
        let waiting: Vec<Position> = open.keys().copied().filter(|position| *position <= routed).collect();
        for position in waiting {
            let ids = (0..mapping::file::MAPPINGS_MAX as u16).map(|number| Id { position, number }).collect();
            let owed = store.deliveries(ids).await.unwrap_or_default();
            if owed.iter().all(|owed| owed.progress.status.is_settled()) {
                let Some(stored) = open.remove(&position) else { continue };
                tell(&stored.event, &owed);
            }
        }
    }
}

fn tell(event: &Event, owed: &[Owed]) {
    let view = event.view().unwrap_or(Json::Null);
    let text = |key: &str| {
        view.get(key).and_then(Json::as_str).unwrap_or_default().escape_debug().take(80).collect::<String>()
    };
    let what = [event.envelope.kind.name().to_owned(), text("event"), text("userId")];
    let what = what.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" · ");
    let at = event.envelope.received_at.strftime("%H:%M:%S");
    if owed.is_empty() {
        print(format!("{at}  {what}\n          no mapping wants it"));
        return;
    }
    for owed in owed {
        print(format!("{at}  {what}\n          → {} · {}", owed.delivery.mapping, ending(owed)));
    }
}

fn ending(owed: &Owed) -> String {
    let requests = owed.progress.story.last().map(|attempt| {
        let said =
            attempt.exchanges.iter().map(|one| format!("{} {} {}", one.method, one.path, one.status.unwrap_or(0)));
        said.collect::<Vec<_>>().join(", ")
    });
    match (&owed.progress.status, owed.progress.carried_by) {
        (status, Some(carrier)) => format!("{}: carried by {carrier}", status.name()),
        (Status::DeadLetter { code, message, .. }, None) => format!("dead letter: {code}: {message}"),
        (Status::Skipped { reason, .. }, None) => format!("skipped: {reason}"),
        (status, None) => format!("{}: {}", status.name(), requests.unwrap_or_default()),
    }
}

/// Posts the sample stream at `rate` a second.
async fn send(ingest: SocketAddr, rate: f64, start: Timestamp) {
    let sender =
        match Network::new(&http::Settings::default(), Url::parse(&format!("http://{ingest}")).expect("an address")) {
            Ok(sender) => sender,
            Err(error) => return tracing::warn!(error, "No sample stream"),
        };
    let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    for event in Sample::new(fastrand::u64(..), start) {
        due.tick().await;
        let body = Some(format!(r#"{{"batch":[{event}]}}"#));
        let request = Request {
            method: Method::Post,
            path: "/v1/batch".to_owned(),
            headers: Vec::new(),
            bearer: WRITE_KEY.into(),
            body,
            timeout: None,
        };
        if let Err(failure) = sender.send(request).await {
            tracing::warn!(error = %failure, "A sample event was not taken");
        }
    }
}
