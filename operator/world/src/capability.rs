//! What a pair of sites is able to do, as data.

use serde::Serialize;

/// What a pair can do in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PairRules {
    /// What people call the pair.
    pub name: &'static str,
    /// From the primary site to the secondary.
    pub to_secondary: DirectionRules,
    /// From the secondary site to the primary, or why there is no way back (FB-8).
    pub to_primary: Result<DirectionRules, NotReturning>,
    /// Whether the secondary is Azure: a public address cannot be kept there (NM-3), and nothing is
    /// protected after a failover until a reprotect (FO-9).
    pub into_azure: bool,
}

/// What a pair can do in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectionRules {
    /// Whether drills are possible.
    pub test: bool,
    /// Whether planned failovers are possible.
    pub planned: bool,
    /// Whether unplanned failovers are possible.
    pub unplanned: bool,
    /// How the way back may begin; the first is used unless the failback policy asks for another
    /// (FB-0).
    pub ways_back: &'static [WayBack],
    /// Who commits.
    pub commit: CommitRule,
}

/// How the way back begins (FB-0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum WayBack {
    /// Replication is reversed by itself once the failover is committed.
    AfterCommit,
    /// Replication is reversed by a reprotect, a step of its own.
    OnReprotect,
    /// Data is synchronised inside the failback run.
    WithinFailback,
}

/// Who commits a failover of this pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum CommitRule {
    /// As the plan declares.
    AsDeclared,
    /// The failover itself: there are no other points to choose (FO-5).
    AtOnce,
}

/// Why there is no way back to the site that a machine left (FB-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum NotReturning {
    /// A physical server comes back as a virtual machine, at a vSphere site.
    OnlyAsVirtualMachine,
    /// The fabric has none.
    Unsupported,
}

/// What a fabric does about a request with an older epoch (SA-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum EpochEnforcement {
    /// It refuses.
    Enforced,
    /// It only records; the lease's deadline narrows what remains.
    Advisory,
}

impl DirectionRules {
    /// Whether the failback may be told how to synchronise (FB-0).
    pub fn synchronizes_within_failback(&self) -> bool {
        self.ways_back.contains(&WayBack::WithinFailback)
    }

    /// Whether replication can be reversed outside of a failback (FB-0).
    pub fn reverses(&self) -> bool {
        let reversed = [WayBack::AfterCommit, WayBack::OnReprotect];
        reversed.iter().any(|way| self.ways_back.contains(way))
    }
}
