//! Signing in: how a person lets an app use their account, and where the token goes that comes of it.

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use url::Url;

use super::{Context, Destination};
use crate::action::Failure;
use crate::yaml::Node;

/// An app as the third party knows it.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// Builds an instance with a token; the error says which setting is at fault.
pub type WithToken = fn(&Node, SecretString, Context) -> Result<Box<dyn Destination>, String>;

/// How to sign in to a kind of third party, as data.
pub struct SignIn {
    /// The setting that holds the token.
    pub token_setting: &'static str,
    /// The app that the settings name, if they do.
    pub app: fn(&Node) -> Result<Option<App>, String>,
    /// Where a person is asked: `(settings, client id, state, redirect address)`.
    pub consent_url: fn(&Node, &str, &str, &str) -> Result<Url, String>,
    /// The token for a code that consent gave.
    pub exchange: for<'a> fn(&'a Node, &'a App, &'a str) -> BoxFuture<'a, Result<SecretString, Failure>>,
    /// An instance that uses this token in place of the one in the settings.
    pub with_token: WithToken,
}
