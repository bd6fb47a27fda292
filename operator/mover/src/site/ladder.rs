//! How the two sides of a copy are made equal: by the least that is sure to be enough.
//!
//! | rung | what travels | when |
//! | --- | --- | --- |
//! | `Nothing` | nothing | the source is off, and is as it was when the target was made equal to it |
//! | `Changes` | what the source wrote | the target is as both agreed on |
//! | `Union` | what the source or the target wrote | both remember all of it since they agreed |
//! | `Compare` | what differs, which is looked at | one of them does not, or was written by somebody else |
//! | `Full` | everything but zeroes | there is nothing at the target |
//!
//! A bitmap that is not whole tells nothing: whoever is in doubt is compared.

use std::fmt;

use drover_libvirt::protocol::Parting;

/// How a disk is brought over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    /// Nothing: they are equal.
    Nothing,
    /// What the source wrote.
    Changes,
    /// What either side wrote.
    Union,
    /// What differs.
    Compare,
    /// Everything.
    Full,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Changes => "changes",
            Self::Union => "union of both sides' changes",
            Self::Compare => "comparison",
            Self::Full => "full copy",
        })
    }
}

/// What became of the source since both sides agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing was written to it.
    Untouched,
    /// It was written to, and remembers where.
    Remembers,
    /// Nobody knows what was written to it.
    Unknown,
}

/// What became of the target since both sides agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// There is nothing.
    Empty,
    /// Nothing was written to it.
    Untouched,
    /// It was written to, and remembers where.
    Remembers,
    /// Nobody knows what was written to it.
    Unknown,
}

/// How a disk is brought over.
pub(super) fn rung(source: Source, target: Target) -> Rung {
    match (source, target) {
        (_, Target::Empty) => Rung::Full,
        (Source::Untouched, Target::Untouched) => Rung::Nothing,
        (Source::Remembers, Target::Untouched) => Rung::Changes,
        (Source::Remembers, Target::Remembers) => Rung::Union,
        _ => Rung::Compare,
    }
}

/// The disks that a machine left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left<'a> {
    /// Their seal.
    pub seal: Option<&'a str>,
    /// Their seal when the machine was stopped.
    pub stopped: Option<&'a str>,
}

/// Since when what was left and what was made of its copy differ. What the disks themselves remember is looked
/// at when they are copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Apart {
    /// The checkpoint at the side where the machine was made.
    pub there: String,
    /// The checkpoint at the side that was left, where that was written to since.
    pub here: Option<String>,
}

/// What is known of how they differ; nothing where only a comparison tells.
pub(super) fn apart(parting: Option<&Parting>, left: Left<'_>) -> Option<Apart> {
    let parting = parting?;
    let seal = left.seal?;
    let there = parting.checkpoint.clone();
    if parting.seal.as_deref() == Some(seal) {
        return Some(Apart { there, here: None });
    }
    // Who wrote to them after they were stopped may have told no bitmap.
    if left.stopped != Some(seal) {
        return None;
    }
    let here = Some(parting.agreed.clone()?);
    Some(Apart { there, here })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // SPEC: PR-4
    #[test]
    fn the_least_that_is_sure_to_be_enough_travels() {
        use Source::{Remembers, Unknown, Untouched};
        let table = [
            (Untouched, Target::Empty, Rung::Full),
            (Remembers, Target::Empty, Rung::Full),
            (Unknown, Target::Empty, Rung::Full),
            (Untouched, Target::Untouched, Rung::Nothing),
            (Remembers, Target::Untouched, Rung::Changes),
            (Unknown, Target::Untouched, Rung::Compare),
            (Untouched, Target::Remembers, Rung::Compare),
            (Remembers, Target::Remembers, Rung::Union),
            (Unknown, Target::Remembers, Rung::Compare),
            (Untouched, Target::Unknown, Rung::Compare),
            (Remembers, Target::Unknown, Rung::Compare),
            (Unknown, Target::Unknown, Rung::Compare),
        ];
        for (source, target, expected) in table {
            assert_eq!(rung(source, target), expected, "{source:?} {target:?}");
        }
    }

    fn parting(seal: Option<&str>, agreed: Option<&str>) -> Parting {
        Parting {
            checkpoint: "drover-made-7".into(),
            seal: seal.map(Into::into),
            agreed: agreed.map(Into::into),
        }
    }

    // SPEC: PR-4, FB-3
    #[test]
    fn both_sides_changes_do_only_where_nobody_else_wrote() {
        let there = || "drover-made-7".to_owned();
        let changes = Some(Apart {
            there: there(),
            here: None,
        });
        let union = Some(Apart {
            there: there(),
            here: Some("drover-1".into()),
        });
        // What it was made of, the checkpoint of that; the seal now, and when it was stopped.
        let table = [
            // Everything it had was taken over.
            (Some("a"), Some("drover-1"), Some("a"), Some("a"), &changes),
            (Some("a"), None, Some("a"), None, &changes),
            // It was stopped cleanly, and wrote more than was taken over.
            (None, Some("drover-1"), Some("b"), Some("b"), &union),
            (Some("a"), Some("drover-1"), Some("b"), Some("b"), &union),
            // Somebody wrote since it was stopped, or nobody saw it stop.
            (None, Some("drover-1"), Some("c"), Some("b"), &None),
            (None, Some("drover-1"), Some("b"), None, &None),
            // It was made of an older point.
            (None, None, Some("b"), Some("b"), &None),
            // The disks are not there.
            (Some("a"), Some("drover-1"), None, Some("a"), &None),
            (None, Some("drover-1"), None, None, &None),
        ];
        for (made_of, agreed, seal, stopped, expected) in table {
            let left = Left { seal, stopped };
            let known = apart(Some(&parting(made_of, agreed)), left);
            assert_eq!(known, *expected, "{made_of:?} {agreed:?} {left:?}");
        }
        let left = Left {
            seal: Some("a"),
            stopped: Some("a"),
        };
        assert_eq!(apart(None, left), None);
    }

    type Disk = Vec<u8>;
    type Writes = Vec<(usize, u8)>;

    const BLOCKS: usize = 6;

    fn write(disk: &mut Disk, writes: &Writes) {
        for (at, what) in writes {
            disk[*at] = *what;
        }
    }

    /// What happened to a machine that was left, and to the one that was made of its copy.
    #[derive(Clone, Debug)]
    #[expect(
        clippy::struct_excessive_bools,
        reason = "facts that do not depend on each other"
    )]
    struct Story {
        agreed: Disk,
        older: Disk,
        left_wrote: Writes,
        made_wrote: Writes,
        somebody_wrote: Writes,
        last_changes_came: bool,
        of_newest_point: bool,
        stop_was_seen: bool,
        left_remembers: bool,
        made_remembers: bool,
    }

    impl Story {
        /// What travels, and both disks afterwards.
        fn told(&self) -> (Rung, Disk, Disk) {
            let mut left = self.agreed.clone();
            write(&mut left, &self.left_wrote);
            let of_newest = self.last_changes_came || self.of_newest_point;
            let mut made = match (self.last_changes_came, self.of_newest_point) {
                (true, _) => left.clone(),
                (false, true) => self.agreed.clone(),
                (false, false) => self.older.clone(),
            };
            write(&mut made, &self.made_wrote);
            write(&mut left, &self.somebody_wrote);
            let seal = format!("written to {} times", self.somebody_wrote.len());
            let stopped = "written to 0 times";
            let parting = Parting {
                checkpoint: "made".into(),
                seal: self.last_changes_came.then(|| stopped.into()),
                agreed: of_newest.then(|| "agreed".into()),
            };
            let seen = Left {
                seal: Some(&seal),
                stopped: self.stop_was_seen.then_some(stopped),
            };
            let apart = apart(Some(&parting), seen);
            let target = match &apart {
                Some(Apart { here: None, .. }) => Target::Untouched,
                Some(_) if self.left_remembers => Target::Remembers,
                _ => Target::Unknown,
            };
            let source = match apart {
                Some(_) if self.made_remembers => Source::Remembers,
                _ => Source::Unknown,
            };
            let rung = rung(source, target);
            let travels: Vec<usize> = match rung {
                Rung::Nothing => Vec::new(),
                Rung::Changes => places(&self.made_wrote).collect(),
                Rung::Union => places(&self.made_wrote)
                    .chain(places(&self.left_wrote))
                    .collect(),
                Rung::Compare | Rung::Full => (0..BLOCKS).collect(),
            };
            for at in travels {
                left[at] = made[at];
            }
            (rung, left, made)
        }
    }

    fn places(writes: &Writes) -> impl Iterator<Item = usize> + '_ {
        writes.iter().map(|(at, _)| *at)
    }

    fn stories() -> impl Strategy<Value = Story> {
        let disk = || prop::collection::vec(any::<u8>(), BLOCKS);
        let writes = || prop::collection::vec((0..BLOCKS, any::<u8>()), 0..4);
        let disks = (disk(), disk());
        let all_writes = (writes(), writes(), prop_oneof![Just(Vec::new()), writes()]);
        (disks, all_writes, any::<[bool; 5]>()).prop_map(|(disks, writes, facts)| Story {
            agreed: disks.0,
            older: disks.1,
            left_wrote: writes.0,
            made_wrote: writes.1,
            somebody_wrote: writes.2,
            last_changes_came: facts[0],
            of_newest_point: facts[1],
            stop_was_seen: facts[2],
            left_remembers: facts[3],
            made_remembers: facts[4],
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        // SPEC: PR-4, FB-3
        #[test]
        fn whatever_happened_both_sides_are_equal_in_the_end(story in stories()) {
            let (rung, left, made) = story.told();
            prop_assert_eq!(left, made, "{} of {:?}", rung, story);
        }
    }
}
