//! A note beside the file of how far it had come, which shows when its end was cut off.
//!
//! # Why
//! A log that is cut short between two writes looks like one that never went further, and so does an older copy of the
//! file. The note is written now and then and never synced: it may be behind, but never says more than was on the disk.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::file::private;
use super::log;

const NAME: &str = "interline.note";

/// How far it had come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The greatest position in use.
    pub(super) last: i64,
    /// The generation of the write-ahead log; meaningless without frames.
    pub(super) salt: u64,
    /// Frames in it.
    pub(super) frames: u64,
}

impl fmt::Display for Note {
    /// Always as many bytes, so that it is written in the place of the one before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:020} {:016x} {:020}", self.last, self.salt, self.frames)
    }
}

impl Note {
    /// What stands in the data directory; nothing, when that cannot be read.
    pub(super) fn read(directory: &Path) -> Note {
        let text = std::fs::read_to_string(directory.join(NAME)).unwrap_or_default();
        Note::parse(&text).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Note> {
        let mut words = text.split_ascii_whitespace();
        let last = words.next()?.parse().ok()?;
        let salt = u64::from_str_radix(words.next()?, 16).ok()?;
        Some(Note { last, salt, frames: words.next()?.parse().ok()? })
    }
}

/// Where notes are written. Without one everything works; only a loss would not be noticed.
pub(super) struct Notes {
    file: Option<File>,
    written: Note,
}

impl Notes {
    pub(super) fn open(directory: &Path) -> Notes {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).read(true);
        let file = private(&mut options).open(directory.join(NAME));
        if let Err(error) = &file {
            tracing::warn!(%error, "It cannot be noted how far the store has come");
        }
        Notes { file: file.ok(), written: Note::read(directory) }
    }

    /// Replaces the note. `log` is the write-ahead log, of which `frames` are in use.
    pub(super) fn write(&mut self, last: i64, log: &Path, frames: u64) {
        let salt = if frames > 0 { salt(log) } else { Some(0) };
        let Some(salt) = salt else { return };
        let note = Note { last, salt, frames };
        let Some(file) = self.file.as_mut().filter(|_| note != self.written) else { return };
        // The next one may succeed; until then the old one is only behind.
        if file.rewind().and_then(|()| file.write_all(note.to_string().as_bytes())).is_ok() {
            self.written = note;
        }
    }
}

/// The generation of a log.
fn salt(log: &Path) -> Option<u64> {
    let mut head = [0; log::HEAD];
    File::open(log).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    Some(log::long(&head, log::SALT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_anything_else_is_none() {
        let note = Note { last: 7, salt: u64::MAX, frames: 12 };
        assert_eq!(Note::parse(&note.to_string()), Some(note));
        for text in ["", "7", "7 x 1", "-- 0 0", "7 0"] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }
}
