//! The stand-in Intercom: enough of its API to run and test everything without an account.
//!
//! # Map
//! A request enters by `routes` and is answered at the `desk`: token, rate limit (`limits`), version (`version`), then the
//! endpoint that `endpoints` finds for its path. Endpoints (`contacts`, `lifecycle`, `search`, `memberships`, `taggings`,
//! `companies`, `events`, `tags`, `attributes`, `me`) are plain functions from a request to a reply over `state`; they know
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
mod contact_view;
mod contacts;
mod control;
mod desk;
mod endpoints;
mod events;
mod faults;
mod index;
mod journal;
mod lifecycle;
mod limits;
mod me;
mod memberships;
mod paging;
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
mod version;

use std::io;
use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

pub use control::{Control, Expectation};
pub use faults::{Close, Effect, Fault, Status};
pub use seed::Seed;
pub use settings::{
    AccessToken, CompanyLookup, EmailSearch, EmailUniqueness, ExternalIdLookup, MergeRoles, MergedWrite, Never, Region,
    Repeated, SearchLag, Settings, Strictness, UnknownAttributes,
};

/// The stand-in, before it runs.
pub struct Sandbox;

/// A stand-in that runs. Dropping it leaves it running; [`Running::stop`] ends it.
pub struct Running {
    url: String,
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
        let url = format!("http://{}", listener.local_addr()?);
        let control = Control::new(desk::Desk::new(settings)?, clock);
        let data = web::Data::new(control.clone());
        let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes::routes))
            .workers(1)
            .disable_signals()
            .listen(listener)?
            .run();
        Ok(Running { url, control, server: server.handle(), task: tokio::spawn(server) })
    }
}

impl Running {
    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
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
