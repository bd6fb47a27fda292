//! Random instants that can be lived through again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Numbers that follow from a seed (`SplitMix64`).
pub struct Dice(u64);

impl Dice {
    /// From `DROVER_SEED`, else from the time; what it is stands in the output of the test.
    pub fn new() -> Self {
        let seed = match std::env::var("DROVER_SEED") {
            Ok(seed) => seed.parse().expect("DROVER_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        };
        println!("DROVER_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// An instant within so long from now on, as a distance.
    pub fn within(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap();
        Duration::from_millis(self.below(longest.max(1)))
    }
}
