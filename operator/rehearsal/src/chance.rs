//! Draws that follow from a seed.

use std::time::Duration;

use drover_world::Estimates;

/// Draws. The same seed gives the same ones in the same order.
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A part of a whole.
    pub fn part(&mut self) -> f64 {
        self.0.f64()
    }

    /// So many in a hundred.
    pub fn happens(&mut self, percent: u8) -> bool {
        self.0.u8(0..100) < percent
    }

    /// Lengths around those that are estimated: lengths cannot be negative, and one that is late is late
    /// by more than one that is early is early, so their logarithms are normally distributed.
    pub fn around(&mut self, estimates: &Estimates, spread: f64) -> Estimates {
        Estimates {
            stop: self.length(estimates.stop, spread),
            final_sync: self.length(estimates.final_sync, spread),
            materialize: self.length(estimates.materialize, spread),
            start: self.length(estimates.start, spread),
        }
    }

    /// One length.
    pub fn length(&mut self, estimated: Duration, spread: f64) -> Duration {
        estimated.mul_f64((spread * self.normal()).exp())
    }

    /// Box and Muller's way to the normal distribution.
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.0.f64(), self.0.f64());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_lie_around_what_is_estimated() {
        let minute = Duration::from_mins(1);
        let estimates = Estimates {
            stop: minute,
            final_sync: minute,
            materialize: minute,
            start: minute,
        };
        let mut chance = Chance::of(7);
        let mut drawn: Vec<Duration> = (0..999)
            .map(|_| chance.around(&estimates, 0.25).start)
            .collect();
        drawn.sort_unstable();
        let (low, median, high) = (drawn[50], drawn[500], drawn[949]);
        assert!((55..65).contains(&median.as_secs()), "{median:?}");
        // A twentieth lies beyond 1.645 deviations: 40 s and 90 s.
        assert!((37..43).contains(&low.as_secs()), "{low:?}");
        assert!((84..97).contains(&high.as_secs()), "{high:?}");
    }
}
