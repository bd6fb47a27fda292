//! What changed, by a bitmap that QEMU keeps.

use std::ops::Range;

use super::map::Walk;
use crate::nbd::{Client, NbdError};

/// The flag of what changed.
const DIRTY: u32 = 1;
/// How many stretches are remembered at most, 16 bytes each.
const MOST: usize = 1 << 20;

/// What changed on a disk: stretches in order, none touching the next.
///
/// Where there are very many, those with little between them become one. That copies some of what did not
/// change, which is harmless: source and target agree on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    stretches: Vec<Range<u64>>,
    /// What lies between two stretches is longer than this.
    gap: u64,
}

impl Dirty {
    /// Reads a bitmap context, such as `qemu:dirty-bitmap:backup-vda`, that was agreed on with the server.
    ///
    /// # Errors
    /// When the client has no such context, or the server fails.
    pub async fn read(client: &Client, context: &str) -> Result<Self, NbdError> {
        let mut dirty = Self::default();
        let mut walk = Walk::new(client, context);
        let mut at = 0;
        while let Some((end, flags)) = walk.next().await? {
            if flags & DIRTY != 0 {
                dirty.push(at..end, MOST);
            }
            at = end;
        }
        Ok(dirty)
    }

    /// What changed by one of two bitmaps: a way back needs what both sides wrote since they agreed.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = Self::default();
        let (mut ours, mut theirs) = (
            self.stretches.iter().peekable(),
            other.stretches.iter().peekable(),
        );
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(one), Some(two)) if one.start <= two.start => ours.next(),
                (_, Some(_)) => theirs.next(),
                (Some(_), None) => ours.next(),
                (None, None) => return union,
            };
            if let Some(next) = next {
                union.push(next.clone(), MOST);
            }
        }
    }

    /// How many bytes changed, at most.
    pub fn bytes(&self) -> u64 {
        self.stretches.iter().map(|s| s.end - s.start).sum()
    }

    /// In order.
    pub fn stretches(&self) -> &[Range<u64>] {
        &self.stretches
    }

    /// Whole blocks of this size, none beyond the end.
    pub(super) fn aligned(&self, grain: u64, size: u64) -> Self {
        let mut aligned = Self::default();
        for stretch in &self.stretches {
            let start = stretch.start - stretch.start % grain;
            let end = stretch.end.next_multiple_of(grain).min(size);
            aligned.push(start..end, MOST);
        }
        aligned
    }

    /// Adds a stretch that begins where no other begins later.
    fn push(&mut self, stretch: Range<u64>, most: usize) {
        match self.stretches.last_mut() {
            Some(last) if stretch.start <= last.end.saturating_add(self.gap) => {
                last.end = last.end.max(stretch.end);
            }
            _ => self.stretches.push(stretch),
        }
        while self.stretches.len() > most {
            self.gap = (self.gap * 2).max(64 << 10);
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        let gap = self.gap;
        self.stretches.dedup_by(|next, last| {
            let near = next.start <= last.end.saturating_add(gap);
            if near {
                last.end = last.end.max(next.end);
            }
            near
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(stretches: &[Range<u64>], most: usize) -> Dirty {
        let mut dirty = Dirty::default();
        for stretch in stretches {
            dirty.push(stretch.clone(), most);
        }
        dirty
    }

    #[test]
    fn stretches_that_touch_are_one() {
        let dirty = of(&[0..10, 10..20, 15..18, 30..40], MOST);
        assert_eq!(dirty.stretches(), [0..20, 30..40]);
        assert_eq!(dirty.bytes(), 30);
    }

    #[test]
    fn blocks_end_where_the_disk_ends() {
        let dirty = of(&[5..6, 4090..4100, 9000..9001], MOST);
        assert_eq!(
            dirty.aligned(512, 9001).stretches(),
            [0..512, 3584..4608, 8704..9001]
        );
    }

    fn stretches() -> impl Strategy<Value = Vec<Range<u64>>> {
        let stretch = (0_u64..100_000_000, 1_u64..5_000_000).prop_map(|(at, long)| at..at + long);
        prop::collection::vec(stretch, 0..60).prop_map(|mut all| {
            all.sort_by_key(|stretch| stretch.start);
            all
        })
    }

    proptest! {
        // SPEC: PR-3
        #[test]
        fn what_changed_is_never_forgotten(all in stretches(), most in 1_usize..20) {
            let dirty = of(&all, most);
            prop_assert!(dirty.stretches().len() <= most);
            for stretch in &all {
                let within = |known: &Range<u64>| known.start <= stretch.start && stretch.end <= known.end;
                prop_assert!(dirty.stretches().iter().any(within));
            }
            prop_assert!(dirty.stretches().is_sorted_by(|a, b| a.end < b.start));
        }

        #[test]
        fn a_union_has_what_either_has(one in stretches(), two in stretches()) {
            let mut both = [one.clone(), two.clone()].concat();
            both.sort_by_key(|stretch| stretch.start);
            prop_assert_eq!(of(&one, MOST).union(&of(&two, MOST)), of(&both, MOST));
        }
    }
}
