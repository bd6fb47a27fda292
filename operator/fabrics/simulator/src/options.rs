//! How a world behaves.

use drover_fabric::Clock;
use drover_world::EpochEnforcement;
use serde::{Deserialize, Serialize};

/// How a world behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What time it is.
    pub clock: Clock,
    /// What differs by chance follows from this number.
    pub seed: u64,
    /// How long things take.
    pub latency: Latency,
    /// What is done about a request with an older epoch.
    pub epochs: EpochEnforcement,
    /// Does what it is told even where a real fabric would refuse to: it boots half-written disks,
    /// copies backwards, overwrites strangers. The oracle then has something to find.
    pub obedient: bool,
    /// How many entries the log keeps; the oldest go first.
    pub log_limit: usize,
}

impl Options {
    /// A world where everything is done at once and older epochs are refused.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            seed: 0,
            latency: Latency::Zero,
            epochs: EpochEnforcement::Enforced,
            obedient: false,
            log_limit: 100_000,
        }
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latency {
    /// No time at all.
    Zero,
    /// As long as the simulator's estimates say, and as machines declare.
    Realistic,
}
