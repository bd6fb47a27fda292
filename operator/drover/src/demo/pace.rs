//! How fast simulated time goes by.
//!
//! Nothing of the demonstration knows the wall clock: time jumps from one thing that is due to the next.
//! So that a person can follow, the one thread that everything runs on is held until the wall clock has
//! caught up.

use std::thread;
use std::time::{Duration, Instant};

/// How fast simulated time goes by.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Simulated seconds in a second; `None`: as many as this machine can do.
    factor: Option<u32>,
    begun: Instant,
}

impl Pace {
    /// Begins now. A factor of 0 is none.
    pub fn new(factor: Option<u32>) -> Self {
        Self {
            factor: factor.filter(|factor| *factor > 0),
            begun: Instant::now(),
        }
    }

    /// Simulated seconds in a second, where that is held.
    pub fn factor(self) -> Option<u32> {
        self.factor
    }

    /// Time by the wall clock since the beginning.
    pub fn wall(self) -> Duration {
        self.begun.elapsed()
    }

    /// Holds this thread until so much simulated time may have passed.
    pub fn hold(self, simulated: Duration) {
        thread::sleep(self.ahead(simulated, self.wall()));
    }

    /// How far simulated time is ahead.
    fn ahead(self, simulated: Duration, wall: Duration) -> Duration {
        let due = self.factor.map(|factor| simulated / factor);
        due.unwrap_or_default().saturating_sub(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn simulated_time_waits_for_the_wall_clock_and_never_the_other_way_round() {
        let pace = Pace::new(Some(60));
        assert_eq!(pace.ahead(seconds(600), seconds(4)), seconds(6));
        assert_eq!(pace.ahead(seconds(600), seconds(11)), Duration::ZERO);
        for fast in [Pace::new(None), Pace::new(Some(0))] {
            assert_eq!(fast.ahead(seconds(600), seconds(0)), Duration::ZERO);
        }
    }
}
