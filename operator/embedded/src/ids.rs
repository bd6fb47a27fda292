//! Unique ids and the endings of generated names.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where ids come from.
#[derive(Debug)]
pub(crate) enum Ids {
    /// The system's randomness.
    Random,
    /// The same ids in every run, for tests.
    Seeded { seed: u64, next: AtomicU64 },
}

/// As the real API server's: no vowels, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const ENDING: usize = 5;

impl Ids {
    pub fn new(seed: Option<u64>) -> Self {
        seed.map_or(Self::Random, |seed| Self::Seeded {
            seed,
            next: AtomicU64::new(0),
        })
    }

    fn number(&self) -> u64 {
        match self {
            // Without randomness the process could not even have made its token; ids would still
            // have to differ, and do by the counter below.
            Self::Random => getrandom::u64().unwrap_or_else(|_| mix(0, &FALLBACK)),
            Self::Seeded { seed, next } => mix(*seed, next),
        }
    }

    /// A random (version 4) UUID.
    pub fn uid(&self) -> String {
        let bits = (u128::from(self.number()) << 64) | u128::from(self.number());
        let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// What is appended to `generateName`.
    pub fn ending(&self) -> String {
        let mut number = self.number();
        let base = LETTERS.len() as u64;
        let mut ending = String::with_capacity(ENDING);
        for _ in 0..ENDING {
            let index = usize::try_from(number % base).unwrap_or_default();
            ending.push(char::from(LETTERS[index]));
            number /= base;
        }
        ending
    }
}

static FALLBACK: AtomicU64 = AtomicU64::new(0);

/// The generator `SplitMix64`: one step of it.
fn mix(seed: u64, next: &AtomicU64) -> u64 {
    let step = next.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let mut bits = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_the_form_of_version_4_and_differ() {
        for ids in [Ids::new(Some(7)), Ids::new(None)] {
            let (one, two) = (ids.uid(), ids.uid());
            assert_ne!(one, two);
            assert_eq!(one.len(), 36);
            assert_eq!(&one[14..15], "4");
            assert!(["8", "9", "a", "b"].contains(&&one[19..20]), "{one}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_ids_again() {
        let (one, two) = (Ids::new(Some(1)), Ids::new(Some(1)));
        assert_eq!((one.uid(), one.ending()), (two.uid(), two.ending()));
    }
}
