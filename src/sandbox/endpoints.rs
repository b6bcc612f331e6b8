//! The shelf of endpoints: which method and path is answered by whom. A new one is a row in its file, a new file a line here.

use super::reply::{Answer, Refusal};
use super::settings::Settings;
use super::state::State;
use super::version::Version;
use super::{
    attributes, companies, company_lists, contacts, events, lifecycle, me, memberships, search, taggings, tags,
    ticket_search, ticket_types, tickets,
};
use crate::json::Object;

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// HTTP method.
    pub method: &'static str,
    /// Path; a segment in braces is a parameter.
    pub path: &'static str,
    /// Statuses the published description lists; the service answers others too.
    pub described: &'static [u16],
    /// Reads the request, changes the state, answers.
    pub answer: fn(&mut State, &Request<'_>) -> Answer,
}

/// A request as an endpoint reads it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Values of the path's parameters, in order, decoded.
    pub parameters: Vec<String>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body's members; none without a body.
    pub body: Object<'a>,
    /// The version it is to be read by.
    pub version: Version,
    /// Unix seconds.
    pub now: i64,
    /// The switches.
    pub settings: &'a Settings,
}

impl Request<'_> {
    /// A path parameter, counted from 0.
    pub fn parameter(&self, at: usize) -> &str {
        self.parameters.get(at).map_or("", String::as_str)
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// An integer query parameter within bounds, or what holds without it.
    pub fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.query(name) else { return Ok(default) };
        match text.parse() {
            Ok(count) if (1..=most).contains(&count) => Ok(count),
            _ => Err(Refusal::invalid(name, format!("{name} must be a number from 1 to {most}"))),
        }
    }
}

/// Every endpoint.
pub fn all() -> impl Iterator<Item = &'static Endpoint> {
    let shelves: [&'static [Endpoint]; 14] = [
        me::ENDPOINTS,
        contacts::ENDPOINTS,
        lifecycle::ENDPOINTS,
        search::ENDPOINTS,
        memberships::ENDPOINTS,
        taggings::ENDPOINTS,
        companies::ENDPOINTS,
        company_lists::ENDPOINTS,
        events::ENDPOINTS,
        tags::ENDPOINTS,
        attributes::ENDPOINTS,
        ticket_types::ENDPOINTS,
        tickets::ENDPOINTS,
        ticket_search::ENDPOINTS,
    ];
    shelves.into_iter().flatten()
}

/// The endpoint for a method and a raw path, with its decoded parameters. Literal segments win over parameters.
pub fn find(method: &str, path: &str) -> Option<(&'static Endpoint, Vec<String>)> {
    let wanted: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
    let fitting = all().filter(|endpoint| endpoint.method == method);
    let fitting = fitting.filter_map(|endpoint| Some((endpoint, fit(endpoint.path, &wanted)?)));
    fitting.min_by_key(|(_, parameters)| parameters.len())
}

fn fit(pattern: &str, wanted: &[String]) -> Option<Vec<String>> {
    let mut parts = pattern.trim_matches('/').split('/');
    let mut parameters = Vec::new();
    for got in wanted {
        let part = parts.next()?;
        match part.starts_with('{') {
            true if !got.is_empty() => parameters.push(got.clone()),
            false if part == got => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(parameters)
}

/// Percent-decodes one path segment; what is no escape stays as it is.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(hex);
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let high = (digits[0] as char).to_digit(16)?;
    let low = (digits[1] as char).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Option<(&str, &[&str])>) {
        let found = find(method, path);
        let found =
            found.as_ref().map(|(endpoint, parameters)| (endpoint.path, parameters.iter().map(|p| &**p).collect()));
        assert_eq!(found, expected.map(|(path, parameters)| (path, parameters.to_vec())), "{method} {path}");
    }

    #[test]
    fn literal_segments_win_and_parameters_are_decoded() {
        check("POST", "/contacts/search", Some(("/contacts/search", &[])));
        check("GET", "/contacts/search", Some(("/contacts/{contact_id}", &["search"])));
        check("GET", "/contacts/abc/", Some(("/contacts/{contact_id}", &["abc"])));
        let by_external_id = "/contacts/find_by_external_id/{external_id}";
        check("GET", "/contacts/find_by_external_id/a%2Fb%40c%20d", Some((by_external_id, &["a/b@c d"])));
        check("GET", "/contacts/find_by_external_id/100%", Some((by_external_id, &["100%"])));
        check("GET", "/contacts/find_by_external_id/%C3%A9%zz", Some((by_external_id, &["é%zz"])));
        check("GET", "/contacts/find_by_external_id/", Some(("/contacts/{contact_id}", &["find_by_external_id"])));
        check(
            "DELETE",
            "/contacts/a/companies/b",
            Some(("/contacts/{contact_id}/companies/{company_id}", &["a", "b"])),
        );
        check("PATCH", "/contacts/a", None);
        check("GET", "/tickets", None);
        check("GET", "/companies/scroll", Some(("/companies/scroll", &[])));
        check("POST", "/tickets/enqueue", Some(("/tickets/enqueue", &[])));
        check("GET", "/contacts//tags", None);
    }

    #[test]
    fn no_two_endpoints_share_a_shape() {
        let mut shapes: Vec<String> = all().map(|endpoint| format!("{} {}", endpoint.method, endpoint.path)).collect();
        let count = shapes.len();
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), count);
    }
}
