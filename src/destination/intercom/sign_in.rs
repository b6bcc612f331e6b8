//! OAuth with Intercom: the consent page, and the exchange of a code for a token.
//!
//! # Why
//! A code may end in `=` and is sent as JSON, so that nothing on the way encodes or strips it. There is no refresh token
//! and nothing expires: a token is good until it is revoked. All of it stays in the region of the settings.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Intercom, Region, Settings, base, examine};
use crate::action::{Failure, Kind};
use crate::destination::Destination;
use crate::destination::http::{Method, Network, Request, Transport};
use crate::destination::sign_in::{App, SignIn};

/// How to sign in.
pub(super) const SIGN_IN: SignIn = SignIn {
    token_setting: "access_token",
    app: |node| {
        let oauth = super::read(node)?.oauth;
        Ok(oauth.map(|oauth| App { client_id: oauth.client_id, client_secret: oauth.client_secret }))
    },
    consent_url: |node, client_id, state, redirect| consent_url(&super::read(node)?, client_id, state, redirect),
    exchange: |node, app, code| {
        Box::pin(async move {
            let rejected = |why: String| Failure::rejected("settings_invalid", why);
            let settings = super::read(node).map_err(rejected)?;
            let network = Network::new(&settings.http, base(&settings).map_err(rejected)?).map_err(rejected)?;
            exchange(&network, app, code).await
        })
    },
    with_token: |node, token, context| {
        let settings = Settings { access_token: token, ..super::read(node)? };
        examine(&settings)?;
        let network = Network::new(&settings.http, base(&settings)?)?;
        Ok(Box::new(Intercom::over(Arc::new(network), settings, context)) as Box<dyn Destination>)
    },
};

impl Region {
    /// Where people of this region sign in.
    fn app_url(self) -> &'static str {
        match self {
            Region::Us => "https://app.intercom.com/",
            Region::Eu => "https://app.eu.intercom.com/",
            Region::Au => "https://app.au.intercom.com/",
        }
    }
}

/// The page that asks a person; with a base URL of one's own, the one there.
fn consent_url(settings: &Settings, client_id: &str, state: &str, redirect: &str) -> Result<Url, String> {
    let home = match (&settings.base_url, settings.region) {
        (Some(url), _) => url.clone(),
        (None, Some(region)) => Url::parse(region.app_url()).expect("it is a URL"),
        (None, None) => return Err(super::NO_REGION.to_owned()),
    };
    let mut url = home;
    url.set_path(&format!("{}/oauth", url.path().trim_end_matches('/')));
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("state", state)
        .append_pair("redirect_uri", redirect);
    Ok(url)
}

async fn exchange(transport: &dyn Transport, app: &App, code: &str) -> Result<SecretString, Failure> {
    let body = json!({
        "code": code, "client_id": app.client_id, "client_secret": app.client_secret.expose_secret(),
    });
    let header = |name: &'static str| (name.into(), "application/json".to_owned());
    let request = Request {
        method: Method::Post,
        path: "/auth/eagle/token".to_owned(),
        headers: vec![header("accept"), header("content-type")],
        bearer: SecretString::default(),
        body: Some(body.to_string()),
        timeout: None,
    };
    let reply = transport.send(request).await?;
    if reply.status == 401 {
        let message = "intercom does not take the code (is it older than five minutes, or used?), or client id and secret \
            are not those of the app";
        return Err(Failure::new(Kind::Unauthorized, "code_refused", message));
    }
    if reply.status != 200 {
        return Err(Failure::rejected(
            "code_refused",
            format!("intercom answered the code with status {}", reply.status),
        ));
    }
    let read: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let token = read["access_token"].as_str().or_else(|| read["token"].as_str()).filter(|token| !token.is_empty());
    let unreadable = || Failure::rejected("reply_unreadable", "intercom's answer to the code holds no token");
    token.map(SecretString::from).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::destination::http::Reply;

    struct Stub(u16, &'static str);

    impl Transport for Stub {
        fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
            let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
            assert_eq!(body["code"], "abc=", "a code is sent as it came");
            let reply = Reply { status: self.0, body: self.1.as_bytes().to_vec(), ..Reply::default() };
            Box::pin(async { Ok(reply) })
        }
    }

    #[track_caller]
    fn check(status: u16, body: &'static str, expected: Result<&str, &str>) {
        let app = App { client_id: "app".to_owned(), client_secret: SecretString::from("secret") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let token = runtime.block_on(exchange(&Stub(status, body), &app, "abc="));
        let token = token.as_ref().map(ExposeSecret::expose_secret).map_err(|failure| &*failure.code);
        assert_eq!(token, expected, "{status} {body}");
    }

    #[test]
    fn a_code_becomes_a_token_or_a_reason() {
        check(200, r#"{"token_type":"Bearer","token":"t","access_token":"t"}"#, Ok("t"));
        check(200, r#"{"token":"t"}"#, Ok("t"));
        check(200, "<html>", Err("reply_unreadable"));
        check(401, "{}", Err("code_refused"));
        check(500, "", Err("code_refused"));
    }

    #[test]
    fn people_are_asked_in_their_own_region() {
        let url = |settings: &Settings| consent_url(settings, "a b", "s=", "http://localhost:1/x").unwrap().to_string();
        let eu = Settings { region: Some(Region::Eu), ..Settings::default() };
        assert_eq!(
            url(&eu),
            "https://app.eu.intercom.com/oauth?client_id=a+b&state=s%3D&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fx"
        );
        let own = Settings { base_url: Some(Url::parse("http://127.0.0.1:8082/i").unwrap()), ..eu };
        assert!(url(&own).starts_with("http://127.0.0.1:8082/i/oauth?"));
        assert!(consent_url(&Settings::default(), "a", "s", "x").is_err());
    }
}
