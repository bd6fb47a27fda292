//! Connections that are being made. libvirt waits for ever for a host that accepts one and is then heard of no
//! more, as one that froze and was switched off; who asked does not.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::fault::Fault;

/// What it may take to make a connection, where the network is slow.
const OPENING: Duration = Duration::from_secs(30);
/// For each that is overdue the next one waits so much longer: each keeps a thread, and none may ever end.
const LONGER: Duration = Duration::from_secs(10);

/// Those that are made to one host.
pub(super) struct Openings {
    patience: Duration,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    /// What nobody waits for any more, and has not ended.
    overdue: Vec<Weak<()>>,
    begun: Option<Instant>,
}

impl Default for Openings {
    fn default() -> Self {
        Self::with_patience(OPENING)
    }
}

impl Openings {
    fn with_patience(patience: Duration) -> Self {
        Self {
            patience,
            now: Mutex::default(),
        }
    }

    /// Makes one on a thread of its own, which is left behind when that takes too long.
    pub(super) fn open<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.may_begin()?;
        let (sender, receiver) = mpsc::channel();
        let running = Arc::new(());
        let overdue = Arc::downgrade(&running);
        let thread = thread::Builder::new().name("libvirt-open".to_owned());
        let started = thread.spawn(move || {
            // Nobody may wait any more.
            let _sent = sender.send(make());
            drop(running);
        });
        started.map_err(|error| Fault::Failed(error.to_string()))?;
        receiver.recv_timeout(self.patience).unwrap_or_else(|_| {
            self.lock().overdue.push(overdue);
            let waited = self.patience.as_secs();
            Err(Fault::Unreachable(format!("no connection in {waited} s")))
        })
    }

    fn may_begin(&self) -> Result<(), Fault> {
        let mut now = self.lock();
        now.overdue.retain(|opening| opening.strong_count() > 0);
        let count = now.overdue.len();
        let pause = LONGER * u32::try_from(count).unwrap_or(u32::MAX);
        if count > 0 && now.begun.is_some_and(|begun| begun.elapsed() < pause) {
            let why = format!("it left {count} connections without an answer");
            return Err(Fault::Unreachable(why));
        }
        now.begun = Some(Instant::now());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_answers_holds_nobody_and_is_asked_ever_less_often() {
        // SPEC: SA-1
        let openings = Openings::with_patience(Duration::from_millis(20));
        let (end, ended) = mpsc::channel::<()>();
        let silent = move || ended.recv().map_err(|_| Fault::NotRunning);
        let unreachable = |opened| matches!(opened, Err(Fault::Unreachable(_)));
        assert!(unreachable(openings.open(silent)));
        // The next one comes later, and does not wait.
        assert!(unreachable(openings.open(|| Ok(()))));
        if let Some(long_ago) = Instant::now().checked_sub(LONGER) {
            openings.lock().begun = Some(long_ago);
            assert!(openings.open(|| Ok(())).is_ok());
            assert!(unreachable(openings.open(|| Ok(()))));
        }
        // One that ended after all is not counted any more.
        drop(end);
        while openings.lock().overdue[0].strong_count() > 0 {
            thread::yield_now();
        }
        assert!(openings.open(|| Ok(())).is_ok());
        // What is wrong with one is told as it is.
        let refused = openings.open(|| Err::<(), _>(Fault::NotRunning));
        assert!(matches!(refused, Err(Fault::NotRunning)));
    }
}
