//! What can be told of the write-ahead log before SQLite reads it: whether it was damaged, not merely cut short.
//!
//! # Why
//! SQLite takes the first frame whose checksum does not hold for the end of the log. After a power cut that is so; but a
//! flipped bit in the middle takes away everything behind it without a word. A group is synced before the next one is
//! begun, so at most one commit can be cut short: more commits behind the first bad frame were on stable storage.
//! The format is SQLite's, <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::note::Note;

pub(super) const HEAD: usize = 32;
/// Where the generation stands in the head.
pub(super) const SALT: usize = 16;
const FRAME_HEAD: usize = 24;
/// Pages have at most this many bytes.
const PAGE_MAX: u32 = 65_536;

/// What a log holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its generation, if its head is sound.
    pub(super) salt: Option<u64>,
    /// Frames that SQLite will read.
    pub(super) frames: u64,
    /// Frames of the same generation behind those.
    pub(super) frames_beyond: u64,
    /// Commits among them.
    pub(super) commits_beyond: u64,
}

impl Found {
    /// Whether more is lost than a power cut can take.
    pub(super) fn is_damaged(&self, note: Note) -> bool {
        let is_same = self.salt.is_none_or(|salt| salt == note.salt);
        self.commits_beyond > 1 || (is_same && self.frames < note.frames)
    }
}

/// Reads a log. One that is not there or empty holds nothing.
pub(super) fn examine(path: &Path) -> io::Result<Found> {
    match File::open(path) {
        Ok(file) => look(BufReader::with_capacity(1 << 18, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::default()),
        Err(error) => Err(error),
    }
}

fn look(mut log: impl Read) -> io::Result<Found> {
    let mut head = [0; HEAD];
    if !fill(&mut log, &mut head)? {
        return Ok(Found::default());
    }
    let page = word(&head, 8);
    let is_plausible = page.is_power_of_two() && (512..=PAGE_MAX).contains(&page);
    let page = if is_plausible { page as usize } else { super::file::PAGE_BYTES };
    let is_big = word(&head, 0) & 1 == 1;
    let mut sum = Sum::default();
    sum.add(&head[..24], is_big);
    let mut holds = is_plausible && word(&head, 0) >> 1 == 0x377f_0682 >> 1 && sum.is(&head[24..]);
    // Without a sound head the frames say which generation is the newest one.
    let mut salt = holds.then(|| long(&head, SALT));
    let mut frame = vec![0; FRAME_HEAD + page];
    let mut found = Found { salt, ..Found::default() };
    while fill(&mut log, &mut frame)? {
        if holds {
            sum.add(&frame[..8], is_big);
            sum.add(&frame[FRAME_HEAD..], is_big);
            holds = Some(long(&frame, 8)) == salt && sum.is(&frame[16..24]);
        }
        if holds {
            found.frames += 1;
            continue;
        }
        let generation = *salt.get_or_insert(long(&frame, 8));
        if generation == long(&frame, 8) {
            found.frames_beyond += 1;
            found.commits_beyond += u64::from(word(&frame, 4) != 0);
        }
    }
    Ok(found)
}

/// False at the end, also when that comes within the buffer.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The running checksum of a log.
#[derive(Debug, Default)]
struct Sum(u32, u32);

impl Sum {
    fn add(&mut self, bytes: &[u8], is_big: bool) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for pair in pairs {
            let (one, two) = pair.split_at(4);
            let read = |half: &[u8]| {
                let half = half.try_into().expect("four bytes");
                if is_big { u32::from_be_bytes(half) } else { u32::from_le_bytes(half) }
            };
            self.0 = self.0.wrapping_add(read(one)).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(read(two)).wrapping_add(self.0);
        }
    }

    fn is(&self, stored: &[u8]) -> bool {
        (self.0, self.1) == (word(stored, 0), word(stored, 4))
    }
}
