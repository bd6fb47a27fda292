//! Which steps determine how long a run takes.

use super::flow::Log;
use super::{Step, Times, WaitedFor};

/// One step of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CriticalItem {
    /// The step.
    pub step: Step,
    /// When it is done.
    pub times: Times,
    /// What kept it from beginning earlier; that ends when it begins.
    pub waited_for: WaitedFor,
}

/// Walks back from the last step to end, each time to what that step waited for.
pub(super) fn path(log: &Log) -> Vec<CriticalItem> {
    let mut path = Vec::new();
    let mut at = log.last();
    while let Some(job) = at.map(|at| log.jobs[at]) {
        path.push(CriticalItem {
            step: job.step,
            times: job.times(),
            waited_for: job.waited_for,
        });
        at = job.cause;
    }
    path.reverse();
    path
}
