//! How fast copies may be.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// What was not used is saved up for so long, no longer: the limit holds for every second.
const SAVED: Duration = Duration::from_millis(100);

/// So many bytes a second, for all copies that share it: everybody has their turn, in the order in which they
/// ask.
#[derive(Debug)]
pub struct Throttle {
    rate: Option<NonZeroU64>,
    /// When the next one may go.
    next: Mutex<Option<Instant>>,
}

/// The throttles that copies share, by the link that they have in common.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<BTreeMap<(String, NonZeroU64), Weak<Throttle>>>);

impl Throttles {
    /// The one that all copies over this link share, at this many bytes a second; unset, nothing holds them.
    pub fn of(&self, link: &str, rate: Option<NonZeroU64>) -> Arc<Throttle> {
        let Some(rate) = rate else {
            return Arc::new(Throttle::new(None));
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, throttle| throttle.strong_count() > 0);
        let key = (link.to_owned(), rate);
        if let Some(throttle) = all.get(&key).and_then(Weak::upgrade) {
            return throttle;
        }
        let throttle = Arc::new(Throttle::new(Some(rate)));
        all.insert(key, Arc::downgrade(&throttle));
        throttle
    }
}

impl Throttle {
    /// So many bytes a second; unset, it holds nobody.
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

    // SPEC: PR-2
    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_over_all_copies_of_a_link_together() {
        let throttles = Throttles::default();
        let mib = NonZeroU64::new(1 << 20);
        let begun = Instant::now();
        let copies = (0..8).map(|_| {
            let throttle = throttles.of("seoul busan", mib);
            async move {
                for _ in 0..8 {
                    throttle.turn(64 << 10).await;
                }
            }
        });
        futures::future::join_all(copies).await;
        // Four mebibytes.
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(3900), "{took:?}");
        assert!(took <= Duration::from_secs(4), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn links_do_not_wait_for_each_other_and_what_nobody_uses_is_forgotten() {
        let throttles = Throttles::default();
        let mib = NonZeroU64::new(1 << 20);
        let (one, other) = (
            throttles.of("seoul busan", mib),
            throttles.of("seoul jeju", mib),
        );
        let begun = Instant::now();
        tokio::join!(one.turn(2 << 20), other.turn(2 << 20));
        assert!(begun.elapsed() <= Duration::from_secs(2));
        drop((one, other));
        let _another = throttles.of("seoul sokcho", mib);
        assert_eq!(throttles.0.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let begun = Instant::now();
        Throttle::new(None).turn(u64::MAX).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
