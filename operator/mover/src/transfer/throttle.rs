//! How fast a copy may be.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What was not used is saved up for so long, no longer: the limit holds for every second.
const SAVED: Duration = Duration::from_millis(100);

/// Gives everybody their turn, in the order in which they ask.
#[derive(Debug)]
pub(super) struct Throttle {
    rate: Option<NonZeroU64>,
    /// When the next one may go.
    next: Mutex<Option<Instant>>,
}

impl Throttle {
    pub fn new(rate: Option<NonZeroU64>) -> Self {
        Self {
            rate,
            next: Mutex::new(None),
        }
    }

    /// Waits until so many bytes may go.
    pub async fn turn(&self, bytes: u64) {
        if let Some(at) = self.book(bytes) {
            tokio::time::sleep_until(at).await;
        }
    }

    fn book(&self, bytes: u64) -> Option<Instant> {
        let rate = self.rate?.get();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let at = next.map_or(earliest, |next| next.max(earliest));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // Before the bytes go, not after: however large a piece is, the limit holds from the first.
        let at = at.checked_add(takes).unwrap_or(at);
        *next = Some(at);
        (at > now).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SPEC: PR-2
    #[tokio::test(start_paused = true)]
    async fn as_many_bytes_as_may_go_in_a_second_take_a_second() {
        let throttle = Throttle::new(NonZeroU64::new(1 << 20));
        let begun = Instant::now();
        for _ in 0..64 {
            throttle.turn(64 << 10).await;
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(3900), "{took:?}");
        assert!(took <= Duration::from_secs(4), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let throttle = Throttle::new(NonZeroU64::new(1 << 20));
        throttle.turn(1 << 20).await;
        tokio::time::advance(Duration::from_mins(1)).await;
        let begun = Instant::now();
        throttle.turn(2 << 20).await;
        assert!(begun.elapsed() >= Duration::from_millis(1900));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let begun = Instant::now();
        Throttle::new(None).turn(u64::MAX).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
