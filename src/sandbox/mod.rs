//! The stand-in Intercom: enough of its API to run and test everything without an account.
//!
//! # Map
//! A request enters by `routes` and is answered at the `desk`: sign-in (`oauth`), token, `region`, rate limit (`limits`),
//! version (`version`), `permissions`, then the endpoint that `endpoints` finds for its path. Endpoints (`contacts`,
//! `lifecycle`, `search`, `memberships`, `taggings`, `companies`, `company_lists`, `events`, `tags`, `attributes`,
//! `tickets`, `ticket_search`, `ticket_types`, `me`) are plain functions from a request to a reply over `state`; they know
//! neither HTTP nor the clock. What was asked to go wrong is in `faults`; what came and went, in `journal`; all of it is
//! steered through `control`, from inside the program or over `/_sandbox/`.
//!
//! # Why
//! It is a test double and encodes assumptions. What is not known about the real service is a named switch in `settings`,
//! so that a test can hold with either answer.

mod attribute;
mod attribute_table;
mod attributes;
mod companies;
mod company_lists;
mod contact_view;
mod contacts;
mod control;
mod desk;
mod endpoints;
mod events;
mod faults;
mod filter;
mod index;
mod journal;
mod lifecycle;
mod limits;
mod me;
mod memberships;
mod oauth;
mod paging;
mod permissions;
mod region;
mod reply;
mod routes;
mod search;
mod seed;
mod settings;
mod shape;
mod state;
mod taggings;
mod tags;
#[cfg(test)]
mod testing;
mod ticket_search;
mod ticket_types;
mod tickets;
mod version;

use std::io;
use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

pub use control::{Control, Expectation};
pub use desk::{Incoming, Outgoing, Sent};
pub use faults::{Close, Effect, Fault, Status};
pub use seed::Seed;
pub use settings::{
    AccessToken, CompanyLookup, Consent, EmailSearch, EmailUniqueness, ExternalIdLookup, MergeRoles, MergedWrite,
    Never, OauthClient, Permission, Region, Repeated, SearchLag, Settings, Strictness, TicketCompany,
    UnknownAttributes, WrongRegion,
};

/// The stand-in, before it runs.
pub struct Sandbox;

/// A stand-in that runs. Dropping it leaves it running; [`Running::stop`] ends it.
pub struct Running {
    url: String,
    regional_urls: Vec<(Region, String)>,
    control: Control,
    server: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Method and path of every endpoint it answers; a segment in braces is a parameter.
    pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
        endpoints::all().map(|endpoint| (endpoint.method, endpoint.path))
    }

    /// Starts a stand-in on a bound listener, inside the current tokio runtime. `clock` is the time it goes by; an offset
    /// can be put on it later. The error is a journal file that cannot be opened, or the listener.
    pub fn start(
        settings: Settings,
        listener: TcpListener,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Running> {
        Sandbox::start_with_regions(settings, listener, Vec::new(), clock)
    }

    /// A stand-in that is asked with [`Sandbox::ask`] and has no listener. The error is a journal file that cannot be opened.
    pub fn without_network(
        settings: Settings,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Control> {
        Ok(Control::new(desk::Desk::new(settings)?, clock))
    }

    /// Answers one request as it would over the network.
    pub async fn ask(control: &Control, incoming: &Incoming) -> Outgoing {
        routes::answer(control, incoming).await
    }

    /// The same with further listeners, each of which is the address of one region.
    pub fn start_with_regions(
        settings: Settings,
        listener: TcpListener,
        regional: Vec<(Region, TcpListener)>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Running> {
        let url = format!("http://{}", listener.local_addr()?);
        let mut ports = routes::Ports::default();
        let mut regional_urls = Vec::new();
        for (region, listener) in &regional {
            let address = listener.local_addr()?;
            ports.0.insert(address.port(), *region);
            regional_urls.push((*region, format!("http://{address}")));
        }
        let control = Control::new(desk::Desk::new(settings)?, clock);
        let data = web::Data::new(control.clone());
        let app = move || App::new().app_data(data.clone()).app_data(ports.clone()).configure(routes::routes);
        let mut server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?;
        for (_, listener) in regional {
            server = server.listen(listener)?;
        }
        let server = server.run();
        Ok(Running { url, regional_urls, control, server: server.handle(), task: tokio::spawn(server) })
    }
}

impl Running {
    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The base URL that is a region's own, where it has one.
    pub fn url_in(&self, region: Region) -> Option<&str> {
        self.regional_urls.iter().find(|(known, _)| *known == region).map(|(_, url)| url.as_str())
    }

    /// The handle that steers it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// What it holds: see [`Control::state`].
    pub fn state(&self) -> Value {
        self.control.state()
    }

    /// What it was asked: see [`Control::journal`].
    pub fn journal(&self) -> Value {
        self.control.journal()
    }

    /// Ends it; requests it still holds are cut off.
    pub async fn stop(self) {
        self.server.stop(false).await;
        drop(self.task.await);
    }
}
