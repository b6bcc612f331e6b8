//! Both servers, from listening to drained.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use tokio::task::JoinHandle;

use super::admin::{self, Admin};
use super::health::Health;
use super::ingest::{self, Ingest};

/// Threads of the private listener.
const ADMIN_WORKERS: usize = 1;

/// The sockets, bound already, so that the caller knows the ports and meets the errors of binding.
#[derive(Debug)]
pub struct Doors {
    /// For the tracking API.
    pub ingest: TcpListener,
    /// For the admin API.
    pub admin: TcpListener,
}

/// Two running servers.
#[derive(Debug)]
pub struct Running {
    /// Where the tracking API listens.
    pub ingest_address: SocketAddr,
    /// Where the admin API listens.
    pub admin_address: SocketAddr,
    health: Arc<Health>,
    ingest: (ServerHandle, JoinHandle<io::Result<()>>),
    admin: (ServerHandle, JoinHandle<io::Result<()>>),
}

/// Starts both servers; their workers are threads of their own. Must be called inside a tokio runtime. Signals are the
/// caller's business.
pub fn start(settings: &ingest::Settings, doors: Doors, ingest: Ingest, admin: Admin) -> io::Result<Running> {
    let ingest_address = doors.ingest.local_addr()?;
    let admin_address = doors.admin.local_addr()?;
    let health = Arc::clone(&admin.parts.health);
    let (ingest, admin) = (web::Data::new(ingest), web::Data::new(admin));
    let public = HttpServer::new(move || ingest::app(ingest.clone()))
        .workers(workers(settings.workers))
        .keep_alive(Duration::from_secs(settings.keep_alive_secs))
        .shutdown_timeout(settings.shutdown_timeout_secs)
        .disable_signals()
        .listen(doors.ingest)?
        .run();
    let private = HttpServer::new(move || App::new().app_data(admin.clone()).configure(admin::configure))
        .workers(ADMIN_WORKERS)
        .shutdown_timeout(settings.shutdown_timeout_secs)
        .disable_signals()
        .listen(doors.admin)?
        .run();
    Ok(Running { ingest_address, admin_address, health, ingest: spawn(public), admin: spawn(private) })
}

fn workers(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        wanted => wanted,
    }
}

fn spawn(server: Server) -> (ServerHandle, JoinHandle<io::Result<()>>) {
    (server.handle(), tokio::spawn(server))
}

impl Running {
    /// From here on `/readyz` says no; calls are still taken.
    pub fn drain(&self) {
        self.health.drain();
    }

    /// Stops listening; when `graceful`, calls in flight finish first. The tracking API goes first, so that the admin
    /// API can be watched meanwhile.
    pub async fn stop(self, graceful: bool) -> io::Result<()> {
        self.health.drain();
        for (handle, server) in [self.ingest, self.admin] {
            handle.stop(graceful).await;
            server.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}
