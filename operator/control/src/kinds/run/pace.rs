//! How often a large run is looked at.
//!
//! A pass looks at all machines of a run, whatever woke it. Were each answer of a driver to cause one, the
//! passes over twenty thousand machines would take all the time that the answers need to come in. So a run
//! rests after a pass for as long as the pass took: what comes meanwhile is one batch for the next.

use std::time::Duration;

use tokio::time::Instant;

/// A pass that is over so soon needs no rest.
const SHORT: Duration = Duration::from_millis(1);
/// Nobody waits longer than this for a pass.
const LONGEST: Duration = Duration::from_millis(100);

/// When the next pass over a run may begin.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// A pass was made that began then.
    pub(super) fn passed(&mut self, begun: Instant) {
        let now = Instant::now();
        let took = now.duration_since(begun);
        self.next = (took >= SHORT).then(|| now + took.min(LONGEST));
    }

    /// Waits until the next pass may begin.
    pub(super) async fn rest(&mut self) {
        if let Some(next) = self.next.take() {
            tokio::time::sleep_until(next).await;
        }
    }
}
