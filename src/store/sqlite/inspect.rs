//! A look at the write-ahead log before SQLite reads it and cuts off what is damaged.

use std::path::Path;

use super::file::{NAME, log_path};
use super::log::{self, Found};
use super::note::Note;
use crate::store::{Error, Result};

/// What was seen.
pub(super) struct Seen {
    pub(super) found: Found,
    /// The name of a copy of it, when it is damaged.
    pub(super) kept: Option<String>,
}

/// Looks at the log of the store in `path`, and keeps a copy of a damaged one.
pub(super) fn inspect(path: &Path) -> Result<Seen> {
    let log = log_path(path);
    let shown = log.display();
    let unreadable = |error: std::io::Error| Error::Unavailable(format!("cannot read {shown}: {error}"));
    let found = log::examine(&log).map_err(unreadable)?;
    let note = path.parent().map(Note::read).unwrap_or_default();
    if !found.is_damaged(note) {
        return Ok(Seen { found, kept: None });
    }
    let mut names = (1_u32..).map(|number| format!("{NAME}-wal.damaged-{number}"));
    let kept = names.find(|name| !path.with_file_name(name).exists()).expect("there are names enough");
    if log.exists() {
        std::fs::copy(&log, path.with_file_name(&kept)).map_err(|error| {
            Error::Unavailable(format!("{shown} is damaged, and cannot be copied to {kept} before it is cut: {error}"))
        })?;
    }
    tell(&found, note, &kept);
    Ok(Seen { found, kept: Some(kept) })
}

fn tell(found: &Found, note: Note, kept: &str) {
    let lost = note.frames.saturating_sub(found.frames).max(found.frames_beyond);
    tracing::error!(
        log.frames = found.frames,
        log.frames_lost = lost,
        "The write-ahead log is damaged: its first {} pages are sound, {lost} behind them are lost, which may hold accepted \
         events and settled deliveries; the log as it was found is kept as {kept}",
        found.frames
    );
}
