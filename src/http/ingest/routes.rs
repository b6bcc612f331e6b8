//! The routes of the tracking API, as a table: any letter case, one trailing slash.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::event::{Channel, Kind};

/// Where a browser fetches its settings.
const SETTINGS: (&str, &str) = ("/v1/projects/", "/settings");

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Takes one call, whose type is the route's.
    Call(Kind),
    /// Takes a batch; each item has its own type.
    Batch,
    /// Takes one call from a query and answers with an image, whatever happens.
    Pixel(Kind),
    /// Reads the body and forgets it.
    Forget,
    /// Answers with what a browser SDK has to know.
    Settings,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// What it does.
    pub endpoint: Endpoint,
    /// Who uses it.
    pub channel: Channel,
    /// Its methods, as `Allow` lists them.
    pub methods: &'static str,
}

impl Route {
    /// Whether the route takes `method`.
    pub fn takes(&self, method: &str) -> bool {
        self.methods.split(", ").any(|own| own == method)
    }
}

/// Which families of routes there are beside Segment's own.
#[derive(Debug, Clone, Copy)]
pub struct Families {
    /// `/beacon/v1/batch`, `/pixel/v1/{track,page}`
    pub rudderstack: bool,
    /// `/api/s/{type}`, `/api/s/s2s/{type}`
    pub jitsu: bool,
}

/// All routes.
#[derive(Debug)]
pub struct Routes(BTreeMap<String, Route>);

impl Routes {
    /// The routes of these families and of Segment's.
    pub fn new(families: Families) -> Routes {
        let mut routes = Routes(BTreeMap::new());
        routes.add_segment();
        if families.rudderstack {
            routes.add("/beacon/v1/batch", Endpoint::Batch, Channel::Client, "POST, PUT, OPTIONS");
            for kind in [Kind::Track, Kind::Page] {
                let path = format!("/pixel/v1/{}", kind.name());
                routes.add(&path, Endpoint::Pixel(kind), Channel::Client, "GET, OPTIONS");
            }
        }
        for kind in Kind::ALL.into_iter().filter(|_| families.jitsu) {
            let server = format!("/api/s/s2s/{}", kind.name());
            routes.add(&server, Endpoint::Call(kind), Channel::Server, "POST, PUT, OPTIONS");
            let client = format!("/api/s/{}", kind.name());
            routes.add(&client, Endpoint::Call(kind), Channel::Client, "POST, PUT, OPTIONS");
        }
        routes
    }

    fn add_segment(&mut self) {
        for kind in Kind::ALL {
            let name = kind.name();
            self.add(&format!("/v1/{name}"), Endpoint::Call(kind), Channel::Server, "POST, PUT, OPTIONS");
            self.add(&format!("/v1/{}", &name[..1]), Endpoint::Call(kind), Channel::Client, "POST, PUT, GET, OPTIONS");
            self.add(&format!("/v1/pixel/{name}"), Endpoint::Pixel(kind), Channel::Client, "GET, OPTIONS");
        }
        for path in ["/v1/batch", "/v1/import"] {
            self.add(path, Endpoint::Batch, Channel::Server, "POST, PUT, OPTIONS");
        }
        self.add("/v1/b", Endpoint::Batch, Channel::Client, "POST, PUT, GET, OPTIONS");
        self.add("/v1/m", Endpoint::Forget, Channel::Client, "POST, OPTIONS");
        self.add("/v1/projects/{writeKey}/settings", Endpoint::Settings, Channel::Client, "GET, OPTIONS");
    }

    fn add(&mut self, path: &str, endpoint: Endpoint, channel: Channel, methods: &'static str) {
        self.0.insert(path.to_owned(), Route { endpoint, channel, methods });
    }

    /// The route of a path.
    pub fn find(&self, path: &str) -> Option<Route> {
        let path = lowered(path);
        match self.0.get(&*path) {
            Some(route) => Some(*route),
            None if key_of(&path).is_some() => self.0.get("/v1/projects/{writeKey}/settings").copied(),
            None => None,
        }
    }

    /// Every path with its methods, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(path, route)| (path.as_str(), route.methods))
    }
}

/// The write key in the path of a settings document, in its own letter case.
pub fn settings_key(path: &str) -> Option<&str> {
    key_of(&lowered(path)).map(|key| &path[SETTINGS.0.len()..SETTINGS.0.len() + key.len()])
}

fn key_of(path: &str) -> Option<&str> {
    path.strip_prefix(SETTINGS.0)?.strip_suffix(SETTINGS.1).filter(|key| !key.is_empty())
}

fn lowered(path: &str) -> Cow<'_, str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    match path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(path.to_ascii_lowercase()),
        false => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(Endpoint, Channel)>) {
        let routes = Routes::new(Families { rudderstack: true, jitsu: true });
        assert_eq!(routes.find(path).map(|route| (route.endpoint, route.channel)), expected, "{path}");
    }

    #[test]
    fn paths_are_found_in_any_case_with_one_slash() {
        check("/v1/track", Some((Endpoint::Call(Kind::Track), Channel::Server)));
        check("/V1/Track/", Some((Endpoint::Call(Kind::Track), Channel::Server)));
        check("/v1/track//", None);
        check("/v1/t", Some((Endpoint::Call(Kind::Track), Channel::Client)));
        check("/v1/import/", Some((Endpoint::Batch, Channel::Server)));
        check("/v1/b", Some((Endpoint::Batch, Channel::Client)));
        check("/v1/pixel/page", Some((Endpoint::Pixel(Kind::Page), Channel::Client)));
        check("/api/s/s2s/identify", Some((Endpoint::Call(Kind::Identify), Channel::Server)));
        check("/api/s/identify", Some((Endpoint::Call(Kind::Identify), Channel::Client)));
        check("/beacon/v1/batch", Some((Endpoint::Batch, Channel::Client)));
        check("/v1/projects/AbC/settings", Some((Endpoint::Settings, Channel::Client)));
        check("/v1/projects//settings", None);
        check("/v1/projects/settings", None);
        check("/", None);
        check("", None);
    }

    #[test]
    fn the_key_in_a_path_keeps_its_case() {
        assert_eq!(settings_key("/V1/Projects/AbC/Settings/"), Some("AbC"));
        assert_eq!(settings_key("/v1/projects/é/settings"), Some("é"));
    }

    #[test]
    fn foreign_families_can_be_switched_off() {
        let routes = Routes::new(Families { rudderstack: false, jitsu: false });
        assert!(routes.iter().all(|(path, _)| path.starts_with("/v1/")));
    }
}
