//! Which message ids were accepted lately: a keyed hash of each, in memory, in buckets of hours that are dropped whole.
//!
//! # Why
//! An index on disk halves the rate of writing. The hashes are appended to the file with the events they belong to, and
//! read back once, when it is opened. They are keyed, so that nobody can make an id that is taken for another's. A day of a
//! hundred events a second is nine million of them, so all but the newest are packed.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

use self::sorted::Sorted;
use crate::instant::Timestamp;

mod sorted;

/// So many new hashes of a bucket are packed, or more where there are many already: the larger part is moved each time.
const NEW_MIN: usize = 32_768;
const NEW_SHARE: usize = 8;

type Hashes = HashSet<u128, BuildHasherDefault<AsItIs>>;

/// The key of the hashes; each store has its own.
#[derive(Clone, Copy)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// A new one.
    pub(super) fn random() -> Key {
        Key(uuid::Uuid::new_v4().into_bytes())
    }

    /// The one that was kept.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Key> {
        bytes.try_into().ok().map(Key)
    }

    /// What is kept of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash of a message id.
    pub(super) fn hash(&self, source: &str, message_id: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(source.as_bytes());
        // Not part of any UTF-8 text, so no other pair gives the same bytes.
        hasher.write_u8(0xff);
        hasher.write(message_id.as_bytes());
        hasher.finish128().as_u128()
    }
}

/// Hours since 1970.
pub(super) fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

/// The hashes that are remembered.
pub(super) struct Window {
    /// Hours in a bucket: few buckets are quick to look through, small ones are not kept much longer than needed.
    width: i64,
    buckets: BTreeMap<i64, Bucket>,
}

/// The hashes of some hours.
#[derive(Default)]
struct Bucket {
    new: Hashes,
    packed: Sorted,
}

impl Bucket {
    fn contains(&self, hash: u128) -> bool {
        self.new.contains(&hash) || self.packed.contains(hash)
    }

    fn pack(&mut self) {
        if self.new.len() >= NEW_MIN.max(self.packed.len() / NEW_SHARE) {
            self.packed.take(&mut self.new);
            self.new.shrink_to(NEW_MIN);
        }
    }
}

impl Window {
    /// A window that remembers for so many hours.
    pub(super) fn new(hours: u32) -> Window {
        Window { width: i64::from(hours / 6).max(1), buckets: BTreeMap::new() }
    }

    /// Remembers a hash; false: it was known.
    pub(super) fn insert(&mut self, hour: i64, hash: u128) -> bool {
        if self.buckets.values().any(|bucket| bucket.contains(hash)) {
            return false;
        }
        self.buckets.entry(hour.div_euclid(self.width)).or_default().new.insert(hash)
    }

    /// Takes back an [`Window::insert`] that was true, since the last [`Window::pack`].
    pub(super) fn remove(&mut self, hour: i64, hash: u128) {
        if let Some(bucket) = self.buckets.get_mut(&hour.div_euclid(self.width)) {
            bucket.new.remove(&hash);
        }
    }

    /// Packs what there is much of, which may take some hundredths of a second. None of it can be taken back then.
    pub(super) fn pack(&mut self) {
        self.buckets.values_mut().for_each(Bucket::pack);
    }

    /// Reads back hashes as [`append`] wrote them.
    pub(super) fn load(&mut self, hour: i64, hashes: &[u8]) {
        let (hashes, _) = hashes.as_chunks();
        let bucket = self.buckets.entry(hour.div_euclid(self.width)).or_default();
        bucket.new.extend(hashes.iter().map(|hash| u128::from_le_bytes(*hash)));
        bucket.pack();
    }

    /// The first hour that stays when everything before `hour` may go: buckets go whole.
    pub(super) fn floor(&self, hour: i64) -> i64 {
        hour.div_euclid(self.width) * self.width
    }

    /// Forgets the buckets before the one of `hour`.
    pub(super) fn forget(&mut self, hour: i64) {
        self.buckets = self.buckets.split_off(&hour.div_euclid(self.width));
    }
}

/// Writes a hash behind others.
pub(super) fn append(hashes: &mut Vec<u8>, hash: u128) {
    hashes.extend_from_slice(&hash.to_le_bytes());
}

/// The hashes are already as random as a hash can make them.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_whole_and_not_too_early() {
        let mut window = Window::new(24);
        let base = 490_000 / 4 * 4;
        assert!(window.insert(base, 1));
        assert!(window.insert(base + 3, 2));
        assert!(!window.insert(base + 9, 1));
        window.forget(window.floor(base + 3));
        assert!(!window.insert(base + 9, 2), "hour base + 3 is not over");
        window.forget(window.floor(base + 4));
        assert!(window.insert(base + 9, 1));
        assert!(window.insert(base + 9, 2));
    }

    #[test]
    fn what_is_taken_back_or_read_back_counts() {
        let mut window = Window::new(1);
        assert!(window.insert(7, u128::MAX));
        window.remove(7, u128::MAX);
        assert!(window.insert(7, u128::MAX));
        let mut hashes = Vec::new();
        append(&mut hashes, 5);
        append(&mut hashes, 6);
        window.load(8, &hashes);
        assert!(!window.insert(9, 5));
        assert!(!window.insert(9, 6));
    }

    #[test]
    fn what_is_packed_counts() {
        let key = Key::random();
        let hash = |number: usize| key.hash("website", &number.to_string());
        let mut window = Window::new(24);
        for number in 0..3 * NEW_MIN {
            assert!(window.insert(7, hash(number)));
            window.pack();
        }
        let bucket = window.buckets.values().next().expect("there is one");
        assert_eq!((bucket.packed.len(), bucket.new.len()), (3 * NEW_MIN, 0));
        assert!((0..3 * NEW_MIN).all(|number| !window.insert(9, hash(number))));
        assert!(window.insert(9, hash(3 * NEW_MIN)));
    }

    #[test]
    fn source_and_id_do_not_run_together() {
        let key = Key::random();
        assert_ne!(key.hash("ab", "c"), key.hash("a", "bc"));
        assert_eq!(key.hash("a", "b"), key.hash("a", "b"));
        assert_ne!(key.hash("a", "b"), Key::random().hash("a", "b"));
    }
}
