//! Whether anybody still waits for what was asked: who does not gets nothing that lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Somebody waits, as long as this is there.
pub(super) struct Awaited(Arc<AtomicBool>);

impl Awaited {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Tells it whoever does what is waited for.
    pub(super) fn told(&self) -> impl Fn() -> bool + Send + 'static {
        let waits = Arc::clone(&self.0);
        move || waits.load(Ordering::Acquire)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
