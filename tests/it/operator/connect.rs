//! Signing in, and whose token it is.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use interline::sandbox::{AccessToken, Consent, Effect, Fault, OauthClient, Permission, Settings};
use reqwest::Url;

use super::{Desk, sandbox};
use crate::support::http;

const TOKEN: &str = "access_token: ${file:data/destinations/crm/access_token}";

fn settings() -> Settings {
    let client = OauthClient {
        client_id: "app".to_owned(),
        client_secret: AccessToken("s3cret".to_owned()),
        redirect_uris: Vec::new(),
    };
    Settings {
        access_tokens: vec![AccessToken("t".to_owned())],
        oauth_clients: vec![client],
        oauth_consent: Consent::Allow,
        ..Settings::default()
    }
}

/// Signs in as a person with a browser would; gives exit code, output and the rest of what was said.
async fn sign_in(desk: &Desk, visit: impl AsyncFnOnce(Url)) -> (i32, String, String) {
    let words = ["connect", "crm", "--sign-in", "--client-id", "app", "--listen", "127.0.0.1:0", "--no-browser"];
    let mut child = desk
        .command(&words)
        .env("INTERLINE_OAUTH_CLIENT_SECRET", "s3cret")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.trim().starts_with("http://127.0.0.1") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended without a page to open");
    }
    visit(line.trim().parse().unwrap()).await;
    let (mut out, mut rest) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    said.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code().unwrap(), out, rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_stores_a_token_that_only_its_owner_can_read() {
    let mut desk = Desk::new(settings());
    desk.destination(desk.intercom.url(), TOKEN);
    desk.types(&["connect", "crm"], 2);
    let browser = http();
    let (code, out, rest) = sign_in(&desk, async |page: Url| {
        // Somebody else's answer, and a stray request, do not count.
        let back = page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        for stray in [format!("{back}?code=stolen&state=guessed"), back.replace("/callback", "/favicon.ico")] {
            assert_eq!(browser.get(stray).send().await.unwrap().status(), 400);
        }
        let landed = browser.get(page).send().await.unwrap();
        assert!(landed.text().await.unwrap().contains("Signed in"));
    })
    .await;
    assert_eq!(code, 0, "{rest}");
    desk.transcript.push_str(&format!("$ interline connect crm --sign-in\n{out}\n"));
    let file = desk.directory.path().join("data/destinations/crm/access_token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    assert!(token.starts_with("sandbox_oauth_") && !out.contains(&token) && !rest.contains(&token));
    desk.types(&["connect", "crm"], 0);
    desk.types(&["connect", "crm", "--format", "json"], 0);
    desk.types(&["intercom", "list_tags"], 0);
    desk.compare("connect.txt");
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_denies_ends_it() {
    let desk = Desk::new(Settings { oauth_consent: Consent::Deny, ..settings() });
    desk.destination(desk.intercom.url(), TOKEN);
    let (code, _, rest) = sign_in(&desk, async |page| drop(http().get(page).send().await.unwrap())).await;
    assert_eq!(code, 2);
    assert!(rest.contains("access_denied"), "{rest}");
    assert!(!desk.directory.path().join("data").exists(), "nothing is kept");
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_or_region_is_refused() {
    let mut desk = Desk::new(Settings::default());
    desk.types(&["connect", "crm"], 0);
    let other = sandbox(Settings { workspace_id: "other2".to_owned(), ..Settings::default() });
    desk.destination(other.url(), "access_token: t");
    desk.types(&["intercom", "list_tags"], 1);
    desk.types(&["connect", "crm"], 1);
    desk.types(&["connect", "crm", "--accept-workspace"], 0);
    desk.types(&["intercom", "list_tags"], 0);
    let far = sandbox(Settings { region: interline::sandbox::Region::Eu, ..Settings::default() });
    desk.destination(far.url(), "access_token: t");
    desk.types(&["connect", "crm", "--accept-workspace"], 1);
    desk.types(&["intercom", "list_tags"], 1);
    desk.compare("workspaces.txt");
    for running in [desk.intercom, other, far] {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_cannot_be_told_is_not_taken_for_the_right_one() {
    let desk = Desk::new(Settings::default());
    assert_eq!(desk.run(&["connect", "crm"]).code, 0);
    let faults = [
        Effect::Html { status: 200, commit: false },
        Effect::Truncated { keep_bytes: 20 },
        Effect::status(403),
        Effect::status(404),
    ];
    for effect in faults {
        desk.intercom.control().clear_faults();
        desk.intercom.control().fault(Fault { count: 0, ..Fault::new("GET /me", effect.clone()) });
        let ended = desk.run(&["intercom", "create_tag", "--name", "t"]);
        assert!(ended.code == 1 && ended.err.contains("workspace_unknown"), "{effect:?}: {}", ended.err);
    }
    assert_eq!(desk.intercom.state()["tags"], serde_json::json!([]), "nothing was sent");
    desk.intercom.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_with_what_needs_it() {
    let mut desk = Desk::new(Settings { forbidden: vec![Permission::ReadTags], ..Settings::default() });
    desk.types(&["connect", "crm"], 0);
    desk.intercom.control().change_settings(|settings| settings.forbidden = vec![Permission::ReadPeople]);
    desk.types(&["connect", "crm"], 1);
    desk.types(&["connect", "crn"], 2);
    desk.compare("permissions.txt");
    desk.intercom.stop().await;
}
