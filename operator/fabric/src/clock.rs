//! What time it is.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Says what time it is: an instant, and what passed since by a clock that never jumps.
///
/// A wall clock that is set back or forth while a process runs moves no deadline and no record. On
/// paused tokio time this clock is virtual.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    begun: Instant,
}

impl Clock {
    /// A clock that begins with what the system says now.
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that begins with this instant.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            begun: Instant::now(),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The instant of the runtime at which it will be `at`; now, where that has passed.
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        let ahead = at.duration_since(self.now());
        let now = Instant::now();
        match std::time::Duration::try_from(ahead) {
            Ok(ahead) => now.checked_add(ahead).unwrap_or(now),
            Err(_) => now,
        }
    }
}
