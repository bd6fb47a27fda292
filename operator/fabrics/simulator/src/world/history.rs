//! Who wrote what: every write has a place, and the content of a disk at a place is computed.
//!
//! Writes are numbered along a *branch*. A machine that starts from a copy begins a branch of its own,
//! which remembers where it parted; its numbers go on from there. So ancestry is a walk (SA-5), and
//! nothing is stored for a write.

use serde::{Deserialize, Serialize};

/// After so many writes on a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Position {
    pub branch: usize,
    pub number: u64,
}

/// What a block of a disk holds: the write that was last there, or nothing where none was ever copied.
pub(crate) type Slot = Option<Position>;

/// Every branch there is, with the place where it parted from another.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    parted: Vec<Option<Position>>,
}

impl History {
    /// A disk that nobody wrote to yet.
    pub fn begin(&mut self) -> Position {
        self.parted.push(None);
        Position {
            branch: self.parted.len() - 1,
            number: 0,
        }
    }

    /// A branch that parts here.
    pub fn part(&mut self, at: Position) -> Position {
        let at = self.plain(at);
        self.parted.push(Some(at));
        Position {
            branch: self.parted.len() - 1,
            number: at.number,
        }
    }

    pub fn parted(&self) -> &[Option<Position>] {
        &self.parted
    }

    /// Puts back what was read.
    pub fn restore(&mut self, branch: usize, from: Option<Position>) {
        if self.parted.len() <= branch {
            self.parted.resize(branch + 1, None);
        }
        self.parted[branch] = from;
    }

    /// A place on a branch that wrote nothing yet is the place where it parted.
    fn plain(&self, mut at: Position) -> Position {
        while let Some(from) = self.parted[at.branch] {
            if at.number > from.number {
                break;
            }
            at.branch = from.branch;
        }
        at
    }

    /// Whether a disk at `held` holds everything up to `write`.
    pub fn holds(&self, held: Position, write: Position) -> bool {
        let write = self.plain(write);
        let mut at = held;
        loop {
            if at.branch == write.branch {
                return write.number <= at.number;
            }
            let Some(from) = self.parted[at.branch] else {
                return false;
            };
            at = Position {
                branch: from.branch,
                number: from.number.min(at.number),
            };
        }
    }

    /// How many writes lie between two disks; nothing where they have no origin in common.
    pub fn apart(&self, one: Position, other: Position) -> Option<u64> {
        let line = self.line(one);
        let common = self.line(other).iter().find_map(|theirs| {
            let ours = line.iter().find(|ours| ours.branch == theirs.branch)?;
            Some(ours.number.min(theirs.number))
        })?;
        Some((one.number - common) + (other.number - common))
    }

    /// The branches that a place goes back to, nearest first, and up to where.
    fn line(&self, at: Position) -> Vec<Position> {
        let mut line = vec![at];
        let mut at = at;
        while let Some(from) = self.parted[at.branch] {
            at = Position {
                branch: from.branch,
                number: from.number.min(at.number),
            };
            line.push(at);
        }
        line
    }

    /// What block `slot` of `slots` holds at a place. Write *k* goes to block *k* modulo `slots`.
    pub fn slot(&self, at: Position, slot: u64, slots: u64) -> Position {
        let mut at = self.plain(at);
        loop {
            let back = (at.number % slots + slots - slot) % slots;
            let last = at.number.checked_sub(back).filter(|number| *number > 0);
            match (last, self.parted[at.branch]) {
                (Some(number), None) => {
                    return Position { number, ..at };
                }
                (Some(number), Some(from)) if number > from.number => {
                    return Position { number, ..at };
                }
                (_, Some(from)) => at = from,
                (None, None) => return Position { number: 0, ..at },
            }
        }
    }

    /// All blocks at a place.
    pub fn content(&self, at: Position, slots: u64) -> Vec<Slot> {
        (0..slots)
            .map(|slot| Some(self.slot(at, slot, slots)))
            .collect()
    }

    /// The one place whose content this is; nothing for a mixture of several.
    pub fn place_of(&self, blocks: &[Slot]) -> Option<Position> {
        let blocks_held: Option<Vec<Position>> = blocks.iter().copied().collect();
        let newest = blocks_held?
            .into_iter()
            .max_by_key(|at| (at.number, at.branch))?;
        let slots = u64::try_from(blocks.len()).ok()?;
        (self.content(newest, slots) == blocks).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(branch: usize, number: u64) -> Position {
        Position { branch, number }
    }

    #[test]
    fn a_copy_holds_what_was_written_before_it_parted() {
        // SPEC: SA-5
        let mut history = History::default();
        let old = history.begin();
        let new = history.part(at(old.branch, 7));
        assert_eq!(new.number, 7);
        assert!(history.holds(at(new.branch, 9), at(old.branch, 7)));
        assert!(!history.holds(at(new.branch, 9), at(old.branch, 8)));
        assert!(!history.holds(at(old.branch, 20), at(new.branch, 8)));
        assert!(
            history.holds(at(old.branch, 7), new),
            "nothing was written since"
        );
        assert_eq!(history.apart(at(new.branch, 9), at(old.branch, 8)), Some(3));
        let stranger = history.begin();
        assert_eq!(history.apart(stranger, new), None);
        assert!(!history.holds(stranger, new));
    }

    #[test]
    fn a_mixture_of_two_instants_is_no_instant() {
        // SPEC: FB-5
        let mut history = History::default();
        let root = history.begin().branch;
        for (older, newer) in [(3, 40), (20, 37), (0, 16)] {
            let (older, newer) = (at(root, older), at(root, newer));
            for taken in 1..16 {
                let mut blocks = history.content(older, 16);
                blocks[..taken].clone_from_slice(&history.content(newer, 16)[..taken]);
                let whole = history.place_of(&blocks);
                let truth = (0..=newer.number)
                    .map(|number| at(root, number))
                    .find(|place| history.content(*place, 16) == blocks);
                assert_eq!(whole, truth, "{taken} blocks of {newer:?} over {older:?}");
            }
        }
        let mut copied = vec![None; 16];
        copied[0] = history.content(at(root, 3), 16)[0];
        assert_eq!(history.place_of(&copied), None);
    }

    #[test]
    fn content_goes_back_over_branches() {
        let mut history = History::default();
        let old = history.begin().branch;
        let new = history.part(at(old, 20)).branch;
        let blocks = history.content(at(new, 22), 16);
        assert_eq!(blocks[5], Some(at(new, 21)));
        assert_eq!(blocks[6], Some(at(new, 22)));
        assert_eq!(blocks[4], Some(at(old, 20)));
        assert_eq!(blocks[7], Some(at(old, 7)));
        assert_eq!(history.place_of(&blocks), Some(at(new, 22)));
    }
}
