//! Whether this process is alive and ready, and what it has under way.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;

/// An election is attempted every few seconds, each attempt ends in time, so this means that its loop
/// stands still.
const LOOP_STUCK: Duration = Duration::from_mins(2);
/// Every call of the API or of a driver ends within seconds, so this means that what is in hand never
/// ends.
const WORK_STUCK: Duration = Duration::from_mins(5);
/// An API that did not answer for so long is not there for anybody.
const UNHEARD: Duration = Duration::from_mins(1);

/// Whether a process is alive and ready. One for each process, over all its incarnations.
#[derive(Debug)]
pub struct Health {
    state: Mutex<State>,
    /// Reconciles and calls that are under way.
    under_way: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    /// When the election was looked at last.
    beat: Instant,
    /// When a reconcile or a call ended last, or the first of several began.
    progress: Instant,
    /// When the API answered last.
    heard: Option<Instant>,
    stand: Stand,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Another leads, or nobody does yet.
    Follows,
    /// It leads, and has not heard everything that there is.
    Listens,
    /// It leads and works.
    Works,
}

/// Why a process is not alive, or not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unwell {
    /// The election stands still.
    #[error("the main loop stands still")]
    LoopStuck,
    /// What is in hand never ends.
    #[error("what is in hand does not end")]
    WorkStuck,
    /// The API does not answer.
    #[error("the API does not answer")]
    Unheard,
    /// It leads, and its picture is not complete.
    #[error("not everything that there is has been heard yet")]
    Listens,
}

impl Default for Health {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                beat: now,
                progress: now,
                heard: None,
                stand: Stand::Follows,
            }),
            under_way: watch::Sender::new(0),
        }
    }
}

impl Health {
    /// Whether the process does anything at all.
    ///
    /// # Errors
    /// When it has to be ended from outside.
    pub fn live(&self) -> Result<(), Unwell> {
        let state = self.state();
        if state.beat.elapsed() > LOOP_STUCK {
            return Err(Unwell::LoopStuck);
        }
        if *self.under_way.borrow() > 0 && state.progress.elapsed() > WORK_STUCK {
            return Err(Unwell::WorkStuck);
        }
        Ok(())
    }

    /// Whether it does its part: leads and works, or stands by.
    ///
    /// # Errors
    /// When it does not.
    pub fn ready(&self) -> Result<(), Unwell> {
        let state = self.state();
        if state.heard.is_none_or(|heard| heard.elapsed() > UNHEARD) {
            return Err(Unwell::Unheard);
        }
        match state.stand {
            Stand::Follows | Stand::Works => Ok(()),
            Stand::Listens => Err(Unwell::Listens),
        }
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        self.state().stand != Stand::Follows
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The election was looked at; `heard`: the API answered.
    pub(crate) fn beat(&self, heard: bool) {
        let now = Instant::now();
        let mut state = self.state();
        state.beat = now;
        if heard {
            state.heard = Some(now);
        }
    }

    pub(crate) fn follows(&self) {
        self.state().stand = Stand::Follows;
    }

    pub(crate) fn listens(&self) {
        self.state().stand = Stand::Listens;
    }

    pub(crate) fn works(&self) {
        self.state().stand = Stand::Works;
    }

    /// Something is under way for as long as the answer is kept.
    pub(crate) fn enter(&self) -> UnderWay<'_> {
        let mut first = false;
        self.under_way.send_modify(|count| {
            first = *count == 0;
            *count += 1;
        });
        if first {
            self.state().progress = Instant::now();
        }
        UnderWay(self)
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        let mut under_way = self.under_way.subscribe();
        // The sender lives as long as this does.
        drop(under_way.wait_for(|count| *count == 0).await);
    }
}

/// Something that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Health);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0
            .under_way
            .send_modify(|count| *count = count.saturating_sub(1));
        self.0.state().progress = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_ready_as_soon_as_the_api_answers() {
        // SPEC: KU-3
        let health = Health::default();
        assert_eq!(health.ready(), Err(Unwell::Unheard));
        health.beat(true);
        assert_eq!(health.ready(), Ok(()));
        health.listens();
        assert_eq!(health.ready(), Err(Unwell::Listens));
        health.works();
        assert_eq!(health.ready(), Ok(()));
        tokio::time::sleep(UNHEARD * 2).await;
        assert_eq!(health.ready(), Err(Unwell::Unheard));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_or_a_work_that_stands_still_is_not_alive() {
        // SPEC: KU-3
        let health = Health::default();
        tokio::time::sleep(LOOP_STUCK * 2).await;
        assert_eq!(health.live(), Err(Unwell::LoopStuck));
        health.beat(false);
        assert_eq!(health.live(), Ok(()));
        let work = health.enter();
        tokio::time::sleep(WORK_STUCK * 2).await;
        health.beat(false);
        assert_eq!(health.live(), Err(Unwell::WorkStuck));
        drop(work);
        assert_eq!(health.live(), Ok(()));
    }
}
