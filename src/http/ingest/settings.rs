//! The settings of the tracking API.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the tracking API listens and what it takes.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port it listens on.
    pub listen: SocketAddr,
    /// Threads that take calls; 0: one per processor.
    pub workers: usize,
    /// Host name, with or without a scheme, that browsers reach this door by, for the settings document they fetch;
    /// without it they are sent to the host they asked.
    pub public_host: Option<String>,
    /// Whether calls with an unknown key or of a disabled source are refused, or answered 200 and dropped as Segment does.
    pub unknown_write_key: UnknownWriteKey,
    /// Bytes of one event, after inflating.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub event_bytes_max: usize,
    /// Bytes of one batch, after inflating.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub batch_bytes_max: usize,
    /// Events in one batch.
    #[schemars(range(min = 1, max = 1000000))]
    pub batch_events_max: usize,
    /// Bytes of a compressed body as sent.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub compressed_bytes_max: usize,
    /// Bytes of all bodies in memory at once; above it calls are answered 503.
    #[schemars(range(min = 1024, max = 1_099_511_627_776_i64))]
    pub inflight_bytes_max: usize,
    /// Events that may wait, all sources together; each source may use its equal share; above it its calls are answered 429.
    pub backlog_max: u64,
    /// Seconds a sender is told to wait by 429 and 503.
    #[schemars(range(min = 0, max = 86400))]
    pub retry_after_secs: u32,
    /// Seconds a body may take to arrive.
    #[schemars(range(min = 1, max = 3600))]
    pub body_timeout_secs: u64,
    /// Seconds the store may take; after it the call is answered 503.
    #[schemars(range(min = 1, max = 3600))]
    pub accept_timeout_secs: u64,
    /// Seconds an idle connection is kept.
    #[schemars(range(min = 0, max = 86400))]
    pub keep_alive_secs: u64,
    /// Seconds that calls in flight get to finish when the service stops.
    #[schemars(range(min = 0, max = 3600))]
    pub shutdown_timeout_secs: u64,
    /// Addresses or ranges (`10.0.0.0/8`) of the proxies in front, whose word about the sender's address is taken.
    pub trusted_proxies: Vec<String>,
    /// The header in which they say it.
    pub client_ip_header: String,
    /// Whether RudderStack's `/beacon/v1/batch` and `/pixel/v1/{track,page}` are there.
    pub rudderstack_routes: bool,
    /// Whether Jitsu's `/api/s/{type}` and `/api/s/s2s/{type}` are there.
    pub jitsu_routes: bool,
}

/// What happens to calls whose key no source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownWriteKey {
    /// They are answered 401.
    Reject,
    /// They are answered 200, counted and dropped.
    Accept,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            workers: 0,
            public_host: None,
            unknown_write_key: UnknownWriteKey::Reject,
            event_bytes_max: 128 * 1024,
            batch_bytes_max: 4 * 1024 * 1024,
            batch_events_max: 2500,
            compressed_bytes_max: 4 * 1024 * 1024,
            inflight_bytes_max: 256 * 1024 * 1024,
            backlog_max: 1_000_000,
            retry_after_secs: 5,
            body_timeout_secs: 20,
            accept_timeout_secs: 10,
            keep_alive_secs: 75,
            shutdown_timeout_secs: 8,
            trusted_proxies: Vec::new(),
            client_ip_header: "x-forwarded-for".to_owned(),
            rudderstack_routes: true,
            jitsu_routes: true,
        }
    }
}
