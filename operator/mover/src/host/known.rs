//! What a host said last of all its machines. It is asked for at every turn, and changes seldom.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::domain::DomainSeen;

/// What was said holds for so long, if nothing was heard since: events may be lost.
const HOLDS: Duration = Duration::from_millis(500);

/// How much was heard of a host, and done at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Events of its machines, and of connections to it.
    pub heard: u64,
    /// Acts that were begun at it, and acts that ended.
    pub done: u64,
}

/// What was said last, and when.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<(Mark, Instant, Vec<DomainSeen>)>>);

impl Known {
    /// What was said, if nothing is newer.
    pub(super) fn at(&self, now: Mark) -> Option<Vec<DomainSeen>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mark, said_at, seen) = last.as_ref()?;
        (*mark == now && said_at.elapsed() < HOLDS).then(|| seen.clone())
    }

    /// Keeps what was said to a question that was asked at a mark.
    pub(super) fn keep(&self, asked: Mark, said_at: Instant, seen: Vec<DomainSeen>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((asked, said_at, seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_holds_until_something_is_heard_or_done_or_time_goes_by() {
        let known = Known::default();
        let mark = Mark { heard: 1, done: 2 };
        assert_eq!(known.at(mark), None);
        known.keep(mark, Instant::now(), Vec::new());
        assert_eq!(known.at(mark), Some(Vec::new()));
        assert_eq!(known.at(Mark { heard: 2, ..mark }), None);
        assert_eq!(known.at(Mark { done: 3, ..mark }), None);
        if let Some(long_ago) = Instant::now().checked_sub(HOLDS) {
            known.keep(mark, long_ago, Vec::new());
            assert_eq!(known.at(mark), None);
        }
    }
}
