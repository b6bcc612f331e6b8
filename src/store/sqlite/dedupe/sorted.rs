//! Many hashes in little room: some 8 bytes for each, where a hash set takes 20 to 40.

use super::Hashes;

/// How many of a hash's first bits are its place.
const PLACE_BITS: u32 = 16;
const PLACES: usize = 1 << PLACE_BITS;

/// A set of hashes, of which the first 80 bits are kept: 16 of them say in which part of `rests` the other 64 stand.
///
/// Two hashes that share these bits are one to it. Among fifteen million of them that happens to one new hash in 10¹⁷.
#[derive(Default)]
pub(super) struct Sorted {
    /// Where each place begins in `rests`, and the end of the last; nothing, where there are no hashes.
    starts: Box<[u32]>,
    rests: Box<[u64]>,
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.rests.len()
    }

    pub(super) fn contains(&self, hash: u128) -> bool {
        let (place, rest) = parts(hash);
        self.at(place).binary_search(&rest).is_ok()
    }

    fn at(&self, place: usize) -> &[u64] {
        match self.starts.get(place..place + 2) {
            Some(ends) => &self.rests[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }

    /// Takes these in.
    pub(super) fn take(&mut self, hashes: &mut Hashes) {
        let mut new: Vec<(usize, u64)> = hashes.drain().map(parts).collect();
        new.sort_unstable();
        let mut new = new.into_iter().peekable();
        let mut starts = Vec::with_capacity(PLACES + 1);
        let mut rests = Vec::with_capacity(self.len() + new.len());
        for place in 0..PLACES {
            starts.push(rests.len());
            for old in self.at(place) {
                rests.extend(std::iter::from_fn(|| new.next_if(|one| *one < (place, *old))).map(|(_, rest)| rest));
                rests.push(*old);
            }
            rests.extend(std::iter::from_fn(|| new.next_if(|one| one.0 == place)).map(|(_, rest)| rest));
        }
        starts.push(rests.len());
        let small = |start| u32::try_from(start).expect("some hours have fewer than four billion events");
        *self = Sorted { starts: starts.into_iter().map(small).collect(), rests: rests.into() };
    }

    /// Bytes in memory.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.rests)
    }
}

/// A hash's place, and what else is kept of it.
fn parts(hash: u128) -> (usize, u64) {
    ((hash >> (128 - PLACE_BITS)) as usize, (hash << PLACE_BITS >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;

    #[test]
    fn it_holds_what_it_took_and_nothing_else_in_nine_bytes_each() {
        let key = Key::from_bytes(&[7; 16]).expect("a key");
        let hash = |number: u32| key.hash("website", &number.to_string());
        let mut sorted = Sorted::default();
        assert!(!sorted.contains(hash(0)));
        for step in 0..4 {
            // Every second one; in steps, so that old and new ones mix.
            let mut new: Hashes = (step * 100_000..(step + 1) * 100_000).map(|number| hash(number * 2)).collect();
            sorted.take(&mut new);
            assert!(new.is_empty());
        }
        assert_eq!(sorted.len(), 400_000);
        assert!((0..400_000).all(|number| sorted.contains(hash(number * 2))));
        assert!(!(0..400_000).any(|number| sorted.contains(hash(number * 2 + 1))));
        assert!(sorted.bytes() < 9 * 400_000, "{} bytes", sorted.bytes());
    }

    #[test]
    fn the_first_and_the_last_hash_have_their_places() {
        let mut sorted = Sorted::default();
        sorted.take(&mut [0, u128::MAX, 1 << 48].into_iter().collect());
        assert!(sorted.contains(0) && sorted.contains(u128::MAX) && sorted.contains(1 << 48));
        assert!(!sorted.contains(2 << 48) && !sorted.contains(u128::MAX - (1 << 48)) && !sorted.contains(1 << 112));
    }
}
