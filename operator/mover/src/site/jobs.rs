//! What takes longer than an answer may: it goes on while whoever asked comes back and asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_api::value::MachineName;
use drover_fabric::Answer;
use drover_world::{FabricError, Outcome};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::refusal::retryable;

/// Jobs of one lane of a machine go one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// It stops, starts or is made.
    Power,
    /// Its disks are written here, or read for a copy.
    Copy,
    /// What a drill makes of it.
    Drill,
    /// The files that it runs from become one.
    Fold,
    /// The other side is asked whether it may start with its site.
    Wake,
}

/// What goes on.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: Mutex<BTreeMap<(MachineName, Lane), Job>>,
}

#[derive(Debug)]
struct Job {
    /// What it does: asked for again it is not begun again.
    what: String,
    percent: watch::Receiver<Option<u8>>,
    /// What came of it, until somebody asks.
    ended: Arc<Mutex<Option<Result<(), FabricError>>>>,
    task: AbortHandle,
}

/// Says how far a job is.
pub(super) type Percent = watch::Sender<Option<u8>>;

impl Jobs {
    /// Begins a job, unless the same goes on; what came of one that ended is told to the first who asks.
    pub(super) fn begin<F>(
        &self,
        machine: &MachineName,
        lane: Lane,
        what: String,
        job: impl FnOnce(Percent) -> F,
    ) -> Answer
    where
        F: Future<Output = Result<(), FabricError>> + Send + 'static,
    {
        let mut jobs = self.lock();
        let key = (machine.clone(), lane);
        if let Some(job) = jobs.get(&key) {
            let same = job.what == what;
            let ended = job
                .ended
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match ended {
                None if !job.task.is_finished() && same => {
                    return Ok(Outcome::InProgress {
                        percent: *job.percent.borrow(),
                    });
                }
                None if !job.task.is_finished() => {
                    return Err(retryable(
                        format!("{machine} is busy: {}", job.what),
                        "it is asked again when that is over",
                    ));
                }
                Some(Err(error)) if same => {
                    jobs.remove(&key);
                    return Err(error);
                }
                // It was aborted, or something else ended.
                _ => {}
            }
        }
        let (percent, seen) = watch::channel(None);
        let ended = Arc::new(Mutex::new(None));
        let (tell, work) = (Arc::clone(&ended), job(percent));
        let task = tokio::spawn(async move {
            let came = work.await;
            *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(came);
        });
        let job = Job {
            what,
            percent: seen,
            ended,
            task: task.abort_handle(),
        };
        jobs.insert(key, job);
        Ok(Outcome::Started)
    }

    /// What goes on in a lane.
    pub(super) fn doing(&self, machine: &MachineName, lane: Lane) -> Option<String> {
        let jobs = self.lock();
        let job = jobs.get(&(machine.clone(), lane))?;
        (!job.task.is_finished()).then(|| job.what.clone())
    }

    /// Ends what goes on in a lane, wherever it is.
    pub(super) fn abort(&self, machine: &MachineName, lane: Lane) {
        if let Some(job) = self.lock().remove(&(machine.clone(), lane)) {
            job.task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(MachineName, Lane), Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
