//! The doors: the public tracking API, and the private listener for operators.
//!
//! Each listens on its own socket, so that one can face the world and the other cannot.

pub mod admin;
mod health;
pub mod ingest;
mod ops;
pub mod problem;
mod server;

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::health::Health;
pub use self::server::{Doors, Running, start};

use crate::instant::Timestamp;

/// The time, as the service is told it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How both doors listen and what they take.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The public tracking API.
    pub ingest: ingest::Settings,
    /// The private listener: admin API, health, metrics.
    pub admin: admin::Settings,
}

/// Whether a `Host` names this machine itself.
fn is_loopback(host: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Settings, ingest, is_loopback};

    #[test]
    fn settings_are_read_whole_and_written_without_secrets() {
        let text = r#"{"admin":{"token":"hidden"},"ingest":{"listen":"[::]:80","unknown_write_key":"accept"}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.ingest.listen.port(), 80);
        let source: ingest::SourceSettings = serde_json::from_str(r#"{"write_key":"hidden"}"#).unwrap();
        assert!(source.enabled);
        let written = serde_json::to_string(&settings).unwrap() + &serde_json::to_string(&source).unwrap();
        assert!(!format!("{written} {settings:?} {source:?}").contains("hidden"));
        assert!(serde_json::from_str::<Settings>(r#"{"ingest":{"port":80}}"#).is_err());
        let schema = serde_json::to_string(&schemars::schema_for!(Settings)).unwrap();
        assert!(schema.contains("backlog_max") && schema.contains("1000000"), "{schema}");
    }

    #[test]
    fn loopback_is_told_from_names_that_look_like_it() {
        for host in ["localhost", "localhost:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]", "[::1]:8081", "LOCALHOST"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:8081", "[::2]:8081", ":8081"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
