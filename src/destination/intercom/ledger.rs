//! Who was written with which address a moment ago, also by a process before this one: the search need not show it yet.
//!
//! # Why
//! What one process writes, its directory knows. One that starts within the search's lag of another's end, an instance that
//! is built anew because its file was saved, and a command beside a running router know nothing, and Intercom takes a second
//! lead with an address without a word. So it is noted who got an address: when, a hash of the address, which says nobody's
//! name, and Intercom's id.
//!
//! A note is a line at the end of one file. Those of attempts at once go together, with one sync, and what was added is read
//! from where reading ended last: a lead costs a line, however many there are, and a delivery that changes nobody's address
//! costs nothing. What the search shows by now is left out when the file is written anew, which is at most once in a lag. Of
//! more than can have been written meanwhile the oldest go first: those are then known by the search alone, as if made
//! elsewhere. The file may hold twice as many lines.
//!
//! The note comes after Intercom's answer and before the delivery is settled. When the process ends between, the delivery is
//! attempted again and has it in its steps that a lead was asked for. The deliveries' records alone would not do: they are
//! kept by the age of the event and not by the time of the attempt, so that a start would have to read all of them.
//!
//! A note is no truth: whoever it names is read by id before that is believed.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest, Sha256};

use super::Settings;
use super::limits::unshown_max;
use crate::destination::{Added, Mark, Memory};

#[cfg(test)]
mod tests;

/// Under this key a destination remembers them.
const KEY: &str = "addresses";

/// The start of an address's SHA-256.
type Address = u128;

/// What is noted of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// This contact was written with it.
    Has(Arc<str>),
    /// A lead with it was asked for, and nobody knows what came of that.
    Asked,
    /// That lead was surely not made.
    Refused,
}

#[derive(Debug, Clone)]
struct Line {
    /// In Unix seconds.
    at: i64,
    address: Address,
    note: Note,
}

/// What is noted of addresses, between starts; without a memory, or where the search never lags, nothing.
pub struct Ledger {
    name: Arc<str>,
    file: Option<Arc<File>>,
    /// Lines that nobody has written yet.
    waiting: Mutex<String>,
    turn: tokio::sync::Mutex<()>,
    /// Whether the last reading, or the last writing, failed.
    cannot_read: AtomicBool,
    cannot_write: AtomicBool,
}

struct File {
    memory: Arc<dyn Memory>,
    lag_secs: i64,
    lines_max: usize,
    read: Mutex<Read>,
}

/// What was read of the file.
#[derive(Default)]
struct Read {
    mark: Mark,
    /// Lines in the file, and when the first of them was written.
    lines: usize,
    first_at: i64,
    /// Whether the end of the last line is missing.
    is_torn: bool,
    /// What the search need not show yet, oldest first.
    fresh: VecDeque<Line>,
    /// Oldest first; mostly there is one.
    by_address: HashMap<Address, Vec<Note>>,
    /// Contacts, and on how many of the lines.
    contacts: HashMap<Arc<str>, usize>,
}

impl Ledger {
    /// What the instance `name` with these settings notes in its memory.
    pub fn new(name: &Arc<str>, settings: &Settings, memory: Option<&Arc<dyn Memory>>) -> Ledger {
        let lag_secs = i64::try_from(settings.search_lag_secs).unwrap_or(i64::MAX);
        let file = memory.filter(|_| lag_secs > 0).map(|memory| {
            let lines_max = usize::try_from(unshown_max(settings.search_lag_secs)).unwrap_or(usize::MAX);
            Arc::new(File { memory: memory.clone(), lag_secs, lines_max, read: Mutex::default() })
        });
        let (waiting, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        let (cannot_read, cannot_write) = (AtomicBool::new(false), AtomicBool::new(false));
        Ledger { name: name.clone(), file, waiting, turn, cannot_read, cannot_write }
    }

    /// The contacts that an address was written to, oldest first.
    pub fn contacts(&self, email: &str, now: i64) -> Vec<Arc<str>> {
        let has = |note: &Note| match note {
            Note::Has(id) => Some(id.clone()),
            Note::Asked | Note::Refused => None,
        };
        self.look(now, |read| read.by_address.get(&address(email)).map(|notes| notes.iter().filter_map(has).collect()))
            .flatten()
            .unwrap_or_default()
    }

    /// Whether a contact was written to.
    pub fn is_noted(&self, id: &str, now: i64) -> bool {
        self.look(now, |read| read.contacts.contains_key(id)).unwrap_or_default()
    }

    /// Whether a lead was asked for, and nobody knows what came of it.
    pub fn is_asked(&self, email: &str, now: i64) -> bool {
        let last = self.look(now, |read| read.by_address.get(&address(email)).and_then(|notes| notes.last().cloned()));
        last.flatten() == Some(Note::Asked)
    }

    fn look<T>(&self, now: i64, at: impl FnOnce(&Read) -> T) -> Option<T> {
        let read = self.file.as_ref()?.read(now).map(|read| at(&read));
        self.tell(read, &self.cannot_read)
    }

    /// Notes something of an address, on stable storage.
    pub async fn note(&self, email: &str, note: Note, now: i64) {
        let Some(file) = self.file.clone() else { return };
        self.waiting().push_str(&Line { at: now, address: address(email), note }.to_text());
        let _turn = self.turn.lock().await;
        let lines = std::mem::take(&mut *self.waiting());
        // Whoever had the turn before has taken them along.
        if lines.is_empty() {
            return;
        }
        let written = tokio::task::spawn_blocking(move || file.write(&lines, now)).await;
        self.tell(written.expect("writing does not panic"), &self.cannot_write);
    }

    /// Takes out all that is noted of a contact and of the address it has: also the addresses that it had.
    pub async fn strike(&self, id: &str, email: Option<&str>, now: i64) {
        let Some(file) = self.file.clone() else { return };
        let (_turn, id, address) = (self.turn.lock().await, id.to_owned(), email.map(address));
        let written = tokio::task::spawn_blocking(move || file.strike(&id, address, now)).await;
        self.tell(written.expect("writing does not panic"), &self.cannot_write);
    }

    /// Says once that notes cannot be kept, for as long as that stays so.
    fn tell<T>(&self, done: io::Result<T>, in_trouble: &AtomicBool) -> Option<T> {
        let is_first = in_trouble.swap(done.is_err(), Ordering::Relaxed) != done.is_err();
        if let (true, Err(error)) = (is_first, &done) {
            tracing::warn!(destination.name = %self.name, %error, "It cannot be noted who was written with which address; after a restart within \
                `search_lag_secs`, a lead may be made twice");
        }
        done.ok()
    }

    fn waiting(&self) -> MutexGuard<'_, String> {
        self.waiting.lock().expect("adding lines does not panic")
    }
}

impl File {
    /// Reads what was added.
    fn read(&self, now: i64) -> io::Result<MutexGuard<'_, Read>> {
        let mut read = self.read.lock().expect("reading does not panic");
        let added = self.memory.added(KEY, read.mark)?;
        read.take(added);
        // Noted by a clock that ran ahead: from now on at the latest, it ages as any other.
        read.fresh.iter_mut().take_while(|line| line.at > now).for_each(|line| line.at = now);
        while read.fresh.front().is_some_and(|line| read.fresh.len() > self.lines_max || self.is_shown(line, now)) {
            read.drop_first();
        }
        Ok(read)
    }

    /// Whether the search surely shows it.
    fn is_shown(&self, line: &Line, now: i64) -> bool {
        line.at.saturating_add(self.lag_secs) <= now
    }

    fn write(&self, lines: &str, now: i64) -> io::Result<()> {
        // What another process adds between the reading and the writing would be lost.
        let _held = self.memory.hold(KEY)?;
        let kept = {
            let read = self.read(now)?;
            let is_old = read.first_at.saturating_add(self.lag_secs.saturating_mul(2)) < now;
            let is_due = read.is_torn || read.lines >= 2 * self.lines_max || read.lines > 0 && is_old;
            is_due.then(|| read.fresh.iter().map(Line::to_text).collect::<String>())
        };
        match kept {
            Some(kept) => self.memory.remember(KEY, &(kept + lines)),
            None => self.memory.append(KEY, lines),
        }
    }

    fn strike(&self, id: &str, address: Option<Address>, now: i64) -> io::Result<()> {
        let _held = self.memory.hold(KEY)?;
        let is_of = |line: &&Line| Some(line.address) == address || line.note == Note::Has(id.into());
        let kept: String = {
            let read = self.read(now)?;
            if read.lines == 0 {
                return Ok(());
            }
            read.fresh.iter().filter(|line| !is_of(line)).map(Line::to_text).collect()
        };
        self.memory.remember(KEY, &kept)
    }
}

impl Read {
    fn take(&mut self, added: Added) {
        if added.is_anew {
            *self = Read::default();
        }
        let whole = added.text.rfind('\n').map_or(0, |end| end + 1);
        let rest = added.text.len() - whole;
        // What is not whole may still be under way, and is read again.
        self.is_torn = rest > 0;
        self.mark = Mark { length: added.mark.length.saturating_sub(rest as u64), ..added.mark };
        for line in added.text[..whole].lines().filter_map(Line::read) {
            if self.lines == 0 {
                self.first_at = line.at;
            }
            self.lines += 1;
            self.push(line);
        }
    }

    fn push(&mut self, line: Line) {
        if let Note::Has(id) = &line.note {
            *self.contacts.entry(id.clone()).or_default() += 1;
        }
        let notes = self.by_address.entry(line.address).or_insert_with(|| Vec::with_capacity(1));
        notes.push(line.note.clone());
        self.fresh.push_back(line);
    }

    fn drop_first(&mut self) {
        let Some(line) = self.fresh.pop_front() else { return };
        if let Some(notes) = self.by_address.get_mut(&line.address) {
            notes.remove(0);
            if notes.is_empty() {
                self.by_address.remove(&line.address);
            }
        }
        if let Note::Has(id) = &line.note
            && let Some(count) = self.contacts.get_mut(id)
        {
            *count -= 1;
            if *count == 0 {
                self.contacts.remove(id);
            }
        }
    }
}

impl Line {
    fn to_text(&self) -> String {
        let note = match &self.note {
            Note::Has(id) => id,
            Note::Asked => "?",
            Note::Refused => "-",
        };
        format!("{} {:032x} {note}\n", self.at, self.address)
    }

    /// `None`: it is damaged.
    fn read(text: &str) -> Option<Line> {
        let mut words = text.split(' ');
        let (at, address, note) = (words.next()?, words.next()?, words.next()?);
        let note = match note {
            "?" => Note::Asked,
            "-" => Note::Refused,
            id => Note::Has(id.into()),
        };
        Some(Line { at: at.parse().ok()?, address: Address::from_str_radix(address, 16).ok()?, note })
    }
}

fn address(email: &str) -> Address {
    let digest: [u8; 32] = Sha256::digest(email.as_bytes()).into();
    Address::from_be_bytes(*digest.first_chunk().expect("16 of 32 bytes"))
}
