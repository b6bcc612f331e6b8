//! `raw_request`: a request of your own to Intercom's API, and to nothing else.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::action::{self, Action, Document, Failure, Kind, Outcome, Unfit, Warning};
use crate::destination::http::{Method, Reply};
use crate::destination::intercom::client::{Call, Client};
use crate::destination::intercom::error::Refusal;
use crate::destination::intercom::raw;
use crate::json::{Json, Object};

/// Sends a request of your own to Intercom's API, with the connection's token; for what no other action does.
///
/// It never leaves the connection's host: the path is one below the API's address, redirects are not followed, and the
/// headers that say who asks are ours.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequest {
    /// The method. Without it: GET, or POST where there is a body.
    #[serde(default)]
    method: Option<Verb>,
    /// The path, as in `/contacts/search`.
    path: String,
    /// The query, by name; a list is said several times.
    #[serde(default)]
    query: Map<String, Value>,
    /// Headers, by name.
    #[serde(default)]
    headers: Map<String, Value>,
    /// A JSON body.
    #[serde(default)]
    body: Option<Value>,
    /// A body in the form of web forms, by name.
    #[serde(default)]
    form: Map<String, Value>,
    /// A body in several parts, by name: a text, or a file as `{"filename", "content", "content_type"}`, its content as text.
    #[serde(default)]
    multipart: Map<String, Value>,
    /// Seconds it may take, 1 to 300.
    #[serde(default)]
    timeout_secs: Option<u64>,
    /// What may be repeated when it fails or nobody knows what came of it. Without it, `safe`.
    #[serde(default)]
    retry: Option<Retry>,
    /// How often it is repeated at once, 0 to 10, where that may help; later, a delivery is tried again as all are.
    #[serde(default)]
    retries: Option<u32>,
    /// Milliseconds before it is repeated the first time; twice as long each time after.
    #[serde(default)]
    retry_delay_ms: Option<u64>,
    /// How the reply is shown. Without it, `json`.
    #[serde(default)]
    response_type: Option<ResponseType>,
}

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

/// What may be repeated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// What surely was not done, and what comes to the same end when it is done twice: GET, PUT and DELETE.
    #[default]
    Safe,
    /// Everything, also what may then happen twice.
    Always,
    /// Nothing.
    Never,
}

/// How a reply is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResponseType {
    /// As JSON; as text where it is none.
    #[default]
    Json,
    /// As text.
    Text,
    /// As base64, for what is no text.
    Base64,
}

const RETRIES_MAX: u32 = 10;
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
const DELAY_MAX: Duration = Duration::from_secs(60);

impl Action for RawRequest {
    type Client = Client;
    const NAME: &'static str = "raw_request";

    fn fit(fields: &mut Object<'_>, _: &mut Vec<Warning>) -> Result<(), Unfit> {
        let path = fields.get("path").and_then(Json::as_str).unwrap_or_default();
        raw::path(path).map(drop).map_err(|why| Unfit::new("path_refused", "path", why))
    }

    async fn perform(self, client: &Client) -> action::Result {
        let call = self.call()?;
        let retries = self.retries.unwrap_or(0).min(RETRIES_MAX);
        let mut delay = Duration::from_millis(self.retry_delay_ms.unwrap_or(500)).min(DELAY_MAX);
        let mut left = retries;
        loop {
            let refusal = match client.exchange(call.clone()).await {
                Ok(reply) if reply.status < 300 => {
                    client.answer(Document::One(self.shown(&reply)));
                    return Ok(Outcome::Delivered(Vec::new()));
                }
                Ok(reply) => {
                    client.answer(Document::One(self.shown(&reply)));
                    Refusal::read(&reply, client.now())
                }
                Err(failure) => failure.into(),
            };
            let may_pass = matches!(refusal.failure.kind, Kind::Unavailable | Kind::Unknown | Kind::Throttled);
            if left == 0 || !may_pass || !self.may_repeat(&refusal) {
                return Err(self.final_failure(refusal));
            }
            let wait = refusal.failure.retry_after.unwrap_or(delay).min(DELAY_MAX);
            tokio::time::sleep(wait).await;
            (left, delay) = (left - 1, (delay * 2).min(DELAY_MAX));
        }
    }
}

impl RawRequest {
    fn method(&self) -> Method {
        let has_body = self.body.is_some() || !self.form.is_empty() || !self.multipart.is_empty();
        match self.method.unwrap_or(if has_body { Verb::Post } else { Verb::Get }) {
            Verb::Get => Method::Get,
            Verb::Post => Method::Post,
            Verb::Put => Method::Put,
            Verb::Patch => Method::Patch,
            Verb::Delete => Method::Delete,
        }
    }

    fn call(&self) -> Result<Call, Failure> {
        let refuse = |why: String| Failure::rejected("request_refused", why);
        let mut headers = raw::headers(&self.headers).map_err(refuse)?;
        let path = raw::path(&self.path).and_then(|path| raw::with_query(path, &self.query)).map_err(refuse)?;
        let body = raw::body(self.body.as_ref(), &self.form, &self.multipart).map_err(refuse)?;
        let body = body.map(|(content_type, body)| {
            headers.push(("content-type".into(), content_type));
            body
        });
        let timeout = self.timeout_secs.map(|secs| Duration::from_secs(secs.max(1)).min(TIMEOUT_MAX));
        Ok(Call::raw(self.method(), path, headers, body, timeout))
    }

    /// Whether it may be done again: what surely did not happen always, the rest as it was chosen.
    fn may_repeat(&self, refusal: &Refusal) -> bool {
        let is_safe = matches!(self.method(), Method::Get | Method::Put | Method::Delete);
        match self.retry.unwrap_or_default() {
            Retry::Never => false,
            Retry::Always => true,
            Retry::Safe => is_safe || !refusal.is_open(),
        }
    }

    /// What may not be repeated has failed for good.
    fn final_failure(&self, refusal: Refusal) -> Failure {
        let may_pass = matches!(refusal.failure.kind, Kind::Unavailable | Kind::Unknown);
        if !may_pass || self.may_repeat(&refusal) {
            return refusal.failure;
        }
        let why = match refusal.is_open() {
            true => "it may have been done, and is not repeated; look before you do",
            false => "it is not repeated, as `retry` says",
        };
        Failure::rejected("not_repeated", format!("{}; {why}", refusal.failure.message))
    }

    fn shown(&self, reply: &Reply) -> Value {
        let text = || Value::from(String::from_utf8_lossy(&reply.body).into_owned());
        let body = match self.response_type.unwrap_or_default() {
            ResponseType::Json => serde_json::from_slice(&reply.body).unwrap_or_else(|_| text()),
            ResponseType::Text => text(),
            ResponseType::Base64 => STANDARD.encode(&reply.body).into(),
        };
        let headers: Map<String, Value> =
            reply.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        json!({ "status": reply.status, "headers": headers, "body": body })
    }
}
