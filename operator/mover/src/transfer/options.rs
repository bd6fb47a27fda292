//! How a copy is made, and what it came to.

use std::ops::AddAssign;

use crate::nbd::Zeroes;

/// Buffers never take more than this, whatever is asked for.
const MOST_MEMORY: usize = 48 << 20;

/// How a copy is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many bytes one request carries; the servers' limits are heeded.
    pub request: u32,
    /// How many pieces travel at once.
    pub in_flight: usize,
    /// What the target holds.
    pub target: TargetState,
    /// What becomes of the target's space below zeroes.
    pub zeroes: Zeroes,
}

/// What the target holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetState {
    /// Anything: zeroes are written too.
    #[default]
    Unknown,
    /// Zeroes everywhere, because it was made a moment ago: they need not be written.
    Fresh,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            request: 1 << 20,
            in_flight: 8,
            target: TargetState::Unknown,
            zeroes: Zeroes::MayUnmap,
        }
    }
}

impl Options {
    /// The most that buffers of one copy take, in bytes: a comparison has two for each piece.
    pub fn memory(&self) -> usize {
        self.buffers() * self.request as usize
    }

    pub(super) fn buffers(&self) -> usize {
        2 * self.in_flight
    }

    /// What both servers can take. Requests are a power of two, so that they begin where clusters do.
    pub(super) fn within(self, least: u32, most: u32) -> Self {
        let request = self.request.clamp(least.max(4096), 4 << 20).min(most);
        let request = if request.is_power_of_two() {
            request
        } else {
            // At least one block: blocks are powers of two.
            (request.next_power_of_two() / 2).max(least)
        };
        let room = MOST_MEMORY / 2 / request as usize;
        Self {
            request,
            in_flight: self.in_flight.clamp(1, room.max(1)),
            ..self
        }
    }
}

/// How far a copy is, in bytes of the disk: what need not be copied is done when that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// All there is to do.
    pub total: u64,
}

/// What a copy came to, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Asked of the source.
    pub read: u64,
    /// Asked of the target, to compare.
    pub compared: u64,
    /// Found to differ; of a comparison.
    pub differing: u64,
    /// Written as data.
    pub written: u64,
    /// Written as zeroes.
    pub zeroed: u64,
}

impl AddAssign for Copied {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.compared += other.compared;
        self.differing += other.differing;
        self.written += other.written;
        self.zeroed += other.zeroed;
    }
}
