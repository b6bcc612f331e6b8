//! The admin API of a running router, as commands ask it.

use anyhow::{Context, anyhow, bail};
use clap::Args;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::action::Failure;
use crate::destination::http::{Method, Network, Reply, Request, Settings, Transport};

/// A reply is read up to here, in bytes.
const REPLY_MAX: usize = 64 << 20;
/// Seconds a request may take: an action by hand may send several.
const TIMEOUT_SECS: u64 = 120;

/// Which running router is asked.
#[derive(Debug, Clone, Args)]
pub(super) struct Remote {
    /// The admin API of a running router, as http://127.0.0.1:8081.
    #[arg(long, env = "INTERLINE_ADMIN_URL", global = true)]
    pub url: Option<Url>,
    /// Its token, where it wants one; give it in the environment, where other users do not see it.
    #[arg(long, env = "INTERLINE_ADMIN_TOKEN", hide_env_values = true, global = true)]
    pub token: Option<String>,
}

/// A way to the admin API.
pub(super) struct Api {
    network: Network,
    url: Url,
    token: SecretString,
}

impl Remote {
    /// The way to the router that was named, if one was.
    pub(super) fn api(&self) -> anyhow::Result<Option<Api>> {
        let Some(url) = self.url.clone() else { return Ok(None) };
        if !matches!(url.scheme(), "http" | "https") {
            bail!("--url {url}: write http:// or https://, a host and a port");
        }
        let settings = Settings { timeout_secs: TIMEOUT_SECS, reply_bytes_max: REPLY_MAX, ..Settings::default() };
        let network = Network::new(&settings, url.clone()).map_err(anyhow::Error::msg)?;
        Ok(Some(Api { network, url, token: SecretString::from(self.token.clone().unwrap_or_default()) }))
    }

    /// The way to the router that was named, else to the one that listens where it does by default.
    pub(super) fn api_or_usual(&self) -> anyhow::Result<Api> {
        let usual = || Url::parse("http://127.0.0.1:8081").expect("it is a URL");
        let url = Some(self.url.clone().unwrap_or_else(usual));
        Ok(Remote { url, token: self.token.clone() }.api()?.expect("a URL was given"))
    }
}

impl Api {
    /// Reads.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.send(Method::Get, path, None).await?;
        good(status, body)
    }

    /// Sends, and gives whatever was answered with its status.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.send(Method::Post, path, Some(body.to_string())).await
    }

    /// Sends, and fails on anything but success.
    pub(super) async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, body) = self.post(path, body).await?;
        good(status, body)
    }

    /// Reads text.
    pub(super) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let reply = self.reply(Method::Get, path, None).await?;
        if !(200..300).contains(&reply.status) {
            good(reply.status, self.document(path, &reply)?)?;
        }
        String::from_utf8(reply.body.to_vec()).with_context(|| format!("{} answers {path} with no text", self.url))
    }

    /// Reads lines as they come, until there are no more.
    pub(super) async fn lines(&self, path: &str, show: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
        let request = self.request(Method::Get, path, None);
        let refused = self.network.lines(request, show).await.map_err(|failure| self.unreached(&failure))?;
        let Some(reply) = refused else { return Ok(()) };
        good(reply.status, self.document(path, &reply)?).map(drop)
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<(u16, Value)> {
        let reply = self.reply(method, path, body).await?;
        Ok((reply.status, self.document(path, &reply)?))
    }

    fn document(&self, path: &str, Reply { status, body, .. }: &Reply) -> anyhow::Result<Value> {
        let read = serde_json::from_slice(body);
        read.with_context(|| format!("{} answers {path} with status {status} and no JSON", self.url))
    }

    async fn reply(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Reply> {
        let request = self.request(method, path, body);
        self.network.send(request).await.map_err(|failure| self.unreached(&failure))
    }

    fn request(&self, method: Method, path: &str, body: Option<String>) -> Request {
        let json = |name: &'static str| (name.into(), "application/json".to_owned());
        Request {
            method,
            path: path.to_owned(),
            headers: vec![json("accept"), json("content-type")],
            bearer: self.token.clone(),
            body,
            timeout: None,
        }
    }

    fn unreached(&self, failure: &Failure) -> anyhow::Error {
        let (url, message) = (&self.url, &failure.message);
        anyhow!("no router answers at {url}: {message}; --url names another, `interline serve` starts one")
    }
}

/// The answer, or what it says went wrong.
pub(super) fn good(status: u16, body: Value) -> anyhow::Result<Value> {
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let message = body["message"].as_str().or_else(|| body["error"].as_str()).unwrap_or("no reason is given");
    match status {
        401 => bail!("the router refuses the token: {message}; INTERLINE_ADMIN_TOKEN gives it"),
        _ => bail!("the router answers {status}: {message}"),
    }
}

/// One segment of a path, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
