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

/// On which of two sides a number stands: both are in one table, and what goes over from one to the other takes no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Side {
    #[default]
    Even = 0,
    Odd = 1,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Even => Side::Odd,
            Side::Odd => Side::Even,
        }
    }
}

/// The bit of an entry's number that says on which side it is: numbers are below it.
const SIDE_BIT: u32 = 63;

/// A number for each key on each side; 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// None, or all; in each those of its keys, ascending, with the number and the side.
    parts: Box<[Vec<(u64, u64)>]>,
}

impl Firsts {
    /// The smaller one stays.
    pub(super) fn put(&mut self, side: Side, key: u64, number: u64) {
        let (part, entry) = (self.part(key), entry(side, number));
        match find(part, side, key) {
            Ok(at) => part[at].1 = part[at].1.min(entry),
            Err(at) => insert(part, at, (key, entry)),
        }
    }

    /// The same; and on the other side the key is forgotten. Its place is taken, so that this needs no room.
    pub(super) fn put_over(&mut self, side: Side, key: u64, number: u64) {
        let (part, entry) = (self.part(key), entry(side, number));
        match (find(part, side, key), find(part, side.other(), key)) {
            (Err(_), Ok(at)) => part[at].1 = entry,
            (Err(at), Err(_)) => insert(part, at, (key, entry)),
            (Ok(at), other) => {
                part[at].1 = part[at].1.min(entry);
                if let Ok(at) = other {
                    part.remove(at);
                }
            }
        }
    }

    /// Forgets a side, and gives room back where much of it is free.
    pub(super) fn forget(&mut self, side: Side) {
        for part in &mut self.parts {
            part.retain(|(_, entry)| entry >> SIDE_BIT != side as u64);
            if part.capacity() > part.len() + part.len() / (GROWTH / 2) + 2 * GROWTH_MIN {
                part.shrink_to_fit();
            }
        }
        if self.parts.iter().all(Vec::is_empty) {
            self.parts = Box::default();
        }
    }

    pub(super) fn get(&self, side: Side, key: u64) -> Option<u64> {
        let part = self.parts.get(part(key))?;
        find(part, side, key).ok().map(|at| part[at].1 & !(1 << SIDE_BIT))
    }

    fn part(&mut self, key: u64) -> &mut Vec<(u64, u64)> {
        if self.parts.is_empty() {
            self.parts = vec![Vec::new(); PARTS].into();
        }
        &mut self.parts[part(key)]
    }
}

fn entry(side: Side, number: u64) -> u64 {
    debug_assert!(number >> SIDE_BIT == 0, "the store's numbers are signed");
    number | (side as u64) << SIDE_BIT
}

/// Where it is, or where it would have to be: of one key the even side is first.
fn find(part: &[(u64, u64)], side: Side, key: u64) -> Result<usize, usize> {
    part.binary_search_by_key(&(key, side as u64), |(key, entry)| (*key, entry >> SIDE_BIT))
}

fn insert(part: &mut Vec<(u64, u64)>, at: usize, entry: (u64, u64)) {
    if part.len() == part.capacity() {
        part.reserve_exact((part.len() / GROWTH).max(GROWTH_MIN));
    }
    part.insert(at, entry);
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

    fn room(firsts: &Firsts) -> usize {
        firsts.parts.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn the_first_of_each_key_is_known_in_little_more_room_than_it_takes() {
        let (mut firsts, mut expected) = (Firsts::default(), HashMap::new());
        let mut luck = fastrand::Rng::with_seed(1);
        assert_eq!(firsts.get(Side::Even, 8), None);
        for number in (0..200_000_u64).rev() {
            let key = luck.u64(..) >> luck.u32(..50);
            firsts.put(Side::Even, key, number);
            firsts.put(Side::Even, key, number + 7);
            expected.insert(key, number);
        }
        assert!(expected.iter().all(|(key, number)| firsts.get(Side::Even, *key) == Some(*number)));
        assert_eq!(firsts.get(Side::Even, u64::MAX), None);
        let before = room(&firsts);
        assert!(before <= expected.len() * 9 / 8 + 2 * PARTS, "{before} for {}", expected.len());
        let (gone, left): (Vec<u64>, Vec<u64>) = expected.keys().partition(|_| luck.u8(..4) > 0);
        left.iter().for_each(|key| firsts.put_over(Side::Odd, *key, expected[key] + 1));
        assert_eq!(room(&firsts), before, "whoever goes over takes no more room");
        firsts.forget(Side::Even);
        assert!(gone.iter().all(|key| firsts.get(Side::Even, *key).is_none()));
        assert!(left.iter().all(|key| firsts.get(Side::Odd, *key) == Some(expected[key] + 1)));
        let after = room(&firsts);
        assert!(after <= left.len() * 5 / 4 + 4 * PARTS, "{after} for {}", left.len());
        firsts.forget(Side::Odd);
        assert!(firsts.parts.is_empty());
    }

    #[test]
    fn two_sides_are_as_two_of_them() {
        let mut luck = fastrand::Rng::with_seed(2);
        let (mut firsts, mut expected) = (Firsts::default(), [HashMap::new(), HashMap::new()]);
        let keys: Vec<u64> = (0..).filter(|key| part(*key) < 8).take(500).collect();
        for _ in 0..100_000 {
            let side = luck.choice([Side::Even, Side::Odd]).unwrap();
            let (key, number) = (*luck.choice(&keys).unwrap(), luck.u64(..1 << SIDE_BIT));
            let first = expected[side as usize].get(&key).map_or(number, |first: &u64| number.min(*first));
            match luck.u16(..2_000) {
                0 => {
                    firsts.forget(side);
                    expected[side as usize].clear();
                }
                1..1_000 => {
                    firsts.put(side, key, number);
                    expected[side as usize].insert(key, first);
                }
                _ => {
                    firsts.put_over(side, key, number);
                    expected[side as usize].insert(key, first);
                    expected[side.other() as usize].remove(&key);
                }
            }
            for side in [Side::Even, Side::Odd] {
                assert_eq!(firsts.get(side, key), expected[side as usize].get(&key).copied());
            }
        }
        for (side, expected) in [Side::Even, Side::Odd].into_iter().zip(expected) {
            assert!(keys.iter().all(|key| firsts.get(side, *key) == expected.get(key).copied()));
        }
    }

    #[test]
    fn parts_are_of_all_sizes_from_one_to_twice_as_much() {
        let (mut firsts, mut luck) = (Firsts::default(), fastrand::Rng::with_seed(1));
        (0..500_000).for_each(|number| firsts.put(Side::Even, luck.u64(..), number));
        let size = |parts: &[Vec<(u64, u64)>]| parts.iter().map(Vec::len).sum::<usize>() as f64;
        let sixteenths: Vec<f64> = firsts.parts.chunks(PARTS / 16).map(size).collect();
        // From each to the next by the sixteenth root of two.
        let ratios = sixteenths.windows(2).map(|pair| pair[1] / pair[0]);
        assert!(ratios.clone().all(|ratio| (1.02..1.07).contains(&ratio)), "{:?}", ratios.collect::<Vec<_>>());
    }
}
