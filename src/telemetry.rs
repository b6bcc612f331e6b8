//! Log format and level, and how text of others is made fit for a terminal or a log.

use std::fmt::Write as _;
use std::io::{self, Write};

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
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines);
    let _ = match settings.format {
        Format::Pretty => {
            lines.with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
        }
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Text with everything in it that a terminal would obey or a reader would be deceived by (control characters, line
/// separators, marks that turn the direction of writing) as `\\u001b`, which JSON reads as well. Line ends and tabs stay;
/// so do colours, when `styled`.
pub fn printable(text: &str, styled: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let is_ours = matches!(character, '\n' | '\t') || (styled && is_colour(&text[at..]));
        match is_ours || !is_deceptive(character) {
            true => out.push(character),
            false => drop(write!(out, "\\u{:04x}", u32::from(character))),
        }
    }
    out
}

fn is_deceptive(character: char) -> bool {
    let turns =
        matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether a text begins with the sequence that sets a colour or weight, and does nothing else.
fn is_colour(text: &str) -> bool {
    let end =
        text.strip_prefix("\u{1b}[").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    end.is_some_and(|end| end.starts_with('m'))
}

/// Standard error, a log line at a time: whatever a name holds, it is one line.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
        let styled = io::IsTerminal::is_terminal(&io::stderr());
        let text = printable(text, styled).replace('\n', "\\n");
        io::stderr().write_all(format!("{text}{end}").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_a_terminal_obeys_goes_out() {
        for (text, shown) in [
            ("a\tb\nc é 顧", "a\tb\nc é 顧"),
            ("\u{1b}]0;x\u{7}", "\\u001b]0;x\\u0007"),
            ("\u{9b}2J\u{7f}\r", "\\u009b2J\\u007f\\u000d"),
            ("\u{202e}abc\u{2066}\u{2028}", "\\u202eabc\\u2066\\u2028"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
        ] {
            assert_eq!(printable(text, false), shown);
        }
        assert_eq!(printable("\u{1b}[1;31mred\u{1b}[2J", true), "\u{1b}[1;31mred\\u001b[2J");
    }
}
