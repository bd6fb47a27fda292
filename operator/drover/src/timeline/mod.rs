//! What was done when: rows of bars under a clock, for a terminal and for a browser.

mod html;
mod text;

use std::time::Duration;

use drover_api::value::Duration as Length;
use jiff::Timestamp;

pub use html::html;
pub use text::text;

use crate::reports::moments::{clock, rough};

/// Rows of bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When it begins, where that is an instant and not only a start.
    pub from: Option<Timestamp>,
    /// How long it is.
    pub length: Duration,
    /// The rows, from above.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Bars in it; later ones lie above.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it means.
    pub look: Look,
    /// From when, since the beginning.
    pub begin: Duration,
    /// Until when; nothing where only its beginning is known.
    pub end: Option<Duration>,
    /// Whether it is of those that decided how long all of it took.
    pub decisive: bool,
    /// Whether it failed.
    pub failed: bool,
}

/// What a bar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Machines leave the source.
    Leaves,
    /// Machines start at the target.
    Starts,
    /// An action.
    Acts,
    /// A person is waited for.
    Asks,
}

/// How a bar is drawn: what it means, unless something about it is more important.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Looks(Look),
    Begins(Look),
    Failed,
}

impl Bar {
    fn kind(&self) -> Kind {
        match self.end {
            _ if self.failed => Kind::Failed,
            Some(_) => Kind::Looks(self.look),
            None => Kind::Begins(self.look),
        }
    }

    fn end(&self) -> Duration {
        self.end.unwrap_or(self.begin)
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Looks(Look::Leaves) => "leaves the source",
            Self::Looks(Look::Starts) => "starts at the target",
            Self::Looks(Look::Acts) => "action",
            Self::Looks(Look::Asks) => "a person is waited for",
            Self::Begins(Look::Asks) => "a person is asked",
            Self::Begins(_) => "an action begins",
            Self::Failed => "failed",
        }
    }
}

impl Timeline {
    /// An instant of it: the time of day, or the time since its start.
    fn instant(&self, at: Duration) -> String {
        match self.from.and_then(|from| from.checked_add(at).ok()) {
            Some(instant) => clock(instant),
            None => short(at),
        }
    }

    /// How many of so many parts of it are over at an instant.
    fn part(&self, at: Duration, parts: usize) -> usize {
        let part = at.min(self.length).as_millis() * parts as u128;
        let part = part / self.length.as_millis().max(1);
        usize::try_from(part).unwrap_or(parts).min(parts)
    }

    /// What is drawn in it, in the order of a legend.
    fn kinds(&self) -> Vec<Kind> {
        let bars = self.rows.iter().flat_map(|row| &row.bars);
        let mut kinds: Vec<Kind> = bars.map(Bar::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

/// A length in its two largest units.
pub fn short(length: Duration) -> String {
    // Half a second up: what is shorter is not zero.
    rough(&Length::from_secs(
        (length + Duration::from_millis(500)).as_secs(),
    ))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
