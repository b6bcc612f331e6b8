//! Who may ask the stand-in what, and where: sign-in, permissions, regions, and limits of several apps.

use std::time::Duration;

use interline::sandbox::{AccessToken, Consent, Effect, Fault, OauthClient, Permission, Region, Settings, WrongRegion};
use reqwest::Url;
use serde_json::{Value, json};

use super::{Desk, header, text};

fn client() -> OauthClient {
    OauthClient {
        client_id: "app".to_owned(),
        client_secret: AccessToken("secret".to_owned()),
        redirect_uris: Vec::new(),
    }
}

/// Asks for consent and gives the code that the browser would be sent back with.
async fn code(desk: &Desk) -> String {
    let query = "client_id=app&state=x&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback";
    let reply = desk.client.get(format!("{}/oauth?{query}", desk.running.url())).send().await.expect("an answer");
    assert_eq!(reply.status(), 302);
    let back = Url::parse(header(&reply, "Location").expect("a place to go")).expect("a URL");
    let member = |name| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(member("state").as_deref(), Some("x"));
    member("code").expect("a code")
}

#[tokio::test]
async fn an_app_signs_in_by_form_or_json_and_its_token_works() {
    let settings = Settings {
        access_tokens: vec![AccessToken("other".to_owned())],
        oauth_clients: vec![client()],
        oauth_consent: Consent::Allow,
        ..Settings::default()
    };
    let desk = Desk::start(settings);
    let exchange = format!("{}/auth/eagle/token", desk.running.url());
    for as_json in [false, true] {
        let code = code(&desk).await;
        assert!(code.ends_with('='), "{code}");
        let members = json!({"code": code, "client_id": "app", "client_secret": "secret"});
        let send = async || {
            let request = desk.client.post(&exchange);
            let request = match as_json {
                true => request.json(&members),
                false => {
                    let pairs = members.as_object().unwrap().iter().map(|(key, value)| (key, value.as_str().unwrap()));
                    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                    request.header("Content-Type", "application/x-www-form-urlencoded").body(form)
                }
            };
            request.send().await.expect("an answer")
        };
        let token: Value = serde_json::from_str(&send().await.text().await.expect("a body")).expect("JSON");
        let token = text(&token["access_token"]);
        let me = desk.client.get(format!("{}/me", desk.running.url())).bearer_auth(&token);
        assert_eq!(me.header("Intercom-Version", "2.16").send().await.expect("an answer").status(), 200);
        assert_eq!(send().await.status(), 401, "a code is good once");
        let journal = desk.running.journal().to_string();
        assert!(!journal.contains(&token) && !journal.contains("\"secret\""), "{journal}");
    }
    desk.running.stop().await;
}

#[tokio::test]
async fn what_the_app_may_not_do_is_answered_403() {
    let desk = Desk::start(Settings { forbidden: vec![Permission::WriteTags], ..Settings::default() });
    let (status, reply) = desk.ask("POST", "/tags", json!({"name": "a"})).await;
    assert_eq!((status, &reply["errors"][0]["code"]), (403, &json!("forbidden")));
    assert!(text(&reply["errors"][0]["message"]).contains("write_tags"));
    desk.ok("GET", "/tags", Value::Null).await;
    desk.ok("POST", "/_sandbox/settings", json!({"forbidden": ["read_people"]})).await;
    desk.ok("POST", "/tags", json!({"name": "a"})).await;
    assert_eq!(desk.ask("POST", "/contacts/search", json!({})).await.0, 403);
    assert_eq!(desk.ask("GET", "/companies", Value::Null).await.0, 403);
    desk.running.stop().await;
}

#[tokio::test]
async fn a_workspace_answers_in_its_region_alone() {
    let desk = Desk::start(Settings { region: Region::Eu, ..Settings::default() });
    let status = async |url: &str, host: Option<&str>| {
        let request = desk.client.get(format!("{url}/me")).bearer_auth("token").header("Intercom-Version", "2.16");
        let request = host.map_or_else(
            || request.try_clone().expect("a request"),
            |host| request.try_clone().expect("a request").header("Host", host),
        );
        request.send().await.expect("an answer").status().as_u16()
    };
    let url_in = |region| desk.running.url_in(region).expect("an address").to_owned();
    assert_eq!(status(&url_in(Region::Eu), None).await, 200);
    assert_eq!(status(&url_in(Region::Us), None).await, 401);
    assert_eq!(status(&url_in(Region::Au), None).await, 401);
    let any = desk.running.url().to_owned();
    for (host, expected) in
        [("api.eu.intercom.io", 200), ("api.au.intercom.io", 401), ("us.localhost:8082", 401), ("api.intercom.io", 200)]
    {
        assert_eq!(status(&any, Some(host)).await, expected, "{host}");
    }
    for (switch, expected) in [(WrongRegion::NotFound, 404), (WrongRegion::Forwarded, 200)] {
        desk.running.control().change_settings(|settings| settings.wrong_region = switch);
        assert_eq!(status(&url_in(Region::Us), None).await, expected, "{switch:?}");
    }
    desk.running.stop().await;
}

#[tokio::test]
async fn a_fault_can_be_of_one_token_and_a_body_slow() {
    let desk = Desk::start(Settings::default());
    let fault = json!({"on": "*", "count": 0, "token": "token", "does": {"status": {"status": 500}}});
    desk.ok("POST", "/_sandbox/faults", fault).await;
    let me = |token| desk.client.get(format!("{}/me", desk.running.url())).bearer_auth(token).send();
    assert_eq!(me("token").await.expect("an answer").status(), 500);
    assert_eq!(me("another").await.expect("an answer").status(), 200);
    desk.running.control().clear_faults();
    desk.running.control().fault(Fault::new("GET /me", Effect::SlowBody(60_000)));
    let reply = me("token").await.expect("the head at once");
    let early = tokio::time::timeout(Duration::from_millis(50), reply.bytes()).await;
    assert!(early.is_err(), "half of the body is to come");
    desk.running.stop().await;
}

#[tokio::test]
async fn the_replys_own_clock_is_the_one_its_reset_goes_by() {
    let desk = Desk::start(Settings::default());
    desk.running.control().advance(86_400 * 365);
    let reply = desk.send("GET", "/me", Value::Null).await;
    let date = header(&reply, "Date").expect("a date");
    assert_eq!(date, "Fri, 01 Jan 2027 00:00:03 GMT");
    assert_eq!(reply.headers().get_all("Date").iter().count(), 1);
    desk.running.stop().await;
}
