//! Log format and level.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How a line is written.
    pub format: Format,
    /// What is written: a level (`info`), or directives as of `tracing-subscriber`'s `EnvFilter` (`info,interline=debug`).
    pub level: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { format: Format::Pretty, level: "info".to_owned() }
    }
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line of text.
    #[default]
    Pretty,
    /// One JSON object on a line.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("`{level}` is not a log level: {reason}; write one of error, warn, info, debug, trace")]
pub struct Unknown {
    level: String,
    reason: String,
}

/// What a type cannot say about the settings.
pub fn examine(settings: &Settings) -> Result<(), Unknown> {
    filter(settings).map(|_| ())
}

fn filter(settings: &Settings) -> Result<EnvFilter, Unknown> {
    // What the HTTP server says of its own threads is noise at any level but its own.
    EnvFilter::try_new(format!("actix_server=warn,{}", settings.level))
        .map_err(|error| Unknown { level: settings.level.clone(), reason: error.to_string() })
}

/// Sends log lines to stderr from now on. Does nothing when logging was set up before in this process.
pub fn start(settings: &Settings) -> Result<(), Unknown> {
    let filter = filter(settings)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match settings.format {
        Format::Pretty => {
            lines.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
        }
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
