//! One process per data directory: a locked file that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::instant::Timestamp;
use crate::store::{Error, Result};

const NAME: &str = "interline.lock";

/// Held until it is dropped; the operating system lets go of it when the process dies, however it dies.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the directory, or says which process has it.
    pub(super) fn hold(directory: &Path, now: Timestamp) -> Result<Lock> {
        let path = directory.join(NAME);
        let refused = |error: std::io::Error| Error::Unavailable(format!("cannot lock {}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = super::file::private(&mut options).open(&path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => sign(&mut file, now),
            Err(TryLockError::WouldBlock) => return Err(held(directory, &mut file)),
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        Ok(Lock { _file: file })
    }
}

/// The text only helps people, so a full disk does not keep us from starting.
fn sign(file: &mut File, now: Timestamp) {
    let text = format!("{}\nstarted at {now:.0}\n", std::process::id());
    let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        tracing::warn!(%error, "The lock file does not say who holds it");
    }
}

fn held(directory: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    // Another system may not let us read what is locked; then we cannot name the holder.
    let _ = file.read_to_string(&mut text);
    let mut lines = text.lines();
    let holder = match lines.next().filter(|pid| !pid.is_empty()) {
        Some(pid) => format!("process {pid} ({})", lines.next().unwrap_or("just started")),
        None => "another process".to_owned(),
    };
    Error::Locked(format!(
        "the data directory {} is in use by {holder}; stop that process or set another data_dir",
        directory.display()
    ))
}
