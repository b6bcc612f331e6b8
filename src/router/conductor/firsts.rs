//! Of many deliveries, the number of the first one with each key, in little room.
//!
//! # Why
//! A hash table of a few million keys takes half as much again as it holds, and while it grows three times as much. So do
//! many small tables, where all of them grow at the same time: what one leaves is too small for the others. Here the parts are
//! of many sizes, the largest twice the smallest, and only a few of them grow at any time.

/// Keys are spread over so many parts.
const PARTS: usize = 4096;
/// A part that is full gets room for this share of what it has.
const GROWTH: usize = 8;
/// Or for so many.
const GROWTH_MIN: usize = 2;

/// A number for each key; 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// None, or all; in each those of its keys, ascending.
    parts: Box<[Vec<(u64, u64)>]>,
}

impl Firsts {
    /// The smaller one stays.
    pub(super) fn put(&mut self, key: u64, number: u64) {
        if self.parts.is_empty() {
            self.parts = vec![Vec::new(); PARTS].into();
        }
        let part = &mut self.parts[part(key)];
        match part.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => part[at].1 = part[at].1.min(number),
            Err(at) => {
                if part.len() == part.capacity() {
                    part.reserve_exact((part.len() / GROWTH).max(GROWTH_MIN));
                }
                part.insert(at, (key, number));
            }
        }
    }

    /// Forgets a key, and gives room back when much of it is free.
    pub(super) fn remove(&mut self, key: u64) {
        let Some(part) = self.parts.get_mut(part(key)) else { return };
        let Ok(at) = part.binary_search_by_key(&key, |(key, _)| *key) else { return };
        part.remove(at);
        if part.capacity() > part.len() + part.len() / (GROWTH / 2) + 2 * GROWTH_MIN {
            part.shrink_to_fit();
        }
    }

    pub(super) fn get(&self, key: u64) -> Option<u64> {
        let part = self.parts.get(part(key))?;
        part.binary_search_by_key(&key, |(key, _)| *key).ok().map(|at| part[at].1)
    }
}

/// Where a key belongs: of the keys as a whole each part has a share, which is twice as large in the last as in the first.
fn part(key: u64) -> usize {
    // By the golden ratio's bits: keys that are near each other are spread over all parts (Knuth, TAOCP 6.4).
    let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) as f64 / u64::MAX as f64;
    (((1.0 + spread).log2() * PARTS as f64) as usize).min(PARTS - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_first_of_each_key_is_known_in_little_more_room_than_it_takes() {
        let (mut firsts, mut expected) = (Firsts::default(), HashMap::new());
        let mut luck = fastrand::Rng::with_seed(1);
        assert_eq!(firsts.get(8), None);
        for number in (0..200_000_u64).rev() {
            let key = luck.u64(..) >> luck.u32(..50);
            firsts.put(key, number);
            firsts.put(key, number + 7);
            expected.insert(key, number);
        }
        assert!(expected.iter().all(|(key, number)| firsts.get(*key) == Some(*number)));
        assert_eq!(firsts.get(u64::MAX), None);
        let room: usize = firsts.parts.iter().map(Vec::capacity).sum();
        assert!(room <= expected.len() * 9 / 8 + 2 * PARTS, "{room} for {}", expected.len());
        let (gone, left): (Vec<u64>, Vec<u64>) = expected.keys().partition(|_| luck.u8(..4) > 0);
        gone.iter().for_each(|key| firsts.remove(*key));
        assert!(gone.iter().all(|key| firsts.get(*key).is_none()));
        assert!(left.iter().all(|key| firsts.get(*key) == Some(expected[key])));
        let room: usize = firsts.parts.iter().map(Vec::capacity).sum();
        assert!(room <= left.len() * 5 / 4 + 4 * PARTS, "{room} for {}", left.len());
    }

    #[test]
    fn parts_are_of_all_sizes_from_one_to_twice_as_much() {
        let (mut firsts, mut luck) = (Firsts::default(), fastrand::Rng::with_seed(1));
        (0..500_000).for_each(|number| firsts.put(luck.u64(..), number));
        let size = |parts: &[Vec<(u64, u64)>]| parts.iter().map(Vec::len).sum::<usize>() as f64;
        let sixteenths: Vec<f64> = firsts.parts.chunks(PARTS / 16).map(size).collect();
        // From each to the next by the sixteenth root of two.
        let ratios = sixteenths.windows(2).map(|pair| pair[1] / pair[0]);
        assert!(ratios.clone().all(|ratio| (1.02..1.07).contains(&ratio)), "{:?}", ratios.collect::<Vec<_>>());
    }
}
