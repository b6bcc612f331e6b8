//! Room that is kept back on the disk, so that deliveries can still be settled when the disk is full.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::file::private;

const NAME: &str = "interline.ballast";
const CHUNK: usize = 1 << 16;

/// A file of zeros.
pub(super) struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// Of so many bytes, in the data directory; 0: none.
    pub(super) fn new(directory: &Path, bytes: u64) -> Ballast {
        Ballast { path: directory.join(NAME), bytes }
    }

    /// Whether there is to be one.
    pub(super) fn is_any(&self) -> bool {
        self.bytes > 0
    }

    /// Takes the room, unless it is taken already. False: the disk has less than twice as much left, so it would soon be
    /// full again.
    pub(super) fn take(&self) -> bool {
        if self.bytes == 0 {
            self.release();
            return true;
        }
        if self.is_taken() {
            return true;
        }
        let taken = self.write();
        if let Err(error) = &taken {
            tracing::debug!(%error, "There is no room for the ballast");
            self.release();
        }
        taken.is_ok()
    }

    /// Gives the room back. False: there was none.
    pub(super) fn release(&self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }

    fn is_taken(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|facts| facts.len() == self.bytes && allocated(&facts) >= self.bytes)
    }

    fn write(&self) -> io::Result<()> {
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&self.path)?;
        fill(&mut file, self.bytes.saturating_mul(2))?;
        file.set_len(self.bytes)
    }
}

fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = [0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(CHUNK as u64);
        file.write_all(&zeros[..part as usize])?;
        left -= part;
    }
    Ok(())
}

/// Bytes that the file really has on the disk.
#[cfg(unix)]
fn allocated(facts: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(facts) * 512
}

#[cfg(not(unix))]
fn allocated(facts: &std::fs::Metadata) -> u64 {
    facts.len()
}
