//! `interline connect`: signs in to a destination, or shows whose token it has.

mod callback;
mod report;

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::local::{Described, Where, described, name_of};
use super::{Format, Verdict, confirm, files, print, runtime};
use crate::action::{Document, Failure};
use crate::app::memory::write_private;
use crate::destination::sign_in::{App, SignIn};
use crate::destination::{self, Destination, Memory, WORKSPACE};
use crate::json::Object;
use crate::settings::Settings;
use crate::yaml::{Lookup, Missing, Node};
use callback::{Answer, Callback};
use report::Report;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  interline connect intercom\n  \
    INTERLINE_OAUTH_CLIENT_SECRET=… interline connect intercom --sign-in --client-id 9f1c…\n\n\
    With a token in the destination file, this shows whose it is: workspace, region, and what it may not read. With\n\
    --sign-in, or when there is no token yet, it prints the page where a person allows the app of --client-id to use\n\
    the workspace, waits for the way back, and writes the token to the file that the destination file names:\n  \
    access_token: ${file:data/destinations/intercom/access_token}\n\n\
    Exit status: 0 all is well, 1 a mapping lacks a permission or the workspace is refused, 2 it could not be tried.")]
pub(super) struct Connect {
    /// The destination: the name of its file.
    destination: String,
    #[command(flatten)]
    place: Where,
    /// Sign in also when there is a token.
    #[arg(long)]
    sign_in: bool,
    /// The app's client id, if the settings do not name it.
    #[arg(long, env = "INTERLINE_OAUTH_CLIENT_ID")]
    client_id: Option<String>,
    /// The app's client secret; give it in the environment, where other users do not see it.
    #[arg(long, env = "INTERLINE_OAUTH_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Where to listen for the way back.
    #[arg(long, default_value = "127.0.0.1:8484")]
    listen: SocketAddr,
    /// The redirect URL that the app has registered; the port and path are those of the way back.
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<Url>,
    /// Print the page's address and do not open it.
    #[arg(long)]
    no_browser: bool,
    /// Seconds to wait for the way back.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// Take a token of another workspace than before.
    #[arg(long)]
    accept_workspace: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Where a token lies, and whether it is there.
enum Token {
    /// In a file, which is there or not.
    File(PathBuf, bool),
    /// In the destination file itself, or in the environment.
    Elsewhere,
}

impl Connect {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let settings = self.place.settings()?;
        let path = self.place.path(&settings, Some(&self.destination))?;
        let (described, token) = read(&settings, &path)?;
        let Some(sign_in) = described.kind.sign_in else {
            bail!("{} needs no sign-in", described.kind.name);
        };
        let has_token = !matches!(token, Token::File(_, false));
        if self.sign_in || !has_token {
            return runtime()?.block_on(self.sign_in(&described, sign_in, &token));
        }
        let built = (described.kind.build)(&described.mappings.settings, described.context(false));
        let destination = built.map_err(|why| anyhow!("{}: {why}", path.display()))?;
        let place = match &token {
            Token::File(path, _) => path.display().to_string(),
            Token::Elsewhere => format!("as {} gives it", path.display()),
        };
        runtime()?.block_on(async {
            let report = examine(&described, &*destination).await?;
            self.conclude(&described, &report, &place, || Ok(()))
        })
    }

    async fn sign_in(&self, described: &Described, sign_in: &SignIn, token: &Token) -> anyhow::Result<Verdict> {
        let node = &described.mappings.settings;
        let app = self.app(node, sign_in)?;
        let code = self.consent(node, sign_in, &app).await?;
        let token_text = (sign_in.exchange)(node, &app, &code).await.map_err(failed)?;
        let built = (sign_in.with_token)(node, token_text.clone(), described.context(false));
        let destination = built.map_err(|why| anyhow!("{}: {why}", described.path.display()))?;
        let report = examine(described, &*destination).await?;
        let (path, is_named) = match token {
            Token::File(path, _) => (path.clone(), true),
            Token::Elsewhere => (described.memory.file(sign_in.token_setting), false),
        };
        let place = path.display().to_string();
        let verdict = self.conclude(described, &report, &place, || save(&path, &token_text))?;
        if !is_named && path.exists() {
            eprintln!(
                "the destination file takes its token from elsewhere; to use this one, write\n  {}: ${{file:{place}}}",
                sign_in.token_setting
            );
        }
        Ok(verdict)
    }

    fn app(&self, node: &Node, sign_in: &SignIn) -> anyhow::Result<App> {
        let named = (sign_in.app)(node).map_err(anyhow::Error::msg)?;
        let client_id = self.client_id.clone().or(named.as_ref().map(|app| app.client_id.clone()));
        let secret = self.client_secret.clone().map(SecretString::from).or(named.map(|app| app.client_secret));
        let missing = "is missing: the app's page in the developer hub shows it; give it as";
        Ok(App {
            client_id: client_id.filter(|id| !id.is_empty()).with_context(|| {
                format!("the client id {missing} --client-id, or as settings.oauth.client_id of the destination file")
            })?,
            client_secret: secret.filter(|secret| !secret.expose_secret().is_empty()).with_context(|| {
                format!("the client secret {missing} INTERLINE_OAUTH_CLIENT_SECRET, or as settings.oauth.client_secret")
            })?,
        })
    }

    /// Has a person asked, and gives the code that came of it.
    async fn consent(&self, node: &Node, sign_in: &SignIn, app: &App) -> anyhow::Result<String> {
        let state = uuid::Uuid::new_v4().simple().to_string();
        let path = self.redirect_uri.as_ref().map_or("/callback", Url::path);
        let callback = Callback::listen(self.listen, path, &state).await?;
        let redirect = match &self.redirect_uri {
            Some(url) => url.to_string(),
            None => format!("http://localhost:{}/callback", callback.address()?.port()),
        };
        let url = (sign_in.consent_url)(node, &app.client_id, &state, &redirect).map_err(anyhow::Error::msg)?;
        eprintln!("Open this page and allow the app to use the workspace:\n\n  {url}\n");
        eprintln!("The way back is {redirect}; it must be registered as a redirect URL of the app.");
        if !self.no_browser && std::io::stderr().is_terminal() {
            open(url.as_str());
        }
        if std::io::stdin().is_terminal() {
            eprintln!("If the browser cannot reach it, paste the address it was sent to here, and press Enter.");
        }
        let waited = tokio::time::timeout(Duration::from_secs(self.timeout), async {
            tokio::select! {
                answer = callback.answer() => answer,
                answer = typed(&state) => answer,
            }
        });
        match waited.await.map_err(|_| anyhow!("nobody came back within {} seconds; start again", self.timeout))?? {
            Answer::Code(code) => Ok(code),
            Answer::Denied(why) => bail!("the app was not allowed to use the workspace: {why}"),
        }
    }

    /// Refuses the wrong workspace, keeps what is to be kept, and prints the report.
    fn conclude(
        &self,
        described: &Described,
        report: &Report,
        place: &str,
        keep: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Verdict> {
        let refused = self.refuse(described, report)?;
        if refused.is_none() {
            keep()?;
            described.memory.remember(WORKSPACE, &report.memory()).context("cannot remember the workspace")?;
        }
        match self.format {
            Format::Human => report.lines(&described.name, place).into_iter().for_each(print),
            Format::Json => print(report.json(&described.name, place)),
        }
        if let Some(why) = refused {
            super::complain(format!("error: {why}"));
            return Ok(Verdict::Problems);
        }
        Ok(if report.lacks() { Verdict::Problems } else { Verdict::Fine })
    }

    /// Why this workspace is not taken.
    fn refuse(&self, described: &Described, report: &Report) -> anyhow::Result<Option<String>> {
        let wanted = described.mappings.settings.get("region").and_then(Node::as_text);
        if let (Some(wanted), Some(region)) = (wanted, report.region())
            && !wanted.eq_ignore_ascii_case(&region)
        {
            return Ok(Some(format!("the workspace's data lives in {region}; write `region: {region}`")));
        }
        let before = described.memory.recall(WORKSPACE).context("cannot read which workspace was seen last")?;
        let before = before.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let before = before.as_ref().and_then(|seen| seen["id"].as_str());
        let (Some(before), Some(now)) = (before, report.workspace()) else { return Ok(None) };
        if before == now || self.accept_workspace {
            return Ok(None);
        }
        let question = format!("Until now everything went to the workspace {before}; this token opens {now}. Take it?");
        match confirm(&question)? {
            Some(true) => Ok(None),
            _ => Ok(Some(format!(
                "the token opens the workspace {now}, and until now everything went to {before}; \
                 --accept-workspace takes it"
            ))),
        }
    }
}

/// Reads a destination file whose token may not be there yet.
fn read(settings: &Settings, path: &Path) -> anyhow::Result<(Described, Token)> {
    let named = RefCell::new(Vec::new());
    let marked = |file: &str| {
        named.borrow_mut().push(file.to_owned());
        Ok(format!("file:{}", named.borrow().len() - 1))
    };
    let described_with_marks = compile(settings, path, &marked)?;
    let setting = described_with_marks.kind.sign_in.map(|sign_in| sign_in.token_setting).unwrap_or_default();
    let mark = described_with_marks.mappings.settings.get(setting).and_then(Node::as_text);
    let index = mark.and_then(|mark| mark.strip_prefix("file:")?.parse::<usize>().ok());
    let file = index.and_then(|index| named.borrow().get(index).cloned());
    let is_there = RefCell::new(true);
    let real = |name: &str| match files::secret(name) {
        Err(_) if Some(name) == file.as_deref() => {
            *is_there.borrow_mut() = false;
            Ok("none-yet".to_owned())
        }
        other => other,
    };
    let described = compile(settings, path, &real)?;
    let token = match &file {
        Some(file) => Token::File(PathBuf::from(file), *is_there.borrow()),
        None => Token::Elsewhere,
    };
    Ok((described, token))
}

fn compile(
    settings: &Settings,
    path: &Path,
    file: &dyn Fn(&str) -> Result<String, String>,
) -> anyhow::Result<Described> {
    let text = files::text(path).with_context(|| format!("cannot read {}", path.display()))?;
    let environment = files::environment();
    let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let lookup = Lookup { environment: &variable, file, missing: Missing::Refused };
    match destination::compile(&text, &path.display().to_string(), None, lookup) {
        Ok(compiled) => described(settings, path, compiled.mappings),
        Err(problems) => {
            super::report::write(&[problems], Format::Human);
            bail!("{} cannot be used", name_of(path))
        }
    }
}

/// Asks the destination whose token it is.
async fn examine(described: &Described, destination: &dyn Destination) -> anyhow::Result<Report> {
    let facts = (described.kind.actions)().into_iter().find(|facts| facts.name == "test_connection");
    let facts = facts.with_context(|| format!("{} has no way to test a connection", described.kind.name))?;
    let performed = destination::by_hand(destination, facts, &Object::new()).await;
    performed.result.map_err(failed)?;
    match performed.document {
        Some(Document::One(document)) => Ok(Report::new(described, document)),
        _ => bail!("the destination did not say whose token it is"),
    }
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{} ({})", failure.message, failure.code)
}

fn save(path: &Path, token: &SecretString) -> anyhow::Result<()> {
    write_private(path, token.expose_secret()).with_context(|| format!("cannot write the token to {}", path.display()))
}

/// The address that a person types, once it is one.
async fn typed(state: &str) -> anyhow::Result<Answer> {
    if !std::io::stdin().is_terminal() {
        return std::future::pending().await;
    }
    let (send, mut receive) = tokio::sync::mpsc::channel(1);
    // A thread of its own: waiting for a terminal cannot be cut short, and must not hold up the end.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = receive.recv().await {
        match callback::pasted(&line, state) {
            Ok(answer) => return Ok(answer),
            Err(error) => eprintln!("{error}"),
        }
    }
    std::future::pending().await
}

/// Opens a page in the browser, if there is one.
fn open(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(opener);
    let command = command.arg(url).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    // Without a browser the printed address is enough.
    let _ = command.stderr(std::process::Stdio::null()).spawn();
    let _ = std::io::stderr().flush();
}
