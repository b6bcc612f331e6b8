//! Signing in: a consent page that gives out codes, and the exchange of a code for a token.
//!
//! As the service has it: a code is good once and for five minutes, it may end in `=`, the token never expires and cannot
//! be refreshed, and the exchange takes a form or JSON.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;

use super::desk::Incoming;
use super::reply::{Answer, Refusal, Reply};
use super::settings::{AccessToken, Consent, OauthClient, Settings};

/// Seconds a code is good.
const CODE_SECS: i64 = 300;
/// Codes that are remembered at most.
const CODES_MAX: usize = 10_000;

/// The codes and tokens that were given out.
#[derive(Debug, Default)]
pub struct Oauth {
    last: u64,
    codes: HashMap<String, Code>,
    issued: HashSet<AccessToken>,
}

#[derive(Debug)]
struct Code {
    client_id: String,
    expires_at: i64,
}

impl Oauth {
    /// Whether the token came from an exchange here.
    pub fn issued(&self, token: &AccessToken) -> bool {
        self.issued.contains(token)
    }

    /// Answers the paths of signing in, at `now` in Unix seconds; `None` for all others.
    pub fn answer(&mut self, incoming: &Incoming, settings: &Settings, now: i64) -> Option<Answer> {
        match (incoming.method.as_str(), incoming.path.as_str()) {
            ("GET", "/oauth") => Some(self.consent(incoming, settings, now)),
            ("GET", "/oauth/allow") => Some(self.decide(incoming, settings, now, true)),
            ("GET", "/oauth/deny") => Some(self.decide(incoming, settings, now, false)),
            ("POST", "/auth/eagle/token") => Some(self.exchange(incoming, settings, now)),
            _ => None,
        }
    }

    fn consent(&mut self, incoming: &Incoming, settings: &Settings, now: i64) -> Answer {
        match settings.oauth_consent {
            Consent::Allow => self.decide(incoming, settings, now, true),
            Consent::Deny => self.decide(incoming, settings, now, false),
            Consent::Ask => {
                let wish = Wish::read(&incoming.query, settings)?;
                Ok(page(200, &wish.page(&incoming.query)))
            }
        }
    }

    fn decide(&mut self, incoming: &Incoming, settings: &Settings, now: i64, allowed: bool) -> Answer {
        let wish = Wish::read(&incoming.query, settings)?;
        let mut target = wish.redirect_uri.clone();
        match allowed {
            true => target.query_pairs_mut().append_pair("code", &self.code(&wish.client_id, now)),
            false => target.query_pairs_mut().append_pair("error", "access_denied"),
        };
        if let Some(state) = &wish.state {
            target.query_pairs_mut().append_pair("state", state);
        }
        let headers = vec![("Location", target.to_string())];
        Ok(Reply { status: 302, body: None, headers, ..Reply::ok(Value::Null) })
    }

    /// A code that ends in `=`, since callers must not strip that.
    fn code(&mut self, client_id: &str, now: i64) -> String {
        self.codes.retain(|_, code| code.expires_at > now);
        if self.codes.len() >= CODES_MAX {
            self.codes.clear();
        }
        self.last += 1;
        let code = STANDARD.encode(format!("sandbox code {:010}", self.last));
        debug_assert!(code.ends_with('='), "its length is chosen so");
        let known = Code { client_id: client_id.to_owned(), expires_at: now + CODE_SECS };
        self.codes.insert(code.clone(), known);
        code
    }

    fn exchange(&mut self, incoming: &Incoming, settings: &Settings, now: i64) -> Answer {
        let body = incoming.body.as_deref().unwrap_or_default();
        let members = members(body, incoming.content_type.as_deref().unwrap_or_default())?;
        let member = |name: &'static str| {
            let found = members.get(name).filter(|text| !text.is_empty());
            found.ok_or_else(|| Refusal::missing(name, format!("{name} must be given")))
        };
        let (code, client_id, secret) = (member("code")?, member("client_id")?, member("client_secret")?);
        let refused = || Refusal::new(401, "unauthorized", "The code is not good, or the client is not known");
        let known = self.codes.get(code).filter(|known| known.expires_at > now && known.client_id == *client_id);
        if known.is_none() || !is_client(settings, client_id, secret) {
            return Err(refused());
        }
        self.codes.remove(code);
        self.last += 1;
        let token = format!("sandbox_oauth_{:016x}", self.last);
        self.issued.insert(AccessToken(token.clone()));
        Ok(Reply::ok(json!({"token_type": "Bearer", "token": token, "access_token": token})))
    }
}

/// What the consent page is asked for.
struct Wish {
    client_id: String,
    state: Option<String>,
    redirect_uri: Url,
}

impl Wish {
    fn read(query: &str, settings: &Settings) -> Result<Wish, Refusal> {
        let members: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let client_id = members.get("client_id").cloned().unwrap_or_default();
        let client = client(settings, &client_id);
        if client_id.is_empty() || (client.is_none() && !settings.oauth_clients.is_empty()) {
            return Err(Refusal::new(401, "unauthorized", "There is no app with this client_id"));
        }
        let registered = client.map(|client| client.redirect_uris.as_slice()).unwrap_or_default();
        let wanted = members.get("redirect_uri").or(registered.first());
        let wanted = wanted.ok_or_else(|| Refusal::missing("redirect_uri", "the app has no redirect URL"))?;
        if !registered.is_empty() && !registered.contains(wanted) {
            return Err(Refusal::invalid("redirect_uri", "this redirect URL is not registered for the app"));
        }
        let redirect_uri = Url::parse(wanted).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let redirect_uri = redirect_uri.ok_or_else(|| Refusal::invalid("redirect_uri", "not an http(s) URL"))?;
        Ok(Wish { client_id, state: members.get("state").cloned(), redirect_uri })
    }

    fn page(&self, query: &str) -> String {
        let (app, back, query) = (escape(&self.client_id), escape(self.redirect_uri.as_str()), escape(query));
        format!(
            "<h1>Connect to the sandbox workspace?</h1>\n<p>The app <code>{app}</code> asks for access; you are sent back to \
             <code>{back}</code>.</p>\n<p><a href=\"/oauth/allow?{query}\">Allow</a> · <a href=\"/oauth/deny?{query}\">Deny</a></p>"
        )
    }
}

fn client<'s>(settings: &'s Settings, client_id: &str) -> Option<&'s OauthClient> {
    settings.oauth_clients.iter().find(|client| client.client_id == client_id)
}

fn is_client(settings: &Settings, client_id: &str, secret: &str) -> bool {
    match client(settings, client_id) {
        Some(client) => client.client_secret.0 == secret,
        None => settings.oauth_clients.is_empty(),
    }
}

fn members(body: &[u8], content_type: &str) -> Result<HashMap<String, String>, Refusal> {
    if !content_type.starts_with("application/json") {
        return Ok(form_urlencoded::parse(body).into_owned().collect());
    }
    let read: Result<HashMap<String, Value>, _> = serde_json::from_slice(body);
    let read = read.map_err(|error| Refusal::new(400, "bad_request", format!("the body is not JSON: {error}")))?;
    Ok(read.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect())
}

fn page(status: u16, content: &str) -> Reply {
    let html = format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>Sandbox</title>\n{content}\n");
    Reply { status, body: None, page: Some(html), ..Reply::ok(Value::Null) }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: &str = "client_id=app&state=s%261&redirect_uri=http%3A%2F%2Flocalhost%3A9%2Fback";

    fn get(path: &str, query: &str) -> Incoming {
        Incoming { method: "GET".into(), path: path.into(), query: query.into(), ..Incoming::default() }
    }

    fn post(body: &str) -> Incoming {
        let body = Some(body.as_bytes().to_vec());
        Incoming { method: "POST".into(), path: "/auth/eagle/token".into(), body, ..Incoming::default() }
    }

    fn allowed(oauth: &mut Oauth, settings: &Settings, now: i64) -> (String, Option<String>) {
        let reply = oauth.answer(&get("/oauth/allow", BACK), settings, now).unwrap().unwrap();
        let url = Url::parse(&reply.headers[0].1).unwrap();
        assert_eq!((reply.status, url.path()), (302, "/back"));
        let member = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        (member("code").unwrap(), member("state"))
    }

    fn exchange(oauth: &mut Oauth, settings: &Settings, code: &str, now: i64) -> Result<Reply, u16> {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("code", code), ("client_id", "app"), ("client_secret", "secret")])
            .finish();
        oauth.answer(&post(&body), settings, now).unwrap().map_err(|refusal| refusal.status)
    }

    #[test]
    fn a_code_is_good_once_for_five_minutes_and_ends_in_an_equals_sign() {
        let (mut oauth, settings) = (Oauth::default(), Settings::default());
        let (code, state) = allowed(&mut oauth, &settings, 1000);
        assert!(code.ends_with('='));
        assert_eq!(state.as_deref(), Some("s&1"), "it comes back as it was sent");
        assert_eq!(exchange(&mut oauth, &settings, code.trim_end_matches('='), 1000).unwrap_err(), 401);
        let token = exchange(&mut oauth, &settings, &code, 1299).unwrap().body.unwrap();
        assert_eq!((&token["token"], &token["token_type"]), (&token["access_token"], &json!("Bearer")));
        assert!(oauth.issued(&AccessToken(token["token"].as_str().unwrap().to_owned())));
        assert_eq!(exchange(&mut oauth, &settings, &code, 1299).unwrap_err(), 401, "twice");
        let (late, _) = allowed(&mut oauth, &settings, 1000);
        assert_eq!(exchange(&mut oauth, &settings, &late, 1300).unwrap_err(), 401);
    }

    #[test]
    fn only_known_apps_are_let_in_and_only_sent_where_they_said() {
        let client = OauthClient {
            client_id: "app".into(),
            client_secret: AccessToken("right".into()),
            redirect_uris: vec!["https://a.example/back".into()],
        };
        let settings = Settings { oauth_clients: vec![client], ..Settings::default() };
        let mut oauth = Oauth::default();
        let mut status = |query: &str| {
            let answer = oauth.answer(&get("/oauth/allow", query), &settings, 0).unwrap();
            answer.map_or_else(|refusal| refusal.status, |reply| reply.status)
        };
        assert_eq!(status("client_id=other"), 401);
        assert_eq!(status(BACK), 400, "not registered");
        assert_eq!(status("client_id=app"), 302, "the registered one");
        let reply = oauth.answer(&get("/oauth/allow", "client_id=app"), &settings, 0).unwrap().unwrap();
        let code = Url::parse(&reply.headers[0].1).unwrap().query_pairs().next().unwrap().1.into_owned();
        assert_eq!(exchange(&mut oauth, &settings, &code, 0).unwrap_err(), 401, "a wrong secret");
        assert_eq!(oauth.answer(&post("code=x"), &settings, 0).unwrap().unwrap_err().status, 400);
    }

    #[test]
    fn the_page_asks_and_cannot_be_made_to_run_anything() {
        let (mut oauth, settings) = (Oauth::default(), Settings::default());
        let query = "client_id=%3Cscript%3E&redirect_uri=http://localhost/&state=\"><script>";
        let reply = oauth.answer(&get("/oauth", query), &settings, 0).unwrap().unwrap();
        let page = reply.page.unwrap();
        assert!(page.contains("/oauth/allow?") && !page.contains("<script>"), "{page}");
        let denied = Settings { oauth_consent: Consent::Deny, ..settings };
        let reply = oauth.answer(&get("/oauth", BACK), &denied, 0).unwrap().unwrap();
        assert!(reply.headers[0].1.contains("error=access_denied"));
    }
}
