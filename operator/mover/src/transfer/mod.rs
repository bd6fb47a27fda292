//! Copies between two exports: whole, by what changed, or by what differs.
//!
//! However large the disks, memory stays below [`Options::memory`]: what is to be copied is found out piece
//! by piece, while earlier pieces travel. A copy counts when it returned without an error, which includes that
//! the target was flushed; one that was dropped or failed leaves the target half-written.
//!
//! What may not enter: which copy is right for a machine, and any retry. Before a copy is tried again both
//! clients are [disconnected](crate::nbd::Client::disconnect), or what was on its way may arrive late.

mod compare;
mod copy;
mod dirty;
mod error;
mod map;
mod options;
mod pool;
mod throttle;

pub use dirty::Dirty;
pub use error::{Side, TransferError};
pub use options::{Copied, Options, Progress, TargetState};
pub use throttle::{Throttle, Throttles};

use std::sync::Arc;

use tokio::sync::watch;

use crate::nbd::Client;
use pool::Pool;

/// Everything that one copy needs.
#[derive(Debug)]
pub struct Transfer<'a> {
    source: &'a Client,
    target: &'a Client,
    options: Options,
    /// Beginnings and ends of requests are multiples of this: both servers' blocks fit in it.
    grain: u64,
    pool: Pool,
    throttle: Arc<Throttle>,
    progress: watch::Sender<Progress>,
}

impl<'a> Transfer<'a> {
    /// A copy from one export to another of the same size.
    ///
    /// # Errors
    /// When the exports do not fit each other, or the target cannot be written or flushed.
    pub fn new(
        source: &'a Client,
        target: &'a Client,
        options: Options,
    ) -> Result<Self, TransferError> {
        let (from, to) = (source.export(), target.export());
        if from.size() != to.size() {
            return Err(TransferError::Sizes {
                source_size: from.size(),
                target_size: to.size(),
            });
        }
        let least = from.least_block().max(to.least_block());
        let most = from.most_payload().min(to.most_payload());
        let options = options.within(least, most);
        Ok(Self {
            source,
            target,
            grain: u64::from(least),
            pool: Pool::new(options.buffers()),
            throttle: Arc::new(Throttle::new(None)),
            options,
            progress: watch::Sender::new(Progress::default()),
        })
    }

    /// Not faster than this, together with all others that it holds (PR-2).
    #[must_use]
    pub fn throttled(mut self, throttle: Arc<Throttle>) -> Self {
        self.throttle = throttle;
        self
    }

    /// How far it is; every change can be waited for.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn begin(&self, total: u64) {
        self.progress.send_replace(Progress { done: 0, total });
    }

    fn advance(&self, bytes: u64) {
        self.progress.send_modify(|progress| progress.done += bytes);
    }

    fn size(&self) -> u64 {
        self.source.export().size()
    }
}
