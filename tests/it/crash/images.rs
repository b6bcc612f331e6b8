//! What a disk may hold after a power cut: all that was synced, and of the rest any pages, whole, torn or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use super::recording::{Deed, Record};

/// A page of the kernel's cache, which reaches the disk as a whole, unless it is torn.
const PAGE: usize = 4096;
/// A sector of the disk, which is never torn.
const SECTOR: usize = 512;

/// The files of one directory, as the disk and the kernel's cache hold them.
#[derive(Default)]
pub struct Disk {
    files: BTreeMap<String, File>,
    /// Whether a file is there, when that was changed and not synced with the directory.
    folder: Vec<(u64, String, bool)>,
    there: BTreeMap<String, bool>,
}

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    /// What a process sees.
    seen: Vec<u8>,
    /// Writes and truncations since the last sync, with their moments.
    since: Vec<(u64, Deed)>,
}

/// How much of what was not synced survives.
#[derive(Clone, Copy)]
enum Mood {
    Nothing,
    Everything,
    /// Each page by itself, with this chance in a hundred.
    Pages(u32),
    /// Everything up to somewhere, and there a torn page.
    Beginning,
}

impl Disk {
    /// One file, which is all on the disk.
    pub fn with(name: &str, bytes: Vec<u8>) -> Disk {
        let file = File { synced: bytes.clone(), seen: bytes, since: Vec::new() };
        Disk {
            files: BTreeMap::from([(name.to_owned(), file)]),
            folder: Vec::new(),
            there: BTreeMap::from([(name.to_owned(), true)]),
        }
    }

    pub fn apply(&mut self, record: &Record) {
        let Record { moment, file: name, deed } = record;
        match deed {
            Deed::FolderSynced(began) => self.sync_folder(*began),
            Deed::Create | Deed::Unlink => self.change_folder(*moment, name, matches!(deed, Deed::Create)),
            Deed::Synced(began) => self.files.entry(name.clone()).or_default().sync(*began),
            Deed::Write { .. } | Deed::Truncate(_) => {
                self.files.entry(name.clone()).or_default().change(*moment, deed.clone());
            }
            Deed::Found(bytes) => self.files.entry(name.clone()).or_default().find(*moment, bytes),
        }
    }

    fn change_folder(&mut self, moment: u64, name: &str, is_there: bool) {
        self.folder.push((moment, name.to_owned(), is_there));
        // A name that comes again is another file.
        self.files.insert(name.to_owned(), File::default());
    }

    fn sync_folder(&mut self, began: u64) {
        for (moment, name, is_there) in std::mem::take(&mut self.folder) {
            match moment < began {
                true => drop(self.there.insert(name, is_there)),
                false => self.folder.push((moment, name, is_there)),
            }
        }
    }

    /// Writes what the next process finds when this one is killed now.
    pub fn kill(&self, directory: &Path) {
        let mut there = self.there.clone();
        there.extend(self.folder.iter().map(|(_, name, is_there)| (name.clone(), *is_there)));
        for (name, _) in there.iter().filter(|(_, is_there)| **is_there) {
            let bytes = self.files.get(name).map_or(&[][..], |file| &file.seen);
            std::fs::write(directory.join(name), bytes).unwrap();
        }
    }

    /// Writes what a power cut now may leave into a directory.
    pub fn cut(&self, directory: &Path, luck: &mut fastrand::Rng) {
        let mood = match luck.u32(..10) {
            0 => Mood::Nothing,
            1 => Mood::Everything,
            2..5 => Mood::Beginning,
            _ => Mood::Pages(luck.u32(1..100)),
        };
        let mut there = self.there.clone();
        let kept = match mood {
            Mood::Nothing => 0,
            Mood::Everything => self.folder.len(),
            _ => luck.usize(..=self.folder.len()),
        };
        there.extend(self.folder[..kept].iter().map(|(_, name, is_there)| (name.clone(), *is_there)));
        for (name, _) in there.iter().filter(|(_, is_there)| **is_there) {
            let bytes = self.files.get(name).map_or_else(Vec::new, |file| file.cut(mood, luck));
            std::fs::write(directory.join(name), bytes).unwrap();
        }
    }
}

impl File {
    fn change(&mut self, moment: u64, deed: Deed) {
        do_to(&mut self.seen, &deed);
        self.since.push((moment, deed));
    }

    fn sync(&mut self, began: u64) {
        for (moment, deed) in std::mem::take(&mut self.since) {
            match moment < began {
                true => do_to(&mut self.synced, &deed),
                false => self.since.push((moment, deed)),
            }
        }
    }

    /// The last deed of a process may not have been done, or only in part.
    fn find(&mut self, moment: u64, bytes: &[u8]) {
        if self.seen.len() != bytes.len() {
            self.change(moment, Deed::Truncate(bytes.len()));
        }
        let pages = self.seen.chunks(PAGE).zip(bytes.chunks(PAGE)).enumerate();
        let other: Vec<_> =
            pages.filter(|(_, (seen, found))| seen != found).map(|(n, (_, found))| (n, found)).collect();
        for (n, found) in other {
            self.change(moment, Deed::Write { at: n * PAGE, bytes: found.to_vec() });
        }
    }

    fn cut(&self, mood: Mood, luck: &mut fastrand::Rng) -> Vec<u8> {
        let mut left = self.synced.clone();
        let pieces: Vec<Deed> = self.since.iter().flat_map(|(_, deed)| pieces(deed)).collect();
        let end = luck.usize(..=pieces.len());
        for (n, piece) in pieces.iter().enumerate() {
            let is_kept = match mood {
                Mood::Nothing => false,
                Mood::Everything => true,
                Mood::Pages(chance) => luck.u32(..100) < chance,
                Mood::Beginning => n <= end,
            };
            let is_torn = match mood {
                Mood::Pages(_) => luck.u32(..10) == 0,
                Mood::Beginning => n == end,
                _ => false,
            };
            match (is_kept, is_torn) {
                (true, true) => tear(&mut left, piece, luck),
                (true, false) => do_to(&mut left, piece),
                (false, _) => {}
            }
        }
        left
    }
}

fn do_to(file: &mut Vec<u8>, deed: &Deed) {
    match deed {
        Deed::Write { at, bytes } => {
            let end = at + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*at..end].copy_from_slice(bytes);
        }
        Deed::Truncate(length) => file.resize(*length, 0),
        other => panic!("{other:?} does not change a file's bytes"),
    }
}

/// A write, cut at the borders of pages.
fn pieces(deed: &Deed) -> Vec<Deed> {
    cut_at(deed, PAGE)
}

fn cut_at(deed: &Deed, size: usize) -> Vec<Deed> {
    let Deed::Write { at, bytes } = deed else { return vec![deed.clone()] };
    let (mut at, mut rest, mut all) = (*at, &bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = (size - at % size).min(rest.len());
        all.push(Deed::Write { at, bytes: rest[..length].to_vec() });
        (at, rest) = (at + length, &rest[length..]);
    }
    all
}

/// Some of the sectors of a piece.
fn tear(file: &mut Vec<u8>, piece: &Deed, luck: &mut fastrand::Rng) {
    for sector in cut_at(piece, SECTOR) {
        if luck.bool() {
            do_to(file, &sector);
        }
    }
}
