//! The parts of a request that somebody else wrote: nothing in them leads to another host or speaks for somebody else.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Headers that are ours to set, or that describe the connection.
const OURS: [&str; 17] = [
    "authorization",
    "proxy-authorization",
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "cookie",
    "forwarded",
    "x-forwarded-host",
    "x-http-method-override",
];

/// A path below the API's address, as it may be sent. Refused: another host in any disguise, a way up, and what different
/// readers of URLs read differently.
pub fn path(text: &str) -> Result<String, String> {
    let refuse =
        |why: &str| Err(format!("the path {why}; it is one below the API's address, as `/contacts/search` is"));
    let path = match text.strip_prefix('/') {
        Some(path) => path,
        None if text.split(['/', '?']).next().unwrap_or_default().contains(':') => return refuse("names a host"),
        None => text,
    };
    if path.starts_with(['/', '\\']) {
        return refuse("names a host");
    }
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.contains('#') {
        return refuse("has a fragment");
    }
    if let Some(odd) = path
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}'))
    {
        return refuse(&format!("has a character that must be percent-encoded, {odd:?}"));
    }
    let way = path.split('?').next().unwrap_or_default();
    for segment in way.split('/') {
        let plain = decoded(segment).ok_or("the path has a `%` that is no escape")?;
        if plain == "." || plain == ".." {
            return refuse("goes up");
        }
        if plain.contains(['/', '\\']) && (plain.starts_with('.') || plain.contains("..")) {
            return refuse("goes up");
        }
        if plain.chars().any(|c| c.is_control()) {
            return refuse("has a control character");
        }
    }
    if way.contains("//") {
        return refuse("has an empty segment");
    }
    Ok(format!("/{path}"))
}

/// The path with more in its query.
pub fn with_query(path: String, query: &Map<String, Value>) -> Result<String, String> {
    let mut more = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values.iter().filter(|value| !value.is_null()) {
            more.append_pair(name, &plain("query", name, value)?);
        }
    }
    let more = more.finish();
    Ok(match (more.is_empty(), path.contains('?')) {
        (true, _) => path,
        (false, true) => format!("{path}&{more}"),
        (false, false) => format!("{path}?{more}"),
    })
}

/// Headers, with names in lower case.
pub fn headers(given: &Map<String, Value>) -> Result<Vec<(Cow<'static, str>, String)>, String> {
    let mut headers = Vec::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let lower = name.to_ascii_lowercase();
        if lower.is_empty() || !lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(format!("`{name}` is no name of a header"));
        }
        if OURS.contains(&lower.as_str()) {
            return Err(format!("the header `{name}` cannot be set: it says who asks, or what is sent how"));
        }
        let value = plain("headers", name, value)?;
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(format!("the header `{name}` has a control character"));
        }
        headers.push((lower.into(), value));
    }
    Ok(headers)
}

/// The body with its type. Fails when more than one is given.
pub fn body(
    json: Option<&Value>,
    form: &Map<String, Value>,
    multipart: &Map<String, Value>,
) -> Result<Option<(String, String)>, String> {
    match (json, form.is_empty(), multipart.is_empty()) {
        (None, true, true) => Ok(None),
        (Some(json), true, true) => Ok(Some(("application/json".to_owned(), json.to_string()))),
        (None, false, true) => {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in form {
                text.append_pair(name, &plain("form", name, value)?);
            }
            Ok(Some(("application/x-www-form-urlencoded".to_owned(), text.finish())))
        }
        (None, true, false) => parts(multipart).map(Some),
        _ => Err("only one of `body`, `form` and `multipart` can be sent".to_owned()),
    }
}

/// A body in parts, between lines that occur in none of them.
fn parts(given: &Map<String, Value>) -> Result<(String, String), String> {
    let mut parts = Vec::new();
    for (name, value) in given {
        parts.push(part(name, value)?);
    }
    let boundary = (0_u32..)
        .map(|number| format!("interline-{number:08x}"))
        .find(|boundary| parts.iter().all(|part| !part.contains(boundary.as_str())))
        .expect("a body does not contain every number");
    let mut text = String::new();
    for part in parts {
        text.push_str(&format!("--{boundary}\r\n{part}\r\n"));
    }
    text.push_str(&format!("--{boundary}--\r\n"));
    Ok((format!("multipart/form-data; boundary={boundary}"), text))
}

fn part(name: &str, value: &Value) -> Result<String, String> {
    let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let Some(file) = value.as_object() else {
        let text = plain("multipart", name, value)?;
        return Ok(format!("Content-Disposition: form-data; name=\"{}\"\r\n\r\n{text}", quoted(name)));
    };
    let text = |key: &str| file.get(key).and_then(Value::as_str);
    let content = text("content").ok_or_else(|| format!("the file `{name}` in `multipart` has no `content`"))?;
    let filename = quoted(text("filename").unwrap_or(name));
    let content_type = text("content_type").unwrap_or("application/octet-stream");
    if content_type.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(format!("the content_type of `{name}` has a control character"));
    }
    let name = quoted(name);
    Ok(format!(
        "Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: {content_type}\r\n\r\n{content}"
    ))
}

fn plain(field: &str, name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("`{field}.{name}` is no text, number or truth value")),
    }
}

/// A segment with its escapes undone, also twice over. `None`: a `%` that is no escape.
fn decoded(segment: &str) -> Option<String> {
    let once = decoded_once(segment)?;
    Some(decoded_once(&once).unwrap_or(once))
}

fn decoded_once(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(more.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
        rest = &more[2..];
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_stays_below_the_address() {
        for (given, sent) in [
            ("/contacts", "/contacts"),
            ("contacts/search", "/contacts/search"),
            ("/companies?company_id=a%20b&x=1", "/companies?company_id=a%20b&x=1"),
            ("/contacts/find_by_external_id/a%2Fb%40c", "/contacts/find_by_external_id/a%2Fb%40c"),
            ("/contacts/find_by_external_id/user@example.com", "/contacts/find_by_external_id/user@example.com"),
            ("/contacts?next=https://x.co/", "/contacts?next=https://x.co/"),
            ("/a..b/...", "/a..b/..."),
        ] {
            assert_eq!(path(given).as_deref(), Ok(sent), "{given}");
        }
    }

    #[test]
    fn no_path_leads_anywhere_else() {
        for given in [
            "",
            "/",
            "//evil.example/x",
            "///evil.example",
            "\\\\evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "HTTP://api.intercom.io/me",
            "http:evil.example",
            "javascript:1",
            "evil.example:80/x",
            "@evil.example:80",
            "/..",
            "/../me",
            "/a/../../x",
            "/a/..",
            "/./a",
            "/%2e%2e/a",
            "/a/%2E%2E",
            "/.%2e/a",
            "/%252e%252e/a",
            "/a%2f..%2fb",
            "/..%2fa",
            "/..%5ca",
            "/a//b",
            "/a b",
            "/a\nb",
            "/a\r\nHost: x",
            "/a%0d%0ab",
            "/a%00",
            "/a#b",
            "/é",
            "/a%zz",
            "/a%2",
        ] {
            assert!(path(given).is_err(), "{given}");
        }
    }

    #[test]
    fn headers_do_not_speak_for_somebody_else() {
        let one = |name: &str, value: Value| headers(&Map::from_iter([(name.to_owned(), value)]));
        assert_eq!(one("Intercom-Version", json!("2.13")), Ok(vec![("intercom-version".into(), "2.13".to_owned())]));
        assert_eq!(one("X-Number", json!(5)).unwrap()[0].1, "5");
        for (name, value) in [
            ("Authorization", json!("Bearer x")),
            ("HOST", json!("evil.example")),
            ("Content-Length", json!(1)),
            ("Transfer-Encoding", json!("chunked")),
            ("X-A", json!("a\r\nHost: x")),
            ("X A", json!("a")),
            ("", json!("a")),
            ("X-A", json!({})),
        ] {
            assert!(one(name, value).is_err(), "{name}");
        }
    }

    #[test]
    fn a_body_is_json_a_form_or_parts() {
        let members = |value: Value| value.as_object().unwrap().clone();
        let none = Map::new();
        assert_eq!(body(None, &none, &none), Ok(None));
        assert_eq!(body(Some(&json!({"a": 1})), &none, &none).unwrap().unwrap().1, r#"{"a":1}"#);
        assert_eq!(body(None, &members(json!({"a": "x y", "b": 2})), &none).unwrap().unwrap().1, "a=x+y&b=2");
        let file = members(
            json!({"note": "hi", "file": {"filename": "a\"b.csv", "content": "interline-00000000", "content_type": "text/csv"}}),
        );
        let (content_type, text) = body(None, &none, &file).unwrap().unwrap();
        assert_eq!(content_type, "multipart/form-data; boundary=interline-00000001");
        assert!(
            text.contains("name=\"note\"\r\n\r\nhi\r\n--interline-00000001")
                && text.ends_with("--interline-00000001--\r\n")
        );
        assert!(
            text.contains("name=\"file\"; filename=\"a%22b.csv\"\r\nContent-Type: text/csv\r\n\r\ninterline-00000000")
        );
        assert!(body(Some(&json!(1)), &file, &none).is_err());
        assert!(body(None, &members(json!({"a": []})), &none).is_err());
    }

    #[test]
    fn a_query_is_added_to_the_one_of_the_path() {
        let query = json!({"a": ["x", 1], "b": null, "c": "&"});
        let query = query.as_object().unwrap();
        assert_eq!(with_query("/p".to_owned(), query).unwrap(), "/p?a=x&a=1&c=%26");
        assert_eq!(with_query("/p?z=1".to_owned(), query).unwrap(), "/p?z=1&a=x&a=1&c=%26");
        assert_eq!(with_query("/p".to_owned(), &Map::new()).unwrap(), "/p");
    }
}
