//! The settings document that a browser or app SDK fetches before it sends anything.
//!
//! Its least content is what analytics.js needs to start. `metrics.sampleRate` is 0 because otherwise the SDK posts
//! counters of its own to Segment; there is only one integration because each further one makes it load code from
//! Segment. An unknown key gets 404, which is how the SDK notices.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};
use serde_json::{Value, json};

use crate::http::is_loopback;

/// Where SDKs reach us: `events.example.com`, or with a scheme before it.
#[derive(Debug, Clone)]
pub struct PublicHost {
    scheme: Option<&'static str>,
    host: String,
}

impl PublicHost {
    /// Reads the setting.
    pub fn new(text: &str) -> Result<PublicHost, String> {
        let (scheme, rest) = match text {
            text if text.starts_with("https://") => (Some("https"), &text[8..]),
            text if text.starts_with("http://") => (Some("http"), &text[7..]),
            text => (None, text),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        match !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]/".contains(&byte)) {
            true => Ok(PublicHost { scheme, host: host.to_owned() }),
            false => Err(format!("`public_host` `{text}` is not a host name like `events.example.com`")),
        }
    }
}

/// The document for one key. Without a public host the SDK is sent to the host it asked.
pub fn document(key: &str, public: Option<&PublicHost>, request: &HttpRequest) -> Value {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, host) = match public {
        Some(public) => (public.scheme.unwrap_or("https"), public.host.as_str()),
        None => (scheme_of(header(HOST), header(ORIGIN)), header(HOST)),
    };
    let allowed = json!({ "__default": { "enabled": true, "integrations": {} } });
    json!({
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": format!("{host}/v1"),
                "protocol": scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": true,
                "maybeBundledConfigIds": {},
                "retryQueue": true,
            }
        },
        "plan": { "track": allowed, "identify": allowed, "group": allowed },
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": { "sampleRate": 0 },
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    })
}

/// We speak plain HTTP, often behind something that does not. A page that came by HTTPS can only have asked for this
/// by HTTPS too, except on its own machine.
fn scheme_of(host: &str, origin: &str) -> &'static str {
    if origin.starts_with("https://") && !is_loopback(host) { "https" } else { "http" }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[track_caller]
    fn check(public: Option<&str>, host: &str, origin: &str, expected: (&str, &str)) {
        let request = TestRequest::get().insert_header((HOST, host)).insert_header((ORIGIN, origin)).to_http_request();
        let public = public.map(|text| PublicHost::new(text).unwrap());
        let document = document("key", public.as_ref(), &request);
        let integration = &document["integrations"]["Segment.io"];
        assert_eq!(
            (integration["protocol"].as_str(), integration["apiHost"].as_str()),
            (Some(expected.0), Some(expected.1))
        );
        assert_eq!(document["metrics"]["sampleRate"], 0);
        assert_eq!(document["integrations"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn sdks_are_sent_to_the_public_host_or_where_they_asked() {
        check(Some("e.example.com"), "x", "", ("https", "e.example.com/v1"));
        check(Some("http://e.example.com:8080/"), "x", "", ("http", "e.example.com:8080/v1"));
        check(None, "e.example.com", "https://shop.example.com", ("https", "e.example.com/v1"));
        check(None, "e.example.com:8080", "http://shop.example.com", ("http", "e.example.com:8080/v1"));
        check(None, "localhost:8080", "https://shop.example.com", ("http", "localhost:8080/v1"));
        for bad in ["", "https://", "a b", "e.example.com?x", "\"x"] {
            assert!(PublicHost::new(bad).is_err(), "{bad}");
        }
    }
}
